"""A network of fusion that is an encoder and linear heads, and nothing else."""

import torch
from torch import nn

from inference.fusion.batch import FusionBatch
from inference.fusion.encoders import Encoded, Heads
from inference.fusion.network import FusionNetwork, Said
from inference.fusion.reading import Reading


class EncodedNetwork(FusionNetwork):
    """s = log prior + gain W h, h being what the encoder makes of the window.

    Args:
        encoder: gives `Encoded` of a batch.
        readings: what is read of each modality.
        labels: how many it names.
        width: of h.
    """

    def __init__(
        self, encoder: nn.Module, readings: tuple[Reading, ...], labels: int, width: int
    ) -> None:
        super().__init__(readings, labels)
        self.encoder = encoder
        self.heads = Heads(width, labels)

    def say(self, batch: FusionBatch) -> Said:
        """See `FusionNetwork`."""
        encoded: Encoded = self.encoder(batch)
        added, distress = self.heads(encoded.hidden, batch)
        return Said(
            added=added,
            added_distress=distress,
            core=torch.zeros_like(added),
            core_distress=torch.zeros_like(distress),
            shares=encoded.shares,
            z=encoded.z,
            hidden=encoded.hidden,
        )
