"""Denoising diffusion of absent rows, given the present ones."""

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from inference.imputation.contract import Bools, Floats
from inference.imputation.row_imputer import RowImputer
from inference.imputation.standard import Standard
from inference.labels import MODALITIES, Modality

STEPS: Final = 50
LEAST_BETA: Final = 1e-3
MOST_BETA: Final = 0.2
SAMPLER_STEPS: Final = 10
TIME_SIZE: Final = 64

Denoise = Callable[[Tensor, int], Tensor]
"""The noise in (n, …) rows at a step."""


def noise_schedule(
    steps: int = STEPS, least: float = LEAST_BETA, most: float = MOST_BETA
) -> Tensor:
    """(steps,) share of the variance that is still signal after each step.

    Source: Ho, Jain and Abbeel 2020, section 2 (alpha bar of a linear beta). Departure: fifty
    steps up to a beta of .2, which is as far as their thousand go.
    """
    return torch.cumprod(1 - torch.linspace(least, most, steps, dtype=torch.float64), 0).float()


def ddim(denoise: Denoise, start: Tensor, signal: Tensor, steps: int = SAMPLER_STEPS) -> Tensor:
    """From noise to rows in few steps, without further chance (eta = 0).

    Source: Song, Meng and Ermon 2021, eq. 12.

    Args:
        denoise: gives the noise in rows at a step.
        start: (n, …) normal noise.
        signal: (all steps,) from `noise_schedule`.
        steps: evenly spread over all of them, the first and the last included.
    """
    taken = torch.linspace(len(signal) - 1, 0, steps).round().long().tolist()
    rows = start
    for place, step in enumerate(taken):
        noise = denoise(rows, step)
        clean = (rows - (1 - signal[step]).sqrt() * noise) / signal[step].sqrt()
        if place + 1 == len(taken):
            return clean
        following = signal[taken[place + 1]]
        rows = following.sqrt() * clean + (1 - following).sqrt() * noise
    return rows


class NoiseNet(nn.Module):
    """Predicts the noise in absent rows from them, the known rows, the mask and the step.

    What comes out of the layers is the velocity v, and the noise is
    sqrt(1 - a) x + sqrt(a) v with a the share of signal: Salimans and Ho 2022, section 4. A
    narrow network need not learn to copy its input, and the step from almost pure noise
    divides by nothing small. The loss remains that of the noise.
    """

    def __init__(self, modalities: Sequence[Modality], size: int, hidden: int) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.size = size
        self.signal: Tensor
        rows = len(self.modalities) * size
        self.register_buffer("signal", noise_schedule(), persistent=False)
        self.body = nn.Sequential(
            nn.Linear(2 * rows + len(self.modalities) + TIME_SIZE, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, rows),
        )

    def forward(self, noisy: Tensor, known: Tensor, present: Tensor, step: Tensor) -> Tensor:
        """(batch, modalities, size) predicted noise.

        Args:
            noisy: (batch, modalities, size); its present rows are not read.
            known: (batch, modalities, size) standardised, zero where absent.
            present: (batch, modalities) bool.
            step: (batch,) int64.
        """
        hidden = noisy * ~present[..., None]
        told = [hidden.flatten(1), known.flatten(1), present.to(known.dtype), step_waves(step)]
        velocity = self.body(torch.cat(told, dim=1)).reshape(known.shape)
        signal = self.signal[step][:, None, None]
        noise: Tensor = (1 - signal).sqrt() * hidden + signal.sqrt() * velocity
        return noise


def step_waves(step: Tensor) -> Tensor:
    """(batch, `TIME_SIZE`) sines and cosines of (batch,) steps. Vaswani et al. 2017, 3.5."""
    half = TIME_SIZE // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=step.device) / half)
    angles: Tensor = step[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def diffusion_loss(
    net: NoiseNet,
    rows: Tensor,
    there: Tensor,
    shown: Tensor,
    step: Tensor,
    noise: Tensor,
) -> Tensor:
    """E |eps - eps_theta|^2 over the coordinates that were hidden.

    Source: Ho, Jain and Abbeel 2020, eq. 14; conditioned as Tashiro et al. 2021 (CSDI), section
    4.1. Departure: a plain network, since a row has no order in time.

    Args:
        net: predicts.
        rows: (batch, modalities, size) standardised.
        there: (batch, modalities) bool, what the data have.
        shown: (batch, modalities) bool, what of it is given.
        step: (batch,) int64 in [0, steps).
        noise: as `rows`, normal.
    """
    share = net.signal[step][:, None, None]
    noisy = share.sqrt() * rows + (1 - share).sqrt() * noise
    # where the data have nothing there is only noise, as there will be when drawing
    noisy = torch.where(there[..., None], noisy, noise)
    predicted = net(noisy, rows * shown[..., None], shown, step)
    hidden = (there & ~shown)[..., None].to(rows.dtype)
    error = ((predicted - noise).square() * hidden).sum()
    mean: Tensor = error / (hidden.sum() * net.size).clamp_min(1.0)
    return mean


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionImputer(RowImputer):
    """Draws by ten deterministic steps from noise."""

    net: NoiseNet
    standard: Standard

    @property
    def expects(self) -> AbstractSet[Modality]:
        """Modalities that it draws."""
        return frozenset(self.net.modalities)

    @property
    def dimensions(self) -> int:
        """Of the space whose rows it fills."""
        return self.net.size

    def draw_row(self, row: Floats, present: Bools, n: int, random: np.random.Generator) -> Floats:
        """See `RowImputer`."""
        places = [MODALITIES.index(modality) for modality in self.net.modalities]
        there = torch.from_numpy(present[places]).expand(n, -1)
        shape = (n, len(places), self.net.size)
        start = torch.from_numpy(random.standard_normal(shape, dtype=np.float32))
        with torch.inference_mode():
            rows = torch.from_numpy(row[places]).expand(n, -1, -1)
            known = self.standard.standardised(rows, there)

            def denoise(noisy: Tensor, step: int) -> Tensor:
                predicted: Tensor = self.net(noisy, known, there, torch.full((n,), step))
                return predicted

            drawn = self.standard.restored(ddim(denoise, start, self.net.signal))
        filled = np.zeros((n, *row.shape), dtype=np.float32)
        filled[:, places] = drawn.numpy()
        return filled
