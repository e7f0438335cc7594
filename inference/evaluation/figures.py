"""The figures of calibrated rows that evaluations share.

Shapes: `labels` are (n,) true names, `log_probs` (n, names) natural logs whose rows sum to one
in probability, `columns` (n,) the places of the true names among `names`. Where several names
of a row are likeliest, the first of `names` is what it calls.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.metrics import UndefinedMetricError
from inference.evaluation.report import Metrics
from inference.labels import DISTRESS, HIGH_AROUSAL, LOW_AROUSAL, NOT_DISTRESS, Emotion

BOOTSTRAPS: Final = 1_000

Names = NDArray[np.str_]
Columns = NDArray[np.integer]
Floats = NDArray[np.float64]
Sets = NDArray[np.bool_]


def figures(
    labels: Names,
    log_probs: Floats,
    names: Sequence[str],
    *,
    distress_log_odds: Floats | None = None,
    speakers: Names | None = None,
    sets: Sets | None = None,
) -> Metrics:
    """Every figure that applies to these rows; what does not apply is left out.

    UAR and F1 are over the names that occur in `labels`. An AUC needs both of its sides.

    Args:
        labels: see the module.
        log_probs: see the module.
        names: of the columns; emotions by the names of `Emotion`, others are in no AUC.
        distress_log_odds: (n,) natural log odds; without it nothing is said of distress.
        speakers: (n,) who is heard; two or more give `uar_se`.
        sets: (n, names) which names the prediction set of each row holds; without it
            there is no `coverage` and no `mean_set_size`.

    Raises:
        UndefinedMetricError: no rows, or a label that is none of `names`.
    """
    columns = columns_of(labels, names)
    found = log_probs.argmax(axis=1)
    error: Metrics = {}
    if speakers is not None and len(np.unique(speakers)) > 1:
        error = {"uar_se": uar_standard_error(columns, found, speakers)}
    probs = np.exp(log_probs)
    return {
        **naming_figures(columns, found),
        **error,
        **_ranking_figures(labels, log_probs, names, distress_log_odds),
        **calibration_figures(columns, log_probs),
        "risk_coverage_area": metrics.risk_coverage_area(columns, probs),
        **({} if sets is None else set_figures(columns, sets)),
    }


def columns_of(labels: Names, names: Sequence[str]) -> NDArray[np.intp]:
    """(n,) the place of each label among `names`. Raises UndefinedMetricError."""
    place = {str(name): column for column, name in enumerate(names)}
    strange = sorted({str(label) for label in labels} - set(place))
    if strange:
        raise UndefinedMetricError(f"labels {strange} are none of {list(place)}")
    return np.array([place[str(label)] for label in labels], dtype=np.intp)


def naming_figures(columns: Columns, found: Columns) -> Metrics:
    """How often the called name, (n,), is right."""
    return {
        "accuracy": metrics.accuracy(columns, found),
        "uar": metrics.uar(columns, found),
        "macro_f1": metrics.occurring_f1(columns, found),
        "weighted_f1": metrics.weighted_f1(columns, found),
    }


def calibration_figures(columns: Columns, log_probs: Floats) -> Metrics:
    """How far the probabilities can be believed."""
    probs = np.exp(log_probs)
    return {
        "nll": metrics.nll(columns, log_probs),
        "ece": metrics.ece(columns, probs),
        "expected_ece": metrics.expected_ece(probs),
        "brier": metrics.brier(columns, probs),
    }


def set_figures(columns: Columns, sets: Sets) -> Metrics:
    """Share of prediction sets, (n, names), that hold the true name, and their mean size."""
    return {
        "coverage": float(sets[np.arange(len(columns)), columns].mean()),
        "mean_set_size": float(sets.sum(axis=1).mean()),
    }


def arousal_auc(truth: Names, log_probs: Floats, names: Sequence[str]) -> float:
    """How well the odds of high against low arousal rank items that are either."""
    is_high, judged = two_sides(truth, HIGH_AROUSAL, LOW_AROUSAL)
    return metrics.roc_auc(is_high[judged], arousal_odds(log_probs, names)[judged])


def arousal_odds(log_probs: Floats, names: Sequence[str]) -> Floats:
    """(n,) natural log odds of high against low arousal, summed over emotions."""
    probs = np.exp(log_probs)
    high, low = (
        np.log(np.maximum(probs[:, np.isin(names, list(side))].sum(axis=1), np.finfo(float).tiny))
        for side in (HIGH_AROUSAL, LOW_AROUSAL)
    )
    odds: Floats = high - low
    return odds


def two_sides(
    labels: Names, positive: frozenset[Emotion], negative: frozenset[Emotion]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) which labels are positive, and which are on either side."""
    is_positive = np.isin(labels, list(positive))
    return is_positive, is_positive | np.isin(labels, list(negative))


def distress_sides(labels: Names) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """`two_sides` of distress; surprise is on neither."""
    return two_sides(labels, DISTRESS, NOT_DISTRESS)


def arousal_sides(labels: Names) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """`two_sides` of arousal; disgust and surprise are on neither."""
    return two_sides(labels, HIGH_AROUSAL, LOW_AROUSAL)


def uar_standard_error(columns: Columns, found: Columns, speakers: Names) -> float:
    """Standard deviation of `uar` over speakers drawn with replacement.

    A draw in which a class does not occur leaves that class out, as `uar` does.
    """
    _, who = np.unique(speakers, return_inverse=True)
    counts = np.zeros((who.max() + 1, columns.max() + 1))
    right = np.zeros_like(counts)
    np.add.at(counts, (who, columns), 1)
    np.add.at(right, (who, columns), columns == found)
    drawn = np.random.default_rng(0).integers(len(counts), size=(BOOTSTRAPS, len(counts)))
    totals, rights = counts[drawn].sum(axis=1), right[drawn].sum(axis=1)  # (draws, classes)
    occurs = totals > 0
    recall = np.where(occurs, rights / np.maximum(totals, 1), 0.0)
    return float((recall.sum(axis=1) / occurs.sum(axis=1)).std(ddof=1))


def _ranking_figures(
    labels: Names, log_probs: Floats, names: Sequence[str], distress_log_odds: Floats | None
) -> Metrics:
    scores = {"arousal_auc": (arousal_sides(labels), arousal_odds(log_probs, names))}
    if distress_log_odds is not None:
        scores = {"distress_auc": (distress_sides(labels), distress_log_odds), **scores}
    return {
        name: metrics.roc_auc(positive[judged], odds[judged])
        for name, ((positive, judged), odds) in scores.items()
        if positive.any() and (judged & ~positive).any()
    }
