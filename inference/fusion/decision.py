"""What may be said in one word, and the figures that follow from the seven probabilities."""

from collections.abc import Mapping
from typing import Final

from inference.labels import DISTRESS, EMOTIONS, HIGH_AROUSAL, LOW_AROUSAL, Emotion
from inference.score import Decision

COVERAGE: Final = 0.9
LEAST_SURE: Final = 0.5
"""A label is named only where it is likelier than all others together."""
EMPTY: Final = 0.95
"""From this vacuity on only the prior speaks, and nothing is named."""


def decide(emotions: Mapping[Emotion, float], vacuity: float) -> Decision:
    """Name the likeliest label, or abstain.

    `set` holds the fewest labels that reach `COVERAGE` of the estimate's own probability;
    with nothing but the prior, all labels.

    Args:
        emotions: probability of each of the seven labels.
        vacuity: of the same estimate.
    """
    ranked = sorted(EMOTIONS, key=lambda label: -emotions[label])
    abstained = vacuity >= EMPTY or emotions[ranked[0]] < LEAST_SURE
    likely: list[Emotion] = []
    reached = 0.0
    for label in ranked:
        if reached >= COVERAGE and vacuity < EMPTY:
            break
        likely.append(label)
        reached += emotions[label]
    return Decision(
        label=None if abstained else ranked[0],
        set=tuple(likely),
        coverage=COVERAGE,
        abstained=abstained,
    )


def nothing_to_decide() -> Decision:
    """The decision on a window in which nothing was present."""
    return Decision(label=None, set=EMOTIONS, coverage=COVERAGE, abstained=True)


def arousal(emotions: Mapping[Emotion, float]) -> float:
    """P(anger, joy, fear) against P(sadness, neutral): derived from categories, not rated."""
    high = sum(emotions[label] for label in HIGH_AROUSAL)
    low = sum(emotions[label] for label in LOW_AROUSAL)
    return high / (high + low) if high + low > 0 else 0.5


def valence(emotions: Mapping[Emotion, float]) -> float:
    """P(joy) - P(anger, disgust, fear, sadness): derived from categories, not rated."""
    return emotions[Emotion.JOY] - sum(emotions[label] for label in DISTRESS)
