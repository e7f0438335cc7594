"""Alerts as the pages show them: on a call of the live page, and on the axis of a chart."""

from collections.abc import Iterable
from typing import Final

import msgspec

from inference.contract import Time, parse_time

OPEN: Final = frozenset({"firing", "resolving"})
SEVERITIES: Final = ("info", "warning", "critical")
"""From the least to the worst."""


class Done(msgspec.Struct, frozen=True):
    """What somebody did with an alert."""

    by: str = ""
    at: Time | None = None
    until: Time | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of the API; what the pages do not show is left out."""

    id: str
    conversation: str
    participant: str
    rule: str
    severity: str
    state: str
    fired: Time
    since: Time | None = None
    resolved: Time | None = None
    peak: float | None = None
    acknowledged: Done | None = None
    snoozed: Done | None = None

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

    def waits(self, now_ns: int) -> bool:
        """Open, and nobody has taken it on or put it off."""
        snoozed = self.snoozed is not None and (
            self.snoozed.until is None or parse_time(self.snoozed.until) > now_ns
        )
        return self.open and self.acknowledged is None and not snoozed

    @property
    def rank(self) -> int:
        """Place in `SEVERITIES`; an unknown one counts as the least."""
        return SEVERITIES.index(self.severity) if self.severity in SEVERITIES else 0


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """The most severe first, then the newest."""
    return sorted(alerts, key=lambda one: (-one.rank, -one.fired_ns, one.id))
