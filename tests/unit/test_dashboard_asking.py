"""How the pages hear the API: what it gives, what it refuses, what it does not offer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from inference.contract import parse_time
from streams.serving.access.caller import Rank
from streams.serving.dashboard import desk as desk_module
from streams.serving.dashboard.alerts import client as client_alerts
from streams.serving.dashboard.asking import Asking, NotOfferedError, RefusedError
from streams.serving.dashboard.client import ApiClient, ApiUnavailableError
from streams.serving.dashboard.desk import Desk
from streams.serving.dashboard.me import LOCAL, NOBODY, who
from streams.serving.dashboard.rules import client as client_rules
from streams.serving.dashboard.system.client import system
from streams.serving.server import running
from tests.fake_api import ADA, ALICE, SPEC, VICTOR, FakeApi, ago, alert, some_calls


@asynccontextmanager
async def asking(api: FakeApi, key: str | None) -> AsyncIterator[Asking]:
    async with (
        running(api.app, "127.0.0.1", 0, option="-", before_drain=api.closing.set) as url,
        ApiClient(url, key) as client,
    ):
        yield Asking(client)


@asynccontextmanager
async def sitting(api: FakeApi, key: str) -> AsyncIterator[Desk]:
    async with running(api.app, "127.0.0.1", 0, option="-", before_drain=api.closing.set) as url:
        desk = Desk(ApiClient(url, key))
        await desk.start()
        try:
            await desk.known()
            yield desk
        finally:
            await desk.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; the test's timeout ends it."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_caller_is_who_the_api_says() -> None:
    async with asking(FakeApi(), ADA) as asks:
        me = await who(asks)
        assert (me.name, me.tenant, me.may(Rank.ADMIN)) == ("ada", "acme", True)


async def test_an_api_without_callers_serves_this_machine() -> None:
    api = FakeApi(open=True)
    api.missing = ("me",)
    async with asking(api, None) as asks:
        assert await who(asks) == LOCAL


async def test_a_refusal_says_why_and_of_which_field() -> None:
    async with asking(FakeApi(), ALICE) as asks:
        with pytest.raises(RefusedError) as caught:
            await client_rules.put_rule(asks, "loud", SPEC | {"enter": 7}, None)
        assert caught.value.status == 422
        assert [one.field for one in caught.value.errors] == ["enter"]
    async with asking(FakeApi(), VICTOR) as asks:
        with pytest.raises(RefusedError, match="supervisor"):
            await client_alerts.acknowledge(asks, "a-1")


async def test_each_kind_of_no_is_told_apart() -> None:
    api = FakeApi()
    api.missing = ("system",)
    async with asking(api, ALICE) as asks:
        with pytest.raises(NotOfferedError):
            await system(asks)
        api.away = True
        with pytest.raises(ApiUnavailableError, match="503"):
            await system(asks)
        api.away_status = 429  # a busy API has not refused the credential
        with pytest.raises(ApiUnavailableError, match="pause"):
            await system(asks)
    async with asking(FakeApi(), "as_wrong") as asks:
        with pytest.raises(RefusedError) as caught:
            await system(asks)
        assert caught.value.status == 401
        assert asks._client.refused


async def test_an_answer_of_another_shape_is_no_answer() -> None:
    async with asking(FakeApi(), ALICE) as asks:
        with pytest.raises(ApiUnavailableError, match="does not answer as it should"):
            await asks.get("/v1/alerts", client_alerts.Alert)


async def test_calls_behind_a_figure_are_those_that_began_in_its_time() -> None:
    api = FakeApi()
    newer, older = some_calls()
    async with asking(api, ALICE) as asks:
        start_ns = parse_time(older["started"]) + 5_000_000_000
        calls = asks._client.began(start_ns, parse_time(ago(-60)), queue="billing")
        assert [call.id async for call in calls] == [newer["id"]]
        calls = asks._client.began(0, parse_time(newer["started"]) - 5_000_000_000)
        assert [call.id async for call in calls] == [older["id"]]


async def test_a_desk_follows_alerts_as_they_are_told() -> None:
    api = FakeApi()
    async with sitting(api, ALICE) as desk:
        await until(lambda: bool(desk.open_alerts))
        assert desk.summaries["sustained-distress"] == SPEC["summary"]
        told = alert("a-9")
        await until(lambda: desk.board.loaded)
        api.alerts["acme"].append(told)
        await api.tell("firing", "acme", told)
        await until(lambda: "a-9" in {one.id for one in desk.open_alerts or ()})


async def test_a_desk_without_rules_has_alerts_and_one_without_alerts_says_so() -> None:
    api = FakeApi()
    api.missing = ("rules",)
    async with sitting(api, ALICE) as desk:
        await until(lambda: bool(desk.open_alerts))
        assert desk.summaries == {}
    api = FakeApi()
    api.missing = ("alerts",)
    async with sitting(api, ALICE) as desk:
        await until(lambda: desk.board.loaded)
        assert desk.open_alerts is None


async def test_a_desk_that_found_the_api_away_learns_later_whom_it_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desk_module, "RETRY_S", 0.05)
    api = FakeApi()
    api.away = True
    async with sitting(api, ADA) as desk:
        assert desk.me == NOBODY
        api.away = False
        await until(lambda: desk.me.name == "ada")


async def test_a_desk_notices_that_its_key_was_revoked() -> None:
    api = FakeApi()
    async with sitting(api, ALICE) as desk:
        assert not desk.refused
        del api.people[ALICE]
        await desk.refresh()
        assert desk.refused
