"""What was said of consent and notice, and how many stored windows each withdrawal took."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine import snapshot
from storage.inserts import insert_into
from storage.schema import consents
from storage.values import ConsentChange, ConversationKey


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """A word on consent or notice, and what it did."""

    conversation: str
    change: ConsentChange
    deleted_windows: int


@dataclass(frozen=True, slots=True)
class ConsentPlace:
    """Where a page of consents ends: newest first, then by key."""

    at_ns: int
    conversation: str
    participant: str


async def unrecorded(
    connection: AsyncConnection, key: ConversationKey, changes: Sequence[ConsentChange]
) -> list[ConsentChange]:
    """Those of `changes` that say what the database does not hold, in their order."""
    query = select(consents).where(
        consents.c.tenant == key.tenant, consents.c.conversation == key.conversation
    )
    known = {
        (row["participant"], row["at_ns"]): (row["consent"], row["notice"])
        for row in (await connection.execute(query)).mappings()
    }
    return [
        change
        for change in changes
        if not _holds(known.get((change.participant, change.at_ns), (None, None)), change)
    ]


def _holds(known: tuple[str | None, str | None], change: ConsentChange) -> bool:
    """Whether what is known of consent and notice at that moment has all that is said now."""
    return change.consent in {None, known[0]} and change.notice in {None, known[1]}


async def write_consent(
    connection: AsyncConnection, key: ConversationKey, change: ConsentChange, deleted: int
) -> None:
    """Put one word on record, in the transaction of what it does."""
    statement = insert_into(connection, consents).values(
        tenant=key.tenant,
        conversation=key.conversation,
        participant=change.participant,
        at_ns=change.at_ns,
        consent=change.consent,
        notice=change.notice,
        deleted_windows=deleted,
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant", "conversation", "participant", "at_ns"],
            set_={
                "consent": func.coalesce(statement.excluded.consent, consents.c.consent),
                "notice": func.coalesce(statement.excluded.notice, consents.c.notice),
                "deleted_windows": consents.c.deleted_windows + statement.excluded.deleted_windows,
            },
        )
    )


async def list_consents(
    engine: AsyncEngine,
    tenant: str,
    *,
    conversation: str | None = None,
    after: ConsentPlace | None = None,
    limit: int,
) -> list[StoredConsent]:
    """What was said in the conversations of a tenant, newest first.

    Args:
        engine: of the database.
        tenant: only theirs.
        conversation: only this one.
        after: where the page before ended.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    table = consents
    names = (table.c.conversation, table.c.participant)
    query = select(table).where(table.c.tenant == tenant)
    if conversation is not None:
        query = query.where(table.c.conversation == conversation)
    if after is not None:
        place = (after.conversation, after.participant)
        query = query.where(
            or_(
                table.c.at_ns < after.at_ns,
                (table.c.at_ns == after.at_ns) & (tuple_(*names) > tuple_(*place)),
            )
        )
    query = query.order_by(table.c.at_ns.desc(), *names).limit(limit)
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [
        StoredConsent(
            row["conversation"],
            ConsentChange(
                participant=row["participant"],
                at_ns=row["at_ns"],
                consent=row["consent"],
                notice=row["notice"],
            ),
            row["deleted_windows"],
        )
        for row in rows
    ]
