"""The networks of the shared space: a tower for each modality, one for what is asked for."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.alignment.captions import MEASURES
from inference.alignment.losses import Temperature
from inference.labels import Modality
from inference.projection import SIZE

HIDDEN: Final = 128
SHARED: Final = SIZE // 2
"""The first half of a projection is what modalities have in common; the rest is their own."""
DROPOUT: Final = 0.2
STEPS: Final = 8
"""Bends for each measure: enough to tell low, middle and high apart."""


class Tower(nn.Module):
    """z = A s + tanh(g) C relu(B s) + D tanh(E m), s the standardised input, g = 0 at first.

    m are the last `measured` numbers of s, which say in one number each what people search for:
    they have a path of their own, or hundreds of others would drown them.

    Source: the two towers of Radford et al. 2021 end in one linear map each; the gate is that
    of Alayrac et al. 2022 (Flamingo). Departure: what is not linear must earn its place, since
    there are some hundred recordings only. A number that is NaN, not measured, counts as its
    mean.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int, measured: int = 0, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.measured = measured
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.straight = nn.Linear(size, SIZE, bias=False)
        self.bent = nn.Linear(size, hidden)
        self.back = nn.Linear(hidden, SIZE, bias=False)
        self.gate = nn.Parameter(torch.zeros(1))
        self.dropout = nn.Dropout(DROPOUT)
        if measured:
            self.steps = nn.Linear(measured, STEPS * measured)
            self.places = nn.Linear(STEPS * measured, SIZE, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, 256), not of length one, of (rows, size)."""
        standard = torch.nan_to_num((rows - self.mean) / self.scale, nan=0.0)
        kept = self.dropout(standard)
        bent = self.back(functional.relu(self.bent(kept)))
        projected: Tensor = self.straight(kept) + torch.tanh(self.gate) * bent
        if self.measured:
            steps = torch.tanh(self.steps(standard[:, -self.measured :]))
            projected = projected + self.places(steps)
        return projected


class Towers(nn.Module):
    """Every tower, and the temperature they share.

    Source: two towers and a learnt temperature as in Radford et al. 2021 (CLIP). Departure: a
    tower a modality in place of one for images, and captions from word vectors.
    """

    def __init__(self, sizes: Mapping[Modality, int], query_size: int) -> None:
        """Make untrained towers.

        Args:
            sizes: of what each modality's tower reads; a modality without one has no tower.
                That of speech ends in the measures of the voice.
            query_size: of what the tower of captions and queries reads.
        """
        super().__init__()
        self.modalities = nn.ModuleDict(
            {
                str(name): Tower(size, len(MEASURES) if name is Modality.SPEECH else 0)
                for name, size in sizes.items()
            }
        )
        self.query = Tower(query_size)
        self.temperature = Temperature()

    def project(self, modality: Modality, rows: Tensor) -> Tensor:
        """(rows, 256), not of length one, of (rows, size) of one modality."""
        projected: Tensor = self.modalities[str(modality)](rows)
        return projected


def unit(rows: Tensor) -> Tensor:
    """(…, 256) of length one; a row of zeros stays one."""
    return functional.normalize(rows, dim=-1)
