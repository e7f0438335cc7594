"""One modality as a linear function of others, with what that leaves open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.imputation.contract import Floats
from inference.imputation.covariance import shrunk_covariance
from inference.labels import MODALITIES, Modality

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """A normal distribution about zero: what an estimate leaves open.

    Attributes:
        factor: (size, size) lower triangle; draws are `factor @ noise`.
    """

    factor: Floats

    @classmethod
    def of(cls, errors: NDArray[np.floating]) -> Self:
        """From (n, size) errors on rows that the estimate was not fitted to.

        Errors on its own rows are too small, and the ellipsoid with them.
        """
        covariance = shrunk_covariance(errors.astype(np.float64))
        return cls(np.linalg.cholesky(covariance).astype(np.float32))

    def draw(self, n: int, random: np.random.Generator) -> Floats:
        """(n, size)."""
        noise = random.standard_normal((n, len(self.factor)), dtype=np.float32)
        return noise @ self.factor.T


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """`target = intercept + inputs @ weights`, and a residual.

    Attributes:
        inputs: modalities that it reads, in the order of `MODALITIES`; maybe none.
        target: modality that it estimates.
        weights: (inputs * size, size).
        intercept: (size,).
    """

    inputs: tuple[Modality, ...]
    target: Modality
    weights: Floats
    intercept: Floats
    residual: Residual

    def estimate(self, rows: Floats) -> Floats:
        """(size,) from the rows of `inputs`, (inputs, size)."""
        estimate: Floats = self.intercept + rows.reshape(-1) @ self.weights
        return estimate


def ridge(inputs: Doubles, target: Doubles, penalty: float) -> tuple[Doubles, Doubles]:
    """Weights (inputs, target) and intercept (target,) of ridge regression, in closed form.

    Source: Hoerl and Kennard 1970: W = (X'X + n p I)^-1 X'Y on centred rows. Departure: the
    penalty p counts per row, so that its value means the same for any amount of data.

    Args:
        inputs: (n, inputs); with no columns the intercept is the mean.
        target: (n, target).
        penalty: above 0.
    """
    middle, aim = inputs.mean(axis=0), target.mean(axis=0)
    centred = inputs - middle
    gram = centred.T @ centred + len(inputs) * penalty * np.eye(inputs.shape[1])
    weights: Doubles = np.linalg.solve(gram, centred.T @ (target - aim))
    return weights, aim - middle @ weights


def columns(modalities: Sequence[Modality], rows: NDArray[np.floating]) -> Doubles:
    """(n, modalities * size) of (n, 3, size): the rows of some modalities side by side."""
    places = [MODALITIES.index(modality) for modality in modalities]
    return rows[:, places].reshape(len(rows), -1).astype(np.float64)
