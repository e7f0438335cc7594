"""`/v1/summary`: a shift in a short paragraph, with its figures."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Role
from inference.units import HOUR_NS
from storage.alert_counts import count_alerts
from storage.trends import Cell, Group, Stretch, read_cells
from streams.serving.access.caller import Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_summary import SummaryBody, summary_body
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.api.trends import QueueParam, whole_range
from streams.serving.problems import documented
from streams.serving.summary import Read, summary
from streams.serving.trends import WEEK_NS
from streams.telling import Teller

SHIFT_NS: Final = 8 * HOUR_NS
"""What is told of where nobody says `from`."""


def router(engine: AsyncEngine, floor: int, teller: Teller | None) -> APIRouter:
    """The route over rollups and alerts of the caller's tenant.

    Args:
        engine: of the database.
        floor: conversations of the smallest group that figures are shown of.
        teller: puts the figures into words; None leaves it to the plain ones.
    """
    routes = APIRouter(prefix="/v1/summary", tags=["trends"])

    async def cells(tenant: str, group: Group, from_ns: int, to_ns: int) -> list[Cell]:
        stretch = Stretch(
            tenant=tenant,
            group=group,
            from_ns=from_ns,
            to_ns=to_ns,
            width_ns=to_ns - from_ns,
            role=Role.CUSTOMER,
        )
        return await read_cells(engine, stretch)

    @routes.get("", responses=answers(SummaryBody) | documented(422, 503))
    async def shift(
        caller: Viewer,
        begin: Annotated[Moment | None, Query(alias="from")] = None,
        end: Annotated[Moment | None, Query(alias="to")] = None,
        queue: QueueParam = None,
    ) -> Response:
        """How customers read in `[from, to)`, what changed in a week, and which alerts fired.

        The range is widened to whole hours; without `from` it is the last eight. Groups of
        fewer than `floor` conversations are withheld, and others where those could be worked
        out from them.
        """
        from_ns, to_ns = whole_range(begin, end, HOUR_NS, SHIFT_NS)
        tenant = caller.tenant
        week_ago = from_ns - WEEK_NS, to_ns - WEEK_NS
        read = Read(
            whole=await cells(tenant, Group.ROLE, from_ns, to_ns),
            whole_before=await cells(tenant, Group.ROLE, *week_ago),
            queues=await cells(tenant, Group.QUEUE, from_ns, to_ns),
            queues_before=await cells(tenant, Group.QUEUE, *week_ago),
            alerts=await count_alerts(engine, tenant, from_ns=from_ns, to_ns=to_ns),
        )
        told = summary(read, from_ns=from_ns, to_ns=to_ns, queue=queue, floor=floor)
        narrative = None
        if teller is not None and told.record is not None:
            narrative = await teller.tell_aside(told.record)
        return json_answer(summary_body(told, narrative))

    return routes
