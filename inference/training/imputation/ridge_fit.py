"""Fits the default imputer: penalties and residuals from people who were left out."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.imputation.regression import Regression, Residual, columns, ridge
from inference.imputation.ridge import Key, RidgeImputer
from inference.labels import Modality
from inference.training.imputation.rows import LEAST_ROWS, SharedRows

PENALTIES: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""In units of the mean variance of the inputs."""

Doubles = NDArray[np.float64]


def fit_ridge(rows: SharedRows) -> RidgeImputer:
    """A regression for each target and each set of others that stands beside it.

    Raises:
        TooLittleToImputeError: no two modalities together, or one speaker.
    """
    rows.split()  # says what is missing
    found = {}
    for target, inputs in _keys(rows.modalities):
        there = rows.has((target, *inputs))
        if np.count_nonzero(there) >= LEAST_ROWS:
            found[target, inputs] = _regression(rows.of(there), target, inputs)
    return RidgeImputer(found, rows.size)


def _keys(modalities: tuple[Modality, ...]) -> Iterator[Key]:
    for target in modalities:
        others = [modality for modality in modalities if modality is not target]
        for count in range(len(others) + 1):
            for inputs in combinations(others, count):
                yield target, inputs


def _regression(rows: SharedRows, target: Modality, inputs: tuple[Modality, ...]) -> Regression:
    read, aim = columns(inputs, rows.parts), columns((target,), rows.parts)
    unit = float(read.var(axis=0).mean()) if inputs else 1.0
    tried = PENALTIES if inputs else PENALTIES[:1]
    errors = {penalty: _left_out(rows, read, aim, penalty * unit) for penalty in tried}
    best = min(tried, key=lambda penalty: float(np.square(errors[penalty]).sum()))
    weights, intercept = ridge(read, aim, best * unit)
    return Regression(
        inputs,
        target,
        weights.astype(np.float32),
        intercept.astype(np.float32),
        Residual.of(errors[best]),
    )


def _left_out(rows: SharedRows, read: Doubles, aim: Doubles, penalty: float) -> Doubles:
    """(n, size) errors on speakers who were not fitted to; on all of them where there is one."""
    errors = np.zeros_like(aim)
    for held_out in rows.folds():
        kept = ~held_out if not held_out.all() else held_out
        weights, intercept = ridge(read[kept], aim[kept], penalty)
        errors[held_out] = aim[held_out] - (read[held_out] @ weights + intercept)
    return errors
