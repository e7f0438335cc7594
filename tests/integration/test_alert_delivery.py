"""Programs outside hear of every alert: in order, once by id, whatever is down meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from storage import handling
from storage.alerts import AlertFilter, list_alerts
from storage.cache import MemoryCache
from storage.deliveries import StoredDelivery, list_deliveries, retry
from storage.engine import open_engine, transaction
from storage.errors import StoreUnavailableError
from storage.feed import StoredFeed
from storage.results import ResultStore
from storage.schema import outbox
from streams.worker.relay import UNKNOWN, Relay
from streams.worker.sinks.alertmanager import FIRES_AT_MOST_NS, Alertmanager
from streams.worker.sinks.delivery import (
    ATTEMPTS,
    GIVE_UP_AFTER_S,
    LONGEST_PAUSE_S,
    TargetDelivery,
    pause_s,
)
from streams.worker.sinks.webhook import Webhook
from tests.alert_batches import judged, rises_and_falls
from tests.scores import SECOND_NS

KEY = bytes(range(32))
CRM, PAGER = "https://crm.test/hook", "http://pager.test"


@dataclass
class Clock:
    """Wall time, moved by hand."""

    now_ns: int = 1_764_000_100 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class Receiver:
    """What a program outside answers, and what it took."""

    answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(204)
    requests: int = 0
    taken: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = self.answer(request)
        if response.is_success:
            self.taken.append(request)
        return response

    def heard(self) -> list[tuple[str, str, str]]:
        """(conversation, participant, transition), in order."""
        bodies = [msgspec.json.decode(request.content) for request in self.taken]
        return [
            (body["alert"]["conversation"], body["alert"]["participant"], body["transition"])
            for body in bodies
        ]


class FakeKafka:
    """Takes every record."""

    def __init__(self) -> None:
        self.records: list[tuple[str, Mapping[str, str], Any]] = []

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> None:
        assert key == b"acme/c-1"
        self.records.append((topic, headers, msgspec.json.decode(value or b"")))


class Bench:
    """A relay with one webhook and one Alertmanager, a clock, and what they answer."""

    def __init__(self, engine: AsyncEngine, *, tenant: str | None = None) -> None:
        self.engine, self.clock = engine, Clock()
        self.crm, self.pager, self.kafka = Receiver(), Receiver(), FakeKafka()
        hosts = {"crm.test": self.crm, "pager.test": self.pager}
        transport = httpx.MockTransport(lambda request: hosts[request.url.host](request))
        client = httpx.AsyncClient(transport=transport)
        self.relay = Relay(
            engine,
            MemoryCache(),
            self.kafka,
            targets=[
                Webhook(
                    "crm",
                    CRM,
                    KEY,
                    client=client,
                    tenant=tenant,
                    public_url="https://calls.test/",
                    now_ns=self.clock,
                ),
                Alertmanager(
                    PAGER, client=client, public_url="https://calls.test", now_ns=self.clock
                ),
            ],
            public_url="https://calls.test",
            now_ns=self.clock,
        )

    async def fill(self, *conversations: str) -> None:
        batches = [judged(rises_and_falls(name)) for name in conversations or ("c-1",)]
        assert not (await ResultStore(self.engine).commit(batches)).failed

    async def serve(self, sink: str = "webhook:crm") -> None:
        while await self.relay.serve(sink):
            pass

    async def pass_time(self, seconds: int) -> None:
        """One look a second."""
        for _ in range(seconds):
            self.clock.now_ns += SECOND_NS
            await self.serve()

    async def dead(self) -> list[StoredDelivery]:
        return await list_deliveries(self.engine, "acme", dead=True, limit=100)

    async def left(self, sink: str = "webhook:crm") -> int:
        waiting = await list_deliveries(self.engine, "acme", limit=100)
        return sum(one.sink == sink for one in waiting)


@pytest.fixture
def bench(engine: AsyncEngine) -> Bench:
    return Bench(engine)


def refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


async def test_everybody_hears_of_the_beginning_and_of_the_end(bench: Bench) -> None:
    await bench.fill()
    for sink in ("kafka", "feed", "webhook:crm", "alertmanager"):
        await bench.serve(sink)
    sent = [msgspec.json.decode(request.content) for request in bench.crm.taken]
    assert [body["transition"] for body in sent] == ["firing", "resolved"]
    assert sent[0]["alert"]["link"].startswith("https://calls.test/conversations/c-1?at=20")
    on_kafka = [record for record in bench.kafka.records if record[0] == "affect.alerts.v1"]
    assert [body for _, _, body in on_kafka] == sent
    assert [headers["ce_id"] for _, headers, _ in on_kafka] == [
        request.headers["webhook-id"] for request in bench.crm.taken
    ]
    assert {headers["ce_type"] for _, headers, _ in on_kafka} == {"affect.alerts.v1"}
    events = await StoredFeed(bench.engine).after(0, 100, "acme")
    shown = [msgspec.json.decode(one.payload) for one in events if one.kind == "alert"]
    assert [one["alert"]["id"] for one in shown] == [one["alert"]["id"] for one in sent]
    assert shown[0]["alert"]["link"].startswith("/conversations/c-1?at=")
    assert bench.relay.stats.outcomes == {
        ("webhook:crm", "delivered"): 2,
        ("alertmanager", "delivered"): 2,
    }


async def test_a_receiver_that_was_down_for_ten_minutes_gets_each_alert_once_and_in_order(
    bench: Bench,
) -> None:
    bench.crm.answer = refuse
    await bench.fill("c-1", "c-2")
    await bench.pass_time(300)
    await bench.fill("c-3", "c-4", "c-5")
    await bench.pass_time(300)
    assert bench.crm.requests < 20, "an outage costs one attempt a pause"
    bench.crm.answer = Receiver().answer
    await bench.pass_time(LONGEST_PAUSE_S)
    ids = [request.headers["webhook-id"] for request in bench.crm.taken]
    assert len(ids) == len(set(ids)) == 10
    heard = defaultdict(list)
    for conversation, _, step in bench.crm.heard():
        heard[conversation].append(step)
    assert heard == {f"c-{n}": ["firing", "resolved"] for n in range(1, 6)}
    assert await bench.left() == 0
    assert await bench.dead() == []


async def test_an_answer_that_was_lost_is_repeated_under_the_same_id(bench: Bench) -> None:
    """The receiver took it; the connection broke before we heard so."""
    took: list[str] = []

    def take_and_break(request: httpx.Request) -> httpx.Response:
        took.append(request.headers["webhook-id"])
        raise httpx.ReadError("connection reset")

    bench.crm.answer = take_and_break
    await bench.fill()
    await bench.serve()
    bench.crm.answer = Receiver().answer
    await bench.pass_time(2)
    ids = [request.headers["webhook-id"] for request in bench.crm.taken]
    assert ids[0] == took[0]
    assert len(ids) == 2


async def test_one_target_down_delays_no_other(bench: Bench) -> None:
    bench.crm.answer = refuse
    await bench.fill()
    await bench.serve()
    await bench.serve("alertmanager")
    await bench.serve("kafka")
    assert len(bench.pager.taken) == 2
    assert await bench.left("alertmanager") == 0
    assert await bench.left() == 2
    await bench.relay.check()


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_a_target_that_wants_to_be_left_alone_is(bench: Bench, status: int) -> None:
    bench.crm.answer = lambda _: httpx.Response(status)
    await bench.fill("c-1", "c-2", "c-3")
    await bench.serve()
    await bench.serve()
    assert bench.crm.requests == 1, "the others wait with the first"
    bench.crm.answer = Receiver().answer
    await bench.pass_time(1)
    assert len(bench.crm.taken) == 6


async def test_a_message_that_fails_holds_up_its_own_conversation_only(bench: Bench) -> None:
    def fail_one(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500 if b'"c-2"' in request.content else 200)

    bench.crm.answer = fail_one
    await bench.fill("c-1", "c-2", "c-3")
    await bench.serve()
    assert sorted(bench.crm.heard()) == [
        (name, "p-1", step) for name in ("c-1", "c-3") for step in ("firing", "resolved")
    ]
    assert await bench.left() == 2
    bench.crm.answer = Receiver().answer
    await bench.pass_time(2)
    assert bench.crm.heard()[-2:] == [("c-2", "p-1", "firing"), ("c-2", "p-1", "resolved")]
    assert bench.relay.stats.outcomes["webhook:crm", "failed"] == 1


@pytest.mark.parametrize(
    ("status", "why"),
    [(400, "it answered 400"), (404, "it answered 404"), (301, "redirects are not followed")],
)
async def test_what_a_target_refuses_is_dead_with_the_reason_and_can_be_revived(
    bench: Bench, status: int, why: str
) -> None:
    bench.crm.answer = lambda _: httpx.Response(status, headers={"location": PAGER})
    await bench.fill()
    await bench.serve()
    dead = await bench.dead()
    assert len(dead) == 2
    assert all(why in (one.error or "") for one in dead)
    assert bench.pager.requests == 0
    assert bench.relay.stats.dead["webhook:crm"] == 2
    bench.crm.answer = Receiver().answer
    for one in dead:
        assert await retry(bench.engine, "acme", one.id, one.sink)
    await bench.serve()
    assert [step for _, _, step in bench.crm.heard()] == ["firing", "resolved"]


def test_attempts_are_given_up_after_a_day_of_pauses() -> None:
    waited_s = sum(map(pause_s, range(ATTEMPTS)))
    assert GIVE_UP_AFTER_S <= waited_s < GIVE_UP_AFTER_S + LONGEST_PAUSE_S
    assert [pause_s(failures) for failures in (0, 1, 2, 5, 6, 9_999)] == [1, 2, 4, 32, 60, 60]


async def test_what_nobody_answers_for_is_dead_after_so_many_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.worker.sinks.delivery.ATTEMPTS", 4)
    bench.crm.answer = refuse
    await bench.fill()
    for attempt in range(4):
        assert await bench.dead() == []
        await bench.serve()
        bench.clock.now_ns += pause_s(attempt) * SECOND_NS
    dead = await bench.dead()
    assert {one.error for one in dead} == {"no connection: ConnectError"}
    assert len(dead) == bench.relay.stats.dead["webhook:crm"] == 2


async def test_a_message_that_always_fails_is_dead_after_as_many_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.worker.sinks.delivery.ATTEMPTS", 4)
    bench.crm.answer = lambda _: httpx.Response(500)
    await bench.fill()
    for attempt in range(4):
        assert await bench.dead() == []
        await bench.serve()
        bench.clock.now_ns += pause_s(attempt) * SECOND_NS
    assert [one.attempts for one in await bench.dead()] == [4]


async def test_nobody_is_told_that_a_snoozed_alert_fires_and_all_hear_of_its_end(
    bench: Bench,
) -> None:
    await bench.fill()
    [(_, alert)] = await list_alerts(bench.engine, "acme", AlertFilter(), limit=1)
    now_ns = bench.clock()
    await handling.snooze(
        bench.engine, "acme", alert.id, by="kim", until_ns=now_ns + SECOND_NS, now_ns=now_ns
    )
    await bench.serve()
    assert [step for _, _, step in bench.crm.heard()] == ["resolved"]
    assert bench.relay.stats.outcomes["webhook:crm", "snoozed"] == 1
    bench.clock.now_ns += SECOND_NS
    await bench.serve("alertmanager")
    assert len(bench.pager.taken) == 2, "the snooze was over"


async def test_a_target_of_another_tenant_gets_nothing(engine: AsyncEngine) -> None:
    bench = Bench(engine, tenant="other")
    await bench.fill()
    await bench.serve()
    assert bench.crm.requests == 0
    assert {one.error for one in await bench.dead()} == {
        "this target is not for alerts of this tenant"
    }


async def test_what_names_no_known_target_is_given_up_and_said(engine: AsyncEngine) -> None:
    await Bench(engine).fill()
    relay = Relay(engine, MemoryCache(), FakeKafka(), now_ns=Clock())
    await relay.give_up_unknown()
    dead = await list_deliveries(engine, "acme", dead=True, limit=100)
    assert {(one.sink, one.error) for one in dead} == {
        ("webhook:crm", UNKNOWN), ("alertmanager", UNKNOWN),
    }  # fmt: skip
    assert relay.stats.dead == {"unknown": 4}
    await relay.give_up_unknown()
    assert relay.stats.dead == {"unknown": 4}


async def test_a_payload_that_nobody_can_read_is_dead_and_the_next_go_on(bench: Bench) -> None:
    await bench.fill("c-1")
    async with transaction(bench.engine) as connection:
        await connection.execute(
            update(outbox).where(outbox.c.kind == "alert").values(payload=b"{}")
        )
    await bench.fill("c-2")
    await bench.serve()
    assert [conversation for conversation, _, _ in bench.crm.heard()] == ["c-2", "c-2"]
    assert {one.error for one in await bench.dead()} == {"internal error: ValidationError"}


async def test_a_payload_of_another_version_goes_to_kafka_as_it_was_stored(bench: Bench) -> None:
    await bench.fill()
    async with transaction(bench.engine) as connection:
        await connection.execute(
            update(outbox).where(outbox.c.kind == "alert").values(payload=b"{}")
        )
    await bench.serve("kafka")
    assert [body for topic, _, body in bench.kafka.records if topic == "affect.alerts.v1"] == [
        {}, {},
    ]  # fmt: skip


async def test_alertmanager_gets_one_fingerprint_from_beginning_to_end(bench: Bench) -> None:
    await bench.fill()
    await bench.serve("alertmanager")
    assert {str(request.url) for request in bench.pager.taken} == {f"{PAGER}/api/v2/alerts"}
    [[firing], [resolved]] = [msgspec.json.decode(one.content) for one in bench.pager.taken]
    assert firing["labels"] == resolved["labels"]
    assert firing["labels"]["alertname"] == "loud"
    assert firing["startsAt"] == resolved["startsAt"]
    assert firing["endsAt"] == format_time(bench.clock() + FIRES_AT_MOST_NS)
    assert firing["startsAt"] < resolved["endsAt"] < firing["endsAt"]
    assert firing["generatorURL"].startswith("https://calls.test/conversations/c-1?at=")


async def test_a_slow_receiver_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    monkeypatch.setattr("streams.worker.sinks.http_post.TIMEOUT_S", 0.01)
    client = httpx.AsyncClient(transport=httpx.MockTransport(never))
    webhook = Webhook("crm", CRM, KEY, client=client, now_ns=bench.clock)
    await bench.fill()
    relay = Relay(bench.engine, MemoryCache(), FakeKafka(), targets=[webhook], now_ns=bench.clock)
    await relay.serve("webhook:crm")
    [first, *_] = [
        one
        for one in await list_deliveries(bench.engine, "acme", limit=100)
        if one.sink == "webhook:crm"
    ]
    assert first.error == "no answer within 0.01 s"


async def test_an_outage_of_the_database_is_raised_as_one() -> None:
    engine = open_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    delivery = TargetDelivery(
        engine, Alertmanager(PAGER, client=httpx.AsyncClient()), lambda *_: None, now_ns=Clock()
    )
    with pytest.raises(StoreUnavailableError):
        await delivery.serve()
    await engine.dispose()
