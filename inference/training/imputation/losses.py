"""What each network minimises, for the common training loop."""

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.imputation.cgan import NOISE, ConditionalGan, gan_loss
from inference.imputation.diffusion import STEPS, NoiseNet, diffusion_loss
from inference.imputation.translator import TranslatorNet, translation_loss
from inference.labels import EMOTIONS
from inference.training.imputation.hiding import shown_at_random

JUDGE_SEED: Final = 1
"""Of what is hidden and drawn when held-out rows are judged: the same after every epoch."""
JUDGE_DRAWS: Final = 4
NAMELESS: Final = 0.5
"""Share of rows whose label the generator is not told: in a service nobody tells it."""
UNSEEN: Final = 0.2
"""Share of rows that show a named generator nothing, as when it makes up rows of a label."""


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """Rows on the scale of a network.

    Attributes:
        rows: (n, modalities, size), zero where absent.
        there: (n, modalities) bool.
        labels: (n,) int64 columns of `EMOTIONS`.
    """

    rows: Tensor
    there: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Windows."""
        return len(self.rows)


N = TypeVar("N", bound=nn.Module)


@dataclass(slots=True)
class _Shuffled(Generic[N]):
    """Rows to learn from, in an order of each epoch, and rows to judge by."""

    net: N
    learnt: Standardised
    held_out: Standardised
    batch_size: int
    _order: tuple[Tensor, ...] = field(init=False, default=())

    def batches(self, generator: torch.Generator) -> int:
        """Shuffle."""
        order = torch.randperm(len(self.learnt), generator=generator)
        self._order = torch.split(order, self.batch_size)
        return len(self._order)


class TranslatorLosses(_Shuffled[TranslatorNet]):
    """See `translation_loss`."""

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - draws nothing
        """Of one batch."""
        taken = self._order[batch]
        return translation_loss(self.net, self.learnt.rows[taken], self.learnt.there[taken])

    def judge(self) -> float:
        """The same of held-out rows."""
        return float(translation_loss(self.net, self.held_out.rows, self.held_out.there))


class GanLosses(_Shuffled[ConditionalGan]):
    """See `gan_loss`."""

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """Of one batch."""
        taken = self._order[batch]
        rows, there = self.learnt.rows[taken], self.learnt.there[taken]
        named = torch.rand((len(taken), 1), generator=generator) >= NAMELESS
        label = functional.one_hot(self.learnt.labels[taken], len(EMOTIONS)) * named
        shown = shown_at_random(there, generator, UNSEEN)
        noise = torch.randn((len(taken), NOISE), generator=generator)
        return gan_loss(self.net, rows, there, shown, label.to(rows.dtype), noise)

    def judge(self) -> float:
        """Energy score of held-out rows that are hidden, nobody naming the label.

        Squared error alone would prefer a generator that always gives the mean. Source: Gneiting
        and Raftery 2007, eq. 21, with beta = 1 and a few draws.
        """
        generator = torch.Generator().manual_seed(JUDGE_SEED)
        rows, there = self.held_out.rows, self.held_out.there
        shown = shown_at_random(there, generator)
        label = torch.zeros((len(rows), len(EMOTIONS)))
        hidden = (there & ~shown)[..., None].to(rows.dtype)
        known = rows * shown[..., None]
        drawn = [
            self.net.generate(
                known, shown, label, torch.randn((len(rows), NOISE), generator=generator)
            )
            * hidden
            for _ in range(JUDGE_DRAWS)
        ]
        draws = torch.stack(drawn).flatten(2)  # (draws, n, modalities * size)
        error = (draws - (rows * hidden).flatten(1)).norm(dim=2).mean()
        apart = (draws[:, None] - draws[None]).norm(dim=3).sum() / (
            JUDGE_DRAWS * (JUDGE_DRAWS - 1) * len(rows)
        )
        return float(error - apart / 2)


class DiffusionLosses(_Shuffled[NoiseNet]):
    """See `diffusion_loss`."""

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """Of one batch."""
        taken = self._order[batch]
        return self._of(self.learnt.rows[taken], self.learnt.there[taken], generator)

    def judge(self) -> float:
        """The same of held-out rows, several times, the same noise after every epoch."""
        generator = torch.Generator().manual_seed(JUDGE_SEED)
        rows, there = self.held_out.rows, self.held_out.there
        return (
            sum(float(self._of(rows, there, generator)) for _ in range(JUDGE_DRAWS)) / JUDGE_DRAWS
        )

    def _of(self, rows: Tensor, there: Tensor, generator: torch.Generator) -> Tensor:
        shown = shown_at_random(there, generator)
        step = torch.randint(STEPS, (len(rows),), generator=generator)
        noise = torch.randn(rows.shape, generator=generator)
        return diffusion_loss(self.net, rows, there, shown, step, noise)
