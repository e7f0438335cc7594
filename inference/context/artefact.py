"""The weights of the recurrent context as a folder."""

from pathlib import Path
from typing import Final

import torch

from inference.context.observation import Assumed
from inference.context.party_network import PartyNetwork, PartySizes
from inference.context.recurrent import RecurrentContext
from inference.networks.folder import Config, filled, load_weights, save_weights

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "context"
ADVICE: Final = "affectstream train context"


class ContextConfig(Config, frozen=True, kw_only=True):
    """What a network of context is, and what it was made from."""

    sizes: PartySizes


def save_context(folder: Path, config: ContextConfig, network: PartyNetwork) -> str:
    """Write `folder`; returns the digest."""
    return save_weights(folder, config, network.state_dict())


def load_context(assumed: Assumed, folder: Path | None = None) -> RecurrentContext:
    """Read `folder`, by default the shipped one. Raises WeightsError."""
    where = folder or WEIGHTS
    weights = load_weights(where, ContextConfig, ADVICE)
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, then replaced
        network = PartyNetwork(weights.config.sizes)
    filled(network, weights, where)
    return RecurrentContext(network, assumed, weights.version)
