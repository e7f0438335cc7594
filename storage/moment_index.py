"""An exact index of moments in memory: it filters, then ranks by cosine.

One tenant, one shared space. It only ranks: whoever shows a moment reads it back from the
database, where what was erased or withdrawn is not found.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import EMOTIONS, Role
from inference.projection import SIZE
from storage.moments import (
    Candidate,
    IndexedMoment,
    MomentFilter,
    MomentKey,
    Standing,
    Timeline,
    Vector,
    order,
)
from storage.schema import SCALE

GROWTH: Final = 1.25
"""Of room that is full: memory is taken in few and small steps."""
LEAST_ROOM: Final = 1_024
DEAD_SHARE: Final = 0.2
"""So many rows may be of timelines that were dropped, before the others move together."""
GATHERED: Final = 0.25
"""Where filters admit a smaller share, only those rows are read."""
NEAR: Final = 1e-5
"""Similarities closer than this are equal: float32 sums differ by where a row lies."""
NOTHING: Final = -1
_ROLES: Final = tuple(Role)


class MomentIndex:
    """Vectors of one tenant side by side, float32: 1 KB a moment and 24 bytes to filter by.

    Whoever has one takes turns: nothing is added while it ranks.
    """

    def __init__(self) -> None:
        self._size = 0
        self._dead = 0
        self._vectors = np.empty((0, SIZE), dtype=np.float32)
        self._starts = np.empty(0, dtype=np.int64)
        self._ends = np.empty(0, dtype=np.int64)
        self._timeline = np.empty(0, dtype=np.int32)
        self._label = np.empty(0, dtype=np.int8)
        self._role = np.empty(0, dtype=np.int8)
        self._distress = np.empty(0, dtype=np.int16)
        self._names: list[Timeline] = []
        self._queues: list[str] = []
        self._number: dict[Timeline, int] = {}
        self._last_ns: dict[Timeline, int] = {}
        self._standing: dict[Timeline, Standing] = {}

    def __len__(self) -> int:
        return self._size - self._dead

    @property
    def standings(self) -> Mapping[Timeline, Standing]:
        """How each timeline stood when it was read, also of those without a moment."""
        return self._standing

    def last_start_ns(self, timeline: Timeline) -> int:
        """Start of its newest moment here; -1 without any."""
        return self._last_ns.get(timeline, NOTHING)

    def read(self, standings: Mapping[Timeline, Standing]) -> None:
        """Note that everything of these timelines is here."""
        self._standing |= standings

    def add(self, moments: Iterable[IndexedMoment]) -> None:
        """Take in moments that are not here yet; one that is stays as it is.

        Those of one timeline ascend.
        """
        new = [one for one in moments if one.key.start_ns > self.last_start_ns(one.key.timeline)]
        if not new:
            return
        self._make_room(len(new))
        first, last = self._size, self._size + len(new)
        np.stack([one.vector for one in new], out=self._vectors[first:last])
        self._starts[first:last] = [one.key.start_ns for one in new]
        self._ends[first:last] = [one.end_ns for one in new]
        self._label[first:last] = [
            NOTHING if one.label is None else EMOTIONS.index(one.label) for one in new
        ]
        self._role[first:last] = [_ROLES.index(one.role) for one in new]
        self._distress[first:last] = [
            NOTHING if one.distress is None else round(one.distress * SCALE) for one in new
        ]
        self._timeline[first:last] = [self._number_of(one) for one in new]
        for one in new:
            self._last_ns[one.key.timeline] = one.key.start_ns
        self._size = last

    def drop(self, timelines: Collection[Timeline]) -> None:
        """Forget everything of these timelines."""
        numbers = [self._number.pop(one) for one in timelines if one in self._number]
        for one in timelines:
            self._standing.pop(one, None)
            self._last_ns.pop(one, None)
        gone = np.isin(self._timeline[: self._size], numbers)
        self._timeline[: self._size][gone] = NOTHING
        self._dead += int(gone.sum())
        if self._dead > DEAD_SHARE * self._size:
            self._compact()

    def trim(self, most: int) -> bool:
        """Forget the timelines that closed first until at most `most` moments are left.

        Returns whether anything was forgotten.
        """
        if len(self) <= most:
            return False
        numbers = self._timeline[: self._size]
        held = np.bincount(numbers[numbers != NOTHING], minlength=len(self._names))
        surplus, oldest = len(self) - most, []
        for one in sorted(self._number, key=self._standing_ns):
            if surplus <= 0:
                break
            oldest.append(one)
            surplus -= int(held[self._number[one]])
        self.drop(oldest)
        return True

    def rank(self, query: Vector, wanted: MomentFilter, most: int) -> list[Candidate]:
        """The `most` admitted moments that are nearest to `query`, the nearest first.

        Exact. Equally near ones follow in `order`, so that nothing depends on when they
        arrived.

        Args:
            query: (256,) of length one.
            wanted: which moments are ranked at all.
            most: at most so many.
        """
        rows = np.flatnonzero(self._admitted(wanted))
        if not rows.size or most <= 0:
            return []
        vectors = self._vectors[: self._size]
        if rows.size < GATHERED * self._size:
            similarity = vectors[rows] @ query
        else:
            similarity = (vectors @ query)[rows]
        if rows.size > most:
            edge = np.partition(similarity, rows.size - most)[rows.size - most]
            near = similarity >= edge - NEAR
            rows, similarity = rows[near], similarity[near]
        found = [
            Candidate(self._key(row), int(self._ends[row]), near)
            for row, near in zip(rows.tolist(), similarity.tolist(), strict=True)
        ]
        return sorted(found, key=lambda one: order(one.similarity, one.key))[:most]

    def _admitted(self, wanted: MomentFilter) -> NDArray[np.bool_]:
        """(size,) which rows `wanted` lets through."""
        size = self._size
        admitted = self._named(wanted)[self._timeline[:size]]
        if wanted.emotion is not None:
            admitted &= self._label[:size] == EMOTIONS.index(wanted.emotion)
        if wanted.role is not None:
            admitted &= self._role[:size] == _ROLES.index(wanted.role)
        if wanted.from_ns is not None:
            admitted &= self._starts[:size] >= wanted.from_ns
        if wanted.to_ns is not None:
            admitted &= self._starts[:size] < wanted.to_ns
        if wanted.min_distress is not None:
            least = np.ceil(wanted.min_distress * SCALE - NEAR)
            admitted &= self._distress[:size] >= max(0.0, least)
        return admitted

    def _named(self, wanted: MomentFilter) -> NDArray[np.bool_]:
        """Which timelines `wanted` lets through, and False for the rows of dropped ones."""
        named = np.ones(len(self._names) + 1, dtype=np.bool_)
        named[NOTHING] = False
        if {wanted.participant, wanted.conversation, wanted.queue} != {None}:
            for name, number in self._number.items():
                named[number] = (
                    wanted.participant in {None, name.participant}
                    and wanted.conversation in {None, name.conversation}
                    and wanted.queue in {None, self._queues[number]}
                )
        return named

    def _key(self, row: int) -> MomentKey:
        name = self._names[self._timeline[row]]
        return MomentKey(name.conversation, name.participant, int(self._starts[row]))

    def _standing_ns(self, name: Timeline) -> tuple[int, Timeline]:
        standing = self._standing.get(name)
        return (0 if standing is None else standing.closed_until_ns, name)

    def _number_of(self, one: IndexedMoment) -> int:
        name = one.key.timeline
        number = self._number.get(name)
        if number is None:
            number = self._number[name] = len(self._names)
            self._names.append(name)
            self._queues.append(one.queue)
        return number

    def _make_room(self, more: int) -> None:
        needed = self._size + more
        if needed > len(self._starts):
            room = max(needed, int(len(self._starts) * GROWTH), LEAST_ROOM)
            self._rearrange(np.arange(self._size), room)

    def _compact(self) -> None:
        alive = np.flatnonzero(self._timeline[: self._size] != NOTHING)
        self._rearrange(alive, max(LEAST_ROOM, len(alive)))
        kept = sorted(self._number, key=lambda name: self._number[name])
        renumbered = np.full(len(self._names) + 1, NOTHING, dtype=np.int32)
        for number, name in enumerate(kept):
            renumbered[self._number[name]] = number
        self._timeline = renumbered[self._timeline]
        self._queues = [self._queues[self._number[name]] for name in kept]
        self._names = kept
        self._number = {name: number for number, name in enumerate(kept)}
        self._size, self._dead = len(alive), 0

    def _rearrange(self, rows: NDArray[np.intp], room: int) -> None:
        """Copy `rows` to the beginning of new arrays with `room` rows."""
        for name in ("_vectors", "_starts", "_ends", "_timeline", "_label", "_role", "_distress"):
            old = getattr(self, name)
            new = np.full((room, *old.shape[1:]), NOTHING, dtype=old.dtype)
            new[: len(rows)] = old[rows]
            setattr(self, name, new)
