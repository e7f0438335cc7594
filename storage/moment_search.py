"""Search over the moments of a tenant: ranked by an index, read back from the database.

The index is pgvector where the database has it; else one in memory, which follows the database
at each question: it reads how far every timeline is stored, and of those that went on what is new.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.score import WindowScore
from storage import pgvector
from storage.engine import snapshot
from storage.moment_index import MomentIndex
from storage.moments import (
    DECIMALS,
    Candidate,
    FoundMoment,
    MomentFilter,
    MomentKey,
    Standing,
    Timeline,
    Vector,
    count_moments,
    order,
    read_for_index,
    read_moments,
    read_queues,
    read_standings,
    read_words,
)
from storage.scores import scores_at
from storage.values import Utterance

CAPACITY: Final = 500_000
"""Moments that one process keeps in memory, of all tenants together: half a gigabyte."""
FRESH_S: Final = 1.0
"""What is stored can be found so long after, at the latest."""
COUNT_S: Final = 60.0
"""How old the counts beside a result may be."""
TIMELINES_AT_ONCE: Final = 10
"""Timelines that are read together, some thousand vectors: live readers wait for milliseconds."""
FIRST_LOOK: Final = 8
"""Candidates for each moment that is asked for: windows overlap, and one call has many."""
LOOK_FURTHER: Final = 4
"""Times as many, where those did not do."""
MOST_CANDIDATES: Final = 4_096
"""Nobody looks further down: a result may then be shorter than it was asked to be."""
LOOKS: Final = 8
"""At the index for one question: it may have to look further down, or to be read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedMoment:
    """One moment that was found, as it is stored."""

    score: WindowScore
    queue: str
    similarity: float
    """Cosine of the angle between its vector and the query, rounded to four decimals."""
    imputed: bool
    """Part of the vector is what was expected of a modality that was absent."""
    words: tuple[Utterance, ...] = ()
    """Kept words that reach into it."""

    @property
    def key(self) -> MomentKey:
        """Which one it is."""
        return MomentKey(self.score.conversation, self.score.participant, self.score.start_ns)


@dataclass(frozen=True, slots=True)
class Size:
    """How long a result may be."""

    most: int
    per_conversation: int | None = None
    """At most so many of one, where the filter names no conversation: one long angry call would
    fill the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What a search found, and among how many."""

    moments: tuple[RankedMoment, ...]
    """The nearest first; no two of them overlap in one timeline."""
    indexed: int
    """Moments of the tenant that can be found, before filters."""
    other_space: int
    """Moments that were stored under another version of the space: nothing compares them."""
    left_out: int
    """Older moments, for which an index in memory has no room."""


@dataclass(slots=True)
class _Tenant:
    index: MomentIndex = field(default_factory=MomentIndex)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    fresh_s: float | None = None
    is_cut: bool = False
    """There was no room for everything."""
    counts: Mapping[str, int] = field(default_factory=dict)
    counted_s: float | None = None


