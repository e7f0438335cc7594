"""Brings rows to the scale on which networks learn."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

from inference.imputation.contract import Bools, Floats

LEAST_SPREAD: Final = 1e-6
LEAST_SHARE: Final = 1e-2
"""Of the overall spread: a coordinate that never varies has none of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Mean and spread of each modality, over the rows in which it is present.

    Attributes:
        mean: (modalities, size) float32.
        spread: (modalities, 1), or (modalities, size) with one for each coordinate; above 0.
    """

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, rows: Floats, present: Bools, *, each: bool = False) -> Self:
        """From (n, modalities, size) and (n, modalities).

        Args:
            rows: of the space.
            present: which of them are there.
            each: whether coordinates get a spread of their own: for a network that begins from
                noise which is even in all of them. Without, errors weigh as in the space.
        """
        means, spreads = [], []
        for place in range(rows.shape[1]):
            shown = rows[present[:, place], place]
            deviation = shown.std(axis=0)
            overall = max(float(np.sqrt(np.square(deviation).mean())), LEAST_SPREAD)
            means.append(shown.mean(axis=0))
            spreads.append(np.maximum(deviation, LEAST_SHARE * overall) if each else [overall])
        return cls(torch.tensor(np.array(means)), torch.tensor(np.array(spreads, dtype=np.float32)))

    def standardised(self, rows: Tensor, present: Tensor) -> Tensor:
        """(…, modalities, size), zero where `present` (…, modalities) says so."""
        return ((rows - self.mean) / self.spread) * present[..., None]

    def restored(self, rows: Tensor) -> Tensor:
        """Inverse of `standardised` where a row is present."""
        return rows * self.spread + self.mean
