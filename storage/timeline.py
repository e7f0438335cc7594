"""The timeline of a conversation: its windows in pages, or means of stretches of time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from sqlalchemy import Select, Table, case, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import EMOTIONS, MODALITIES, Emotion, Modality
from inference.score import DECIMALS, WindowScore
from storage.carried import carried_through
from storage.engine import snapshot
from storage.rows import Row
from storage.schema import conversations, window_evidence, window_scores
from storage.scores import read_scores
from storage.values import ConversationKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which part of a timeline."""

    key: ConversationKey
    run: str
    participant: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    """Windows that start in `[from_ns, to_ns)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One participant in `[start_ns, end_ns)`: the windows that start there."""

    participant: str
    start_ns: int
    end_ns: int
    windows: int
    scored: int
    abstained: int
    partial: int
    distress_mean: float | None
    distress_max: float | None
    smoothed_mean: float | None
    emotions: dict[Emotion, float] | None
    """Means over the scored windows."""
    weights: dict[Modality, float]
    """Mean share of each modality that was present in any window, over those windows."""
    change_mean: float | None = None
    """Over the windows in which the voice could be compared with its owner's own."""
    arousal_mean: float | None = None
    valence_mean: float | None = None
    """Both over the scored windows."""
    conflict_mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is stored of a conversation under one run: changes whenever a window does."""

    started_ns: int
    ended_ns: int | None
    windows: int
    closed_until_ns: int
    """End of the newest window, 0 where there is none."""


class _Timed(Protocol):
    @property
    def start_ns(self) -> int: ...


T = TypeVar("T", bound=_Timed)


async def read_extent(engine: AsyncEngine, key: ConversationKey, run: str) -> Extent | None:
    """The extent of one conversation; None where nothing is stored of it.

    Raises StoreUnavailableError.
    """
    table = window_scores
    counted = select(func.count(), func.max(table.c.end_ns)).where(
        table.c.tenant == key.tenant,
        table.c.run == run,
        table.c.conversation == key.conversation,
    )
    facts = select(conversations.c.started_ns, conversations.c.ended_ns).where(
        conversations.c.tenant == key.tenant, conversations.c.conversation == key.conversation
    )
    async with snapshot(engine) as connection:
        found = (await connection.execute(facts)).first()
        if found is None:
            return None
        windows, newest_ns = (await connection.execute(counted)).one()
    return Extent(
        started_ns=found.started_ns,
        ended_ns=found.ended_ns,
        windows=windows,
        closed_until_ns=newest_ns or 0,
    )


@carried_through
async def window_page(
    engine: AsyncEngine, wanted: Wanted, limit: int
) -> tuple[Sequence[WindowScore], int | None]:
    """Windows by start and participant, and where the next page starts (None: nowhere).

    A page holds whole instants: about `limit` windows, more only where more participants
    have a window at one instant. Raises StoreUnavailableError.
    """

    async def read(part: Wanted, most: int | None) -> list[WindowScore]:
        return await read_scores(
            engine,
            part.key,
            part.run,
            participant=part.participant,
            from_ns=part.from_ns,
            to_ns=part.to_ns,
            limit=most,
        )

    windows, next_ns = _whole_instants(await read(wanted, limit + 1), limit)
    if windows or next_ns is None:
        return windows, next_ns
    instant = replace(wanted, from_ns=next_ns, to_ns=next_ns + 1)
    return await read(instant, None), next_ns + 1


async def bucket_page(
    engine: AsyncEngine, wanted: Wanted, width_ns: int, limit: int
) -> tuple[Sequence[Bucket], int | None]:
    """Means over `width_ns`, aligned to zero of the epoch; pages as in `window_page`.

    Raises StoreUnavailableError.
    """

    async def read(part: Wanted, most: int | None) -> list[Bucket]:
        async with snapshot(engine) as connection:
            rows = (await connection.execute(_means(part, width_ns).limit(most))).mappings().all()
            weights: dict[tuple[str, int], dict[Modality, float]] = defaultdict(dict)
            if rows:
                until_ns = rows[-1]["bucket_ns"] + width_ns
                query = _weights(replace(part, to_ns=_earlier(part.to_ns, until_ns)), width_ns)
                for row in (await connection.execute(query)).mappings():
                    modality = Modality(row["modality"])
                    weights[row["participant"], row["bucket_ns"]][modality] = _rounded(
                        row["weight"]
                    )
        return [_bucket(row, width_ns, weights) for row in rows]

    buckets, next_ns = _whole_instants(await read(wanted, limit + 1), limit)
    if buckets or next_ns is None:
        return buckets, next_ns
    end_ns = next_ns + width_ns
    instant = replace(wanted, from_ns=next_ns, to_ns=_earlier(wanted.to_ns, end_ns))
    return await read(instant, None), end_ns


def _whole_instants(found: Sequence[T], limit: int) -> tuple[Sequence[T], int | None]:
    """Leave out the last instant where there is more than fits: it may be cut in half."""
    if len(found) <= limit:
        return found, None
    edge_ns = found[-1].start_ns
    return [one for one in found if one.start_ns < edge_ns], edge_ns


def _earlier(one_ns: int | None, other_ns: int) -> int:
    return other_ns if one_ns is None else min(one_ns, other_ns)


def _within(table: Table, wanted: Wanted, width_ns: int, *columns: Any) -> Select[Any]:
    query = select(
        table.c.participant,
        (table.c.start_ns - table.c.start_ns % width_ns).label("bucket_ns"),
        *columns,
    ).where(
        table.c.tenant == wanted.key.tenant,
        table.c.run == wanted.run,
        table.c.conversation == wanted.key.conversation,
    )
    if wanted.participant is not None:
        query = query.where(table.c.participant == wanted.participant)
    if wanted.from_ns is not None:
        query = query.where(table.c.start_ns >= wanted.from_ns)
    if wanted.to_ns is not None:
        query = query.where(table.c.start_ns < wanted.to_ns)
    return query


def _means(wanted: Wanted, width_ns: int) -> Select[Any]:
    table = window_scores
    windows = _within(
        table,
        wanted,
        width_ns,
        table.c.distress,
        table.c.distress_smoothed,
        table.c.change,
        table.c.arousal,
        table.c.valence,
        table.c.conflict,
        case((table.c.abstained, 1), else_=0).label("abstained"),
        case((table.c.partial, 1), else_=0).label("partial"),
        *(table.c.emotions[label.value].as_float().label(label.value) for label in EMOTIONS),
    ).subquery()
    column = windows.c
    return (
        select(
            column.participant,
            column.bucket_ns,
            func.count().label("windows"),
            func.count(column[EMOTIONS[0].value]).label("scored"),
            func.sum(column.abstained).label("abstained"),
            func.sum(column.partial).label("partial"),
            func.avg(column.distress).label("distress_mean"),
            func.max(column.distress).label("distress_max"),
            func.avg(column.distress_smoothed).label("smoothed_mean"),
            func.avg(column.change).label("change_mean"),
            func.avg(column.arousal).label("arousal_mean"),
            func.avg(column.valence).label("valence_mean"),
            func.avg(column.conflict).label("conflict_mean"),
            *(func.avg(column[label.value]).label(label.value) for label in EMOTIONS),
        )
        .group_by(column.participant, column.bucket_ns)
        .order_by(column.bucket_ns, column.participant)
    )


def _weights(wanted: Wanted, width_ns: int) -> Select[Any]:
    table = window_evidence
    rows = (
        _within(table, wanted, width_ns, table.c.modality, table.c.weight)
        .where(table.c.present)
        .subquery()
    )
    column = rows.c
    return select(
        column.participant,
        column.bucket_ns,
        column.modality,
        func.avg(column.weight).label("weight"),
    ).group_by(column.participant, column.bucket_ns, column.modality)


def _bucket(
    row: Row, width_ns: int, weights: Mapping[tuple[str, int], Mapping[Modality, float]]
) -> Bucket:
    shares = weights.get((row["participant"], row["bucket_ns"]), {})
    return Bucket(
        participant=row["participant"],
        start_ns=row["bucket_ns"],
        end_ns=row["bucket_ns"] + width_ns,
        windows=row["windows"],
        scored=row["scored"],
        abstained=int(row["abstained"]),
        partial=int(row["partial"]),
        distress_mean=_maybe(row["distress_mean"]),
        distress_max=_maybe(row["distress_max"]),
        smoothed_mean=_maybe(row["smoothed_mean"]),
        emotions={label: _rounded(row[label.value]) for label in EMOTIONS}
        if row["scored"]
        else None,
        weights={modality: shares[modality] for modality in MODALITIES if modality in shares},
        change_mean=_maybe(row["change_mean"]),
        arousal_mean=_maybe(row["arousal_mean"]),
        valence_mean=_maybe(row["valence_mean"]),
        conflict_mean=_maybe(row["conflict_mean"]),
    )


def _maybe(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)
