"""What the Kafka adapter asks of the worker. Owned by the adapter, implemented by the core."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as fetched."""

    offset: int
    key: bytes | None
    value: bytes | None
    appended_ns: int | None
    """The broker's time of append; None where the topic does not stamp it."""
    traceparent: str | None = None
    """Header of that name; None where nobody traces."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a generation begins to read one topic partition."""

    topic: str
    partition: int
    start: int
    """The committed offset, or the log start where the group never committed."""
    high_watermark: int
    """Records below it were on the log before this generation."""


class Feed(Protocol):
    """Receiver of one worker's partitions. All calls come from one event loop."""

    def reset(self, generation: int) -> None:
        """Forget everything: a new generation begins, or everything was revoked."""
        ...

    def begin(self, assignment: Assignment) -> None:
        """First records of this topic partition in this generation are about to come."""
        ...

    def expected(self, topic: str, partition: int) -> int | None:
        """The offset to come next; None if any is right."""
        ...

    def take(self, topic: str, partition: int, records: Sequence[RawRecord]) -> None:
        """A fetched batch, ascending."""
        ...

    def observe(
        self, topic: str, partition: int, poll_ns: int, *, caught_up: bool, behind: int = 0
    ) -> None:
        """A poll succeeded at monotonic time `poll_ns`, `behind` records before the end."""
        ...

    def tracked(self) -> Iterable[tuple[str, int]]:
        """Topic partitions that may have something to commit."""
        ...

    def committable(self, topic: str, partition: int) -> int | None:
        """Everything before this offset is done; None if nothing is known."""
        ...

    def expired(self, topic: str, partition: int, count: int) -> None:
        """Retention deleted `count` records before they were read."""
        ...
