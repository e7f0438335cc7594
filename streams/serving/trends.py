"""What may be said of many conversations: what is withheld, how sure a mean is, what is news.

Pure; the formulas and their limits are told in docs/trends.md.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scipy.special import stdtrit

from inference.score import DECIMALS
from inference.units import DAY_NS
from storage.trends import Cell

LEVEL: Final = 0.95
WEEK_NS: Final = 7 * DAY_NS
Place = tuple[str, int]
"""Key and start of a cell."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure probably lies."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One group now and before; everything None where it is withheld."""

    key: str
    now: Cell | None = None
    before: Cell | None = None
    difference: float | None = None
    interval: Interval | None = None
    news: bool = False
    """The interval of the difference excludes 0."""
    withheld: bool = False


def withheld(
    cells: Collection[Cell], floor: int, *, parent_ns: int | None, shared: bool
) -> frozenset[Place]:
    """Cells whose figures nobody is told.

    First those with fewer than `floor` conversations. Then, so that a hidden cell is not what
    remains of a total: in each bucket over all groups, and in each group over the buckets of
    one larger bucket, the smallest shown cell is hidden too where the hidden ones may hold
    fewer than `floor` conversations together.

    Args:
        cells: every cell of the larger buckets, whatever part of them was asked for.
        floor: conversations that a shown cell has at least.
        parent_ns: length of the larger buckets; None where there are none.
        shared: one conversation may be in several groups, as it may be of several agents.
    """
    hidden = {_place(cell) for cell in cells if cell.conversations < floor}
    _complete(cells, hidden, floor, lambda cell: cell.start_ns, max if shared else sum)
    if parent_ns is not None:
        # a conversation may go on from bucket to bucket: the largest is all that is certain
        _complete(cells, hidden, floor, lambda cell: (cell.key, cell.start_ns // parent_ns), max)
    return frozenset(hidden)


def _complete(
    cells: Collection[Cell],
    hidden: set[Place],
    floor: int,
    line: Callable[[Cell], Hashable],
    together: Callable[[Sequence[int]], int],
) -> None:
    """Hide one more in each line whose hidden cells may be fewer than `floor` conversations."""
    lines: dict[Hashable, list[Cell]] = defaultdict(list)
    for cell in cells:
        lines[line(cell)].append(cell)
    for row in lines.values():
        away = [cell.conversations for cell in row if _place(cell) in hidden]
        shown = [cell for cell in row if _place(cell) not in hidden]
        if away and shown and together(away) < floor:
            smallest = min(shown, key=lambda cell: (cell.conversations, _place(cell)))
            hidden.add(_place(smallest))


def _place(cell: Cell) -> Place:
    return cell.key, cell.start_ns


def mean_interval(cell: Cell) -> Interval | None:
    """Where the mean distress of conversations like these lies, at `LEVEL`, within [0, 1].

    Student's t on the jackknife's variance with one degree of freedom fewer than there are
    conversations. None for fewer than two.
    """
    if cell.distress is None or cell.conversations < 2:  # noqa: PLR2004 - one has no spread
        return None
    reach = _quantile(LEVEL, cell.conversations - 1) * math.sqrt(cell.distress_variance)
    return Interval(max(0.0, cell.distress - reach), min(1.0, cell.distress + reach))


def changes(
    now: Sequence[Cell], before: Sequence[Cell], floor: int, *, shared: bool
) -> list[Change]:
    """Each group against itself a week before, by key.

    The interval of a difference is Welch's (1947): variances of both means added, degrees of
    freedom by Satterthwaite (1946). All intervals of one answer hold together at `LEVEL`
    (Bonferroni): with twenty groups on a page, one would be news every time otherwise.

    Args:
        now: one cell a group.
        before: the same of the stretch to compare with; a group may be in one of them only.
        floor: conversations that a shown cell has at least, 2 or more.
        shared: as in `withheld`.
    """
    new, old = ({cell.key: cell for cell in cells} for cells in (now, before))
    hidden = {
        key
        for cells in (now, before)
        for key, _ in withheld(cells, floor, parent_ns=None, shared=shared)
    }
    compared = (new.keys() & old.keys()) - hidden
    level = 1 - (1 - LEVEL) / max(1, len(compared))
    return [
        Change(key=key, withheld=True)
        if key in hidden
        else _change(key, new.get(key), old.get(key), level)
        for key in sorted(new.keys() | old.keys())
    ]


def _change(key: str, now: Cell | None, before: Cell | None, level: float) -> Change:
    alone = Change(key=key, now=now, before=before)
    if now is None or before is None or now.distress is None or before.distress is None:
        return alone
    difference = now.distress - before.distress
    reach = _welch(now, before, level)
    interval = Interval(round(difference - reach, DECIMALS), round(difference + reach, DECIMALS))
    news = interval.low > 0 or interval.high < 0
    return replace(alone, difference=difference, interval=interval, news=news)


def _welch(one: Cell, other: Cell, level: float) -> float:
    """Half the width of the interval of a difference."""
    parts = [(cell.distress_variance, cell.conversations - 1) for cell in (one, other)]
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return _quantile(level, freedom) * math.sqrt(variance)


def _quantile(level: float, freedom: float) -> float:
    """Of Student's t, two-sided."""
    return float(stdtrit(freedom, (1 + level) / 2))
