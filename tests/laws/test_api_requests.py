"""Whatever is asked, the API answers with what its document says, and never with a crash."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.conversations import PlaceCursor
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.service import build_api
from tests.scores import batch, distressed

HUGE = 2**63
ANY = st.text(max_size=20)
NUMBERS = st.integers(-2, HUGE) | st.floats()
WILD = st.integers(-2 * HUGE, 2 * HUGE)
TIMES = st.sampled_from(
    ["2025-11-24T16:00:02Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]
)
LIST = {
    "state": st.sampled_from(["live", "ended"]),
    "queue": st.sampled_from(["billing", "sales"]),
    "min_distress": st.floats(0, 1),
    "cursor": st.builds(to_cursor, st.builds(PlaceCursor, WILD, st.just("c-1"))),
    "limit": st.integers(1, 200),
}
SCORES = {
    "participant": st.sampled_from(["p-1", "p-2"]),
    "from": TIMES,
    "to": TIMES,
    "resolution": st.sampled_from(["raw", "10s", "1m"]),
    "run": st.sampled_from(["live", "again"]),
    "cursor": st.builds(to_cursor, WILD),
    "limit": st.integers(1, 5_000),
}
ROUTES = {"/v1/conversations": LIST, "/v1/conversations/{conversation}/scores": SCORES}


@st.composite
def queries(draw: st.DrawFn, route: str) -> dict[str, Any]:
    """Parameters that are right, but for one that may be anything."""
    query = draw(st.fixed_dictionaries({}, optional=ROUTES[route]))
    if draw(st.integers(0, 3)) == 3:
        query[draw(st.sampled_from(sorted(ROUTES[route])))] = draw(ANY | NUMBERS)
    return query


IDS = st.sampled_from(["c-1", "c-1", "c-1", "c-2"]) | st.text(min_size=1, max_size=10)


def test_every_answer_is_documented(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
        app = build_api(engine, MemoryCache(), everyone("acme")).app
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        client = httpx.AsyncClient(transport=transport, base_url="http://api")

        async def prepare() -> dict[str, Any]:
            await upgrade(engine)
            await ResultStore(engine).commit([batch([distressed(n) for n in range(5)], None)])
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            return document

        document = runner.run(prepare())
        components = {"components": document["components"]}

        @settings(max_examples=300, deadline=None)
        @given(st.sampled_from(sorted(ROUTES)), IDS, st.data())
        def check(route: str, conversation: str, data: st.DataObject) -> None:
            query = data.draw(queries(route))
            path = route.replace("{conversation}", quote(conversation, safe=""))
            response = runner.run(client.get(path, params=query))
            status = str(response.status_code)
            described = document["paths"][route]["get"]["responses"]
            assert status in described
            [(media, body)] = described[status]["content"].items()
            assert response.headers["content-type"] == media
            errors = Draft202012Validator(components | body["schema"]).iter_errors(response.json())
            assert list(errors) == []

        try:
            check()
        finally:
            runner.run(client.aclose())
            runner.run(engine.dispose())


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_says_what_was_put_into_it(place: int) -> None:
    assert from_cursor(to_cursor(place), int) == place
