"""What the one node of this cluster holds; the answers are made from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.broker.codes import RefusedError
from streams.broker.groups import Committed, Groups
from streams.broker.state import BrokerDirectoryError, Saved, SavedOffset, SavedTopic, StateFile
from streams.broker.topics import Topics

NODE_ID: Final = 1
CLUSTER_ID: Final = "affectstream-embedded"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a broker holds, and how it treats what it was not told.

    `auto_create_topics` lets a client make a topic by naming it. All logs together stay
    within `budget_bytes`. An empty group waits `initial_rebalance_delay_s` for company.
    """

    auto_create_topics: bool = False
    default_partitions: int = 8
    budget_bytes: int = 256 << 20
    max_request_bytes: int = 16 << 20
    initial_rebalance_delay_s: float = 0.1


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Node:
    """Topics, groups and producer ids, restored from `directory` where one is given.

    `port` is known once the server listens. Raises BrokerDirectoryError.
    """

    def __init__(
        self,
        host: str,
        limits: Limits,
        directory: Path | None = None,
        *,
        now_ms: Callable[[], int] = _now_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.port = 0
        self.limits = limits
        self.now_ms = now_ms
        self.monotonic_s = monotonic_s
        self.topics = Topics(directory, limits.budget_bytes)
        self.groups = Groups(limits.initial_rebalance_delay_s)
        self._next_producer_id = 0
        self._file = StateFile(directory) if directory else None
        if self._file:
            try:
                self._restore(self._file.load())
            except BaseException:
                self.close()
                raise

    def new_producer_id(self) -> int:
        """An id that no producer of this broker ever had."""
        self._next_producer_id += 1
        self.save()
        return self._next_producer_id - 1

    def save(self) -> None:
        """Write down what must survive a restart; without a directory, nothing."""
        if not self._file:
            return
        self._file.save(
            Saved(
                next_producer_id=self._next_producer_id,
                topics={
                    topic.name: SavedTopic(len(topic.partitions), topic.given)
                    for topic in self.topics
                },
                groups={
                    group.name: [
                        SavedOffset(topic, partition, at.offset, at.metadata)
                        for (topic, partition), at in group.offsets.items()
                    ]
                    for group in self.groups
                    if group.offsets
                },
            )
        )

    def tick(self) -> None:
        """Let time pass: sessions end, old records go."""
        self.groups.tick(self.monotonic_s())
        self.topics.clean(self.now_ms())

    def close(self) -> None:
        """Let go of all files."""
        self.topics.close()
        if self._file:
            self._file.close()

    def _restore(self, saved: Saved) -> None:
        self._next_producer_id = saved.next_producer_id
        for name, topic in saved.topics.items():
            try:
                self.topics.create(name, topic.partitions, topic.configs)
            except RefusedError as refused:
                raise BrokerDirectoryError(
                    f"topic {name} cannot be restored: {refused.message}"
                ) from refused
        for name, offsets in saved.groups.items():
            self.groups.get(name).offsets = {
                (at.topic, at.partition): Committed(at.offset, at.metadata) for at in offsets
            }
