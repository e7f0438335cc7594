"""Lines as customers say them on calls, written for this project: what phrases weigh.

`data/service_lines.tsv` holds the text, whether a listener would call it distress, what kind
of line it is, and its half: one half of every kind teaches, the other judges.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from inference.experts.text_features import as_recognised
from inference.labels import EMOTIONS, Emotion

PATH: Final = Path(__file__).parent / "data" / "service_lines.tsv"
OPENINGS: Final = ("hello yes", "okay so", "um well", "right listen", "hi there", "yeah hi")
"""How speakers begin; no copy of a line hangs on its first words."""


class Direction(StrEnum):
    """Whether a listener would call a line distress."""

    DISTRESS = "distress"
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One line."""

    text: str
    direction: Direction
    kind: str

    @property
    def distressed(self) -> bool:
        """Whether a listener would call it distress."""
        return self.direction is Direction.DISTRESS

    @property
    def emotions(self) -> NDArray[np.float64]:
        """(labels,) how much each label is meant, in the order of `EMOTIONS`; sums to 1."""
        shares = EMOTIONS_OF[self.direction, self.kind]
        return np.array([shares.get(label, 0.0) for label in EMOTIONS])

    def spoken(self, place: int) -> tuple[str, str, str]:
        """As written, as a recogniser writes it, and with an opening, the `place`-th."""
        plain = as_recognised(self.text)
        return self.text, plain, f"{OPENINGS[place % len(OPENINGS)]} {plain}"


EMOTIONS_OF: Final = MappingProxyType(
    {
        (Direction.DISTRESS, "complaint"): {Emotion.ANGER: 0.5, Emotion.NEUTRAL: 0.5},
        (Direction.DISTRESS, "threat"): {Emotion.ANGER: 0.7, Emotion.NEUTRAL: 0.3},
        (Direction.DISTRESS, "fear"): {Emotion.FEAR: 0.8, Emotion.NEUTRAL: 0.2},
        (Direction.DISTRESS, "sadness"): {Emotion.SADNESS: 0.8, Emotion.NEUTRAL: 0.2},
        (Direction.DISTRESS, "tricky"): {Emotion.ANGER: 0.6, Emotion.NEUTRAL: 0.4},
        (Direction.CALM, "thanks"): {Emotion.JOY: 0.8, Emotion.NEUTRAL: 0.2},
        (Direction.CALM, "small_talk"): {Emotion.JOY: 0.3, Emotion.NEUTRAL: 0.7},
        (Direction.CALM, "request"): {Emotion.NEUTRAL: 1.0},
        (Direction.CALM, "confirmation"): {Emotion.NEUTRAL: 1.0},
        (Direction.CALM, "question"): {Emotion.NEUTRAL: 1.0},
        (Direction.CALM, "tricky"): {Emotion.JOY: 0.2, Emotion.NEUTRAL: 0.8},
    }
)
"""A complaint without a word of feeling is distress, and anger only maybe."""


def read_service_lines(half: Literal["train", "test"]) -> tuple[ServiceLine, ...]:
    """The lines of one half, in the order of the file."""
    rows = [line.split("\t") for line in PATH.read_text(encoding="utf-8").splitlines()[1:]]
    return tuple(
        ServiceLine(text, Direction(direction), kind)
        for text, direction, kind, split in rows
        if split == half
    )
