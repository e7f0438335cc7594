"""Labels that a tenant described in words of its own, and what people judged of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine import snapshot, transaction
from storage.errors import StorageError
from storage.inserts import insert_into
from storage.moments import MomentKey
from storage.schema import label_judgements, moments, own_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLabel:
    """One label, by the sentences that describe it, and how much of it was judged."""

    name: str
    prompts: tuple[str, ...]
    created_ns: int
    """Wall time of the first sentences; later ones do not change it."""
    created_by: str
    holds: int = 0
    """Moments for which people said that it holds."""
    holds_not: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJudgement:
    """Whether a label holds for a moment, as somebody said last."""

    key: MomentKey
    holds: bool
    judged_ns: int
    judged_by: str


class TooManyLabelsError(StorageError):
    """The tenant has as many labels as it may have."""


async def put_label(
    engine: AsyncEngine,
    tenant: str,
    name: str,
    prompts: Sequence[str],
    *,
    by: str,
    now_ns: int,
    most: int,
) -> OwnLabel:
    """Make a label, or describe it anew: what was judged of it stays.

    Args:
        engine: of the database.
        tenant: whose.
        name: of the label.
        prompts: what describes it, each a query of its own.
        by: who makes it.
        now_ns: wall time.
        most: labels of a tenant.

    Raises TooManyLabelsError, StoreUnavailableError.
    """
    row: dict[str, Any] = {"prompts": list(prompts)}
    this = (own_labels.c.tenant == tenant) & (own_labels.c.label == name)
    async with transaction(engine) as connection:
        done = await connection.execute(update(own_labels).where(this).values(row))
        if not done.rowcount:
            counted = select(func.count()).where(own_labels.c.tenant == tenant)
            if (await connection.scalar(counted) or 0) >= most:
                raise TooManyLabelsError(f"a tenant has at most {most} labels: delete one first")
            row |= {"tenant": tenant, "label": name, "created_ns": now_ns, "created_by": by}
            await connection.execute(insert(own_labels).values(row))
        (label,) = await _read(connection, tenant, name)
    return label


async def list_labels(engine: AsyncEngine, tenant: str) -> list[OwnLabel]:
    """Every label of a tenant by name. Raises StoreUnavailableError."""
    async with snapshot(engine) as connection:
        return await _read(connection, tenant)


async def read_label(engine: AsyncEngine, tenant: str, name: str) -> OwnLabel | None:
    """One label; None where the tenant has none of this name. Raises StoreUnavailableError."""
    async with snapshot(engine) as connection:
        found = await _read(connection, tenant, name)
    return found[0] if found else None


async def delete_label(engine: AsyncEngine, tenant: str, name: str) -> bool:
    """Delete a label with what was judged of it; False where there is none.

    Raises StoreUnavailableError.
    """
    async with transaction(engine) as connection:
        judged, this = (
            delete(table).where(table.c.tenant == tenant, table.c.label == name)
            for table in (label_judgements, own_labels)
        )
        await connection.execute(judged)
        return bool((await connection.execute(this)).rowcount)


async def judge_moment(
    engine: AsyncEngine, tenant: str, name: str, judgement: LabelJudgement
) -> OwnLabel | None:
    """Say whether a label holds for a moment; the last word stands.

    Returns the label with its counts, None where the tenant has no such label or moment.

    Raises StoreUnavailableError.
    """
    key = judgement.key
    row = {
        "tenant": tenant,
        "label": name,
        **key._asdict(),
        "holds": judgement.holds,
        "judged_ns": judgement.judged_ns,
        "judged_by": judgement.judged_by,
    }
    there = select(moments.c.start_ns).where(
        moments.c.tenant == tenant,
        moments.c.conversation == key.conversation,
        moments.c.participant == key.participant,
        moments.c.start_ns == key.start_ns,
    )
    async with transaction(engine) as connection:
        # locked, so that nothing is judged of a moment that is being erased
        if await connection.scalar(there.with_for_update()) is None:
            return None
        if not await _read(connection, tenant, name):
            return None
        statement = insert_into(connection, label_judgements).values(row)
        news = {word: row[word] for word in ("holds", "judged_ns", "judged_by")}
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(label_judgements.primary_key.columns), set_=news
            )
        )
        (label,) = await _read(connection, tenant, name)
    return label


async def read_judgements(
    engine: AsyncEngine, tenant: str, name: str, *, most: int
) -> list[LabelJudgement]:
    """What was judged of a label, the newest first. Raises StoreUnavailableError."""
    table = label_judgements
    query = (
        select(table)
        .where(table.c.tenant == tenant, table.c.label == name)
        .order_by(
            table.c.judged_ns.desc(), table.c.conversation, table.c.participant, table.c.start_ns
        )
        .limit(most)
    )
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [
        LabelJudgement(
            key=MomentKey(row["conversation"], row["participant"], row["start_ns"]),
            holds=row["holds"],
            judged_ns=row["judged_ns"],
            judged_by=row["judged_by"],
        )
        for row in rows
    ]


async def judged_of(
    engine: AsyncEngine, tenant: str, name: str, keys: Collection[MomentKey]
) -> dict[MomentKey, bool]:
    """What was said of those of `keys` of which anything was. Raises StoreUnavailableError."""
    table = label_judgements
    query = select(table.c.conversation, table.c.participant, table.c.start_ns, table.c.holds)
    query = query.where(
        table.c.tenant == tenant,
        table.c.label == name,
        table.c.conversation.in_(sorted({key.conversation for key in keys})),
    )
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).all()
    said = {MomentKey(row.conversation, row.participant, row.start_ns): row.holds for row in rows}
    return {key: said[key] for key in keys if key in said}


async def _read(
    connection: AsyncConnection, tenant: str, name: str | None = None
) -> list[OwnLabel]:
    counted = (
        select(
            label_judgements.c.label,
            label_judgements.c.holds,
            func.count().label("number"),
        )
        .where(label_judgements.c.tenant == tenant)
        .group_by(label_judgements.c.label, label_judgements.c.holds)
    )
    query = select(own_labels).where(own_labels.c.tenant == tenant).order_by(own_labels.c.label)
    if name is not None:
        counted = counted.where(label_judgements.c.label == name)
        query = query.where(own_labels.c.label == name)
    numbers = {(row.label, row.holds): row.number for row in await connection.execute(counted)}
    return [
        OwnLabel(
            name=row.label,
            prompts=tuple(row.prompts),
            created_ns=row.created_ns,
            created_by=row.created_by,
            holds=numbers.get((row.label, True), 0),
            holds_not=numbers.get((row.label, False), 0),
        )
        for row in await connection.execute(query)
    ]
