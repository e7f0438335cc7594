"""How far a figure may be off: percentile intervals of a bootstrap over speakers.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3. Departure:
whole speakers are drawn, since two sentences of one voice are no two findings; and a draw is a
row of counts, so that a thousand of them are a few products of matrices.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.figures import (
    BOOTSTRAPS,
    arousal_odds,
    arousal_sides,
    columns_of,
    distress_sides,
)
from inference.evaluation.judged import JudgedRows
from inference.evaluation.metrics import ECE_BINS, confidence_bins
from inference.evaluation.report import Interval

LEVEL: Final = 0.95
PERCENTILES: Final = (2.5, 97.5)
LEAST_UNITS: Final = 5
"""Fewer speakers are drawn into a handful of samples, whose spread means nothing."""
MOST_AT_ONCE: Final = 2_000_000
"""Counts held in memory together."""

Floats = NDArray[np.float64]
Counts = NDArray[np.float64]


def intervals(rows: JudgedRows, *, seed: int = 0, draws: int = BOOTSTRAPS) -> dict[str, Interval]:
    """The middle 95 % of each figure of `rows` when its units are drawn anew.

    Empty where there are fewer than `LEAST_UNITS`: two voices say little of others. A figure
    that most draws cannot carry, such as an AUC of one side, is left out. The bootstrap
    adds noise to ECE, so its interval may lie above the figure.

    Args:
        rows: what was judged.
        seed: equal seeds give equal intervals.
        draws: how many times the units are drawn.
    """
    units, who = np.unique(rows.units, return_inverse=True)
    if len(units) < LEAST_UNITS:
        return {}
    pieces = [resampled(rows, counts) for counts in drawn(who, seed, draws)]
    found: dict[str, Interval] = {}
    for name in pieces[0]:
        values = np.concatenate([piece[name] for piece in pieces])
        defined = values[np.isfinite(values)]
        if 2 * len(defined) > draws:
            low, high = np.percentile(defined, PERCENTILES)
            found[name] = (float(low), float(high))
    return found


def resampled(rows: JudgedRows, counts: Counts) -> dict[str, Floats]:
    """The figures of many samples of `rows` at once, (draws,) each, NaN where undefined.

    Each equals the figure of `JudgedRows.figures` on rows repeated `counts` times.

    Args:
        rows: n items.
        counts: (draws, n) whole numbers: how often each sample holds each item.
    """
    columns = columns_of(rows.labels, rows.names)
    probs = np.exp(rows.log_probs)
    truth = np.eye(len(rows.names))[columns]  # (n, names)
    found = rows.log_probs.argmax(axis=1)
    right = (found == columns).astype(np.float64)
    confidence = probs.max(axis=1)
    sizes = counts.sum(axis=1)

    def mean(values: Floats) -> Floats:
        average: Floats = counts @ values / sizes
        return average

    figures = {
        "accuracy": mean(right),
        **_by_class(counts, truth, np.eye(len(rows.names))[found], right),
        **_aucs(rows, counts),
        "nll": mean(-rows.log_probs[np.arange(len(columns)), columns]),
        "ece": _ece(counts, confidence, right),
        "brier": mean(np.square(probs - truth).sum(axis=1)),
        "risk_coverage_area": _risk_coverage_area(counts, confidence, 1.0 - right),
    }
    if rows.sets is not None:
        figures["coverage"] = mean(rows.sets[np.arange(len(columns)), columns].astype(np.float64))
        figures["mean_set_size"] = mean(rows.sets.sum(axis=1).astype(np.float64))
    return figures


def drawn(who: NDArray[np.intp], seed: int, draws: int) -> Iterator[Counts]:
    """(some draws, n) how often each item is drawn, until `draws` are spent.

    Args:
        who: (n,) number of each item's unit; all items of a unit are drawn together.
        seed: equal seeds give equal draws.
        draws: how many.
    """
    random = np.random.default_rng(seed)
    units = int(who.max()) + 1
    at_once = max(1, MOST_AT_ONCE // len(who))
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        yield random.multinomial(units, np.full(units, 1 / units), size=size)[:, who].astype(float)


def _by_class(counts: Counts, truth: Floats, called: Floats, right: Floats) -> dict[str, Floats]:
    """UAR and F1 over the classes that a sample holds; `truth` and `called` are one-hot."""
    held = counts @ truth  # (draws, names)
    hits = counts @ (truth * right[:, None])
    occurs = held > 0
    recall = np.where(occurs, hits / np.maximum(held, 1.0), 0.0)
    f1 = np.where(occurs, 2 * hits / np.maximum(held + counts @ called, 1.0), 0.0)
    classes = occurs.sum(axis=1)
    return {
        "uar": recall.sum(axis=1) / classes,
        "macro_f1": f1.sum(axis=1) / classes,
        "weighted_f1": (held * f1).sum(axis=1) / held.sum(axis=1),
    }


def _aucs(rows: JudgedRows, counts: Counts) -> dict[str, Floats]:
    scores = {"arousal_auc": (arousal_sides(rows.labels), arousal_odds(rows.log_probs, rows.names))}
    if rows.distress_log_odds is not None:
        distress = (distress_sides(rows.labels), rows.distress_log_odds)
        scores = {"distress_auc": distress, **scores}
    return {
        name: _auc(counts[:, judged], positive[judged], odds[judged])
        for name, ((positive, judged), odds) in scores.items()
    }


def _auc(counts: Counts, positive: NDArray[np.bool_], score: Floats) -> Floats:
    """Mann-Whitney over tied groups in order of score: wins, and half of the ties."""
    above = _tied_sums(counts * positive, score)
    below = _tied_sums(counts * ~positive, score)
    wins = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
    pairs = above.sum(axis=1) * below.sum(axis=1)
    return np.where(pairs > 0, wins / np.maximum(pairs, 1.0), np.nan)


def _ece(counts: Counts, confidence: Floats, right: Floats) -> Floats:
    gap = np.eye(ECE_BINS)[confidence_bins(confidence)] * (right - confidence)[:, None]  # (n, bins)
    error: Floats = np.abs(counts @ gap).sum(axis=1) / counts.sum(axis=1)
    return error


def _risk_coverage_area(counts: Counts, confidence: Floats, wrong: Floats) -> Floats:
    """Mean over k of the error of the k surest, with a tied group's errors spread evenly.

    A group that takes a sample from N to N + W items with W e errors, after E errors, adds
    sum over j = 1..W of (E + j e) / (N + j) = W e + (E - N e) (H(N + W) - H(N)), with the
    harmonic numbers H.
    """
    size = _tied_sums(counts, -confidence)  # (draws, groups), the surest group first
    errors = _tied_sums(counts * wrong, -confidence)
    rate = errors / np.maximum(size, 1.0)
    after, errors_after = size.cumsum(axis=1), errors.cumsum(axis=1)
    before, errors_before = after - size, errors_after - errors
    most = int(after[:, -1].max())
    harmonic = np.concatenate([[0.0], (1.0 / np.arange(1, most + 1)).cumsum()])
    step = harmonic[after.astype(np.int64)] - harmonic[before.astype(np.int64)]
    area: Floats = (errors + (errors_before - before * rate) * step).sum(axis=1) / after[:, -1]
    return area


def _tied_sums(counts: Counts, score: Floats) -> Counts:
    """(draws, groups) sums of `counts` over items of equal score, lowest score first."""
    if len(score) == 0:
        return np.zeros((len(counts), 1))
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    sums: Counts = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
