"""The Berlin Database of Emotional Speech (EmoDB): names, labels, speakers.

Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005. CC0-1.0.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from inference.errors import AffectstreamError
from inference.labels import Emotion


class Category(StrEnum):
    """What the actor was asked for: the sixth character of a file's name."""

    ANGER = "W"
    BOREDOM = "L"
    DISGUST = "E"
    FEAR = "A"
    JOY = "F"
    NEUTRAL = "N"
    SADNESS = "T"


EMOTION_OF: Final = {
    Category.ANGER: Emotion.ANGER,
    Category.BOREDOM: Emotion.NEUTRAL,
    Category.DISGUST: Emotion.DISGUST,
    Category.FEAR: Emotion.FEAR,
    Category.JOY: Emotion.JOY,
    Category.NEUTRAL: Emotion.NEUTRAL,
    Category.SADNESS: Emotion.SADNESS,
}
HELD_OUT_SPEAKERS: Final = frozenset({"03", "16"})
"""Kept for the demo and for calls built in tests: never in shipped weights or calibration."""

_NAME: Final = re.compile(r"(?P<speaker>\d\d)[ab]\d\d(?P<category>[WLEAFTN])[a-z]")
_SUFFIXES: Final = frozenset({".flac", ".opus", ".wav"})


class NoCorpusError(AffectstreamError):
    """A folder without the recordings that were asked for."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One acted sentence."""

    path: Path
    speaker: str
    category: Category

    @property
    def emotion(self) -> Emotion:
        """The category in the vocabulary of the product; boredom is neutral."""
        return EMOTION_OF[self.category]

    @property
    def word(self) -> str:
        """The name of the category, boredom apart."""
        return self.category.name.lower()


def find_clips(folder: Path) -> tuple[Clip, ...]:
    """Every EmoDB recording below `folder`, in order of name.

    Raises NoCorpusError if there is none.
    """
    clips: dict[str, Clip] = {}
    for path in sorted(folder.rglob("*")):
        match = _NAME.fullmatch(path.stem)
        if match and path.suffix in _SUFFIXES:
            clips.setdefault(path.stem, Clip(path, match["speaker"], Category(match["category"])))
    if not clips:
        raise NoCorpusError(
            f"{folder}: no EmoDB recording below it (names such as 03a01Wa.flac); "
            "name the folder that holds them"
        )
    return tuple(clips[name] for name in sorted(clips))
