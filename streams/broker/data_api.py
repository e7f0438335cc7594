"""Produce, Fetch and ListOffsets: records in and out."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kafka.protocol.consumer import FetchResponse, ListOffsetsResponse, OffsetSpec
from kafka.protocol.producer import InitProducerIdResponse, ProduceResponse

from streams.broker.batch import Batch
from streams.broker.codes import ErrorCode, RefusedError
from streams.broker.log import Appended, Found, PartitionLog
from streams.broker.node import Node
from streams.broker.topics import Topic
from streams.broker.wire import Message, Request


async def produce(node: Node, request: Request) -> Message:
    """Append each partition's batch; every partition has its own outcome."""
    topics = [
        ProduceResponse.TopicProduceResponse(
            name=topic.name,
            partition_responses=[
                _append(node, topic.name, part.index, part.records) for part in topic.partition_data
            ],
        )
        for topic in request.body.topic_data
    ]
    return ProduceResponse(responses=topics)


def _append(node: Node, name: str, index: int, records: bytes | None) -> Message:
    error, message, start = ErrorCode.NONE, None, -1
    appended = Appended(base_offset=-1, append_ms=-1)
    try:
        topic = node.topics.get(name)
        partition = topic.partition(index)
        data = _within(topic, records or b"")
        appended = partition.append(data, node.now_ms() if topic.config.log_append_time else None)
        start = partition.start_offset
    except RefusedError as refused:
        error, message = refused.code, refused.message
    return ProduceResponse.TopicProduceResponse.PartitionProduceResponse(
        index=index,
        error_code=error,
        base_offset=appended.base_offset,
        log_append_time_ms=appended.append_ms,
        log_start_offset=start,
        record_errors=[],
        error_message=message,
    )


def _within(topic: Topic, data: bytes) -> bytes:
    if len(data) > topic.config.max_message_bytes:
        raise RefusedError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"{len(data)} bytes, {topic.name} takes {topic.config.max_message_bytes} "
            "(max.message.bytes)",
        )
    return data


async def init_producer_id(node: Node, request: Request) -> Message:
    """A number for an idempotent producer. Transactions are refused."""
    if request.body.transactional_id is not None:
        return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_epoch=-1)
    return InitProducerIdResponse(
        error_code=ErrorCode.NONE, producer_id=node.new_producer_id(), producer_epoch=0
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a fetch asks of one partition."""

    topic: str
    index: int
    offset: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """What a fetch gets of one partition."""

    wanted: _Wanted
    log: PartitionLog | None
    batches: Sequence[Batch] = ()
    error: ErrorCode = ErrorCode.NONE

    @property
    def size_bytes(self) -> int:
        return sum(batch.size_bytes for batch in self.batches)


async def fetch(node: Node, request: Request) -> Message:
    """Records from the wanted offsets on, as soon as there are enough of them.

    1. Gather what is there, within the limits of each partition and of the whole.
    2. Answer if that reaches `min_bytes`, or something is wrong, or the time is up.
    3. Else sleep until one of these logs changes, and begin again.
    """
    body = request.body
    if body.session_id:  # no session was ever given out
        return FetchResponse(error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND, responses=[])
    wanted = [
        _Wanted(topic.topic, part.partition, part.fetch_offset, part.partition_max_bytes)
        for topic in body.topics
        for part in topic.partitions
    ]
    until_s = asyncio.get_running_loop().time() + body.max_wait_ms / 1000
    parts = _gather(node, wanted, body.max_bytes)
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until_s):
            while not _enough(parts, body.min_bytes):
                with _watching(parts) as changed:
                    await changed.wait()
                parts = _gather(node, wanted, body.max_bytes)
    return _fetched(parts)


def _gather(node: Node, wanted: Sequence[_Wanted], max_bytes: int) -> list[_Part]:
    parts: list[_Part] = []
    left, found = max_bytes, False
    for want in wanted:
        log = None
        try:
            log = node.topics.get(want.topic).partition(want.index)
            batches = log.read(
                want.offset, max(min(want.max_bytes, left), 0), at_least_one=not found
            )
            part = _Part(want, log, batches)
        except RefusedError as refused:
            part = _Part(want, log, error=refused.code)
        left -= part.size_bytes
        found = found or bool(part.batches)
        parts.append(part)
    return parts


def _enough(parts: Sequence[_Part], min_bytes: int) -> bool:
    if not parts or any(part.error for part in parts):
        return True
    return sum(part.size_bytes for part in parts) >= min_bytes


@contextmanager
def _watching(parts: Sequence[_Part]) -> Iterator[asyncio.Event]:
    """An event that is set by the next change of any of the logs."""
    changed = asyncio.Event()
    logs = [part.log for part in parts if part.log]
    for log in logs:
        log.watchers.add(changed.set)
    try:
        yield changed
    finally:
        for log in logs:
            log.watchers.discard(changed.set)


def _fetched(parts: Sequence[_Part]) -> Message:
    by_topic: dict[str, list[Message]] = {}
    for part in parts:
        end = part.log.end_offset if part.log else -1
        by_topic.setdefault(part.wanted.topic, []).append(
            FetchResponse.FetchableTopicResponse.PartitionData(
                partition_index=part.wanted.index,
                error_code=part.error,
                high_watermark=end,
                last_stable_offset=end,
                log_start_offset=part.log.start_offset if part.log else -1,
                aborted_transactions=None,
                preferred_read_replica=-1,
                records=b"".join(batch.data for batch in part.batches),
            )
        )
    return FetchResponse(
        error_code=ErrorCode.NONE,
        session_id=0,
        responses=[
            FetchResponse.FetchableTopicResponse(topic=name, partitions=partitions)
            for name, partitions in by_topic.items()
        ],
    )


async def list_offsets(node: Node, request: Request) -> Message:
    """The first offset, the next one, or the first at or after a time."""
    return ListOffsetsResponse(
        topics=[
            ListOffsetsResponse.ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _offset(node, topic.name, part.partition_index, part.timestamp)
                    for part in topic.partitions
                ],
            )
            for topic in request.body.topics
        ]
    )


def _offset(node: Node, name: str, index: int, timestamp_ms: int) -> Message:
    error, found = ErrorCode.NONE, None
    try:
        log = node.topics.get(name).partition(index)
        found = _found(log, timestamp_ms)
    except RefusedError as refused:
        error = refused.code
    return ListOffsetsResponse.ListOffsetsTopicResponse.ListOffsetsPartitionResponse(
        partition_index=index,
        error_code=error,
        timestamp=found.timestamp_ms if found else -1,
        offset=found.offset if found else -1,
        leader_epoch=0,
    )


def _found(log: PartitionLog, timestamp_ms: int) -> Found | None:
    if timestamp_ms == OffsetSpec.LATEST:
        return Found(log.end_offset, -1)
    if timestamp_ms == OffsetSpec.EARLIEST:
        return Found(log.start_offset, -1)
    if timestamp_ms < 0:
        raise RefusedError(ErrorCode.INVALID_REQUEST, f"no offset for time {timestamp_ms}")
    return log.find_time(timestamp_ms)
