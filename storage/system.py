"""How the system is doing, from what it stored: of a tenant, and of the outbox as a whole."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Select, Table, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.score import Versions
from inference.units import SECOND_NS
from storage.engine import snapshot
from storage.schema import conversations, deliveries, progress, window_evidence, window_scores
from storage.values import LIVE_RUN

STALE_AFTER_NS: Final = 60 * SECOND_NS
"""A live participant whose windows stand still this long is shown: a sender that stalled, or a
worker that does not keep up."""
MOST_STALE: Final = 50
PRESENT: Final = "present"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Delay:
    """Wall time less the event time up to which live participants are scored, in seconds."""

    median_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Stale:
    """A participant of a live conversation whose windows stand still."""

    conversation: str
    participant: str
    closed_until_ns: int


@dataclass(frozen=True, slots=True)
class VersionCount:
    """How many windows were scored by one combination of versions."""

    versions: Versions
    windows: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one sink still has to take."""

    waiting: int
    oldest_ns: int | None
    """Event time of the oldest that waits."""
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemState:
    """One tenant's system over a stretch of event time."""

    live: int
    delay: Delay | None
    """None where nobody is on the line, or everybody stands still."""
    stale: tuple[Stale, ...]
    """The longest first, at most `MOST_STALE`."""
    windows: int
    modalities: Mapping[str, Mapping[str, int]]
    """Windows by modality and by `present` or reason of absence."""
    partial: int
    abstained: int
    shed: Mapping[str, int]
    versions: tuple[VersionCount, ...]
    """Most windows first."""
    outbox: Mapping[str, Waiting]


