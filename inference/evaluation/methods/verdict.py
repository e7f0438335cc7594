"""Which method ships, by a rule that was fixed before anything was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inference.evaluation.methods.results import REFERENCE, Comparison, Gain

WINS: Final = 2
"""Comparisons that a method has to win …"""
WINNING_ERRORS: Final = 2.0
"""… each by more than this many standard errors …"""
LOSING_ERRORS: Final = 1.0
"""… while it loses none by this many."""
JUDGED: Final = ("accuracy", "nll")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a method may replace the reference.

    Attributes:
        wins: comparisons whose accuracy it betters beyond the noise.
        losses: comparisons and figures, `pairs nll`, in which it is worse beyond one error.
    """

    method: str
    wins: tuple[str, ...]
    losses: tuple[str, ...]

    @property
    def ships(self) -> bool:
        """As the default."""
        return len(self.wins) >= WINS and not self.losses


def verdicts(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """One for each method but the reference, in order of appearance."""
    methods = dict.fromkeys(name for each in comparisons for name in each.methods)
    return [_verdict(name, comparisons) for name in methods if name != REFERENCE]


def _verdict(method: str, comparisons: Sequence[Comparison]) -> Verdict:
    wins: list[str] = []
    losses: list[str] = []
    for comparison in comparisons:
        line = comparison.of(method, comparison.whole)
        if line is None:
            continue
        if _errors(line.gains.get("accuracy")) > WINNING_ERRORS:
            wins.append(comparison.name)
        losses += [
            f"{comparison.name} {figure}"
            for figure in JUDGED
            if _errors(line.gains.get(figure)) < -LOSING_ERRORS
        ]
    return Verdict(method, tuple(wins), tuple(losses))


def _errors(gain: Gain | None) -> float:
    return 0.0 if gain is None else gain.errors
