"""`feature`: early fusion, one network over what all modalities hold."""

import torch
from torch import Tensor, nn

from inference.fusion.adapters import WIDTH, Adapters, QualityGate
from inference.fusion.batch import FusionBatch
from inference.fusion.encoded_network import EncodedNetwork
from inference.fusion.encoders import DROPOUT, Encoded
from inference.fusion.reading import Reading, in_order
from inference.networks.attention import masked_softmax


class FeatureEncoder(nn.Module):
    """h = MLP([g_m z_m; present_m] over all m), g = softmax over the present of v.z_m + gate(q_m).

    Source: early fusion in Baltrusaitis et al. 2019, section 6.1; gates after Arevalo et al.
    2017 (gated multimodal units). Departures: an absent modality is masked out of the softmax
    and tells so in its own input; the gate's logit never rises with worse quality, so neither
    does its share.

    Args:
        readings: what is read of each modality.
        labels: of the support.
        width: of z and of h.
    """

    def __init__(self, readings: tuple[Reading, ...], labels: int, width: int = WIDTH) -> None:
        super().__init__()
        readings = in_order(readings)
        self.adapters = Adapters(readings, labels, width)
        self.quality = QualityGate(len(readings))
        self.relevance = nn.Linear(width, 1, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(len(readings) * (width + 1), width),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(width, width),
            nn.GELU(),
        )

    def forward(self, batch: FusionBatch) -> Encoded:
        """Encode a batch that holds zeros wherever nothing is present."""
        z = self.adapters.of_windows(batch)  # (batch, modality, width)
        shares = masked_softmax(self.relevance(z).squeeze(-1), self.quality(batch))
        gated = (shares[..., None] * z).flatten(start_dim=1)
        hidden: Tensor = self.mlp(torch.cat([gated, batch.present.to(z.dtype)], dim=-1))
        return Encoded(hidden, shares, z)


class FeatureNetwork(EncodedNetwork):
    """Early fusion: linear heads over the `FeatureEncoder`.

    s = log prior + gain W h. Source: as the encoder. Departure: `gain`, see `FusionBatch`.
    """

    def __init__(self, readings: tuple[Reading, ...], labels: int, width: int = WIDTH) -> None:
        super().__init__(FeatureEncoder(readings, labels, width), readings, labels, width)
