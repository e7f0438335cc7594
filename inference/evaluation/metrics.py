"""The figures that every evaluation prints, as fractions.

Shapes: `labels` and `predicted` are (n,) integer class indices, `probs` and `log_probs`
(n, classes) rows that sum to one in probability.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from inference.errors import AffectstreamError

ECE_BINS: Final = 15
SIMULATIONS: Final = 200
"""Draws behind `expected_ece`: its own error is then a fiftieth of its value."""

Labels = NDArray[np.integer] | NDArray[np.bool_]
Floats = NDArray[np.floating]


class UndefinedMetricError(AffectstreamError):
    """The data cannot carry this figure: no items, or one class where two are compared."""


def accuracy(labels: Labels, predicted: Labels) -> float:
    """Share of items named right."""
    _check(labels, predicted)
    return float(accuracy_score(labels, predicted))


def uar(labels: Labels, predicted: Labels) -> float:
    """Unweighted average recall over the classes that occur in `labels`."""
    _check(labels, predicted)
    present = np.unique(labels)
    return float(recall_score(labels, predicted, labels=present, average="macro", zero_division=0))


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Mean F1 over classes, each counting the same; (n, classes) booleans for multi-label.

    A class that is only predicted counts, with 0.
    """
    _check(labels, predicted)
    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def occurring_f1(labels: Labels, predicted: Labels) -> float:
    """Mean F1 over the classes that occur in `labels`, each counting the same.

    Items of them that are given to any other class cost recall, as in `uar`.
    """
    _check(labels, predicted)
    present = np.unique(labels)
    return float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0))


def weighted_f1(labels: Labels, predicted: Labels) -> float:
    """Mean F1 over classes, each counting as often as it occurs in `labels`."""
    _check(labels, predicted)
    return float(f1_score(labels, predicted, average="weighted", zero_division=0))


def roc_auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Chance that a positive item scores above a negative one; ties count half.

    Raises UndefinedMetricError where only one side is present.
    """
    _check(positive, score)
    positives = int(np.count_nonzero(positive))
    if positives in (0, len(positive)):
        raise UndefinedMetricError(
            f"AUC compares two sides, but {positives} of {len(positive)} items are positive"
        )
    return float(roc_auc_score(positive, score))


def nll(labels: Labels, log_probs: Floats) -> float:
    """Mean negative log-probability of the true label, nats."""
    _check(labels, log_probs)
    return float(-log_probs[np.arange(len(labels)), labels].mean())


def brier(labels: Labels, probs: Floats) -> float:
    """Mean squared distance of the row to the one-hot truth, summed over classes (0 to 2)."""
    _check(labels, probs)
    truth = np.eye(probs.shape[1])[labels]
    return float(np.square(probs - truth).sum(axis=1).mean())


def ece(labels: Labels, probs: Floats) -> float:
    """Expected calibration error of the top label, 15 equal-width bins.

    Source: Guo et al. 2017, eq. 3.
    """
    _check(labels, probs)
    right = probs.argmax(axis=1) == labels
    return float(_binned_gap(probs.max(axis=1), right[None, :])[0])


def expected_ece(probs: Floats, *, seed: int = 0) -> float:
    """What `ece` would show, on average, if these very predictions were perfectly calibrated.

    ECE of a finite sample is never zero: print this beside it. Labels are drawn from the
    predictions themselves, `SIMULATIONS` times.
    """
    if len(probs) == 0:
        raise UndefinedMetricError("no items to simulate")
    confidence = probs.max(axis=1)
    draws = np.random.default_rng(seed).random((SIMULATIONS, len(probs)))
    return float(_binned_gap(confidence, draws < confidence).mean())


def risk_coverage_area(labels: Labels, probs: Floats) -> float:
    """Area under the risk-coverage curve: mean error over answering the k surest, k = 1..n."""
    return float(risk_coverage(labels, probs).mean())


def risk_coverage(labels: Labels, probs: Floats) -> Floats:
    """(n,) share of errors among the k surest items, k = 1..n.

    Items of equal confidence share their mean error, so their order changes nothing.
    """
    _check(labels, probs)
    wrong = (probs.argmax(axis=1) != labels).astype(np.float64)
    _, tie, size = np.unique(-probs.max(axis=1), return_inverse=True, return_counts=True)
    mean_of_tie = np.bincount(tie, weights=wrong) / size
    errors = np.repeat(mean_of_tie, size).cumsum()
    risk: Floats = errors / np.arange(1, len(labels) + 1)
    return risk


@dataclass(frozen=True, slots=True)
class Reliability:
    """What a reliability diagram shows, one entry for each of the 15 bins that holds items.

    Attributes:
        count: (bins,) items.
        confidence: (bins,) mean probability of the top label.
        accuracy: (bins,) share of items whose top label is right.
    """

    count: NDArray[np.integer]
    confidence: Floats
    accuracy: Floats


def reliability(labels: Labels, probs: Floats) -> Reliability:
    """The bins behind `ece`."""
    _check(labels, probs)
    confidence = probs.max(axis=1)
    right = (probs.argmax(axis=1) == labels).astype(np.float64)
    bins = confidence_bins(confidence)
    count = np.bincount(bins, minlength=ECE_BINS)
    held = count > 0
    sums = (np.bincount(bins, weights=each, minlength=ECE_BINS) for each in (confidence, right))
    of_confidence, of_right = (total[held] / count[held] for total in sums)
    return Reliability(count[held], of_confidence, of_right)


def confidence_bins(confidence: Floats) -> NDArray[np.int64]:
    """(n,) which of the `ECE_BINS` equal bins of [0, 1] each confidence lies in."""
    return np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def _binned_gap(confidence: Floats, right: NDArray[np.bool_]) -> Floats:
    """Bin-weighted |accuracy - confidence| of each row of `right`, (draws, n) -> (draws,)."""
    in_bin = np.eye(ECE_BINS)[confidence_bins(confidence)]  # (n, bins)
    gap: Floats = np.abs((right - confidence) @ in_bin).sum(axis=1) / len(confidence)
    return gap


def _check(labels: NDArray[np.generic], others: NDArray[np.generic]) -> None:
    if len(labels) == 0 or len(labels) != len(others):
        raise UndefinedMetricError(
            f"{len(labels)} labels and {len(others)} predictions: a figure needs as many of "
            "each, and at least one"
        )
