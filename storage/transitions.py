"""Steps of alert rules into SQL, in the transaction of the scores that caused them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alerts import RESOLVED, AlertNews, Row, Step, alert_json, find_alert, message_id
from storage.messages import SINKS, Outgoing, write_outbox
from storage.schema import alert_events, alerts, progress
from storage.values import (
    LIVE_RUN,
    AlertState,
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantKey,
    Transition,
)

KIND: Final = "alert"


async def write(
    connection: AsyncConnection, batch: ParticipantBatch, frozen: ConversationFacts
) -> None:
    """Insert every transition of one batch, and keep the row of each alert that fired.

    A row of `alerts` begins when a course first fires. Only that and the end of such a
    course are told, and only of the run `live`.

    Args:
        connection: with the batch's scores and progress written in the same transaction.
        batch: what a worker scored.
        frozen: the conversation as it is stored.
    """
    if not batch.transitions:
        return
    await connection.execute(
        insert(alert_events), [_event(batch.key, one) for one in batch.transitions]
    )
    for one in batch.transitions:
        if one.fired_ns is None:
            continue
        if one.begins_alert:
            await connection.execute(insert(alerts).values(_alert(batch, frozen, one)))
            await _tell(connection, batch.key.tenant, batch.key.run, one.alert, "firing", one.at_ns)
            continue
        ended = one.state is AlertState.OK
        await connection.execute(
            update(alerts)
            .where(
                alerts.c.tenant == batch.key.tenant,
                alerts.c.run == batch.key.run,
                alerts.c.alert == one.alert,
            )
            .values(
                state=RESOLVED if ended else one.state.value,
                peak=one.peak,
                resolved_ns=one.at_ns if ended else None,
                reason=one.reason,
            )
        )
        if ended:
            await _tell(
                connection, batch.key.tenant, batch.key.run, one.alert, "resolved", one.at_ns
            )


async def resolve(
    connection: AsyncConnection,
    key: ConversationKey,
    *,
    reason: str,
    at_ns: int,
    participant: str | None = None,
) -> int:
    """End every course of a conversation of the live run that no score can end any more.

    What the rules carried is forgotten, so that no later window goes on with a course that is
    over; a batch that was built on it is rejected, and made again.

    Args:
        connection: in a transaction.
        key: of the conversation.
        reason: as transitions give it: `ended`, `withdrawn`.
        at_ns: event time; a course never ends before its last step.
        participant: only theirs.

    Returns:
        How many courses ended.
    """
    query = select(alert_events).where(
        alert_events.c.tenant == key.tenant,
        alert_events.c.run == LIVE_RUN,
        alert_events.c.conversation == key.conversation,
    )
    forget = update(progress).where(
        progress.c.tenant == key.tenant,
        progress.c.run == LIVE_RUN,
        progress.c.conversation == key.conversation,
    )
    if participant is not None:
        query = query.where(alert_events.c.participant == participant)
        forget = forget.where(progress.c.participant == participant)
    await connection.execute(forget.values(alerts=b""))  # first: batches lock it first, too
    found = (await connection.execute(query.order_by(alert_events.c.at_ns))).mappings()
    steps = [dict(row) for row in found]
    over = {row["alert"] for row in steps if row["state"] == AlertState.OK}
    left = {row["alert"]: row for row in steps if row["alert"] not in over}
    for row in left.values():
        end_ns = max(at_ns, row["at_ns"])
        ended: dict[str, Any] = {
            **row,
            "at_ns": end_ns,
            "state": AlertState.OK.value,
            "reason": reason,
            "value": None,
            "evidence": [],
        }
        await connection.execute(insert(alert_events).values(ended))
        await connection.execute(
            update(alerts)
            .where(
                alerts.c.tenant == key.tenant,
                alerts.c.run == LIVE_RUN,
                alerts.c.alert == row["alert"],
            )
            .values(state=RESOLVED, resolved_ns=end_ns, reason=reason)
        )
        await _tell(connection, key.tenant, LIVE_RUN, row["alert"], "resolved", end_ns)
    return len(left)


def outgoing(
    row: Row, step: Step, at_ns: int, *, sinks: tuple[str, ...], order_ns: int
) -> Outgoing:
    """What is told of an alert.

    Args:
        row: of `alerts`, as it is after the step.
        step: what happened.
        at_ns: when, part of the message's id.
        sinks: who is told.
        order_ns: its place among what is told of the conversation.
    """
    return Outgoing(
        id=message_id(row, step, at_ns),
        tenant=row["tenant"],
        kind=KIND,
        conversation=row["conversation"],
        participant=row["participant"],
        at_ns=order_ns,
        payload=msgspec.json.encode(AlertNews(transition=step, alert=alert_json(row))),
        sinks=sinks,
    )


async def _tell(
    connection: AsyncConnection, tenant: str, run: str, alert: str, step: Step, at_ns: int
) -> None:
    """Tell Kafka, the feed and the alert's own sinks; of another run, nobody."""
    if run != LIVE_RUN:
        return
    row = await find_alert(connection, tenant, run, alert)
    if row is not None:  # erased or expired in the meantime: there is nothing to tell
        sinks = tuple(dict.fromkeys((*SINKS[KIND], *row["sinks"])))
        order_ns = at_ns if step == "firing" else max(at_ns, row["fired_ns"] + 1)
        message = outgoing(row, step, at_ns, sinks=sinks, order_ns=order_ns)
        await write_outbox(connection, [message])


def _event(key: ParticipantKey, one: Transition) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "run": key.run,
        "conversation": key.conversation,
        "participant": key.participant,
        "rule": one.rule,
        "at_ns": one.at_ns,
        "state": one.state.value,
        "alert": one.alert,
        "rule_version": one.rule_version,
        "reason": one.reason,
        "value": one.value,
        "evidence": _plain(one),
    }


def _alert(batch: ParticipantBatch, frozen: ConversationFacts, one: Transition) -> dict[str, Any]:
    key = batch.key
    return {
        "tenant": key.tenant,
        "run": key.run,
        "alert": one.alert,
        "conversation": key.conversation,
        "participant": key.participant,
        "role": batch.scores[0].role.value,
        "queue": frozen.queue,
        "language": frozen.language,
        "rule": one.rule,
        "rule_version": one.rule_version,
        "severity": one.severity,
        "metric": one.metric,
        "state": AlertState.FIRING.value,
        "pending_ns": one.pending_ns,
        "fired_ns": one.at_ns,
        "peak": one.peak,
        "evidence": _plain(one),
        "sinks": list(one.sinks),
        "narrative": one.narrative,
        "narrator": one.narrator,
    }


def _plain(one: Transition) -> list[Mapping[str, Any]]:
    evidence: list[Mapping[str, Any]] = msgspec.to_builtins(list(one.evidence))
    return evidence
