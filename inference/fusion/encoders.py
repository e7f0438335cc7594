"""What an encoder of fusion makes of a batch; the networks put heads on it."""

from dataclasses import dataclass
from typing import Final, Literal

from torch import Tensor, nn

from inference.fusion.batch import FusionBatch

EncoderName = Literal["feature", "attention"]
DROPOUT: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A batch in numbers of one width.

    Attributes:
        hidden: (batch, width) of the whole window.
        shares: (batch, modality) summing to 1, 0 where nothing is present.
        z: (batch, modality, width) of each modality by itself.
    """

    hidden: Tensor
    shares: Tensor
    z: Tensor


class Heads(nn.Module):
    """Labels and distress, each one linear layer over what was encoded, times the batch's gain.

    Args:
        width: of what was encoded.
        labels: how many.
    """

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.of_labels = nn.Linear(width, labels)
        self.of_distress = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, batch: FusionBatch) -> tuple[Tensor, Tensor]:
        """(batch, label) logits and (batch,) log odds; 0 where nothing is present."""
        gain = batch.gain
        return gain * self.of_labels(hidden), (gain * self.of_distress(hidden)).squeeze(-1)
