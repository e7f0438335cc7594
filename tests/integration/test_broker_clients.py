"""What clients may rely on: one suite for the embedded broker and for Apache Kafka.

What passes here on both is what the demo and the fast tests may take for granted.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import OffsetOutOfRangeError
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as Partition
from kafka.admin import ConfigResource, NewTopic
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from streams.broker import EmbeddedBroker
from streams.broker.codes import ErrorCode
from tests.broker_records import GZIP, LZ4, ZSTD, batch_of, recompressed, values_in
from tests.broker_wire import wire_to

Result = TypeVar("Result")
Create = Callable[..., str]
CREATE_TIME, LOG_APPEND_TIME = 0, 1
PATIENCE_S = 60.0


@pytest.fixture
async def embedded_bootstrap() -> AsyncIterator[str]:
    async with EmbeddedBroker() as broker:
        yield broker.bootstrap


@pytest.fixture(params=["embedded_bootstrap", "kafka_bootstrap"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


async def with_admin(bootstrap: str, act: Callable[[Any], Result]) -> Result:
    """kafka-python blocks: it gets a thread, the embedded broker keeps the loop."""

    def run() -> Result:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        try:
            return act(admin)
        finally:
            admin.close()

    return await asyncio.to_thread(run)


@pytest.fixture
async def topic(bootstrap: str) -> str:
    return await created(bootstrap)


async def created(bootstrap: str, partitions: int = 1, **configs: str) -> str:
    """A fresh topic; dots in the names of settings are written as underscores."""
    name = f"t.{uuid4().hex}"
    settings = {key.replace("_", "."): value for key, value in configs.items()}

    def create(admin: Any) -> None:
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        admin.wait_for_topics([name])

    await with_admin(bootstrap, create)
    async with asyncio.timeout(PATIENCE_S), wire_to(bootstrap) as wire:
        for index in range(partitions):  # Kafka names a leader before that leader knows of it
            while (await wire.fetch(name, index, 0, max_wait_ms=10)).error_code:
                pass
    return name


def producer_of(bootstrap: str, **settings: Any) -> Any:
    """To be entered."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)


def consumer_of(bootstrap: str, *topics: str, **settings: Any) -> Any:
    """To be entered."""
    settings = {"auto_offset_reset": "earliest", **settings}
    return AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **settings)


async def taken(consumer: Any, number: int) -> list[ConsumerRecord]:
    """The next `number` records."""
    async with asyncio.timeout(PATIENCE_S):
        return [await consumer.getone() for _ in range(number)]


# topics


async def test_topics_are_made_described_and_removed(bootstrap: str) -> None:
    name = await created(bootstrap, 3, message_timestamp_type="LogAppendTime")

    def look(admin: Any) -> None:
        assert name in admin.list_topics()
        (described,) = admin.describe_topics([name])
        assert [part["partition_index"] for part in described["partitions"]] == [0, 1, 2]
        configs = admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")
        settings = configs["topic"][name]
        assert settings["message.timestamp.type"]["value"] == "LogAppendTime"
        assert settings["cleanup.policy"]["value"] == "delete"
        modified = admin.describe_configs([ConfigResource("TOPIC", name)])["topic"][name]
        assert set(modified) == {"message.timestamp.type"}
        with pytest.raises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(name, 3, 1)])

        admin.create_partitions({name: 5})
        (described,) = admin.describe_topics([name])
        assert len(described["partitions"]) == 5
        admin.delete_topics([name])
        with pytest.raises(UnknownTopicOrPartitionError):
            admin.delete_topics([name])

    await with_admin(bootstrap, look)


async def test_a_bad_setting_makes_no_topic(bootstrap: str) -> None:
    name = f"t.{uuid4().hex}"

    def look(admin: Any) -> None:
        for configs in ({"no.such.setting": "1"}, {"cleanup.policy": "burn"}):
            answer = admin.create_topics(
                [NewTopic(name, 1, 1, topic_configs=configs)], raise_errors=False
            )
            assert answer["topics"][0]["error_code"] == ErrorCode.INVALID_CONFIG
        assert name not in admin.list_topics()

    await with_admin(bootstrap, look)


async def test_an_unknown_topic_is_said_to_be_unknown(bootstrap: str) -> None:
    name = f"t.{uuid4().hex}"
    async with wire_to(bootstrap) as wire:
        answer = await wire.fetch(name, 0, 0)
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        answer = await wire.produce(name, 0, batch_of(b"x"))
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_an_unknown_partition_is_said_to_be_unknown(bootstrap: str, topic: str) -> None:
    async with wire_to(bootstrap) as wire:
        answer = await wire.fetch(topic, 7, 0)
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


# records


