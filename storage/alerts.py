"""Alerts as others read them: the public JSON, and the queries behind it."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.contract import CueJson, Time, format_time
from inference.labels import Role
from inference.score import SCORE_NAMESPACE
from storage.engine import snapshot
from storage.schema import alert_events, alerts, deliveries
from storage.values import LIVE_RUN

RESOLVED: Final = "resolved"
"""How a row of `alerts` calls the state `ok`: of an alert that fired and ended."""
Step = Literal["firing", "resolved", "acknowledged", "snoozed", "judged"]
"""What is told of an alert: two steps of the machine, three of people."""
Row = Mapping[str, Any]
_COURSE: Final = ("pending", "firing", "resolving", "ok")


class EvidenceJson(Struct, frozen=True, kw_only=True):
    """One window that raised the alert."""

    start: Time
    end: Time
    value: float
    """Of the rule's metric."""
    cues: tuple[CueJson, ...]


class AcknowledgedJson(Struct, frozen=True, kw_only=True):
    """Somebody has it in hand."""

    at: Time
    by: str
    note: str | None


class SnoozedJson(Struct, frozen=True, kw_only=True):
    """Who wants to hear nothing of it before when; may be past."""

    until: Time
    by: str


class VerdictJson(Struct, frozen=True, kw_only=True):
    """Whether somebody who looked found the alert right."""

    value: Literal["right", "wrong", "unclear"]
    at: Time
    by: str
    note: str | None


class AlertJson(Struct, frozen=True, kw_only=True):
    """One time that a rule fired for a participant: an estimate stayed past its threshold."""

    id: str
    run: str
    conversation: str
    participant: str
    role: Role
    queue: str
    language: str
    rule: str
    rule_version: int
    severity: str
    metric: str
    state: Literal["firing", "resolving", "resolved"]
    since: Time
    """End of the first window past the threshold."""
    fired: Time
    resolved: Time | None
    reason: str | None
    """Why it ended."""
    peak: float | None
    """The most extreme value of the metric up to the last step; at the end, of the whole course."""
    evidence: tuple[EvidenceJson, ...]
    narrative: str | None = None
    """What led to it in two sentences, as it was when it fired; null where nobody tells."""
    narrator: str | None = None
    """Name and version of who told it."""
    acknowledged: AcknowledgedJson | None
    snoozed: SnoozedJson | None
    verdict: VerdictJson | None
    link: str
    """Of the conversation on the dashboard; absolute outside it where `public_url` is set."""


class AlertNews(Struct, frozen=True, kw_only=True):
    """What happened to an alert, and the alert as it was then."""

    transition: Step
    alert: AlertJson


class AlertEventJson(Struct, frozen=True, kw_only=True):
    """One step of the state machine."""

    at: Time
    state: Literal["ok", "pending", "firing", "resolving"]
    reason: str | None
    value: float | None
    evidence: tuple[EvidenceJson, ...]


class AlertDeliveryJson(Struct, frozen=True, kw_only=True):
    """Somebody who does not have it yet."""

    id: str
    sink: str
    attempts: int
    dead: bool
    error: str | None
    next_attempt: Time | None
    """Null for at once, and for never."""


class AlertDetail(AlertJson, frozen=True, kw_only=True):
    """An alert with its course, and who was not told yet."""

    events: tuple[AlertEventJson, ...]
    deliveries: tuple[AlertDeliveryJson, ...]


