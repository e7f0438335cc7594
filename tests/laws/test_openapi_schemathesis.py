"""Whatever is sent to any route of the document: no crash, and nothing that it does not say."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.upgrade import upgrade
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from tests.calls import MIDNIGHT_NS, MINUTE_NS, Call, store_calls

EXAMPLES = 25
"""Of each route, right and wrong ones."""
KNOWN = {"conversation": ["c-0", "c-1", "c-2"]}
"""Ids that are there, so that more than 404 is seen."""
CHECKS: list[Callable[..., Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def endless(operation: Any) -> bool:
    """Streams are tested where they can be ended."""
    responses = operation.definition.raw["responses"]
    return any("text/event-stream" in one.get("content", {}) for one in responses.values())


@pytest.mark.slow
def test_every_route_answers_as_documented(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
        app = build_api(engine, MemoryCache(), everyone("acme")).app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://api")

        async def prepare() -> None:
            await upgrade(engine)
            calls = [
                Call(
                    queue=("billing", "sales")[n % 2],
                    values=(n / 10, None, 0.5),
                    start_ns=MIDNIGHT_NS + n * MINUTE_NS,
                    agents=("ann",),
                )
                for n in range(9)
            ]
            await store_calls(engine, calls)

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
            schema = from_dict(app.openapi())
            routes = [found.ok() for found in schema.get_all_operations()]
            routes = [route for route in routes if not endless(route)]
            assert len(routes) >= 8
            seen: set[int] = set()
            for route in routes:
                seen |= check(route, lambda case: runner.run(send(case)))
            assert {200, 404, 422} <= seen
        finally:
            runner.run(client.aclose())
            runner.run(engine.dispose())


def check(route: Any, send: Callable[[Case], httpx.Response]) -> set[int]:
    """Send right and wrong requests to one route; gives the statuses that came back."""
    seen: set[int] = set()
    cases = route.as_strategy(generation_mode=GenerationMode.POSITIVE) | route.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )
    names = [one.name for one in route.path_parameters]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, st.data())
    def one(case: Case, data: st.DataObject) -> None:
        for name in names:
            if name in KNOWN and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        response = send(case)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    one()
    return seen
