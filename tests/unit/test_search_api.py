"""Moments and labels of one's own over HTTP: what is found, what is said, and what is refused."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.alignment.own_labels import FEWEST_JUDGED
from inference.contract import format_time
from inference.errors import AffectstreamError
from storage.audit import list_recorded
from storage.moment_search import MomentSearch
from storage.own_labels import OwnLabel
from storage.results import ResultStore
from storage.values import Utterance
from streams.serving.access.bearer import Keys, bearer
from streams.serving.access.caller import Rank
from streams.serving.api.bodies_search import needed
from streams.serving.finder import Finder
from tests.access import app_of, client_of, headers, new_key
from tests.moments import SPACE, FakeSpace, Vector, searchable, towards, unit
from tests.scores import SECOND_NS, START_NS, distressed

ANGRY = FakeSpace(known={"angry": unit([1.0]), "calm": unit([0.0, 1.0])})
Ask = Callable[..., Any]


class Deaf(FakeSpace):
    """Knows no word."""

    def query(self, text: str) -> Vector:
        raise AffectstreamError(f"{text}: not one word is known")


def at(second: int) -> str:
    return format_time(START_NS + second * SECOND_NS)


async def fill(engine: AsyncEngine, *cosines: float, **options: Any) -> None:
    scores = [distressed(3 * n, abs(cosine)) for n, cosine in enumerate(cosines)]
    stored = searchable(scores, [towards(cosine) for cosine in cosines], **options)
    words = Utterance(
        participant="p-1", segment="s-1", start_ns=START_NS, end_ns=START_NS + SECOND_NS,
        text="this is not acceptable", language="en",
    )  # fmt: skip
    assert not (await ResultStore(engine).commit([replace(stored, words=(words,))])).failed


@pytest.fixture
async def clients(engine: AsyncEngine) -> AsyncIterator[Callable[..., Any]]:
    """Makes clients of the API by rank and space."""
    opened: list[httpx.AsyncClient] = []

    async def client(
        rank: Rank = Rank.SUPERVISOR, space: FakeSpace | None = ANGRY
    ) -> httpx.AsyncClient:
        key = await new_key(engine, rank, name=f"a {rank}")
        finder = space and Finder(space, MomentSearch(engine, space.version, fresh_s=0.0))
        app = app_of(engine, bearer(Keys(engine)), finder=finder)
        opened.append(client_of(app))
        opened[-1].headers.update(headers(key.secret))
        return opened[-1]

    yield client
    for one in opened:
        await one.aclose()


async def test_moments_come_nearest_first_with_what_they_rest_on(
    engine: AsyncEngine, clients: Ask
) -> None:
    await fill(engine, 0.625, -0.25, 0.25)
    client = await clients(Rank.VIEWER)
    answer = await client.get("/v1/search", params={"q": "angry", "limit": 2})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["space"], body["indexed"], body["other_space"]) == (SPACE, 3, 0)
    first, second = body["items"]
    assert first == {
        "conversation": "c-1", "participant": "p-1", "role": "customer", "queue": "billing",
        "start": at(0), "end": at(3), "similarity": 0.625, "label": "anger", "distress": 0.625,
        "cues": [{"modality": "speech", "cue": "loud for this line"}], "imputed": False,
        "words": [{
            "participant": "p-1", "segment": "s-1", "start": at(0), "end": at(1),
            "text": "this is not acceptable", "language": "en", "confidence": None,
        }],
        "link": f"/conversations/c-1?at={at(0)}",
    }  # fmt: skip
    assert (second["similarity"], second["start"], second["words"]) == (0.25, at(6), [])


@pytest.mark.parametrize(
    ("query", "starts"),
    [
        ({}, [0, 6, 3]),
        ({"emotion": "anger"}, [0]),
        ({"emotion": "joy"}, []),
        ({"role": "agent"}, []),
        ({"queue": "billing", "min_distress": 0.25}, [0, 6, 3]),
        ({"min_distress": 0.5}, [0]),
        ({"from": at(1)}, [6, 3]),
        ({"to": at(6)}, [0, 3]),
        ({"conversation": "c-2"}, []),
        ({"participant": "p-1", "conversation": "c-1"}, [0, 6, 3]),
    ],
)
async def test_filters_say_what_is_ranked(
    engine: AsyncEngine, clients: Ask, query: dict[str, Any], starts: list[int]
) -> None:
    await fill(engine, 0.625, -0.25, 0.25)
    answer = await (await clients()).get("/v1/search", params={"q": "angry", **query})
    assert [one["start"] for one in answer.json()["items"]] == [at(second) for second in starts]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"per_conversation": 1}, 1),
        ({"per_conversation": 5}, 5),
        ({"per_conversation": 5, "limit": 4}, 4),
        ({"conversation": "c-1"}, 6),
        ({"conversation": "c-1", "per_conversation": 1}, 6),
    ],
)
async def test_of_one_conversation_three_are_shown_unless_it_is_named(
    engine: AsyncEngine, clients: Ask, query: dict[str, Any], count: int
) -> None:
    await fill(engine, *(0.9 - 0.1 * n for n in range(6)))
    client = await clients()
    await _label(client, "fed-up")
    for asked in ("/v1/search?q=angry", "/v1/labels/fed-up/moments"):
        answer = await client.get(asked, params=dict(httpx.URL(asked).params) | query)
        assert len(answer.json()["items"]) == count


async def test_where_search_is_off_or_nothing_is_indexed_it_is_said_what_to_do(
    engine: AsyncEngine, clients: Ask
) -> None:
    off = await clients(space=None)
    for path in ("/v1/search?q=angry", "/v1/labels/fed-up/moments"):
        await _label(await clients(), "fed-up")
        answer = await off.get(path)
        assert answer.status_code == 409
        assert "`search = true`" in answer.json()["detail"]
    refused = await off.put("/v1/labels/other", json={"prompts": ["angry"]})
    assert refused.status_code == 409
    on = await clients()
    empty = await on.get("/v1/search", params={"q": "angry"})
    assert (empty.status_code, "No window" in empty.json()["detail"]) == (409, True)
    await fill(engine, 0.5, space="older")
    older = await on.get("/v1/search", params={"q": "angry"})
    assert older.status_code == 409
    assert "1 have vectors of another version" in older.json()["detail"]


async def test_words_that_mean_nothing_to_the_space_are_named_but_not_repeated(
    clients: Ask,
) -> None:
    client = await clients(space=Deaf())
    for answer, field in (
        (await client.get("/v1/search", params={"q": "xyzzy"}), "q"),
        (await client.put("/v1/labels/odd", json={"prompts": ["xyzzy"]}), "prompts"),
    ):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
        assert "xyzzy" not in answer.text
    assert (await client.get("/v1/search", params={"q": " "})).status_code == 422
    assert (await client.get("/v1/search")).status_code == 422


async def _label(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.put(f"/v1/labels/{name}", json={"prompts": ["angry"]})


async def test_a_label_is_described_found_and_deleted(engine: AsyncEngine, clients: Ask) -> None:
    client = await clients()
    assert (await client.get("/v1/labels/fed-up")).status_code == 404
    made = await _label(client, "fed-up")
    assert made.json() | {"created": ""} == {
        "name": "fed-up", "prompts": ["angry"], "created": "", "by": "a supervisor",
        "judged": {"holds": 0, "holds_not": 0}, "needed": FEWEST_JUDGED,
    }  # fmt: skip
    again = await client.put("/v1/labels/fed-up", json={"prompts": [" angry ", "calm"]})
    assert again.json() == made.json() | {"prompts": ["angry", "calm"]}
    await _label(client, "a-label")
    listed = (await client.get("/v1/labels")).json()["items"]
    assert [one["name"] for one in listed] == ["a-label", "fed-up"]
    assert (await client.get("/v1/labels/fed-up")).json() == again.json()
    assert (await client.delete("/v1/labels/fed-up")).status_code == 204
    assert (await client.delete("/v1/labels/fed-up")).status_code == 404
    viewer = await clients(Rank.VIEWER)
    for method, path, body in (
        ("PUT", "/v1/labels/a-label", {"prompts": ["angry"]}),
        ("DELETE", "/v1/labels/a-label", None),
        ("POST", "/v1/labels/a-label/judgements", _said(0, holds=True)),
    ):
        assert (await viewer.request(method, path, json=body)).status_code == 403


def _said(second: int, *, holds: bool) -> dict[str, Any]:
    return {"conversation": "c-1", "participant": "p-1", "start": at(second), "holds": holds}


async def test_a_label_is_an_order_until_enough_was_judged_then_a_probability(
    engine: AsyncEngine, clients: Ask
) -> None:
    client = await clients()
    cosines = [round(0.95 - 0.04 * n, 4) for n in range(FEWEST_JUDGED + 4)]
    await fill(engine, *cosines)
    await _label(client, "fed-up")

    async def found() -> dict[str, Any]:
        answer = await client.get("/v1/labels/fed-up/moments?limit=100&conversation=c-1")
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    for number in range(FEWEST_JUDGED):
        body = await found()
        assert body["calibration"] is None
        assert f"{number} of {FEWEST_JUDGED}" in body["missing"]
        assert {one["probability"] for one in body["items"]} == {None}
        said = await client.post(
            "/v1/labels/fed-up/judgements", json=_said(3 * number, holds=number < 10)
        )
        assert said.json()["needed"] == max(FEWEST_JUDGED - number - 1, int(number < 10))
    body = await found()
    assert body["missing"] is None
    assert body["calibration"]["judged"] == FEWEST_JUDGED
    assert body["calibration"]["informative"]
    shares = [one["probability"] for one in body["items"]]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.5 > shares[-1]
    judged = [one["judged"] for one in body["items"]]
    assert judged == [True] * 10 + [False] * 10 + [None] * 4
    assert body["label"]["judged"] == {"holds": 10, "holds_not": 10}


async def test_the_last_word_on_a_moment_stands(engine: AsyncEngine, clients: Ask) -> None:
    client = await clients()
    await fill(engine, 0.5)
    await _label(client, "fed-up")
    for holds in (True, False):
        said = await client.post("/v1/labels/fed-up/judgements", json=_said(0, holds=holds))
        assert said.json()["judged"] == {"holds": int(holds), "holds_not": int(not holds)}
    assert (
        await client.post("/v1/labels/fed-up/judgements", json=_said(1, holds=True))
    ).status_code == 404
    assert (
        await client.post("/v1/labels/other/judgements", json=_said(0, holds=True))
    ).status_code == 404
    odd = _said(0, holds=True) | {"start": "2025-13-01T00:00:00Z"}
    assert (await client.post("/v1/labels/fed-up/judgements", json=odd)).status_code == 422


async def test_what_was_shown_is_on_record_and_never_what_was_asked_for(
    engine: AsyncEngine, clients: Ask
) -> None:
    client = await clients()
    await fill(engine, 0.5)
    await client.get("/v1/search", params={"q": "angry about-his-divorce", "role": "customer"})
    await _label(client, "fed-up")
    await client.post("/v1/labels/fed-up/judgements", json=_said(0, holds=True))
    judged, _, looked = [one.entry for one in await list_recorded(engine, "acme", limit=3)]
    assert (looked.action, looked.conversation) == ("moment.search", None)
    assert looked.details == {"shown": ["c-1"]}
    assert (judged.action, judged.conversation) == ("label.judge", "c-1")
    assert judged.details == {"name": "fed-up", "participant": "p-1", "start": at(0)}


async def test_a_tenant_has_so_many_labels_and_no_more(
    engine: AsyncEngine, clients: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.serving.api.labels.MOST_LABELS", 1)
    client = await clients()
    assert (await _label(client, "one")).status_code == 200
    assert (await _label(client, "one")).status_code == 200
    answer = await _label(client, "two")
    assert (answer.status_code, "at most 1" in answer.json()["detail"]) == (409, True)


def test_needed_counts_what_both_kinds_lack() -> None:
    def label(holds: int, holds_not: int) -> OwnLabel:
        return OwnLabel(
            name="x", prompts=(), created_ns=0, created_by="", holds=holds, holds_not=holds_not
        )

    assert needed(label(0, 0)) == FEWEST_JUDGED
    assert needed(label(FEWEST_JUDGED, 0)) == 1
    assert needed(label(FEWEST_JUDGED - 1, 0)) == 1
    assert needed(label(FEWEST_JUDGED, 1)) == 0
