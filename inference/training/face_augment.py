"""What a camera does to faces: each batch of tiles as another webcam would show it."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

TURN_RAD: Final = 0.25
ZOOM: Final = 0.12
SHIFT: Final = 0.08
"""Of the side. Together they cover how a detector's box lies about a face."""
SKEW: Final = 0.1
GAMMA: Final = 0.4
"""Natural log of the exponent; plain brightness and contrast drop out before the net."""
NOISE: Final = 8.0
"""Grey levels, of 255, at the noisiest."""
BLUR_SHARE: Final = 0.2
COVER_SHARE: Final = 0.25
COVER_SIDES: Final = (0.15, 0.45)
"""Of a hand, a microphone or a mask, over the side of the tile."""


def filmed_again(faces: Tensor, chance: torch.Generator) -> Tensor:
    """Mirror, turn, move, zoom, light, blur and disturb each face anew.

    Args:
        faces: (n, 1, side, side) grey levels up to 255.
        chance: where the randomness comes from.
    """
    moved = functional.grid_sample(
        faces,
        functional.affine_grid(
            _placements(len(faces), chance), list(faces.shape), align_corners=False
        ),
        padding_mode="border",
        align_corners=False,
    )
    exponent = torch.exp(GAMMA * _even(len(faces), chance))[:, None, None, None]
    lit = 255 * (moved / 255).clamp(0, 1) ** exponent
    blurred = functional.avg_pool2d(
        functional.pad(lit, (1, 1, 1, 1), mode="replicate"), 3, stride=1
    )
    is_blurred = torch.rand(len(faces), generator=chance) < BLUR_SHARE
    seen = torch.where(is_blurred[:, None, None, None], blurred, lit)
    loudness = NOISE * torch.rand(len(faces), generator=chance)[:, None, None, None]
    return seen + loudness * torch.randn(seen.shape, generator=chance)


def covered(faces: Tensor, chance: torch.Generator) -> Tensor:
    """Some of the faces with a grey rectangle over a part of them.

    Args:
        faces: (n, 1, side, side) with mean 0.
        chance: where the randomness comes from.
    """
    count, side = len(faces), faces.shape[-1]
    low, high = COVER_SIDES
    sizes = side * (low + (high - low) * torch.rand(2, count, 1, generator=chance))
    starts = torch.rand(2, count, 1, generator=chance) * side - sizes / 2
    places = torch.arange(side)
    inside = (places >= starts) & (places < starts + sizes)  # (2, n, side)
    is_covered = torch.rand(count, 1, 1, generator=chance) < COVER_SHARE
    hidden = inside[0][:, :, None] & inside[1][:, None, :] & is_covered
    return faces.masked_fill(hidden[:, None], 0.0)


def _placements(count: int, chance: torch.Generator) -> Tensor:
    """(n, 2, 3) where each pixel of the new tile lies in the old one."""
    angle = TURN_RAD * _even(count, chance)
    zoom = torch.exp(ZOOM * _even(count, chance))
    skew = SKEW * _even(count, chance)
    mirror = torch.sign(_even(count, chance))
    shifts = 2 * SHIFT * torch.stack([_even(count, chance), _even(count, chance)])
    cos, sin = zoom * torch.cos(angle), zoom * torch.sin(angle)
    across = torch.stack([mirror * cos, skew - sin, shifts[0]], dim=1)
    down = torch.stack([mirror * sin, cos, shifts[1]], dim=1)
    return torch.stack([across, down], dim=1)


def _even(count: int, chance: torch.Generator) -> Tensor:
    """(n,) evenly in [-1, 1)."""
    return 2 * torch.rand(count, generator=chance) - 1
