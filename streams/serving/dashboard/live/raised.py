"""Alerts as the API tells them: in a list, on a call of the live page, on the axis of a chart."""

from collections.abc import Iterable
from typing import Final

import msgspec

from inference.contract import Time, parse_time

OPEN: Final = frozenset({"firing", "resolving"})
SEVERITIES: Final = ("info", "warning", "critical")
"""From the least to the worst."""


class Cue(msgspec.Struct, frozen=True):
    """One reason inside a window."""

    modality: str
    cue: str
    at: Time | None = None


class Evidence(msgspec.Struct, frozen=True):
    """One window that an alert rests on."""

    start: Time
    value: float | None = None
    end: Time | None = None
    cues: tuple[Cue, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """Who acknowledged, snoozed or judged, and when."""

    by: str = ""
    at: Time | None = None
    until: Time | None = None
    value: str | None = None
    note: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One course of one rule for one participant."""

    id: str
    conversation: str
    participant: str
    role: str = "unknown"
    queue: str = "unknown"
    language: str = "und"
    rule: str
    rule_version: int = 0
    severity: str
    metric: str = "distress"
    state: str
    since: Time
    """End of the first window past the threshold."""
    fired: Time
    resolved: Time | None = None
    reason: str | None = None
    peak: float | None = None
    evidence: tuple[Evidence, ...] = ()
    narrative: str | None = None
    """What led to it in two sentences."""
    narrator: str | None = None
    """Who told it."""
    acknowledged: Mark | None = None
    snoozed: Mark | None = None
    verdict: Mark | None = None

    @property
    def open(self) -> bool:
        """True until it is resolved."""
        return self.state in OPEN

    @property
    def fired_ns(self) -> int:
        """When it began to fire, in event time."""
        return parse_time(self.fired)

    @property
    def resolved_ns(self) -> int | None:
        """When it ended; None while it is open."""
        return None if self.resolved is None else parse_time(self.resolved)

    def sleeps(self, now_ns: int) -> bool:
        """Whether somebody put it aside until later than now."""
        until = None if self.snoozed is None else self.snoozed.until
        return until is not None and parse_time(until) > now_ns

    def waits(self, now_ns: int) -> bool:
        """Open, and nobody has taken it on or put it off."""
        return self.open and self.acknowledged is None and not self.sleeps(now_ns)

    @property
    def rank(self) -> int:
        """Place in `SEVERITIES`; an unknown one counts as the least."""
        return SEVERITIES.index(self.severity) if self.severity in SEVERITIES else 0


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """The most severe first, then the newest."""
    return sorted(alerts, key=lambda one: (-one.rank, -one.fired_ns, one.id))
