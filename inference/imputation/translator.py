"""Encoder-decoder translators between modalities, with a way back."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from inference.imputation.contract import Bools, Floats
from inference.imputation.regression import Residual
from inference.imputation.row_imputer import RowImputer
from inference.imputation.standard import Standard
from inference.labels import MODALITIES, Modality

CYCLE_WEIGHT: Final = 0.5
"""Of the way back in the loss."""


class TranslatorNet(nn.Module):
    """A net for each ordered pair of modalities: size, hidden, size."""

    def __init__(self, modalities: Sequence[Modality], size: int, hidden: int) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.pairs = nn.ModuleDict(
            {
                _name(source, target): nn.Sequential(
                    nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size)
                )
                for source in modalities
                for target in modalities
                if source is not target
            }
        )

    def translate(self, rows: Tensor, source: Modality, target: Modality) -> Tensor:
        """(…, size) of `target` from (…, size) of `source`, both standardised."""
        translated: Tensor = self.pairs[_name(source, target)](rows)
        return translated

    def estimate(self, rows: Tensor, present: Tensor) -> Tensor:
        """(batch, modalities, size): what each modality looks like, translated from the others.

        With several others their translations are averaged; with none it is zero, which is
        the mean of the standardised rows.

        Args:
            rows: (batch, modalities, size) standardised, zero where absent.
            present: (batch, modalities) bool; a modality is never translated from itself.
        """
        found = []
        for place, target in enumerate(self.modalities):
            total = torch.zeros_like(rows[:, 0])
            count = torch.zeros_like(rows[:, 0, :1])
            for other, source in enumerate(self.modalities):
                if other != place:
                    there = present[:, other, None].to(rows.dtype)
                    total = total + there * self.translate(rows[:, other], source, target)
                    count = count + there
            found.append(total / count.clamp_min(1.0))
        return torch.stack(found, dim=1)


def translation_loss(net: TranslatorNet, rows: Tensor, present: Tensor) -> Tensor:
    """|f(a) - b|^2 + .5 |g(f(a)) - a|^2, in mean over pairs that are there and dimensions.

    Source: Zhao, Li and Jin 2021 (MMIN), forward and backward imagination. Departure: plain
    translators instead of cascaded residual autoencoders, one for each ordered pair.

    Args:
        net: translates.
        rows: (batch, modalities, size) standardised.
        present: (batch, modalities) bool.
    """
    total = rows.new_zeros(())
    count = rows.new_zeros(())
    for place, source in enumerate(net.modalities):
        for other, target in enumerate(net.modalities):
            if place == other:
                continue
            both = (present[:, place] & present[:, other]).to(rows.dtype)
            there = net.translate(rows[:, place], source, target)
            back = net.translate(there, target, source)
            forth_error = (there - rows[:, other]).square().mean(dim=1)
            back_error = (back - rows[:, place]).square().mean(dim=1)
            total = total + (both * (forth_error + CYCLE_WEIGHT * back_error)).sum()
            count = count + both.sum()
    return total / count.clamp_min(1.0)


@dataclass(frozen=True, slots=True, eq=False)
class TranslatorImputer(RowImputer):
    """A translation, and the residual that it left on people who were not learnt from.

    Departure from MMIN, which gives one answer: with a residual it can be asked how sure it is.

    Attributes:
        residuals: of each modality, in standardised units, by how it was estimated: from
            others, or (False) from nothing.
    """

    net: TranslatorNet
    standard: Standard
    residuals: Mapping[tuple[Modality, bool], Residual]

    @property
    def expects(self) -> AbstractSet[Modality]:
        """Modalities that it translates between."""
        return frozenset(self.net.modalities)

    @property
    def dimensions(self) -> int:
        """Of the space whose rows it fills."""
        return self.standard.mean.shape[1]

    def draw_row(self, row: Floats, present: Bools, n: int, random: np.random.Generator) -> Floats:
        """See `RowImputer`."""
        places = [MODALITIES.index(modality) for modality in self.net.modalities]
        there = torch.from_numpy(present[places])[None]
        noise = np.stack([self._residual(m, present).draw(n, random) for m in self.net.modalities])
        with torch.inference_mode():
            rows = self.standard.standardised(torch.from_numpy(row[places])[None], there)
            estimate = self.net.estimate(rows, there)  # (1, modalities, size)
            left_open = torch.from_numpy(noise).transpose(0, 1)  # (n, modalities, size)
            drawn = self.standard.restored(estimate + left_open).numpy()
        filled = np.zeros((n, *row.shape), dtype=np.float32)
        filled[:, places] = drawn
        return filled

    def _residual(self, target: Modality, present: Bools) -> Residual:
        """Whether the target is translated from anything, or from nothing."""
        others = [
            seen
            for modality, seen in zip(MODALITIES, present, strict=True)
            if modality is not target and modality in self.expects
        ]
        return self.residuals[target, any(others)]


def _name(source: Modality, target: Modality) -> str:
    return f"{source}_to_{target}"
