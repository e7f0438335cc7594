"""Where nine of ten draws lie, and how far out something is."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.imputation.covariance import Cloud
from inference.imputation.errors import ShapeError

LEVEL: Final = 0.9
DRAWS: Final = 64
"""Half for the shape, half for the radius. With sixteen the radius of nine in ten would be the
farthest of eight."""
LEAST_DRAWS: Final = 4


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """The region that holds nine in ten of what is expected.

    Distance: Mahalanobis 1936, with a covariance shrunk as in `covariance`. Departure: the
    radius is no quantile of chi squared, which a shrunk covariance of few draws does not
    follow, but that of draws which had no part in the shape. If the truth is one more draw
    it stays inside with probability k / (m + 1), k = ceil(.9 (m + 1)) (split conformal,
    Papadopoulos et al. 2002), whatever the shape.

    Attributes:
        cloud: shape, from one half of the draws.
        radius: of the other half.
    """

    cloud: Cloud
    radius: float

    @classmethod
    def of(cls, draws: NDArray[np.floating]) -> Self:
        """From (n, size) draws. Raises ShapeError below `LEAST_DRAWS`."""
        if len(draws) < LEAST_DRAWS:
            raise ShapeError(f"{len(draws)} draws: an ellipsoid needs at least {LEAST_DRAWS}")
        half = len(draws) // 2
        cloud = Cloud.of(draws[:half])
        ranked = np.sort(cloud.distances(draws[half:]))
        place = min(math.ceil(LEVEL * (len(ranked) + 1)), len(ranked))
        return cls(cloud, float(ranked[place - 1]))

    def surprise(self, point: NDArray[np.floating]) -> float:
        """How far (size,) is from the middle; 1 at the edge."""
        distance = float(self.cloud.distances(point[None])[0])
        return distance / self.radius if self.radius > 0 else float(distance > 0)