class MomentSearch:
    """Finds moments for one version of the shared space.

    Args:
        engine: of the database.
        space: version of the shared space; moments under others are left out.
        capacity: moments kept in memory, of all tenants. The tenant that asked longest ago
            goes first; of one that has more itself, the newest stay.
        fresh_s: a question so soon after another does not look for news.
        clock_s: monotonic.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        space: str,
        *,
        capacity: int = CAPACITY,
        fresh_s: float = FRESH_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.space = space
        self._engine = engine
        self._capacity = capacity
        self._fresh_s = fresh_s
        self._clock_s = clock_s
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        self._version: str | None = None
        self._looked_s: float | None = None

    async def find(self, tenant: str, query: Vector, wanted: MomentFilter, size: Size) -> Ranking:
        """The moments of a tenant that are nearest to `query`.

        1. rank candidates, by pgvector or in memory
        2. of windows of one timeline that overlap choose the nearest, and no more of one
           conversation than `size` allows
        3. where that left too few, look further down
        4. read the chosen ones back: those that are gone are passed over

        Args:
            tenant: only theirs.
            query: (256,) of length one.
            wanted: which moments are ranked at all.
            size: fewer are found where fewer are admitted.

        Raises StoreUnavailableError.
        """
        mine = self._of(tenant)
        async with mine.turn:
            version = await self._pgvector()
            found: dict[MomentKey, FoundMoment] = {}
            each = None if wanted.conversation else size.per_conversation
            asked = min(MOST_CANDIDATES, max(1, size.most) * FIRST_LOOK)
            for _ in range(LOOKS):
                if version is None:
                    await self._follow(tenant, mine)
                candidates = await self._rank(tenant, mine, version, query, wanted, asked)
                chosen = _apart(candidates, size.most, each)
                if len(chosen) < size.most and len(candidates) == asked < MOST_CANDIDATES:
                    asked = min(MOST_CANDIDATES, asked * LOOK_FURTHER)
                    continue
                found = await self.vectors(tenant, chosen)
                gone = {key.timeline for key in chosen if key not in found}
                if not gone or version is not None:
                    break
                mine.index.drop(gone)  # lost moments that the index did not hear of
                mine.fresh_s = None
            await self._count(tenant, mine)
            here = mine.counts.get(self.space, 0)
            held = here if version else len(mine.index)
        return Ranking(
            moments=await self._described(tenant, _by_similarity(found.values(), query)),
            indexed=held,
            other_space=sum(mine.counts.values()) - here,
            left_out=max(0, here - held) if mine.is_cut else 0,
        )

    async def vectors(
        self, tenant: str, keys: Collection[MomentKey]
    ) -> dict[MomentKey, FoundMoment]:
        """Those of `keys` that are there and in this space. Raises StoreUnavailableError."""
        async with snapshot(self._engine) as connection:
            found = await read_moments(connection, tenant, keys)
        return {key: one for key, one in found.items() if one.space == self.space}

    def _of(self, tenant: str) -> _Tenant:
        mine = self._tenants.setdefault(tenant, _Tenant())
        self._tenants.move_to_end(tenant)
        return mine

    async def _pgvector(self) -> str | None:
        now_s = self._clock_s()
        if self._looked_s is None or now_s - self._looked_s >= COUNT_S:
            async with snapshot(self._engine) as connection:
                self._version = await pgvector.ready(connection)
            self._looked_s = now_s
        return self._version

    async def _rank(
        self,
        tenant: str,
        mine: _Tenant,
        version: str | None,
        query: Vector,
        wanted: MomentFilter,
        most: int,
    ) -> Sequence[Candidate]:
        if version is None:
            return await asyncio.to_thread(mine.index.rank, query, wanted, most)
        async with snapshot(self._engine) as connection:
            return await pgvector.rank(connection, version, tenant, self.space, query, wanted, most)

    async def _described(
        self, tenant: str, kept: Sequence[tuple[float, FoundMoment]]
    ) -> tuple[RankedMoment, ...]:
        moments = [one for _, one in kept]
        async with snapshot(self._engine) as connection:
            scores = await scores_at(connection, tenant, {(*one.key,) for one in moments})
            queues = await read_queues(
                connection, tenant, {one.key.conversation for one in moments}
            )
            words = await read_words(connection, tenant, moments)
        return tuple(
            RankedMoment(
                score=scores[one.key],
                queue=queues.get(one.key.conversation, ""),
                similarity=similarity,
                imputed=one.imputed,
                words=tuple(words.get(one.key, ())),
            )
            for similarity, one in kept
            if one.key in scores  # erased since its vector was read
        )

    async def _count(self, tenant: str, mine: _Tenant) -> None:
        now_s = self._clock_s()
        # none is no answer for a minute: somebody waits for the first
        if (
            mine.counted_s is None
            or now_s - mine.counted_s >= COUNT_S
            or not mine.counts.get(self.space)
        ):
            async with snapshot(self._engine) as connection:
                mine.counts = await count_moments(connection, tenant)
            mine.counted_s = now_s

    async def _follow(self, tenant: str, mine: _Tenant) -> None:
        """Bring the index to where the database is.

        1. timelines that are not there any more are dropped; those that lost windows, too
        2. of those that went on, and of new ones, what is new is read, the newest first
        3. what there is no room for goes: other tenants, then the oldest timelines
        """
        now_s = self._clock_s()
        if mine.fresh_s is not None and now_s - mine.fresh_s < self._fresh_s:
            return
        index = mine.index
        async with snapshot(self._engine) as connection:
            standing = await read_standings(connection, tenant)
            index.drop(_stale(index.standings, standing))
            mine.is_cut = False
            for part in _parts(_news(index.standings, standing)):
                fitting = self._fitting(index, part)
                if fitting:
                    await self._load(connection, tenant, index, fitting)
                trimmed = index.trim(self._capacity)
                mine.is_cut |= trimmed or len(fitting) < len(part)
        self._make_room(tenant)
        mine.fresh_s = now_s

    def _fitting(
        self, index: MomentIndex, part: Mapping[Timeline, Standing]
    ) -> Mapping[Timeline, Standing]:
        """Those of `part` for which older ones make room, where there is none left."""
        if len(index) < self._capacity:
            return part
        oldest_ns = min(one.closed_until_ns for one in index.standings.values())
        return {name: one for name, one in part.items() if one.closed_until_ns > oldest_ns}

    async def _load(
        self,
        connection: AsyncConnection,
        tenant: str,
        index: MomentIndex,
        part: Mapping[Timeline, Standing],
    ) -> None:
        after_ns = {name: index.last_start_ns(name) for name in part}
        new = await read_for_index(connection, tenant, self.space, after_ns)
        index.add(new)
        index.read(part)

    def _make_room(self, tenant: str) -> None:
        """Forget tenants that asked long ago."""
        total = sum(len(one.index) for one in self._tenants.values())
        for name, one in list(self._tenants.items()):
            if total <= self._capacity:
                return
            if name != tenant and not one.turn.locked():
                total -= len(one.index)
                del self._tenants[name]


def _stale(
    known: Mapping[Timeline, Standing], there: Mapping[Timeline, Standing]
) -> list[Timeline]:
    """Timelines that are gone, or in which a withdrawal deleted windows."""
    return [
        name
        for name, standing in known.items()
        if name not in there
        or (there[name] != standing and there[name].closed_until_ns <= standing.closed_until_ns)
    ]


def _news(
    known: Mapping[Timeline, Standing], there: Mapping[Timeline, Standing]
) -> dict[Timeline, Standing]:
    """Timelines that went on, and new ones."""
    return {name: standing for name, standing in there.items() if known.get(name) != standing}


def _parts(news: Mapping[Timeline, Standing]) -> Iterator[dict[Timeline, Standing]]:
    names = list(news)
    for first in range(0, len(names), TIMELINES_AT_ONCE):
        yield {name: news[name] for name in names[first : first + TIMELINES_AT_ONCE]}


def _apart(
    candidates: Iterable[Candidate], most: int, per_conversation: int | None
) -> list[MomentKey]:
    """The nearest; of windows of one timeline that overlap, only the nearest of them."""
    of_conversation: Counter[str] = Counter()
    taken: dict[Timeline, list[Candidate]] = {}
    chosen: list[MomentKey] = []
    for one in candidates:
        if len(chosen) == most:
            break
        if of_conversation[one.key.conversation] == per_conversation:
            continue
        beside = taken.setdefault(one.key.timeline, [])
        if not any(_overlap(one, other) for other in beside):
            of_conversation[one.key.conversation] += 1
            beside.append(one)
            chosen.append(one.key)
    return chosen


def _by_similarity(found: Iterable[FoundMoment], query: Vector) -> list[tuple[float, FoundMoment]]:
    """The nearest first."""
    near = [(similarity_of(one.vector, query), one) for one in found]
    return sorted(near, key=lambda pair: order(pair[0], pair[1].key))


def similarity_of(vector: Vector, query: Vector) -> float:
    """Cosine of two vectors of length one, in float64: the same wherever they lie."""
    cosine = float(np.dot(vector.astype(np.float64), query.astype(np.float64)))
    return round(min(1.0, max(-1.0, cosine)), DECIMALS)


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.key.start_ns < other.end_ns and other.key.start_ns < one.end_ns
