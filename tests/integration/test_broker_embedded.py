"""What is the embedded broker's own: its directory, its limits, its beginning and end."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.protocol.admin import (
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from kafka.protocol.metadata import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    MetadataRequest,
    MetadataResponse,
)
from kafka.protocol.producer import InitProducerIdRequest, InitProducerIdResponse

from streams.broker import BrokerAddressError, BrokerDirectoryError, EmbeddedBroker, Limits
from streams.broker.codes import ErrorCode
from tests.broker_records import batch_of, values_in
from tests.broker_wire import Wire, wire_to

TOPIC = "calls"
PATIENCE_S = 60.0


async def create(wire: Wire, name: str = TOPIC, partitions: int = 1, **configs: str) -> ErrorCode:
    """Dots in the names of settings are written as underscores."""
    wanted = CreateTopicsRequest.CreatableTopic
    answer = await wire.ask(
        CreateTopicsRequest(
            topics=[
                wanted(
                    name=name,
                    num_partitions=partitions,
                    replication_factor=1,
                    assignments=[],
                    configs=[
                        wanted.CreatableTopicConfig(name=key.replace("_", "."), value=value)
                        for key, value in configs.items()
                    ],
                )
            ],
            timeout_ms=1_000,
            validate_only=False,
        ),
        CreateTopicsResponse,
        4,
    )
    return ErrorCode(answer.topics[0].error_code)


async def metadata_of(wire: Wire, name: str, *, may_create: bool = True) -> Any:
    request = MetadataRequest(
        topics=[MetadataRequest.MetadataRequestTopic(name=name)],
        allow_auto_topic_creation=may_create,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=False,
    )
    return (await wire.ask(request, MetadataResponse, 8)).topics[0]


async def values_of(wire: Wire, offset: int = 0) -> list[bytes]:
    return values_in(bytes((await wire.fetch(TOPIC, 0, offset)).records))


# a directory


async def test_a_restart_restores_records_topics_and_committed_offsets(tmp_path: Path) -> None:
    partition = TopicPartition(TOPIC, 1)
    async with EmbeddedBroker(directory=tmp_path) as broker:
        async with wire_to(broker.bootstrap) as wire:
            await create(wire, partitions=2, message_timestamp_type="LogAppendTime")
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            for index in range(5):
                await producer.send_and_wait(TOPIC, b"%d" % index, partition=1)
        async with _member(broker.bootstrap) as consumer:
            first = [await consumer.getone() for _ in range(3)]
            await consumer.commit()

    async with EmbeddedBroker(directory=tmp_path) as broker:
        async with _member(broker.bootstrap) as consumer:
            assert await consumer.committed(partition) == 3
            rest = [await consumer.getone() for _ in range(2)]
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            sent = await producer.send_and_wait(TOPIC, b"5", partition=1)
    assert [record.value for record in first + rest] == [b"0", b"1", b"2", b"3", b"4"]
    assert {record.timestamp_type for record in rest} == {1}
    assert sent.offset == 5
    assert sent.timestamp_type == 1, "the settings of the topic are restored too"


def _member(bootstrap: str) -> Any:
    return AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="g",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )


async def test_a_client_outlives_a_restart_of_the_broker(tmp_path: Path) -> None:
    async with EmbeddedBroker(directory=tmp_path) as broker:
        port = int(broker.bootstrap.rsplit(":", 1)[1])
        async with wire_to(broker.bootstrap) as wire:
            await create(wire)
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True)
        consumer = _member(broker.bootstrap)
        await producer.start()
        await consumer.start()
        await producer.send_and_wait(TOPIC, b"before")
        assert (await consumer.getone()).value == b"before"

    sending = asyncio.create_task(producer.send_and_wait(TOPIC, b"after"))
    async with EmbeddedBroker(directory=tmp_path, port=port), asyncio.timeout(PATIENCE_S):
        assert (await sending).offset == 1
        assert (await consumer.getone()).value == b"after"
        await consumer.stop()
        await producer.stop()


async def test_a_killed_broker_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    script = """
import asyncio, pathlib, sys
from streams.broker import EmbeddedBroker
async def main():
    async with EmbeddedBroker(directory=pathlib.Path(sys.argv[1])) as broker:
        print("at", broker.bootstrap, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE_S):
            line = b""
            while not line.startswith(b"at "):  # log lines come first
                line = await process.stdout.readline()
        async with wire_to(line.split()[1].decode()) as wire:
            await create(wire)
            for index in range(10):
                answer = await wire.produce(TOPIC, 0, batch_of(b"%d" % index))
                assert answer.base_offset == index
    finally:
        process.kill()
        await process.wait()

    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        assert await values_of(wire) == [b"%d" % index for index in range(10)]


