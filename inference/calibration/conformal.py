"""Prediction sets that hold the truth as often as they promise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError

DEFAULT_COVERAGE: Final = 0.9

Floats = NDArray[np.float64]


class TooFewItemsError(AffectstreamError):
    """Fewer held-out items than the coverage needs."""


def fit_threshold(
    probs: Floats,
    labels: NDArray[np.integer],
    coverage: float = DEFAULT_COVERAGE,
    weights: Floats | None = None,
) -> float:
    """The threshold of 1 - p under which a set holds the true label with `coverage`.

    Source: split conformal prediction (Vovk et al. 2005; Sadinle et al. 2019, least
    ambiguous sets), with the finite-sample level ceil((n + 1) coverage) / n; weighted for a
    shift of label shares after Podkopaev and Ramdas 2021. Departure: the item to be judged
    gets the mean weight, so that one threshold serves all.

    The promise is marginal, and for data like that of the fit only.

    Args:
        probs: (n, labels) held-out probabilities.
        labels: (n,) columns of the truth.
        coverage: wanted share, above 0 and below 1.
        weights: (n,) how much each item stands for; None weighs all the same.

    Raises:
        TooFewItemsError: under 1 / (1 - coverage) items: no set short of all labels can
            promise that coverage.
    """
    n = len(labels)
    least = int(np.ceil(coverage / (1 - coverage) - 1e-9))
    if n < least:
        raise TooFewItemsError(
            f"{n} held-out items: a coverage of {coverage:g} needs {least} at the least"
        )
    weights = np.ones(n) if weights is None else weights / weights.mean()
    scores = 1.0 - probs[np.arange(n), labels]
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    wanted = coverage * (n + 1)
    place = min(int(np.searchsorted(reached, wanted - 1e-9)), n - 1)
    return float(scores[order[place]])


def prediction_sets(probs: Floats, threshold: float | Floats) -> NDArray[np.bool_]:
    """Which labels are in each set, (…, labels): 1 - p at most `threshold`, or the likeliest.

    Args:
        probs: (…, labels).
        threshold: from `fit_threshold`, of items like these; or one a row, (…, 1).
    """
    inside: NDArray[np.bool_] = (1.0 - probs <= threshold) | (
        probs == probs.max(axis=-1, keepdims=True)
    )
    return inside
