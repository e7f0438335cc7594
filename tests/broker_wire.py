"""A bare connection to a broker: one request, one answer, nothing retried or hidden."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.producer import ProduceRequest, ProduceResponse

PRODUCE_VERSION, FETCH_VERSION = 8, 11


class Wire:
    """Speaks kafka-python's messages over one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._numbers = count(1)

    async def ask(self, request: Any, response: Any, version: int) -> Any:
        """Send `request`, decode the answer as `response`."""
        request.API_VERSION = version
        request.with_header(correlation_id=next(self._numbers), client_id="wire")
        self.writer.write(request.encode(header=True, framed=True))
        (length,) = struct.unpack(">i", await self.reader.readexactly(4))
        return response.decode(await self.reader.readexactly(length), version=version, header=True)

    async def produce(self, topic: str, partition: int, records: bytes) -> Any:
        """Answer for the one partition."""
        of_topic = ProduceRequest.TopicProduceData
        answer = await self.ask(
            ProduceRequest(
                transactional_id=None,
                acks=-1,
                timeout_ms=10_000,
                topic_data=[
                    of_topic(
                        name=topic,
                        partition_data=[
                            of_topic.PartitionProduceData(index=partition, records=records)
                        ],
                    )
                ],
            ),
            ProduceResponse,
            PRODUCE_VERSION,
        )
        return answer.responses[0].partition_responses[0]

    async def fetch(
        self, topic: str, partition: int, offset: int, *, max_wait_ms: int = 0, min_bytes: int = 1
    ) -> Any:
        """Answer for the one partition."""
        of_topic = FetchRequest.FetchTopic
        answer = await self.ask(
            FetchRequest(
                replica_id=-1,
                max_wait_ms=max_wait_ms,
                min_bytes=min_bytes,
                max_bytes=1 << 24,
                isolation_level=0,
                session_id=0,
                session_epoch=-1,
                topics=[
                    of_topic(
                        topic=topic,
                        partitions=[
                            of_topic.FetchPartition(
                                partition=partition,
                                current_leader_epoch=-1,
                                fetch_offset=offset,
                                log_start_offset=-1,
                                partition_max_bytes=1 << 24,
                            )
                        ],
                    )
                ],
                forgotten_topics_data=[],
                rack_id="",
            ),
            FetchResponse,
            FETCH_VERSION,
        )
        return answer.responses[0].partitions[0]


@asynccontextmanager
async def wire_to(bootstrap: str) -> AsyncIterator[Wire]:
    """A connection of its own."""
    host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
