"""Files on a real log: every record, in order, on the partition that Java would choose."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.partitioner.default import murmur2
from ulid import ULID

from inference.labels import Role
from streams import topics
from streams.broker import EmbeddedBroker
from streams.cli.ingest import ingest
from streams.ingest.errors import PublishError
from streams.ingest.options import MediaOptions
from streams.ingest.parties import Naming
from streams.ingest.publisher import Publisher, PublishStats, permitted, publish
from streams.ingest.source import FileSource, SourceOptions, records
from streams.kafka_admin import ensure_topics
from streams.policy import ConversationGate, load_profile
from streams.records import AudioChunk, Kind, Record, decode
from tests.media import tone, write_pictures, write_sound

PARTITIONS = 3
NOW_NS = 1_700_000_000 * 1_000_000_000


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command sets up logging for its process, which here is that of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@asynccontextmanager
async def broker_with_topics() -> AsyncIterator[str]:
    async with EmbeddedBroker() as broker:
        await asyncio.to_thread(
            ensure_topics, broker.bootstrap, partitions=PARTITIONS, replication=1
        )
        yield broker.bootstrap


async def logged(bootstrap: str) -> dict[tuple[str, int], list[Record]]:
    """Everything on the input topics, by topic and partition."""
    places = [TopicPartition(topic, n) for topic in topics.INPUTS for n in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    found: dict[tuple[str, int], list[Record]] = defaultdict(list)
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, messages in (await consumer.getmany(timeout_ms=1_000)).items():
                for message in messages:
                    assert message.key is not None
                    assert murmur2(message.key) % 2**31 % PARTITIONS == message.partition
                    record = decode(topics.RECORD_TYPES[message.topic], message.value)
                    assert message.key == record.key
                    found[place.topic, place.partition].append(record)
    finally:
        await consumer.stop()
    return found


async def test_files_at_once_arrive_whole_and_each_in_order(tmp_path: Path) -> None:
    both = np.stack([tone(3.0, 16_000), tone(3.0, 16_000, 700.0)])
    files = [
        write_sound(tmp_path / "two.wav", both, 16_000, layout="stereo"),
        write_pictures(tmp_path / "video.mp4", sound_rate_hz=44_100),
        write_sound(tmp_path / "one.wav", tone(2.0, 8_000)[None], 8_000, "pcm_mulaw"),
    ]
    options = [
        SourceOptions(naming=Naming(channels=("customer", "agent"))),
        SourceOptions(),
        SourceOptions(),
    ]
    sources = [
        FileSource.open(path, said, now_ns=NOW_NS, warn=pytest.fail)
        for path, said in zip(files, options, strict=True)
    ]

    async def one(source: FileSource, publisher: Publisher) -> None:
        gate, stats = ConversationGate(load_profile("eu")), PublishStats()
        await publish(
            permitted(records(source, pytest.fail), gate, stats),
            publisher,
            speed=None,
            stats=stats,
            on_progress=lambda at_ns: None,
        )

    async with broker_with_topics() as bootstrap:
        async with Publisher.connect(bootstrap) as publisher:
            await asyncio.gather(*(one(source, publisher) for source in sources))
        found = await logged(bootstrap)
    for source in sources:
        gate, stats = ConversationGate(load_profile("eu")), PublishStats()
        sent = [item.record for item in permitted(records(source, pytest.fail), gate, stats)]
        for topic, kind in topics.RECORD_TYPES.items():
            parts = [
                [record for record in logs if record.conversation == source.conversation]
                for (name, _), logs in found.items()
                if name == topic
            ]
            arrived = [part for part in parts if part]
            expected = [record for record in sent if isinstance(record, kind)]
            assert arrived == ([expected] if expected else [])
    data = [
        record
        for logs in found.values()
        for record in logs
        if isinstance(record, AudioChunk) and record.kind is Kind.DATA
    ]
    assert "agent" not in {record.participant for record in data}


async def test_without_a_broker_one_sentence_says_what_to_set() -> None:
    with pytest.raises(PublishError, match=r"no Kafka at 127\.0\.0\.1:1 .*AFFECTSTREAM_KAFKA"):
        async with Publisher.connect("127.0.0.1:1"):
            pytest.fail("there is no broker")


async def test_the_command_prints_conversations_and_says_role_and_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [
        write_sound(tmp_path / f"{name}.wav", tone(2.0, 16_000)[None], 16_000)
        for name in ("one", "two")
    ]
    async with broker_with_topics() as bootstrap:
        monkeypatch.setenv("AFFECTSTREAM_KAFKA", bootstrap)
        monkeypatch.setenv("AFFECTSTREAM_PARTITIONS", str(PARTITIONS))
        said = MediaOptions(role=Role.AGENT)
        await asyncio.to_thread(ingest, *files, speed="max", media=said)
        found = await logged(bootstrap)
    out, err = capfd.readouterr()
    conversations = [line for line in out.splitlines() if len(line) == len(str(ULID()))]
    logged_ids = {record.conversation for logs in found.values() for record in logs}
    assert set(conversations) == logged_ids
    assert len(logged_ids) == 2
    assert err.count("p-1 is agent (audio); notice given") == 2
    assert err.count("policy eu withheld records: 10 speech (refusal)") == 2
