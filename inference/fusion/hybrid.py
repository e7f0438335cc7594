"""`hybrid`: the product, and a residual beside it that has to earn its place."""

from typing import ClassVar, Final

import torch
from torch import nn

from inference.fusion.adapters import WIDTH
from inference.fusion.attention import AttentionEncoder
from inference.fusion.batch import FusionBatch
from inference.fusion.encoders import EncoderName, Heads
from inference.fusion.feature import FeatureEncoder
from inference.fusion.network import FusionNetwork, Said
from inference.fusion.reading import Reading

ENCODERS: Final = {"feature": FeatureEncoder, "attention": AttentionEncoder}


class HybridNetwork(FusionNetwork):
    """s = log prior + sum of w_m s_m + tanh(a) gain W h, a = 0 at the start; distress likewise.

    Source: decision and feature fusion together, Baltrusaitis et al. 2019, section 6.1; the gate
    of Flamingo (Alayrac et al. 2022), here for safety. Departure: on day one the answer is the
    product's to the bit. Shares stay those of the product.

    Args:
        readings: what is read of each modality.
        labels: how many are named.
        width: of the encoder.
        encoder: whose h the residual is made of.
    """

    adds_to_core: ClassVar[bool] = True
    distress_of_core: ClassVar[bool] = True

    def __init__(
        self,
        readings: tuple[Reading, ...],
        labels: int,
        width: int = WIDTH,
        encoder: EncoderName = "attention",
    ) -> None:
        super().__init__(readings, labels)
        self.encoder = ENCODERS[encoder](readings, labels, width)
        self.heads = Heads(width, labels)
        self.gate = nn.Parameter(torch.zeros(()))
        self.distress_gate = nn.Parameter(torch.zeros(()))

    def say(self, batch: FusionBatch) -> Said:
        """See `FusionNetwork`."""
        encoded = self.encoder(batch)
        residual, distress = self.heads(encoded.hidden, batch)
        core, core_distress = batch.core()
        return Said(
            added=self.gate.tanh() * residual,
            added_distress=self.distress_gate.tanh() * distress,
            core=core,
            core_distress=core_distress,
            shares=None,
            z=encoded.z,
            hidden=encoded.hidden,
        )
