"""Covariances from fewer rows than dimensions."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
LEAST_SPREAD: Final = 1e-6
"""Standard deviation below which a coordinate does not vary: rounding, not nature."""


def shrinkage(rows: Doubles) -> float:
    """How far to shrink the covariance of (n, size) centred rows towards a ball, in [0, 1].

    Source: Chen, Wiesel, Eldar and Hero 2010 (oracle approximating shrinkage), eq. 23, in the
    form that scikit-learn uses (2 / size left out). Both traces come from the (n, n) products.
    """
    n, size = rows.shape
    gram = rows @ rows.T / n
    mean_variance = np.trace(gram) / size
    power = float(np.square(gram).sum()) / size**2  # mean of the squared entries
    apart = (n + 1) * (power - mean_variance**2 / size)
    return 1.0 if apart <= 0 else float(min(1.0, (power + mean_variance**2) / apart))


def shrunk_covariance(rows: Doubles) -> Doubles:
    """(size, size) covariance of (n, size) rows about zero, shrunk towards its mean variance."""
    n, size = rows.shape
    covariance = rows.T @ rows / n
    share = shrinkage(rows)
    ball = np.trace(covariance) / size + LEAST_SPREAD**2
    shrunk: Doubles = (1 - share) * covariance + share * ball * np.eye(size)
    return shrunk + LEAST_SPREAD**2 * np.eye(size)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Mean and shrunk covariance of some draws, ready to measure distances from them.

    The covariance is `ball * I + rows.T @ rows`, so that n draws of 256 numbers cost the
    inverse of an (n, n) matrix only (Woodbury).

    Attributes:
        mean: (size,).
        rows: (n, size) centred and scaled.
        ball: variance of the ball that it is shrunk towards, with its share.
    """

    mean: Doubles
    rows: Doubles
    ball: float

    @classmethod
    def of(cls, draws: NDArray[np.floating]) -> Self:
        """From (n, size) draws, at least two."""
        mean = draws.astype(np.float64).mean(axis=0)
        rows = draws - mean
        n, size = rows.shape
        share = shrinkage(rows)
        spread = float(np.square(rows).sum()) / (n * size)
        return cls(mean, rows * np.sqrt((1 - share) / n), share * spread + LEAST_SPREAD**2)

    def distances(self, points: NDArray[np.floating]) -> Doubles:
        """(points,) Mahalanobis distance of each of (points, size)."""
        away = points - self.mean
        along = away @ self.rows.T  # (points, n)
        inner = self.ball * np.eye(len(self.rows)) + self.rows @ self.rows.T
        squared = np.square(away).sum(axis=1) - (along * np.linalg.solve(inner, along.T).T).sum(
            axis=1
        )
        distances: Doubles = np.sqrt(np.maximum(squared, 0.0) / self.ball)
        return distances
