"""What the page *Trends* says: courses, changes with their interval, and what is withheld. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import urlencode

from inference.contract import format_time, parse_time
from inference.labels import Role
from inference.units import SECOND_NS
from streams.serving.dashboard.live.rows import Conversation
from streams.serving.dashboard.shell import desk_words, words
from streams.serving.dashboard.trends.client import Change, Trend

WIDE: Final = 600
"""Units of a course from left to right; it is stretched to the column."""
HIGH: Final = 56
REACH: Final = 0.05
"""Least reach of a whisker plot to both sides: small changes must not look large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseRow:
    """One group over time."""

    key: str
    name: str
    conversations: str
    mean: str
    svg: str
    said: str
    link: str
    withheld: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One group against the week before; places are percent of the plot's width."""

    key: str
    name: str
    said: str
    interval: str
    now: str
    before: str
    is_news: bool
    withheld: str
    left: float
    width: float
    dot: float


def courses(
    items: Iterable[Trend], group: str, start_ns: int, end_ns: int, floor: int
) -> list[CourseRow]:
    """One row a group, the highest mean first, withheld groups last."""
    grouped: dict[str, list[Trend]] = {}
    for item in items:
        grouped.setdefault(item.key, []).append(item)
    top = highest(one for of_one in grouped.values() for one in of_one)
    rows = [
        (_mean(of_one), _course(key, of_one, group, start_ns, end_ns, top, floor))
        for key, of_one in grouped.items()
    ]
    rows.sort(key=lambda row: (row[0] is None, -(row[0] or 0.0), row[1].key))
    return [row for _, row in rows]


def highest(items: Iterable[Trend]) -> float:
    """Top of the scale that all courses share."""
    return max(0.1, max(map(_high, items), default=0.0))


def changed(items: Iterable[Change], floor: int) -> list[ChangeRow]:
    """One row a group: news first, then the largest difference; withheld groups last."""
    known = list(items)
    reach = max(
        [REACH]
        + [
            abs(value)
            for one in known
            for value in (one.difference, one.low, one.high)
            if value is not None
        ]
    )
    known.sort(
        key=lambda one: (
            one.withheld,
            not one.news,
            -abs(one.difference or 0.0),
            one.key,
        )
    )
    return [_change(one, reach, floor) for one in known]


def calls_link(group: str, key: str, start_ns: int, end_ns: int) -> str:
    """The conversations behind a figure."""
    query = {"group": group, "key": key, "from": format_time(start_ns), "to": format_time(end_ns)}
    return f"/calls?{urlencode(query)}"


def belongs(call: Conversation, group: str, key: str) -> bool:
    """Whether `call` is one of those behind the figure of `key`."""
    if group == "queue":
        return call.queue == key
    if group == "language":
        return call.language == key
    if group == "role":
        return any(one.role == key for one in call.standings.values())
    return any(one.role == Role.AGENT and one.participant == key for one in call.standings.values())


