"""What every network of fusion answers, and what they have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from inference.fusion.batch import FusionBatch
from inference.fusion.reading import Reading, in_order


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a network says of a batch.

    Attributes:
        added: (batch, label) what it adds to the log prior, beside the core where it has one.
        added_distress: (batch,) the same to the prior log odds of distress.
        core: (batch, label) what the product says, in a network that adds to it; else 0.
        core_distress: (batch,) the same for distress.
        shares: (batch, modality) of the modalities, summing to 1; None where they are those of
            the product.
        z: (batch, modality, width) of each modality by itself, 0 where absent; width 0 of a
            network that has no adapters. The first half is shared, the other private.
        hidden: (batch, width) of the whole window; width 0 as above.
    """

    added: Tensor
    added_distress: Tensor
    core: Tensor
    core_distress: Tensor
    shares: Tensor | None
    z: Tensor
    hidden: Tensor

    @property
    def logits(self) -> Tensor:
        """(batch, label) all that is added to the log prior: what training judges."""
        return self.core + self.added

    @property
    def distress(self) -> Tensor:
        """(batch,) all that is added to the prior log odds of distress."""
        return self.core_distress + self.added_distress

    @property
    def shared(self) -> Tensor:
        """(batch, modality, width / 2) half of z that all modalities describe a window with."""
        return self.z[..., : self.z.shape[-1] // 2]

    @property
    def private(self) -> Tensor:
        """(batch, modality, width / 2) the half that is a modality's own."""
        return self.z[..., self.z.shape[-1] // 2 :]


class FusionNetwork(nn.Module, ABC):
    """A network that fuses; what it was not trained on joins by the product, outside it.

    Args:
        readings: what it reads, one a modality.
        labels: how many it names.

    Raises:
        ValueError: two readings of one modality, or none at all.
    """

    adds_to_core: ClassVar[bool] = False
    """Whether `added` goes on top of the product."""
    distress_of_core: ClassVar[bool] = False
    """Whether distress goes on top of the product's, and is unknown where the product's is."""

    def __init__(self, readings: tuple[Reading, ...], labels: int) -> None:
        super().__init__()
        self.readings = in_order(readings)
        self.labels = labels

    def forward(self, batch: FusionBatch) -> Said:
        """What the network says; nothing that is absent is read.

        A window in which nothing is present gets zeros.
        """
        return self.say(batch.masked())

    @abstractmethod
    def say(self, batch: FusionBatch) -> Said:
        """The same of a batch that holds zeros wherever nothing is present."""