async def test_a_torn_last_record_is_cut_off_and_its_offset_given_anew(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        await create(wire)
        for value in (b"one", b"two"):
            await wire.produce(TOPIC, 0, batch_of(value))
    file = tmp_path / f"{TOPIC}-0.log"
    file.write_bytes(file.read_bytes()[:-1])

    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        assert await values_of(wire) == [b"one"]
        assert (await wire.produce(TOPIC, 0, batch_of(b"three"))).base_offset == 1
        assert await values_of(wire) == [b"one", b"three"]


async def test_a_producers_batch_sent_again_after_a_restart_is_kept_once(tmp_path: Path) -> None:
    batch = batch_of(b"x", producer=0, epoch=0, sequence=0)
    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        await create(wire)
        numbers = [await _producer_id(wire)]
        assert (await wire.produce(TOPIC, 0, batch)).base_offset == 0
    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        assert (await wire.produce(TOPIC, 0, batch)).base_offset == 0
        assert await values_of(wire) == [b"x"]
        numbers.append(await _producer_id(wire))
    assert numbers == [0, 1], "no number is given out twice"


async def _producer_id(wire: Wire, transactional_id: str | None = None) -> int:
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=1_000)
    answer = await wire.ask(request, InitProducerIdResponse, 1)
    return int(answer.producer_id) if answer.error_code == ErrorCode.NONE else -1


async def test_a_removed_topic_leaves_nothing_for_its_namesake(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        await create(wire)
        await wire.produce(TOPIC, 0, batch_of(b"old"))
        await wire.ask(
            DeleteTopicsRequest(topic_names=[TOPIC], timeout_ms=1_000), DeleteTopicsResponse, 3
        )
        assert not (tmp_path / f"{TOPIC}-0.log").exists()
        await create(wire)
        assert (await wire.produce(TOPIC, 0, batch_of(b"new"))).base_offset == 0


async def test_a_directory_belongs_to_one_broker_at_a_time(tmp_path: Path) -> None:
    async with EmbeddedBroker(directory=tmp_path):
        with pytest.raises(BrokerDirectoryError, match="another broker uses"):
            await EmbeddedBroker(directory=tmp_path).start()
    async with EmbeddedBroker(directory=tmp_path):
        pass


async def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broker.json").write_text("{")
    with pytest.raises(BrokerDirectoryError, match=r"broker\.json is damaged"):
        await EmbeddedBroker(directory=tmp_path).start()


async def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerDirectoryError, match="cannot keep a broker's log"):
        await EmbeddedBroker(directory=tmp_path / "file" / "below").start()


# an address


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(BrokerAddressError, match="this machine only"):
        EmbeddedBroker(host=host)


async def test_a_taken_port_is_named() -> None:
    async with EmbeddedBroker() as broker:
        port = int(broker.bootstrap.rsplit(":", 1)[1])
        with pytest.raises(BrokerAddressError, match=f"{port} is taken"):
            await EmbeddedBroker(port=port).start()


async def test_the_end_frees_the_port_and_ends_waiting_fetches() -> None:
    before = asyncio.all_tasks()
    async with EmbeddedBroker() as broker:
        port = int(broker.bootstrap.rsplit(":", 1)[1])
        async with wire_to(broker.bootstrap) as wire:
            await create(wire)
        host, _ = broker.bootstrap.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, port)
        waiting = asyncio.create_task(
            Wire(reader, writer).fetch(TOPIC, 0, 0, max_wait_ms=3_600_000)
        )
        async with wire_to(broker.bootstrap) as wire:
            assert not await values_of(wire)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await waiting
    writer.close()
    assert asyncio.all_tasks() == before
    async with EmbeddedBroker(port=port):
        pass


# what it refuses


async def test_there_are_no_transactions() -> None:
    async with EmbeddedBroker() as broker, wire_to(broker.bootstrap) as wire:
        assert await _producer_id(wire, transactional_id="t") == -1


async def test_a_topic_is_made_by_naming_it_only_where_that_is_wanted() -> None:
    async with EmbeddedBroker() as broker, wire_to(broker.bootstrap) as wire:
        answer = await metadata_of(wire, TOPIC)
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    limits = Limits(auto_create_topics=True, default_partitions=3)
    async with EmbeddedBroker(limits=limits) as broker, wire_to(broker.bootstrap) as wire:
        answer = await metadata_of(wire, TOPIC, may_create=False)
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert len((await metadata_of(wire, TOPIC)).partitions) == 3
        assert (await metadata_of(wire, "../escape")).error_code == ErrorCode.INVALID_TOPIC


@pytest.mark.parametrize(
    ("name", "partitions", "code"),
    [
        ("", 1, ErrorCode.INVALID_TOPIC),
        ("..", 1, ErrorCode.INVALID_TOPIC),
        ("a/b", 1, ErrorCode.INVALID_TOPIC),
        ("a" * 250, 1, ErrorCode.INVALID_TOPIC),
        ("a", 0, ErrorCode.INVALID_PARTITIONS),
        ("a", 1_001, ErrorCode.INVALID_PARTITIONS),
    ],
)
async def test_a_topic_that_cannot_be_is_refused(
    tmp_path: Path, name: str, partitions: int, code: ErrorCode
) -> None:
    async with (
        EmbeddedBroker(directory=tmp_path) as broker,
        wire_to(broker.bootstrap) as wire,
    ):
        assert await create(wire, name, partitions) is code


async def test_a_version_that_is_too_new_is_answered_with_those_that_are_known() -> None:
    async with EmbeddedBroker() as broker, wire_to(broker.bootstrap) as wire:
        request = ApiVersionsRequest(client_software_name="t", client_software_version="1")
        answer = await wire.ask(request, ApiVersionsResponse, 4)
        assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
        assert {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 22, 32} <= {
            api.api_key for api in answer.api_keys
        }
