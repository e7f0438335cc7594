"""A conditional generator trained against a critic."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from inference.imputation.contract import Bools, Floats
from inference.imputation.row_imputer import RowImputer
from inference.imputation.standard import Standard
from inference.labels import EMOTIONS, MODALITIES, Emotion, Modality

NOISE: Final = 16
"""Dimensions of the source of chance."""
ADVERSARIAL_WEIGHT: Final = 0.05
"""Of the critic in the generator's loss, beside the squared error."""


class ConditionalGan(nn.Module):
    """A generator of absent rows, and a critic that tells them from real ones.

    Both are told what is known: standardised rows, which of them are present, and a label or
    none (all zeros).
    """

    def __init__(self, modalities: Sequence[Modality], size: int, hidden: int) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.size = size
        rows = len(self.modalities) * size
        told = rows + len(self.modalities) + len(EMOTIONS)
        self.generator = nn.Sequential(
            nn.Linear(told + NOISE, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, rows),
        )
        self.critic = nn.Sequential(
            nn.Linear(told + rows, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )

    def generate(self, known: Tensor, present: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """(batch, modalities, size) of whole rows, known ones as they are.

        Args:
            known: (batch, modalities, size) standardised, zero where absent.
            present: (batch, modalities) bool.
            label: (batch, 7) one-hot, or zero where none is named.
            noise: (batch, `NOISE`) normal.
        """
        told = torch.cat([_told(known, present, label), noise], dim=1)
        drawn = self.generator(told).reshape(known.shape)
        return torch.where(present[..., None], known, drawn)

    def judge(self, rows: Tensor, known: Tensor, present: Tensor, label: Tensor) -> Tensor:
        """(batch,) log odds that `rows` (batch, modalities, size) are real."""
        told = torch.cat([_told(known, present, label), rows.flatten(1)], dim=1)
        odds: Tensor = self.critic(told).squeeze(1)
        return odds

    def judge_fixed(self, rows: Tensor, known: Tensor, present: Tensor, label: Tensor) -> Tensor:
        """As `judge`, without teaching the critic."""
        told = torch.cat([_told(known, present, label), rows.flatten(1)], dim=1)
        fixed = {name: one.detach() for name, one in self.critic.named_parameters()}
        odds: Tensor = functional_call(self.critic, fixed, (told,)).squeeze(1)
        return odds


def gan_loss(
    net: ConditionalGan,
    rows: Tensor,
    there: Tensor,
    shown: Tensor,
    label: Tensor,
    noise: Tensor,
) -> Tensor:
    """Squared error of what was hidden, .05 of the critic's say, and the critic's own loss.

    Source: Isola et al. 2017, eq. 1-4 (an adversarial term beside a reconstruction; Mirza and
    Osindero 2014 for the condition). Departure: squared error instead of absolute; both
    players step at once, which one optimiser does: the critic is fixed in the generator's
    term and the generated rows in the critic's.

    Args:
        net: both players.
        rows: (batch, modalities, size) standardised, zero where `there` says so.
        there: (batch, modalities) bool, what the data have.
        shown: (batch, modalities) bool, what of it the generator is shown.
        label: (batch, 7) one-hot, or zero.
        noise: (batch, `NOISE`).
    """
    known = rows * shown[..., None]
    drawn = net.generate(known, shown, label, noise) * there[..., None]
    hidden = (there & ~shown)[..., None].to(rows.dtype)
    error = ((drawn - rows).square() * hidden).sum() / (hidden.sum() * net.size).clamp_min(1.0)
    fooled = functional.softplus(-net.judge_fixed(drawn, known, shown, label)).mean()
    real = functional.softplus(-net.judge(rows, known, shown, label)).mean()
    false = functional.softplus(net.judge(drawn.detach(), known, shown, label)).mean()
    return error + ADVERSARIAL_WEIGHT * fooled + (real + false) / 2


@dataclass(frozen=True, slots=True, eq=False)
class GanImputer(RowImputer):
    """The generator as an imputer, and as a source of rows of a rare label."""

    net: ConditionalGan
    standard: Standard

    @property
    def expects(self) -> AbstractSet[Modality]:
        """Modalities that it generates."""
        return frozenset(self.net.modalities)

    @property
    def dimensions(self) -> int:
        """Of the space whose rows it fills."""
        return self.net.size

    def of_label(self, label: Emotion, n: int, seed: int) -> Floats:
        """(n, 3, size) float32 rows of a label, from nothing; modalities not learnt are zero.

        For training only: see `inference.training.imputation.augmentation`.
        """
        places = self._places
        random = np.random.default_rng([seed, EMOTIONS.index(label)])
        named = torch.zeros((n, len(EMOTIONS)))
        named[:, EMOTIONS.index(label)] = 1.0
        rows = torch.zeros((n, len(places), self.net.size))
        nothing = torch.zeros((n, len(places)), dtype=torch.bool)
        made = np.zeros((n, len(MODALITIES), self.net.size), dtype=np.float32)
        made[:, places] = self._generate(rows, nothing, named, random)
        return made

    @property
    def _places(self) -> list[int]:
        return [MODALITIES.index(modality) for modality in self.net.modalities]

    def draw_row(self, row: Floats, present: Bools, n: int, random: np.random.Generator) -> Floats:
        """See `RowImputer`."""
        places = self._places
        there = torch.from_numpy(present[places]).expand(n, -1)
        rows = torch.from_numpy(row[places]).expand(n, -1, -1)
        known = self.standard.standardised(rows, there)
        filled = np.zeros((n, *row.shape), dtype=np.float32)
        filled[:, places] = self._generate(known, there, torch.zeros((n, len(EMOTIONS))), random)
        return filled

    def _generate(
        self, known: Tensor, present: Tensor, label: Tensor, random: np.random.Generator
    ) -> Floats:
        noise = torch.from_numpy(random.standard_normal((len(known), NOISE), dtype=np.float32))
        with torch.inference_mode():
            drawn = self.standard.restored(self.net.generate(known, present, label, noise))
        generated: Floats = drawn.numpy()
        return generated


def _told(known: Tensor, present: Tensor, label: Tensor) -> Tensor:
    return torch.cat([known.flatten(1), present.to(known.dtype), label], dim=1)
