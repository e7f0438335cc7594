"""A causal hidden Markov filter over the seven labels: emotions last, and windows overlap."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.context.carried import Carried, decode, encode
from inference.context.observation import (
    Assumed,
    Observation,
    by_label,
    log_odds,
    probability,
    rounded,
)
from inference.score import ContextReport, WindowScore
from inference.units import SECOND_NS

NAME: Final = "filter-1"
HALF_LIFE_NS: Final = 4 * SECOND_NS
"""After this time a label that was certain is half forgotten. The best of 2 to 40 s on built calls
of speakers on whom nothing is judged; between 2 and 6 s little changes."""
LEAST: Final = 1e-12
"""A label is never impossible, or no evidence could bring it back."""

Floats = NDArray[np.float64]
Seven = tuple[float, float, float, float, float, float, float]


class Belief(Carried, frozen=True, kw_only=True, array_like=True, tag="filter"):
    """What is held likely at `until_ns`, given all before."""

    heard_until_ns: int
    """End of the last window that said anything: what lies before it has been counted."""
    emotions: Seven
    distress: float
    """Probability."""


@dataclass(frozen=True, slots=True)
class HiddenMarkovFilter:
    """The forward pass of a hidden Markov model, a window at a time.

    Source: Rabiner 1989, eqs. 19-20, with posteriors over priors for emission likelihoods
    (Bourlard and Morgan 1994, eq. 7). Departures:

    - Transitions are in event time: over d nanoseconds a state stays with 2^(-d / half-life)
      and is drawn anew from what is assumed otherwise. Steps of a and b are one of a + b, so a
      window without evidence, or none at all, lets time pass and nothing else.
    - Evidence is tempered by the share of the window that no window before it held. Windows of
      3 s that start every second would else count each second three times.

    Distress is a chain of two states under the same rule.

    Attributes:
        assumed: of the deployment: where the belief goes when nothing is heard for long.
        half_life_ns: above 0.
    """

    assumed: Assumed
    half_life_ns: int = HALF_LIFE_NS

    @property
    def version(self) -> str:
        """Name and half-life."""
        return f"{NAME}+{self.half_life_ns / SECOND_NS:g}s"

    def advance(self, state: bytes, score: WindowScore) -> tuple[ContextReport | None, bytes]:
        """See `inference.methods.Context`. No report of a window in which nothing is present."""
        seen = Observation.of(score, self.assumed)
        before = decode(state, Belief, self.version) or self._beginning(seen)
        kept = 2.0 ** (-max(0, seen.end_ns - before.until_ns) / self.half_life_ns)
        shares, base_rate = self._assumed_probs
        belief = shares + kept * (np.array(before.emotions) - shares)
        distress = base_rate + kept * (before.distress - base_rate)
        share = new_share(seen.start_ns, seen.end_ns, before.heard_until_ns)
        if seen.support is not None:
            belief = np.maximum(belief * np.exp(share * seen.support), LEAST)
            belief = belief / belief.sum()
        if seen.distress_support is not None:
            distress = probability(log_odds(distress) + share * seen.distress_support)
        nothing = seen.support is None
        after = Belief(
            made_by=self.version,
            until_ns=max(before.until_ns, seen.end_ns),
            heard_until_ns=before.heard_until_ns
            if nothing
            else max(before.heard_until_ns, seen.end_ns),
            emotions=tuple(belief.tolist()),
            distress=distress,
        )
        report = ContextReport(
            emotions=by_label(belief),
            distress=None if seen.distress_support is None else rounded(distress),
        )
        return None if nothing else report, encode(after)

    @property
    def _assumed_probs(self) -> tuple[Floats, float]:
        """(7,) shares of the emotions, and the base rate of distress."""
        shares = np.exp(self.assumed.log_shares)
        return shares / shares.sum(), probability(self.assumed.distress_log_odds)

    def _beginning(self, seen: Observation) -> Belief:
        """What is assumed is where the chain comes from: how long ago does not matter."""
        shares, base_rate = self._assumed_probs
        return Belief(
            made_by=self.version,
            until_ns=seen.end_ns,
            heard_until_ns=seen.start_ns,
            emotions=tuple(shares.tolist()),
            distress=base_rate,
        )


def new_share(start_ns: int, end_ns: int, heard_until_ns: int) -> float:
    """Share of `[start_ns, end_ns)` that lies behind `heard_until_ns`, in [0, 1]."""
    new_ns = end_ns - max(start_ns, heard_until_ns)
    return max(0, new_ns) / (end_ns - start_ns)
