"""The rows of the live page, made once for all who watch a board, and given out as changes.

A browser asks with the version that it has, and gets what changed since: at 200 scores a
second most rows change, but one that nobody talks in costs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from inference.units import MS_NS, SECOND_NS
from streams.serving.dashboard.live.order import Group, Order
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.live.rows import (
    Conversation,
    ParticipantRow,
    conversation_row,
    parties,
)
from streams.serving.dashboard.shell import words

FRESH_NS: Final = SECOND_NS // 2
"""Rows are made anew at most this often, however many ask."""


class Party(msgspec.Struct, frozen=True):
    """One participant of a row: what they read as, and a note to know before relying on it."""

    line: ParticipantRow
    note: str


class AlertMark(msgspec.Struct, frozen=True):
    """One open alert of a row."""

    text: str
    title: str
    severity: str
    waits: bool
    link: str


class LiveRow(msgspec.Struct, frozen=True):
    """One running call."""

    key: str
    link: str
    queue: str
    detail: str
    started: int
    running: str
    group: str
    alerts: Sequence[AlertMark]
    parties: Sequence[Party]


class EndedRow(msgspec.Struct, frozen=True):
    """One call that is over."""

    key: str
    link: str
    title: str
    detail: str
    began: int
    ended: int
    length: str


class Changes(msgspec.Struct, frozen=True):
    """What a browser does not have yet."""

    version: int
    rows: Sequence[msgspec.Raw]
    order: Sequence[str] | None
    """Every call from the first to the last; null where that did not change."""
    ended: Sequence[EndedRow]
    loaded: bool
    trouble: str | None
    away: int | None
    """Since when the API cannot be read, milliseconds of wall time."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the table is made from: see `Board`."""

    calls: Iterable[Conversation]
    recent: Iterable[Conversation]
    alerts: Mapping[str, Sequence[Alert]]
    loaded: bool
    trouble: str | None
    away_ns: int | None


class LiveTable:
    """The rows of one board.

    Args:
        begin: a number that no earlier table of the same pages reached, such as the time:
            a page that outlives a restart then gets everything anew.
    """

    def __init__(self, begin: int) -> None:
        self._version = begin
        self._rows: dict[str, tuple[bytes, int]] = {}
        self._order = Order()
        self._shown: tuple[str, ...] = ()
        self._shown_version = begin
        self._made_ns: int | None = None

    def refresh(self, watched: Watched, now_ns: int) -> None:
        """Make the rows that changed anew, unless that was done just now."""
        if self._made_ns is not None and 0 <= now_ns - self._made_ns < FRESH_NS:
            return
        self._made_ns = now_ns
        self._version += 1
        calls = list(watched.calls)
        order = self._order.settle(calls, watched.alerts, now_ns)
        for call in calls:
            group = self._order.groups.get(call.id, Group.CALM)
            row = live_row(call, watched.alerts.get(call.id, ()), group, now_ns)
            body = msgspec.json.encode(row)
            if self._rows.get(call.id, (b"", 0))[0] != body:
                self._rows[call.id] = (body, self._version)
        self._rows = {name: self._rows[name] for name in order}
        if order != self._shown:
            self._shown, self._shown_version = order, self._version

    def changes(self, watched: Watched, after: int) -> Changes:
        """What changed after the version `after`; everything where that is none of ours."""
        if after > self._version:
            after = 0
        return Changes(
            version=self._version,
            rows=[msgspec.Raw(body) for body, version in self._rows.values() if version > after],
            order=self._shown if self._shown_version > after else None,
            ended=[ended_row(call) for call in watched.recent],
            loaded=watched.loaded,
            trouble=watched.trouble,
            away=None if watched.away_ns is None else watched.away_ns // MS_NS,
        )


def live_row(call: Conversation, alerts: Sequence[Alert], group: Group, now_ns: int) -> LiveRow:
    """One call in words."""
    row = conversation_row(call, now_ns)
    return LiveRow(
        key=row.key,
        link=_link(row.key),
        queue=call.queue,
        detail=row.detail,
        started=row.started_ms,
        running=row.running,
        group=group.name.lower(),
        alerts=[_mark(alert, now_ns) for alert in alerts],
        parties=[
            Party(line, " · ".join((*line.remarks, *((line.age,) if line.stale else ()))))
            for line in row.participants
        ],
    )


def ended_row(call: Conversation) -> EndedRow:
    """One call that is over, in words."""
    ended_ns = call.ended_ns or call.started_ns
    return EndedRow(
        key=call.id,
        link=_link(call.id),
        title=words.headline(call.queue, parties(call)),
        detail=words.known(call.language),
        began=call.started_ns // MS_NS,
        ended=ended_ns // MS_NS,
        length=words.duration((ended_ns - call.started_ns) / SECOND_NS),
    )


def _mark(alert: Alert, now_ns: int) -> AlertMark:
    waits = alert.waits(now_ns)
    return AlertMark(
        text=words.alert(alert.rule),
        title=words.alert_title(alert, waits=waits),
        severity=alert.severity,
        waits=waits,
        link=f"{_link(alert.conversation)}?at={quote(alert.fired)}",
    )


def _link(conversation: str) -> str:
    return f"/conversations/{quote(conversation)}"
