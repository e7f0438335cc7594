"""The API behind a real socket: ports, streams, and a quiet end."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import httpx_sse
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from storage import schema
from storage.cache import LiveMessage, MemoryCache, SeparateMemoryError
from storage.engine import open_engine, transaction
from streams.cli.serve import serve
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.server import ListenError, listen, running, url
from tests.scores import distressed


async def relay(engine: AsyncEngine, cache: MemoryCache, index: int) -> None:
    """What the relay does with one final score."""
    score = distressed(index, 0.4)
    row = {
        "tenant": score.tenant,
        "conversation": score.conversation,
        "kind": "score",
        "payload": to_json(score),
        "stored_ns": time.time_ns(),
    }
    async with transaction(engine) as connection:
        await connection.execute(insert(schema.feed), [row])
    await cache.publish(LiveMessage("wake", score.tenant, score.conversation))


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, live: str, headers: dict[str, str] | None = None
) -> AsyncIterator[AsyncGenerator[httpx_sse.ServerSentEvent]]:
    async with (
        httpx_sse.aconnect_sse(client, "GET", live, headers=headers or {}) as stream,
        aclosing(stream.aiter_sse()) as events,
    ):
        yield events


async def test_a_browser_that_comes_back_goes_on_and_the_server_ends_with_streams_open(
    engine: AsyncEngine,
) -> None:
    cache = MemoryCache()
    api = build_api(engine, cache, everyone("acme"))
    async with httpx.AsyncClient() as client:
        async with running(
            api.app, "127.0.0.1", 0, option="-", before_drain=api.feed.close
        ) as base:
            live = f"{base}/v1/live?conversation=c-1"
            async with listening(client, live) as events:
                assert (await anext(events)).event == "ready"
                await relay(engine, cache, 0)
                first = await anext(events)
                assert (first.event, first.id) == ("score", "1")
                assert first.json()["distress"]["smoothed"] == 0.4
            await relay(engine, cache, 1)
            async with listening(client, live, {"Last-Event-ID": first.id}) as events:
                assert [(await anext(events)).id for _ in range(2)] == ["1", "2"]
                assert (await client.get(f"{base}/readyz")).json()["status"] == "ready"
                wrong = await client.get(live, headers={"Last-Event-ID": "x"})
                assert wrong.status_code == 422
            held = await client.send(client.build_request("GET", live), stream=True)
        assert b"event: ready" in await held.aread()


async def test_a_database_without_tables_is_not_ready(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    api = build_api(engine, MemoryCache(), everyone("acme"))
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        response = await client.get("/readyz")
    await engine.dispose()
    assert response.status_code == 503
    assert response.json()["detail"] == "database: NoTablesError; see the log"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_nobody_else_may_connect_to_what_does_not_ask_who_they_are(host: str) -> None:
    with pytest.raises(ListenError, match="nothing here asks who connects"):
        listen(host, 0, "--api-port")


def test_a_port_that_is_taken_is_named_with_the_option_that_changes_it() -> None:
    with listen("127.0.0.1", 0, "--api-port") as taken:
        port = taken.getsockname()[1]
        assert url(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(ListenError, match=rf"127.0.0.1:{port}.*--api-port"):
            listen("127.0.0.1", port, "--api-port")


def test_a_memory_cache_is_refused_by_a_command_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFFECTSTREAM_CACHE_URL", "memory://")
    with pytest.raises(SeparateMemoryError, match="AFFECTSTREAM_CACHE_URL=redis://"):
        serve(api_port=0)
