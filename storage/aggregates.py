"""What the cache holds of each participant, read from SQL: absolute values, never increments."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Emotion, Role
from storage.engine import snapshot
from storage.schema import SCALE, conversations, participants, progress, rollups, window_scores
from storage.values import LIVE_RUN, ConversationKey


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """One participant of the live run, up to `closed_until_ns`."""

    tenant: str
    conversation: str
    participant: str
    queue: str
    role: Role
    closed_until_ns: int
    ended: bool
    """Whether the conversation is over."""
    windows: int
    scored: int
    """Windows with any estimate."""
    distress_mean: float | None
    """Over the scored windows."""
    distress_smoothed: float | None
    """Of the newest window."""
    label: Emotion | None
    """Of the newest window; None where it abstained."""
    flushed_until_ns: int = 0

    @property
    def version(self) -> str:
        """Sorts as text; a value made from newer progress has a greater one.

        A withdrawal of consent moves only the flush point: its value has fewer windows.
        """
        return f"{self.closed_until_ns:020d}{int(self.ended)}{self.flushed_until_ns:020d}"


async def read_aggregates(
    engine: AsyncEngine, keys: Collection[ConversationKey] | None = None
) -> list[Aggregate]:
    """Aggregates of these conversations, or of all, in one snapshot.

    Raises StoreUnavailableError.
    """
    key = ("tenant", "conversation", "participant")
    counted = (
        select(
            *(rollups.c[name] for name in key),
            func.sum(rollups.c.windows).label("windows"),
            func.sum(rollups.c.scored).label("scored"),
            func.sum(rollups.c.distress_sum).label("distress_sum"),
        )
        .where(rollups.c.run == LIVE_RUN)
        .group_by(*(rollups.c[name] for name in key))
        .subquery()
    )
    query = (
        select(
            *(progress.c[name] for name in key),
            progress.c.closed_until_ns,
            progress.c.flushed_until_ns,
            conversations.c.queue,
            conversations.c.ended_ns,
            participants.c.role,
            counted.c.windows,
            counted.c.scored,
            counted.c.distress_sum,
            window_scores.c.distress_smoothed,
            window_scores.c.label,
            window_scores.c.abstained,
        )
        .join(
            conversations,
            and_(*(conversations.c[name] == progress.c[name] for name in key[:2])),
        )
        .join(participants, and_(*(participants.c[name] == progress.c[name] for name in key)))
        .outerjoin(counted, and_(*(counted.c[name] == progress.c[name] for name in key)))
        .outerjoin(
            window_scores,
            and_(
                *(window_scores.c[name] == progress.c[name] for name in key),
                window_scores.c.run == LIVE_RUN,
                window_scores.c.end_ns == progress.c.closed_until_ns,
            ),
        )
        .where(progress.c.run == LIVE_RUN)
        .order_by(*(progress.c[name] for name in key))
    )
    if keys is not None:
        wanted = [(item.tenant, item.conversation) for item in keys]
        query = query.where(tuple_(progress.c.tenant, progress.c.conversation).in_(wanted))
    async with snapshot(engine) as connection:
        return [_aggregate(dict(row)) for row in (await connection.execute(query)).mappings()]


async def unknown_among(
    engine: AsyncEngine, keys: Collection[ConversationKey]
) -> set[ConversationKey]:
    """Which of these conversations have no row, because nothing is stored or all was erased.

    Raises StoreUnavailableError.
    """
    columns = (conversations.c.tenant, conversations.c.conversation)
    query = select(*columns).where(
        tuple_(*columns).in_([(key.tenant, key.conversation) for key in keys])
    )
    async with snapshot(engine) as connection:
        known = {ConversationKey(*row) for row in await connection.execute(query)}
    return set(keys) - known


def _aggregate(row: dict[str, Any]) -> Aggregate:
    scored = int(row["scored"] or 0)
    named = row["label"] is not None and not row["abstained"]
    return Aggregate(
        tenant=row["tenant"],
        conversation=row["conversation"],
        participant=row["participant"],
        queue=row["queue"],
        role=Role(row["role"]),
        closed_until_ns=row["closed_until_ns"],
        ended=row["ended_ns"] is not None,
        windows=int(row["windows"] or 0),
        scored=scored,
        distress_mean=round(int(row["distress_sum"]) / SCALE / scored, 4) if scored else None,
        distress_smoothed=row["distress_smoothed"],
        label=Emotion(row["label"]) if named else None,
        flushed_until_ns=row["flushed_until_ns"],
    )
