"""Frames and messages: kafka-python's codec, seen from the broker's side."""

import io
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from streams.broker.node import Node

Message = Any
"""A request or response of `kafka.protocol`; its classes are made at run time."""
Answer = Callable[[Node, "Request"], Awaitable[Message]]

_START: Final = struct.Struct(">hhi")
API_VERSIONS: Final = 18


class BadRequestError(Exception):
    """Bytes that are no request of this broker. The connection that sent them is closed."""


@dataclass(frozen=True, slots=True)
class Api:
    """One kind of request: its class, the versions that are answered, and by what."""

    request: Message
    min_version: int
    max_version: int
    answer: Answer

    @property
    def key(self) -> int:
        """Number of the kind on the wire."""
        key: int = self.request.API_KEY
        return key


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `body` is the decoded message; None where its version is not known."""

    api: Api
    version: int
    correlation_id: int
    client: str
    peer: str
    body: Message

    @property
    def wants_answer(self) -> bool:
        """False for a producer with `acks=0`."""
        return self.body is None or bool(self.body.expect_response())

    def encode(self, response: Message) -> bytes:
        """The frame that answers this request."""
        response.API_VERSION = self.version  # first: a header of a response takes no version
        response.with_header(correlation_id=self.correlation_id)
        frame: bytes = response.encode(header=True, framed=True)
        return frame


def decode(frame: bytes, apis: dict[int, Api], peer: str) -> Request:
    """Read one request (without its length). Raises BadRequestError.

    A version of ApiVersions that is too new gets version 0 and no body: the answer tells
    the client which versions are known. Source: KIP-511.
    """
    try:
        key, version, correlation_id = _START.unpack_from(frame)
    except struct.error as exc:
        raise BadRequestError(f"{len(frame)} bytes are no request") from exc
    api = apis.get(key)
    if api is None:
        raise BadRequestError(f"api key {key} is not served")
    name = api.request.name
    if not api.min_version <= version <= api.max_version:
        if key == API_VERSIONS:
            return Request(api, 0, correlation_id, "", peer, None)
        raise BadRequestError(
            f"{name} version {version} is not served, {api.min_version} to {api.max_version} are"
        )
    rest = io.BytesIO(frame)
    try:
        header = api.request.header_class.decode(
            rest, flexible=api.request.flexible_version_q(version)
        )
        body = api.request.decode(memoryview(frame)[rest.tell() :], version=version)
    except Exception as exc:  # generated decoders raise whatever bad bytes cause
        raise BadRequestError(f"{name} version {version}: {exc!r}") from exc
    return Request(api, version, correlation_id, header.client_id or "", peer, body)
