"""Rules and what they would have done, as tables for people."""

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streams.alerts.report import BackTestBody, EpisodeBody, SuggestedBody, ThresholdBody
from streams.alerts.rule import RuleSpec
from streams.alerts.words import sentence

BAR: Final = 20
EPISODES_SHOWN: Final = 20
OFF: Final = "switched off"


def rules_table(rules: Iterable[tuple[str, str, RuleSpec | None]]) -> Table:
    """One rule a row: its name, its version if any, and how it reads."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Rule", no_wrap=True)
    table.add_column("Version", no_wrap=True)
    table.add_column("Severity")
    table.add_column("Reads")
    for name, version, spec in rules:
        said = OFF if spec is None else sentence(spec)
        severity = "" if spec is None else spec.severity.value
        table.add_row(escape(name), escape(version), severity, escape(said))
    return table


def findings_told(name: str, spec: RuleSpec, found: BackTestBody) -> RenderableType:
    """A back-test for a person: what would have been seen, and what to try."""
    calls = _count(found.conversations, "conversation")
    lines = [
        f"[bold]{escape(name)}[/]: {escape(sentence(spec))}",
        f"{calls}, {found.hours:.2f} hours of watched talk, {found.begin} to {found.end}",
    ]
    if found.alerts_per_hour is None:
        return Text.from_markup("\n".join([*lines, _nothing(found)]))
    flaps = f"{_count(found.flaps, 'flap')} (fired again within 5 minutes of resolving)"
    lines += [
        f"{_count(found.alerts, 'alert')}, {found.alerts_per_hour:.2f} in an hour of talk; {flaps}",
        _delay(found),
        _reviewed(found),
    ]
    parts: list[RenderableType] = [Text.from_markup("\n".join(line for line in lines if line))]
    if found.thresholds:
        parts += ["", _thresholds(found.thresholds, spec)]
    if found.suggested is not None:
        parts += ["", Text.from_markup(_suggested(found.suggested))]
    if found.episodes:
        parts += ["", _episodes(found.episodes)]
    return Group(*parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _nothing(found: BackTestBody) -> str:
    return (
        "nobody was watched: no stored score lies there, or none of a role, queue and language "
        "that the rule names"
        if not found.conversations
        else "no time was watched"
    )


def _delay(found: BackTestBody) -> str:
    if found.delay_s is None:
        return ""
    return (
        f"half fired within {found.delay_s.median:g} s of the first moment over the threshold, "
        f"nine tenths within {found.delay_s.p90:g} s"
    )


def _reviewed(found: BackTestBody) -> str:
    judged = found.reviewed
    if judged is None:
        return "nobody has judged an alert on this metric there: no precision"
    share = "" if judged.precision is None else f": precision {judged.precision:.0%}"
    return (
        f"where people judged alerts: {judged.right} right, {judged.wrong} wrong, "
        f"{judged.unclear} unclear{share}; {judged.missed} right ones missed"
    )


def _thresholds(rows: Iterable[ThresholdBody], spec: RuleSpec) -> Table:
    rows = tuple(rows)
    most = max((one.alerts_per_hour or 0.0 for one in rows), default=0.0) or 1.0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("enter", "exit", "alerts/h", "flaps"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in rows:
        rate = one.alerts_per_hour or 0.0
        mine = " ◂ this rule" if one.enter == spec.enter else ""
        table.add_row(
            f"{one.enter:g}",
            f"{one.exit:g}",
            f"{rate:.2f}",
            str(one.flaps),
            f"{'█' * round(rate / most * BAR)}{mine}",
        )
    return table


def _suggested(one: SuggestedBody) -> str:
    return (
        f"nearest to the wanted rate from below: [bold]enter = {one.enter:g}, "
        f"exit = {one.exit:g}[/], {one.alerts_per_hour or 0.0:.2f} alerts in an hour of talk"
    )


def _episodes(rows: tuple[EpisodeBody, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("conversation", "participant", "fired", "resolved"):
        table.add_column(heading, no_wrap=True)
    table.add_column("peak", justify="right")
    for one in rows[:EPISODES_SHOWN]:
        table.add_row(
            escape(one.conversation),
            escape(one.participant),
            one.fired,
            one.resolved or "still open",
            f"{one.peak:.2f}",
        )
    if len(rows) > EPISODES_SHOWN:
        table.add_row(f"… {len(rows) - EPISODES_SHOWN} more; --json shows all")
    return table
