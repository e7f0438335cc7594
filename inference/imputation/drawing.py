"""Draws row by row, each from its own source of chance."""

import hashlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import numpy as np

from inference.imputation.contract import Bools, Floats
from inference.imputation.errors import ShapeError
from inference.labels import MODALITIES, Modality

DrawRow = Callable[[Floats, Bools, int, np.random.Generator], Floats]
"""From rows (3, size), zero where absent, and (3,) which are present: (n, 3, size)."""


def draw(
    known: Floats,
    present: Bools,
    n: int,
    seed: int,
    expects: AbstractSet[Modality],
    draw_row: DrawRow,
) -> Floats:
    """Fill what is absent and expected; everything else stays as it is, or zero.

    Draws are brought to length one, as every row of the shared space is: draws whose lengths
    differ, as those of a normal distribution do, reach farther out than any row ever lies.

    One row at a time: a product of matrices of another height may differ in its last bits,
    and then a window scored in company would not be the window scored alone.

    Args:
        known: (batch, 3, size) float32.
        present: (batch, 3).
        n: draws of each row.
        seed: of chance, together with each row's content.
        expects: modalities that `draw_row` can draw.
        draw_row: draws one row; what it gives for present modalities is not read.

    Raises:
        ShapeError: the arrays do not fit, or `n` is below 1.
    """
    check(known, present, n)
    expected = np.array([modality in expects for modality in MODALITIES])
    drawn = np.repeat(np.where(present[..., None], known, np.float32(0))[None], n, axis=0)
    for place, seen in enumerate(present):
        wanted = ~seen & expected
        if wanted.any():
            row = drawn[0, place].copy()
            samples = draw_row(row, seen, n, _chance(row, seen, seed))
            drawn[:, place, wanted] = _on_the_sphere(samples[:, wanted])
    return drawn


def check(known: Floats, present: Bools, n: int) -> None:
    """Raise ShapeError unless (batch, 3, size) and (batch, 3) belong together."""
    count = len(MODALITIES)
    if known.ndim != 3 or known.shape[1] != count or present.shape != known.shape[:2]:  # noqa: PLR2004 - batch, modality, size
        raise ShapeError(
            f"known {known.shape}, present {present.shape}: an imputer takes (batch, {count}, "
            f"size) and (batch, {count})"
        )
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
