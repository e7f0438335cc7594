"""What experts say about a window, one modality at a time, before fusion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from inference.labels import AbsenceReason, Emotion, Modality
from inference.window import WindowInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the input was. Each component in [0, 1], 1 best; None is unknown."""

    present_share: float | None = None
    """Share of the window in which the modality was there (voiced, with a face, with words)."""
    level: float | None = None
    """Speech level over its noise, or size and sharpness of the face."""
    freshness: float | None = None
    """1 for data from the end of the window, 0 for data a window length old or older."""
    confidence: float | None = None
    """What the detector or recogniser said of itself; less for a face that is turned aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One computed reason behind a score: never generated."""

    modality: Modality
    cue: str
    at_ns: int | None = None
    quotes: bool = False
    """True where `cue` repeats words: stored only if policy keeps transcripts."""
    kind: str = ""
    """What stands in for a cue that may not be quoted, for example "complaint phrase"."""
    against_others: bool = False
    """True where it compares with other people: left out once the own voice is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """How the voice of one window moves: for cues and for change, never for a probability.

    None where there is nothing to measure: a whisper has no pitch, a word has no pace.
    """

    pitch_semitones: float | None = None
    """Median of the voiced frames, semitones above 27.5 Hz."""
    melody_semitones: float | None = None
    """How far pitch moves about its median: a standard deviation."""
    effort_db: float | None = None
    """Power above 1 kHz over power below, see `inference.experts.speech_effort`."""
    pace_per_s: float | None = None
    """Peaks of loudness, roughly syllables, in a second of speech."""
    spoken_ns: tuple[tuple[int, int], ...] = ()
    """Event times `[start, end)` in which somebody speaks, ascending, without overlap."""


MOST_TOKENS: Final = 30
"""Of one window and modality."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """What an expert read, as numbers: for methods that were trained on them.

    Attributes:
        space: what the numbers mean, with their count: `voice-768`. A method reads the spaces
            that it was trained on and leaves others alone.
        vector: (size,) float32 of the whole window.
        tokens: (tokens, size) float32 in order of time, at most `MOST_TOKENS`: lines, frames,
            or the vector alone.
    """

    space: str
    vector: NDArray[np.float32]
    tokens: NDArray[np.float32]

    @classmethod
    def whole(cls, space: str, vector: NDArray[np.float32]) -> Self:
        """Of an expert that describes a window in one piece."""
        return cls(space=space, vector=vector, tokens=vector[None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one expert says about one window.

    Attributes:
        labels: the labels the expert knows, a subset of the vocabulary.
        log_probs: (labels,) float64 natural log, calibrated, summing to one in probability.
            The expert's prior is uniform over `labels`: a uniform row says nothing.
        distress_log_odds: natural log odds of distress against an even prior, or None
            where the expert has no calibrated say in it.
    """

    modality: Modality
    expert: str
    labels: tuple[Emotion, ...]
    log_probs: NDArray[np.float64]
    distress_log_odds: float | None
    quality: Quality
    weight_limit: float = 1.5
    """Upper bound of this expert's fusion weight; uncalibrated rules stay at .3."""
    cues: tuple[Cue, ...] = ()
    prosody: Prosody | None = None
    """Of an expert that hears a voice: compared with the participant's own usual one."""
    features: Features | None = None
    """What it read, where methods beside the product may want it."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The expert looked and has nothing to say, for this reason."""

    modality: Modality
    reason: AbsenceReason


class Expert(Protocol):
    """A reader of one modality. Owned by the scorer, implemented in `inference.experts`."""

    @property
    def modality(self) -> Modality:
        """The one modality that this expert reads."""
        ...

    @property
    def version(self) -> str:
        """Name and version of weights and calibration, as published in every score."""
        ...

    @property
    def look_back_ns(self) -> int:
        """How far before its start a window shows this expert its modality."""
        ...

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window; the answer has the order and length of `windows`.

        An item's answer is the same alone and in company. The caller never passes a
        window whose `absent` names this modality.
        """
        ...
