"""Moments: windows under the vectors by which they are searched for, and read back."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    func,
    insert,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from inference.labels import Emotion, Role
from inference.score import WindowScore
from storage.schema import conversations, moments, progress, utterances
from storage.values import LIVE_RUN, ParticipantKey, StoredMoment, Utterance

Vector = NDArray[np.float32]
MOST_TIMELINES: Final = 50_000
"""Of a tenant: an index in memory knows no older ones."""
DECIMALS: Final = 4
"""Of a similarity: more of them differ by where it is computed."""
AT_ONCE: Final = 200
"""Keys of one question: SQLite refuses expressions much deeper than that."""


class Timeline(NamedTuple):
    """One participant of one conversation."""

    conversation: str
    participant: str


class MomentKey(NamedTuple):
    """One window of one participant of a tenant, under the run `live`."""

    conversation: str
    participant: str
    start_ns: int

    @property
    def timeline(self) -> Timeline:
        """Whose window it is."""
        return Timeline(self.conversation, self.participant)


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentFilter:
    """Which moments are ranked at all; what is None admits everything."""

    emotion: Emotion | None = None
    """The label that was decided on; windows without one never match."""
    participant: str | None = None
    role: Role | None = None
    conversation: str | None = None
    queue: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    """Windows that start in `[from_ns, to_ns)`."""
    min_distress: float | None = None
    """Probability of distress, not smoothed; windows without an estimate never match."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a timeline is stored: differs whenever a window of it came or went."""

    closed_until_ns: int
    flushed_until_ns: int


def order(similarity: float, key: MomentKey) -> tuple[float, int, str, str]:
    """How moments follow each other: the nearest, to four decimals, the newest, then by name."""
    return (-round(similarity, DECIMALS), -key.start_ns, key.conversation, key.participant)


class Candidate(NamedTuple):
    """A moment as an index ranks it: enough to choose from, not enough to show."""

    key: MomentKey
    end_ns: int
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexedMoment:
    """What an index keeps of a moment: its vector, and what it may be filtered by."""

    key: MomentKey
    end_ns: int
    vector: Vector
    """(256,) of length one."""
    queue: str
    role: Role
    label: Emotion | None
    distress: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundMoment:
    """A moment as it stands in the database now."""

    key: MomentKey
    end_ns: int
    vector: Vector
    imputed: bool
    space: str


async def write_moments(
    connection: AsyncConnection,
    key: ParticipantKey,
    new: Sequence[StoredMoment],
    scores: Sequence[WindowScore],
) -> None:
    """Insert the moments of one batch, in the caller's transaction.

    Never an upsert, as with the scores beside which they are written.

    Args:
        connection: in the transaction that writes the scores.
        key: whose.
        new: the moments.
        scores: of the batch; each moment has one.
    """
    if not new:
        return
    by_start = {score.start_ns: score for score in scores}
    await connection.execute(
        insert(moments), [_row(key, one, by_start[one.start_ns]) for one in new]
    )


def _row(key: ParticipantKey, one: StoredMoment, score: WindowScore) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "conversation": key.conversation,
        "participant": key.participant,
        "start_ns": one.start_ns,
        "end_ns": one.end_ns,
        "vector": one.vector,
        "imputed": one.imputed,
        "space": one.space,
        "role": score.role.value,
        "label": score.decision.label,
        "distress": score.distress.probability if score.distress else None,
    }


async def read_standings(connection: AsyncConnection, tenant: str) -> dict[Timeline, Standing]:
    """The newest `MOST_TIMELINES` timelines of a tenant, the newest first.

    Progress is set in the transaction that stores moments and in the one that a withdrawal
    deletes them in, so that a timeline that stands as it stood has the same moments.
    """
    query = (
        select(
            progress.c.conversation,
            progress.c.participant,
            progress.c.closed_until_ns,
            progress.c.flushed_until_ns,
        )
        .where(progress.c.tenant == tenant, progress.c.run == LIVE_RUN)
        .order_by(
            progress.c.closed_until_ns.desc(), progress.c.conversation, progress.c.participant
        )
        .limit(MOST_TIMELINES)
    )
    return {
        Timeline(row.conversation, row.participant): Standing(
            row.closed_until_ns, row.flushed_until_ns
        )
        for row in await connection.execute(query)
    }


async def read_for_index(
    connection: AsyncConnection, tenant: str, space: str, after_ns: Mapping[Timeline, int]
) -> list[IndexedMoment]:
    """Moments of `space` of each timeline that start after its time, ascending in each."""
    found: list[IndexedMoment] = []
    column = moments.c
    for part in _parts(after_ns):
        those = {one: after_ns[one] for one in part}
        rows = await connection.execute(
            select(moments)
            .where(column.tenant == tenant, column.space == space, _after(those))
            .order_by(column.conversation, column.participant, column.start_ns)
        )
        queues = await read_queues(connection, tenant, {one.conversation for one in part})
        found += [
            IndexedMoment(
                key=MomentKey(row.conversation, row.participant, row.start_ns),
                end_ns=row.end_ns,
                vector=row.vector,
                queue=queues[row.conversation],
                role=Role(row.role),
                label=None if row.label is None else Emotion(row.label),
                distress=row.distress,
            )
            for row in rows
            if row.conversation in queues  # else it was erased in between
        ]
    return found


def admitted(tenant: str, space: str, wanted: MomentFilter) -> Select[Any]:
    """Moments that `wanted` admits, in no order."""
    column = moments.c
    return select(column.conversation, column.participant, column.start_ns, column.end_ns).where(
        column.tenant == tenant, column.space == space, *_conditions(tenant, wanted)
    )


