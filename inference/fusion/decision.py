"""What may be said in one word, and the figures that follow from the seven probabilities."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from inference.calibration.conformal import DEFAULT_COVERAGE, prediction_sets
from inference.labels import DISTRESS, EMOTIONS, HIGH_AROUSAL, LOW_AROUSAL, Emotion
from inference.score import Decision

LEAST_SURE: Final = 0.5
"""A label is named only where it is likelier than all others together …"""
WIDEST_SET: Final = 3
"""… and its set leaves no more than this many possible."""
EMPTY: Final = 0.95
"""From this vacuity on only the prior speaks, and nothing is named."""


def decide(
    emotions: Mapping[Emotion, float],
    vacuity: float,
    threshold: float,
    coverage: float = DEFAULT_COVERAGE,
) -> Decision:
    """Name the likeliest label, or abstain.

    Args:
        emotions: probability of each of the seven labels.
        vacuity: of the same estimate; with nothing but the prior every label is in the set.
        threshold: of the conformal set, see `inference.calibration.conformal`.
        coverage: that the threshold was fitted for.
    """
    probs = np.array([emotions[label] for label in EMOTIONS])
    inside = prediction_sets(probs, threshold) | (vacuity >= EMPTY)
    ranked = sorted(EMOTIONS, key=lambda label: -emotions[label])
    likely = tuple(label for label in ranked if inside[EMOTIONS.index(label)])
    named = emotions[ranked[0]] >= LEAST_SURE and len(likely) <= WIDEST_SET
    return Decision(
        label=ranked[0] if named else None,
        set=likely,
        coverage=coverage,
        abstained=not named,
    )


def nothing_to_decide() -> Decision:
    """The decision on a window in which nothing was present."""
    return Decision(label=None, set=EMOTIONS, coverage=DEFAULT_COVERAGE, abstained=True)


def arousal(emotions: Mapping[Emotion, float]) -> float:
    """P(anger, joy, fear) against P(sadness, neutral): derived from categories, not rated."""
    high = sum(emotions[label] for label in HIGH_AROUSAL)
    low = sum(emotions[label] for label in LOW_AROUSAL)
    return high / (high + low) if high + low > 0 else 0.5


def valence(emotions: Mapping[Emotion, float]) -> float:
    """P(joy) - P(anger, disgust, fear, sadness): derived from categories, not rated."""
    return emotions[Emotion.JOY] - sum(emotions[label] for label in DISTRESS)
