"""Conversations as they stand: who takes part, and how the newest windows read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.labels import Role
from inference.score import DECIMALS, WindowScore
from inference.units import MINUTE_NS
from storage.carried import carried_through
from storage.decisions import permitted_now
from storage.engine import snapshot
from storage.schema import (
    SCALE,
    conversations,
    participants,
    progress,
    rollups,
    window_scores,
)
from storage.scores import scores_at
from storage.values import LIVE_RUN, ConversationKey

HOLD_NS: Final = 30_000_000_000
"""An estimate stands for this long after the last window that had one: people listen, too."""
LONGEST_WINDOW_NS: Final = MINUTE_NS
TREND_NS: Final = 10 * MINUTE_NS
"""How far back the trend of a participant reaches from their newest window."""
_KEY: Final = ("tenant", "run", "conversation", "participant")


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How the windows read that start in the minute from `minute_ns` on."""

    minute_ns: int
    distress: float | None
    """Their mean distress; None where there was nothing to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One participant now, under the run `live`."""

    participant: str
    role: Role
    joined_ns: int
    latest: WindowScore | None
    """The newest final score."""
    estimated: WindowScore | None
    """The newest final score with a distress estimate, no older than `HOLD_NS`."""
    permitted: bool | None = None
    """Whether policy leaves anything to analyse; None before it decided."""
    trend: tuple[TrendPoint, ...] = ()
    """The last minutes, oldest first."""

    @property
    def distress(self) -> float | None:
        """Smoothed distress that still stands."""
        if self.estimated is None or self.estimated.distress is None:
            return None
        return self.estimated.distress.smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation and everybody in it."""

    conversation: str
    queue: str
    language: str
    region: str
    purpose: str
    channel: str
    started_ns: int
    ended_ns: int | None
    participants: tuple[Standing, ...]

    @property
    def distress(self) -> float | None:
        """The highest among the participants; None where nobody has an estimate."""
        return max(
            (one.distress for one in self.participants if one.distress is not None), default=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Windows of one participant under the run `live`, from the rollups."""

    windows: int
    scored: int
    abstained: int
    partial: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of conversations ends: newest first, then by id."""

    started_ns: int
    conversation: str


async def list_conversations(
    engine: AsyncEngine,
    tenant: str,
    *,
    live: bool | None = None,
    queue: str | None = None,
    min_distress: float | None = None,
    after: Place | None = None,
    limit: int,
) -> list[Conversation]:
    """Conversations of a tenant, newest first.

    Args:
        engine: of the database.
        tenant: only theirs.
        live: True for those that run, False for those that ended, None for both.
        queue: only those that began in it.
        min_distress: only those in which somebody's standing distress is at least this.
        after: where the page before ended.
        limit: at most so many.

    Raises StoreUnavailableError.
    """
    table = conversations
    query = select(table).where(table.c.tenant == tenant)
    if live is not None:
        query = query.where(table.c.ended_ns.is_(None) if live else table.c.ended_ns.is_not(None))
    if queue is not None:
        query = query.where(table.c.queue == queue)
    if min_distress is not None:
        query = query.where(_somebody_at_least(min_distress))
    if after is not None:
        query = query.where(
            or_(
                table.c.started_ns < after.started_ns,
                and_(
                    table.c.started_ns == after.started_ns,
                    table.c.conversation > after.conversation,
                ),
            )
        )
    query = query.order_by(table.c.started_ns.desc(), table.c.conversation).limit(limit)
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
        return await _with_participants(connection, tenant, rows)


async def read_conversation(engine: AsyncEngine, key: ConversationKey) -> Conversation | None:
    """One conversation; None where nothing is stored of it.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        rows = (await connection.execute(_one(key))).mappings().all()
        found = await _with_participants(connection, key.tenant, rows)
    return found[0] if found else None