def minute(at: str, zone: tzinfo) -> str:
    """Day and minute where somebody looks."""
    return datetime.fromtimestamp(parse_time(at) // SECOND_NS, zone).strftime("%d %b %H:%M")


def _change(one: Change, reach: float, floor: int) -> ChangeRow:
    withheld = desk_words.WITHHELD.format(floor=floor) if one.withheld else ""
    low, high, middle = one.low, one.high, one.difference
    is_known = not one.withheld and None not in {low, high, middle}
    interval, text = "", withheld or "nothing to compare with"
    left = width = dot = 0.0
    if is_known and low is not None and high is not None and middle is not None:
        interval = f"{_points(low)} to {_points(high)}"
        holds_zero = low <= 0.0 <= high
        if holds_zero or not one.news:
            text = desk_words.NO_NEWS
        else:
            text = f"{'up' if middle > 0 else 'down'} {_points(abs(middle), sign=False)}"
        left, right, dot = (50 + 50 * value / reach for value in (low, high, middle))
        width = right - left
    return ChangeRow(
        key=one.key,
        name=words.known(one.key) or "not said",
        said=text,
        interval=interval,
        now=_side(one.now.mean if one.now else None, one.now.conversations if one.now else None),
        before=_side(
            one.before.mean if one.before else None,
            one.before.conversations if one.before else None,
        ),
        is_news=is_known and text != desk_words.NO_NEWS,
        withheld=withheld,
        left=round(left, 2),
        width=round(width, 2),
        dot=round(dot, 2),
    )


def _side(mean: float | None, conversations: int | None) -> str:
    if mean is None:
        return words.NONE
    of = "" if conversations is None else f" of {desk_words.counted(conversations, 'call')}"
    return f"{words.percent(mean)}{of}"


def _points(value: float, *, sign: bool = True) -> str:
    text = f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"
    return f"{text} points"


def _course(
    key: str,
    items: Sequence[Trend],
    group: str,
    start_ns: int,
    end_ns: int,
    top: float,
    floor: int,
) -> CourseRow:
    mean = _mean(items)
    shown = [one for one in items if not one.withheld]
    held = len(items) - len(shown)
    said = [] if mean is None else [f"mean distress {words.percent(mean)}"]
    peak = max((one.distress.mean for one in shown if one.distress), default=None)
    if peak is not None:
        said.append(f"highest stretch {words.percent(peak)}")
    if held:
        said.append(f"{desk_words.counted(held, 'stretch', 'stretches')} withheld")
    counts = [one.conversations for one in shown if one.conversations is not None]
    return CourseRow(
        key=key,
        name=words.known(key) or "not said",
        conversations=str(max(counts)) if counts else words.NONE,
        mean=words.NONE if mean is None else words.percent(mean),
        svg=course_svg(items, start_ns, end_ns, top),
        said="; ".join(said),
        link=calls_link(group, key, start_ns, end_ns),
        withheld="" if shown else desk_words.WITHHELD.format(floor=floor),
    )


def course_svg(items: Sequence[Trend], start_ns: int, end_ns: int, top: float) -> str:
    """Means with their interval over time; hatched-out stretches are withheld.

    Only numbers go in, so nothing from outside is marked up.
    """
    span_ns = max(1, end_ns - start_ns)

    def across(at_ns: int) -> float:
        return round(min(WIDE, max(0, WIDE * (at_ns - start_ns) / span_ns)), 1)

    def up(value: float) -> float:
        return round(HIGH - 2 - (HIGH - 6) * min(1.0, max(0.0, value) / top), 1)

    held, dots = "", ""
    runs: list[list[tuple[float, float, float, float]]] = [[]]
    for one in sorted(items, key=lambda item: item.start):
        left, right = across(parse_time(one.start)), across(parse_time(one.end))
        if one.distress is None:
            if one.withheld:
                size = f'width="{right - left:.1f}" height="{HIGH}"'
                held += f'<rect class="held" x="{left}" y="0" {size}/>'
            runs.append([])
            continue
        at, mean = (left + right) / 2, one.distress
        low = mean.mean if mean.low is None else mean.low
        high = mean.mean if mean.high is None else mean.high
        runs[-1].append((at, up(mean.mean), up(low), up(high)))
        dots += f'<path class="dots" d="M{at:.1f},{up(mean.mean)}h0"/>'
    drawn = ""
    for run in filter(None, runs):
        line = " ".join(f"{x:.1f},{y}" for x, y, _, _ in run)
        above = " ".join(f"{x:.1f},{high}" for x, _, _, high in run)
        below = " ".join(f"{x:.1f},{low}" for x, _, low, _ in reversed(run))
        drawn += f'<polygon class="band" points="{above} {below}"/>'
        drawn += f'<polyline class="line" points="{line}"/>'
    base = f'<line class="base" x1="0" y1="{HIGH - 1}" x2="{WIDE}" y2="{HIGH - 1}"/>'
    return (
        f'<svg class="course" viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" '
        f'aria-hidden="true">{held}{base}{drawn}{dots}</svg>'
    )


def _mean(items: Iterable[Trend]) -> float | None:
    """Over all stretches, weighted by their scored windows."""
    pairs = [
        (one.distress.mean, one.scored or 1) for one in items if one.distress and not one.withheld
    ]
    weight = sum(count for _, count in pairs)
    return sum(mean * count for mean, count in pairs) / weight if weight else None


def _high(one: Trend) -> float:
    if one.distress is None:
        return 0.0
    return one.distress.mean if one.distress.high is None else one.distress.high
