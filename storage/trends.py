"""Sums over many conversations, from the rollups of the live run: by group and stretch of time.

The conversation is the unit: windows of one call are alike, so what a mean is worth is judged
by leaving out one conversation at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Double, Select, and_, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import EMOTIONS, Emotion, Role
from storage.engine import snapshot
from storage.schema import SCALE, participants, rollups
from storage.values import LIVE_RUN

_SUMS: Final = (
    "windows",
    "scored",
    "distress_sum",
    "arousal_sum",
    "valence_sum",
    *(f"{emotion}_sum" for emotion in EMOTIONS),
)


class Group(StrEnum):
    """What conversations are brought together by."""

    QUEUE = "queue"
    ROLE = "role"
    LANGUAGE = "language"
    AGENT = "agent"
    """Conversations in which this agent takes part; never what the agent expressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which rollups are summed, and how."""

    tenant: str
    group: Group
    from_ns: int
    to_ns: int
    """Minutes that start in `[from_ns, to_ns)`."""
    width_ns: int
    """Of a bucket; the first one begins at `from_ns`."""
    role: Role | None = Role.CUSTOMER
    """Whose windows; None for everybody's."""
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One group in one bucket. Means are over the scored windows, None where there is none."""

    key: str
    start_ns: int
    end_ns: int
    conversations: int
    """Distinct ones with a scored window: what the means rest on."""
    windows: int
    scored: int
    distress: float | None
    distress_variance: float
    """Of the mean, by the delete-one-conversation jackknife; 0 for fewer than two."""
    emotions: Mapping[Emotion, float] | None
    arousal: float | None
    valence: float | None


async def read_cells(engine: AsyncEngine, stretch: Stretch) -> list[Cell]:
    """Cells of a stretch by start and key; a bucket in which a group has no window has none.

    The mean is `r = sum(y) / sum(n)` over conversations with `n` scored windows of summed
    distress `y`: a ratio, additive over buckets. Its variance is that of the jackknife over
    conversations, `(k - 1) / k * sum((r_without_one - r) ** 2)` (Efron and Stein 1981), around
    `r` itself instead of the mean of the leave-one-out values, which is never smaller.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        rows = (await connection.execute(_query(stretch))).mappings().all()
    return [_cell(row, stretch) for row in rows]


def _query(stretch: Stretch) -> Select[Any]:
    each = _by_conversation(stretch).subquery()
    cell = (each.c.key, each.c.bucket_ns)
    beside = select(
        each,
        func.sum(each.c.scored).over(partition_by=cell).label("all_scored"),
        func.sum(each.c.distress_sum).over(partition_by=cell).label("all_distress"),
    ).subquery()
    column = beside.c
    # A conversation that holds every scored window has no rest: null, and left out of the sum.
    mean = column.all_distress / func.nullif(column.all_scored, 0.0)
    rest = (column.all_distress - column.distress_sum) / func.nullif(
        column.all_scored - column.scored, 0.0
    )
    return (
        select(
            column.key,
            column.bucket_ns,
            func.sum(case((column.scored > 0, 1), else_=0)).label("conversations"),
            *(func.sum(column[name]).label(name) for name in _SUMS),
            func.sum((rest - mean) * (rest - mean)).label("shifts"),
        )
        .group_by(column.key, column.bucket_ns)
        .order_by(column.bucket_ns, column.key)
    )


def _by_conversation(stretch: Stretch) -> Select[Any]:
    """Sums of each conversation in each bucket, in whole numbers."""
    table = rollups
    bucket = table.c.minute_ns - (table.c.minute_ns - stretch.from_ns) % stretch.width_ns
    key: ColumnElement[Any] = (
        participants.c.participant if stretch.group is Group.AGENT else table.c[stretch.group.value]
    )
    query = select(
        key.label("key"),
        bucket.label("bucket_ns"),
        table.c.conversation,
        *(func.sum(cast(table.c[name], Double)).label(name) for name in _SUMS),
    ).where(
        table.c.tenant == stretch.tenant,
        table.c.run == LIVE_RUN,
        table.c.minute_ns >= stretch.from_ns,
        table.c.minute_ns < stretch.to_ns,
    )
    if stretch.group is Group.AGENT:
        query = query.join(
            participants,
            and_(
                participants.c.tenant == table.c.tenant,
                participants.c.conversation == table.c.conversation,
                participants.c.role == Role.AGENT.value,
            ),
        )
    if stretch.role is not None:
        query = query.where(table.c.role == stretch.role.value)
    if stretch.queue is not None:
        query = query.where(table.c.queue == stretch.queue)
    return query.group_by(key, bucket, table.c.conversation)


def _cell(row: Mapping[Any, Any], stretch: Stretch) -> Cell:
    scored, conversations = int(row["scored"]), int(row["conversations"])

    def mean(name: str) -> float | None:
        return row[f"{name}_sum"] / SCALE / scored if scored else None

    emotions = {emotion: row[f"{emotion}_sum"] / SCALE / scored for emotion in EMOTIONS if scored}
    shifts = (row["shifts"] or 0.0) / SCALE**2
    return Cell(
        key=row["key"],
        start_ns=int(row["bucket_ns"]),
        end_ns=min(int(row["bucket_ns"]) + stretch.width_ns, stretch.to_ns),
        conversations=conversations,
        windows=int(row["windows"]),
        scored=scored,
        distress=mean("distress"),
        distress_variance=shifts * (conversations - 1) / conversations if conversations else 0.0,
        emotions=emotions or None,
        arousal=mean("arousal"),
        valence=mean("valence"),
    )
