"""From blendshapes to evidence: a fixed rule for joy and surprise, vacuous on the rest.

The constants are written by hand and calibrated on nothing. A smile and a startled face are
what the coefficients show well; anger, disgust, fear and sadness they hardly tell from a
neutral face, so those share what is left evenly.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import EMOTIONS, Emotion

LABELS: Final = EMOTIONS
WEIGHT_LIMIT: Final = 0.3
"""Upper bound of the fusion weight, since nothing here is calibrated."""

SMILE: Final = ("mouthSmileLeft", "mouthSmileRight")
STARTLE: Final = (
    ("eyeWideLeft", "eyeWideRight"),
    ("jawOpen",),
    ("browInnerUp",),
    ("browOuterUpLeft", "browOuterUpRight"),
)
SMILE_FROM: Final = 0.3
STARTLE_FROM: Final = 0.3
"""Coefficients from which the rule speaks for its label; below it speaks against, faintly."""
SLOPE: Final = 6.0
LEAST: Final = -1.0
MOST: Final = 2.5
"""Bounds of the log-odds of one label against any of the silent ones."""


def smile(coefficients: Mapping[str, float]) -> float:
    """How far the corners of the mouth are up, in [0, 1]."""
    return _mean(coefficients, SMILE)


def startle(coefficients: Mapping[str, float]) -> float:
    """How far eyes, jaw and brows are open and up, in [0, 1]: the mean of four parts."""
    return sum(_mean(coefficients, part) for part in STARTLE) / len(STARTLE)


def log_probs(coefficients: Mapping[str, float]) -> NDArray[np.float64]:
    """(labels,) natural log of the rule's distribution, in the order of `LABELS`."""
    logits = np.zeros(len(LABELS))
    logits[LABELS.index(Emotion.JOY)] = _say(smile(coefficients), SMILE_FROM)
    logits[LABELS.index(Emotion.SURPRISE)] = _say(startle(coefficients), STARTLE_FROM)
    spread: NDArray[np.float64] = logits - np.logaddexp.reduce(logits)
    return spread


def cue(coefficients: Mapping[str, float]) -> str | None:
    """The movement that the rule spoke up for, if any."""
    moved = {
        "smiles": smile(coefficients) - SMILE_FROM,
        "eyes, jaw or brows wide open": startle(coefficients) - STARTLE_FROM,
    }
    most = max(moved, key=moved.__getitem__)
    return most if moved[most] > 0 else None


def _say(level: float, from_level: float) -> float:
    return float(np.clip(SLOPE * (level - from_level), LEAST, MOST))


def _mean(coefficients: Mapping[str, float], names: tuple[str, ...]) -> float:
    return sum(coefficients[name] for name in names) / len(names)