async def test_kafka_python_reads_what_it_wrote(bootstrap: str, topic: str) -> None:
    def run() -> None:
        producer = KafkaProducer(bootstrap_servers=bootstrap)
        for index in range(100):
            producer.send(topic, key=b"k", value=b"%d" % index, headers=[("n", b"%d" % index)])
        producer.flush()
        producer.close()
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=f"g.{uuid4().hex}",
            auto_offset_reset="earliest",
        )
        for index, record in zip(range(100), consumer, strict=False):
            assert (record.offset, record.key, record.value) == (index, b"k", b"%d" % index)
            assert list(record.headers) == [("n", b"%d" % index)]
        consumer.close()

    await asyncio.to_thread(run)


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_aiokafka_reads_what_it_wrote(
    bootstrap: str, topic: str, *, idempotent: bool, compression: str | None
) -> None:
    async with producer_of(
        bootstrap, enable_idempotence=idempotent, compression_type=compression
    ) as producer:
        sent = [await producer.send(topic, b"%d" % index * 50) for index in range(200)]
        assert [(await future).offset for future in sent] == list(range(200))
    async with consumer_of(bootstrap, topic) as consumer:
        records = await taken(consumer, 200)
    assert [record.value for record in records] == [b"%d" % index * 50 for index in range(200)]


async def test_create_time_is_the_producers(bootstrap: str, topic: str) -> None:
    async with producer_of(bootstrap) as producer:
        await producer.send_and_wait(topic, b"x", timestamp_ms=1_700_000_000_123)
    async with consumer_of(bootstrap, topic) as consumer:
        (record,) = await taken(consumer, 1)
    assert (record.timestamp, record.timestamp_type) == (1_700_000_000_123, CREATE_TIME)


@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_log_append_time_is_the_brokers_and_both_sides_are_told(
    bootstrap: str, compression: str | None
) -> None:
    topic = await created(bootstrap, message_timestamp_type="LogAppendTime")
    async with producer_of(bootstrap, compression_type=compression) as producer:
        sent = await producer.send_and_wait(topic, b"x" * 500, timestamp_ms=1_700_000_000_123)
    async with consumer_of(bootstrap, topic) as consumer:
        (record,) = await taken(consumer, 1)
    assert sent.timestamp_type == record.timestamp_type == LOG_APPEND_TIME
    assert sent.timestamp == record.timestamp > 1_700_000_000_123


@pytest.mark.parametrize("compression", [GZIP, LZ4, ZSTD])
async def test_compressed_batches_pass_through_byte_for_byte(
    bootstrap: str, topic: str, compression: int
) -> None:
    values = [b"a" * 100, b"b" * 100]
    batch = (
        batch_of(*values, compression=GZIP)
        if compression == GZIP
        else recompressed(batch_of(*values), compression)
    )
    async with wire_to(bootstrap) as wire:
        for base_offset in (0, 2):
            answer = await wire.produce(topic, 0, batch)
            assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, base_offset)
        got = bytes((await wire.fetch(topic, 0, 0)).records)
    assert len(got) == 2 * len(batch)
    for base_offset, start in ((0, 0), (2, len(batch))):
        assert struct.unpack_from(">q", got, start) == (base_offset,)
        # behind the offset and the leader epoch, from the version on
        assert got[start + 16 : start + len(batch)] == batch[16:]


async def test_a_batch_sent_again_is_kept_once(bootstrap: str, topic: str) -> None:
    async with producer_of(bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"first")
        number, epoch = producer._txn_manager.producer_id, producer._txn_manager.producer_epoch
    again = batch_of(b"second", producer=number, epoch=epoch, sequence=1)
    gap = batch_of(b"third", producer=number, epoch=epoch, sequence=5)
    async with wire_to(bootstrap) as wire:
        offsets = [(await wire.produce(topic, 0, again)).base_offset for _ in range(3)]
        refused = await wire.produce(topic, 0, gap)
        kept = values_in(bytes((await wire.fetch(topic, 0, 0)).records))
    assert offsets == [1, 1, 1]
    assert refused.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert kept == [b"first", b"second"]


async def test_a_damaged_batch_is_refused_and_its_neighbours_are_kept(
    bootstrap: str, topic: str
) -> None:
    damaged = bytearray(batch_of(b"x" * 20))
    damaged[-1] ^= 1
    async with wire_to(bootstrap) as wire:
        await wire.produce(topic, 0, batch_of(b"before"))
        answer = await wire.produce(topic, 0, bytes(damaged))
        assert answer.error_code == ErrorCode.CORRUPT_MESSAGE
        await wire.produce(topic, 0, batch_of(b"after"))
        kept = values_in(bytes((await wire.fetch(topic, 0, 0)).records))
    assert kept == [b"before", b"after"]


