"""`/v1/conversations`: who is talking, and how a conversation went."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import published
from storage.conversations import (
    Place,
    list_conversations,
    read_conversation,
    read_counts,
)
from storage.decisions import read_decisions
from storage.timeline import Wanted, bucket_page, read_extent, window_page
from storage.values import LIVE_RUN, ConversationKey
from streams.serving.access.caller import Viewer
from streams.serving.answers import JSON, json_answer
from streams.serving.api.bodies import (
    BucketPage,
    ConversationDetail,
    ConversationPage,
    ScorePage,
    bucket_body,
    conversation_body,
    conversation_detail,
)
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.etags import (
    IfNoneMatch,
    headers,
    tagged,
    unchanged,
    weak_etag,
    with_etag,
)
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.problems import ProblemError, documented

ID: Final = r"^[A-Za-z0-9._:-]{1,128}$"
"""As records name tenants, conversations and participants."""
WIDTH_NS: Final = {"10s": 10_000_000_000, "1m": 60_000_000_000}
INT64_MAX: Final = 2**63 - 1
PAGE: Final = 50
LARGEST_PAGE: Final = 200
TIMELINE_PAGE: Final = 1_000
LARGEST_TIMELINE_PAGE: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

ConversationId = Annotated[str, Path(pattern=ID)]
CursorParam = Annotated[str | None, Query(max_length=512, description="`next` of the page before.")]


class PlaceCursor(msgspec.Struct, frozen=True):
    """Where a page of conversations ended."""

    started_ns: Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
    conversation: Annotated[str, msgspec.Meta(pattern=ID)]

    def place(self) -> Place:
        """For the query."""
        return Place(self.started_ns, self.conversation)


def to_ns(moment: datetime) -> int:
    """Nanoseconds since the epoch, within what a database column holds."""
    return max(0, min((moment - _EPOCH) // _MICROSECOND * 1_000, INT64_MAX))


def router(engine: AsyncEngine) -> APIRouter:
    """Routes that read what is stored of the caller's tenant."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get("", responses=with_etag(answers(ConversationPage)) | documented(422, 503))
    async def conversations(
        caller: Viewer,
        state: Annotated[Literal["live", "ended"] | None, Query()] = None,
        queue: Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")] = None,
        min_distress: Annotated[float | None, Query(ge=0.0, le=1.0)] = None,
        cursor: CursorParam = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Conversations, newest first, with how each participant reads now.

        `min_distress` keeps those in which the smoothed distress of somebody is at least
        so high now, or was at most 30 s before the newest window.
        """
        found = await list_conversations(
            engine,
            caller.tenant,
            live=None if state is None else state == "live",
            queue=queue,
            min_distress=min_distress,
            after=None if cursor is None else from_cursor(cursor, PlaceCursor).place(),
            limit=limit + 1,
        )
        page, more = found[:limit], len(found) > limit
        last = PlaceCursor(page[-1].started_ns, page[-1].conversation) if more else None
        body = ConversationPage(
            items=tuple(conversation_body(call) for call in page),
            next=None if last is None else to_cursor(last),
        )
        return tagged(msgspec.json.encode(body), JSON, if_none_match)

    @routes.get(
        "/{conversation}",
        responses=with_etag(answers(ConversationDetail)) | documented(404, 422, 503),
    )
    async def conversation(
        caller: Viewer, conversation: ConversationId, if_none_match: IfNoneMatch = None
    ) -> Response:
        """One conversation, with counts of its windows and policy decisions by participant."""
        key = ConversationKey(caller.tenant, conversation)
        call = await read_conversation(engine, key)
        if call is None:
            raise unknown()
        counts, decisions = await read_counts(engine, key), await read_decisions(engine, key)
        body = conversation_detail(call, counts, decisions)
        return tagged(msgspec.json.encode(body), JSON, if_none_match)

    @routes.get(
        "/{conversation}/scores",
        responses=with_etag(answers(ScorePage, BucketPage)) | documented(404, 422, 503),
    )
    async def scores(
        caller: Viewer,
        conversation: ConversationId,
        participant: Annotated[str | None, Query(pattern=ID)] = None,
        begin: Annotated[Moment | None, Query(alias="from")] = None,
        end: Annotated[Moment | None, Query(alias="to")] = None,
        resolution: Annotated[Literal["raw", "10s", "1m"], Query()] = "raw",
        run: Annotated[str, Query(pattern=ID)] = LIVE_RUN,
        cursor: CursorParam = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_TIMELINE_PAGE)] = TIMELINE_PAGE,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The timeline: final scores of windows that start in `[from, to)`, or their means.

        Times are RFC 3339 with an offset. A page holds whole instants: slightly fewer than
        `limit` items, or more where more participants have a window at one instant.
        """
        key = ConversationKey(caller.tenant, conversation)
        extent = await read_extent(engine, key, run)
        if extent is None:
            raise unknown()
        etag = weak_etag(resolution, run, participant, begin, end, cursor, limit, extent)
        held = unchanged(if_none_match, etag)
        if held is not None:
            return held
        from_ns = None if begin is None else to_ns(begin)
        if cursor is not None:
            from_ns = max(from_ns or 0, min(from_cursor(cursor, int), INT64_MAX))
        wanted = Wanted(
            key=key,
            run=run,
            participant=participant,
            from_ns=from_ns,
            to_ns=None if end is None else to_ns(end),
        )
        if resolution == "raw":
            windows, after_ns = await window_page(engine, wanted, limit)
            items = tuple(published(score) for score in windows)
            return json_answer(
                ScorePage(items=items, next=next_cursor(after_ns)), headers=headers(etag)
            )
        buckets, after_ns = await bucket_page(engine, wanted, WIDTH_NS[resolution], limit)
        bodies = tuple(bucket_body(bucket) for bucket in buckets)
        return json_answer(
            BucketPage(items=bodies, next=next_cursor(after_ns)), headers=headers(etag)
        )

    return routes


def next_cursor(after_ns: int | None) -> str | None:
    """The cursor of the page that begins at this event time; None at the end."""
    return None if after_ns is None else to_cursor(after_ns)


def unknown() -> ProblemError:
    """The conversation that was named is nobody's, or another tenant's: nobody is told which."""
    return ProblemError(HTTPStatus.NOT_FOUND, "No conversation of this tenant has this id.")
