"""A fuser and its calibration by pattern, fitted on some speakers and judged on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.calibration.conformal import fit_threshold
from inference.calibration.patterns import (
    PatternCalibration,
    fit_pattern_temperatures,
    pattern_of,
)
from inference.evaluation.row_recipes import RowFuser, RowRecipe, fuse_pattern
from inference.evaluation.rows import CalibratedRows, Columns, Floats
from inference.labels import Modality

Pattern = tuple[Modality, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedFit:
    """Everything that is fitted from calibrated rows.

    Attributes:
        fuser: as its recipe fitted it.
        calibration: a temperature and a threshold of each pattern, from rows that the fuser has
            not learned from.
        patterns: that are judged.
    """

    fuser: RowFuser
    calibration: PatternCalibration
    patterns: Sequence[Pattern]

    @classmethod
    def fit(
        cls,
        recipe: RowRecipe,
        rows: CalibratedRows,
        truth: Columns,
        speakers: NDArray[np.str_],
        patterns: Sequence[Pattern],
    ) -> "CalibratedFit":
        """Fit the fuser, then its temperatures, then the thresholds of its sets."""
        fit = recipe.fit(rows, truth, speakers)
        unseen, truth = rows.of(fit.unseen), truth[fit.unseen]
        fused = {pattern_of(one): fuse_pattern(fit.fuser, unseen, one) for one in patterns}
        tempered = PatternCalibration(
            temperatures=fit_pattern_temperatures({k: (v, truth) for k, v in fused.items()})
        )
        thresholds = {
            pattern: fit_threshold(np.exp(tempered.apply(pattern, log_probs)), truth)
            for pattern, log_probs in fused.items()
        }
        calibration = PatternCalibration(temperatures=tempered.temperatures, thresholds=thresholds)
        return cls(fit.fuser, calibration, patterns)

    def fused(self, rows: CalibratedRows) -> Mapping[str, Floats]:
        """By pattern, (n, labels) calibrated log-probabilities of other rows."""
        return {
            pattern_of(one): self.calibration.apply(
                pattern_of(one), fuse_pattern(self.fuser, rows, one)
            )
            for one in self.patterns
        }
