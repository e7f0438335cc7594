"""Predictions of several seeds, made into the lines of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.figures import BOOTSTRAPS
from inference.evaluation.intervals import drawn
from inference.evaluation.methods.results import COVERAGES, Gain, Judged, Spread
from inference.evaluation.metrics import risk_coverage
from inference.evaluation.rows import Columns, Floats, row_figures

SHOWN: Final = ("accuracy", "uar", "nll", "ece", "risk_coverage_area")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What one method says of the same items, once a seed.

    Attributes:
        method: its name.
        part: see `Judged`.
        runs: (n, labels) log-probabilities of each seed and, where rows are dropped, each mask.
    """

    method: str
    part: str
    runs: tuple[Floats, ...]


def judged(
    said: Predictions,
    reference: Predictions,
    truth: Columns,
    speakers: NDArray[np.str_],
    *,
    curve: bool = True,
) -> Judged:
    """Figures of a method and what it gains on the reference.

    Args:
        said: of the method.
        reference: of the reference on the same part. Its runs, one or as many, are compared
            with those of the method in turn.
        truth: (n,) columns.
        speakers: (n,) who is drawn together.
        curve: whether risk over coverage is kept.
    """
    each = [row_figures(truth, run) for run in said.runs]
    gains = {
        name: paired_gain(
            _mean([values(run, truth) for run in reference.runs]),
            _mean([values(run, truth) for run in said.runs]),
            speakers,
        )
        for name, values in (("accuracy", _right), ("nll", _likelihood))
    }
    return Judged(
        method=said.method,
        part=said.part,
        figures={name: spread([one[name] for one in each]) for name in SHOWN},
        gains={} if said.method == reference.method else gains,
        risk=_risk(said.runs, truth) if curve else [],
    )


def paired_gain(
    before: Floats, after: Floats, speakers: NDArray[np.str_], draws: int = BOOTSTRAPS
) -> Gain:
    """Mean of `after` - `before`, (n,) each, and its spread over speakers drawn anew.

    Source: Efron and Tibshirani 1993, section 16.2 (paired). Departure: whole speakers are drawn.
    """
    difference = after - before
    _, who = np.unique(speakers, return_inverse=True)
    means = np.concatenate(
        [counts @ difference / counts.sum(axis=1) for counts in drawn(who, 0, draws)]
    )
    return Gain(float(difference.mean()), float(means.std(ddof=1)))


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation; 0 of a single one."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(float(np.mean(values)), sd)


def _right(log_probs: Floats, truth: Columns) -> Floats:
    right: Floats = (log_probs.argmax(axis=1) == truth).astype(np.float64)
    return right


def _likelihood(log_probs: Floats, truth: Columns) -> Floats:
    """Log-likelihood, so that more is better: a gain is what is taken off NLL."""
    found: Floats = log_probs[np.arange(len(truth)), truth]
    return found


def _mean(runs: Sequence[Floats]) -> Floats:
    mean: Floats = np.mean(runs, axis=0)
    return mean


def _risk(runs: Sequence[Floats], truth: Columns) -> list[float]:
    """At `COVERAGES`, mean over the seeds."""
    risks = np.mean([risk_coverage(truth, np.exp(run)) for run in runs], axis=0)
    places = [max(1, round(share * len(truth))) - 1 for share in COVERAGES]
    return [round(float(risks[place]), 5) for place in places]
