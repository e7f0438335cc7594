"""A window as the rules remember it: what it read as, and the strongest reasons for that."""

from collections.abc import Mapping
from typing import Any, Final, Self

from msgspec import Struct

from inference.labels import EMOTIONS, Emotion, Modality
from inference.score import WindowScore

CUES_SHOWN: Final = 3


class Estimate(Struct, frozen=True, array_like=True, kw_only=True):
    """What a window read as, for whoever tells of it. New fields come last, with a default."""

    emotions: tuple[float, ...] | None
    """In the order of `EMOTIONS`; None where nothing was there."""
    distress: float | None
    label: Emotion | None
    set: tuple[Emotion, ...]
    weights: dict[Modality, float]
    """Of the modalities that had a say."""
    vacuity: float
    conflict: float
    change: float | None

    @classmethod
    def of(cls, score: WindowScore) -> Self:
        """The estimate of one window."""
        return cls(
            emotions=None
            if score.emotions is None
            else tuple(score.emotions.get(emotion, 0.0) for emotion in EMOTIONS),
            distress=None if score.distress is None else score.distress.probability,
            label=None if score.decision.abstained else score.decision.label,
            set=score.decision.set,
            weights=score.shares,
            vacuity=score.vacuity,
            conflict=score.conflict,
            change=score.change,
        )


class Seen(Struct, frozen=True, array_like=True):
    """A window that counted, as evidence. New fields come last, with a default."""

    start_ns: int
    end_ns: int
    value: float
    """Of the rule's metric."""
    cues: tuple[tuple[str, str, int | None], ...] = ()
    """(modality, cue, at_ns), strongest first."""
    estimate: Estimate | None = None
    """None in states that an older version stored."""

    @classmethod
    def of(cls, score: WindowScore, value: float | None) -> Self:
        """One window, by the value that its rule watches."""
        return cls(
            score.start_ns,
            score.end_ns,
            0.0 if value is None else value,
            tuple((cue.modality.value, cue.cue, cue.at_ns) for cue in score.evidence[:CUES_SHOWN]),
            Estimate.of(score),
        )

    @property
    def stored(self) -> Mapping[str, Any]:
        """As transitions and alerts keep it."""
        return {
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "value": self.value,
            "cues": [
                {"modality": modality, "cue": cue, "at_ns": at_ns}
                for modality, cue, at_ns in self.cues
            ],
        }
