"""Fits a linear head on frozen vectors: penalty and temperature from people who were left out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.calibration.temperature import apply_temperature, fit_temperature
from inference.errors import AffectstreamError
from inference.experts.linear_head import LinearHead
from inference.training.linear_fit import fit_linear

INVERSE_PENALTIES: Final = (0.0003, 0.001, 0.003, 0.01)
"""C of the logistic regression. Encoders differ in size and material in length, so the best of
these is looked for; between neighbours little changes."""
FEWEST_FOLDS: Final = 2
"""That show a label: one to learn from and one to be tested on."""

Names = NDArray[np.str_]
Vectors = NDArray[np.float32]


class NothingToLearnError(AffectstreamError):
    """Material from which nothing can be fitted."""


def fit_head(vectors: Vectors, labels: Names, folds: Names, names: Sequence[str]) -> LinearHead:
    """Fit on all rows, with the penalty and the temperature that suit unseen people best.

    Each fold is left out once. Of `INVERSE_PENALTIES` the one with the smallest negative
    log-likelihood on what was left out is taken, each at its own temperature; classes weigh
    the same throughout, so the head's prior is uniform over `names`.

    Args:
        vectors: (rows, size).
        labels: (rows,), each one of `names`.
        folds: (rows,) who is left out together.
        names: order of the columns of what the head gives.

    Raises:
        NothingToLearnError: fewer than two names, or one that fewer than two folds show.
    """
    _check(labels, folds, names)
    columns = np.array([list(names).index(label) for label in labels])
    tried = [_try(vectors, labels, folds, names, columns, penalty) for penalty in INVERSE_PENALTIES]
    _, penalty, temperature = min(tried)
    return replace(fit_linear(vectors, labels, names, penalty), temperature=temperature)


def _try(
    vectors: Vectors,
    labels: Names,
    folds: Names,
    names: Sequence[str],
    columns: NDArray[np.intp],
    penalty: float,
) -> tuple[float, float, float]:
    """Balanced negative log-likelihood on people who were left out, penalty, temperature."""
    log_probs = np.empty((len(labels), len(names)))
    for fold in np.unique(folds):
        held_out = folds == fold
        head = fit_linear(vectors[~held_out], labels[~held_out], names, penalty)
        log_probs[held_out] = head.log_probs(vectors[held_out])
    temperature = fit_temperature(log_probs, columns)
    truth = apply_temperature(log_probs, temperature)[np.arange(len(columns)), columns]
    loss = -np.mean([truth[columns == column].mean() for column in range(len(names))])
    return float(loss), penalty, temperature


def _check(labels: Names, folds: Names, names: Sequence[str]) -> None:
    if len(names) < 2:  # noqa: PLR2004 - one label is no choice
        raise NothingToLearnError(
            f"{len(labels)} rows with {', '.join(names) or 'no label'}: a head tells at least "
            "two labels apart"
        )
    for name in names:
        shown = len(set(folds[labels == name].tolist()))
        if shown < FEWEST_FOLDS:
            raise NothingToLearnError(
                f"{name}: {shown} of {len(set(folds.tolist()))} people or folds show it; each "
                "label needs two, one to learn from and one to be tested on"
            )
