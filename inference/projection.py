"""One window in the shared space, where voices, words and faces can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.labels import MODALITIES, Modality

SIZE: Final = 256
"""Dimensions of the shared space."""
Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A row for each modality, in the order of `MODALITIES`.

    Attributes:
        parts: (3, 256) float32, rows of length one; zero where there is nothing.
        present: (3,) which rows were seen or heard. A row that is not may still hold what is
            expected there (see `inference.imputation`): such a row is no evidence.
    """

    parts: NDArray[np.float32]
    present: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Mapping[Modality, Vector]) -> Self:
        """From the (256,) rows of those that are present."""
        parts = np.zeros((len(MODALITIES), SIZE), dtype=np.float32)
        for modality, row in rows.items():
            parts[MODALITIES.index(modality)] = row
        return cls(parts, np.array([modality in rows for modality in MODALITIES]))

    @property
    def moment(self) -> Vector | None:
        """(256,) of length one: the mean of all rows that hold anything, or None without any."""
        total = self.parts.sum(axis=0)
        length = float(np.linalg.norm(total))
        return None if length == 0.0 else (total / length).astype(np.float32)

    @property
    def expected(self) -> bool:
        """Whether some row holds what nobody saw or heard."""
        return bool(np.any(self.parts[~self.present]))
