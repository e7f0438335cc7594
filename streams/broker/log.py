"""The log of one partition: batches in offset order, in memory, journalled where asked."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from streams.broker.batch import Batch, parse
from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.journal import Journal
from streams.broker.sequences import Sequences


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a produced batch lies. `append_ms` is -1 where the producer's clock counts."""

    base_offset: int
    append_ms: int


@dataclass(frozen=True, slots=True)
class Found:
    """A record found by its time."""

    offset: int
    timestamp_ms: int


class PartitionLog:
    """Holds the offsets `[start_offset, end_offset)`.

    `watchers` are called after every append and when the log is closed.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._batches = journal.load() if journal else []
        self._bases = [batch.base_offset for batch in self._batches]
        self._sequences = Sequences()
        for batch in self._batches:
            self._sequences.keep(batch)
        self.size_bytes = sum(batch.size_bytes for batch in self._batches)
        self.end_offset = self._batches[-1].last_offset + 1 if self._batches else 0
        self.watchers: set[Callable[[], None]] = set()

    @property
    def start_offset(self) -> int:
        """First offset that is still here."""
        return self._bases[0] if self._bases else self.end_offset

    def append(self, data: bytes, append_ms: int | None = None) -> Appended:
        """Keep one produced batch; one that is here already is only answered again.

        Args:
            data: the batch as it travels.
            append_ms: the broker's time, for topics with `LogAppendTime`.

        Raises RefusedError.
        """
        batch = parse(data)
        if batch.transactional:
            raise RefusedError(ErrorCode.INVALID_RECORD, "the embedded broker has no transactions")
        if kept := self._sequences.find(batch):
            return Appended(kept.base_offset, kept.timestamp_ms)
        batch = batch.placed(self.end_offset, append_ms)
        if self._journal:
            try:
                self._journal.append(batch)
            except OSError as exc:
                raise RefusedError(ErrorCode.KAFKA_STORAGE_ERROR, str(exc)) from exc
        self._batches.append(batch)
        self._bases.append(batch.base_offset)
        self._sequences.keep(batch)
        self.size_bytes += batch.size_bytes
        self.end_offset = batch.last_offset + 1
        self._wake()
        return Appended(batch.base_offset, -1 if append_ms is None else append_ms)

    def read(self, offset: int, max_bytes: int, *, at_least_one: bool) -> list[Batch]:
        """Whole batches from the one that holds `offset` on, up to `max_bytes`.

        With `at_least_one` the first comes even if it is larger: else a consumer with a
        small limit would never get past it. Raises RefusedError out of range.
        """
        if not self.start_offset <= offset <= self.end_offset:
            raise RefusedError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"offset {offset} is not in [{self.start_offset}, {self.end_offset}]",
            )
        if offset == self.end_offset:
            return []
        first = bisect_right(self._bases, offset) - 1
        end, size = first, 0
        while end < len(self._batches):
            size += self._batches[end].size_bytes
            if size > max_bytes and not (at_least_one and end == first):
                break
            end += 1
        return self._batches[first:end]

    def find_time(self, timestamp_ms: int) -> Found | None:
        """The first record not older than `timestamp_ms`, None where all are older."""
        for batch in self._batches:
            if found := batch.first_at_or_after(timestamp_ms):
                return Found(*found)
        return None

    def drop_before(self, timestamp_ms: int) -> None:
        """Forget leading batches whose newest record is older than `timestamp_ms`."""
        old = 0
        while old < len(self._batches) and self._batches[old].max_timestamp_ms < timestamp_ms:
            old += 1
        self._drop(old)

    def drop_to(self, size_bytes: int) -> None:
        """Forget leading batches until at most `size_bytes` are left."""
        old, size = 0, self.size_bytes
        while old < len(self._batches) and size > size_bytes:
            size -= self._batches[old].size_bytes
            old += 1
        self._drop(old)

    def drop_oldest(self) -> bool:
        """Forget the oldest batch; False if it is the last one, which stays."""
        return self._drop(1)

    def close(self, *, delete: bool = False) -> None:
        """Let go of the file, or remove it, and wake everybody who waits."""
        if self._journal:
            if delete:
                self._journal.delete()
            else:
                self._journal.close()
        self._wake()

    def _drop(self, count: int) -> bool:
        # the newest batch stays: after a restart the end offset is read from it
        count = min(count, len(self._batches) - 1)
        if count < 1:
            return False
        size = sum(batch.size_bytes for batch in self._batches[:count])
        del self._batches[:count], self._bases[:count]
        self.size_bytes -= size
        if self._journal:
            self._journal.dropped(size, self._batches)
        return True

    def _wake(self) -> None:
        for wake in tuple(self.watchers):
            wake()
