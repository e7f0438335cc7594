"""Finds in a call what weak notes speak of: a network over windows, read by its best path."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor, nn

from inference.context.best_path import best_path
from inference.context.observation import Assumed, Observation
from inference.context.party_network import INPUTS, inputs_of
from inference.networks.folder import Config, filled, load_weights, save_weights
from inference.score import WindowScore

HIDDEN: Final = 32
ADVICE: Final = "affectstream train context --notes FILE"


class EventsConfig(Config, frozen=True, kw_only=True):
    """The words of the notes, and what is assumed of the calls that were noted."""

    labels: tuple[str, ...]
    log_shares: tuple[float, ...]
    distress_log_odds: float

    @property
    def assumed(self) -> Assumed:
        """As the network read scores when it was trained."""
        return Assumed(np.array(self.log_shares), self.distress_log_odds)


class EventNetwork(nn.Module):
    """What each window says, by itself: one of the labels, or nothing.

    It remembers nothing on purpose. A network with memory learns from CTC to name an event in a
    single window and to be silent in the rest (Zeyer et al. 2021), and such an event has no
    beginning and no end; without memory, windows that are alike say alike.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(INPUTS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, labels + 1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, INPUTS) to (…, 1 + labels) natural log-probabilities, column 0 for no event."""
        logits: Tensor = self.layers(inputs)
        return logits.log_softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Event:
    """What is said of `[start_ns, end_ns)` of one participant, in the words of the notes."""

    label: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class EventReader:
    """Reads events off stored scores. Not for a worker: it looks back on what is over."""

    network: EventNetwork
    config: EventsConfig
    version: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save_events` wrote. Raises WeightsError."""
        weights = load_weights(folder, EventsConfig, ADVICE)
        with torch.random.fork_rng(devices=[]):
            network = EventNetwork(len(weights.config.labels))
        filled(network, weights, folder)
        return cls(network, weights.config, weights.version)

    def read(self, scores: Sequence[WindowScore]) -> list[Event]:
        """Events of one participant's final scores, ascending."""
        if not scores:
            return []
        with torch.inference_mode():
            log_probs = self.network(inputs_of_call(scores, self.config.assumed)).numpy()
        return [
            Event(
                label=self.config.labels[run.label - 1],
                start_ns=scores[run.first].start_ns,
                end_ns=scores[run.last].end_ns,
            )
            for run in best_path(log_probs)
        ]


def save_events(folder: Path, config: EventsConfig, network: EventNetwork) -> str:
    """Write `folder`; returns the digest."""
    return save_weights(folder, config, network.state_dict())


def inputs_of_call(scores: Sequence[WindowScore], assumed: Assumed) -> Tensor:
    """(windows, INPUTS) of one participant's scores, ascending."""
    seen = [Observation.of(score, assumed) for score in scores]
    rows = [inputs_of(one, None) for one in seen[:1]]
    rows += [inputs_of(one, before.end_ns) for before, one in pairwise(seen)]
    return torch.tensor(rows)
