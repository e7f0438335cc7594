"""Calibration by availability pattern: which modalities were there to be fused."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.calibration.conformal import DEFAULT_COVERAGE
from inference.calibration.temperature import apply_temperature, fit_temperature
from inference.labels import MODALITIES, Modality

SHRINKAGE: Final = 200
"""A pattern with this many items counts half, the shared temperature the other half."""
SHARED: Final = "shared"
"""Stands for every pattern that has no figure of its own."""

Floats = NDArray[np.float64]


def pattern_of(modalities: Collection[Modality]) -> str:
    """Name of an availability pattern: `speech+face`, always in the order of `MODALITIES`."""
    return "+".join(modality for modality in MODALITIES if modality in modalities)


class PatternCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One temperature and one conformal threshold for each availability pattern.

    Attributes:
        temperatures: by pattern; `shared` for the others, 1 where nothing was fitted.
        thresholds: by pattern, of 1 - p; without one a set holds every label.
        coverage: that the thresholds were fitted for.
    """

    temperatures: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    coverage: float = DEFAULT_COVERAGE

    def apply(self, pattern: str, log_probs: Floats) -> Floats:
        """Temper rows, (…, labels), of one pattern."""
        temperature = self.temperature(pattern)
        return log_probs if temperature == 1.0 else apply_temperature(log_probs, temperature)

    def temperature(self, pattern: str) -> float:
        """Of the pattern, or the shared one."""
        return self.temperatures.get(pattern, self.temperatures.get(SHARED, 1.0))

    def threshold(self, pattern: str) -> float:
        """Of the pattern, or the shared one; 1 where there is none: every label stays in."""
        return self.thresholds.get(pattern, self.thresholds.get(SHARED, 1.0))


IDENTITY: Final = PatternCalibration()


def fit_pattern_temperatures(
    predictions: Mapping[str, tuple[Floats, NDArray[np.integer]]],
    *,
    class_balanced: bool = True,
    items: Mapping[str, int] | None = None,
) -> dict[str, float]:
    """One temperature a pattern, drawn to the shared one by n / (n + 200) in its logarithm.

    Args:
        predictions: by pattern, out-of-fold (n, labels) log-probabilities and (n,) columns
            of the truth.
        class_balanced: see `fit_temperature`.
        items: by pattern, how many of its rows say something new; None takes all of them.
    """
    items = items or {pattern: len(truth) for pattern, (_, truth) in predictions.items()}
    pooled = fit_temperature(
        np.concatenate([log_probs for log_probs, _ in predictions.values()]),
        np.concatenate([truth for _, truth in predictions.values()]),
        class_balanced=class_balanced,
    )
    fitted = {SHARED: pooled}
    for pattern, (log_probs, truth) in predictions.items():
        own = fit_temperature(log_probs, truth, class_balanced=class_balanced)
        share = items[pattern] / (items[pattern] + SHRINKAGE)
        fitted[pattern] = float(np.exp(share * np.log(own) + (1 - share) * np.log(pooled)))
    return fitted
