"""Which present modalities a network is shown, and which it must find."""

import torch
from torch import Tensor


def shown_at_random(there: Tensor, generator: torch.Generator, nothing: float = 0.0) -> Tensor:
    """(batch, modalities) bool: part of what is there, never all of it where there are two.

    Every row with several modalities hides one to all but one of them, each number and each
    choice as likely; a row with one shows it. With probability `nothing` a row shows none.

    Args:
        there: (batch, modalities) bool.
        generator: of chance.
        nothing: share of rows that show nothing.
    """
    count = there.sum(dim=1, keepdim=True)
    room = (count - 1).clamp_min(1)  # how many may be shown: 1 .. room
    chance = torch.rand(count.shape, generator=generator)
    shown = 1 + (chance * room).long().clamp_max(room - 1)
    order = torch.rand(there.shape, generator=generator).masked_fill(~there, 2.0)
    rank = order.argsort(dim=1).argsort(dim=1)
    blank = torch.rand(count.shape, generator=generator) < nothing
    return there & (rank < shown) & ~blank
