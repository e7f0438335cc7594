"""What a back-test reads: conversations of a stretch of time, and alerts that people judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import snapshot
from storage.schema import alerts, conversations
from storage.values import LIVE_RUN, ConversationFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Conversations of one tenant that ran at any time in `[from_ns, to_ns)`."""

    tenant: str
    from_ns: int
    to_ns: int
    queue: str | None = None
    """Only those that began in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One alert of the run `live`, and what somebody said of it."""

    conversation: str
    participant: str
    metric: str
    pending_ns: int
    resolved_ns: int | None
    verdict: str
    """`right`, `wrong` or `unclear`."""


async def count_conversations(engine: AsyncEngine, stretch: Stretch) -> int:
    """How many there are. Raises StoreUnavailableError."""
    query = _within(select(func.count()).select_from(conversations), stretch)
    async with snapshot(engine) as connection:
        return int((await connection.execute(query)).scalar_one())


async def conversation_page(
    engine: AsyncEngine, stretch: Stretch, after: ConversationFacts | None, limit: int
) -> Sequence[ConversationFacts]:
    """Up to `limit` of them by start and id, after the last of the page before.

    `participants` stays empty. Raises StoreUnavailableError.
    """
    table = conversations
    query = _within(select(table), stretch)
    if after is not None:
        query = query.where(
            or_(
                table.c.started_ns > after.started_ns,
                and_(
                    table.c.started_ns == after.started_ns,
                    table.c.conversation > after.conversation,
                ),
            )
        )
    query = query.order_by(table.c.started_ns, table.c.conversation).limit(limit)
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [ConversationFacts(**row) for row in rows]


async def reviewed_alerts(engine: AsyncEngine, stretch: Stretch) -> Sequence[Reviewed]:
    """Alerts with a verdict that were open at any time in the stretch, by first moment.

    Raises StoreUnavailableError.
    """
    table = alerts
    query = (
        select(*(table.c[name] for name in Reviewed.__dataclass_fields__))
        .where(
            table.c.tenant == stretch.tenant,
            table.c.run == LIVE_RUN,
            table.c.verdict.is_not(None),
            table.c.pending_ns < stretch.to_ns,
            or_(table.c.resolved_ns.is_(None), table.c.resolved_ns > stretch.from_ns),
        )
        .order_by(table.c.pending_ns, table.c.alert)
    )
    if stretch.queue is not None:
        query = query.where(table.c.queue == stretch.queue)
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [Reviewed(**row) for row in rows]


def _within(query: Select[Any], stretch: Stretch) -> Select[Any]:
    table = conversations
    query = query.where(
        table.c.tenant == stretch.tenant,
        table.c.started_ns < stretch.to_ns,
        or_(table.c.ended_ns.is_(None), table.c.ended_ns > stretch.from_ns),
    )
    return query if stretch.queue is None else query.where(table.c.queue == stretch.queue)
