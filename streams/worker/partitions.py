"""The worker's partitions: decodes what was fetched and keeps one aligner for each."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from kafka.partitioner.default import murmur2

from streams import topics
from streams.records import BadRecordError, decode
from streams.telemetry import logger
from streams.windows.aligner import Aligner
from streams.worker.dead_letters import DeadLetter, misplaced, unusable
from streams.worker.feed import Assignment, RawRecord
from streams.worker.origins import Origins

_log = logger("worker")


@lru_cache(maxsize=4096)  # the client's murmur2 is plain Python
def partition_of(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts `key`; librdkafka's default differs."""
    partition: int = (murmur2(key) & 0x7FFFFFFF) % partitions
    return partition


class MisdirectedError(BadRecordError):
    """A record on a partition that its key does not belong to."""

    reason = "partition"


class Partitions:
    """A `Feed`: state of one generation, dropped when the next begins.

    Everything here is recomputed from the log and the database, so dropping it is safe
    at any time.
    """

    def __init__(
        self,
        new_aligner: Callable[[], Aligner],
        *,
        count: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.generation = -1
        self.records_expired = 0
        self.latest_poll_ns: int | None = None
        self.origins = Origins()
        self._new_aligner = new_aligner
        self._count = count
        self._clock_ns = clock_ns
        self._aligners: dict[int, Aligner] = {}
        self._horizons: dict[tuple[str, int], int] = {}
        self._letters: list[DeadLetter] = []
        self._behind: dict[tuple[str, int], int] = {}

    def __iter__(self) -> Iterator[tuple[int, Aligner]]:
        """Partitions in their order."""
        return iter(sorted(self._aligners.items()))

    # the feed

    def reset(self, generation: int) -> None:
        """Forget everything."""
        if self._aligners:
            _log.info("state_dropped", generation=generation, partitions=len(self._aligners))
        self.generation = generation
        self._aligners.clear()
        self._horizons.clear()
        self._behind.clear()
        self.origins.clear()
        self._letters.clear()

    def begin(self, assignment: Assignment) -> None:
        """Reading starts here; what is on the log already may have been scored before."""
        self._aligner(assignment.partition).seek(assignment.topic, assignment.start)
        self._horizons[assignment.topic, assignment.partition] = assignment.high_watermark

    def expected(self, topic: str, partition: int) -> int | None:
        """The offset to come next."""
        return self._aligner(partition).next_offset(topic)

    def take(self, topic: str, partition: int, records: Sequence[RawRecord]) -> None:
        """Decode a batch and give it to the partition's aligner; bad records become letters."""
        aligner = self._aligner(partition)
        horizon = self._horizons.get((topic, partition), 0)
        kind = topics.RECORD_TYPES[topic]
        now_ns = self._clock_ns()
        for raw in records:
            try:
                record = decode(kind, raw.value or b"")
                self._check_partition(record.key, partition)
            except BadRecordError as exc:
                slot = aligner.hold_back(topic, raw.offset)
                if slot is not None:
                    self._letters.append(unusable(topic, partition, raw, slot, exc))
                continue
            if raw.traceparent is not None:
                self.origins.note(record, raw.traceparent)
            aligner.feed(
                topic,
                raw.offset,
                record,
                clock_ns=now_ns,
                appended_ns=raw.appended_ns,
                replay=raw.offset < horizon,
            )

    def observe(
        self, topic: str, partition: int, poll_ns: int, *, caught_up: bool, behind: int = 0
    ) -> None:
        """A poll succeeded."""
        self._behind[topic, partition] = behind
        self.latest_poll_ns = max(self.latest_poll_ns or poll_ns, poll_ns)
        self._aligner(partition).observe(topic, poll_ns, caught_up=caught_up)

    def tracked(self) -> Iterable[tuple[str, int]]:
        """Every topic partition that was begun."""
        return list(self._horizons)

    def committable(self, topic: str, partition: int) -> int | None:
        """Everything before this offset is done."""
        return self._aligner(partition).committable().get(topic)

    def expired(self, topic: str, partition: int, count: int) -> None:
        """Retention was faster than we were."""
        self.records_expired += count
        _log.error("records_expired", topic=topic, partition=partition, count=count)

    # what came of it

    def take_letters(self) -> list[DeadLetter]:
        """Dead letters since the last call."""
        letters, self._letters = self._letters, []
        for partition, aligner in self:
            letters += [misplaced(item, partition) for item in aligner.take_misplaced()]
        return letters

    def ahead(self) -> list[tuple[str, int]]:
        """Topic partitions that may be paused without delaying any window."""
        return [(topic, partition) for partition, aligner in self for topic in aligner.ahead()]

    @property
    def records_behind(self) -> dict[str, int]:
        """Records on the log that were not read yet, by topic."""
        behind = dict.fromkeys(topics.INPUTS, 0)
        for (topic, _), count in self._behind.items():
            behind[topic] += count
        return behind

    @property
    def held_bytes(self) -> int:
        """Payload bytes that open windows hold."""
        return sum(aligner.held_bytes for aligner in self._aligners.values())

    @property
    def conversations(self) -> int:
        """Conversations in memory."""
        return sum(aligner.conversations for aligner in self._aligners.values())

    def _check_partition(self, key: bytes, partition: int) -> None:
        right = partition_of(key, self._count)
        if right != partition:
            raise MisdirectedError(
                f"key {key.decode()} belongs to partition {right} of {self._count}, "
                f"it came on {partition}: use the partitioner of Java's client (murmur2)"
            )

    def _aligner(self, partition: int) -> Aligner:
        if partition not in self._aligners:
            self._aligners[partition] = self._new_aligner()
        return self._aligners[partition]
