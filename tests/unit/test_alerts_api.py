"""The HTTP API of alerts and deliveries over a real SQLite file."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time, parse_time
from storage.cache import MemoryCache
from storage.feed import StoredFeed
from storage.outbox import give_up
from storage.results import ResultStore
from streams.serving.access.caller import Authenticate, Caller, Rank
from streams.serving.api.app import create_app
from streams.serving.api.cursors import to_cursor
from streams.serving.live import LiveFeed
from streams.worker.relay import Relay
from tests.alert_batches import judged, rises_and_falls
from tests.scores import SECOND_NS, START_NS

NOBODY = "00000000-0000-5000-8000-000000000000"
FIRED = format_time(START_NS + 7 * SECOND_NS)


def client_of(
    engine: AsyncEngine, *, tenant: str = "acme", rank: Rank = Rank.SUPERVISOR
) -> httpx.AsyncClient:
    async def queue_of(_: object) -> str | None:
        return None

    app = create_app(
        engine=engine,
        authenticate=known(Caller(tenant, "kim", rank)),
        feed=LiveFeed(StoredFeed(engine), queue_of),
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    )


def known(caller: Caller) -> Authenticate:
    async def authenticate(_: object) -> Caller:
        return caller

    return authenticate


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


async def fill(engine: AsyncEngine, *conversations: str, windows: int = 10) -> None:
    batches = [judged(rises_and_falls(name)[:windows]) for name in conversations or ("c-1",)]
    assert not (await ResultStore(engine).commit(batches)).failed


async def the_alert(client: httpx.AsyncClient) -> dict[str, Any]:
    [alert] = (await client.get("/v1/alerts")).json()["items"]
    return dict(alert)


async def schema_of(client: httpx.AsyncClient, name: str) -> Draft202012Validator:
    document = (await client.get("/openapi.json")).json()
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


async def test_an_alert_is_listed_and_read_with_its_course(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await fill(engine)
    alert = await the_alert(client)
    assert alert["fired"] == FIRED
    assert alert["since"] == format_time(START_NS + 5 * SECOND_NS)
    assert alert["acknowledged"] is alert["snoozed"] is alert["verdict"] is None
    detail = (await client.get(f"/v1/alerts/{alert['id']}")).json()
    assert {name: detail[name] for name in alert} == alert
    assert [event["state"] for event in detail["events"]] == [
        "pending", "firing", "resolving", "ok",
    ]  # fmt: skip
    assert {one["sink"] for one in detail["deliveries"]} == {
        "kafka", "feed", "webhook:crm", "alertmanager",
    }  # fmt: skip
    (await schema_of(client, "AlertDetail")).validate(detail)
    (await schema_of(client, "AlertPage")).validate((await client.get("/v1/alerts")).json())


async def test_pages_hold_every_alert_once_and_filters_keep_theirs(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await fill(engine, "c-1", "c-2", "c-3", "c-4", "c-5")
    await fill(engine, "c-open", windows=6)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = (await client.get("/v1/alerts", params={"limit": 2, **cursor})).json()
        seen += [one["conversation"] for one in body["items"]]
        if body["next"] is None:
            break
        cursor = {"cursor": body["next"]}
    assert sorted(seen) == ["c-1", "c-2", "c-3", "c-4", "c-5", "c-open"]

    async def found(**query: str) -> list[str]:
        items = (await client.get("/v1/alerts", params=query)).json()["items"]
        return [one["conversation"] for one in items]

    assert await found(state="open") == ["c-open"]
    assert await found(conversation="c-2", rule="loud", queue="billing", severity="warning") == [
        "c-2"
    ]
    assert len(await found(**{"from": FIRED})) == 6
    assert await found(to=FIRED) == []
    assert await found(acknowledged="true") == []


@pytest.mark.parametrize(
    "query",
    [
        {"state": "closed"},
        {"rule": "a/b"},
        {"from": "yesterday"},
        {"limit": "0"},
        {"queue": "\0"},
        {"cursor": "nonsense"},
        {"cursor": to_cursor({"fired_ns": 1, "alert": "x"})},
    ],
)
async def test_a_wrong_question_is_a_problem(
    client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    response = await client.get("/v1/alerts", params=query)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_acknowledge_snooze_and_verdict_say_who_and_when(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await fill(engine)
    path = f"/v1/alerts/{(await the_alert(client))['id']}"
    assert (await client.post(f"{path}/acknowledge")).json()["acknowledged"]["by"] == "kim"
    snoozed = (await client.post(f"{path}/snooze", json={"minutes": 30})).json()
    until_ns = parse_time(snoozed["snoozed"]["until"])
    acknowledged_ns = parse_time(snoozed["acknowledged"]["at"])
    assert 1_800 * SECOND_NS <= until_ns - acknowledged_ns < 1_860 * SECOND_NS
    judged_ = await client.post(f"{path}/verdict", json={"verdict": "wrong", "note": "a joke"})
    assert judged_.json()["verdict"]["value"] == "wrong"
    assert judged_.json()["verdict"]["note"] == "a joke"
    woken = await client.post(f"{path}/snooze", json={"minutes": 0})
    assert woken.json()["snoozed"] is None
    (await schema_of(client, "AlertJson")).validate(woken.json())
    assert (await the_alert(client)) == woken.json()


async def test_every_page_is_told_what_somebody_did(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await fill(engine)
    alert = await the_alert(client)
    relay = Relay(engine, MemoryCache(), publisher=None)  # type: ignore[arg-type]
    await relay.serve("feed")
    await client.post(f"/v1/alerts/{alert['id']}/acknowledge", json={"note": "mine"})
    await relay.serve("feed")
    events = await StoredFeed(engine).after(0, 100, "acme")
    news = [msgspec.json.decode(event.payload) for event in events if event.kind == "alert"]
    assert [one["transition"] for one in news] == ["firing", "resolved", "acknowledged"]
    assert news[-1]["alert"] == await the_alert(client)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("snooze", {}),
        ("snooze", {"minutes": 1_441}),
        ("snooze", {"minutes": -1}),
        ("snooze", {"minutes": "5"}),
        ("verdict", {"verdict": "maybe"}),
        ("verdict", {"verdict": "right", "note": "\0"}),
        ("verdict", {"verdict": "right", "by": "lee"}),
        ("acknowledge", {"note": 5}),
        ("acknowledge", {"else": 5}),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    engine: AsyncEngine, client: httpx.AsyncClient, action: str, body: dict[str, Any]
) -> None:
    await fill(engine)
    alert = await the_alert(client)
    response = await client.post(f"/v1/alerts/{alert['id']}/{action}", json=body)
    assert response.status_code == 422
    assert await the_alert(client) == alert


async def test_viewers_look_and_supervisors_act(engine: AsyncEngine) -> None:
    await fill(engine)
    async with client_of(engine, rank=Rank.VIEWER) as viewer:
        alert = await the_alert(viewer)
        for action, body in (
            ("acknowledge", {}),
            ("snooze", {"minutes": 5}),
            ("verdict", {"verdict": "right"}),
        ):
            response = await viewer.post(f"/v1/alerts/{alert['id']}/{action}", json=body)
            assert response.status_code == 403
        assert (await viewer.post(f"/v1/deliveries/{NOBODY}/kafka/retry")).status_code == 403
        assert await the_alert(viewer) == alert


async def test_another_tenant_finds_nothing(engine: AsyncEngine, client: httpx.AsyncClient) -> None:
    await fill(engine)
    alert = (await the_alert(client))["id"]
    async with client_of(engine, tenant="other") as other:
        assert (await other.get("/v1/alerts")).json()["items"] == []
        assert (await other.get("/v1/deliveries")).json()["items"] == []
        assert (await other.get(f"/v1/alerts/{alert}")).status_code == 404
        for action, body in (
            ("acknowledge", {}),
            ("snooze", {"minutes": 5}),
            ("verdict", {"verdict": "right"}),
        ):
            response = await other.post(f"/v1/alerts/{alert}/{action}", json=body)
            assert response.status_code == 404
            assert "No alert of this tenant" in response.json()["detail"]
    assert (await client.get(f"/v1/alerts/{NOBODY}")).status_code == 404
    assert (await client.get("/v1/alerts/nonsense")).status_code == 422


async def test_the_dead_are_seen_with_the_reason_and_live_again(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await fill(engine)
    assert (await client.get("/v1/deliveries", params={"dead": "true"})).json()["items"] == []
    await give_up(engine, sink="webhook:crm", error="it answered 404")
    page = (await client.get("/v1/deliveries", params={"dead": "true", "limit": 1})).json()
    (await schema_of(client, "DeliveryPage")).validate(page)
    [first] = page["items"]
    assert (first["sink"], first["kind"], first["error"]) == (
        "webhook:crm", "alert", "it answered 404",
    )  # fmt: skip
    rest = await client.get("/v1/deliveries", params={"dead": "true", "cursor": page["next"]})
    [second] = rest.json()["items"]
    assert first["id"] != second["id"]
    assert rest.json()["next"] is None
    retried = await client.post(f"/v1/deliveries/{first['id']}/webhook:crm/retry")
    assert retried.status_code == 204
    left = (await client.get("/v1/deliveries", params={"dead": "true"})).json()["items"]
    assert [one["id"] for one in left] == [second["id"]]
    assert (await client.post(f"/v1/deliveries/{NOBODY}/kafka/retry")).status_code == 404
