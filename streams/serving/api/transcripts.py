"""`/v1/conversations/{conversation}/transcript`: kept words."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.conversations import read_queue
from storage.transcripts import word_page
from storage.values import ConversationKey
from streams.serving.access.caller import Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies import TranscriptPage, word_body
from streams.serving.api.conversations import (
    INT64_MAX,
    LARGEST_TIMELINE_PAGE,
    TIMELINE_PAGE,
    ConversationId,
    CursorParam,
    next_cursor,
    unknown,
)
from streams.serving.api.cursors import from_cursor
from streams.serving.api.schemas import answers
from streams.serving.problems import documented


def router(engine: AsyncEngine) -> APIRouter:
    """The words of a conversation."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get(
        "/{conversation}/transcript", responses=answers(TranscriptPage) | documented(404, 422, 503)
    )
    async def transcript(
        caller: Viewer,
        conversation: ConversationId,
        cursor: CursorParam = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_TIMELINE_PAGE)] = TIMELINE_PAGE,
    ) -> Response:
        """Words by their end; empty unless the deployment keeps transcripts.

        A page holds whole instants: it may be slightly longer than `limit`.
        """
        key = ConversationKey(caller.tenant, conversation)
        if await read_queue(engine, key) is None:
            raise unknown()
        from_ns = 0 if cursor is None else max(0, min(from_cursor(cursor, int), INT64_MAX))
        words, more = await word_page(engine, key, from_ns=from_ns, limit=limit)
        after_ns = words[-1].end_ns if more else None
        return json_answer(
            TranscriptPage(items=tuple(word_body(one) for one in words), next=next_cursor(after_ns))
        )

    return routes