def nearest_first(
    tenant: str, space: str, wanted: MomentFilter, distance: ColumnElement[Any], limit: int
) -> Select[Any]:
    """Moments that `wanted` admits by `distance`, which the database computes and gives."""
    those = admitted(tenant, space, wanted).add_columns(distance.label("distance"))
    return those.order_by(distance).limit(limit)


async def read_moments(
    connection: AsyncConnection, tenant: str, keys: Collection[MomentKey]
) -> dict[MomentKey, FoundMoment]:
    """Those of `keys` that are there: an index may remember others."""
    found = {}
    for part in _parts(keys):
        query = select(moments).where(moments.c.tenant == tenant, _at(part))
        for row in (await connection.execute(query)).mappings():
            one = _found(row)
            found[one.key] = one
    return found


async def read_queues(
    connection: AsyncConnection, tenant: str, ids: Collection[str]
) -> dict[str, str]:
    """The queue of each of these conversations."""
    query = select(conversations.c.conversation, conversations.c.queue).where(
        conversations.c.tenant == tenant, conversations.c.conversation.in_(sorted(ids))
    )
    return {row.conversation: row.queue for row in await connection.execute(query)}


async def read_words(
    connection: AsyncConnection, tenant: str, found: Iterable[FoundMoment]
) -> dict[MomentKey, list[Utterance]]:
    """Kept words that reach into each moment, by their end; none where none are kept."""
    spans = {one.key: one.end_ns for one in found}
    words: dict[MomentKey, list[Utterance]] = defaultdict(list)
    column = utterances.c
    # most deployments keep none, and the question below costs more than all others of a search
    any_ = select(column.segment).where(column.tenant == tenant).limit(1)
    if await connection.scalar(any_) is None:
        return words
    for part in _parts(spans):
        inside = or_(
            *(
                and_(
                    column.conversation == key.conversation,
                    column.participant == key.participant,
                    column.start_ns < spans[key],
                    column.end_ns > key.start_ns,
                )
                for key in part
            )
        )
        query = select(utterances).where(column.tenant == tenant, inside)
        rows = (await connection.execute(query.order_by(column.end_ns, column.segment))).mappings()
        said = [
            (row["conversation"], Utterance(**{name: row[name] for name in _SAID})) for row in rows
        ]
        for key in part:
            words[key] += [
                one
                for conversation, one in said
                if (conversation, one.participant) == key.timeline
                and one.start_ns < spans[key]
                and one.end_ns > key.start_ns
            ]
    return words


async def count_moments(connection: AsyncConnection, tenant: str) -> dict[str, int]:
    """How many there are of each space."""
    query = (
        select(moments.c.space, func.count().label("number"))
        .where(moments.c.tenant == tenant)
        .group_by(moments.c.space)
    )
    return {row.space: row.number for row in await connection.execute(query)}


_SAID: Final = (
    "participant", "segment", "start_ns", "end_ns", "text", "language", "confidence",
)  # fmt: skip


def _conditions(tenant: str, wanted: MomentFilter) -> list[ColumnElement[bool]]:
    """The same as `MomentIndex` admits, in SQL."""
    pairs = (
        (moments.c.label, wanted.emotion and wanted.emotion.value),
        (moments.c.participant, wanted.participant),
        (moments.c.role, wanted.role and wanted.role.value),
        (moments.c.conversation, wanted.conversation),
    )
    found = [column == value for column, value in pairs if value is not None]
    if wanted.queue is not None:
        calls = select(conversations.c.conversation).where(
            conversations.c.tenant == tenant, conversations.c.queue == wanted.queue
        )
        found.append(moments.c.conversation.in_(calls))
    if wanted.from_ns is not None:
        found.append(moments.c.start_ns >= wanted.from_ns)
    if wanted.to_ns is not None:
        found.append(moments.c.start_ns < wanted.to_ns)
    if wanted.min_distress is not None:
        found.append(moments.c.distress >= wanted.min_distress)
    return found


def _after(after_ns: Mapping[Timeline, int]) -> ColumnElement[bool]:
    """True of the windows of these timelines that start after their times."""
    column = moments.c
    return and_(
        or_(
            *(
                and_(
                    column.conversation == one.conversation,
                    column.participant == one.participant,
                    column.start_ns > start_ns,
                )
                for one, start_ns in after_ns.items()
            )
        ),
        # the same once more, column by column: no index serves alternatives
        column.conversation.in_({one.conversation for one in after_ns}),
        column.participant.in_({one.participant for one in after_ns}),
    )


def _at(keys: Collection[MomentKey]) -> ColumnElement[bool]:
    """True of these windows."""
    columns = (moments.c.conversation, moments.c.participant, moments.c.start_ns)
    return and_(
        tuple_(*columns).in_([tuple(key) for key in keys]),
        # the same once more, column by column: SQLite looks up no tuples in an index
        *(column.in_(sorted({key[n] for key in keys})) for n, column in enumerate(columns)),
    )


def _found(row: RowMapping) -> FoundMoment:
    return FoundMoment(
        key=MomentKey(row["conversation"], row["participant"], row["start_ns"]),
        end_ns=row["end_ns"],
        vector=row["vector"],
        imputed=row["imputed"],
        space=row["space"],
    )


def _parts(keys: Iterable[Any]) -> Iterator[list[Any]]:
    several = list(keys)
    for first in range(0, len(several), AT_ONCE):
        yield several[first : first + AT_ONCE]
