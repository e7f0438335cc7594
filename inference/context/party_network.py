"""The network of the recurrent context: one state a participant, one for the conversation."""

from typing import Final

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from inference.context.observation import Observation
from inference.labels import EMOTIONS, Role
from inference.units import SECOND_NS

SUPPORT_LIMIT: Final = 6.0
"""Natural log: surer evidence than this is no surer for the network."""
ROLES: Final = tuple(Role)
INPUTS: Final = len(EMOTIONS) + 1 + 3 + 1 + len(ROLES)
"""Support of seven labels and of distress; presence, vacuity, silence; time; role."""
OUTPUTS: Final = len(EMOTIONS) + 1
"""Seven labels, and the log odds of distress."""


class PartySizes(msgspec.Struct, frozen=True, kw_only=True):
    """How large the network is."""

    party: int = 128
    conversation: int = 128


def inputs_of(seen: Observation, until_ns: int | None) -> list[float]:
    """(INPUTS,) of one window.

    Args:
        seen: the window.
        until_ns: end of the participant's window before, None at the beginning.
    """
    support = np.zeros(len(EMOTIONS)) if seen.support is None else seen.support
    limited = np.clip(support, -SUPPORT_LIMIT, SUPPORT_LIMIT) / SUPPORT_LIMIT
    distress = np.clip(seen.distress_support or 0.0, -SUPPORT_LIMIT, SUPPORT_LIMIT)
    passed_s = 0.0 if until_ns is None else max(0, seen.end_ns - until_ns) / SECOND_NS
    return [
        *limited.tolist(),
        float(distress) / SUPPORT_LIMIT,
        float(seen.support is not None),
        seen.vacuity,
        seen.silence,
        float(np.log1p(passed_s)) / 4.0,
        *(float(seen.role is role) for role in ROLES),
    ]


class PartyNetwork(nn.Module):
    """A gated recurrent unit a party, one for all parties, and a residual that starts at zero.

    Source: Majumder et al. 2019 (DialogueRNN: party and global state), with the tanh gate of
    Alayrac et al. 2022, eq. 1, used for safety. Departures: only what lies before is read, the
    global state is what all parties' windows leave behind in the order in which they end, and
    the network corrects an estimate instead of making one.
    """

    def __init__(self, sizes: PartySizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.party = nn.GRUCell(INPUTS, sizes.party)
        self.conversation = nn.GRUCell(INPUTS, sizes.conversation)
        self.residual = nn.Linear(sizes.party + sizes.conversation, OUTPUTS)
        self.alpha = nn.Parameter(torch.zeros(2))
        """Of the emotions, and of distress."""

    def forward(self, inputs: Tensor, party: Tensor, conversation: Tensor) -> tuple[Tensor, Tensor]:
        """One window further.

        Args:
            inputs: (batch, INPUTS).
            party: (batch, party) state before the window, zeros at the beginning.
            conversation: (batch, conversation) state of the conversation before the window;
                zeros where nobody follows it as a whole.

        Returns:
            (batch, OUTPUTS) what is added to log-probabilities and log odds, and the party's
            state after the window.
        """
        after = self.party(inputs, party)
        gates = torch.tanh(self.alpha)
        gate = torch.cat([gates[:1].expand(OUTPUTS - 1), gates[1:]])
        return gate * self.residual(torch.cat([after, conversation], dim=-1)), after
