"""Alert rules over HTTP, on a real SQLite file."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import Request
from jsonschema import Draft202012Validator
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from storage.conversations import read_queue
from storage.feed import StoredFeed
from storage.results import ResultStore
from storage.rules import MARGIN_NS, put_rule
from storage.upgrade import server_time_ns
from storage.values import ConversationKey
from streams.alerts.rule import shipped_rules, spec_of
from streams.serving.access.caller import Authenticate, Caller, Rank
from streams.serving.api import rules as routes
from streams.serving.api.app import create_app
from streams.serving.api.bodies_rules import RuleBody
from streams.serving.api.schemas import BODIES
from streams.serving.live import LiveFeed
from tests.scores import SECOND_NS, START_NS, batch, distressed

BODY: dict[str, Any] = {"metric": "distress", "enter": 0.6, "exit": 0.4, "for_s": 3}
PROBLEM = "application/problem+json"


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


def asking(tenant: str, rank: Rank) -> Authenticate:
    async def authenticate(_: Request) -> Caller:
        return Caller(tenant, "ann", rank)

    return authenticate


def client_of(
    engine: AsyncEngine, tenant: str = "acme", rank: Rank = Rank.SUPERVISOR
) -> httpx.AsyncClient:
    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    feed = LiveFeed(StoredFeed(engine), queue_of)
    app = create_app(engine=engine, authenticate=asking(tenant, rank), feed=feed)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    )


async def names(client: httpx.AsyncClient, limit: int = 100) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/rules", params=query)).json()
        assert len(page["items"]) <= limit
        found += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


async def test_everybody_begins_with_the_shipped_rules(client: httpx.AsyncClient) -> None:
    items = (await client.get("/v1/rules")).json()["items"]
    assert [one["name"] for one in items] == sorted(shipped_rules())
    for one in items:
        assert (one["version"], one["shipped"], one["stored"]) == (0, True, None)
        assert spec_of(one["spec"], "x") == shipped_rules()[one["name"]]
        assert one["valid_from"] == "1970-01-01T00:00:00Z"


async def test_a_rule_is_written_read_changed_and_switched_off(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    now_ns = await server_time_ns(engine)
    made = await client.put("/v1/rules/calm", json=BODY)
    assert made.status_code == 200
    assert made.headers["etag"] == '"1"'
    body = msgspec.json.decode(made.content, type=RuleBody)
    assert (body.name, body.version, body.author, body.shipped) == ("calm", 1, "ann", False)
    assert body.spec == spec_of(BODY, "x")
    assert body.valid_from >= format_time(now_ns + MARGIN_NS)
    changed = await client.put("/v1/rules/calm", json=BODY | {"enter": 0.7})
    assert changed.json()["version"] == 2
    read = await client.get("/v1/rules/calm")
    assert read.headers["etag"] == '"2"'
    detail = read.json()
    assert detail | {"versions": None} == changed.json() | {"versions": None}
    assert detail["versions"] == [changed.json(), made.json()]
    assert "calm" in await names(client)
    assert (await client.delete("/v1/rules/calm")).status_code == 204
    detail = (await client.get("/v1/rules/calm")).json()
    assert (detail["spec"], detail["version"], len(detail["versions"])) == (None, 3, 3)
    assert "calm" not in await names(client)
    assert (await client.delete("/v1/rules/calm")).status_code == 404
    assert (await client.put("/v1/rules/calm", json=BODY)).json()["version"] == 4


async def test_a_shipped_rule_can_be_replaced_and_switched_off(client: httpx.AsyncClient) -> None:
    name = "sharp-rise"
    assert (await client.delete(f"/v1/rules/{name}")).status_code == 204
    [off] = [one for one in (await client.get("/v1/rules")).json()["items"] if one["name"] == name]
    assert (off["spec"], off["version"], off["shipped"]) == (None, 1, False)
    await client.put(f"/v1/rules/{name}", json=BODY)
    versions = (await client.get(f"/v1/rules/{name}")).json()["versions"]
    assert [(one["version"], one["shipped"]) for one in versions] == [
        (2, False), (1, False), (0, True),
    ]  # fmt: skip


async def test_a_tenant_has_only_so_many_rules(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MOST_RULES", 5)
    assert (await client.put("/v1/rules/fifth", json=BODY)).status_code == 200
    refused = await client.put("/v1/rules/sixth", json=BODY)
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert "delete one first" in refused.json()["detail"]
    assert (await client.put("/v1/rules/fifth", json=BODY)).status_code == 200
    await client.delete("/v1/rules/sharp-rise")
    assert (await client.put("/v1/rules/sixth", json=BODY)).status_code == 200


async def test_a_list_comes_in_pages(client: httpx.AsyncClient) -> None:
    for name in ("a", "zz", "silent"):
        await client.put(f"/v1/rules/{name}", json=BODY)
    expected = sorted([*shipped_rules(), "a", "zz", "silent"])
    for limit in (1, 2, 7, 500):
        assert await names(client, limit) == expected


@pytest.mark.parametrize(
    ("if_match", "status"),
    [(None, 200), ("*", 200), ('"1"', 200), ('"0"', 412), ('"2"', 412), ("1", 412), ("x", 412)],
)
async def test_a_writer_may_insist_on_the_version_that_was_read(
    client: httpx.AsyncClient, if_match: str | None, status: int
) -> None:
    headers = {} if if_match is None else {"If-Match": if_match}
    fresh = await client.put("/v1/rules/calm", json=BODY, headers={"If-Match": '"0"'})
    assert fresh.status_code == 200
    answer = await client.put("/v1/rules/calm", json=BODY, headers=headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.headers["content-type"] == PROBLEM
        answer = await client.delete("/v1/rules/calm", headers=headers)
        assert answer.status_code == 412


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        (b'{"metric": "mood", "enter": 1, "exit": 1}', "metric", "write one of"),
        (b'{"metric": "anger", "enter": 0.6, "exit": 0.7}', "exit", "write at most 0.6"),
        (b'{"metric": "anger", "enter": 0.6, "exit": 0.5, "for": 3}', "for", "no such field"),
        (b'{"metric": "anger", "enter": true, "exit": 0.5}', "enter", "Expected `float`"),
        (b'{"metric": "anger", "exit": 0.5}', "enter", "is missing"),
        (
            b'{"metric": "anger", "enter": 0.6, "exit": 0.5, "summary": "\\u0000"}',
            "summary", "Expected",
        ),
        (b'{"name": "calm", "metric": "anger", "enter": 0.6, "exit": 0.5}', "name", "no such"),
        (b"[]", "", "Expected `object`"),
        (b"{", "", "truncated"),
        (b"\xff", "", ""),
        (b"", "", ""),
    ],
)  # fmt: skip
async def test_a_rule_that_is_wrong_is_refused_with_its_field(
    client: httpx.AsyncClient, sent: bytes, field: str, said: str
) -> None:
    answer = await client.put("/v1/rules/calm", content=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert said in error["message"]
    assert (await client.get("/v1/rules/calm")).status_code == 404


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "x" * 129, "%00"])
async def test_a_name_is_an_id(client: httpx.AsyncClient, name: str) -> None:
    for answer in (
        await client.get(f"/v1/rules/{name}"),
        await client.put(f"/v1/rules/{name}", json=BODY),
        await client.delete(f"/v1/rules/{name}"),
    ):
        assert answer.status_code in {404, 422}
        assert answer.headers["content-type"] == PROBLEM


async def test_no_tenant_sees_or_changes_the_rules_of_another(engine: AsyncEngine) -> None:
    async with client_of(engine) as acme, client_of(engine, "umbrella") as umbrella:
        await acme.put("/v1/rules/calm", json=BODY)
        await acme.delete("/v1/rules/sharp-rise")
        assert (await umbrella.get("/v1/rules/calm")).status_code == 404
        assert (await umbrella.delete("/v1/rules/calm")).status_code == 404
        assert await names(umbrella) == sorted(shipped_rules())
        assert (await umbrella.get("/v1/rules/sharp-rise")).json()["version"] == 0
        assert (await umbrella.put("/v1/rules/calm", json=BODY)).json()["version"] == 1


async def test_viewers_look_and_supervisors_write(engine: AsyncEngine) -> None:
    asked = {"rule": BODY, "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    async with client_of(engine, rank=Rank.VIEWER) as viewer:
        assert (await viewer.get("/v1/rules")).status_code == 200
        assert (await viewer.get("/v1/rules/sharp-rise")).status_code == 200
        assert (await viewer.put("/v1/rules/calm", json=BODY)).status_code == 403
        assert (await viewer.delete("/v1/rules/sharp-rise")).status_code == 403
        assert (await viewer.post("/v1/rules/backtest", json=asked)).status_code == 403


async def test_a_stored_version_that_does_not_read_is_shown_as_switched_off(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await put_rule(engine, "acme", "old", {"metric": "mood"}, author="x", now_ns=START_NS)
    assert (await client.get("/v1/rules/old")).json()["spec"] is None


async def test_a_rule_is_tried_on_the_callers_own_conversations(engine: AsyncEngine) -> None:
    signal = [0.1] * 5 + [0.9] * 20 + [0.1] * 20
    for number, queue in enumerate(("billing", "billing", "sales")):
        scores = [
            distressed(n, value, conversation=f"c-{number}") for n, value in enumerate(signal)
        ]
        await ResultStore(engine).commit([batch(scores, None, queue=queue)])
    asked = {"rule": BODY, "from": "2025-11-24T17:00:00+01:00", "to": "2025-11-25T00:00:00Z"}
    async with client_of(engine) as client, client_of(engine, "umbrella") as other:
        found = (await client.post("/v1/rules/backtest", json=asked)).json()
        assert (found["conversations"], found["alerts"], found["flaps"]) == (3, 3, 0)
        assert found["from"] == "2025-11-24T16:00:00Z"
        assert found["delay_s"] == {"median": 3.0, "p90": 3.0}
        assert found["reviewed"] is found["suggested"] is None
        assert [one["conversation"] for one in found["episodes"]] == ["c-0", "c-1", "c-2"]
        asked |= {"queue": "sales", "wanted_per_hour": 9_999.0}
        found = (await client.post("/v1/rules/backtest", json=asked)).json()
        assert (found["conversations"], found["alerts"]) == (1, 1)
        assert found["suggested"]["enter"] == 0.6
        nothing = (await other.post("/v1/rules/backtest", json=asked)).json()
        assert (nothing["conversations"], nothing["alerts_per_hour"]) == (0, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": "2025-01-01T00:00:00Z"}, "to"),
        ({"to": "yesterday"}, "to"),
        ({"to": "2026-01-01T00:00:00"}, "to"),
        ({"from": 3}, "from"),
        ({"rule": BODY | {"exit": 0.9}}, "rule.exit"),
        ({"rule": BODY | {"match": {"roles": ["boss"]}}}, "rule.match.roles[0]"),
        ({"queue": "\u0000"}, "queue"),
        ({"wanted_per_hour": 0}, "wanted_per_hour"),
        ({"speed": 2}, "speed"),
    ],
)
async def test_a_back_test_that_is_asked_wrongly_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    asked = {"rule": BODY, "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"} | change
    answer = await client.post("/v1/rules/backtest", json=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["errors"][0]["field"] == field


async def test_a_back_test_over_too_much_says_how_to_go_on(
    engine: AsyncEngine, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MOST_WINDOWS", 2)
    await ResultStore(engine).commit([batch([distressed(n) for n in range(3)], None)])
    asked = {
        "rule": BODY,
        "from": format_time(START_NS),
        "to": format_time(START_NS + 60 * SECOND_NS),
    }
    answer = await client.post("/v1/rules/backtest", json=asked)
    assert answer.status_code == 422
    assert "more than 2 windows" in answer.json()["detail"]


async def test_answers_are_what_the_document_says(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    components = {"components": document["components"]}
    assert {kind.__name__ for kind in BODIES} <= set(document["components"]["schemas"])

    def check(name: str, body: object) -> None:
        reference = {"$ref": f"#/components/schemas/{name}"}
        Draft202012Validator({**reference, **components}).validate(body)

    made = (await client.put("/v1/rules/calm", json=BODY)).json()
    check("RuleBody", made)
    check("RuleSpec", made["spec"])
    check("RulePage", (await client.get("/v1/rules")).json())
    check("RuleDetail", (await client.get("/v1/rules/sharp-rise")).json())
    asked = {"rule": made["spec"], "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    check("BackTestRequest", asked)
    check("BackTestBody", (await client.post("/v1/rules/backtest", json=asked)).json())
    sent = document["paths"]["/v1/rules/{name}"]["put"]["requestBody"]
    assert sent["content"]["application/json"]["schema"]["$ref"].endswith("/RuleSpec")