@dataclass(frozen=True, slots=True)
class AlertPlace:
    """Where a page of alerts ends: newest fired first, then by id."""

    fired_ns: int
    alert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are wanted; None asks for nothing."""

    state: Literal["open", "firing", "resolving", "resolved"] | None = None
    """`open`: not resolved."""
    queue: str | None = None
    rule: str | None = None
    severity: str | None = None
    conversation: str | None = None
    acknowledged: bool | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    """Fired in `[from_ns, to_ns)`."""


async def list_alerts(
    engine: AsyncEngine,
    tenant: str,
    wanted: AlertFilter,
    *,
    after: AlertPlace | None = None,
    limit: int,
) -> list[tuple[AlertPlace, AlertJson]]:
    """Alerts of the live run of a tenant, newest fired first, each with its place.

    Raises StoreUnavailableError.
    """
    query = _filtered(select(alerts).where(alerts.c.tenant == tenant), wanted)
    if after is not None:
        query = query.where(
            or_(
                alerts.c.fired_ns < after.fired_ns,
                and_(alerts.c.fired_ns == after.fired_ns, alerts.c.alert > after.alert),
            )
        )
    query = query.order_by(alerts.c.fired_ns.desc(), alerts.c.alert).limit(limit)
    async with snapshot(engine) as connection:
        return [
            (AlertPlace(row["fired_ns"], row["alert"]), alert_json(row))
            for row in (await connection.execute(query)).mappings()
        ]


async def read_alert(engine: AsyncEngine, tenant: str, alert: str) -> AlertDetail | None:
    """One alert of the live run, with its course; None where the tenant has none of this id.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        row = await find_alert(connection, tenant, LIVE_RUN, alert)
        if row is None:
            return None
        course = select(alert_events).where(
            alert_events.c.tenant == tenant,
            alert_events.c.run == LIVE_RUN,
            alert_events.c.alert == alert,
        )
        steps = sorted(map(dict, (await connection.execute(course)).mappings()), key=_in_course)
        waiting = (
            select(deliveries)
            .where(deliveries.c.tenant == tenant, deliveries.c.outbox_id.in_(_told(row)))
            .order_by(deliveries.c.at_ns, deliveries.c.sink)
        )
        told = tuple(
            _delivery(dict(item)) for item in (await connection.execute(waiting)).mappings()
        )
    body = msgspec.structs.asdict(alert_json(row))
    return AlertDetail(**body, events=tuple(map(_event, steps)), deliveries=told)


async def find_alert(
    connection: AsyncConnection, tenant: str, run: str, alert: str, *, lock: bool = False
) -> Row | None:
    """The row of one alert; `lock` keeps others from changing it until the transaction ends."""
    query = select(alerts).where(
        alerts.c.tenant == tenant, alerts.c.run == run, alerts.c.alert == alert
    )
    if lock:
        query = query.with_for_update()
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else dict(row)


async def snoozed_until(engine: AsyncEngine, ids: Iterable[tuple[str, str]]) -> Mapping[str, int]:
    """Until when alerts of the live run are snoozed, those that are.

    Args:
        engine: of the database.
        ids: of alerts, each after its tenant.

    Raises StoreUnavailableError.
    """
    wanted = set(ids)
    query = select(alerts.c.tenant, alerts.c.alert, alerts.c.snoozed_until_ns).where(
        alerts.c.run == LIVE_RUN,
        alerts.c.tenant.in_({tenant for tenant, _ in wanted}),
        alerts.c.alert.in_({alert for _, alert in wanted}),
        alerts.c.snoozed_until_ns.is_not(None),
    )
    async with snapshot(engine) as connection:
        return {
            alert: until_ns
            for tenant, alert, until_ns in await connection.execute(query)
            if (tenant, alert) in wanted
        }


