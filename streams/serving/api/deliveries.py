"""`/v1/deliveries`: who was not told, why, and another try."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from storage.deliveries import DeliveryPlace, StoredDelivery, list_deliveries, retry
from streams.serving.access.caller import Supervisor, Viewer
from streams.serving.answers import json_answer
from streams.serving.api.alerts import TEXT, UUID, Limit, Nanoseconds
from streams.serving.api.bodies_alerts import DeliveryBody, DeliveryPage
from streams.serving.api.conversations import PAGE, CursorParam
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.schemas import answers
from streams.serving.problems import ProblemError, documented


class DeliveryCursor(msgspec.Struct, frozen=True):
    """Where a page of deliveries ended."""

    at_ns: Nanoseconds
    id: Annotated[str, msgspec.Meta(pattern=UUID)]
    sink: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,160}$")]


def router(engine: AsyncEngine) -> APIRouter:
    """Routes of the caller's tenant."""
    routes = APIRouter(prefix="/v1/deliveries", tags=["alerts"])

    @routes.get("", responses=answers(DeliveryPage) | documented(422, 503))
    async def deliveries(
        caller: Viewer,
        dead: Annotated[
            bool | None, Query(description="True: given up. False: waiting. None: both.")
        ] = None,
        cursor: CursorParam = None,
        limit: Limit = PAGE,
    ) -> Response:
        """What a sink does not have yet, or never took, newest event first."""
        after = None
        if cursor is not None:
            place = from_cursor(cursor, DeliveryCursor)
            after = DeliveryPlace(place.at_ns, place.id, place.sink)
        found = await list_deliveries(
            engine, caller.tenant, dead=dead, after=after, limit=limit + 1
        )
        next_ = None
        if len(found) > limit:
            last = found[limit - 1]
            next_ = to_cursor(DeliveryCursor(last.at_ns, last.id, last.sink))
        return json_answer(DeliveryPage(items=tuple(map(_delivery, found[:limit])), next=next_))

    @routes.post(
        "/{message}/{sink}/retry",
        status_code=HTTPStatus.NO_CONTENT,
        responses=documented(403, 404, 422, 503),
    )
    async def try_again(
        caller: Supervisor,
        message: Annotated[str, Path(pattern=UUID)],
        sink: Annotated[str, Path(max_length=160, pattern=TEXT)],
    ) -> None:
        """Deliver it as if it were new."""
        if not await retry(engine, caller.tenant, message, sink):
            raise ProblemError(
                HTTPStatus.NOT_FOUND,
                "No delivery of this tenant has this id and sink; what a sink took is gone.",
            )

    return routes


def _delivery(stored: StoredDelivery) -> DeliveryBody:
    waits = stored.next_attempt_ns and not stored.dead
    return DeliveryBody(
        id=stored.id,
        sink=stored.sink,
        kind=stored.kind,
        conversation=stored.conversation,
        participant=stored.participant,
        at=format_time(stored.at_ns),
        attempts=stored.attempts,
        dead=stored.dead,
        error=stored.error,
        next_attempt=format_time(stored.next_attempt_ns) if waits else None,
    )
