"""Draws row by row, each from its own source of chance: what all imputers have in common."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet

import numpy as np

from inference.imputation.contract import Bools, Floats
from inference.imputation.errors import ShapeError
from inference.labels import MODALITIES, Modality


class RowImputer(ABC):
    """An `Imputer` that fills one row at a time.

    A product of matrices of another height may differ in its last bits, and then a window scored
    in company would not be the window scored alone.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def expects(self) -> AbstractSet[Modality]:
        """See `Imputer.expects`."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Of the space whose rows it fills."""

    @abstractmethod
    def draw_row(self, row: Floats, present: Bools, n: int, random: np.random.Generator) -> Floats:
        """(n, 3, size) draws of one row; what stands for present modalities is not read.

        Args:
            row: (3, size), zero where absent.
            present: (3,).
            n: how many draws.
            random: their source of chance.
        """

    def sample(self, known: Floats, present: Bools, n: int, seed: int) -> Floats:
        """See `Imputer.sample`: what is absent and expected is drawn, all else stays.

        Draws are brought to length one, as every row of the shared space is: draws whose lengths
        differ, as those of a normal distribution do, reach farther out than any row ever lies.

        Raises:
            ShapeError: the arrays do not fit each other or this imputer, or `n` is below 1.
        """
        check(known, present, n, self.dimensions)
        expected = np.array([modality in self.expects for modality in MODALITIES])
        drawn = np.repeat(np.where(present[..., None], known, np.float32(0))[None], n, axis=0)
        for place, seen in enumerate(present):
            wanted = ~seen & expected
            if wanted.any():
                row = drawn[0, place].copy()
                samples = self.draw_row(row, seen, n, _chance(row, seen, seed))
                drawn[:, place, wanted] = _on_the_sphere(samples[:, wanted])
        return drawn


def check(known: Floats, present: Bools, n: int, dimensions: int) -> None:
    """Raise ShapeError unless (batch, 3, `dimensions`) and (batch, 3) belong together."""
    count = len(MODALITIES)
    if known.ndim != 3 or known.shape[1] != count or present.shape != known.shape[:2]:  # noqa: PLR2004 - batch, modality, size
        raise ShapeError(
            f"known {known.shape}, present {present.shape}: an imputer takes (batch, {count}, "
            f"size) and (batch, {count})"
        )
    if known.shape[-1] != dimensions:
        raise ShapeError(f"known {known.shape}: this imputer has {dimensions} dimensions")
    if n < 1:
        raise ShapeError(f"{n} draws: ask for at least one")


def _on_the_sphere(rows: Floats) -> Floats:
    """(…, size) at length one; a row of zeros stays one."""
    lengths = np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
    unit: Floats = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
    return unit


def _chance(row: Floats, present: Bools, seed: int) -> np.random.Generator:
    content = hashlib.blake2b(digest_size=16)
    content.update(present.tobytes())
    content.update(np.ascontiguousarray(row + np.float32(0)).tobytes())  # -0 and 0 are one value
    return np.random.default_rng([seed, int.from_bytes(content.digest())])
