"""Trends over HTTP: ranges in whole buckets, customers by default, the floor, and tenants."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.units import DAY_NS, HOUR_NS, MINUTE_NS
from storage.cache import MemoryCache
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from tests.calls import MIDNIGHT_NS, Call, store_calls

WEEK_NS = 7 * DAY_NS
FROM = format_time(MIDNIGHT_NS)
TO = format_time(MIDNIGHT_NS + DAY_NS)
DAY = {"from": FROM, "to": TO}


def client_of(engine: AsyncEngine, tenant: str = "acme", k_floor: int = 5) -> httpx.AsyncClient:
    app = build_api(engine, MemoryCache(), everyone(tenant), k_floor=k_floor).app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


async def asked(client: httpx.AsyncClient, path: str = "", **query: Any) -> dict[str, Any]:
    response = await client.get(f"/v1/trends{path}", params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_an_item_says_how_many_calls_read_and_how_sure_that_is(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(values=(n / 10, None)) for n in range(6)])
    body = await asked(client, bucket="1d", **DAY)
    assert (body["group"], body["bucket"], body["floor"]) == ("queue", "1d", 5)
    assert (body["from"], body["to"]) == (FROM, TO)
    [item] = body["items"]
    assert (item["key"], item["start"], item["end"]) == ("billing", FROM, TO)
    assert (item["conversations"], item["windows"], item["scored"]) == (6, 12, 6)
    assert item["distress"]["mean"] == 0.25
    assert 0 < item["distress"]["low"] < 0.25 < item["distress"]["high"] < 1
    assert item["arousal"] == 0.5
    assert item["valence"] == -0.25
    assert not item["withheld"]


async def test_a_range_is_widened_to_whole_buckets(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(start_ns=MIDNIGHT_NS + 30 * MINUTE_NS)] * 5)
    middle = {
        "from": format_time(MIDNIGHT_NS + 40 * MINUTE_NS),
        "to": format_time(MIDNIGHT_NS + 41 * MINUTE_NS),
    }
    body = await asked(client, bucket="1h", **middle)
    assert (body["from"], body["to"]) == (FROM, format_time(MIDNIGHT_NS + HOUR_NS))
    assert len(body["items"]) == 1
    assert (await asked(client, bucket="1m", **middle))["items"] == []


async def test_a_narrow_question_withholds_what_a_wide_one_does(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    """The smallest shown minute is hidden beside a hidden one, asked for or not."""
    calls = [Call(start_ns=MIDNIGHT_NS)] * 3
    calls += [Call(start_ns=MIDNIGHT_NS + MINUTE_NS)] * 6
    calls += [Call(start_ns=MIDNIGHT_NS + 2 * MINUTE_NS)] * 7
    await store_calls(engine, calls)
    wide = (await asked(client, bucket="1m", **DAY))["items"]
    assert [item["withheld"] for item in wide] == [True, True, False]
    narrow = {
        "from": format_time(MIDNIGHT_NS + MINUTE_NS),
        "to": format_time(MIDNIGHT_NS + 2 * MINUTE_NS),
    }
    assert (await asked(client, bucket="1m", **narrow))["items"] == wide[1:2]
    assert all(
        value is None
        for name, value in wide[0].items()
        if name not in {"key", "start", "end", "withheld"}
    )


async def test_by_agent_there_is_only_what_customers_expressed(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(values=(0.2,), agents=("ann",))] * 5)
    [item] = (await asked(client, group="agent", bucket="1d", **DAY))["items"]
    assert (item["key"], item["windows"], item["distress"]["mean"]) == ("ann", 5, 0.2)
    for path in ("", "/changes"):
        query = {"group": "agent", "role": "agent"}
        refused = await client.get(f"/v1/trends{path}", params=query)
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith("role:")


async def test_only_customers_unless_a_role_is_asked_for(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(values=(0.2,), agents=("ann",))] * 5)
    for query, expected in (
        ({}, {"billing": 0.2}),
        ({"role": "agent"}, {"billing": 0.9}),
        ({"group": "role"}, {"agent": 0.9, "customer": 0.2}),
        ({"group": "role", "role": "customer"}, {"customer": 0.2}),
        ({"queue": "sales"}, {}),
    ):
        items = (await asked(client, bucket="1d", **DAY, **query))["items"]
        assert {item["key"]: item["distress"]["mean"] for item in items} == expected, query


async def test_another_tenant_sees_nothing_and_a_floor_is_a_setting(engine: AsyncEngine) -> None:
    await store_calls(engine, [Call()] * 3)
    async with client_of(engine, "other", 2) as client:
        assert (await asked(client, bucket="1d", **DAY))["items"] == []
        assert (await asked(client, "/changes", **DAY))["items"] == []
    async with client_of(engine, k_floor=3) as client:
        [item] = (await asked(client, bucket="1d", **DAY))["items"]
        assert not item["withheld"]


async def test_news_is_a_difference_beyond_noise(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    now = [Call(values=(0.6 + n / 100,)) for n in range(8)]
    now += [Call(queue="sales", values=(0.1 + n / 10,)) for n in range(8)]
    before = [
        Call(
            queue=call.queue, values=[(call.values[0] or 0) - 0.05], start_ns=MIDNIGHT_NS - WEEK_NS
        )
        for call in now
    ]
    await store_calls(engine, now)
    await store_calls(engine, before, "b")
    body = await asked(client, "/changes", **DAY)
    assert body["level"] == 0.95
    billing, sales = body["items"]
    assert (billing["key"], billing["difference"], billing["news"]) == ("billing", 0.05, True)
    assert billing["low"] > 0
    assert billing["now"] == {"mean": 0.635, "conversations": 8}
    assert (sales["key"], sales["difference"], sales["news"]) == ("sales", 0.05, False)
    assert sales["low"] < 0 < sales["high"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", {"from": TO, "to": FROM}),
        ("", {"from": FROM, "to": FROM}),
        ("/changes", {"from": TO, "to": FROM}),
        ("", {"bucket": "1m", "from": FROM, "to": format_time(MIDNIGHT_NS + 2 * DAY_NS)}),
        ("/changes", {"from": "2020-01-01T00:00:00Z", "to": FROM}),
        ("", {"bucket": "1d", "from": "2020-01-01T00:00:00Z", "to": FROM}),
        ("", {"group": "region"}),
        ("", {"bucket": "2h"}),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    path: str, query: dict[str, str], client: httpx.AsyncClient
) -> None:
    response = await client.get(f"/v1/trends{path}", params=query)
    assert response.status_code == 422, response.text


async def test_without_a_range_it_is_the_newest_stretch(client: httpx.AsyncClient) -> None:
    assert (await asked(client))["items"] == []
    assert (await asked(client, "/changes"))["items"] == []
