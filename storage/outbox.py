"""What still has to be told to whom: rows written with the scores, gone once delivered."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, delete, exists, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine import snapshot, transaction
from storage.schema import deliveries, feed, outbox

LOCK_RETRY_S: Final = 2.0
_LOCK_CLASS: Final = zlib.crc32(b"affectstream relay") >> 1


@dataclass(frozen=True, slots=True)
class Message:
    """One outbox row on its way to one sink."""

    id: str
    sink: str
    tenant: str
    kind: str
    """`score`, `ended` or `alert`."""
    conversation: str
    participant: str
    at_ns: int
    payload: bytes
    attempts: int
    """How often this sink refused it."""
    traceparent: str | None = None
    """Of the span that made it; None where nobody traces."""


async def pending(engine: AsyncEngine, sink: str, *, now_ns: int, limit: int) -> list[Message]:
    """What `sink` should take now, oldest event time first.

    A conversation whose next message waits for its back-off is left out whole, so the
    order within a conversation holds whatever fails. There is no cursor: a transaction
    that commits late is found like any other.

    Args:
        engine: of the database.
        sink: as deliveries name it.
        now_ns: wall time; messages that were put off beyond it wait.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    waiting = deliveries.alias("waiting")
    query = (
        select(outbox, deliveries.c.attempts)
        .join(deliveries, deliveries.c.outbox_id == outbox.c.id)
        .where(
            deliveries.c.sink == sink,
            deliveries.c.dead.is_(False),
            ~exists().where(
                and_(
                    waiting.c.sink == sink,
                    waiting.c.dead.is_(False),
                    waiting.c.tenant == deliveries.c.tenant,
                    waiting.c.conversation == deliveries.c.conversation,
                    waiting.c.next_attempt_ns > now_ns,
                )
            ),
        )
        .order_by(deliveries.c.at_ns, outbox.c.participant, outbox.c.id)
        .limit(limit)
    )
    async with snapshot(engine) as connection:
        return [
            Message(
                id=row["id"],
                sink=sink,
                tenant=row["tenant"],
                kind=row["kind"],
                conversation=row["conversation"],
                participant=row["participant"],
                at_ns=row["at_ns"],
                payload=row["payload"],
                attempts=row["attempts"],
                traceparent=row["traceparent"],
            )
            for row in (await connection.execute(query)).mappings()
        ]


async def delivered(engine: AsyncEngine, messages: Sequence[Message]) -> None:
    """The sink has them. An outbox row goes with its last delivery.

    Raises StoreUnavailableError.
    """
    async with transaction(engine) as connection:
        await _forget(connection, messages)


async def put_off(
    engine: AsyncEngine, message: Message, *, error: str, until_ns: int, dead: bool
) -> None:
    """The sink refused it: try again at `until_ns`, or never if it is `dead`.

    Raises StoreUnavailableError.
    """
    async with transaction(engine) as connection:
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.outbox_id == message.id, deliveries.c.sink == message.sink)
            .values(attempts=message.attempts + 1, next_attempt_ns=until_ns, dead=dead, error=error)
        )


async def put_off_all(engine: AsyncEngine, sink: str, *, error: str, until_ns: int) -> None:
    """Nobody answers at the sink: everything that waits for it waits until `until_ns`.

    It counts as an attempt for each, so that none waits for ever.

    Raises StoreUnavailableError.
    """
    async with transaction(engine) as connection:
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.sink == sink, deliveries.c.dead.is_(False))
            .values(attempts=deliveries.c.attempts + 1, next_attempt_ns=until_ns, error=error)
        )


