"""What a method of context reads of a window: its score, as numbers.

The score is read as it is stored, rounded, so that a stored conversation that is played again
gives the very estimates that it gave live.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.score import DECIMALS, WindowScore

SMALLEST: Final = 0.5 * 10**-DECIMALS
"""Half of the step that scores are rounded to: what a zero stands for."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Assumed:
    """What a deployment assumes of its calls before anything is heard or seen.

    Attributes:
        log_shares: (7,) natural log of each emotion's share, in the order of `EMOTIONS`.
        distress_log_odds: natural log odds of the base rate of distress.
    """

    log_shares: Floats
    distress_log_odds: float


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One window `[start_ns, end_ns)` of a participant.

    Attributes:
        support: (7,) natural log of the estimate over what is assumed; 0 says nothing. None
            where nothing was present.
        distress_support: natural log odds of distress over what is assumed, or None.
        vacuity: 1 where nothing supports any label.
        silence: share of the window in which the participant is not heard to speak.
    """

    start_ns: int
    end_ns: int
    role: Role
    support: Floats | None
    distress_support: float | None
    vacuity: float
    silence: float

    @classmethod
    def of(cls, score: WindowScore, assumed: Assumed) -> Self:
        """Read a score that was made under `assumed`."""
        support = distress = None
        if score.emotions is not None:
            support = log_probs_of(score.emotions) - assumed.log_shares
        if score.distress is not None:
            distress = log_odds(score.distress.probability) - assumed.distress_log_odds
        return cls(
            start_ns=score.start_ns,
            end_ns=score.end_ns,
            role=score.role,
            support=support,
            distress_support=distress,
            vacuity=score.vacuity,
            silence=_silence(score),
        )


def log_probs_of(emotions: dict[Emotion, float]) -> Floats:
    """(7,) natural log of rounded probabilities, which sum to one again."""
    probs = np.maximum([emotions[label] for label in EMOTIONS], SMALLEST)
    logs: Floats = np.log(probs / probs.sum())
    return logs


def log_odds(probability: float) -> float:
    """Natural log odds of a rounded probability."""
    inside = min(max(probability, SMALLEST), 1 - SMALLEST)
    return float(np.log(inside / (1 - inside)))


def probability(odds: float) -> float:
    """Inverse of `log_odds`, unrounded."""
    return float(1 / (1 + np.exp(-odds)))


def rounded(value: float) -> float:
    """To `DECIMALS`, without a negative zero: as everything else that is stored of a window."""
    return round(float(value), DECIMALS) + 0.0


def by_label(probs: Floats) -> dict[Emotion, float]:
    """(7,) probabilities under their names, rounded."""
    return {label: rounded(probs[place]) for place, label in enumerate(EMOTIONS)}


def _silence(score: WindowScore) -> float:
    """1 where nobody speaks; half, the usual share of a call, where nobody listened."""
    speech = score.modalities.get(Modality.SPEECH)
    if speech is None:
        return 0.5
    if speech.quality is not None and speech.quality.present_share is not None:
        return 1.0 - speech.quality.present_share
    return 1.0 if speech.reason is AbsenceReason.SILENCE else 0.5
