"""Deliveries that people look at: what waits, what is dead and why, and another try."""

from dataclasses import dataclass

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import snapshot, transaction
from storage.schema import deliveries, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """One message that one sink does not have."""

    id: str
    """Of the message."""
    sink: str
    kind: str
    conversation: str
    participant: str
    at_ns: int
    """Event time."""
    attempts: int
    next_attempt_ns: int
    """Wall time, 0 for at once."""
    dead: bool
    error: str | None
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True)
class DeliveryPlace:
    """Where a page of deliveries ends: newest first, then by id and sink."""

    at_ns: int
    id: str
    sink: str


async def list_deliveries(
    engine: AsyncEngine,
    tenant: str,
    *,
    dead: bool | None = None,
    after: DeliveryPlace | None = None,
    limit: int,
) -> list[StoredDelivery]:
    """Deliveries of a tenant, newest event first.

    Args:
        engine: of the database.
        tenant: only theirs.
        dead: True for those given up, False for those that wait, None for both.
        after: where the page before ended.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    place = (deliveries.c.outbox_id, deliveries.c.sink)
    query = (
        select(deliveries, outbox.c.kind, outbox.c.participant)
        .join(outbox, outbox.c.id == deliveries.c.outbox_id)
        .where(deliveries.c.tenant == tenant)
        .order_by(deliveries.c.at_ns.desc(), *place)
        .limit(limit)
    )
    if dead is not None:
        query = query.where(deliveries.c.dead.is_(dead))
    if after is not None:
        later = or_(place[0] > after.id, and_(place[0] == after.id, place[1] > after.sink))
        query = query.where(
            or_(
                deliveries.c.at_ns < after.at_ns,
                and_(deliveries.c.at_ns == after.at_ns, later),
            )
        )
    async with snapshot(engine) as connection:
        return [
            StoredDelivery(
                id=row["outbox_id"],
                sink=row["sink"],
                kind=row["kind"],
                conversation=row["conversation"],
                participant=row["participant"],
                at_ns=row["at_ns"],
                attempts=row["attempts"],
                next_attempt_ns=row["next_attempt_ns"],
                dead=row["dead"],
                error=row["error"],
            )
            for row in (await connection.execute(query)).mappings()
        ]


async def retry(engine: AsyncEngine, tenant: str, message: str, sink: str) -> bool:
    """Deliver it as if it were new; False where the tenant has no such delivery.

    Raises StoreUnavailableError.
    """
    again = (
        update(deliveries)
        .where(
            deliveries.c.tenant == tenant,
            deliveries.c.outbox_id == message,
            deliveries.c.sink == sink,
        )
        .values(dead=False, attempts=0, next_attempt_ns=0, error=None)
    )
    async with transaction(engine) as connection:
        return bool((await connection.execute(again)).rowcount)
