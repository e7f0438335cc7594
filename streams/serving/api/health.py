"""What a platform asks: is the process alive, is it ready, how is it doing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from streams.serving.api.bodies_platform import AliveBody, Outcome, ReadyBody
from streams.serving.api.schemas import answers
from streams.serving.problems import documented, problem
from streams.telemetry import logger

CHECK_TIMEOUT_S: Final = 2.0
_log = logger("api")
_METRICS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Prometheus text format.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must work before traffic makes sense.

    Attributes:
        name: what is checked: `database`, `cache`, `worker`.
        probe: returns when all is well, else raises. More than `CHECK_TIMEOUT_S` counts as
            a failure.
    """

    name: str
    probe: Callable[[], Awaitable[None]]


async def examine(check: Check, timeout_s: float = CHECK_TIMEOUT_S) -> Outcome:
    """Run one check; its failure is an outcome, not an error.

    Strangers may ask, so the outcome names the kind of the error only: texts of drivers hold
    hosts and users. The text is in the log.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await check.probe()
    except TimeoutError:
        return Outcome(check.name, ok=False, reason=f"no answer within {timeout_s:g} s")
    except Exception as exc:  # noqa: BLE001 - whatever a check raises, it is not ready
        kind = type(exc).__name__
        _log.warning("check_failed", check=check.name, error=kind, detail=str(exc))
        return Outcome(check.name, ok=False, reason=f"{kind}; see the log")
    return Outcome(check.name, ok=True)


Refresh = Callable[[], Awaitable[None]]
"""Asks something that takes a while, for the metrics. Where it raises, they are left out."""


def router(
    checks: Sequence[Check], registry: CollectorRegistry, refreshes: Sequence[Refresh] = ()
) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`.

    Args:
        checks: asked by `/readyz`, and shown by `/metrics` as `affectstream_check_up`.
        registry: what `/metrics` shows.
        refreshes: awaited by `/metrics` before it answers.
    """
    routes = APIRouter(tags=["platform"])
    up = Gauge("affectstream_check_up", "0 where a check fails.", ["check"], registry=registry)

    @routes.get("/healthz", responses=answers(AliveBody))
    async def alive() -> Response:
        """The process answers: nothing more."""
        return Response(msgspec.json.encode(AliveBody()), media_type="application/json")

    @routes.get("/readyz", responses=answers(ReadyBody) | documented(503))
    async def ready(request: Request) -> Response:
        """Every dependency answers; 503 names those that do not."""
        outcomes = await asyncio.gather(*(examine(check) for check in checks))
        failed = [outcome for outcome in outcomes if not outcome.ok]
        if failed:
            detail = "; ".join(f"{outcome.name}: {outcome.reason}" for outcome in failed)
            extra = {"checks": msgspec.to_builtins(outcomes)}
            return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, extra)
        body = msgspec.json.encode(ReadyBody(checks=tuple(outcomes)))
        return Response(body, media_type="application/json")

    @routes.get("/metrics", response_class=Response, responses=_METRICS)
    async def metrics() -> Response:
        """Prometheus text format."""
        asked = asyncio.gather(*(examine(check) for check in checks))
        refreshed = (examine(Check("refresh", refresh)) for refresh in refreshes)
        # whatever fails here must not take the other metrics away when they are needed most
        await asyncio.gather(*refreshed, return_exceptions=True)
        for outcome in await asked:
            up.labels(outcome.name).set(outcome.ok)
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
