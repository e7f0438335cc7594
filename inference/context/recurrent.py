"""Context by a trained network, from window to window, and over a whole conversation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from inference.context.carried import Carried, decode, encode
from inference.context.observation import Assumed, Observation, by_label, probability, rounded
from inference.context.party_network import PartyNetwork, inputs_of
from inference.labels import EMOTIONS
from inference.score import ContextReport, WindowScore

NAME: Final = "recurrent-1"
STATE_TYPE: Final = np.dtype("<f4")


class PartyState(Carried, frozen=True, kw_only=True, array_like=True, tag="party"):
    """The hidden state of one participant."""

    hidden: bytes
    """(size,) float32, little-endian."""


class ConversationState(Carried, frozen=True, kw_only=True, array_like=True, tag="conversation"):
    """The hidden state of a conversation."""

    hidden: bytes
    """(size,) float32, little-endian."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one window gives, and what the next ones build on."""

    report: ContextReport | None
    party: bytes
    conversation: bytes


@dataclass(frozen=True, slots=True, eq=False)
class RecurrentContext:
    """A gated residual on the raw estimate, read from the participant's earlier windows.

    A worker stores progress a participant, so there the state of the party travels alone and
    that of the conversation is zero, which training has seen as often as not. Whoever holds all
    windows of a conversation uses `follow`. See docs/decisions/0012-context.md.

    Attributes:
        network: in evaluation mode.
        assumed: of the deployment whose scores are read.
        version: as published in every score.
    """

    network: PartyNetwork
    assumed: Assumed
    version: str

    @classmethod
    def untrained(cls, assumed: Assumed, network: PartyNetwork) -> Self:
        """A network that was not stored: for trying and for tests."""
        return cls(network.eval(), assumed, f"{NAME}+untrained")

    def advance(self, state: bytes, score: WindowScore) -> tuple[ContextReport | None, bytes]:
        """See `inference.methods.Context`. No report of a window in which nothing is present."""
        step = self._step(state, b"", score)
        return step.report, step.party

    def advance_conversation(self, party: bytes, conversation: bytes, score: WindowScore) -> Step:
        """Go on by one window, those of a conversation in order of (end, participant).

        Args:
            party: what the participant's last window gave, `b""` at the beginning.
            conversation: what the conversation's last window gave, `b""` at the beginning.
            score: of the window, as it is stored.
        """
        step = self._step(party, conversation, score)
        seen = Observation.of(score, self.assumed)
        size = self.network.sizes.conversation
        before = decode(conversation, ConversationState, self.version)
        inputs = inputs_of(seen, None if before is None else before.until_ns)
        with torch.inference_mode():
            after = self.network.conversation(
                torch.tensor([inputs]), _hidden(None if before is None else before.hidden, size)
            )
        record = ConversationState(
            made_by=self.version, until_ns=seen.end_ns, hidden=_stored(after)
        )
        return Step(step.report, step.party, encode(record))

    def _step(self, party: bytes, conversation: bytes, score: WindowScore) -> Step:
        seen = Observation.of(score, self.assumed)
        sizes = self.network.sizes
        before = decode(party, PartyState, self.version)
        together = decode(conversation, ConversationState, self.version)
        inputs = inputs_of(seen, None if before is None else before.until_ns)
        with torch.inference_mode():
            residual, after = self.network(
                torch.tensor([inputs]),
                _hidden(None if before is None else before.hidden, sizes.party),
                _hidden(None if together is None else together.hidden, sizes.conversation),
            )
        record = PartyState(made_by=self.version, until_ns=seen.end_ns, hidden=_stored(after))
        report = self._report(seen, residual[0].double().numpy())
        return Step(report, encode(record), conversation)

    def _report(self, seen: Observation, residual: NDArray[np.float64]) -> ContextReport | None:
        if seen.support is None:
            return None
        logits = self.assumed.log_shares + seen.support + residual[: len(EMOTIONS)]
        probs = np.exp(logits - logits.max())
        distress = None
        if seen.distress_support is not None:
            odds = self.assumed.distress_log_odds + seen.distress_support + residual[-1]
            distress = rounded(probability(odds))
        return ContextReport(emotions=by_label(probs / probs.sum()), distress=distress)


def follow(context: RecurrentContext, scores: Sequence[WindowScore]) -> Iterator[Step]:
    """A whole conversation at once: training, evaluation, replay of what is stored.

    Args:
        context: with its network.
        scores: of one conversation, in order of (end_ns, participant).
    """
    parties: dict[str, bytes] = {}
    conversation = b""
    for score in scores:
        step = context.advance_conversation(
            parties.get(score.participant, b""), conversation, score
        )
        parties[score.participant], conversation = step.party, step.conversation
        yield step


def _hidden(data: bytes | None, size: int) -> torch.Tensor:
    """(1, size) of a stored state; zeros where there is none, or one of another size."""
    if data is None or len(data) != size * STATE_TYPE.itemsize:
        return torch.zeros(1, size)
    return torch.from_numpy(np.frombuffer(data, STATE_TYPE).astype(np.float32)[None])


def _stored(hidden: torch.Tensor) -> bytes:
    return hidden[0].numpy().astype(STATE_TYPE).tobytes()
