"""Faust on the embedded broker: with its default settings, and as the worker uses it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer
from faust.app.base import BootStrategy
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streams import topics, traces
from streams.broker import EmbeddedBroker, Limits
from streams.ingest.publisher import Publisher
from streams.records import AudioChunk
from streams.worker.faust_adapter import scoring_app
from streams.worker.feed import Assignment, RawRecord

PARTITIONS = 2
PATIENCE_S = 60.0


class RecordingFeed:
    """Takes everything, finishes it at once, and remembers what it was told."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.changed = changed
        self.records: dict[tuple[str, int], list[RawRecord]] = defaultdict(list)
        self.next: dict[tuple[str, int], int] = {}
        self.behind: dict[tuple[str, int], int] = {}
        self.begun: list[Assignment] = []
        self.generations: list[int] = []

    def reset(self, generation: int) -> None:
        self.generations.append(generation)
        self.next.clear()
        self.changed.set()

    def begin(self, assignment: Assignment) -> None:
        self.begun.append(assignment)
        self.next[assignment.topic, assignment.partition] = assignment.start
        self.changed.set()

    def expected(self, topic: str, partition: int) -> int | None:
        return self.next.get((topic, partition))

    def take(self, topic: str, partition: int, records: Sequence[RawRecord]) -> None:
        self.records[topic, partition] += records
        self.next[topic, partition] = records[-1].offset + 1
        self.changed.set()

    def observe(
        self, topic: str, partition: int, poll_ns: int, *, caught_up: bool, behind: int = 0
    ) -> None:
        assert caught_up is (behind == 0)
        self.behind[topic, partition] = behind

    def tracked(self) -> Iterable[tuple[str, int]]:
        return list(self.next)

    def committable(self, topic: str, partition: int) -> int | None:
        return self.next.get((topic, partition))

    def expired(self, topic: str, partition: int, count: int) -> None:
        raise AssertionError(f"{count} records of {topic} expired")

    def complete(self) -> bool:
        """Whether something came from everywhere."""
        return len(self.records) == PARTITIONS * len(topics.INPUTS)

    @property
    def values(self) -> dict[tuple[str, int], list[bytes | None]]:
        return {key: [record.value for record in got] for key, got in self.records.items()}


@pytest.fixture
async def bootstrap() -> AsyncIterator[str]:
    """A broker with the inputs of the worker, stamped by the broker as in a deployment."""
    async with EmbeddedBroker() as broker:

        def create() -> None:
            admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
            stamped = {"message.timestamp.type": "LogAppendTime"}
            admin.create_topics(
                [NewTopic(name, PARTITIONS, 1, topic_configs=stamped) for name in topics.INPUTS]
            )
            admin.close()

        await asyncio.to_thread(create)
        yield broker.bootstrap