async def read_system(
    engine: AsyncEngine, tenant: str, *, now_ns: int, since_ns: int
) -> SystemState:
    """The state of a tenant's system.

    Args:
        engine: of the database.
        tenant: only theirs.
        now_ns: wall time.
        since_ns: windows that start here or later are counted.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        live = await connection.scalar(
            select(func.count()).where(
                conversations.c.tenant == tenant, conversations.c.ended_ns.is_(None)
            )
        )
        standing = await _standing(connection, tenant)
        counts = await _windows(connection, tenant, since_ns)
        shed = await _shed(connection, tenant, since_ns)
        return SystemState(
            live=live or 0,
            delay=_delay(standing, now_ns),
            stale=tuple(item for item in standing if _stale(item, now_ns))[:MOST_STALE],
            windows=sum(item.windows for item in counts.versions),
            modalities=await _modalities(connection, tenant, since_ns),
            partial=counts.partial,
            abstained=counts.abstained,
            shed=shed,
            versions=counts.versions,
            outbox=await _outbox(connection, tenant),
        )


async def read_outbox(engine: AsyncEngine) -> Mapping[str, Waiting]:
    """What each sink still has to take, of all tenants. Raises StoreUnavailableError."""
    async with snapshot(engine) as connection:
        return await _outbox(connection, None)


async def _standing(connection: AsyncConnection, tenant: str) -> list[Stale]:
    """How far each participant of a live conversation is scored, the furthest behind first."""
    query = (
        select(progress.c.conversation, progress.c.participant, progress.c.closed_until_ns)
        .join(
            conversations,
            (conversations.c.tenant == progress.c.tenant)
            & (conversations.c.conversation == progress.c.conversation),
        )
        .where(
            progress.c.tenant == tenant,
            progress.c.run == LIVE_RUN,
            conversations.c.ended_ns.is_(None),
        )
        .order_by(progress.c.closed_until_ns, progress.c.conversation, progress.c.participant)
    )
    return [Stale(*row) for row in await connection.execute(query)]


def _stale(item: Stale, now_ns: int) -> bool:
    return now_ns - item.closed_until_ns > STALE_AFTER_NS


def _delay(standing: list[Stale], now_ns: int) -> Delay | None:
    """Of those who do not stand still: one call that nobody hung up says nothing of the others."""
    delays = [now_ns - item.closed_until_ns for item in standing if not _stale(item, now_ns)]
    if not delays:
        return None
    middle = len(delays) // 2  # they descend
    median_ns = (delays[middle] + delays[-middle - 1]) / 2
    return Delay(max(median_ns, 0) / SECOND_NS, max(delays[0], 0) / SECOND_NS)


@dataclass(frozen=True, slots=True)
class _Counts:
    partial: int
    abstained: int
    versions: tuple[VersionCount, ...]


def _lately(query: Select[Any], table: Table, tenant: str, since_ns: int) -> Select[Any]:
    """Only live windows since then, looked up by the conversations that may have any."""
    running = select(conversations.c.conversation).where(
        conversations.c.tenant == tenant,
        or_(conversations.c.ended_ns.is_(None), conversations.c.ended_ns >= since_ns),
    )
    return query.where(
        table.c.tenant == tenant,
        table.c.run == LIVE_RUN,
        table.c.conversation.in_(running),
        table.c.start_ns >= since_ns,
    )


async def _windows(connection: AsyncConnection, tenant: str, since_ns: int) -> _Counts:
    table = window_scores
    names = Versions.__struct_fields__
    parts = [table.c.versions[name].as_string() for name in names]
    query = _lately(
        select(
            *parts,
            func.count(),
            func.sum(case((table.c.partial, 1), else_=0)),
            func.sum(case((table.c.abstained, 1), else_=0)),
        ),
        table,
        tenant,
        since_ns,
    ).group_by(*parts)
    rows = [tuple(row) for row in await connection.execute(query)]
    counted = [
        VersionCount(_versions(dict(zip(names, versions, strict=True))), windows)
        for *versions, windows, _, _ in rows
    ]
    return _Counts(
        partial=sum(row[-2] for row in rows),
        abstained=sum(row[-1] for row in rows),
        versions=tuple(sorted(counted, key=lambda item: (-item.windows, str(item.versions)))),
    )


def _versions(parts: dict[str, str | None]) -> Versions:
    """From the texts of its fields; that of `methods` is JSON, and missing where none was on."""
    methods = parts.pop("methods") or "{}"
    return msgspec.convert({**parts, "methods": msgspec.json.decode(methods)}, Versions)


async def _shed(connection: AsyncConnection, tenant: str, since_ns: int) -> Mapping[str, int]:
    """Grouped by the whole list: there are few, and no database has to take them apart."""
    steps = window_scores.c.shed
    query = _lately(select(steps, func.count()), window_scores, tenant, since_ns).group_by(steps)
    shed: Counter[str] = Counter()
    for names, count in await connection.execute(query):
        shed.update(dict.fromkeys(names, count))
    return dict(shed)


async def _modalities(
    connection: AsyncConnection, tenant: str, since_ns: int
) -> Mapping[str, Mapping[str, int]]:
    table = window_evidence
    outcome = case((table.c.present, PRESENT), else_=func.coalesce(table.c.reason, UNKNOWN))
    query = _lately(
        select(table.c.modality, outcome, func.count()), table, tenant, since_ns
    ).group_by(table.c.modality, outcome)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for modality, name, count in await connection.execute(query):
        found[modality][name] = count
    return found


async def _outbox(connection: AsyncConnection, tenant: str | None) -> Mapping[str, Waiting]:
    table = deliveries
    query = select(
        table.c.sink,
        func.sum(case((table.c.dead, 0), else_=1)),
        func.min(case((table.c.dead, None), else_=table.c.at_ns)),
        func.sum(case((table.c.dead, 1), else_=0)),
    ).group_by(table.c.sink)
    if tenant is not None:
        query = query.where(table.c.tenant == tenant)
    return {
        sink: Waiting(waiting, oldest_ns, dead)
        for sink, waiting, oldest_ns, dead in await connection.execute(query.order_by(table.c.sink))
    }