def alert_json(row: Row) -> AlertJson:
    """A row of `alerts` under its public names."""
    return AlertJson(
        id=row["alert"],
        run=row["run"],
        conversation=row["conversation"],
        participant=row["participant"],
        role=Role(row["role"]),
        queue=row["queue"],
        language=row["language"],
        rule=row["rule"],
        rule_version=row["rule_version"],
        severity=row["severity"],
        metric=row["metric"],
        state=row["state"],
        since=format_time(row["pending_ns"]),
        fired=format_time(row["fired_ns"]),
        resolved=_time(row["resolved_ns"]),
        reason=row["reason"],
        peak=row["peak"],
        evidence=_evidence(row["evidence"]),
        narrative=row["narrative"],
        narrator=row["narrator"],
        acknowledged=None
        if row["acknowledged_ns"] is None
        else AcknowledgedJson(
            at=format_time(row["acknowledged_ns"]),
            by=row["acknowledged_by"],
            note=row["acknowledged_note"],
        ),
        snoozed=None
        if row["snoozed_until_ns"] is None
        else SnoozedJson(until=format_time(row["snoozed_until_ns"]), by=row["snoozed_by"]),
        verdict=None
        if row["verdict"] is None
        else VerdictJson(
            value=row["verdict"],
            at=format_time(row["verdict_ns"]),
            by=row["verdict_by"],
            note=row["note"],
        ),
        link=_link(row),
    )


def message_id(row: Row, step: Step, at_ns: int) -> str:
    """Id of what is told of an alert: the same for the same step, however often it is sent."""
    name = (
        f"{row['tenant']}/{row['run']}/alert/{row['conversation']}/{row['participant']}"
        f"/{at_ns}/{row['rule']}/{step}"
    )
    return str(uuid.uuid5(SCORE_NAMESPACE, name))


def _filtered(query: Select[Any], wanted: AlertFilter) -> Select[Any]:
    query = query.where(alerts.c.run == LIVE_RUN)
    if wanted.state is not None:
        is_state = alerts.c.state == wanted.state
        query = query.where(alerts.c.state != RESOLVED if wanted.state == "open" else is_state)
    for name in ("queue", "rule", "severity", "conversation"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(alerts.c[name] == value)
    if wanted.acknowledged is not None:
        column = alerts.c.acknowledged_ns
        query = query.where(column.is_not(None) if wanted.acknowledged else column.is_(None))
    if wanted.from_ns is not None:
        query = query.where(alerts.c.fired_ns >= wanted.from_ns)
    if wanted.to_ns is not None:
        query = query.where(alerts.c.fired_ns < wanted.to_ns)
    return query


def _told(row: Row) -> list[str]:
    """Ids of what the machine told of an alert."""
    ids = [message_id(row, "firing", row["fired_ns"])]
    if row["resolved_ns"] is not None:
        ids.append(message_id(row, "resolved", row["resolved_ns"]))
    return ids


def _link(row: Row) -> str:
    at = quote(format_time(row["pending_ns"]), safe=":")
    return f"/conversations/{quote(row['conversation'], safe=':')}?at={at}"


def _time(at_ns: int | None) -> str | None:
    return None if at_ns is None else format_time(at_ns)


def _evidence(windows: Sequence[Row]) -> tuple[EvidenceJson, ...]:
    return tuple(
        EvidenceJson(
            start=format_time(window["start_ns"]),
            end=format_time(window["end_ns"]),
            value=window["value"],
            cues=tuple(
                CueJson(modality=cue["modality"], cue=cue["cue"], at=_time(cue["at_ns"]))
                for cue in window["cues"]
            ),
        )
        for window in windows
    )


def _in_course(row: Row) -> tuple[int, int]:
    """A window may cause two steps: then the order of the states is theirs."""
    return row["at_ns"], _COURSE.index(row["state"])


def _event(row: Row) -> AlertEventJson:
    return AlertEventJson(
        at=format_time(row["at_ns"]),
        state=row["state"],
        reason=row["reason"],
        value=row["value"],
        evidence=_evidence(row["evidence"]),
    )


def _delivery(row: Row) -> AlertDeliveryJson:
    waits = row["next_attempt_ns"] and not row["dead"]
    return AlertDeliveryJson(
        id=row["outbox_id"],
        sink=row["sink"],
        attempts=row["attempts"],
        dead=row["dead"],
        error=row["error"],
        next_attempt=format_time(row["next_attempt_ns"]) if waits else None,
    )