async def give_up(
    engine: AsyncEngine,
    *,
    error: str,
    sink: str | None = None,
    attempts: int = 0,
    known: Collection[str] = (),
) -> int:
    """Call deliveries dead; they stay to be looked at, and can be tried again by hand.

    Args:
        engine: of the database.
        error: why.
        sink: only of this one.
        attempts: only those that failed at least so often.
        known: none of these sinks.

    Returns:
        How many.

    Raises StoreUnavailableError.
    """
    hopeless = update(deliveries).where(
        deliveries.c.dead.is_(False),
        deliveries.c.attempts >= attempts,
        deliveries.c.sink.not_in(known),
    )
    if sink is not None:
        hopeless = hopeless.where(deliveries.c.sink == sink)
    async with transaction(engine) as connection:
        return (await connection.execute(hopeless.values(dead=True, error=error))).rowcount


async def append_to_feed(
    engine: AsyncEngine, messages: Sequence[Message], *, now_ns: int, keep_ns: int
) -> None:
    """Give messages their place in the live feed and forget them, in one transaction.

    Only the one active relay calls this, so ids ascend in the order of commits. Rows
    older than `keep_ns` are deleted on the way.

    Raises StoreUnavailableError.
    """
    async with transaction(engine) as connection:
        left = await _locked(connection, messages)
        for message in messages:
            if message.id not in left:
                continue  # withdrawn or erased since it was read
            await connection.execute(
                insert(feed).values(
                    tenant=message.tenant,
                    conversation=message.conversation,
                    kind=message.kind,
                    payload=message.payload,
                    stored_ns=now_ns,
                )
            )
        await connection.execute(delete(feed).where(feed.c.stored_ns < now_ns - keep_ns))
        await _forget(connection, messages)


async def _locked(connection: AsyncConnection, messages: Sequence[Message]) -> list[str]:
    """Lock the rows of `messages`; ids of those that are still there."""
    ids = sorted({message.id for message in messages})
    query = select(outbox.c.id).where(outbox.c.id.in_(ids)).order_by(outbox.c.id)
    return list((await connection.scalars(query.with_for_update())).all())


async def _forget(connection: AsyncConnection, messages: Sequence[Message]) -> None:
    """Delete deliveries, and the rows whose last delivery that was.

    The rows are locked first: of two sinks that finish the same row at once, the second
    must see that the first is gone, or neither would delete it.
    """
    ids = await _locked(connection, messages)
    for sink in {message.sink for message in messages}:
        of_sink = [message.id for message in messages if message.sink == sink]
        await connection.execute(
            delete(deliveries).where(deliveries.c.sink == sink, deliveries.c.outbox_id.in_(of_sink))
        )
    await connection.execute(
        delete(outbox).where(
            outbox.c.id.in_(ids), ~exists().where(deliveries.c.outbox_id == outbox.c.id)
        )
    )


@asynccontextmanager
async def relay_lock(
    engine: AsyncEngine, sink: str, *, retry_s: float = LOCK_RETRY_S
) -> AsyncIterator[AsyncConnection | None]:
    """Be the one active relay of `sink`; waits until the other one is gone.

    On PostgreSQL an advisory lock of a session: it ends with the connection, so it
    survives no crash. The caller checks `still_held` now and then. SQLite has one process.

    Raises StoreUnavailableError.
    """
    if engine.dialect.name != "postgresql":
        yield None
        return
    arguments = {"kind": _LOCK_CLASS, "sink": zlib.crc32(sink.encode()) >> 1}
    async with snapshot(engine) as connection:
        take = text("select pg_try_advisory_lock(:kind, :sink)")
        while not await connection.scalar(take, arguments):
            await connection.rollback()
            await asyncio.sleep(retry_s)
        await connection.commit()
        try:
            yield connection
        finally:
            if await still_held(connection):
                await connection.execute(text("select pg_advisory_unlock(:kind, :sink)"), arguments)
                await connection.commit()


async def still_held(lock: AsyncConnection | None) -> bool:
    """Whether the session that holds the lock is alive, and so the lock with it."""
    if lock is None:
        return True
    try:
        await lock.execute(text("select 1"))
        await lock.commit()
    except (SQLAlchemyError, OSError):
        return False
    return True
