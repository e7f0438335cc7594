"""Networks of context with random weights, for tests."""

import torch

from inference.context.party_network import PartyNetwork, PartySizes

SIZES = PartySizes(party=8, conversation=8)


def network(alpha: float, sizes: PartySizes = SIZES, seed: int = 0) -> PartyNetwork:
    """Gates open as far as `alpha` says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = PartyNetwork(sizes)
    with torch.no_grad():
        made.alpha.fill_(alpha)
    return made
