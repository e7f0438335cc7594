"""Whatever is sent to any route of the document: no crash, and nothing that it does not say."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import parse_time
from inference.units import MINUTE_NS
from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.erasure import Eraser
from storage.moment_search import MomentSearch
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.finder import Finder
from tests.calls import MIDNIGHT_NS, Call, store_calls
from tests.moments import SPACE, FakeSpace, noise, searchable
from tests.scores import distressed
from tests.unit.test_cross_tenant import ALERT, DIGESTS, OUTBOX, THEIRS, fill

EXAMPLES = 15
"""Of each route, of right ones and of wrong ones."""
KNOWN = {
    "conversation": ["c-1", "zebra-call"],
    "alert": [ALERT],
    "name": ["zebra-rule", "sustained-distress"],
    "key": ["zebra-key"],
    "message": [OUTBOX],
    "sink": ["webhook:zebra"],
}
"""Ids that are there, so that more than 404 is seen."""
CHANGES = ("POST", "PUT", "DELETE")
CHECKS: list[Callable[..., Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


async def store_example(engine: AsyncEngine) -> None:
    """The moment that the document's example of a judgement is about."""
    at_ns = parse_time("2026-11-23T10:00:03Z")
    score = replace(distressed(0, conversation="c-42", start_ns=at_ns), tenant=THEIRS)
    assert not (await ResultStore(engine).commit([searchable([score], [noise(1)])])).failed


def endless(operation: Any) -> bool:
    """Streams are tested where they can be ended."""
    responses = operation.definition.raw["responses"]
    return any("text/event-stream" in one.get("content", {}) for one in responses.values())


def without_credentials(document: dict[str, Any]) -> dict[str, Any]:
    """`document`, for somebody who is let in anyway: who is not stands in other tests."""
    known = copy.deepcopy(document)
    for item in known["paths"].values():
        for operation in item.values():
            operation.pop("security")
    del known["components"]["securitySchemes"]
    return known


@pytest.mark.slow
def test_every_route_answers_as_documented(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
        eraser = Eraser(engine, digests=DIGESTS)
        finder = Finder(FakeSpace(), MomentSearch(engine, SPACE))
        api = build_api(engine, MemoryCache(), everyone(THEIRS), eraser=eraser, finder=finder)
        app = api.app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://api")

        async def prepare() -> None:
            await upgrade(engine)
            await fill(engine)
            calls = [
                Call(
                    tenant=THEIRS,
                    queue=("billing", "sales")[n % 2],
                    values=(n / 10, None, 0.5),
                    start_ns=MIDNIGHT_NS + n * MINUTE_NS,
                    agents=("ann",),
                )
                for n in range(9)
            ]
            await store_calls(engine, calls, "call")
            await store_example(engine)

        async def send(case: Case) -> httpx.Response:
            asked = case.as_transport_kwargs(base_url="http://api")
            request = client.build_request(
                asked["method"],
                asked["url"],
                params=asked.get("params"),
                headers=asked.get("headers"),
                cookies=asked.get("cookies"),
                json=asked.get("json"),
                content=asked.get("data"),
            )
            return await client.send(request)

        try:
            runner.run(prepare())
            schema = from_dict(without_credentials(app.openapi()))
            routes = [found.ok() for found in schema.get_all_operations()]
            routes = [route for route in routes if not endless(route)]
            routes.sort(key=lambda route: route.method.upper() in CHANGES)  # look, then change
            assert {route.method.upper() for route in routes} == {"GET", *CHANGES}
            wrong = {}
            for route in routes:
                try:
                    seen = check(route, lambda case: runner.run(send(case)))
                    assert any(status < 400 for status in seen), f"only {seen}"
                except (AssertionError, FailureGroup) as exc:
                    wrong[route.label] = str(exc)
            assert not wrong, "\n\n".join(f"{label}: {said}" for label, said in wrong.items())
        finally:
            runner.run(client.aclose())
            runner.run(engine.dispose())


def check(route: Any, send: Callable[[Case], httpx.Response]) -> set[int]:
    """Send right and wrong requests to one route; gives the statuses that came back."""
    seen: set[int] = set()
    body = route.definition.raw.get("requestBody", {}).get("content", {})
    example = body.get("application/json", {}).get("example")
    names = [one.name for one in route.path_parameters]
    untouched = settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )

    def judge(case: Case) -> None:
        response = send(case)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    @untouched
    @given(route.as_strategy(generation_mode=GenerationMode.POSITIVE), st.data())
    def right(case: Case, data: st.DataObject) -> None:
        for name in names:
            if data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        if example is not None and not data.draw(st.integers(0, 3)):
            case.body = copy.deepcopy(example)
        judge(case)

    @untouched
    @given(route.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def wrong(case: Case) -> None:
        judge(case)

    right()
    if accepts_anything(route):
        return seen
    wrong()
    return seen


def accepts_anything(route: Any) -> bool:
    """Whether there is nothing in a request that could be wrong."""
    raw = route.definition.raw
    return not raw.get("parameters") and "requestBody" not in raw
