"""`attention`: latents that read the tokens of all modalities."""

import math
from typing import Final

import torch
from torch import Tensor, nn

from inference.fusion.adapters import WIDTH, Adapters, QualityGate
from inference.fusion.batch import FusionBatch
from inference.fusion.encoded_network import EncodedNetwork
from inference.fusion.encoders import DROPOUT, Encoded
from inference.fusion.reading import Reading, in_order
from inference.networks.attention import LATENT_SPREAD, LatentReader

LATENTS: Final = 8
LAYERS: Final = 2
HEADS: Final = 4
FEED_FORWARD: Final = 512


class AttentionEncoder(nn.Module):
    """h = W mean of 8 latents after 2 x (cross-attention, feed-forward, self-attention).

    Tokens are z of each token plus an embedding of modality and place; the logit of a token of
    m has log w_m + u_m . (q_m - 1) - log n_m added, n_m being how many tokens m has. A share is
    the mass of m in the first cross-attention, mean over heads and latents: its queries are
    parameters and its keys know nothing of quality, so it is monotone in w_m.

    Source: MulT (Tsai et al. 2019) and ALMT (Zhang et al. 2023) for attention between
    modalities; Perceiver (Jaegle et al. 2021) for latents. Departures: one set of latents in
    place of a transformer for each pair of modalities; key masks and quality in the logits; a
    modality of many tokens counts no more than one of few; latents of half the width, which cost
    half and are widened at the end.

    Args:
        readings: what is read of each modality.
        labels: of the support.
        width: of tokens and h; even.
    """

    def __init__(self, readings: tuple[Reading, ...], labels: int, width: int = WIDTH) -> None:
        super().__init__()
        readings = in_order(readings)
        self.adapters = Adapters(readings, labels, width)
        self.quality = QualityGate(len(readings))
        self.places = nn.ParameterList(
            torch.empty(reading.tokens, width).normal_(std=LATENT_SPREAD) for reading in readings
        )
        """By modality, (token, width): modality and place in one."""
        self.reader = LatentReader(
            width // 2,
            width,
            latents=LATENTS,
            layers=LAYERS,
            heads=HEADS,
            hidden=FEED_FORWARD,
            dropout=DROPOUT,
        )
        self.widen = nn.Linear(width // 2, width)

    def forward(self, batch: FusionBatch) -> Encoded:
        """Encode a batch that holds zeros wherever nothing is present."""
        found = self.adapters.of_tokens(batch)
        tokens = torch.cat(
            [one + place[: one.shape[1]] for one, place in zip(found, self.places, strict=True)],
            dim=1,
        )
        latents, mass = self.reader(tokens, bias=self._bias(batch))
        by_token = mass.mean(dim=(1, 2))  # (batch, token)
        counts = [one.shape[1] for one in found]
        shares = torch.stack([one.sum(-1) for one in by_token.split(counts, dim=1)], dim=1)
        return Encoded(self.widen(latents.mean(dim=1)), shares, self.adapters.of_windows(batch))

    def _bias(self, batch: FusionBatch) -> Tensor:
        """(batch, token) added to the logits of each token; minus infinity where none is."""
        granted = self.quality(batch)
        parts = []
        for place, there in enumerate(batch.token_present):
            count = there.sum(dim=1, keepdim=True).clamp(min=1)
            each = (granted[:, place, None] - count.log()).expand(-1, there.shape[1])
            parts.append(each.masked_fill(~there, -math.inf))
        return torch.cat(parts, dim=1)


class AttentionNetwork(EncodedNetwork):
    """Linear heads over the `AttentionEncoder`.

    s = log prior + gain W h. Source: as the encoder. Departure: `gain`, see `FusionBatch`.
    """

    def __init__(self, readings: tuple[Reading, ...], labels: int, width: int = WIDTH) -> None:
        super().__init__(AttentionEncoder(readings, labels, width), readings, labels, width)
