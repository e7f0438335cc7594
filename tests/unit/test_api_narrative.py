"""A call in two sentences and a shift in a paragraph, over HTTP."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.labels import Role
from inference.narrator.contract import Narrative
from inference.narrator.incident import IncidentRecord
from inference.narrator.template import TemplateNarrator
from inference.units import DAY_NS, HOUR_NS
from storage.cache import MemoryCache
from storage.results import ResultStore
from storage.values import Utterance
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.telling import Teller
from tests.alert_batches import judged, rises_and_falls
from tests.calls import MIDNIGHT_NS, Call, store_calls
from tests.scores import SECOND_NS, START_NS, batch, distressed

WEEK_NS = 7 * DAY_NS
DAY = {"from": format_time(MIDNIGHT_NS), "to": format_time(MIDNIGHT_NS + DAY_NS)}
TEMPLATE = TemplateNarrator()


class Broken:
    """A narrator with a bug."""

    version = "broken-1"

    def tell(self, record: IncidentRecord) -> Narrative:
        raise ZeroDivisionError(record.participant)


def client_of(
    engine: AsyncEngine,
    *,
    tenant: str = "acme",
    teller: Teller | None = None,
    k_floor: int = 5,
) -> httpx.AsyncClient:
    app = build_api(engine, MemoryCache(), everyone(tenant), teller=teller, k_floor=k_floor).app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, teller=Teller(TEMPLATE, TEMPLATE)) as client:
        yield client


async def asked(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def matches(client: httpx.AsyncClient, name: str, body: Any) -> None:
    document = (await client.get("/openapi.json")).json()
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator(schema).validate(body)


async def store_call(
    engine: AsyncEngine, levels: Sequence[float], words: Sequence[Utterance] = ()
) -> None:
    """`c-1`: a customer with these levels of distress a second, and a calm agent."""
    customer = batch([distressed(n, level) for n, level in enumerate(levels)], None)
    calm = [
        msgspec.structs.replace(distressed(n, 0.05, participant="a-1"), role=Role.AGENT)
        for n in range(3)
    ]
    result = await ResultStore(engine).commit(
        [replace(customer, words=tuple(words)), batch(calm, None)]
    )
    assert not result.failed


async def test_a_call_is_told_for_each_participant_customers_first(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_call(engine, [0.1] * 100 + [0.9] * 20)
    body = await asked(client, "/v1/conversations/c-1/narrative")
    await matches(client, "NarrativesBody", body)
    customer, agent = body["items"]
    assert (customer["participant"], customer["role"]) == ("p-1", "customer")
    assert (agent["participant"], agent["role"]) == ("a-1", "agent")
    assert (customer["windows"], customer["narrator"]) == (120, "template-1")
    assert customer["start"] == format_time(START_NS)
    assert customer["end"] == format_time(START_NS + 122 * SECOND_NS)
    assert "the customer would be called angry" in customer["text"]
    assert "1:40" in customer["text"]
    for clause in customer["clauses"]:
        assert clause["text"].lower() in customer["text"].lower()
        assert clause["evidence"]
    moments = [one for clause in customer["clauses"] for one in clause["evidence"]]
    strongest = format_time(START_NS + 100 * SECOND_NS)
    assert strongest in {one.get("start") for one in moments if one["kind"] == "window"}
    only = await asked(client, "/v1/conversations/c-1/narrative", participant="a-1")
    assert only["items"] == [agent]


async def test_words_around_the_height_are_quoted_where_they_are_kept(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    def word(at: int, text: str) -> Utterance:
        start_ns = START_NS + at * SECOND_NS
        return Utterance(
            participant="p-1", segment=f"s-{at}", start_ns=start_ns,
            end_ns=start_ns + SECOND_NS, text=text, language="en",
        )  # fmt: skip

    words = [word(5, "Good morning"), word(96, "Twice I was charged")]
    await store_call(engine, [0.1] * 100 + [0.9] * 20, words)
    [item] = (await asked(client, "/v1/conversations/c-1/narrative", participant="p-1"))["items"]
    assert '"Twice I was charged"' in item["text"]
    assert "morning" not in str(item)
    [quoted] = [
        one for clause in item["clauses"] for one in clause["evidence"] if one["kind"] == "words"
    ]
    assert quoted["says"] == "Twice I was charged"


async def test_nobody_tells_or_nobody_can(engine: AsyncEngine) -> None:
    await store_call(engine, [0.1] * 3)
    broken = Teller(Broken(), Broken())
    for teller in (None, broken):
        async with client_of(engine, teller=teller) as client:
            body = await asked(client, "/v1/conversations/c-1/narrative")
            assert [(one["text"], one["narrator"]) for one in body["items"]] == [(None, None)] * 2
            assert body["items"][0]["clauses"] == []
    assert broken.errors == 4


async def test_another_tenants_call_is_not_known(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_call(engine, [0.9] * 3)
    async with client_of(engine, tenant="other", teller=Teller(TEMPLATE, TEMPLATE)) as other:
        assert (await other.get("/v1/conversations/c-1/narrative")).status_code == 404
        summary = await asked(other, "/v1/summary", **DAY)
        assert summary["text"].endswith("no customer was scored.")
        assert summary["conversations"] is summary["alerts"] is None
    assert (await client.get("/v1/conversations/c-2/narrative")).status_code == 404


async def alerted(engine: AsyncEngine, count: int, queue: str = "billing") -> None:
    """Calls of a second queue or of the same, in each of which one alert fires."""
    batches = [judged(rises_and_falls(f"{queue}-{n}"), queue=queue) for n in range(count)]
    assert not (await ResultStore(engine).commit(batches)).failed


async def test_a_shift_in_a_paragraph_with_its_figures(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    now = [Call(queue="sales", values=(0.6 + n / 100,)) for n in range(6)]
    before = [replace(call, values=(0.2 + n / 100,), start_ns=MIDNIGHT_NS - WEEK_NS)
              for n, call in enumerate(now)]  # fmt: skip
    await store_calls(engine, now)
    await store_calls(engine, before, "b")
    await alerted(engine, 5)
    body = await asked(client, "/v1/summary", **DAY)
    await matches(client, "SummaryBody", body)
    assert (body["from"], body["to"], body["queue"], body["floor"]) == (
        DAY["from"],
        DAY["to"],
        None,
        5,
    )
    assert body["conversations"] == 11
    assert body["alerts"] == {
        "total": 5,
        "severities": {"warning": 5},
        "rules": {"loud": 5},
        "queues": {"billing": 5, "sales": 0},
    }
    billing, sales = body["queues"]
    assert (billing["key"], billing["before"], billing["difference"]) == ("billing", None, None)
    assert (sales["key"], sales["difference"], sales["news"]) == ("sales", 0.4, True)
    text = body["text"]
    assert "Conversations with scores: 11, and alerts that fired: 5." in text
    assert "By severity: 5 warning; by rule most often loud (5)." in text
    assert "By queue sales reads highest (62\N{NARROW NO-BREAK SPACE}%, 40 points more)" in text
    assert f"{100 * body['distress']['mean']:.0f}\N{NARROW NO-BREAK SPACE}%" in text
    assert body["narrator"] == "summary-1+template-1"


async def test_without_a_narrator_the_plain_words_are_left(engine: AsyncEngine) -> None:
    await store_calls(engine, [Call()] * 5)
    async with client_of(engine) as client:
        body = await asked(client, "/v1/summary", **DAY)
    assert "5 conversations with scores, 0 alerts." in body["text"]
    assert "with nothing to compare" in body["text"]
    assert body["narrator"] == "summary-1"


async def test_what_is_below_the_floor_is_in_no_figure_and_in_no_word(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(values=(0.3,))] * 4)
    body = await asked(client, "/v1/summary", **DAY)
    assert body["withheld"]
    assert body["conversations"] is body["distress"] is body["alerts"] is None
    assert body["change"] == {
        "key": "customer", "now": None, "before": None, "difference": None, "low": None,
        "high": None, "news": False, "withheld": True,
    }  # fmt: skip
    assert "30" not in body["text"].partition("UTC")[2]


async def test_a_queue_alone_is_withheld_where_it_is_among_all(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    """Two calls of legal must not be what is left of all calls minus those of sales."""
    await store_calls(engine, [Call(queue="sales")] * 6 + [Call(queue="billing")] * 7, "a")
    await store_calls(engine, [Call(queue="legal", values=(0.9,))] * 2, "l")
    everything = await asked(client, "/v1/summary", **DAY)
    assert {one["key"]: one["withheld"] for one in everything["queues"]} == {
        "billing": False, "legal": True, "sales": True,
    }  # fmt: skip
    assert everything["conversations"] == 15
    assert set(everything["alerts"]["queues"]) == {"billing"}
    assert "2 queues are withheld" in everything["text"]
    for queue, hidden in (("billing", False), ("legal", True), ("sales", True)):
        body = await asked(client, "/v1/summary", queue=queue, **DAY)
        assert (body["queue"], body["withheld"], body["queues"]) == (queue, hidden, [])
        assert (body["conversations"] is None) == hidden
    assert (await asked(client, "/v1/summary", queue="nowhere", **DAY))["conversations"] is None


async def test_a_week_before_below_the_floor_is_no_comparison(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store_calls(engine, [Call(values=(0.5,))] * 5)
    await store_calls(engine, [Call(values=(0.1,), start_ns=MIDNIGHT_NS - WEEK_NS)] * 4, "b")
    body = await asked(client, "/v1/summary", **DAY)
    assert body["conversations"] == 5
    assert body["change"]["before"] is body["change"]["difference"] is None
    assert "with nothing to compare" in body["text"]


async def test_the_range_is_widened_to_whole_hours_and_checked(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    body = await asked(
        client,
        "/v1/summary",
        **{
            "from": format_time(MIDNIGHT_NS + 40 * 60 * SECOND_NS),
            "to": format_time(MIDNIGHT_NS + 41 * 60 * SECOND_NS),
        },
    )
    assert (body["from"], body["to"]) == (DAY["from"], format_time(MIDNIGHT_NS + HOUR_NS))
    wrong = await client.get("/v1/summary", params={"from": DAY["to"], "to": DAY["from"]})
    assert wrong.status_code == 422
