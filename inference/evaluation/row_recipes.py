"""Ways of fusing calibrated rows: what is fitted on some speakers before others are judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.rows import CalibratedRows, Columns, Floats, Rows
from inference.fusion.product_fuser import Weighting
from inference.labels import Modality


class RowFuser(Protocol):
    """Fuses many rows at once."""

    def fuse(self, rows: CalibratedRows, present: Mapping[Modality, Rows]) -> Floats:
        """(n, labels) log-probabilities of rows in which `present`, (n,) each, is there."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RowFit:
    """A fuser, and which rows of those it was fitted with it has not learned from.

    Attributes:
        fuser: as fitted.
        unseen: (n,) rows that temperatures and thresholds may be fitted on.
    """

    fuser: RowFuser
    unseen: Rows


class RowRecipe(Protocol):
    """How a fuser comes about. Owned by the evaluations."""

    @property
    def name(self) -> str:
        """As reports call it."""
        ...

    def fit(self, rows: CalibratedRows, truth: Columns, speakers: NDArray[np.str_]) -> RowFit:
        """Learn from `rows`.

        Args:
            rows: n of them, of modalities that are all there.
            truth: (n,) columns.
            speakers: (n,) whose each is.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProductRecipe:
    """The product rule: nothing is learned from rows, so all of them may calibrate it."""

    weigh: Weighting

    @property
    def name(self) -> str:
        """Of the weighting."""
        return self.weigh.name

    def fit(self, rows: CalibratedRows, truth: Columns, speakers: NDArray[np.str_]) -> RowFit:  # noqa: ARG002 - nothing to learn
        """Itself."""
        return RowFit(self, np.ones(len(truth), dtype=np.bool_))

    def fuse(self, rows: CalibratedRows, present: Mapping[Modality, Rows]) -> Floats:
        """See `CalibratedRows.fuse`."""
        return rows.fuse(present, self.weigh)


def fuse_pattern(fuser: RowFuser, rows: CalibratedRows, pattern: tuple[Modality, ...]) -> Floats:
    """`fuser.fuse` with the same modalities present in every row."""
    present = {one: np.full(rows.n, one in pattern) for one in rows.modalities}
    return fuser.fuse(rows, present)
