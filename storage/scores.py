"""Stored scores, read back."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.score import WindowScore
from storage.engine import snapshot
from storage.rows import Row, score_of
from storage.schema import window_evidence, window_scores
from storage.values import LIVE_RUN, ConversationKey


async def read_scores(
    engine: AsyncEngine,
    key: ConversationKey,
    run: str,
    *,
    participant: str | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
    limit: int | None = None,
) -> list[WindowScore]:
    """Final scores of a conversation by start and participant.

    Args:
        engine: of the database.
        key: the conversation.
        run: `live`, or the name of a replay.
        participant: only this one.
        from_ns: only windows that start here or later.
        to_ns: only windows that start before this.
        limit: at most so many, the earliest.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        return await scores_on(
            connection,
            key,
            run,
            participant=participant,
            from_ns=from_ns,
            to_ns=to_ns,
            limit=limit,
        )


async def scores_on(
    connection: AsyncConnection,
    key: ConversationKey,
    run: str,
    *,
    participant: str | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
    starts: Collection[int] | None = None,
    limit: int | None = None,
) -> list[WindowScore]:
    """`read_scores` within the transaction of the caller; `starts`: only windows that start so."""

    def within(table: Table) -> Select[Any]:
        query = select(table).where(
            table.c.tenant == key.tenant,
            table.c.run == run,
            table.c.conversation == key.conversation,
        )
        if participant is not None:
            query = query.where(table.c.participant == participant)
        if from_ns is not None:
            query = query.where(table.c.start_ns >= from_ns)
        if to_ns is not None:
            query = query.where(table.c.start_ns < to_ns)
        if starts is not None:
            query = query.where(table.c.start_ns.in_(starts))
        return query.order_by(table.c.start_ns, table.c.participant)

    rows = (await connection.execute(within(window_scores).limit(limit))).mappings().all()
    if not rows:
        return []
    evidence: dict[tuple[str, int], list[Row]] = defaultdict(list)
    beside = within(window_evidence).where(window_evidence.c.start_ns <= rows[-1]["start_ns"])
    for item in (await connection.execute(beside)).mappings():
        evidence[item["participant"], item["start_ns"]].append(item)
    return [score_of(row, evidence[row["participant"], row["start_ns"]]) for row in rows]


async def scores_at(
    connection: AsyncConnection, tenant: str, keys: Collection[tuple[str, str, int]]
) -> dict[tuple[str, str, int | None], WindowScore]:
    """Live scores of a tenant by (conversation, participant, start), those of `keys`."""
    if not keys:
        return {}

    def at(table: Table) -> Select[Any]:
        columns = (table.c.conversation, table.c.participant, table.c.start_ns)
        return select(table).where(
            table.c.tenant == tenant,
            table.c.run == LIVE_RUN,
            tuple_(*columns).in_(list(keys)),
            # the same once more, column by column: SQLite looks up no tuples in an index
            *(column.in_({key[place] for key in keys}) for place, column in enumerate(columns)),
        )

    evidence: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for item in (await connection.execute(at(window_evidence))).mappings():
        evidence[item["conversation"], item["participant"], item["start_ns"]].append(item)
    found: dict[tuple[str, str, int | None], WindowScore] = {}
    for row in (await connection.execute(at(window_scores))).mappings():
        key = (row["conversation"], row["participant"], row["start_ns"])
        found[key] = score_of(row, evidence[key])
    return found