@carried_through
async def read_queue(engine: AsyncEngine, key: ConversationKey) -> str | None:
    """The queue in which the conversation began; None where nothing is stored of it.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        row = (await connection.execute(_one(key))).mappings().first()
    return None if row is None else str(row["queue"])


async def read_counts(engine: AsyncEngine, key: ConversationKey) -> Mapping[str, Counts]:
    """Counts of the run `live` by participant. Raises StoreUnavailableError."""
    counted = [
        func.sum(rollups.c[name]).label(name)
        for name in ("windows", "scored", "abstained", "partial")
    ]
    query = (
        select(rollups.c.participant, *counted)
        .where(
            rollups.c.tenant == key.tenant,
            rollups.c.conversation == key.conversation,
            rollups.c.run == LIVE_RUN,
        )
        .group_by(rollups.c.participant)
    )
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return {
        row["participant"]: Counts(
            windows=int(row["windows"]),
            scored=int(row["scored"]),
            abstained=int(row["abstained"]),
            partial=int(row["partial"]),
        )
        for row in rows
    }


def _one(key: ConversationKey) -> Select[Any]:
    return select(conversations).where(
        conversations.c.tenant == key.tenant, conversations.c.conversation == key.conversation
    )


def _newest_start(*, estimated: bool) -> ScalarSelect[int]:
    """Start of the newest window of the participant whose progress row the query is at."""
    window = window_scores.alias()
    query = select(func.max(window.c.start_ns)).where(
        *(window.c[name] == progress.c[name] for name in _KEY)
    )
    if estimated:
        query = query.where(
            window.c.distress_smoothed.is_not(None),
            window.c.end_ns >= progress.c.closed_until_ns - HOLD_NS,
            # the same again, by a column of the index
            window.c.start_ns >= progress.c.closed_until_ns - HOLD_NS - LONGEST_WINDOW_NS,
        )
    return query.correlate(progress).scalar_subquery()


def _somebody_at_least(distress: float) -> ColumnElement[bool]:
    """True of a conversation in which a standing estimate is at least `distress`."""
    return exists(
        select(progress.c.participant)
        .where(
            progress.c.tenant == conversations.c.tenant,
            progress.c.conversation == conversations.c.conversation,
            progress.c.run == LIVE_RUN,
            *(window_scores.c[name] == progress.c[name] for name in _KEY),
            window_scores.c.start_ns == _newest_start(estimated=True),
            window_scores.c.distress_smoothed >= distress,
        )
        .correlate(conversations)
    )


async def _with_participants(
    connection: AsyncConnection, tenant: str, rows: Sequence[RowMapping]
) -> list[Conversation]:
    """Add to each conversation its participants, in one query for all."""
    ids = [row["conversation"] for row in rows]
    members = (
        select(participants)
        .where(participants.c.tenant == tenant, participants.c.conversation.in_(ids))
        .order_by(participants.c.joined_ns, participants.c.participant)
    )
    newest = select(
        progress.c.conversation,
        progress.c.participant,
        _newest_start(estimated=False).label("latest"),
        _newest_start(estimated=True).label("estimated"),
    ).where(
        progress.c.tenant == tenant,
        progress.c.run == LIVE_RUN,
        progress.c.conversation.in_(ids),
    )
    starts = {
        (row["conversation"], row["participant"]): (row["latest"], row["estimated"])
        for row in (await connection.execute(newest)).mappings()
    }
    scores = await scores_at(
        connection,
        tenant,
        {(*key, at) for key, pair in starts.items() for at in pair if at is not None},
    )
    trends = await _trends(connection, tenant, ids)
    permitted = await permitted_now(connection, tenant, ids)
    standings: dict[str, list[Standing]] = defaultdict(list)
    for row in (await connection.execute(members)).mappings():
        key = (row["conversation"], row["participant"])
        latest, estimated = starts.get(key, (None, None))
        standings[row["conversation"]].append(
            Standing(
                participant=row["participant"],
                role=Role(row["role"]),
                joined_ns=row["joined_ns"],
                latest=scores.get((*key, latest)),
                estimated=scores.get((*key, estimated)),
                trend=tuple(trends.get(key, ())),
                permitted=permitted.get(key),
            )
        )
    return [
        Conversation(
            conversation=row["conversation"],
            queue=row["queue"],
            language=row["language"],
            region=row["region"],
            purpose=row["purpose"],
            channel=row["channel"],
            started_ns=row["started_ns"],
            ended_ns=row["ended_ns"],
            participants=tuple(standings[row["conversation"]]),
        )
        for row in rows
    ]


async def _trends(
    connection: AsyncConnection, tenant: str, ids: Sequence[str]
) -> Mapping[tuple[str, str], Sequence[TrendPoint]]:
    """The last minutes of each participant, from the rollups: a row a minute."""
    query = (
        select(
            rollups.c.conversation,
            rollups.c.participant,
            rollups.c.minute_ns,
            rollups.c.scored,
            rollups.c.distress_sum,
        )
        .join(progress, and_(*(rollups.c[name] == progress.c[name] for name in _KEY)))
        .where(
            rollups.c.tenant == tenant,
            rollups.c.run == LIVE_RUN,
            rollups.c.conversation.in_(ids),
            rollups.c.minute_ns >= progress.c.closed_until_ns - TREND_NS,
        )
        .order_by(rollups.c.conversation, rollups.c.participant, rollups.c.minute_ns)
    )
    found: dict[tuple[str, str], list[TrendPoint]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        scored = row["scored"]
        mean = round(row["distress_sum"] / scored / SCALE, DECIMALS) if scored else None
        found[row["conversation"], row["participant"]].append(TrendPoint(row["minute_ns"], mean))
    return found