async def test_a_record_over_the_limit_of_its_topic_is_refused(bootstrap: str) -> None:
    topic = await created(bootstrap, max_message_bytes="1000")
    async with wire_to(bootstrap) as wire:
        answer = await wire.produce(topic, 0, batch_of(b"x" * 2_000))
        assert answer.error_code == ErrorCode.MESSAGE_TOO_LARGE
        assert (await wire.produce(topic, 0, batch_of(b"x"))).base_offset == 0


# fetching


async def test_a_waiting_fetch_is_answered_by_the_append_not_by_its_deadline(
    bootstrap: str, topic: str
) -> None:
    async with wire_to(bootstrap) as reader, wire_to(bootstrap) as writer:
        waiting = asyncio.create_task(reader.fetch(topic, 0, 0, max_wait_ms=3_600_000))
        # the broker has had the fetch for a while once it has answered these
        for _ in range(5):
            assert not (await writer.fetch(topic, 0, 0)).records
        assert not waiting.done()

        await writer.produce(topic, 0, batch_of(b"now"))
        async with asyncio.timeout(PATIENCE_S):  # the deadline of the fetch is an hour away
            answer = await waiting
    assert values_in(bytes(answer.records)) == [b"now"]


async def test_a_fetch_waits_for_as_many_bytes_as_it_wants(bootstrap: str, topic: str) -> None:
    batch = batch_of(b"x" * 100)
    async with wire_to(bootstrap) as reader, wire_to(bootstrap) as writer:
        waiting = asyncio.create_task(
            reader.fetch(topic, 0, 0, max_wait_ms=3_600_000, min_bytes=len(batch) * 3)
        )
        for _ in range(3):
            assert not waiting.done()
            await writer.produce(topic, 0, batch)
        async with asyncio.timeout(PATIENCE_S):
            answer = await waiting
    assert len(answer.records) == len(batch) * 3


async def test_a_fetch_out_of_range_is_told_so(bootstrap: str, topic: str) -> None:
    async with wire_to(bootstrap) as wire:
        await wire.produce(topic, 0, batch_of(b"a", b"b"))
        assert (await wire.fetch(topic, 0, 2)).error_code == ErrorCode.NONE
        for offset in (3, 1_000):
            answer = await wire.fetch(topic, 0, offset)
            assert answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


async def test_a_consumer_out_of_range_fails_or_starts_over_as_it_was_told(
    bootstrap: str, topic: str
) -> None:
    async with producer_of(bootstrap) as producer:
        await producer.send_and_wait(topic, b"x")
    partition = TopicPartition(topic, 0)
    async with consumer_of(bootstrap, auto_offset_reset="none") as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 50)
        with pytest.raises(OffsetOutOfRangeError):
            await taken(consumer, 1)
    async with consumer_of(bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 50)
        (record,) = await taken(consumer, 1)
        assert record.offset == 0


async def test_offsets_are_found_by_end_and_by_time(bootstrap: str, topic: str) -> None:
    now_ms = 1_700_000_000_000
    async with producer_of(bootstrap) as producer:
        for index in range(4):
            await producer.send_and_wait(topic, b"x", timestamp_ms=now_ms + 10 * index)
    partition = TopicPartition(topic, 0)
    async with consumer_of(bootstrap, topic) as consumer:
        assert await consumer.beginning_offsets([partition]) == {partition: 0}
        assert await consumer.end_offsets([partition]) == {partition: 4}
        found = await consumer.offsets_for_times({partition: now_ms + 15})
        assert (found[partition].offset, found[partition].timestamp) == (2, now_ms + 20)
        assert await consumer.offsets_for_times({partition: now_ms + 31}) == {partition: None}


# groups


class Assignments:
    """What each member of a group holds, and a way to wait until all is shared out."""

    def __init__(self) -> None:
        self.held: dict[str, set[TopicPartition]] = {}
        self.changed = asyncio.Condition()

    def of(self, member: str) -> "_Listener":
        return _Listener(self, member)

    async def shared_out(self, members: set[str], partitions: int) -> None:
        """Wait until exactly these members hold all partitions, each at least one."""

        def done() -> bool:
            shares = [self.held.get(member, set()) for member in members]
            return (
                all(shares)
                and sum(map(len, shares)) == partitions
                and len(set[TopicPartition]().union(*shares)) == partitions
            )

        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(done)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # published without types
    def __init__(self, all_of_them: Assignments, member: str) -> None:
        self.all_of_them, self.member = all_of_them, member

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._set(set())

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._set(set(assigned))

    async def _set(self, partitions: set[TopicPartition]) -> None:
        async with self.all_of_them.changed:
            self.all_of_them.held[self.member] = partitions
            self.all_of_them.changed.notify_all()


