"""The rule of fusion on many rows at once, for corpora of predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.calibration.conformal import prediction_sets
from inference.calibration.patterns import pattern_of
from inference.evaluation import metrics
from inference.evaluation.figures import calibration_figures, naming_figures, set_figures
from inference.evaluation.report import Metrics
from inference.evidence import Evidence, Quality
from inference.fusion.product import product
from inference.fusion.product_fuser import Weighting
from inference.labels import MODALITIES, Modality

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Columns = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class CalibratedRows:
    """What calibrated groups say of the same items.

    Attributes:
        log_probs: by modality, (n, labels).
        log_prior: (labels,) shares of the data that they were calibrated on.
        features: by modality, (n, size) what the experts read, for fusers that read it too.
    """

    log_probs: Mapping[Modality, Floats]
    log_prior: Floats
    features: Mapping[Modality, Floats] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Items."""
        return len(next(iter(self.log_probs.values())))

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """In the one order."""
        return tuple(modality for modality in MODALITIES if modality in self.log_probs)

    @property
    def support(self) -> Floats:
        """(n, modality, labels) log-probabilities over the prior."""
        return np.stack([self.log_probs[one] - self.log_prior for one in self.modalities], axis=1)

    def of(self, rows: Rows) -> "CalibratedRows":
        """The items that `rows`, (n,), marks."""
        return CalibratedRows(
            {modality: log_probs[rows] for modality, log_probs in self.log_probs.items()},
            self.log_prior,
            {modality: features[rows] for modality, features in self.features.items()},
        )

    def fuse(self, present: Mapping[Modality, Rows], weigh: Weighting) -> Floats:
        """(n, labels) product of what is present; quality is unknown and counts as usual."""
        weights = np.stack(
            [present[one] * weigh(_of_unknown_quality(one)) for one in self.modalities], axis=1
        )
        return product(self.log_prior, self.support, weights)


def by_pattern(fused: Mapping[str, Floats], present: Mapping[Modality, Rows]) -> Floats:
    """(n, labels) of each row what is said of it with what is present in it.

    Args:
        fused: by pattern, (n, labels): every row is fused by itself, so these hold them all.
        present: by modality, (n,); some of each row.
    """
    names = patterns_of(present)
    chosen = np.empty_like(next(iter(fused.values())))
    for pattern in np.unique(names):
        rows = names == pattern
        chosen[rows] = fused[str(pattern)][rows]
    return chosen


def patterns_of(present: Mapping[Modality, Rows]) -> NDArray[np.str_]:
    """(n,) name of each row's availability pattern."""
    columns = list(present)
    flags = np.stack([present[one] for one in columns], axis=1)
    return np.array(
        [pattern_of([one for one, there in zip(columns, row, strict=True) if there])
         for row in flags]
    )  # fmt: skip


def row_figures(truth: Columns, log_probs: Floats, thresholds: Floats | None = None) -> Metrics:
    """Figures of calibrated rows.

    Args:
        truth: (n,) columns.
        log_probs: (n, labels).
        thresholds: (n,) conformal threshold of each row; None leaves coverage out.
    """
    probs = np.exp(log_probs)
    figures = {
        **naming_figures(truth, probs.argmax(axis=1)),
        **calibration_figures(truth, log_probs),
        "risk_coverage_area": metrics.risk_coverage_area(truth, probs),
    }
    if thresholds is None:
        return figures
    return figures | set_figures(truth, prediction_sets(probs, thresholds[:, None]))


def side_auc(
    truth: Columns, log_probs: Floats, high: NDArray[np.integer], low: NDArray[np.integer]
) -> float:
    """How well the odds of the columns `high` against `low` rank items that are either."""
    odds = np.logaddexp.reduce(log_probs[:, high], axis=1) - np.logaddexp.reduce(
        log_probs[:, low], axis=1
    )
    judged = np.isin(truth, [*high, *low])
    return metrics.roc_auc(np.isin(truth[judged], high), odds[judged])


def _of_unknown_quality(modality: Modality) -> Evidence:
    return Evidence(
        modality=modality,
        expert="rows",
        labels=(),
        log_probs=np.zeros(0),
        distress_log_odds=None,
        quality=Quality(),
    )
