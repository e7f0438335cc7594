"""Conversations to Kafka as they would have happened, less what policy keeps back.

Keyed by conversation, in the order of event time, few records in flight.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind

from inference.labels import Modality
from inference.units import SECOND_NS
from streams import topics, traces
from streams.cloud_events import MSGPACK, cloud_event
from streams.ingest.errors import OptionError, PublishError
from streams.ingest.source import FileSource, Timed
from streams.policy import Basis, Decision
from streams.records import (
    AudioChunk,
    ControlEvent,
    Kind,
    MediaRecord,
    Record,
    TranscriptSegment,
    VideoFrame,
    encode,
)

MAX_IN_FLIGHT: Final = 256
"""Records that the broker has not confirmed; at 200 ms of sound each, less than 2 MB."""
MAX_REQUEST_BYTES: Final = 4 << 20
"""The default of 1 000 000 would refuse a record of the size that our topics allow."""
MAX_AHEAD_NS: Final = 60 * SECOND_NS
"""Workers refuse records further ahead of the broker's clock."""
_READ_AT_ONCE: Final = 32
"""Records decoded in one go by a thread, so that the event loop stays free."""
_TOPIC_OF: Final[Mapping[type[Record], str]] = {
    kind: topic for topic, kind in topics.RECORD_TYPES.items()
}

Sleep = Callable[[float], Awaitable[None]]


