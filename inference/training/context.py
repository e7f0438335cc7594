"""Trains the recurrent context on calls whose timelines are known."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.context.artefact import ContextConfig
from inference.context.observation import Assumed, Observation
from inference.context.party_network import PartyNetwork, PartySizes, inputs_of
from inference.errors import AffectstreamError
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion
from inference.networks.folder import rounded
from inference.score import WindowScore
from inference.training.loop import History, Plan, fit

NAME: Final = "recurrent"
VERSION: Final = 1
CALLS_AT_ONCE: Final = 4
FOLLOWED_WHOLE: Final = 0.5
"""How often training lets a call be followed as a whole; otherwise each party is on its own, as
in a worker."""
LOST: Final = 0.1
"""Share of windows whose estimate is taken away: silence and lost tracks are the normal state."""
DISTRESS_SHARE: Final = 0.5
"""Of the loss."""
EPOCHS: Final = 30
LEARNING_RATE: Final = 3e-3
UNKNOWN: Final = -100
"""Truth of a window that is not judged."""
FEWEST_CALLS: Final = 2


class TooFewCallsError(AffectstreamError):
    """Nothing to learn from, or nothing to be judged on."""


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call whose scores and truth are known.

    Attributes:
        scores: final, of all parties, in order of (end_ns, participant).
        truths: what each window mostly holds, None where that is nothing or not known.
    """

    scores: tuple[WindowScore, ...]
    truths: tuple[Emotion | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CallTensors:
    """A call as the network reads it, a row a window.

    Attributes:
        own: (windows, inputs) with the time since the participant's window before.
        shared: (windows, inputs) with the time since the conversation's window before.
        party: (windows,) number of the participant.
        base: (windows, outputs) raw log-probabilities and log odds of distress.
        truth: (windows,) column of the true label, or `UNKNOWN`.
        distressed: (windows,) 1, 0, or NaN where not judged.
    """

    own: Tensor
    shared: Tensor
    party: Tensor
    base: Tensor
    truth: Tensor
    distressed: Tensor

    @classmethod
    def of(cls, call: KnownCall, assumed: Assumed) -> "CallTensors":
        """From scores that were made under `assumed`."""
        seen = [Observation.of(score, assumed) for score in call.scores]
        names = sorted({score.participant for score in call.scores})
        party = [names.index(score.participant) for score in call.scores]
        until: dict[int, int] = {}
        own = []
        for one, who in zip(seen, party, strict=True):
            own.append(inputs_of(one, until.get(who)))
            until[who] = one.end_ns
        shared = [inputs_of(one, None) for one in seen[:1]]
        shared += [inputs_of(one, before.end_ns) for before, one in pairwise(seen)]
        return cls(
            own=torch.tensor(own),
            shared=torch.tensor(shared),
            party=torch.tensor(party),
            base=torch.from_numpy(np.array([_base(one, assumed) for one in seen], np.float32)),
            truth=torch.tensor([_column(*pair) for pair in zip(seen, call.truths, strict=True)]),
            distressed=torch.tensor([_side(*pair) for pair in zip(seen, call.truths, strict=True)]),
        )


class CallLosses:
    """Cross-entropy of labels and of distress over the windows of whole calls.

    Sources of the objective and the gate: INFERENCE.md 5.3 and 5.4 of the design. Implements
    `inference.training.loop.Losses`.
    """

    def __init__(
        self, network: PartyNetwork, train: Sequence[CallTensors], held_out: Sequence[CallTensors]
    ) -> None:
        self._network = network
        self._train = train
        self._held_out = held_out
        self._order: list[int] = []

    def batches(self, generator: torch.Generator) -> int:
        """Shuffle the calls."""
        self._order = torch.randperm(len(self._train), generator=generator).tolist()
        return -(-len(self._order) // CALLS_AT_ONCE)

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """Of some calls; half of them followed whole, with some windows lost."""
        places = self._order[batch * CALLS_AT_ONCE : (batch + 1) * CALLS_AT_ONCE]
        calls = [_with_losses(self._train[place], generator) for place in places]
        whole = torch.rand(len(calls), generator=generator) < FOLLOWED_WHOLE
        return _loss(calls, run(self._network, calls, whole))

    def judge(self) -> float:
        """Mean loss with each party on its own, as in a worker."""
        calls = list(self._held_out)
        alone = torch.zeros(len(calls), dtype=torch.bool)
        return float(_loss(calls, run(self._network, calls, alone)))


def run(network: PartyNetwork, calls: Sequence[CallTensors], whole: Tensor) -> Tensor:
    """What the network adds to every window of every call.

    Args:
        network: any.
        calls: shorter ones are filled up with windows that nobody reads.
        whole: (calls,) bool, which are followed as a whole.

    Returns:
        (calls, windows of the longest, outputs).
    """
    longest = max(len(call.party) for call in calls)
    own, shared, party = (
        torch.stack([_filled(getattr(call, name), longest) for call in calls])
        for name in ("own", "shared", "party")
    )
    rows = torch.arange(len(calls))
    states = own.new_zeros(len(calls), int(party.max()) + 1, network.sizes.party)
    together = own.new_zeros(len(calls), network.sizes.conversation)
    followed = whole[:, None].to(own.dtype)
    found = []
    for at in range(longest):
        who = party[:, at]
        residual, after = network(own[:, at], states[rows, who], together * followed)
        states = states.index_put((rows, who), after)
        together = network.conversation(shared[:, at], together)
        found.append(residual)
    return torch.stack(found, dim=1)


def train_context(
    calls: Sequence[KnownCall],
    held_out: Sequence[KnownCall],
    assumed: Assumed,
    plan: Plan,
    sizes: PartySizes | None = None,
    on_epoch: Callable[[], None] = lambda: None,
) -> tuple[PartyNetwork, History]:
    """Fit the network, starting as the raw estimate.

    Args:
        calls: to learn from.
        held_out: of other people, for the choice of the epoch.
        assumed: that the scores were made under.
        plan: of the loop; its seed draws the first weights too.
        sizes: of the states; None takes the usual ones.
        on_epoch: called after each.

    Raises:
        TooFewCallsError: fewer than two calls on either side.
        TrainingError: the loss is not a number.
    """
    if min(len(calls), len(held_out)) < FEWEST_CALLS:
        raise TooFewCallsError(
            f"{len(calls)} calls to learn from and {len(held_out)} to be judged on: at least "
            f"{FEWEST_CALLS} of each are needed; build more"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = PartyNetwork(sizes or PartySizes())
    tensors = [[CallTensors.of(call, assumed) for call in side] for side in (calls, held_out)]
    history = fit(network, CallLosses(network, *tensors), plan, on_epoch)
    rounded(network)
    return network, history


def config_of(
    network: PartyNetwork, *, data: str, seed: int, calls: int, history: History
) -> ContextConfig:
    """What is stored beside the weights."""
    best = history.epochs[history.best]
    return ContextConfig(
        name=NAME,
        version=VERSION,
        data=data,
        licence="Apache-2.0",
        sizes=network.sizes,
        training={
            "seed": seed,
            "calls": calls,
            "epochs": len(history.epochs),
            "held_out_loss": round(best.judged, 4),
            "alpha": [round(float(value), 4) for value in network.alpha.detach()],
            "torch": version("torch"),
            "python": platform.python_version(),
        },
    )


def shut(network: PartyNetwork) -> None:
    """Close the gate: the network then says what the raw estimate says."""
    with torch.no_grad():
        network.alpha.zero_()


def checkpoint_in(folder: Path) -> Path:
    """Where a training that is broken off goes on."""
    return folder / "training.checkpoint"


def _base(seen: Observation, assumed: Assumed) -> NDArray[np.float64]:
    support = np.zeros(len(EMOTIONS)) if seen.support is None else seen.support
    odds = assumed.distress_log_odds + (seen.distress_support or 0.0)
    base: NDArray[np.float64] = np.append(assumed.log_shares + support, odds)
    return base


def _column(seen: Observation, truth: Emotion | None) -> int:
    return UNKNOWN if truth is None or seen.support is None else EMOTIONS.index(truth)


def _side(seen: Observation, truth: Emotion | None) -> float:
    if truth is None or seen.distress_support is None or truth not in DISTRESS | NOT_DISTRESS:
        return float("nan")
    return float(truth in DISTRESS)


def _with_losses(call: CallTensors, generator: torch.Generator) -> CallTensors:
    """Some windows without an estimate, as in silence; they are not judged."""
    lost = torch.rand(len(call.party), generator=generator) < LOST
    said = torch.zeros(call.own.shape[1], dtype=torch.bool)
    said[: len(EMOTIONS) + 2] = True  # support of labels and distress, presence
    gone = lost[:, None] & said
    return CallTensors(
        own=call.own.masked_fill(gone, 0.0),
        shared=call.shared.masked_fill(gone, 0.0),
        party=call.party,
        base=call.base,
        truth=call.truth.masked_fill(lost, UNKNOWN),
        distressed=call.distressed.masked_fill(lost, float("nan")),
    )


def _loss(calls: Sequence[CallTensors], residuals: Tensor) -> Tensor:
    longest = residuals.shape[1]
    base = torch.stack([_filled(call.base, longest) for call in calls])
    truth = torch.stack([_filled(call.truth, longest, UNKNOWN) for call in calls])
    sides = torch.stack([_filled(call.distressed, longest, float("nan")) for call in calls])
    outputs = base + residuals
    labels = functional.cross_entropy(
        outputs[..., :-1].flatten(0, 1), truth.flatten(), ignore_index=UNKNOWN
    )
    judged = ~sides.isnan()
    distress = functional.binary_cross_entropy_with_logits(outputs[..., -1][judged], sides[judged])
    return (1 - DISTRESS_SHARE) * labels + DISTRESS_SHARE * distress


def _filled(values: Tensor, length: int, value: float = 0.0) -> Tensor:
    missing = length - len(values)
    return torch.cat([values, values.new_full((missing, *values.shape[1:]), value)])
