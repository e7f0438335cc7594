"""Who looked at what and who did what: never what was said or seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import snapshot, transaction
from storage.schema import alerts, audit_log


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did.

    Attributes:
        tenant: whose log it stands in.
        actor: name of the key or of the person.
        action: `noun.verb`: `conversation.view`, `alert.acknowledge`.
        conversation: what it was about; None where it was not about one.
        details: ids, times and names. No content, ever.
    """

    tenant: str
    actor: str
    action: str
    conversation: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the log."""

    number: int
    """Ascends; later entries have higher ones."""
    at_ns: int
    """Wall time."""
    entry: Entry


async def record(engine: AsyncEngine, entry: Entry, at_ns: int) -> None:
    """Put `entry` on record; `at_ns` is wall time. Raises StoreUnavailableError."""
    row = {
        "tenant": entry.tenant,
        "at_ns": at_ns,
        "actor": entry.actor,
        "action": entry.action,
        "conversation": entry.conversation,
        "details": dict(entry.details),
    }
    async with transaction(engine) as connection:
        await connection.execute(insert(audit_log), [row])


async def list_recorded(
    engine: AsyncEngine,
    tenant: str,
    *,
    conversation: str | None = None,
    actor: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Recorded]:
    """Entries of a tenant, newest first.

    Args:
        engine: of the database.
        tenant: only theirs.
        conversation: only those about it.
        actor: only theirs.
        before: only those with a lower number: where the page before ended.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    table = audit_log
    query = select(table).where(table.c.tenant == tenant)
    if conversation is not None:
        query = query.where(table.c.conversation == conversation)
    if actor is not None:
        query = query.where(table.c.actor == actor)
    if before is not None:
        query = query.where(table.c.entry < before)
    query = query.order_by(table.c.entry.desc()).limit(limit)
    async with snapshot(engine) as connection:
        return [_recorded(row) for row in (await connection.execute(query)).mappings()]


async def conversation_of_alert(engine: AsyncEngine, tenant: str, alert: str) -> str | None:
    """The conversation in which an alert fired; None where there is none.

    Raises StoreUnavailableError.
    """
    query = select(alerts.c.conversation).where(alerts.c.tenant == tenant, alerts.c.alert == alert)
    async with snapshot(engine) as connection:
        found: str | None = await connection.scalar(query.limit(1))
    return found


def _recorded(row: RowMapping) -> Recorded:
    entry = Entry(row["tenant"], row["actor"], row["action"], row["conversation"], row["details"])
    return Recorded(row["entry"], row["at_ns"], entry)
