"""What the page *Alerts* says of each alert, and in which order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import quote

from inference.contract import parse_time
from inference.units import SECOND_NS
from streams.serving.dashboard.live.raised import Alert, Evidence, Mark
from streams.serving.dashboard.shell import desk_words, words

ANY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is asked for; an empty word asks for nothing."""

    severity: str = ANY
    queue: str = ANY
    rule: str = ANY

    def takes(self, alert: Alert) -> bool:
        """Whether `alert` is asked for."""
        return (
            self.severity in {ANY, alert.severity}
            and self.queue in {ANY, alert.queue}
            and self.rule in {ANY, alert.rule}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """One window that the alert rests on."""

    at: str
    link: str
    value: str
    cues: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert as the page shows it."""

    key: str
    severity: str
    severity_said: str
    title: str
    who: str
    where: str
    link: str
    state: str
    when: str
    peak: str
    story: str
    """What led to it in words; empty where nobody told."""
    told_by: str
    marks: tuple[str, ...]
    evidence: tuple[EvidenceRow, ...]
    is_open: bool
    is_acknowledged: bool
    is_snoozed: bool
    verdict: str


def queue(alerts: Iterable[Alert], wanted: Filter, now_ns: int) -> list[Alert]:
    """Open ones first, snoozed after those that wait, then by severity, then the newest."""
    return sorted(
        (alert for alert in alerts if wanted.takes(alert)),
        key=lambda alert: (
            not alert.open,
            alert.sleeps(now_ns),
            -alert.rank,
            -alert.fired_ns,
            alert.id,
        ),
    )


def alert_row(alert: Alert, summaries: Mapping[str, str], now_ns: int, zone: tzinfo) -> AlertRow:
    """Everything that is said of one alert, times as in `zone`."""
    role = desk_words.role(alert.role)
    who = role if role == alert.participant else f"{role} {alert.participant}"
    is_snoozed = alert.sleeps(now_ns)
    marks = [*_mark("acknowledged", alert.acknowledged, zone)]
    if is_snoozed and alert.snoozed is not None and alert.snoozed.until is not None:
        until = _clock(alert.snoozed.until, zone)
        marks.append(f"snoozed by {alert.snoozed.by} until {until}")
    if alert.verdict is not None:
        marks += _mark(f"judged {alert.verdict.value}", alert.verdict, zone)
    return AlertRow(
        key=alert.id,
        severity=alert.severity,
        severity_said=desk_words.SEVERITY.get(alert.severity, alert.severity),
        title=summaries.get(alert.rule) or alert.rule.replace("-", " ").capitalize(),
        who=who,
        where=" · ".join(
            filter(
                None, (*map(words.known, (alert.queue, alert.language)), words.alert(alert.rule))
            )
        ),
        link=moment_link(alert.conversation, alert.since),
        state=_state(alert, is_snoozed=is_snoozed),
        when=_when(alert, now_ns, zone),
        peak=_peak(alert),
        story=alert.narrative or "",
        told_by=words.TOLD_BY.format(narrator=alert.narrator) if alert.narrative else "",
        marks=tuple(marks),
        evidence=tuple(_evidence(alert.conversation, one, zone) for one in alert.evidence),
        is_open=alert.open,
        is_acknowledged=alert.acknowledged is not None,
        is_snoozed=is_snoozed,
        verdict=(alert.verdict and alert.verdict.value) or "",
    )


def moment_link(conversation: str, at: str) -> str:
    """The page of a conversation at a moment of it."""
    return f"/conversations/{quote(conversation, safe='')}?at={quote(at, safe=':')}"


def choices(alerts: Iterable[Alert]) -> tuple[Sequence[str], Sequence[str]]:
    """Queues and rules that a filter can ask for."""
    known = list(alerts)
    return sorted({one.queue for one in known}), sorted({one.rule for one in known})


def metric_value(metric: str, value: float) -> str:
    """Shares as percent; what has another scale as it is."""
    if metric in {"change", "conflict", "arousal", "valence"}:
        return f"{value:.2f}"
    return words.percent(value)


def _state(alert: Alert, *, is_snoozed: bool) -> str:
    said = desk_words.STATE.get(alert.state, alert.state)
    if alert.reason and not alert.open:
        said += f": {desk_words.ENDED_BECAUSE.get(alert.reason, alert.reason)}"
    return f"{said}, snoozed" if is_snoozed and alert.open else said


def _when(alert: Alert, now_ns: int, zone: tzinfo) -> str:
    since_ns = parse_time(alert.since)
    until_ns = now_ns if alert.resolved is None else parse_time(alert.resolved)
    lasted = words.duration((until_ns - since_ns) / SECOND_NS)
    if alert.resolved is None:
        return f"since {_clock(alert.since, zone)}, for {lasted}"
    return f"{_clock(alert.since, zone)} to {_clock(alert.resolved, zone)}, {lasted}"


def _peak(alert: Alert) -> str:
    name = desk_words.METRIC.get(alert.metric, alert.metric)
    if alert.peak is None or alert.metric == "silence":
        return name
    value = metric_value(alert.metric, alert.peak)
    # while it fires nobody writes down how it goes on
    return (
        f"{name}, {value} when it fired" if alert.state == "firing" else f"{name}, highest {value}"
    )


def _mark(what: str, mark: Mark | None, zone: tzinfo) -> list[str]:
    if mark is None:
        return []
    at = "" if mark.at is None else f" at {_clock(mark.at, zone)}"
    note = f": {mark.note}" if mark.note else ""
    return [f"{what} by {mark.by}{at}{note}"]


def _evidence(conversation: str, one: Evidence, zone: tzinfo) -> EvidenceRow:
    cues = "; ".join(f"{desk_words.modality(cue.modality)}: {cue.cue}" for cue in one.cues)
    return EvidenceRow(
        at=_clock(one.start, zone),
        link=moment_link(conversation, one.start),
        value=words.NONE if one.value is None else f"{one.value:.2f}",
        cues=cues or words.NO_CUES,
    )


def _clock(at: str, zone: tzinfo) -> str:
    return datetime.fromtimestamp(parse_time(at) // SECOND_NS, zone).strftime("%H:%M:%S")
