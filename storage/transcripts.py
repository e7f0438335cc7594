"""Kept words of a conversation: nothing unless the deployment keeps transcripts."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine import snapshot
from storage.inserts import insert_new
from storage.schema import utterances
from storage.values import ConversationKey, Utterance


async def write_words(
    connection: AsyncConnection, key: ConversationKey, words: Sequence[Utterance]
) -> None:
    """Keep what is new, in the caller's transaction.

    A segment that is there stays: it is the revision that the scores saw.
    """
    rows = [
        {"tenant": key.tenant, "conversation": key.conversation, **asdict(one)} for one in words
    ]
    await insert_new(connection, utterances, rows)


async def word_page(
    engine: AsyncEngine, key: ConversationKey, *, from_ns: int, limit: int
) -> tuple[Sequence[Utterance], bool]:
    """Words that end after `from_ns`, by their end, and whether more come after them.

    A page holds whole instants: about `limit`, more only where several end at the last one.
    Raises StoreUnavailableError.
    """
    column = utterances.c
    wanted = and_(
        column.tenant == key.tenant,
        column.conversation == key.conversation,
        column.end_ns > from_ns,
    )
    place = (column.end_ns, column.participant, column.segment)
    columns = [one for one in column if one.name not in {"tenant", "conversation"}]
    words = select(*columns).where(wanted).order_by(*place)
    last = select(column.end_ns).where(wanted).order_by(*place).offset(limit - 1).limit(1)
    async with snapshot(engine) as connection:
        edge_ns = await connection.scalar(last)
        if edge_ns is None:
            more = False
        else:
            words = words.where(column.end_ns <= edge_ns)
            later = select(exists().where(wanted, column.end_ns > edge_ns))
            more = bool(await connection.scalar(later))
        return [Utterance(**row) for row in (await connection.execute(words)).mappings()], more
