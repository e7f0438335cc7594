"""Decisions, consents and erasures over HTTP, on a real SQLite file."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Modality
from storage.conversations import read_queue
from storage.digests import Digests
from storage.erasure import Eraser
from storage.feed import StoredFeed
from storage.results import ResultStore
from storage.values import ConsentChange, ConversationKey, PolicyNews, Ruling
from storage.withdrawal import PolicyStore
from streams.serving.access.caller import everyone
from streams.serving.api.app import create_app
from streams.serving.api.cursors import to_cursor
from streams.serving.live import LiveFeed
from tests.scores import SECOND_NS, START_NS, batch, distressed
from tests.unit.test_api_http import items

KEY = ConversationKey("acme", "c-1")


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "acme") as client:
        yield client


def client_of(engine: AsyncEngine, tenant: str, secret: str = "key") -> httpx.AsyncClient:
    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    app = create_app(
        engine=engine,
        authenticate=everyone(tenant),
        feed=LiveFeed(StoredFeed(engine), queue_of),
        eraser=Eraser(engine, digests=Digests(secret)),
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    )


async def decide(engine: AsyncEngine, conversation: str = "c-1") -> None:
    """A customer whose voice was allowed until they withdrew, and an agent."""
    said = ConsentChange(participant="p-1", at_ns=START_NS + SECOND_NS, consent="no")
    facts = {"role": "customer", "region": "de", "purpose": "service", "notice": "yes"}
    rulings = [
        Ruling(
            participant=participant,
            modality=Modality.SPEECH,
            at_ns=at_ns,
            allowed=allowed,
            reason="AI Act, Art. 50(3)",
            profile="eu",
            facts=facts | {"consent": None if allowed else "no"},
        )
        for participant, at_ns, allowed in (
            ("a-1", START_NS, False),
            ("p-1", START_NS, True),
            ("p-1", START_NS + SECOND_NS, False),
        )
    ]
    await PolicyStore(engine).record(
        PolicyNews(
            key=ConversationKey("acme", conversation),
            run="live",
            rulings=tuple(rulings),
            consents=(said,),
            passed={},
            events=1,
        )
    )


async def test_a_call_without_any_score_shows_why(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await decide(engine)
    found = await items(client, "/v1/conversations/c-1/decisions")
    assert [(one["participant"], one["allowed"]) for one in found] == [
        ("a-1", False),
        ("p-1", True),
        ("p-1", False),
    ]
    assert found[2] == {
        "conversation": "c-1",
        "participant": "p-1",
        "modality": "speech",
        "at": "2025-11-24T16:00:01Z",
        "allowed": False,
        "reason": "AI Act, Art. 50(3)",
        "profile": "eu",
        "facts": {
            "role": "customer",
            "region": "de",
            "purpose": "service",
            "notice": "yes",
            "consent": "no",
        },
    }
    assert (await client.get("/v1/conversations/c-2/decisions")).status_code == 404
    await ResultStore(engine).commit([batch([distressed(0, conversation="c-2")], None)])
    assert await items(client, "/v1/conversations/c-2/decisions") == []


async def test_a_conversation_shows_the_newest_decision_of_each(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await decide(engine)
    await ResultStore(engine).end_conversation(batch([distressed(0)], None).conversation, START_NS)
    body = (await client.get("/v1/conversations/c-1")).json()
    assert [(one["participant"], one["at"], one["allowed"]) for one in body["decisions"]] == [
        ("a-1", "2025-11-24T16:00:00Z", False),
        ("p-1", "2025-11-24T16:00:01Z", False),
    ]


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_decisions_are_paged_and_filtered(
    engine: AsyncEngine, client: httpx.AsyncClient, limit: int
) -> None:
    for conversation in ("c-1", "c-2"):
        await decide(engine, conversation)

    async def found(**query: Any) -> list[str]:
        answered = await items(client, "/v1/decisions", limit=limit, **query)
        return [f"{one['conversation']} {one['participant']}" for one in answered]

    newest = ["c-1 p-1", "c-2 p-1"]
    assert await found() == [*newest, "c-1 a-1", "c-1 p-1", "c-2 a-1", "c-2 p-1"]
    assert await found(allowed=True) == newest
    assert await found(**{"from": "2025-11-24T16:00:01Z"}) == newest
    assert await found(to="2025-11-24T16:00:01Z", allowed=False) == ["c-1 a-1", "c-2 a-1"]


@pytest.mark.parametrize("limit", [1, 200])
async def test_consents_are_paged(
    engine: AsyncEngine, client: httpx.AsyncClient, limit: int
) -> None:
    await ResultStore(engine).commit([batch([distressed(n) for n in range(3)], None)])
    for conversation in ("c-1", "c-2"):
        await decide(engine, conversation)
    found = await items(client, "/v1/consents", limit=limit)
    assert found == [
        {
            "conversation": conversation,
            "participant": "p-1",
            "at": "2025-11-24T16:00:01Z",
            "consent": "no",
            "notice": None,
            "deleted_windows": deleted,
        }
        for conversation, deleted in (("c-1", 3), ("c-2", 0))
    ]
    assert len(await items(client, "/v1/consents", conversation="c-2")) == 1


@pytest.mark.parametrize("limit", [1, 200])
async def test_an_erasure_answers_with_a_receipt_that_is_kept(
    engine: AsyncEngine, client: httpx.AsyncClient, limit: int
) -> None:
    await ResultStore(engine).commit([batch([distressed(n) for n in range(3)], None)])
    receipts = []
    for conversation in ("c-1", "unheard"):
        response = await client.post("/v1/erasures", json={"conversation": conversation})
        assert response.status_code == 201
        receipts.append(response.json())
    assert receipts[0]["rows"]["window_scores"] == 3
    assert (receipts[0]["kind"], receipts[0]["by"]) == ("conversation", "local")
    assert receipts[1]["rows"] == {}
    assert (await client.get("/v1/conversations/c-1")).status_code == 404
    kept = await items(client, "/v1/erasures", limit=limit)
    assert sorted(kept, key=lambda one: str(one["at"])) == receipts


async def test_the_conversations_of_a_subject_go_together(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    response = await client.post("/v1/erasures", json={"subject": "customer-77"})
    assert response.status_code == 201
    assert (response.json()["kind"], response.json()["conversations"]) == ("subject", 0)
    async with client_of(engine, "acme", secret="") as without:
        response = await without.post("/v1/erasures", json={"subject": "customer-77"})
    assert response.status_code == 409
    assert "AFFECTSTREAM_SECRET" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"conversation": "c-1", "subject": "x"},
        {"conversation": "a/b"},
        {"subject": ""},
        {"subject": "a\0b"},
        {"conversation": 1},
        {"conversation": "c-1", "why": "x"},
        [],
    ],
)
async def test_an_erasure_that_names_nothing_or_too_much_is_refused(
    client: httpx.AsyncClient, body: Any
) -> None:
    response = await client.post("/v1/erasures", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_another_tenant_sees_and_erases_nothing(engine: AsyncEngine) -> None:
    await decide(engine)
    await ResultStore(engine).commit([batch([distressed(0)], None)])
    async with client_of(engine, "globex") as other:
        for path in ("decisions", "consents", "erasures"):
            assert await items(other, f"/v1/{path}") == []
        assert (await other.get("/v1/conversations/c-1/decisions")).status_code == 404
        receipt = (await other.post("/v1/erasures", json={"conversation": "c-1"})).json()
        assert receipt["rows"] == {}
    async with client_of(engine, "acme") as ours:
        assert (await ours.get("/v1/conversations/c-1")).status_code == 200


@pytest.mark.parametrize("path", ["decisions", "consents", "erasures"])
async def test_a_cursor_of_something_else_is_refused(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(f"/v1/{path}", params={"cursor": to_cursor(["x"])})
    assert response.status_code == 422
