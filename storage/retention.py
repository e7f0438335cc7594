"""Retention: what is older than its class may be is deleted, a bounded transaction at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, ColumnElement, Table, delete, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import DAY_NS
from storage.engine import snapshot, transaction
from storage.schema import (
    alert_events,
    alerts,
    audit_log,
    consents,
    conversations,
    erasures,
    label_judgements,
    moments,
    outbox,
    participants,
    policy_decisions,
    progress,
    rollups,
    tombstones,
    utterances,
    window_evidence,
    window_scores,
)
from storage.transitions import KIND

CHUNK: Final = 2_000
"""Rows a transaction: a worker that stores meanwhile waits for milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long each class is kept, in days."""

    scores_days: float = 90
    """Scores, evidence, moments and what was judged of them, words (where transcripts are kept),
    what participants carry from window to window, and messages that nobody took, dead or
    waiting."""
    alerts_days: float = 365
    """Alerts and what nobody took of them, policy decisions and consents."""
    rollups_days: float = 730
    """Rollups, conversations and who took part in them."""
    audit_days: float = 365
    """The audit log and the receipts of erasures."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Rows of one table that are over their time."""

    kind: str
    """The class: `scores`, `alerts`, `rollups`, `audit`, `tombstones`."""
    table: str
    before_ns: int
    """Event time, or wall time where the table holds that; what is older goes."""
    rows: int


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: str
    table: Table
    column: Column[int]
    only: Callable[[int], ColumnElement[bool]] | None = None
    """What must be true beside, given the time before which rows go."""


def _not_running(table: Table) -> ColumnElement[bool]:
    return ~_conversation_of(table, conversations.c.ended_ns.is_(None))


def _without_newer_rollups(before_ns: int) -> ColumnElement[bool]:
    newer = select(rollups.c.conversation).where(
        rollups.c.tenant == conversations.c.tenant,
        rollups.c.conversation == conversations.c.conversation,
        rollups.c.minute_ns >= before_ns,
    )
    return ~exists(newer.correlate(conversations))


def _conversation_of(table: Table, stays: ColumnElement[bool]) -> ColumnElement[bool]:
    """True of rows whose conversation is there, and of which `stays` is true."""
    query = select(conversations.c.conversation).where(
        conversations.c.tenant == table.c.tenant,
        conversations.c.conversation == table.c.conversation,
        stays,
    )
    return exists(query.correlate(table))


def _without_conversation(before_ns: int) -> ColumnElement[bool]:
    ended_ns = conversations.c.ended_ns
    stays = or_(ended_ns.is_(None), ended_ns >= before_ns, ~_without_newer_rollups(before_ns))
    return ~_conversation_of(participants, stays)


RULES: Final = (
    _Rule("scores", window_evidence, window_evidence.c.start_ns),
    _Rule("scores", window_scores, window_scores.c.start_ns),
    _Rule("scores", moments, moments.c.start_ns),
    _Rule("scores", label_judgements, label_judgements.c.start_ns),
    _Rule("scores", utterances, utterances.c.start_ns),
    _Rule("scores", progress, progress.c.closed_until_ns, lambda _: _not_running(progress)),
    _Rule("scores", outbox, outbox.c.at_ns, lambda _: outbox.c.kind != KIND),
    _Rule("alerts", alert_events, alert_events.c.at_ns),
    _Rule("alerts", alerts, alerts.c.fired_ns),
    _Rule("alerts", outbox, outbox.c.at_ns, lambda _: outbox.c.kind == KIND),
    _Rule("alerts", policy_decisions, policy_decisions.c.at_ns),
    _Rule("alerts", consents, consents.c.at_ns),
    _Rule("rollups", rollups, rollups.c.minute_ns),
    _Rule("rollups", conversations, conversations.c.ended_ns, _without_newer_rollups),
    _Rule("rollups", participants, participants.c.joined_ns, _without_conversation),
    _Rule("audit", audit_log, audit_log.c.at_ns),
    _Rule("audit", erasures, erasures.c.at_ns),
    _Rule("tombstones", tombstones, tombstones.c.until_ns),
)
"""In the order in which they are applied: a conversation goes after its rollups, and who took
part in it after the conversation. Tombstones carry the time of their own end."""


async def expired(engine: AsyncEngine, retention: Retention, now_ns: int) -> list[Expired]:
    """What `apply` would delete now, by class and table; nothing is changed.

    Raises StoreUnavailableError.
    """
    found = []
    async with snapshot(engine) as connection:
        for rule, before_ns in _due(retention, now_ns):
            query = select(func.count()).select_from(rule.table).where(_over(rule, before_ns))
            rows = int(await connection.scalar(query) or 0)
            found.append(Expired(rule.kind, str(rule.table.name), before_ns, rows))
    return found


async def apply(engine: AsyncEngine, retention: Retention, now_ns: int) -> list[Expired]:
    """Delete what is over its time; returns what went. Safe to repeat, and to interrupt.

    Raises StoreUnavailableError.
    """
    done = []
    for rule, before_ns in _due(retention, now_ns):
        rows = 0
        while gone := await _delete_chunk(engine, rule, before_ns):
            rows += gone
        done.append(Expired(rule.kind, str(rule.table.name), before_ns, rows))
    return done


async def _delete_chunk(engine: AsyncEngine, rule: _Rule, before_ns: int) -> int:
    key = tuple(rule.table.primary_key.columns)
    chunk = select(*key).where(_over(rule, before_ns)).limit(CHUNK)
    async with transaction(engine) as connection:
        found = [tuple(row) for row in await connection.execute(chunk)]
        if not found:
            return 0
        await connection.execute(delete(rule.table).where(tuple_(*key).in_(found)))
    return len(found)


def _due(retention: Retention, now_ns: int) -> list[tuple[_Rule, int]]:
    days: Mapping[str, float] = {
        "scores": retention.scores_days,
        "alerts": retention.alerts_days,
        "rollups": retention.rollups_days,
        "audit": retention.audit_days,
        "tombstones": 0,
    }
    return [(rule, now_ns - int(days[rule.kind] * DAY_NS)) for rule in RULES]


def _over(rule: _Rule, before_ns: int) -> ColumnElement[bool]:
    old = rule.column < before_ns
    return old if rule.only is None else old & rule.only(before_ns)
