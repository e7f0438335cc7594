"""The API on PostgreSQL and Redis: the same answers as on SQLite, and a process that ends well."""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from storage import schema
from storage.cache import LiveMessage, MemoryCache, open_cache
from storage.engine import open_engine, transaction
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from tests.scores import SECOND_NS, START_NS, batch, distressed

PATHS = (
    "/v1/conversations",
    "/v1/conversations?limit=2",
    "/v1/conversations?queue=billing&min_distress=0.5",
    "/v1/conversations?state=ended",
    "/v1/conversations/c-1",
    "/v1/conversations/c-1/scores?limit=7",
    "/v1/conversations/c-1/scores?from=2025-11-24T16:00:05Z&to=2025-11-24T16:00:09Z",
    "/v1/conversations/c-1/scores?resolution=10s&participant=p-1",
    "/v1/conversations/c-1/scores?resolution=1m&limit=1",
    "/v1/trends?bucket=1m&from=2025-11-24T16:00:00Z&to=2025-11-24T16:05:00Z",
    "/v1/trends?bucket=1d&group=language&from=2025-11-24T16:00:00Z&to=2025-11-24T16:05:00Z",
    "/v1/trends/changes?from=2025-11-24T16:00:00Z&to=2025-11-24T16:05:00Z",
)


async def answers(url: str) -> list[dict[str, Any]]:
    """What the API says over one database with the same calls in it."""
    engine = open_engine(url)
    try:
        await upgrade(engine)
        results = ResultStore(engine)
        for n in range(4):
            for participant in ("p-1", "p-2"):
                scores = [
                    distressed(
                        index, ((index + n) % 10) / 10,
                        conversation=f"c-{n}", participant=participant,
                    )
                    for index in range(0, 75, 1 + n)
                ]  # fmt: skip
                stored = await results.commit([batch(scores, None)])
                assert not stored.rejected
                assert not stored.failed
        facts = batch([distressed(0, conversation="c-3")], None).conversation
        await results.end_conversation(facts, START_NS + 80 * SECOND_NS)
        api = build_api(engine, MemoryCache(), everyone("acme"), k_floor=2)
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return [(await client.get(path)).raise_for_status().json() for path in PATHS]
    finally:
        await engine.dispose()


async def test_postgresql_and_sqlite_give_the_same_answers(
    postgres_url: str, tmp_path: Path
) -> None:
    on_sqlite = await answers(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    on_postgres = await answers(postgres_url)
    for path, one, other in zip(PATHS, on_sqlite, on_postgres, strict=True):
        assert one == other, path
        assert one.get("items", one), path


@asynccontextmanager
async def serving(database: str, redis: str) -> AsyncIterator[str]:
    """`affectstream serve` as a process; SIGTERM ends it with code 0, streams open or not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", "serve", "--api-port", "0",
        stderr=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "AFFECTSTREAM_DATABASE_URL": database,
            "AFFECTSTREAM_CACHE_URL": redis,
            "AFFECTSTREAM_TENANT": "acme",
            "AFFECTSTREAM_LOG_FORMAT": "json",
        },
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while b'"listening"' not in (line := await process.stderr.readline()):
                assert line, "serve ended before it listened"
        yield str(msgspec.json.decode(line)["url"])
    finally:
        process.terminate()
        _, rest = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, rest.decode()


async def relay(engine: AsyncEngine, redis: str) -> None:
    """One final score, as the relay tells of it."""
    row = {
        "tenant": "acme",
        "conversation": "c-1",
        "kind": "score",
        "payload": to_json(distressed(0, 0.4)),
        "stored_ns": time.time_ns(),
    }
    async with transaction(engine) as connection:
        await connection.execute(insert(schema.feed), [row])
    cache = open_cache(redis)
    await cache.publish(LiveMessage("wake", "acme", "c-1"))
    await cache.close()


async def keep_telling(redis: str) -> None:
    """Provisional scores, as a worker publishes them: who does not listen yet misses some."""
    cache = open_cache(redis)
    early = to_json(msgspec.structs.replace(distressed(1), final=False))
    try:
        while True:
            await cache.publish(LiveMessage("provisional", "acme", "c-1", early))
            await asyncio.sleep(0.1)
    finally:
        await cache.close()


async def test_serve_streams_from_both_stores_and_ends_with_listeners(
    postgres_url: str, redis_url: str
) -> None:
    async with AsyncExitStack() as stack:
        engine = open_engine(postgres_url)
        stack.push_async_callback(engine.dispose)
        await upgrade(engine)
        client = await stack.enter_async_context(httpx.AsyncClient())
        url = await stack.enter_async_context(serving(postgres_url, redis_url))
        ready = (await client.get(f"{url}/readyz")).json()
        assert {check["name"]: check["ok"] for check in ready["checks"]} == {
            "database": True,
            "cache": True,
        }
        stream = await stack.enter_async_context(
            httpx_sse.aconnect_sse(client, "GET", f"{url}/v1/live")
        )
        events = await stack.enter_async_context(aclosing(stream.aiter_sse()))
        assert (await anext(events)).event == "ready"
        telling = asyncio.create_task(keep_telling(redis_url))
        await relay(engine, redis_url)
        seen: dict[str, str] = {}
        while seen.keys() < {"score", "provisional"}:
            event = await anext(events)
            seen.setdefault(event.event, event.data)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        assert '"final":true' in seen["score"]
        assert '"final":false' in seen["provisional"]
        metrics = (await client.get(f"{url}/metrics")).text
        assert re.search(r"^affectstream_live_listeners 1\.0$", metrics, re.MULTILINE)
