"""Trains the event network on weak notes: their order is known, their times are not."""

import math
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from inference.context.best_path import BLANK
from inference.context.events import EventNetwork, EventsConfig, inputs_of_call
from inference.context.observation import Assumed
from inference.networks.folder import rounded
from inference.training.call_notes import NotedCall, vocabulary
from inference.training.loop import History, Plan, fit

NAME: Final = "events"
VERSION: Final = 1
CALLS_AT_ONCE: Final = 8
HELD_OUT_EVERY: Final = 5
"""Each fifth call chooses the epoch, as soon as there are `FEWEST_TO_HOLD_OUT`."""
FEWEST_TO_HOLD_OUT: Final = 20
LEAST_PRIOR: Final = 1e-2
"""Of any column: what is never said cannot be infinitely surprising."""
NO_EVENT_LAST: Final = 3.0
"""No event is held for so many times likelier beforehand: where a label explains a window as well
as nothing does, the label is what was noted."""
EPOCHS: Final = 150
LEARNING_RATE: Final = 1e-2
PATIENCE: Final = 30


class NoteLosses:
    """Mean of `note_loss` over calls. Implements `inference.training.loop.Losses`.

    The prior is what the network says on average, estimated anew before each epoch and for each
    judgement.
    """

    def __init__(
        self,
        network: EventNetwork,
        calls: Sequence[tuple[Tensor, Tensor]],
        held_out: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        self._network = network
        self._calls = calls
        self._held_out = held_out
        self._order: list[int] = []
        self._prior = self._mean_said()

    def batches(self, generator: torch.Generator) -> int:
        """Shuffle the calls."""
        self._order = torch.randperm(len(self._calls), generator=generator).tolist()
        self._prior = self._mean_said()
        return -(-len(self._order) // CALLS_AT_ONCE)

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - draws none
        """Mean over some calls."""
        places = self._order[batch * CALLS_AT_ONCE : (batch + 1) * CALLS_AT_ONCE]
        return self._mean([self._calls[place] for place in places])

    def judge(self) -> float:
        """Mean over the calls that are not trained on."""
        self._prior = self._mean_said()
        return float(self._mean(self._held_out))

    def _mean(self, calls: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        losses = [note_loss(self._network(inputs), labels, self._prior) for inputs, labels in calls]
        return torch.stack(losses).mean()

    def _mean_said(self) -> Tensor:
        """(1 + labels,) natural log of what all windows that are trained on say on average."""
        with torch.no_grad():
            said = torch.cat([self._network(inputs) for inputs, _ in self._calls])
        log_prior = said.exp().mean(dim=0).clamp_min(LEAST_PRIOR).log()
        log_prior[BLANK] += math.log(NO_EVENT_LAST)
        return log_prior


def note_loss(log_probs: Tensor, labels: Tensor, log_prior: Tensor) -> Tensor:
    """-log of the sum over all alignments of a note with its windows, a label of the note.

    Source: Graves et al. 2006, eq. 5. Departure: what a window says is taken over a prior (Zeyer
    et al. 2021, eq. 8). Else the likeliest thing to learn is to say what is common everywhere and
    what is rare with little probability in many places.

    Args:
        log_probs: (windows, 1 + labels), normalised.
        labels: (events,) columns.
        log_prior: (1 + labels,).
    """
    likelihoods = log_probs - log_prior
    loss = functional.ctc_loss(
        likelihoods[:, None],
        labels[None],
        torch.tensor([len(log_probs)]),
        torch.tensor([len(labels)]),
        blank=BLANK,
        reduction="sum",
    )
    # torch's gradient is that of -log p plus exp(input), which a log_softmax in front cancels;
    # our input does not sum to one, so the surplus is taken out here and the value left as it is
    surplus = (likelihoods.detach().exp() * likelihoods).sum()
    return (loss - surplus + surplus.detach()) / len(labels)


def train_events(
    calls: Sequence[NotedCall],
    assumed: Assumed,
    plan: Plan,
    on_epoch: Callable[[], None] = lambda: None,
) -> tuple[EventNetwork, EventsConfig, History]:
    """Fit the network; with fewer than `FEWEST_TO_HOLD_OUT` calls all of them choose the epoch.

    Args:
        calls: at least one.
        assumed: that their scores were made under.
        plan: of the loop; its seed draws the first weights too.
        on_epoch: called after each.
    """
    labels = vocabulary(calls)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = EventNetwork(len(labels))
    rows = [
        (
            inputs_of_call(call.scores, assumed),
            torch.tensor([1 + labels.index(label) for label in call.labels]),
        )
        for call in calls
    ]
    apart = len(rows) >= FEWEST_TO_HOLD_OUT
    held_out = rows[::HELD_OUT_EVERY] if apart else rows
    kept = [row for place, row in enumerate(rows) if not apart or place % HELD_OUT_EVERY]
    history = fit(network, NoteLosses(network, kept, held_out), plan, on_epoch)
    rounded(network)
    config = EventsConfig(
        name=NAME,
        version=VERSION,
        data=f"{len(calls)} noted calls",
        licence="as the notes allow",
        labels=labels,
        log_shares=tuple(assumed.log_shares.tolist()),
        distress_log_odds=assumed.distress_log_odds,
        training={
            "seed": plan.seed,
            "calls": len(calls),
            "held_out": len(held_out) if apart else 0,
            "epochs": len(history.epochs),
            "held_out_loss": round(history.epochs[history.best].judged, 4),
            "torch": version("torch"),
            "python": platform.python_version(),
        },
    )
    return network, config, history
