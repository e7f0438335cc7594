"""Exports and ETags over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import from_json
from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.results import ResultStore
from storage.scores import read_scores
from storage.timeline import read_extent
from storage.upgrade import upgrade
from storage.values import ConversationKey
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.exports import parquet, source
from streams.serving.exports.formats import WRITTEN, Format
from tests.scores import SECOND_NS, START_NS, batch, distressed

EXPORT = "/v1/conversations/c-1/export"
KEY = ConversationKey("acme", "c-1")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await upgrade(engine)
    store = ResultStore(engine)
    for participant in ("p-1", "p-2"):
        scores = [distressed(at, participant=participant) for at in range(7)]
        assert not (await store.commit([batch(scores, None)])).failed
    yield engine
    await engine.dispose()


def client_of(engine: AsyncEngine, tenant: str = "acme") -> httpx.AsyncClient:
    app = build_api(engine, MemoryCache(), everyone(tenant)).app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


@pytest.mark.parametrize("form", Format)
async def test_a_file_has_a_name_a_type_and_something_in_it(
    form: Format, client: httpx.AsyncClient
) -> None:
    response = await client.get(EXPORT, params={"format": form.value})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == WRITTEN[form].media_type
    named = f'attachment; filename="c-1.{WRITTEN[form].suffix}"'
    assert response.headers["content-disposition"] == named
    assert len(response.content) > 100


async def test_pages_come_one_after_the_other_and_none_is_left_out(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    stored = await read_scores(engine, KEY, "live")
    lines = (await client.get(EXPORT)).content.splitlines()
    assert [from_json(line) for line in lines] == stored
    pages = [page async for page in source.pages(engine, KEY, "live", 3)]
    assert len(pages) == 7
    assert [score for page in pages for score in page] == stored


async def test_a_long_call_is_whole(engine: AsyncEngine, client: httpx.AsyncClient) -> None:
    scores = [distressed(at, conversation="c-2") for at in range(source.PAGE + 3)]
    assert not (await ResultStore(engine).commit([batch(scores, None)])).failed
    lines = (await client.get("/v1/conversations/c-2/export")).content.splitlines()
    assert [from_json(line) for line in lines] == scores


async def test_another_run_is_another_file(client: httpx.AsyncClient) -> None:
    response = await client.get(EXPORT, params={"run": "again"})
    assert response.content == b""
    assert 'filename="c-1.again.jsonl"' in response.headers["content-disposition"]


async def test_nobody_exports_what_is_not_theirs(engine: AsyncEngine) -> None:
    async with client_of(engine, "other") as client:
        response = await client.get(EXPORT)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_without_pyarrow_parquet_is_a_problem_that_says_what_to_install(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    response = await client.get(EXPORT, params={"format": "parquet"})
    assert response.status_code == 501
    assert parquet.EXTRA in response.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/conversations",
        "/v1/conversations/c-1",
        "/v1/conversations/c-1/scores",
        "/v1/conversations/c-1/scores?resolution=1m",
        EXPORT,
    ],
)
async def test_what_did_not_change_is_not_sent_again(
    path: str, engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    first = await client.get(path)
    etag = first.headers["etag"]
    assert etag.startswith('W/"')
    for held in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": held})
        assert (again.status_code, again.content) == (304, b""), held
        assert again.headers["etag"] == etag
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    progress = batch([distressed(6)], None).progress
    stored = await ResultStore(engine).commit([batch([distressed(7)], progress)])
    assert not stored.rejected
    changed = await client.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_a_conversation_that_ends_has_another_etag(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    etag = (await client.get(EXPORT)).headers["etag"]
    facts = batch([distressed(0)], None).conversation
    await ResultStore(engine).end_conversation(facts, START_NS + 60 * SECOND_NS)
    assert (await client.get(EXPORT, headers={"If-None-Match": etag})).status_code == 200


async def test_the_extent_of_what_is_not_there(engine: AsyncEngine) -> None:
    assert await read_extent(engine, ConversationKey("acme", "c-2"), "live") is None
    extent = await read_extent(engine, KEY, "again")
    assert extent is not None
    assert (extent.windows, extent.closed_until_ns, extent.started_ns) == (0, 0, START_NS)
