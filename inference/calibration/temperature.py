"""One number that makes a head as sure as it is right."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from inference.errors import AffectstreamError

LOWEST: Final = 0.05
HIGHEST: Final = 20.0
"""Bounds of the search. A fit at a bound means that the head carries no usable order."""

Floats = NDArray[np.floating]


class CalibrationError(AffectstreamError):
    """Predictions from which nothing can be fitted."""


def fit_temperature(
    log_probs: Floats, labels: NDArray[np.integer], *, class_balanced: bool = True
) -> float:
    """Temperature that minimises the negative log-likelihood of `labels`.

    Source: Guo et al. 2017, section 4.2. Departure: items are reweighted to uniform
    classes, so that the calibrated head's prior is uniform over its labels, as fusion
    assumes. Out-of-fold predictions only: on a fit's own training data it makes things worse.

    Args:
        log_probs: (n, labels) finite natural log-probabilities or logits.
        labels: (n,) column of the truth.
        class_balanced: give every class the same weight; False keeps the data's own prior.

    Raises:
        CalibrationError: no items, shapes that do not fit, or values that are not finite.
    """
    log_probs = np.asarray(log_probs, dtype=np.float64)
    if log_probs.ndim != 2 or len(labels) == 0 or len(log_probs) != len(labels):  # noqa: PLR2004 - rows and columns
        raise CalibrationError(
            f"predictions of shape {log_probs.shape} and {len(labels)} labels: "
            "give (n, labels) and (n,), n at least 1"
        )
    if not np.isfinite(log_probs).all():
        bad = int(np.count_nonzero(~np.isfinite(log_probs).all(axis=1)))
        raise CalibrationError(f"{bad} of {len(log_probs)} predictions are not finite")
    counts = np.bincount(labels, minlength=log_probs.shape[1])
    weights = 1.0 / counts[labels] if class_balanced else np.ones(len(labels))
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        tempered = apply_temperature(log_probs, float(np.exp(log_temperature)))
        return float(-(weights * tempered[rows, labels]).sum() / weights.sum())

    # convex in 1/T, so there is one valley in log T as well
    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def apply_temperature(log_probs: Floats, temperature: float) -> NDArray[np.float64]:
    """Log-probabilities divided by `temperature` and normalised again, same shape.

    Every row is computed by itself: alone and in company give the same bits.
    """
    tempered = np.asarray(log_probs, dtype=np.float64) / temperature
    tempered = tempered - tempered.max(axis=-1, keepdims=True)
    normalised: NDArray[np.float64] = tempered - np.log(
        np.exp(tempered).sum(axis=-1, keepdims=True)
    )
    return normalised
