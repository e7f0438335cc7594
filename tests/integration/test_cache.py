"""One contract for Redis and memory: newer values stay, and everything can be made from SQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.labels import Emotion, Role
from storage.aggregates import Aggregate, read_aggregates
from storage.cache import (
    Cache,
    LiveMessage,
    MemoryCache,
    QueueFigures,
    RedisCache,
    open_cache,
    queue_figures,
    rebuild,
)
from storage.engine import open_engine
from storage.errors import StorageError, StoreUnavailableError
from storage.results import ResultStore
from storage.upgrade import upgrade
from storage.values import ConversationFacts
from tests.scores import START_NS, batch, distressed


@pytest.fixture(params=["memory", "redis"])
def cache_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("redis_url")
    return url


@pytest.fixture
async def cache(cache_url: str) -> AsyncIterator[Cache]:
    opened = open_cache(cache_url)
    await opened.clear()
    yield opened
    await opened.clear()
    await opened.close()


def aggregate(
    closed_until_ns: int = 0,
    participant: str = "p-1",
    *,
    conversation: str = "c-1",
    tenant: str = "acme",
    queue: str = "billing",
    ended: bool = False,
    smoothed: float | None = 0.5,
) -> Aggregate:
    return Aggregate(
        tenant=tenant,
        conversation=conversation,
        participant=participant,
        queue=queue,
        role=Role.CUSTOMER,
        closed_until_ns=closed_until_ns,
        ended=ended,
        windows=1,
        scored=1,
        distress_mean=0.5,
        distress_smoothed=smoothed,
        label=Emotion.ANGER,
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    versions=st.lists(
        st.tuples(st.integers(0, (1 << 63) - 1), st.booleans()), min_size=1, max_size=6
    )
)
async def test_whatever_the_order_of_writes_the_newest_stays(
    cache: Cache, versions: list[tuple[int, bool]]
) -> None:
    await cache.clear()
    for closed_until_ns, ended in versions:
        await cache.put([aggregate(closed_until_ns, ended=ended)])
    newest = max(versions)
    assert await cache.aggregates("acme") == [aggregate(newest[0], ended=newest[1])]


async def test_a_tenant_sees_its_own_aggregates_only(cache: Cache) -> None:
    mine = [aggregate(participant="p-2"), aggregate(participant="p-1")]
    await cache.put([*mine, aggregate(tenant="acme2")])
    assert await cache.aggregates("acme") == mine[::-1]
    assert await cache.aggregates("acm") == []
    await cache.put([])
    await cache.clear()
    assert await cache.aggregates("acme") == []


async def test_listeners_hear_what_is_said_while_they_listen(cache: Cache) -> None:
    messages = [LiveMessage("provisional", "acme", "c-1", b"{}"), LiveMessage("wake", "acme", "")]
    heard: list[LiveMessage] = []
    arrived = asyncio.Event()

    async def listen() -> None:
        async for message in cache.listen():
            heard.append(message)
            arrived.set()

    listener = asyncio.create_task(listen())
    async with asyncio.timeout(10):
        while not arrived.is_set():  # a subscription takes a moment to begin
            await cache.publish(messages[0])
            await asyncio.sleep(0.01)
        await cache.publish(messages[1])
        while messages[1] not in heard:
            await asyncio.sleep(0.01)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    assert set(heard) == set(messages)


async def test_the_cache_can_be_made_anew_from_sql(cache: Cache, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    await upgrade(engine)
    store = ResultStore(engine)
    await store.commit([batch([distressed(i, i / 10) for i in range(10)], None)])
    await store.commit([batch([distressed(0, conversation="c-2")], None)])
    facts = ConversationFacts(tenant="acme", conversation="c-2", started_ns=START_NS)
    await store.end_conversation(facts, START_NS + 1)
    await cache.put([aggregate(conversation="a ghost of another time")])
    assert await rebuild(engine, cache) == 2
    first, second = await cache.aggregates("acme")
    assert [first, second] == await read_aggregates(engine)
    assert (first.windows, first.scored, first.distress_mean) == (10, 10, 0.45)
    assert (first.distress_smoothed, first.label, first.ended) == (0.9, Emotion.ANGER, False)
    assert second.ended
    await engine.dispose()


async def test_figures_of_a_queue_are_summed_when_they_are_read() -> None:
    figures = queue_figures(
        [
            aggregate(smoothed=0.2),
            aggregate(participant="p-2", smoothed=0.4),
            aggregate(conversation="c-2", smoothed=None),
            aggregate(conversation="c-3", ended=True, smoothed=1.0),
            aggregate(conversation="c-4", queue="sales", smoothed=None),
        ]
    )
    assert figures == {
        "billing": QueueFigures(conversations=2, distress=0.3),
        "sales": QueueFigures(conversations=1, distress=None),
    }


async def test_a_listener_who_does_not_keep_up_misses_messages_and_stops_nobody() -> None:
    cache = MemoryCache()
    listening = cache.listen()
    first = asyncio.create_task(anext(listening))
    await asyncio.sleep(0)
    for number in range(2_000):
        await cache.publish(LiveMessage("wake", "acme", str(number)))
    assert (await first).conversation == "0"
    await listening.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_redis_away_has_one_name() -> None:
    cache = RedisCache("redis://127.0.0.1:1/0")
    for call in (cache.check(), cache.put([aggregate()]), cache.aggregates("acme"), cache.clear()):
        with pytest.raises(StoreUnavailableError, match="Redis"):
            await call
    with pytest.raises(StoreUnavailableError):
        await anext(cache.listen())
    await cache.close()


async def test_a_cache_that_answers_passes_its_check(cache: Cache) -> None:
    await cache.check()


def test_only_redis_and_memory_are_caches() -> None:
    with pytest.raises(StorageError, match="cache_url"):
        open_cache("memcached://x")


def test_messages_are_small_on_the_wire() -> None:
    assert len(msgspec.msgpack.encode(LiveMessage("wake", "acme", ""))) < 20
