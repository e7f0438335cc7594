"""A shared space without training: standardised principal components, a row of length one."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.imputation.contract import Floats
from inference.projection import SIZE

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Of one modality. Needs no pairs, so it judges imputers where no space was aligned.

    Source: Pearson 1901. Departure: fewer components than `SIZE` leave the rest zero, and rows
    have length one, as those of the aligned space.

    Attributes:
        mean: (inputs,).
        scale: (inputs,) standard deviation, 1 where a number never varies.
        axes: (inputs, components).
    """

    mean: Doubles
    scale: Doubles
    axes: Doubles

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Self:
        """From (n, inputs) of the people whom one may learn from."""
        mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        standard = ((vectors - mean) / scale).astype(np.float64)
        _, _, axes = np.linalg.svd(standard, full_matrices=False)
        return cls(mean.astype(np.float64), scale.astype(np.float64), axes[:SIZE].T)

    def rows(self, vectors: NDArray[np.floating]) -> Floats:
        """(n, 256) float32 of length one, of (n, inputs)."""
        found = ((vectors - self.mean) / self.scale) @ self.axes
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        padded = np.zeros((len(vectors), SIZE), dtype=np.float32)
        padded[:, : found.shape[1]] = found / np.where(lengths > 0, lengths, 1.0)
        return padded
