"""What is known of windows, and which captions hold of which of them."""

import random
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.alignment.captions import MEASURES, Description, Third
from inference.labels import EMOTIONS

UNKNOWN: Final = -1
MOST_ACTIONS: Final = 2
MOST_WORDS: Final = 6
THIRDS: Final = (1 / 3, 2 / 3)

Ints = NDArray[np.int64]
Sides = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Facts:
    """Of n windows what is known, or of n captions what they say.

    Attributes:
        labels: (n,) place in `EMOTIONS`.
        thirds: (n, measures) a `Third` each.
        actions: (n, actions) parts of the face that move.
        lines: (n,) which line is said.

    `UNKNOWN` and False stand for what is not known, or not said.
    """

    labels: Ints
    thirds: Ints
    actions: Sides
    lines: Ints

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, rows: NDArray[np.integer] | Sides) -> Self:
        """Those of some rows."""
        return type(self)(
            self.labels[rows], self.thirds[rows], self.actions[rows], self.lines[rows]
        )


def no_facts(count: int, actions: int) -> Facts:
    """Of `count` windows nothing."""
    return Facts(
        np.full(count, UNKNOWN),
        np.full((count, len(MEASURES)), UNKNOWN),
        np.zeros((count, actions), dtype=np.bool_),
        np.full(count, UNKNOWN),
    )


def holds(windows: Facts, captions: Facts) -> Sides:
    """(windows, captions) whether everything that a caption says is known of a window."""
    true = np.ones((len(windows), len(captions)), dtype=np.bool_)
    for known, said in (
        (windows.labels, captions.labels),
        (windows.lines, captions.lines),
        *zip(windows.thirds.T, captions.thirds.T, strict=True),
    ):
        true &= (said == UNKNOWN)[None] | (known[:, None] == said[None])
    missing = ~windows.actions[:, None] & captions.actions[None]  # (windows, captions, actions)
    return true & ~missing.any(axis=-1)


def said_of(facts: Facts, chance: np.random.Generator) -> Facts:
    """For each window a caption's worth of what is known of it: never nothing.

    Some captions say a word or two, others all there is: each draws how much it says. Where
    chance leaves out everything, the label is said, and where that is not known, everything.
    """
    count = len(facts)
    share = chance.random(count)  # of what is known
    labels = np.where(chance.random(count) < share, facts.labels, UNKNOWN)
    lines = np.where(chance.random(count) < share, facts.lines, UNKNOWN)
    told = chance.random(facts.thirds.shape) < share[:, None]
    thirds = np.where(told, facts.thirds, UNKNOWN)
    order = np.where(facts.actions, chance.random(facts.actions.shape), 2.0)
    most = chance.integers(0, MOST_ACTIONS + 1, size=(count, 1))
    shown = facts.actions & (order.argsort(axis=1).argsort(axis=1) < most)
    silent = _silent(Facts(labels, thirds, shown, lines))
    labels = np.where(silent, facts.labels, labels)
    silent = _silent(Facts(labels, thirds, shown, lines))
    return Facts(
        labels,
        np.where(silent[:, None], facts.thirds, thirds),
        shown | (silent[:, None] & facts.actions),
        np.where(silent, facts.lines, lines),
    )


def _silent(facts: Facts) -> Sides:
    """(n,) that say nothing."""
    nothing: Sides = (
        (facts.labels == UNKNOWN)
        & (facts.lines == UNKNOWN)
        & (facts.thirds == UNKNOWN).all(axis=1)
        & ~facts.actions.any(axis=1)
    )
    return nothing


def described(
    facts: Facts,
    row: int,
    lines: tuple[str, ...],
    actions: tuple[str, ...],
    chance: random.Random | None = None,
) -> Description:
    """One row as a caption takes it.

    Args:
        facts: of captions.
        row: which of them.
        lines: that `Facts.lines` counts.
        actions: names of the columns of `Facts.actions`.
        chance: draws a few words that stand together from the line; None takes all of it.
    """
    label, line = int(facts.labels[row]), int(facts.lines[row])
    words = lines[line] if line != UNKNOWN else ""
    return Description(
        label=EMOTIONS[label] if label != UNKNOWN else None,
        thirds=tuple(
            None if third == UNKNOWN else Third(third) for third in facts.thirds[row].tolist()
        ),
        actions=tuple(actions[place] for place in np.flatnonzero(facts.actions[row])),
        words=words if chance is None else _piece(words, chance),
    )


def thirds_of(values: Floats, edges: Floats) -> Ints:
    """(n, measures) in which third each value lies, `UNKNOWN` for NaN.

    Args:
        values: (n, measures).
        edges: (2, measures) from `third_edges`.
    """
    found = (values >= edges[0]).astype(np.int64) + (values >= edges[1])
    return np.where(np.isnan(values), UNKNOWN, found)


def third_edges(values: Floats) -> Floats:
    """(2, measures) between low and middle, middle and high, of (n, measures) values."""
    edges: Floats = np.nanquantile(values, THIRDS, axis=0)
    return edges


def _piece(line: str, chance: random.Random) -> str:
    words = line.split()
    length = min(len(words), chance.randint(1, MOST_WORDS))
    start = chance.randint(0, len(words) - length)
    return " ".join(words[start : start + length])
