"""Many readers of the live stream over real sockets, one of whom does not read."""

import asyncio
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import insert

from storage import schema
from storage.cache import LiveMessage, MemoryCache
from storage.engine import open_engine, transaction
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.server import running

READERS = 8
EVENTS = 1_200
ROUND = 200
PAYLOAD = msgspec.json.encode({"text": "x" * 8_000})
"""All of them are more than a listener's queue and the buffers of a socket hold together."""
ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Reader:
    """One listener; it begins to read more than the head when it is told to."""

    def __init__(self, url: str, go: asyncio.Event) -> None:
        self._url = url
        self._go = go
        self.ready = asyncio.Event()

    async def ids(self) -> list[int]:
        """Of the scores, in the order in which they came, once all have come."""
        where = urlsplit(self._url)
        with socket.socket() as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
            bound.setblocking(False)  # noqa: FBT003 - the name of the standard library
            await asyncio.get_running_loop().sock_connect(bound, (where.hostname, where.port))
            return await self._read(bound, where.netloc)

    async def _read(self, bound: socket.socket, host: str) -> list[int]:
        loop, heard = asyncio.get_running_loop(), b""
        asked = f"GET /v1/live HTTP/1.1\r\nHost: {host}\r\n\r\n"
        await loop.sock_sendall(bound, asked.encode())
        while b"event: ready" not in heard:
            heard += await loop.sock_recv(bound, 2**10)
        self.ready.set()
        await self._go.wait()
        found: list[int] = []
        while len(found) < EVENTS and (piece := await loop.sock_recv(bound, 2**18)):
            *frames, heard = (heard + piece).split(b"\n\n")
            scores = (ID.search(frame) for frame in frames if b"event: score" in frame)
            found += [int(match[1]) for match in scores if match]
        return found


async def test_one_reader_that_does_not_read_costs_nobody_an_event(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await upgrade(engine)
    cache = MemoryCache()
    built = build_api(engine, cache, everyone("acme"))
    now, later = asyncio.Event(), asyncio.Event()
    now.set()
    async with (
        running(built.app, "127.0.0.1", 0, option="-", before_drain=built.feed.close) as url,
        asyncio.timeout(60),
    ):
        readers = [Reader(url, now) for _ in range(READERS - 1)]
        stalled = Reader(url, later)
        heard = [asyncio.create_task(one.ids()) for one in readers]
        missed = asyncio.create_task(stalled.ids())
        for one in (*readers, stalled):
            await one.ready.wait()
        for _ in range(EVENTS // ROUND):
            row = {
                "tenant": "acme",
                "conversation": "c-1",
                "kind": "score",
                "payload": PAYLOAD,
                "stored_ns": time.time_ns(),
            }
            async with transaction(engine) as connection:
                await connection.execute(insert(schema.feed), [row] * ROUND)
            await cache.publish(LiveMessage("wake", "acme", "c-1"))
        wanted = list(range(1, EVENTS + 1))
        for one in heard:
            assert await one == wanted
        assert built.feed.fallbacks > 0
        assert not missed.done()
        later.set()
        assert await missed == wanted
    await engine.dispose()
