"""What is stored is told to every sink, in order, once it can be, whatever fails meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import from_json
from inference.units import SECOND_NS
from storage import outbox as outbox_rows
from storage.aggregates import read_aggregates
from storage.cache import MemoryCache
from storage.engine import open_engine, snapshot, transaction
from storage.errors import StoreUnavailableError
from storage.feed import StoredFeed
from storage.outbox import delivered, pending, relay_lock, still_held
from storage.results import ResultStore
from storage.schema import deliveries, outbox
from storage.upgrade import upgrade
from storage.values import ConversationFacts
from streams.worker.relay import KEEP_FEED_NS, Relay, SinkAwayError
from tests.scores import START_NS, batch, distressed

FACTS = ConversationFacts(tenant="acme", conversation="c-1", started_ns=START_NS)


@dataclass
class FakeKafka:
    """Takes records, or raises what it is told to for the n-th one."""

    records: list[tuple[bytes, str, bytes]] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    calls: int = 0

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> None:
        self.calls += 1
        if error := self.errors.get(self.calls):
            raise error
        assert topic == "affect.scores.v1"
        assert key is not None
        assert value is not None
        self.records.append((key, headers["ce_id"], value))


class AwayCache(MemoryCache):
    """A cache that cannot be reached."""

    async def put(self, aggregates: object) -> None:
        raise StoreUnavailableError("connection refused")

    async def publish(self, message: object) -> None:
        raise StoreUnavailableError("connection refused")

    async def check(self) -> None:
        raise StoreUnavailableError("connection refused")


@dataclass
class Clock:
    """Wall time, moved by hand."""

    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns


async def fill(engine: AsyncEngine, count: int, *conversations: str) -> None:
    store = ResultStore(engine)
    for conversation in conversations or ("c-1",):
        scores = [distressed(i, 0.01 * i, conversation=conversation) for i in range(count)]
        await store.commit([batch(scores, None)])


async def left(engine: AsyncEngine) -> tuple[int, int]:
    async with snapshot(engine) as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table))
            for table in (outbox, deliveries)
        ]
    return counts[0] or 0, counts[1] or 0


async def test_every_sink_gets_every_score_and_then_nothing_is_left(engine: AsyncEngine) -> None:
    await fill(engine, 5, "c-1", "c-2")
    kafka, cache = FakeKafka(), MemoryCache()
    relay = Relay(engine, cache, kafka)
    for sink in ("kafka", "cache", "feed"):
        assert await relay.serve(sink) == 10
        assert await relay.serve(sink) == 0
    assert await left(engine) == (0, 0)
    assert await cache.aggregates("acme") == await read_aggregates(engine)
    events = await StoredFeed(engine).after(0, 100, "acme")
    assert [event.feed_id for event in events] == sorted(event.feed_id for event in events)
    assert len(events) == 10
    for conversation in ("c-1", "c-2"):
        sent = [
            from_json(value)
            for key, _, value in kafka.records
            if key == f"acme/{conversation}".encode()
        ]
        assert [score.start_ns for score in sent] == sorted(score.start_ns for score in sent)
        assert len(sent) == 5
    assert all(event_id == str(from_json(value).id) for _, event_id, value in kafka.records)


async def test_after_a_failure_a_conversation_waits_and_its_order_holds(
    engine: AsyncEngine,
) -> None:
    await fill(engine, 4, "c-1", "c-2")
    clock = Clock()
    kafka = FakeKafka(errors={3: KafkaConnectionError()})
    relay = Relay(engine, MemoryCache(), kafka, now_ns=clock)
    await relay.serve("kafka")
    assert len(kafka.records) < 8
    assert await relay.serve("kafka") == 0, "it waits for its back-off"
    clock.now_ns += SECOND_NS
    await relay.serve("kafka")
    by_key = defaultdict(list)
    for key, _, value in kafka.records:
        by_key[key].append(from_json(value).start_ns)
    assert {key: len(starts) for key, starts in by_key.items()} == {b"acme/c-1": 4, b"acme/c-2": 4}
    assert all(starts == sorted(starts) for starts in by_key.values())


async def test_a_sink_that_refuses_is_named_until_it_takes_a_message(engine: AsyncEngine) -> None:
    await fill(engine, 2)
    clock = Clock()
    relay = Relay(
        engine, MemoryCache(), FakeKafka(errors={1: KafkaConnectionError()}), now_ns=clock
    )
    await relay.serve("kafka")
    with pytest.raises(SinkAwayError, match="kafka: KafkaConnectionError"):
        await relay.check()
    clock.now_ns += SECOND_NS
    await relay.serve("kafka")
    await relay.check()


async def test_what_kafka_will_never_take_is_dead_and_the_next_go_on(engine: AsyncEngine) -> None:
    await fill(engine, 3)
    kafka = FakeKafka(errors={2: MessageSizeTooLargeError()})
    relay = Relay(engine, MemoryCache(), kafka, now_ns=Clock())
    await relay.serve("kafka")
    await relay.serve("kafka")
    assert len(kafka.records) == 2
    assert await left(engine) == (3, 7), "the dead one stays to be looked at"
    assert relay.stats.dead == {"kafka": 1}


async def test_a_sink_that_is_away_holds_up_no_other(engine: AsyncEngine) -> None:
    await fill(engine, 3)
    kafka = FakeKafka()
    relay = Relay(engine, AwayCache(), kafka)
    with pytest.raises(StoreUnavailableError):
        await relay.serve("cache")
    assert await relay.serve("kafka") == 3
    assert await relay.serve("feed") == 3
    with pytest.raises(SinkAwayError, match="live: connection refused"):
        await relay.check()
    await relay.publish_provisional([distressed(0)])
    recovered = Relay(engine, MemoryCache(), kafka)
    assert await recovered.serve("cache") == 3
    assert await left(engine) == (0, 0)


async def test_a_sink_that_is_back_is_no_longer_called_away(engine: AsyncEngine) -> None:
    relay = Relay(engine, MemoryCache(), FakeKafka())
    relay.stats.away["live"] = "connection refused"
    await relay.check()
    relay.stats.away["kafka"] = "connection refused"
    with pytest.raises(SinkAwayError, match="kafka"):
        await relay.check()


async def test_the_end_of_a_conversation_is_told_after_its_scores(engine: AsyncEngine) -> None:
    await fill(engine, 3)
    await ResultStore(engine).end_conversation(FACTS, START_NS + 5 * SECOND_NS)
    cache = MemoryCache()
    relay = Relay(engine, cache, FakeKafka())
    await relay.serve("feed")
    events = await StoredFeed(engine).after(0, 100, "acme")
    assert [event.kind for event in events] == ["score", "score", "score", "ended"]
    await relay.serve("cache")
    assert [item.ended for item in await cache.aggregates("acme")] == [True]


async def test_the_feed_forgets_after_an_hour_and_its_ids_go_on(engine: AsyncEngine) -> None:
    await fill(engine, 2, "c-1")
    clock = Clock()
    relay = Relay(engine, MemoryCache(), FakeKafka(), now_ns=clock)
    await relay.serve("feed")
    feed = StoredFeed(engine)
    before = await feed.head()
    clock.now_ns = KEEP_FEED_NS + 1
    await fill(engine, 1, "c-2")
    await relay.serve("feed")
    assert await feed.tail() == await feed.head() > before
    assert await StoredFeed(engine).after(0, 10, "another") == []


async def test_the_relay_runs_until_cancelled_and_waits_for_a_database_that_is_away() -> None:
    engine = open_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    relay = Relay(engine, MemoryCache(), FakeKafka())
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(30):
        while set(relay.stats.away) != {"kafka", "cache", "feed"}:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await engine.dispose()


async def test_a_running_relay_delivers_everything(engine: AsyncEngine) -> None:
    await fill(engine, 20, "c-1", "c-2", "c-3")
    kafka = FakeKafka()
    task = asyncio.create_task(Relay(engine, MemoryCache(), kafka).run())
    async with asyncio.timeout(30):
        while await left(engine) != (0, 0):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(kafka.records) == 60


async def test_sinks_that_finish_a_row_at_once_leave_nothing_of_it(postgres_url: str) -> None:
    """Neither transaction sees what the other has not committed yet."""
    engine = open_engine(postgres_url)
    await upgrade(engine)
    await fill(engine, 3)
    relay = Relay(engine, MemoryCache(), FakeKafka())
    await relay.serve("kafka")
    to_cache = await pending(engine, "cache", now_ns=0, limit=10)
    to_feed = await pending(engine, "feed", now_ns=0, limit=10)
    async with transaction(engine) as first:
        await outbox_rows._forget(first, to_cache)
        second = asyncio.create_task(delivered(engine, to_feed))
        await asyncio.wait({second}, timeout=0.5)
    await second
    assert await left(engine) == (0, 0)
    await engine.dispose()


async def test_one_relay_is_active_and_the_next_takes_over_when_it_is_gone(
    postgres_url: str,
) -> None:
    engine = open_engine(postgres_url)
    await upgrade(engine)
    order: list[str] = []

    async def second() -> None:
        async with relay_lock(engine, "kafka", retry_s=0.01):
            order.append("second")

    async with relay_lock(engine, "kafka") as lock, relay_lock(engine, "cache"):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.1)
        order.append("first is done")
        assert await still_held(lock)
    await waiting
    assert order == ["first is done", "second"]
    await engine.dispose()


async def test_a_relay_whose_session_is_gone_holds_nothing_and_the_next_takes_over(
    postgres_url: str,
) -> None:
    engine = open_engine(postgres_url)
    async with relay_lock(engine, "kafka") as lock:
        assert lock is not None
        session = await lock.scalar(text("select pg_backend_pid()"))
        await lock.commit()
        async with transaction(engine) as connection:
            await connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": session})
        assert not await still_held(lock)
        async with asyncio.timeout(10), relay_lock(engine, "kafka", retry_s=0.01) as taken:
            assert await still_held(taken)
    await engine.dispose()


async def test_one_process_needs_no_lock(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    async with relay_lock(engine, "kafka") as lock, relay_lock(engine, "kafka"):
        assert lock is None
        assert await still_held(lock)
    await engine.dispose()