class Gate(Protocol):
    """What publishing asks of policy."""

    def apply(self, event: ControlEvent) -> None:
        """Take a fact."""
        ...

    def forbidden_within(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> Decision | None:
        """Why this modality of this participant may not be analysed in all of that time."""
        ...


class Publishes(Protocol):
    """Where records go."""

    async def publish(self, record: Record) -> None:
        """Take one record, in the order of the calls."""
        ...


@dataclass(slots=True)
class PublishStats:
    """What became of a file's records."""

    sent: int = 0
    withheld: Counter[tuple[Modality, Basis]] = field(default_factory=Counter)
    """Records that policy kept back, and on what basis."""

    @property
    def withheld_in_words(self) -> str:
        """`12 speech (no_notice), 3 face (refusal)`; empty where nothing was withheld."""
        counted = sorted(self.withheld.items())
        return ", ".join(f"{count} {what} ({basis})" for (what, basis), count in counted)


def permitted(timed: Iterator[Timed], gate: Gate, stats: PublishStats) -> Iterator[Timed]:
    """Records that may leave; control events teach the gate on their way.

    Heartbeats and ends hold nothing of anybody, and windows wait for them.

    Args:
        timed: one conversation in event-time order.
        gate: fresh, of this conversation.
        stats: counts what is withheld.
    """
    for item in timed:
        record = item.record
        if isinstance(record, ControlEvent):
            gate.apply(record)
        elif record.kind is Kind.DATA:
            modality, start_ns, end_ns = _span(record)
            refused = gate.forbidden_within(record.participant, modality, start_ns, end_ns)
            if refused is not None:
                stats.withheld[modality, refused.basis] += 1
                continue
        yield item


async def publish(
    timed: Iterator[Timed],
    publisher: Publishes,
    *,
    speed: float | None,
    stats: PublishStats,
    on_progress: Callable[[int], None],
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Publish records, each when its time has come.

    Args:
        timed: one conversation in event-time order; the clock starts with its first record.
        publisher: takes them.
        speed: seconds of event time per second; None is as fast as it goes.
        stats: counts what is published.
        on_progress: told the event time that has been played.
        clock_ns: a monotonic clock.
        sleep: takes seconds.
    """
    begin_ns, zero_ns = clock_ns(), None
    while batch := await asyncio.to_thread(_some, timed):
        count = {"messaging.batch.message_count": len(batch)}
        with traces.span("ingest", kind=SpanKind.PRODUCER, attributes=count):
            for item in batch:
                zero_ns = item.at_ns if zero_ns is None else zero_ns
                if speed is not None:
                    due_ns = begin_ns + round((item.at_ns - zero_ns) / speed)
                    wait_ns = due_ns - clock_ns()
                    if wait_ns > 0:
                        await sleep(wait_ns / SECOND_NS)
                await publisher.publish(item.record)
                stats.sent += 1
                on_progress(item.at_ns)


def check_clock(source: FileSource, speed: float | None, now_ns: int) -> None:
    """Refuse a start that would put records ahead of the broker's clock.

    Raises OptionError saying by how much.
    """
    faster = 1.0 if speed is None else max(0.0, 1.0 - 1.0 / speed)
    ahead_ns = source.start_ns - now_ns + round(source.media.duration_ns * faster)
    if ahead_ns > MAX_AHEAD_NS:
        raise OptionError(
            f"--start puts {source.media.path} up to {ahead_ns / SECOND_NS:.0f} s ahead of now; "
            f"workers refuse more than {MAX_AHEAD_NS // SECOND_NS} s"
        )


def _span(record: MediaRecord) -> tuple[Modality, int, int]:
    """Modality of a record, and the time that it speaks of."""
    match record:
        case AudioChunk():
            return Modality.SPEECH, record.start_ns, record.start_ns + record.duration_ns
        case VideoFrame():
            return Modality.FACE, record.captured_ns, record.captured_ns
        case TranscriptSegment():
            return Modality.TEXT, record.start_ns, record.end_ns


def _some(timed: Iterator[Timed]) -> list[Timed]:
    return list(islice(timed, _READ_AT_ONCE))


class Publisher:
    """Publishes records; a record that Kafka did not take is an error of a later call.

    The partition is murmur2 of the key, as in Java, so every track of a conversation
    meets on one partition of each topic. An idempotent producer keeps the order of each
    partition, also where it had to send again.
    """

    def __init__(self, producer: AIOKafkaProducer, *, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._producer = producer
        self._room = asyncio.Semaphore(max_in_flight)
        self._waiting: set[asyncio.Future[object]] = set()
        self._failure: BaseException | None = None

    @classmethod
    @asynccontextmanager
    async def connect(cls, bootstrap: str) -> AsyncIterator[Self]:
        """Connect; on the way out everything is sent.

        The topics must be there: see `streams.kafka_admin.check_topics`. A topic that the
        broker made up may have another number of partitions, and no conversation would meet.

        Raises PublishError if there is no broker, or it refused a record.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=MAX_REQUEST_BYTES,
        )
        try:
            try:
                await producer.start()
            except (KafkaError, OSError) as exc:
                raise PublishError(
                    f"no Kafka at {bootstrap} ({type(exc).__name__}): "
                    "start it, or set AFFECTSTREAM_KAFKA"
                ) from exc
            publisher = cls(producer)
            yield publisher
            await publisher.flush()
        finally:
            await producer.stop()

    async def publish(self, record: Record) -> None:
        """Hand one record over; waits while too many are in flight.

        Raises PublishError if the broker refused this or an earlier record.
        """
        await self._room.acquire()
        try:
            self._raise_failure()
            topic = _TOPIC_OF[type(record)]
            sent = await self._producer.send(
                topic,
                value=encode(record),
                key=record.key,
                headers=[(name, text.encode()) for name, text in _headers(topic, record).items()],
            )
        except KafkaError as exc:
            self._room.release()
            raise _refused(exc) from exc
        except BaseException:
            self._room.release()
            raise
        self._waiting.add(sent)
        sent.add_done_callback(self._confirmed)

    async def flush(self) -> None:
        """Return once the broker has everything.

        Raises PublishError if it refused anything.
        """
        if self._waiting:
            await asyncio.wait(self._waiting)
        self._raise_failure()

    def _confirmed(self, sent: asyncio.Future[object]) -> None:
        self._waiting.discard(sent)
        self._room.release()
        if not sent.cancelled() and sent.exception() is not None:
            self._failure = self._failure or sent.exception()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise _refused(self._failure) from self._failure


def _headers(topic: str, record: Record) -> dict[str, str]:
    """CloudEvents in binary mode. The id is the same whenever the same record is sent."""
    place = f"{record.tenant}/{record.conversation}"
    return cloud_event(
        f"{topic}/{place}/{record.participant}/{record.sequence}",
        topic,
        subject=place,
        content_type=MSGPACK,
    )


def _refused(exc: BaseException) -> PublishError:
    return PublishError(f"Kafka did not take a record: {type(exc).__name__} {exc}".rstrip())
