"""Topics, their settings and their partitions."""

import heapq
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.journal import Journal
from streams.broker.log import PartitionLog

CONFIG_DEFAULTS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "max.compaction.lag.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.after.max.ms": "9223372036854775807",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "min.insync.replicas": "1",
    "retention.bytes": "67108864",
    "retention.ms": "86400000",
    "segment.bytes": "1073741824",
    "segment.ms": "604800000",
}
"""What DescribeConfigs shows. Only `cleanup.policy`, `max.message.bytes`,
`message.timestamp.type` and the two retentions change anything here."""

MAX_PARTITIONS: Final = 1_000
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The settings that this broker acts on; -1 is no limit."""

    retention_ms: int
    retention_bytes: int
    max_message_bytes: int
    log_append_time: bool
    compacted: bool
    """Kept whole: this broker does not compact, and dropping would lose keys."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "TopicConfig":
        """Read settings as a client writes them. Raises RefusedError (INVALID_CONFIG)."""
        if unknown := sorted(set(given) - set(CONFIG_DEFAULTS)):
            raise RefusedError(
                ErrorCode.INVALID_CONFIG,
                f"unknown topic setting {unknown[0]}; known: {', '.join(CONFIG_DEFAULTS)}",
            )
        values = {**CONFIG_DEFAULTS, **given}
        policies = {policy.strip() for policy in values["cleanup.policy"].split(",")}
        if not policies <= {"delete", "compact"}:
            raise RefusedError(
                ErrorCode.INVALID_CONFIG,
                f"cleanup.policy is {values['cleanup.policy']!r}, not delete or compact",
            )
        timestamps = values["message.timestamp.type"]
        if timestamps not in {"CreateTime", "LogAppendTime"}:
            raise RefusedError(
                ErrorCode.INVALID_CONFIG,
                f"message.timestamp.type is {timestamps!r}, not CreateTime or LogAppendTime",
            )
        return cls(
            retention_ms=_number(values, "retention.ms", minimum=_UNLIMITED),
            retention_bytes=_number(values, "retention.bytes", minimum=_UNLIMITED),
            max_message_bytes=_number(values, "max.message.bytes", minimum=0),
            log_append_time=timestamps == "LogAppendTime",
            compacted="compact" in policies,
        )


@dataclass(slots=True)
class Topic:
    """A topic. `given` are the settings that its creator chose, `config` their meaning."""

    name: str
    given: dict[str, str]
    config: TopicConfig
    partitions: list[PartitionLog]

    def partition(self, index: int) -> PartitionLog:
        """One partition's log. Raises RefusedError (UNKNOWN_TOPIC_OR_PARTITION)."""
        if not 0 <= index < len(self.partitions):
            raise RefusedError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                f"{self.name} has {len(self.partitions)} partitions, no number {index}",
            )
        return self.partitions[index]


class Topics:
    """All topics by name.

    Args:
        directory: where journals lie; None keeps everything in memory only.
        budget_bytes: all logs together are held to this by dropping the oldest batches of
            whichever log is the largest, so that small topics survive a flood of media.
    """

    def __init__(self, directory: Path | None, budget_bytes: int) -> None:
        self._directory = directory
        self._budget_bytes = budget_bytes
        self._topics: dict[str, Topic] = {}

    def __iter__(self) -> Iterator[Topic]:
        return iter(tuple(self._topics.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._topics

    def get(self, name: str) -> Topic:
        """The topic. Raises RefusedError (UNKNOWN_TOPIC_OR_PARTITION)."""
        topic = self._topics.get(name)
        if topic is None:
            raise RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"no topic {name}")
        return topic

    def has(self, name: str, index: int) -> bool:
        """Whether there is such a partition."""
        return name in self._topics and 0 <= index < len(self._topics[name].partitions)

    def check(self, name: str, partitions: int, given: Mapping[str, str]) -> TopicConfig:
        """Whether `create` would do it. Raises RefusedError with the reason."""
        if not _NAME.fullmatch(name) or name in {".", ".."}:
            raise RefusedError(
                ErrorCode.INVALID_TOPIC,
                f"{name!r} is no topic name: 1 to 249 of letters, digits, dot, dash, underscore",
            )
        if name in self._topics:
            raise RefusedError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name} exists")
        _check_count(partitions)
        return TopicConfig.of(given)

    def create(self, name: str, partitions: int, given: Mapping[str, str]) -> Topic:
        """Make a topic, or take up what its journals hold. Raises RefusedError."""
        config = self.check(name, partitions, given)
        with ExitStack() as undo:
            logs = []
            for index in range(partitions):
                logs.append(self._open(name, index))
                undo.callback(logs[-1].close)
            undo.pop_all()
        topic = self._topics[name] = Topic(name, dict(given), config, logs)
        return topic

    def grow(self, name: str, partitions: int, *, only_check: bool = False) -> None:
        """Add partitions up to `partitions`. Raises RefusedError."""
        topic = self.get(name)
        _check_count(partitions)
        now = len(topic.partitions)
        if partitions <= now:
            raise RefusedError(
                ErrorCode.INVALID_PARTITIONS,
                f"{name} has {now} partitions already; the number can only grow",
            )
        if not only_check:
            topic.partitions += [self._open(name, index) for index in range(now, partitions)]

    def delete(self, name: str) -> None:
        """Remove a topic with its records. Raises RefusedError."""
        topic = self.get(name)
        del self._topics[name]
        for partition in topic.partitions:
            partition.close(delete=True)

    def clean(self, now_ms: int) -> None:
        """Apply every topic's retention, then the budget."""
        loose = []
        for topic in self:
            if topic.config.compacted:
                continue
            for partition in topic.partitions:
                if topic.config.retention_ms != _UNLIMITED:
                    partition.drop_before(now_ms - topic.config.retention_ms)
                if topic.config.retention_bytes != _UNLIMITED:
                    partition.drop_to(topic.config.retention_bytes)
                loose.append(partition)
        over = self.size_bytes - self._budget_bytes
        heap = [(-log.size_bytes, index) for index, log in enumerate(loose)]
        heapq.heapify(heap)
        while over > 0 and heap:
            size, index = heapq.heappop(heap)
            if loose[index].drop_oldest():
                over -= -size - loose[index].size_bytes
                heapq.heappush(heap, (-loose[index].size_bytes, index))

    @property
    def size_bytes(self) -> int:
        """Bytes of all batches held."""
        return sum(log.size_bytes for topic in self for log in topic.partitions)

    def close(self) -> None:
        """Let go of all files; the records stay on disk."""
        for topic in self:
            for partition in topic.partitions:
                partition.close()

    def _open(self, name: str, index: int) -> PartitionLog:
        if self._directory is None:
            return PartitionLog()
        try:
            return PartitionLog(Journal(self._directory / f"{name}-{index}.log"))
        except OSError as exc:
            raise RefusedError(ErrorCode.KAFKA_STORAGE_ERROR, str(exc)) from exc


def _check_count(partitions: int) -> None:
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise RefusedError(
            ErrorCode.INVALID_PARTITIONS,
            f"{partitions} partitions; this broker takes 1 to {MAX_PARTITIONS}",
        )


def _number(values: Mapping[str, str], name: str, *, minimum: int) -> int:
    try:
        number = int(values[name])
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise RefusedError(
            ErrorCode.INVALID_CONFIG,
            f"{name} is {values[name]!r}, not a whole number of at least {minimum}",
        )
    return number
