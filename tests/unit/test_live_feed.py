"""The live feed: ids, resuming, gaps, filters and slow listeners."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from inference.contract import to_json
from storage.cache import LiveMessage, MemoryCache
from storage.errors import StoreUnavailableError
from storage.feed import FeedEvent
from storage.values import ConversationKey
from streams.serving import live
from streams.serving.live import PAGE, Filter, LiveFeed
from tests.scores import distressed

NOW_NS = 1_764_000_000_000_000_000
HOUR_NS = 3_600_000_000_000


@dataclass
class Stored:
    """A stored feed in a list; `away` makes every question fail."""

    events: list[FeedEvent] = field(default_factory=list)
    away: bool = False

    def add(self, conversation: str = "c-1", *, tenant: str = "acme", age_ns: int = 0) -> int:
        feed_id = len(self.events) + 1
        payload = f'{{"n":{feed_id}}}'.encode()
        self.events.append(
            FeedEvent(feed_id, tenant, conversation, "score", payload, NOW_NS - age_ns)
        )
        return feed_id

    async def head(self) -> int:
        self._ask()
        return self.events[-1].feed_id if self.events else 0

    async def tail(self) -> int:
        self._ask()
        return self.events[0].feed_id if self.events else 0

    async def after(
        self, feed_id: int, limit: int, tenant: str | None = None
    ) -> Sequence[FeedEvent]:
        self._ask()
        return [
            event
            for event in self.events
            if event.feed_id > feed_id and tenant in (None, event.tenant)
        ][:limit]

    def _ask(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")


async def queue_of(key: ConversationKey) -> str | None:
    return {"c-1": "billing", "c-2": "sales"}.get(key.conversation)


class Bell:
    """Tells the feed through a cache, as the relay and the worker do."""

    def __init__(self) -> None:
        self.cache = MemoryCache()

    async def ring(self) -> None:
        await self.cache.publish(LiveMessage("wake", "acme", "c-1"))

    async def provisional(self, conversation: str, tenant: str = "acme") -> None:
        payload = to_json(distressed(0, conversation=conversation))
        await self.cache.publish(LiveMessage("provisional", tenant, conversation, payload))


@asynccontextmanager
async def reading(stored: Stored, queue_size: int = 256) -> AsyncIterator[tuple[LiveFeed, Bell]]:
    bell = Bell()
    feed = LiveFeed(
        stored,
        queue_of,
        signals=bell.cache,
        queue_size=queue_size,
        together=1,
        now_ns=lambda: NOW_NS,
    )
    task = asyncio.create_task(feed.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield feed, bell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def listen(
    feed: LiveFeed, after: int | None = None, wanted: Filter | None = None
) -> aclosing[AsyncGenerator[bytes]]:
    return aclosing(feed.stream(after, wanted or Filter("acme")))


async def take(stream: AsyncGenerator[bytes], count: int) -> list[dict[str, str]]:
    """The next events as fields, comments left out."""
    frames = [await asyncio.wait_for(anext(stream), 5) for _ in range(count)]
    return [
        dict(line.split(": ", 1) for line in frame.decode().strip().splitlines())
        for frame in frames
    ]


async def test_a_stream_says_first_where_it_starts() -> None:
    stored = Stored()
    stored.add()
    async with reading(stored) as (feed, _), listen(feed) as stream:
        [ready] = await take(stream, 1)
    assert (ready["event"], ready["id"], ready["retry"]) == ("ready", "1", "2000")


async def test_stored_events_reach_everybody_with_their_ids() -> None:
    stored = Stored()
    async with reading(stored) as (feed, bell), listen(feed) as one, listen(feed) as other:
        await take(one, 1)
        await take(other, 1)
        stored.add()
        stored.add("c-2")
        await bell.ring()
        assert [event["id"] for event in await take(one, 2)] == ["1", "2"]
        assert [event["data"] for event in await take(other, 2)] == ['{"n":1}', '{"n":2}']
        assert feed.listeners == 2


async def test_a_listener_that_comes_back_misses_and_repeats_nothing() -> None:
    stored = Stored()
    for _ in range(PAGE + 3):
        stored.add()
    async with reading(stored) as (feed, bell), listen(feed, after=2) as stream:
        events = await take(stream, PAGE + 2)
        stored.add()
        await bell.ring()
        events += await take(stream, 1)
    assert [int(event["id"]) for event in events[1:]] == list(range(3, PAGE + 5))


@pytest.mark.parametrize(
    ("after", "kept", "age_ns"),
    [(1, 3, 2 * HOUR_NS), (9, 3, 0), (0, 2, 0)],
    ids=["older than an hour", "an id of another database", "already deleted"],
)
async def test_a_listener_that_was_away_too_long_gets_a_gap_and_goes_on(
    after: int, kept: int, age_ns: int
) -> None:
    stored = Stored()
    for _ in range(3):
        stored.add(age_ns=age_ns)
    del stored.events[: 3 - kept]
    async with reading(stored) as (feed, bell), listen(feed, after=after) as stream:
        _, gap = await take(stream, 2)
        stored.events.append(FeedEvent(4, "acme", "c-1", "score", b"{}", NOW_NS))
        await bell.ring()
        [event] = await take(stream, 1)
    assert (gap["event"], gap["id"]) == ("gap", "3")
    assert (event["event"], event["id"]) == ("score", "4")


@pytest.mark.parametrize(
    "wanted", [Filter("acme", conversation="c-2"), Filter("acme", queue="sales")]
)
async def test_a_filter_admits_one_conversation_or_one_queue(wanted: Filter) -> None:
    stored = Stored()
    for conversation in ("c-1", "c-2", "c-unknown"):
        stored.add(conversation)
    async with reading(stored) as (feed, bell):
        async with listen(feed, after=0, wanted=wanted) as missed:
            assert [event.get("id") for event in await take(missed, 2)] == ["0", "2"]
        async with listen(feed, wanted=wanted) as stream:
            await take(stream, 1)
            await bell.provisional("c-1")
            await bell.provisional("c-2")
            [provisional] = await take(stream, 1)
            stored.add("c-1")
            stored.add("c-2")
            await bell.ring()
            [final] = await take(stream, 1)
    assert '"conversation":"c-2"' in provisional["data"]
    assert final["id"] == "5"


async def test_provisional_scores_have_no_id() -> None:
    async with reading(Stored()) as (feed, bell), listen(feed) as stream:
        await take(stream, 1)
        await bell.provisional("c-1", tenant="rival")
        await bell.provisional("c-2")
        [event] = await take(stream, 1)
    assert event["event"] == "provisional"
    assert '"conversation":"c-2"' in event["data"]
    assert "id" not in event


async def test_a_listener_gets_nothing_of_another_tenant_live_or_missed() -> None:
    stored = Stored()
    stored.add(tenant="rival")
    stored.add()
    async with reading(stored) as (feed, bell), listen(feed, after=0) as stream:
        assert [event.get("id") for event in await take(stream, 2)] == ["0", "2"]
        stored.add(tenant="rival")
        stored.add()
        await bell.ring()
        assert [event["id"] for event in await take(stream, 1)] == ["4"]


async def test_a_slow_listener_falls_back_to_sql_and_holds_up_nobody() -> None:
    stored = Stored()
    async with reading(stored, queue_size=2) as (feed, bell), listen(feed) as slow:
        await take(slow, 1)
        async with listen(feed) as quick:
            await take(quick, 1)
            for number in range(1, 7):
                stored.add()
                await bell.ring()
                [event] = await take(quick, 1)
                assert event["id"] == str(number)
        assert [event["id"] for event in await take(slow, 6)] == ["1", "2", "3", "4", "5", "6"]
        assert feed.fallbacks == 1


async def test_a_stream_ends_when_the_feed_closes_or_sql_is_away() -> None:
    stored = Stored()
    async with reading(stored) as (feed, _):
        async with listen(feed) as stream:
            await take(stream, 1)
            feed.close()
            assert [frame async for frame in stream] == []
        stored.away = True
        async with listen(feed) as refused:
            assert [frame async for frame in refused] == []
        assert feed.listeners == 0


async def test_an_outage_of_sql_delays_events_and_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "RETRY_S", 0.01)
    stored = Stored()
    async with reading(stored) as (feed, bell), listen(feed) as stream:
        await take(stream, 1)
        stored.away = True
        stored.add()
        await bell.ring()
        await bell.provisional("c-2")
        [provisional] = await take(stream, 1)
        assert provisional["event"] == "provisional"
        stored.away = False
        [event] = await take(stream, 1)
    assert event["id"] == "1"


async def test_signals_that_are_away_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RETRY_S", 0.01)
    payload = to_json(distressed(0))

    class Flaky:
        asked = 0

        async def listen(self) -> AsyncIterator[LiveMessage]:
            self.asked += 1
            if self.asked < 3:
                raise StoreUnavailableError("away")
            while True:
                yield LiveMessage("provisional", "acme", "c-1", payload)
                await asyncio.sleep(0.01)

    feed = LiveFeed(Stored(), queue_of, signals=Flaky())
    async with listen(feed) as stream:
        await take(stream, 1)
        task = asyncio.create_task(feed.run())
        [event] = await take(stream, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert event["event"] == "provisional"


async def test_what_is_queued_goes_out_as_one_piece() -> None:
    stored = Stored()
    feed = LiveFeed(stored, queue_of, together=3, now_ns=lambda: NOW_NS)
    for _ in range(5):
        stored.add()
    async with listen(feed, after=0) as stream:
        pieces = [await anext(stream) for _ in range(3)]
    assert [piece.count(b"event: ") for piece in pieces] == [1, 3, 2]
