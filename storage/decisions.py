"""Policy decisions: each and every change of one, once, with the facts that it rests on."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.labels import Modality
from storage.engine import snapshot
from storage.inserts import insert_into
from storage.schema import policy_decisions
from storage.values import ConversationKey, PolicyNews, Ruling

_KEY: Final = ("tenant", "conversation", "participant", "modality", "at_ns")
_SAYS: Final = ("allowed", "reason", "profile")


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision, and the conversation that it was made in."""

    conversation: str
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class DecisionPlace:
    """Where a page of decisions ends: newest first, then by key."""

    at_ns: int
    conversation: str
    participant: str
    modality: str


async def write_rulings(connection: AsyncConnection, news: PolicyNews) -> list[Ruling]:
    """Store what is not on record yet, in the transaction of the caller; returns just that.

    Read again after a restart, the same decisions add nothing. A fact that came late
    corrects the row of its time. Under another profile than before, a decision holds from
    the next window of its participant: what was decided before stays on record.
    """
    query = select(policy_decisions).where(
        policy_decisions.c.tenant == news.key.tenant,
        policy_decisions.c.conversation == news.key.conversation,
    )
    known: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for stored in (await connection.execute(query)).mappings():
        known[stored["participant"], stored["modality"]][stored["at_ns"]] = dict(stored)
    rows, written = [], []
    for ruling in sorted(news.rulings, key=lambda item: item.at_ns):
        row = _row(news.key, ruling)
        standing = known[ruling.participant, ruling.modality.value]
        there = standing.get(ruling.at_ns)
        if there is not None and there["profile"] != ruling.profile:
            row["at_ns"] = max(ruling.at_ns, news.passed.get(ruling.participant, 0))
        if not _says_the_same(_at(standing, row["at_ns"]), row):
            standing[row["at_ns"]] = row
            rows.append(row)
            written.append(ruling)
    if rows:
        statement = insert_into(connection, policy_decisions)
        changed = {name: statement.excluded[name] for name in (*_SAYS, "facts")}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=list(_KEY), set_=changed), rows
        )
    return written


async def read_decisions(engine: AsyncEngine, key: ConversationKey) -> list[StoredDecision]:
    """Decisions of one conversation by time, participant and modality.

    Raises StoreUnavailableError.
    """
    table = policy_decisions
    query = (
        select(table)
        .where(table.c.tenant == key.tenant, table.c.conversation == key.conversation)
        .order_by(table.c.at_ns, table.c.participant, table.c.modality)
    )
    return await _read(engine, query)


async def permitted_now(
    connection: AsyncConnection, tenant: str, conversations: Collection[str]
) -> dict[tuple[str, str], bool]:
    """Whether the newest decisions leave anything to analyse, by conversation and participant.

    Whom nothing was decided about is left out.
    """
    column = policy_decisions.c
    query = (
        select(column.conversation, column.participant, column.modality, column.allowed)
        .where(column.tenant == tenant, column.conversation.in_(conversations))
        .order_by(column.at_ns)
    )
    newest = {
        (row.conversation, row.participant, row.modality): bool(row.allowed)
        for row in await connection.execute(query)
    }
    permitted: dict[tuple[str, str], bool] = {}
    for (conversation, participant, _), allowed in newest.items():
        key = (conversation, participant)
        permitted[key] = permitted.get(key, False) or allowed
    return permitted


async def list_decisions(
    engine: AsyncEngine,
    tenant: str,
    *,
    allowed: bool | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
    after: DecisionPlace | None = None,
    limit: int,
) -> list[StoredDecision]:
    """Decisions of a tenant, newest first.

    Args:
        engine: of the database.
        tenant: only theirs.
        allowed: only those that allowed, or only those that did not.
        from_ns: only decisions that hold from this time or later.
        to_ns: only decisions that hold from before this.
        after: where the page before ended.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    table = policy_decisions
    names = (table.c.conversation, table.c.participant, table.c.modality)
    query = select(table).where(table.c.tenant == tenant)
    if allowed is not None:
        query = query.where(table.c.allowed.is_(allowed))
    if from_ns is not None:
        query = query.where(table.c.at_ns >= from_ns)
    if to_ns is not None:
        query = query.where(table.c.at_ns < to_ns)
    if after is not None:
        place = (after.conversation, after.participant, after.modality)
        query = query.where(
            or_(
                table.c.at_ns < after.at_ns,
                (table.c.at_ns == after.at_ns) & (tuple_(*names) > tuple_(*place)),
            )
        )
    return await _read(engine, query.order_by(table.c.at_ns.desc(), *names).limit(limit))


async def _read(engine: AsyncEngine, query: Select[Any]) -> list[StoredDecision]:
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [
        StoredDecision(
            row["conversation"],
            Ruling(
                participant=row["participant"],
                modality=Modality(row["modality"]),
                at_ns=row["at_ns"],
                allowed=row["allowed"],
                reason=row["reason"],
                profile=row["profile"],
                facts=row["facts"],
            ),
        )
        for row in rows
    ]


def _row(key: ConversationKey, ruling: Ruling) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "conversation": key.conversation,
        "participant": ruling.participant,
        "modality": ruling.modality.value,
        "at_ns": ruling.at_ns,
        "allowed": ruling.allowed,
        "reason": ruling.reason,
        "profile": ruling.profile,
        "facts": dict(ruling.facts),
    }


def _at(rows: Mapping[int, Mapping[str, Any]], at_ns: int) -> Mapping[str, Any] | None:
    """The row that holds at `at_ns`; before all of them the first, which was there already."""
    times: Sequence[int] = sorted(rows)
    earlier = [time_ns for time_ns in times if time_ns <= at_ns]
    if earlier:
        return rows[earlier[-1]]
    return rows[times[0]] if times else None


def _says_the_same(stored: Mapping[str, Any] | None, row: Mapping[str, Any]) -> bool:
    return stored is not None and all(stored[name] == row[name] for name in _SAYS)
