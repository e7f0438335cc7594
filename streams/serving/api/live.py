"""`/v1/live`: scores and alerts as they happen, as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from starlette.types import Send

from streams.serving.access.caller import Viewer
from streams.serving.api.conversations import ID, INT64_MAX
from streams.serving.live import Filter, LiveFeed
from streams.serving.problems import documented

EVENTS: Final = (
    "`ready` where the stream starts. With an id: `score`, a final score; `alert`, what happened "
    "to an alert; `ended`, a conversation ended; `withdrawn`, somebody took their consent back: "
    "stop showing their windows that end after `withdrawn_ns`, they are deleted. Without an id: "
    "`provisional`, a score that is not final. `gap`, with the id at which the stream goes on: "
    "events are too old to repeat, so load what you show again. The data of `score` and "
    "`provisional` are a score, that of `alert` is `transition` (`firing`, `resolved`, "
    "`acknowledged`, `snoozed`, `judged`) and `alert`, the alert as it was then; asyncapi.json "
    "has the schema of each. A line `: ping` comes where nothing else does."
)
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": EVENTS,
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Proxies that gather a response before they pass it on would hold the stream back."""


class LiveResponse(EventSourceResponse):
    """A stream that ends with its connection, not when its garbage is collected."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(frames, headers=HEADERS)
        self._frames = frames

    async def stream_response(self, send: Send) -> None:
        """Send until either side has enough."""
        async with aclosing(self._frames):
            await super().stream_response(send)


def router(feed: LiveFeed) -> APIRouter:
    """The live route of one feed."""
    routes = APIRouter(tags=["live"])

    @routes.get("/v1/live", response_class=StreamingResponse, responses=_STREAM | documented(422))
    async def live(
        caller: Viewer,
        conversation: Annotated[str | None, Query(pattern=ID)] = None,
        queue: Annotated[str | None, Query(max_length=256)] = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=INT64_MAX)] = None,
    ) -> LiveResponse:
        """Scores and alerts as they happen; go on after `Last-Event-ID`, at most one hour back."""
        return LiveResponse(feed.stream(last_event_id, Filter(caller.tenant, conversation, queue)))

    return routes