async def test_partitions_are_shared_out_anew_as_members_come_and_go(bootstrap: str) -> None:
    topic, group = await created(bootstrap, 6), f"g.{uuid4().hex}"
    assignments = Assignments()

    async def member(name: str, stack: AsyncExitStack) -> Any:
        consumer = await stack.enter_async_context(
            consumer_of(bootstrap, group_id=group, heartbeat_interval_ms=200)
        )
        consumer.subscribe([topic], listener=assignments.of(name))
        return consumer

    async with AsyncExitStack() as one, AsyncExitStack() as others:
        await member("one", one)
        await assignments.shared_out({"one"}, 6)
        await member("two", others)
        await assignments.shared_out({"one", "two"}, 6)
        await member("three", others)
        await assignments.shared_out({"one", "two", "three"}, 6)

        def look(admin: Any) -> None:
            described = admin.describe_groups([group])[group]
            assert described["group_state"] == "Stable"
            assert len(described["members"]) == 3

        await with_admin(bootstrap, look)
        await one.aclose()  # the leader of the group
        del assignments.held["one"]
        await assignments.shared_out({"two", "three"}, 6)


async def test_members_together_get_every_record_once_and_the_next_goes_on_behind_them(
    bootstrap: str,
) -> None:
    topic, group = await created(bootstrap, 4), f"g.{uuid4().hex}"
    async with producer_of(bootstrap) as producer:
        for index in range(40):
            await producer.send_and_wait(topic, b"%d" % index, partition=index % 4)
    assignments = Assignments()
    got: list[bytes] = []
    async with (
        consumer_of(bootstrap, group_id=group, enable_auto_commit=False) as one,
        consumer_of(bootstrap, group_id=group, enable_auto_commit=False) as two,
    ):
        one.subscribe([topic], listener=assignments.of("one"))
        two.subscribe([topic], listener=assignments.of("two"))
        await assignments.shared_out({"one", "two"}, 4)
        for consumer in (one, two):
            got += [record.value for record in await taken(consumer, 20)]
            await consumer.commit()
    assert sorted(got, key=int) == [b"%d" % index for index in range(40)]

    async with producer_of(bootstrap) as producer:
        await producer.send_and_wait(topic, b"new", partition=3)
    async with consumer_of(bootstrap, topic, group_id=group) as consumer:
        (record,) = await taken(consumer, 1)
        assert (record.value, record.offset) == (b"new", 10)


async def test_committed_offsets_are_seen_by_others_and_go_with_their_group(
    bootstrap: str, topic: str
) -> None:
    group, partition = f"g.{uuid4().hex}", Partition(topic, 0)
    async with producer_of(bootstrap) as producer:
        for _ in range(3):
            await producer.send_and_wait(topic, b"x")
    async with consumer_of(bootstrap, topic, group_id=group, enable_auto_commit=False) as consumer:
        assert await consumer.committed(TopicPartition(topic, 0)) is None
        await taken(consumer, 3)
        await consumer.commit({TopicPartition(topic, 0): (2, "a note")})

    def look(admin: Any) -> None:
        at = admin.list_group_offsets(group)[group][partition]
        assert (at.offset, at.metadata) == (2, "a note")
        assert group in {listed["group_id"] for listed in admin.list_groups()}
        assert admin.delete_groups([group]) == {group: "OK"}
        assert not admin.list_group_offsets({group: None}).get(group)

    await with_admin(bootstrap, look)


async def test_kafka_python_goes_on_where_its_group_stopped(bootstrap: str, topic: str) -> None:
    group = f"g.{uuid4().hex}"
    async with producer_of(bootstrap) as producer:
        for index in range(4):
            await producer.send_and_wait(topic, b"%d" % index)

    def read(number: int) -> list[int]:
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=1,
        )
        offsets = [record.offset for _, record in zip(range(number), consumer, strict=False)]
        consumer.commit()
        consumer.close()
        return offsets

    assert await asyncio.to_thread(read, 3) == [0, 1, 2]
    assert await asyncio.to_thread(read, 1) == [3]


# bad bytes


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">i", -5),
        struct.pack(">i", 0x7FFF_FFFF),
        struct.pack(">ihhih", 10, 999, 0, 1, -1),  # no such request
        struct.pack(">ihhih", 10, 1, 4, 1, -1),  # a fetch that ends behind its header
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["negative", "huge", "unknown", "torn", "http"],
)
async def test_bad_bytes_close_their_connection_and_no_other(
    bootstrap: str, topic: str, data: bytes
) -> None:
    async with wire_to(bootstrap) as good, wire_to(bootstrap) as bad:
        await good.produce(topic, 0, batch_of(b"before"))
        bad.writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            assert await bad.reader.read() == b""
        assert (await good.produce(topic, 0, batch_of(b"after"))).base_offset == 1
