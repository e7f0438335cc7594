"""A linear head as scikit-learn fits it, in the form in which experts carry it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from inference.experts.linear_head import LinearHead

MAX_ITERATIONS: Final = 2_000


def fit_linear(
    vectors: NDArray[np.float32],
    labels: NDArray[np.str_],
    names: Sequence[str],
    inverse_penalty: float,
) -> LinearHead:
    """Fit an uncalibrated head: standard scaling, logistic regression, classes balanced.

    Args:
        vectors: (rows, size).
        labels: (rows,), each one of `names`, all of which occur.
        names: order of the columns of what the head gives.
        inverse_penalty: C of the logistic regression.
    """
    scaler = StandardScaler().fit(vectors.astype(np.float64))
    model = LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=MAX_ITERATIONS)
    with threadpool_limits(1, "blas"):  # on a busy machine threads wait for each other
        model.fit(scaler.transform(vectors.astype(np.float64)), labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(names) == 2:  # noqa: PLR2004 - scikit-learn keeps one row where two labels mirror it
        coefficients = np.concatenate((-coefficients, coefficients)) / 2
        intercepts = np.concatenate((-intercepts, intercepts)) / 2
    order = [list(model.classes_).index(name) for name in names]
    return LinearHead(
        labels=tuple(names),
        mean=scaler.mean_,
        scale=scaler.scale_,
        coefficients=coefficients[order],
        intercepts=intercepts[order],
    )
