"""What `affectstream evaluate … --json` prints: the one shape of every published figure."""

import math
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from inference.errors import AffectstreamError

Metrics = dict[str, float]
"""Name to fraction: `accuracy uar macro_f1 weighted_f1 distress_auc arousal_auc nll ece brier
coverage mean_set_size`, those that apply, and companions such as `expected_ece`."""

TITLES: Final = {"pattern": "By what was present", "group": "By group"}


class NotANumberError(AffectstreamError, ValueError):
    """A figure that is not finite: the metric does not apply and must be left out."""


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """The same figures over parts of the data."""

    pattern: dict[str, Metrics] = {}
    """By modalities present, `speech+face`, in the order speech, text, face."""
    group: dict[str, Metrics] = {}
    """By anything else the protocol names: a speaker, a corpus, a class, a drop rate."""


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one evaluation, with what they were computed from."""

    task: str
    n: int
    """Items judged; a part of the breakdown may rest on fewer."""
    metrics: Metrics
    by: Breakdown = Breakdown()
    versions: dict[str, str] = {}

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


def print_report(report: EvaluationReport, console: Console) -> None:
    """Show `report` as tables for people: the whole first, then its parts."""
    parts = {f"all {report.n}": report.metrics}
    console.print(_table(report.task, parts))
    for field, title in TITLES.items():
        parts = getattr(report.by, field)
        if parts:
            console.print(_table(title, parts))
    for what, version in report.versions.items():
        console.print(f"{what}: {version}", style="dim", markup=False, highlight=False)


def _table(title: str, parts: dict[str, Metrics]) -> Table:
    """One row a part, one column a metric, in the order of first appearance."""
    names = list(dict.fromkeys(name for metrics in parts.values() for name in metrics))
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for part, metrics in parts.items():
        table.add_row(part, *(f"{metrics[n]:.4f}" if n in metrics else "" for n in names))
    return table
