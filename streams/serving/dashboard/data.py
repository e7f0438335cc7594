"""What the pages fetch beside themselves: rows, points and exports, each of one caller."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from streams.serving.answers import json_answer
from streams.serving.dashboard.client import ApiUnavailableError, UnknownConversationError
from streams.serving.dashboard.conversation.exports import passed_on
from streams.serving.dashboard.conversation.points import points
from streams.serving.dashboard.desk import Desk

INT64_MAX: Final = 2**63 - 1
After = Annotated[int, Query(ge=0, le=INT64_MAX)]


def router(desk_of: Callable[[Request], Desk]) -> APIRouter:
    """The routes; `desk_of` says whose data a request may see."""
    routes = APIRouter()

    @routes.get("/rows")
    async def live_rows(request: Request, after: After = 0) -> Response:
        return json_answer(desk_of(request).board.rows(after))

    @routes.get("/points/{conversation}/{participant}")
    async def chart_points(
        request: Request,
        conversation: str,
        participant: str,
        after: After = 0,
        edition: After = 0,
    ) -> Response:
        try:
            timeline = await desk_of(request).board.timeline(conversation)
        except ApiUnavailableError:
            return Response(status_code=503)
        except UnknownConversationError:
            return Response(status_code=404)
        if participant not in timeline.call.standings:
            return Response(status_code=404)
        return json_answer(points(timeline.drawn(participant), after, edition))

    @routes.get("/export/{conversation}/{form}")
    async def export(request: Request, conversation: str, form: str) -> Response:
        return await passed_on(desk_of(request).client, conversation, form)

    return routes
