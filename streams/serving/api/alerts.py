"""`/v1/alerts`: what fired, and what people made of it."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import MINUTE_NS
from storage import handling
from storage.alerts import (
    AlertDetail,
    AlertFilter,
    AlertJson,
    AlertPlace,
    list_alerts,
    read_alert,
)
from streams.serving.access.caller import Supervisor, Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_alerts import AlertPage
from streams.serving.api.conversations import (
    ID,
    INT64_MAX,
    LARGEST_PAGE,
    PAGE,
    CursorParam,
    to_ns,
)
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.problems import ProblemError, documented

DAY_MINUTES: Final = 1_440
UUID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
TEXT: Final = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL in text."""

AlertId = Annotated[str, Path(pattern=UUID)]
Note = Annotated[str | None, Field(max_length=2_000, pattern=TEXT)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]


class Acknowledgement(BaseModel):
    """Somebody takes it in hand."""

    model_config = ConfigDict(extra="forbid", strict=True)

    note: Note = None


class Snooze(BaseModel):
    """For how long nobody is told that it fires."""

    model_config = ConfigDict(extra="forbid", strict=True)

    minutes: Annotated[int, Field(ge=0, le=DAY_MINUTES, description="0 ends it.")]


class Judgement(BaseModel):
    """Whether the alert was right, for whoever looked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verdict: Literal["right", "wrong", "unclear"]
    note: Note = None


class AlertCursor(msgspec.Struct, frozen=True):
    """Where a page of alerts ended."""

    fired_ns: Nanoseconds
    alert: Annotated[str, msgspec.Meta(pattern=UUID)]


def router(engine: AsyncEngine, *, now_ns: Callable[[], int] = time.time_ns) -> APIRouter:
    """Routes of the caller's tenant.

    Args:
        engine: of the database.
        now_ns: wall time, of what people do.
    """
    routes = APIRouter(prefix="/v1/alerts", tags=["alerts"])

    @routes.get("", responses=answers(AlertPage) | documented(422, 503))
    async def alerts(
        caller: Viewer,
        state: Annotated[
            Literal["open", "firing", "resolving", "resolved"] | None,
            Query(description="`open`: firing or resolving."),
        ] = None,
        queue: Annotated[str | None, Query(max_length=256, pattern=TEXT)] = None,
        rule: Annotated[str | None, Query(pattern=ID)] = None,
        severity: Annotated[str | None, Query(max_length=16, pattern=TEXT)] = None,
        conversation: Annotated[str | None, Query(pattern=ID)] = None,
        acknowledged: Annotated[bool | None, Query()] = None,
        begin: Annotated[Moment | None, Query(alias="from")] = None,
        end: Annotated[Moment | None, Query(alias="to")] = None,
        cursor: CursorParam = None,
        limit: Limit = PAGE,
    ) -> Response:
        """Alerts that fired in `[from, to)`, newest first."""
        wanted = AlertFilter(
            state=state,
            queue=queue,
            rule=rule,
            severity=severity,
            conversation=conversation,
            acknowledged=acknowledged,
            from_ns=None if begin is None else to_ns(begin),
            to_ns=None if end is None else to_ns(end),
        )
        after = None
        if cursor is not None:
            place = from_cursor(cursor, AlertCursor)
            after = AlertPlace(place.fired_ns, place.alert)
        found = await list_alerts(engine, caller.tenant, wanted, after=after, limit=limit + 1)
        next_ = None
        if len(found) > limit:
            last = found[limit - 1][0]
            next_ = to_cursor(AlertCursor(last.fired_ns, last.alert))
        return json_answer(AlertPage(items=tuple(alert for _, alert in found[:limit]), next=next_))

    @routes.get("/{alert}", responses=answers(AlertDetail) | documented(404, 422, 503))
    async def alert(caller: Viewer, alert: AlertId) -> Response:
        """One alert with its course, and who was not told of it yet."""
        return _alert(await read_alert(engine, caller.tenant, alert))

    @routes.post(
        "/{alert}/acknowledge",
        responses=answers(AlertJson) | documented(403, 404, 422, 503),
    )
    async def acknowledge(
        caller: Supervisor, alert: AlertId, body: Acknowledgement | None = None
    ) -> Response:
        """Say that you have it in hand. The first who says so stays."""
        return _alert(
            await handling.acknowledge(
                engine,
                caller.tenant,
                alert,
                by=caller.name,
                note=None if body is None else body.note,
                now_ns=now_ns(),
            )
        )

    @routes.post("/{alert}/snooze", responses=answers(AlertJson) | documented(403, 404, 422, 503))
    async def snooze(caller: Supervisor, alert: AlertId, body: Snooze) -> Response:
        """Send no target that it fires for so long. Its end is sent all the same."""
        at_ns = now_ns()
        until_ns = at_ns + body.minutes * MINUTE_NS if body.minutes else None
        return _alert(
            await handling.snooze(
                engine, caller.tenant, alert, by=caller.name, until_ns=until_ns, now_ns=at_ns
            )
        )

    @routes.post("/{alert}/verdict", responses=answers(AlertJson) | documented(403, 404, 422, 503))
    async def verdict(caller: Supervisor, alert: AlertId, body: Judgement) -> Response:
        """Say whether it was right; back-tests of rules count it. The last word stands."""
        return _alert(
            await handling.judge(
                engine,
                caller.tenant,
                alert,
                by=caller.name,
                verdict=body.verdict,
                note=body.note,
                now_ns=now_ns(),
            )
        )

    return routes


def _alert(found: AlertJson | None) -> Response:
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "No alert of this tenant has this id.")
    return json_answer(found)
