"""Train one learned fuser on items of some speakers, and judge it on those of others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.fusion.batch import FusionBatch
from inference.fusion.hybrid import HybridNetwork
from inference.fusion.network import FusionNetwork
from inference.training.fusion.material import FusionMaterial
from inference.training.fusion.objective import FusionLosses, Heads, Terms, Trainee, log_probs
from inference.training.loop import History, Plan, fit

EARNED_ERRORS: Final = 2.0
"""Standard errors by which a residual has to better the product."""
DRAWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Earned:
    """What the residual of a hybrid takes off the product's NLL on held-out items.

    Attributes:
        gain: mean over items, nats.
        error: its standard error over speakers drawn anew.
    """

    gain: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether the gate stays open."""
        return self.gain > EARNED_ERRORS * self.error


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network after its best epoch, how it went, and for a hybrid what its residual earned."""

    network: FusionNetwork
    history: History
    earned: Earned | None = None


def train_fuser(
    build: Callable[[], FusionNetwork],
    learned: FusionMaterial,
    held_out: FusionMaterial,
    plan: Plan,
    *,
    terms: Terms | None = None,
    on_epoch: Callable[[], None] = lambda: None,
) -> Trained:
    """Train what `build` makes, from `plan.seed`; the same numbers every time.

    A hybrid's gate is closed again unless its residual betters the product by more than two
    standard errors on the held-out speakers.

    Args:
        build: makes the network, which reads the modalities of the material.
        learned: items to learn from.
        held_out: items of other speakers.
        plan: epochs, rate, seed, checkpoint.
        terms: of the loss.
        on_epoch: called after each.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build()
        width = network(learned.batch.rows(torch.arange(1))).z.shape[-1]
        trainee = Trainee(network, Heads(network.labels, len(network.readings), width))
    history = fit(trainee, FusionLosses(trainee, learned, held_out, terms), plan, on_epoch)
    earned = None
    if isinstance(network, HybridNetwork):
        earned = _earned(network, held_out)
        if not earned.kept:
            close(network)
    return Trained(network, history, earned)


def close(network: HybridNetwork) -> None:
    """Shut the gates of a residual: the product remains."""
    with torch.no_grad():
        network.gate.zero_()
        network.distress_gate.zero_()


@torch.no_grad()
def read(network: FusionNetwork, batch: FusionBatch) -> NDArray[np.float64]:
    """(n, c) log-probabilities under the prior of `batch`."""
    found: NDArray[np.float64] = log_probs(network.eval()(batch), batch).double().numpy()
    return found


def _earned(network: HybridNetwork, held_out: FusionMaterial) -> Earned:
    batch = held_out.batch
    core = (batch.log_prior + batch.masked().core()[0]).log_softmax(dim=-1).double()
    gained = (held_out.targets.double() * (torch.from_numpy(read(network, batch)) - core)).sum(1)
    _, who = np.unique(held_out.speakers, return_inverse=True)
    units = int(who.max()) + 1
    sums = np.bincount(who, weights=gained.numpy())
    sizes = np.bincount(who)
    counts = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=DRAWS)
    spread = (counts @ sums) / (counts @ sizes)
    return Earned(float(gained.mean()), float(spread.std(ddof=1)))