async def until(changed: asyncio.Event, holds: Callable[[], bool]) -> None:
    """Wait until `holds`, which may become true with any change."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            changed.clear()
            await changed.wait()


async def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    def ask() -> dict[TopicPartition, Any]:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        offsets: dict[TopicPartition, Any] = admin.list_group_offsets({group: None})[group]
        admin.close()
        return offsets

    offsets = await asyncio.to_thread(ask)
    return {(tp.topic, tp.partition): at.offset for tp, at in offsets.items()}


async def send(bootstrap: str, values: Iterable[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            for topic in topics.INPUTS:
                for partition in range(PARTITIONS):
                    await producer.send(topic, value, partition=partition)


async def test_the_worker_gets_every_record_and_commits_behind_it(
    bootstrap: str, tmp_path: Path
) -> None:
    everywhere = {(topic, part) for topic in topics.INPUTS for part in range(PARTITIONS)}
    changed = asyncio.Event()
    feed = RecordingFeed(changed)
    app = scoring_app(feed, kafka=bootstrap, group="g", partitions=PARTITIONS, data_dir=tmp_path)
    await send(bootstrap, [b"0", b"1"])  # before it starts
    async with app:
        await until(changed, lambda: sum(map(len, feed.records.values())) == 2 * len(everywhere))
        await send(bootstrap, [b"2"])  # while it runs
        await until(changed, lambda: sum(map(len, feed.records.values())) == 3 * len(everywhere))
    assert feed.values == {key: [b"0", b"1", b"2"] for key in everywhere}
    assert {(a.topic, a.partition, a.start) for a in feed.begun} == {
        (topic, part, 0) for topic, part in everywhere
    }
    for records in feed.records.values():
        assert all(record.appended_ns for record in records), "LogAppendTime is visible"
    assert await committed(bootstrap, "g") == dict.fromkeys(everywhere, 3)


async def test_the_context_of_a_trace_travels_in_a_header_to_the_worker(
    bootstrap: str, tmp_path: Path
) -> None:
    changed = asyncio.Event()
    feed = RecordingFeed(changed)
    app = scoring_app(feed, kafka=bootstrap, group="g", partitions=PARTITIONS, data_dir=tmp_path)
    record = AudioChunk(
        tenant="acme", conversation="c-1", participant="p-1", sequence=0, start_ns=0,
        duration_ns=1, rate_hz=8_000,
    )  # fmt: skip
    traces.begin(SimpleSpanProcessor(InMemorySpanExporter()), "test")
    try:
        async with Publisher.connect(bootstrap) as publisher:
            with traces.span("ingest"):
                sent = traces.headers()["traceparent"]
                await publisher.publish(record)
            await publisher.publish(record)
        async with app:
            await until(changed, lambda: sum(map(len, feed.records.values())) == 2)
    finally:
        traces.end()
    [received] = feed.records.values()
    assert [raw.traceparent for raw in received] == [sent, None]
    assert set(feed.behind.values()) <= {0}


async def test_a_worker_that_starts_again_goes_on_behind_its_commit(
    bootstrap: str, tmp_path: Path
) -> None:
    changed = asyncio.Event()
    for round_ in range(2):
        feed = RecordingFeed(changed)
        app = scoring_app(
            feed, kafka=bootstrap, group="g", partitions=PARTITIONS, data_dir=tmp_path
        )
        await send(bootstrap, [b"%d" % round_])
        async with app:
            await until(changed, feed.complete)
        assert {tuple(values) for values in feed.values.values()} == {(b"%d" % round_,)}
        assert {assignment.start for assignment in feed.begun} == {round_}


async def test_two_workers_share_the_partitions_and_one_takes_over(
    bootstrap: str, tmp_path: Path
) -> None:
    total = PARTITIONS * len(topics.INPUTS)
    changed = asyncio.Event()
    one, two = RecordingFeed(changed), RecordingFeed(changed)

    def worker(feed: RecordingFeed) -> Any:
        return scoring_app(
            feed, kafka=bootstrap, group="g", partitions=PARTITIONS, data_dir=tmp_path
        )

    second = worker(two)
    async with worker(one):
        await until(changed, lambda: len(one.next) == total)
        async with second:
            await until(changed, lambda: len(one.next) == len(two.next) == total // 2)
            # conversations live in one partition number: whoever has it needs all its topics
            assert all(
                {topic for topic, part in feed.next if part == mine} == set(topics.INPUTS)
                for feed in (one, two)
                for mine in {part for _, part in feed.next}
            )
        await until(changed, lambda: len(one.next) == total)
        await send(bootstrap, [b"x"])
        await until(changed, lambda: len(one.records) == total)


class _NoWeb(BootStrategy):
    enable_web = False


class PlainApp(faust.App):
    """Default settings, without the web server that `web_enabled` does not turn off."""

    BootStrategy = _NoWeb


async def test_faust_runs_with_its_default_settings(tmp_path: Path) -> None:
    async with EmbeddedBroker(limits=Limits(auto_create_topics=True)) as broker:
        app = PlainApp("plain", broker=f"kafka://{broker.bootstrap}", datadir=tmp_path)
        words = app.topic("words", value_type=bytes, value_serializer="raw")
        counts = app.Table("counts", default=int)
        seen: list[bytes] = []
        changed = asyncio.Event()

        @app.agent(words)
        async def count(stream: Any) -> None:
            async for word in stream:
                counts[word.decode()] += 1
                seen.append(word)
                changed.set()

        async with app:
            for _ in range(3):
                await count.send(value=b"hello")
            await until(changed, lambda: len(seen) == 3)
            assert counts["hello"] == 3
