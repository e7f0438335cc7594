"""`/v1/system`: how the system is doing, for the people who rely on its scores."""

import time
from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.system import read_system
from storage.upgrade import revision
from streams.serving.access.caller import Viewer
from streams.serving.api.bodies_system import LATELY_NS, SystemBody, system_body
from streams.serving.api.schemas import answers
from streams.serving.problems import documented


def router(engine: AsyncEngine, now_ns: Callable[[], int] = time.time_ns) -> APIRouter:
    """The route; reads what is stored of the caller's tenant."""
    routes = APIRouter(prefix="/v1/system", tags=["system"])

    @routes.get("", responses=answers(SystemBody) | documented(503))
    async def system(caller: Viewer) -> Response:
        """Delay, missing modalities, shedding, versions and undelivered messages."""
        at_ns = now_ns()
        state = await read_system(engine, caller.tenant, now_ns=at_ns, since_ns=at_ns - LATELY_NS)
        body = system_body(state, at_ns, await revision(engine))
        return Response(msgspec.json.encode(body), media_type="application/json")

    return routes
