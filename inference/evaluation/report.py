"""What `affectstream evaluate … --json` prints: the one shape of every published figure."""

import math
from itertools import islice
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inference.errors import AffectstreamError

Interval = tuple[float, float]
"""Lower and upper bound of a figure."""
Metrics = dict[str, float]
"""Name to fraction: `accuracy uar macro_f1 weighted_f1 distress_auc arousal_auc nll ece brier
coverage mean_set_size`, those that apply, and companions such as `expected_ece`."""

ABSENT: Final = "absent"
"""The group that holds no figures but counts: items that the expert could not read, by reason."""
COUNT: Final = "n"
"""The figure of a part that says how many items it holds."""
TITLES: Final = {"pattern": "By what was present", "group": "By group"}


class NotANumberError(AffectstreamError, ValueError):
    """A figure that is not finite: the metric does not apply and must be left out."""


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """The same figures over parts of the data."""

    pattern: dict[str, Metrics] = {}
    """By modalities present, `speech+face`, in the order speech, text, face."""
    group: dict[str, Metrics] = {}
    """By anything else the protocol names: a speaker, a corpus, a class, a drop rate."""


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """How far the figures may be off: the middle 95 % of a bootstrap over `unit`."""

    unit: Literal["speaker", "item"]
    units: int
    """How many there are; a part with very few of them has no interval."""
    metrics: dict[str, Interval] = {}
    pattern: dict[str, dict[str, Interval]] = {}
    """As `Breakdown.pattern`."""
    group: dict[str, dict[str, Interval]] = {}
    """As `Breakdown.group`."""


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one evaluation, with what they were computed from."""

    task: str
    n: int
    """Items judged; a part of the breakdown may rest on fewer."""
    metrics: Metrics
    by: Breakdown = Breakdown()
    versions: dict[str, str] = {}
    intervals: Intervals | msgspec.UnsetType = msgspec.UNSET
    """Left out of the JSON where the evaluation has none."""

    def __post_init__(self) -> None:
        """Refuse figures that JSON cannot carry."""
        parts = {"": self.metrics, **self.by.pattern, **self.by.group}
        for part, metrics in parts.items():
            for name, value in metrics.items():
                if not math.isfinite(value):
                    where = f"{self.task} {part}".strip()
                    raise NotANumberError(f"{where}: {name} is {value}; leave it out")


def to_json(report: EvaluationReport) -> str:
    """One line of JSON, figures with all their digits."""
    return msgspec.json.encode(report).decode()


def from_json(line: str | bytes) -> EvaluationReport:
    """Inverse of `to_json`. Raises msgspec.ValidationError on another shape."""
    return msgspec.json.decode(line, type=EvaluationReport)


class Part(msgspec.Struct, frozen=True):
    """One row or column of a table."""

    name: str
    metrics: Metrics
    intervals: dict[str, Interval] = {}

    def cell(self, metric: str) -> str:
        """The figure with four decimals and, if there is one, its interval; a count as it is."""
        if metric not in self.metrics:
            return ""
        value = self.metrics[metric]
        if metric == COUNT or self.name == ABSENT:
            return f"{value:.0f}"
        if metric not in self.intervals:
            return f"{value:.4f}"
        low, high = self.intervals[metric]
        return f"{value:.4f} ({low:.2f} to {high:.2f})"


def tables(report: EvaluationReport) -> dict[str, list[Part]]:
    """Title to parts: the whole, what was present, counts of absence, then each kind of group.

    A part that holds every item is not shown again: the whole bears its name.
    """
    bounds = report.intervals or Intervals(unit="item", units=0)
    named = (name for name, metrics in report.by.group.items() if _is_whole(metrics, report))
    whole = ": ".join([f"all {report.n}", *islice(named, 1)])
    found = {report.task: [Part(whole, report.metrics, bounds.metrics)]}
    for name, metrics in report.by.pattern.items():
        if _is_whole(metrics, report):
            continue
        part = Part(name, metrics, bounds.pattern.get(name, {}))
        found.setdefault(TITLES["pattern"], []).append(part)
    for name, metrics in report.by.group.items():
        if _is_whole(metrics, report):
            continue
        column, equals, _ = name.partition("=")
        title = f"By {column}" if equals else "Not read" if name == ABSENT else TITLES["group"]
        part = Part(name, metrics, bounds.group.get(name, {}))
        found.setdefault(title, []).append(part)
    return found


def _is_whole(metrics: Metrics, report: EvaluationReport) -> bool:
    return metrics == {COUNT: float(report.n), **report.metrics}


def grid(parts: list[Part]) -> list[list[str]]:
    """Header and rows of a table; the longer of metrics and parts runs down."""
    names = list(dict.fromkeys(name for part in parts for name in part.metrics))
    columns = [
        ["", *(name.replace("_", " ") for name in names)],
        *([part.name, *(part.cell(name) for name in names)] for part in parts),
    ]
    if len(names) > len(parts):
        return [list(row) for row in zip(*columns, strict=True)]
    return columns


def interval_note(report: EvaluationReport) -> str | None:
    """What the intervals are, where there are any."""
    if not report.intervals:
        return None
    one = report.intervals.units == 1
    over = f"{report.intervals.units} {report.intervals.unit}{'' if one else 's'}"
    if not report.intervals.metrics:
        return f"no intervals: {over} {'is' if one else 'are'} too few to draw from"
    return f"in brackets: the middle 95 % of a bootstrap over {over}"


def print_report(report: EvaluationReport, console: Console) -> None:
    """Show `report` as tables for people: the whole first, then its parts."""
    for title, parts in tables(report).items():
        console.print(_table(title, grid(parts)))
    notes = [f"{what}: {version}" for what, version in report.versions.items()]
    for line in filter(None, (interval_note(report), *notes)):
        console.print(line, style="dim", markup=False, highlight=False)


def _table(title: str, cells: list[list[str]]) -> Table:
    header, *rows = cells
    table = Table(title=escape(title), title_justify="left")
    table.add_column("")
    for name in header[1:]:
        table.add_column(escape(name), justify="right")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
