"""The HTTP API over a real SQLite file: lists, timelines, problems, health."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.errors import AffectstreamError
from inference.score import WindowScore
from storage.conversations import read_queue
from storage.engine import open_engine
from storage.feed import StoredFeed
from storage.results import ResultStore
from storage.values import ConversationKey, Utterance
from streams.serving.access.caller import everyone
from streams.serving.api.app import create_app
from streams.serving.api.cursors import to_cursor
from streams.serving.api.health import Check
from streams.serving.live import LiveFeed
from tests.scores import SECOND_NS, START_NS, batch, distressed

PROBLEM = "application/problem+json"
Fetch = Callable[..., Any]


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


def client_of(engine: AsyncEngine, *checks: Check) -> httpx.AsyncClient:
    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    feed = LiveFeed(StoredFeed(engine), queue_of)
    app = create_app(engine=engine, authenticate=everyone("acme"), feed=feed, checks=checks)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    )


async def store(engine: AsyncEngine, scores: Sequence[WindowScore], queue: str = "billing") -> None:
    result = await ResultStore(engine).commit([batch(scores, None, queue=queue)])
    assert not result.rejected
    assert not result.failed


async def items(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every page, one after the other."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        response = await client.get(path, params=query | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        body = response.json()
        found += body["items"]
        cursor = body["next"]
        if cursor is None:
            return found


async def test_a_list_shows_how_everybody_reads_now(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store(engine, [distressed(n, 0.1 * n) for n in range(9)])
    [call] = await items(client, "/v1/conversations")
    newest = distressed(8, 0.8)
    assert (call["id"], call["queue"], call["state"], call["ended"]) == (
        "c-1", "billing", "live", None,
    )  # fmt: skip
    assert call["distress"] == 0.8
    [participant] = call["participants"]
    assert participant["latest"] == as_json(newest)
    assert participant["distress"]["smoothed"] == 0.8


async def test_distress_stands_for_thirty_seconds_of_silence(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    for conversation, silent_s in (("c-short", 30), ("c-long", 31)):
        scores = [
            distressed(0, 0.9, conversation=conversation),
            silence(distressed(silent_s, conversation=conversation)),
        ]
        await store(engine, scores)
    calls = {call["id"]: call for call in await items(client, "/v1/conversations")}
    assert calls["c-short"]["distress"] == 0.9
    assert calls["c-long"]["distress"] is None
    assert calls["c-long"]["participants"][0]["latest"]["distress"] is None
    above = await items(client, "/v1/conversations", min_distress=0.5)
    assert [call["id"] for call in above] == ["c-short"]


async def test_a_list_is_filtered_and_paged_newest_first(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    for n in range(7):
        begin_ns = START_NS + (n // 2) * SECOND_NS
        scores = [distressed(0, n / 10, conversation=f"c-{n}", start_ns=begin_ns)]
        await store(engine, scores, queue="sales" if n % 2 else "billing")
    facts = batch([distressed(0, conversation="c-3")], None).conversation
    await ResultStore(engine).end_conversation(facts, START_NS + 60 * SECOND_NS)

    async def ids(**query: Any) -> list[str]:
        return [call["id"] for call in await items(client, "/v1/conversations", **query)]

    assert await ids(limit=2) == ["c-6", "c-4", "c-5", "c-2", "c-3", "c-0", "c-1"]
    assert await ids(queue="sales") == ["c-5", "c-3", "c-1"]
    assert await ids(state="ended") == ["c-3"]
    assert await ids(state="live", queue="sales", min_distress=0.4) == ["c-5"]
    assert await ids(queue="nowhere") == []


async def test_one_conversation_comes_with_counts(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store(engine, [distressed(0), distressed(1), silence(distressed(2))])
    body = (await client.get("/v1/conversations/c-1")).json()
    assert body["counts"] == {"p-1": {"windows": 3, "scored": 2, "abstained": 1, "partial": 0}}
    assert body["started"] == "2025-11-24T16:00:00Z"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 5_000])
async def test_raw_pages_hold_every_window_once(
    engine: AsyncEngine, client: httpx.AsyncClient, limit: int
) -> None:
    scores = [
        distressed(n, 0.5, participant=participant) for n in range(5) for participant in ("a", "b")
    ]
    for participant in ("a", "b"):
        await store(engine, [score for score in scores if score.participant == participant])
    found = await items(client, "/v1/conversations/c-1/scores", limit=limit)
    assert found == [as_json(score) for score in scores]


async def test_a_timeline_is_cut_by_participant_time_and_run(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store(engine, [distressed(n) for n in range(4)])
    await store(engine, [distressed(n, run="again") for n in range(2)])
    path = "/v1/conversations/c-1/scores"
    assert len(await items(client, path, participant="p-2")) == 0
    assert len(await items(client, path, run="again")) == 2
    within = {"from": "2025-11-24T16:00:01Z", "to": "2025-11-24T17:00:03+01:00"}
    assert [score["start"][17:] for score in await items(client, path, **within)] == ["01Z", "02Z"]
    far = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T00:00:00Z"}
    assert len(await items(client, path, **far)) == 4


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(("resolution", "width"), [("10s", 10), ("1m", 60)])
async def test_buckets_are_means_of_their_windows(
    engine: AsyncEngine, client: httpx.AsyncClient, resolution: str, width: int, limit: int
) -> None:
    loud = {
        participant: [
            msgspec.structs.replace(
                distressed(n, n % 10 / 10, participant=participant), change=4 * (n % 10) / 10
            )
            for n in range(0, 120, 3 if participant == "a" else 5)
        ]
        for participant in ("a", "b")
    }
    for scores in loud.values():
        await store(engine, [*scores, silence(distressed(120, participant=scores[0].participant))])
    found = await items(client, "/v1/conversations/c-1/scores", resolution=resolution, limit=limit)
    assert len(found) == 2 * (120 // width + 1)
    for bucket in found[:-2]:
        begin = found.index(bucket) // 2 * width * SECOND_NS + START_NS
        inside = [
            score.distress.probability
            for score in loud[bucket["participant"]]
            if begin <= score.start_ns < begin + width * SECOND_NS and score.distress
        ]
        assert bucket["windows"] == bucket["scored"] == len(inside)
        assert bucket["distress"]["mean"] == pytest.approx(sum(inside) / len(inside), abs=1e-4)
        assert bucket["distress"]["max"] == max(inside)
        assert bucket["emotions"]["anger"] == bucket["distress"]["mean"]
        assert bucket["weights"] == {"speech": 1.0}
        assert bucket["change"] == pytest.approx(4 * bucket["distress"]["mean"], abs=1e-3)
    assert [bucket["scored"] for bucket in found[-2:]] == [0, 0]
    assert found[-1]["distress"] is None
    assert found[-1]["emotions"] is None
    assert found[-1]["change"] is None


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/conversations/c-9", 404, "No conversation"),
        ("/v1/conversations/c-9/scores", 404, "No conversation"),
        ("/v1/nothing", 404, "Not Found"),
        ("/v1/conversations?limit=0", 422, "limit:"),
        ("/v1/conversations?min_distress=nan", 422, "min_distress:"),
        ("/v1/conversations?state=both", 422, "state:"),
        ("/v1/conversations?queue=%00", 422, "queue:"),
        ("/v1/conversations?cursor=abc", 422, "cursor:"),
        ("/v1/conversations?cursor=%C3%A9", 422, "cursor:"),
        ("/v1/conversations/c-9/scores?from=yesterday", 422, "from:"),
        ("/v1/conversations/c-9/scores?from=2025-11-24T16:00:00", 422, "from:"),
        ("/v1/conversations/c%2F9", 404, ""),
        ("/v1/conversations/c%209", 422, "conversation:"),
    ],
)
async def test_errors_are_problems_that_name_the_field(
    client: httpx.AsyncClient, path: str, status: int, says: str
) -> None:
    response = await client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].startswith(says)


@pytest.mark.parametrize("started_ns", [2**63, -(2**63) - 1, 2**70, "x", None])
async def test_a_cursor_that_no_page_gave_is_refused(
    client: httpx.AsyncClient, started_ns: object
) -> None:
    cursor = to_cursor({"started_ns": started_ns, "conversation": "c-1"})
    response = await client.get("/v1/conversations", params={"cursor": cursor})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("cursor:")


async def test_a_wrong_method_is_a_problem_too(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/conversations")
    assert response.status_code == 405
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["allow"] == "GET"


async def test_a_database_that_is_away_is_503_and_not_ready() -> None:
    engine = open_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")

    async def ask() -> None:
        await read_queue(engine, ConversationKey("acme", "c-1"))

    async with client_of(engine, Check("database", ask)) as client:
        response = await client.get("/v1/conversations")
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    await engine.dispose()
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.headers["content-type"] == PROBLEM
    assert ready.status_code == 503
    assert ready.json()["detail"] == "database: StoreUnavailableError; see the log"
    assert "127.0.0.1" not in ready.text
    assert alive.json() == {"status": "alive"}


async def test_a_failure_inside_is_a_problem_without_its_details(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    async with client_of(engine) as client:
        response = await client.get("/v1/conversations")
    await engine.dispose()
    assert response.status_code == 500
    assert response.headers["content-type"] == PROBLEM
    assert "table" not in response.text


@pytest.mark.parametrize(
    "error", [AffectstreamError("db.internal"), OSError("db.internal"), KeyError("db.internal")]
)
async def test_readiness_names_each_check_and_no_stranger_reads_more(
    error: Exception, engine: AsyncEngine
) -> None:
    async def fine() -> None:
        return

    async def broken() -> None:
        raise error

    async with client_of(engine, Check("cache", fine)) as client:
        assert (await client.get("/readyz")).json() == {
            "status": "ready",
            "checks": [{"name": "cache", "ok": True, "reason": None}],
        }
    async with client_of(engine, Check("cache", fine), Check("worker", broken)) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["detail"] == f"worker: {type(error).__name__}; see the log"
    assert "db.internal" not in response.text


async def test_metrics_count_by_route_never_by_id(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await client.get("/v1/conversations/c-secret")
    await client.get("/nothing-here")
    text = (await client.get("/metrics")).text
    assert 'route="/v1/conversations/{conversation}",status="404"' in text
    assert "c-secret" not in text
    assert "nothing-here" not in text


async def test_a_transcript_is_empty_unless_words_are_kept(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await store(engine, [distressed(0)])
    assert await items(client, "/v1/conversations/c-1/transcript") == []
    words = [
        Utterance(
            participant="p-2",
            segment=f"s-{number}",
            start_ns=START_NS,
            end_ns=START_NS + number * SECOND_NS,
            text="well",
            language="en",
        )
        for number in range(1, 4)
    ]
    kept = replace(batch([distressed(0, participant="p-2")], None), words=tuple(words))
    await ResultStore(engine).commit([kept])
    found = await items(client, "/v1/conversations/c-1/transcript", limit=2)
    assert [one["segment"] for one in found] == ["s-1", "s-2", "s-3"]
    assert found[0] == {
        "participant": "p-2", "segment": "s-1", "start": "2025-11-24T16:00:00Z",
        "end": "2025-11-24T16:00:01Z", "text": "well", "language": "en", "confidence": None,
    }  # fmt: skip
    assert (await client.get("/v1/conversations/none/transcript")).status_code == 404


async def test_another_tenant_is_not_shown(engine: AsyncEngine, client: httpx.AsyncClient) -> None:
    [score] = [msgspec.structs.replace(distressed(0, conversation="c-other"), tenant="rival")]
    await store(engine, [score])
    assert await items(client, "/v1/conversations") == []
    assert (await client.get("/v1/conversations/c-other")).status_code == 404
    assert (await client.get("/v1/conversations/c-other/scores")).status_code == 404


async def test_the_document_describes_what_is_sent(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    """Every answer of a route validates against its schema in the OpenAPI document."""
    await store(engine, [distressed(0), silence(distressed(1))])
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    schemas = {"components": document["components"]}
    for path, name in (
        ("/v1/conversations", "ConversationPage"),
        ("/v1/conversations/c-1", "ConversationDetail"),
        ("/v1/conversations/c-1/scores", "ScorePage"),
        ("/v1/conversations/c-1/scores?resolution=10s", "BucketPage"),
    ):
        body = (await client.get(path)).json()
        schema = schemas | {"$ref": f"#/components/schemas/{name}"}
        assert list(Draft202012Validator(schema).iter_errors(body)) == []
    problem = document["paths"]["/v1/conversations/{conversation}"]["get"]["responses"]["404"]
    assert list(problem["content"]) == [PROBLEM]
    body = (await client.get("/v1/conversations/none")).json()
    assert Draft202012Validator(problem["content"][PROBLEM]["schema"]).is_valid(body)


def silence(score: WindowScore) -> WindowScore:
    """The same window with nothing to read in it."""
    return msgspec.structs.replace(
        score,
        emotions=None,
        distress=None,
        arousal=None,
        valence=None,
        decision=msgspec.structs.replace(score.decision, label=None, set=(), abstained=True),
        modalities={
            modality: msgspec.structs.replace(report, present=False, weight=None, quality=None)
            for modality, report in score.modalities.items()
        },
        evidence=(),
    )


def as_json(score: WindowScore) -> Any:
    return msgspec.json.decode(to_json(score))
