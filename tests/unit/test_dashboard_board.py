"""The board follows a real API: over outages, restarts and conversations that end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.score import WindowScore
from storage import schema
from storage.cache import LiveMessage, MemoryCache
from storage.engine import open_engine, transaction
from storage.erasure import Eraser
from storage.outbox import pending
from storage.results import ResultStore
from storage.upgrade import upgrade
from storage.values import ConsentChange, ConversationKey, PolicyNews
from storage.withdrawal import PolicyStore
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.dashboard.client import ApiClient, UnknownConversationError
from streams.serving.dashboard.conversation.points import points
from streams.serving.dashboard.live import board as board_module
from streams.serving.dashboard.live.board import LOOK_AGAIN_S, Board
from streams.serving.server import running
from tests.scores import SECOND_NS, START_NS, batch, distressed


class Backend:
    """A database, its relay, and the API when it is started."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.cache = MemoryCache()
        self.results = ResultStore(engine)

    async def score(self, scores: list[WindowScore]) -> None:
        await self.results.commit([batch(scores, None)])
        await self.feed("score", scores[0].conversation, [to_json(score) for score in scores])

    async def end(self, conversation: str) -> None:
        facts = batch([distressed(0, conversation=conversation)], None).conversation
        await self.results.end_conversation(facts, START_NS + 60 * SECOND_NS)
        body = {"conversation": conversation, "ended_ns": START_NS + 60 * SECOND_NS}
        await self.feed("ended", conversation, [msgspec.json.encode(body)])

    async def feed(self, kind: str, conversation: str, payloads: list[bytes]) -> None:
        rows = [
            {
                "tenant": "acme",
                "conversation": conversation,
                "kind": kind,
                "payload": payload,
                "stored_ns": 4_000_000_000 * SECOND_NS,
            }
            for payload in payloads
        ]
        async with transaction(self.engine) as connection:
            await connection.execute(insert(schema.feed), rows)
        await self.cache.publish(LiveMessage("wake", "acme", conversation))

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        api = build_api(self.engine, self.cache, everyone("acme"))
        async with running(
            api.app, "127.0.0.1", port, option="-", before_drain=api.feed.close
        ) as url:
            yield url


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await upgrade(engine)
    yield Backend(engine)
    await engine.dispose()


@asynccontextmanager
async def following(url: str) -> AsyncIterator[Board]:
    async with ApiClient(url) as client:
        board = Board(client)
        task = asyncio.create_task(board.run())
        try:
            yield board
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; the test's timeout ends it."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_board_shows_what_was_there_and_what_happens(backend: Backend) -> None:
    await backend.score([distressed(0, 0.3)])
    async with backend.serving() as url, following(url) as board:
        await until(lambda: board.loaded)
        assert board.calls["c-1"].standings["p-1"].smoothed == 0.3
        await backend.score([distressed(0, 0.8, conversation="c-2")])
        await until(lambda: "c-2" in board.calls)
        timeline = await board.timeline("c-2")
        await backend.score([distressed(0, 0.9, conversation="c-2", participant="p-2")])
        await until(lambda: timeline.version > 0)
        assert [value for _, value in timeline.drawn("p-2").smoothed] == [90.0]
        await backend.end("c-2")
        await until(lambda: "c-2" not in board.calls)
        assert timeline.call.ended_ns == START_NS + 60 * SECOND_NS
        assert [call.id for call in board.recent] == ["c-2"]
        assert (await board.timeline("c-2")) is timeline
        for unknown in ("c-9", "no/such id", ".."):
            with pytest.raises(UnknownConversationError):
                await board.timeline(unknown)


async def test_an_api_that_comes_back_is_followed_from_where_it_stopped(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "RETRY_S", 0.05)
    async with backend.serving() as url:
        port = int(url.rsplit(":", 1)[1])
    async with following(url) as board:
        await until(lambda: board.trouble is not None)
        assert board.trouble is not None
        assert url in board.trouble
        async with backend.serving(port):
            await until(lambda: board.loaded and board.trouble is None)
        await backend.score([distressed(0, 0.8)])
        async with backend.serving(port):
            await until(lambda: "c-1" in board.calls)


async def test_a_long_conversation_is_drawn_in_steps_and_goes_on_window_by_window(
    backend: Backend,
) -> None:
    await backend.score([distressed(n, 0.2) for n in range(0, 16 * 60, 5)])
    async with backend.serving() as url, following(url) as board:
        await until(lambda: board.loaded)
        timeline = await board.timeline("c-1")
        drawn = timeline.drawn("p-1").smoothed
        assert len(drawn) == 16 * 6
        assert {value for _, value in drawn} == {20.0}
        timeline.take(distressed(16 * 60 + 20, 0.9))
        assert timeline.drawn("p-1").smoothed[:-1] == drawn
        async with ApiClient(url) as client:
            end_ns = START_NS + 103 * SECOND_NS
            found = await client.score_at("c-1", "p-1", end_ns)
            assert found is not None
            assert found.end_ns == end_ns
            assert await client.score_at("c-1", "p-1", START_NS) is None


async def test_points_after_a_withdrawal_go_and_the_browser_begins_anew(backend: Backend) -> None:
    await backend.score([distressed(n, 0.1 * n) for n in range(6)])
    async with backend.serving() as url, following(url) as board:
        await until(lambda: board.loaded)
        timeline = await board.timeline("c-1")
        shown = points(timeline.drawn("p-1"), 0)
        assert len(shown.times) == 6
        since_ns = START_NS + 5 * SECOND_NS
        change = ConsentChange(participant="p-1", at_ns=since_ns, consent="no")
        await PolicyStore(backend.engine).record(
            PolicyNews(
                key=ConversationKey("acme", "c-1"),
                run="live",
                rulings=(),
                consents=(change,),
                passed={"p-1": START_NS + 8 * SECOND_NS},
                events=1,
            )
        )
        for message in await pending(backend.engine, "feed", now_ns=since_ns, limit=100):
            if message.kind == "withdrawn":
                await backend.feed(message.kind, "c-1", [message.payload])
        await until(lambda: timeline.edition == 1)
        left = points(timeline.drawn("p-1"), shown.until, shown.edition)
        assert left.times == shown.times[:3]
        assert points(timeline.drawn("p-1"), left.until, left.edition).times == ()
        newest = board.calls["c-1"].standings["p-1"].latest
        assert newest is not None
        assert newest.end_ns == since_ns


async def test_a_conversation_that_was_erased_is_gone_at_the_next_look(backend: Backend) -> None:
    now_s = 0.0
    await backend.score([distressed(0, 0.3)])
    async with backend.serving() as url, ApiClient(url) as client:
        board = Board(client, lambda: now_s)
        await board._load()
        timeline = await board.timeline("c-1")
        await Eraser(backend.engine).conversation(
            ConversationKey("acme", "c-1"), by="ada", now_ns=START_NS
        )
        assert (await board.timeline("c-1")) is timeline
        now_s = LOOK_AGAIN_S
        with pytest.raises(UnknownConversationError):
            await board.timeline("c-1")
        assert "c-1" not in board.calls


async def test_an_erased_call_leaves_the_list_that_nobody_opened(backend: Backend) -> None:
    await backend.score([distressed(0, 0.3)])
    await backend.score([distressed(0, 0.3, conversation="c-2")])
    async with backend.serving() as url, ApiClient(url) as client:
        board = Board(client)
        await board._load()
        await Eraser(backend.engine).conversation(
            ConversationKey("acme", "c-1"), by="ada", now_ns=START_NS
        )
        await board.drop_erased()
        assert list(board.calls) == ["c-2"]
