"""From what each modality has to vectors of one width, and how much its quality lets it count."""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fusion.batch import FusionBatch
from inference.fusion.reading import QUALITIES, Reading

WIDTH: Final = 256
"""Of z: one half is shared between modalities, the other private."""
FIRST_SLOPE: Final = -2.0
"""Before softplus: quality counts for little until training says otherwise."""


class Adapter(nn.Module):
    """z = GELU(W norm x + V [support; distress] + b).

    Source: the early fusion of Baltrusaitis et al. 2019, with LayerNorm (Ba et al. 2016).
    Departure: only x is normalised, as the size of a support is how sure it is.

    Args:
        reading: of the modality.
        labels: of the support.
        width: of z.
    """

    def __init__(self, reading: Reading, labels: int, width: int) -> None:
        super().__init__()
        self.of_opinion = nn.Linear(labels + 1, width)
        self.norm = nn.LayerNorm(reading.width) if reading.width else None
        self.of_vector = nn.Linear(reading.width, width, bias=False) if reading.width else None

    def forward(self, vectors: Tensor, opinion: Tensor) -> Tensor:
        """(…, width) of (…, reading width) and (…, label + 1), which may have a token axis of 1."""
        answer: Tensor = self.of_opinion(opinion)
        if self.norm is not None and self.of_vector is not None:
            answer = answer + self.of_vector(self.norm(vectors))
        return functional.gelu(answer)


class Adapters(nn.Module):
    """An adapter a modality, for whole windows and for their tokens alike."""

    def __init__(self, readings: Sequence[Reading], labels: int, width: int) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(Adapter(reading, labels, width) for reading in readings)

    def of_windows(self, batch: FusionBatch) -> Tensor:
        """z, (batch, modality, width); 0 where a modality is absent."""
        opinions = _opinions(batch)
        found = [
            adapter(vectors, opinions[:, place])
            for place, (adapter, vectors) in enumerate(
                zip(self.adapters, batch.vectors, strict=True)
            )
        ]
        return torch.stack(found, dim=1).masked_fill(~batch.present[..., None], 0.0)

    def of_tokens(self, batch: FusionBatch) -> list[Tensor]:
        """By modality, (batch, token, width)."""
        opinions = _opinions(batch)
        return [
            adapter(tokens, opinions[:, place, None])
            for place, (adapter, tokens) in enumerate(zip(self.adapters, batch.tokens, strict=True))
        ]


class QualityGate(nn.Module):
    """log w_m + u_m . (q_m - 1) with u_m = softplus(r_m) > 0: the logit that quality grants.

    Source: INFERENCE 5.2, w_g(q) with u >= 0. Departure: the late weight comes in as its
    logarithm, so a rule that may count .3 counts less here too. Worse quality never raises it.
    """

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.full((modalities, len(QUALITIES)), FIRST_SLOPE))

    def forward(self, batch: FusionBatch) -> Tensor:
        """(batch, modality); minus infinity where a modality is absent."""
        granted = (functional.softplus(self.raw) * (batch.quality - 1.0)).sum(dim=-1)
        there = batch.weight.masked_fill(~batch.present, 1.0).log() + granted
        return there.masked_fill(~batch.present, -math.inf)


def _opinions(batch: FusionBatch) -> Tensor:
    """(batch, modality, label + 1)."""
    return torch.cat([batch.support, batch.distress[..., None]], dim=-1)
