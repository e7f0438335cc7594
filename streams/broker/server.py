"""The embedded broker: listens, answers each connection in order, stops without a trace."""

import asyncio
import errno
import ipaddress
import struct
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kafka.protocol import admin, consumer, metadata, producer
from kafka.protocol.metadata import ApiVersionsResponse

from inference.errors import AffectstreamError
from streams.broker import admin_api, data_api, group_api
from streams.broker.codes import ErrorCode
from streams.broker.node import Limits, Node
from streams.broker.wire import Api, BadRequestError, Message, Request, decode
from streams.telemetry import logger

log = logger("broker")

_TICK_S: Final = 0.1
_LENGTH: Final = struct.Struct(">i")


class BrokerAddressError(AffectstreamError):
    """The broker cannot listen there."""


async def _api_versions(_node: Node, request: Request) -> Message:
    known = request.body is not None
    return ApiVersionsResponse(
        error_code=ErrorCode.NONE if known else ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[
            ApiVersionsResponse.ApiVersion(
                api_key=api.key, min_version=api.min_version, max_version=api.max_version
            )
            for api in APIS.values()
        ],
    )


# The lowest versions are those of Kafka 4. The highest stop where something begins that is
# not here: topic ids (Produce 13, Fetch 13), static members (JoinGroup 5), the protocol of
# KIP-848, and for the rest where the clients gain nothing.
APIS: Final[dict[int, Api]] = {
    api.key: api
    for api in (
        Api(producer.ProduceRequest, 3, 8, data_api.produce),
        Api(consumer.FetchRequest, 4, 11, data_api.fetch),
        Api(consumer.ListOffsetsRequest, 1, 5, data_api.list_offsets),
        Api(metadata.MetadataRequest, 0, 8, admin_api.metadata),
        Api(consumer.OffsetCommitRequest, 2, 6, group_api.offset_commit),
        Api(consumer.OffsetFetchRequest, 1, 5, group_api.offset_fetch),
        Api(metadata.FindCoordinatorRequest, 0, 2, group_api.find_coordinator),
        Api(consumer.JoinGroupRequest, 0, 4, group_api.join_group),
        Api(consumer.HeartbeatRequest, 0, 2, group_api.heartbeat),
        Api(consumer.LeaveGroupRequest, 0, 2, group_api.leave_group),
        Api(consumer.SyncGroupRequest, 0, 2, group_api.sync_group),
        Api(admin.DescribeGroupsRequest, 0, 3, group_api.describe_groups),
        Api(admin.ListGroupsRequest, 0, 4, group_api.list_groups),
        Api(metadata.ApiVersionsRequest, 0, 3, _api_versions),
        Api(admin.CreateTopicsRequest, 2, 4, admin_api.create_topics),
        Api(admin.DeleteTopicsRequest, 1, 3, admin_api.delete_topics),
        Api(producer.InitProducerIdRequest, 0, 1, data_api.init_producer_id),
        Api(admin.DescribeConfigsRequest, 1, 2, admin_api.describe_configs),
        Api(admin.CreatePartitionsRequest, 0, 1, admin_api.create_partitions),
        Api(admin.DeleteGroupsRequest, 0, 1, group_api.delete_groups),
        Api(admin.DescribeClusterRequest, 0, 0, admin_api.describe_cluster),
    )
}


class EmbeddedBroker:
    """A Kafka-protocol broker of one node, in this process. Loopback only.

        async with EmbeddedBroker() as broker:
            ...  # clients connect to broker.bootstrap

    Args:
        host: a loopback address.
        port: 0 takes a free one; see `bootstrap`.
        directory: where logs, topics, offsets and producer ids are kept; None forgets
            everything at the end. One broker at a time.
        limits: what it holds, and how it treats what it was not told.

    Raises BrokerAddressError and, on entering, BrokerDirectoryError.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        if not _is_loopback(host):
            raise BrokerAddressError(
                f"the embedded broker listens on this machine only, not on {host!r}: it has no "
                "access control. Use 127.0.0.1, or Apache Kafka for anything shared"
            )
        self._host = "127.0.0.1" if host == "localhost" else host  # one address, one port
        self._port = port
        self._directory = directory
        self._limits = limits or Limits()
        self._node: Node | None = None
        self._server: asyncio.Server | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    async def start(self) -> None:
        """Restore what the directory holds, and listen."""
        node = Node(self._host, self._limits, self._directory)
        try:
            self._server = await asyncio.start_server(
                lambda reader, writer: self._accept(node, reader, writer), self._host, self._port
            )
        except OSError as exc:
            node.close()
            reason = "is taken" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc}"
            raise BrokerAddressError(
                f"{self.bootstrap} {reason}; choose another port, or 0 for a free one"
            ) from exc
        self._node = node
        self._port = node.port = self._server.sockets[0].getsockname()[1]
        self._housekeeping = asyncio.create_task(_keep_house(node), name="broker-housekeeping")
        log.info("broker_started", bootstrap=self.bootstrap, directory=str(self._directory or ""))

    async def stop(self) -> None:
        """End every connection, waiting fetches included, and let go of port and files.

        Raises what ended the housekeeping, if it did not end here.
        """
        if not (self._server and self._node and self._housekeeping):
            return
        server, node, housekeeping = self._server, self._node, self._housekeeping
        self._server = self._node = self._housekeeping = None
        server.close()
        for task, writer in self._connections.items():
            task.cancel()
            writer.transport.abort()  # do not wait for a client that does not read
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()
        housekeeping.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await housekeeping
        finally:
            node.close()
            log.info("broker_stopped", bootstrap=self.bootstrap)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _accept(
        self, node: Node, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.create_task(_serve(node, reader, writer), name="broker-connection")
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)


async def _keep_house(node: Node) -> None:
    while True:
        await asyncio.sleep(_TICK_S)
        node.tick()


async def _serve(node: Node, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection's requests in order, until it ends or sends what is no request."""
    host, port = writer.get_extra_info("peername")[:2]
    try:
        while True:
            frame = await _frame(reader, node.limits.max_request_bytes)
            request = decode(frame, APIS, host)
            response = await request.api.answer(node, request)
            if request.wants_answer:
                writer.write(request.encode(response))
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    except BadRequestError as exc:
        log.warning("connection_closed", peer=f"{host}:{port}", reason=str(exc))
    except Exception:  # a fault of ours must not take the other connections with it
        log.exception("request_failed", peer=f"{host}:{port}")
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _frame(reader: asyncio.StreamReader, max_bytes: int) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if not 0 <= length <= max_bytes:
        raise BadRequestError(f"a request of {length} bytes, the limit is {max_bytes}")
    return await reader.readexactly(length)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
