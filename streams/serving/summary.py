"""A shift in a short paragraph: how calls read, what changed in a week, which alerts fired.

Pure. It says nothing of fewer than `floor` conversations, nor what would let them be worked out
from the rest (docs/trends.md). Every figure in the text stands beside it as a number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inference.contract import format_time
from inference.narrator.contract import Narrative
from inference.narrator.gather import shift_record
from inference.narrator.incident import FigureName, IncidentRecord
from storage.alert_counts import AlertCount
from storage.trends import Cell
from streams.serving.trends import LEVEL, Change, changes, mean_interval, withheld

VERSION: Final = "summary-1"
"""What tells it; another wording is another version."""
SEVERITIES: Final = ("critical", "warning", "info")
RULES_NAMED: Final = 2
POINTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read for a summary: cells now and in the same stretch a week before."""

    whole: Sequence[Cell]
    """At most one: all that is asked for, together."""
    whole_before: Sequence[Cell]
    queues: Sequence[Cell]
    """Of every queue, whichever was asked for: what is withheld depends on all of them."""
    queues_before: Sequence[Cell]
    alerts: Sequence[AlertCount]
    """Of every queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTotals:
    """How many alerts fired."""

    total: int
    severities: Mapping[str, int]
    rules: Mapping[str, int]
    """Most frequent first."""
    queues: Mapping[str, int]
    """Of the queues that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What may be said of a stretch of time."""

    from_ns: int
    to_ns: int
    queue: str | None
    floor: int
    whole: Change
    """Key: the queue, or nothing for all of them."""
    queues: tuple[Change, ...]
    """By key; empty where one queue is asked for."""
    alerts: AlertTotals | None
    """None where the whole is withheld."""

    @property
    def record(self) -> IncidentRecord | None:
        """What a narrator may say of it; None where there is nothing to say, or it is withheld."""
        if self.whole.now is None or self.alerts is None:
            return None
        return shift_record(
            {
                FigureName.CONVERSATIONS: float(self.whole.now.conversations),
                FigureName.ALERTS: float(self.alerts.total),
            }
        )

    def paragraph(self, narrative: Narrative | None) -> str:
        """The summary in words.

        Args:
            narrative: of `record`; None where nobody tells.
        """
        return " ".join(_sentences(self, None if narrative is None else narrative.text))


def summary(read: Read, *, from_ns: int, to_ns: int, queue: str | None, floor: int) -> Summary:
    """What may be said of `[from_ns, to_ns)`.

    Args:
        read: of that stretch and of the one a week before.
        from_ns: event time.
        to_ns: event time.
        queue: only this one.
        floor: conversations of the smallest group that figures are shown of, 2 or more.
    """
    by_queue = _compared(read.queues, read.queues_before, floor, shared=False)
    if queue is None:
        whole = next(iter(_compared(read.whole, read.whole_before, floor, shared=True)), None)
        scored = {cell.key for cell in read.queues}
        counted = [one for one in read.alerts if one.queue in scored]
    else:
        whole = next((one for one in by_queue if one.key == queue), None)
        counted = [one for one in read.alerts if one.queue == queue]
    whole = Change(key="") if whole is None else whole
    shown = {one.key for one in by_queue if not one.withheld}
    return Summary(
        from_ns=from_ns,
        to_ns=to_ns,
        queue=queue,
        floor=floor,
        whole=whole,
        queues=() if queue is not None else tuple(by_queue),
        alerts=None if whole.now is None else _totals(counted, shown),
    )


def _compared(
    now: Sequence[Cell], before: Sequence[Cell], floor: int, *, shared: bool
) -> list[Change]:
    """Groups that have a cell now; one that is withheld in the week before has no comparison."""
    hidden = withheld(before, floor, parent_ns=None, shared=shared)
    open_before = [cell for cell in before if (cell.key, cell.start_ns) not in hidden]
    there = {cell.key for cell in now}
    return [one for one in changes(now, open_before, floor, shared=shared) if one.key in there]


def _totals(counted: Iterable[AlertCount], shown: Iterable[str]) -> AlertTotals:
    severities: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    queues: Counter[str] = Counter(dict.fromkeys(shown, 0))
    for one in counted:
        severities[one.severity] += one.alerts
        rules[one.rule] += one.alerts
        if one.queue in queues:
            queues[one.queue] += one.alerts
    return AlertTotals(
        total=severities.total(),
        severities={name: severities[name] for name in SEVERITIES if severities[name]},
        rules=dict(sorted(rules.items(), key=lambda pair: (-pair[1], pair[0]))),
        queues=dict(sorted(queues.items())),
    )


def _sentences(told: Summary, opening: str | None) -> list[str]:
    when = f"{_minute(told.from_ns)} to {_minute(told.to_ns)} UTC"
    where = "" if told.queue is None else f", queue {told.queue}"
    if told.whole.withheld:
        why = f"fewer than {told.floor} conversations were scored"
        why += "" if told.queue is None else ", here or in a queue beside it"
        return [f"{when}{where}: withheld, because {why}."]
    if told.whole.now is None or told.alerts is None:
        return [f"{when}{where}: no customer was scored."]
    return [
        f"{when}{where}.",
        opening or _counts(told.whole.now, told.alerts),
        f"{_read(told.whole.now)}{_against(told.whole)}.",
        *_alerts(told.alerts),
        *_by_queue(told.queues, told.floor),
    ]


def _counts(cell: Cell, alerts: AlertTotals) -> str:
    conversations = _counted(cell.conversations, "conversation")
    return f"{conversations} with scores, {_counted(alerts.total, 'alert')}."


def _read(cell: Cell) -> str:
    interval = mean_interval(cell)
    if cell.distress is None or interval is None:
        return "Nothing of them could be read"
    return (
        f"The mean estimate of customers' distress was {_percent(cell.distress)} "
        f"({_percent(LEVEL)} interval: {_percent(interval.low)} to {_percent(interval.high)})"
    )


def _against(change: Change) -> str:
    if change.difference is None:
        return ", with nothing to compare in the same time a week before"
    if not change.news:
        return ", no clear change against the same time a week before"
    return f", {_moved(change.difference)} than in the same time a week before"


def _moved(difference: float) -> str:
    points = abs(difference) * POINTS
    number = f"{points:.0f}" if points >= 1 else f"{points:.1f}"
    return f"{number} points {'more' if difference > 0 else 'less'}"


def _alerts(totals: AlertTotals) -> list[str]:
    if not totals.total:
        return []
    kinds = ", ".join(f"{count} {name}" for name, count in totals.severities.items())
    often = " and ".join(
        f"{rule.replace('-', ' ')} ({count})"
        for rule, count in list(totals.rules.items())[:RULES_NAMED]
    )
    return [f"By severity: {kinds}; by rule most often {often}."]


def _by_queue(queues: Sequence[Change], floor: int) -> list[str]:
    shown = [one for one in queues if one.now is not None and one.now.distress is not None]
    said = []
    if len(shown) > 1:
        ranked = sorted(shown, key=lambda one: (-_distress(one), one.key))
        parts = [
            f"{one.key} reads {which} ({_percent(_distress(one))}{_news(one)})"
            for one, which in ((ranked[0], "highest"), (ranked[-1], "lowest"))
        ]
        said.append(f"By queue {', '.join(parts)}.")
    elif shown and len(queues) > 1:
        said.append(f"Of single queues only {shown[0].key} may be told.")
    away = sum(one.withheld for one in queues)
    if away:
        verb = "is" if away == 1 else "are"
        said.append(
            f"{_counted(away, 'queue')} {verb} withheld: fewer than {floor} conversations, here "
            "or in a queue beside it."
        )
    return said


def _distress(one: Change) -> float:
    return 0.0 if one.now is None or one.now.distress is None else one.now.distress


def _news(one: Change) -> str:
    return f", {_moved(one.difference)}" if one.news and one.difference is not None else ""


def _minute(at_ns: int) -> str:
    return format_time(at_ns)[:16].replace("T", " ")


def _percent(share: float) -> str:
    return f"{share * POINTS:.0f}\N{NARROW NO-BREAK SPACE}%"


def _counted(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
