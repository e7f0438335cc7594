"""`/v1/conversations/{conversation}/narrative`: the call so far in two sentences a participant."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.labels import Role
from storage.outline import Outline, Point, read_moments, read_outline
from storage.values import ConversationKey
from streams.serving.access.caller import Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_narrative import (
    NarrativeBody,
    NarrativesBody,
    clause_bodies,
)
from streams.serving.api.conversations import ID, ConversationId, unknown
from streams.serving.api.schemas import answers
from streams.serving.call_record import (
    WORDS_AFTER_NS,
    WORDS_BEFORE_NS,
    call_record,
    chosen,
    strongest,
)
from streams.serving.problems import documented
from streams.telling import Teller


def router(engine: AsyncEngine, teller: Teller | None) -> APIRouter:
    """The route over what is stored of the caller's tenant.

    Args:
        engine: of the database.
        teller: who tells; None leaves the text out.
    """
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    async def narrative(key: ConversationKey, outline: Outline, participant: str) -> NarrativeBody:
        points = outline.participants[participant]
        base = NarrativeBody(
            participant=participant,
            role=points[-1].role,
            start=format_time(points[0].start_ns),
            end=format_time(points[-1].end_ns),
            windows=len(points),
            text=None,
            narrator=None,
            clauses=(),
        )
        if teller is None:
            return base
        height = strongest(points)
        windows, words = await read_moments(
            engine,
            key,
            participant,
            chosen(points),
            words_from_ns=height.start_ns - WORDS_BEFORE_NS,
            words_to_ns=height.end_ns + WORDS_AFTER_NS,
        )
        record = call_record(
            points,
            windows,
            words,
            participant=participant,
            began_ns=outline.started_ns,
            base_rate=teller.base_rate,
        )
        told = await teller.tell_aside(record)
        if told is None:
            return base
        return msgspec.structs.replace(
            base,
            text=told.text,
            narrator=told.narrator,
            clauses=clause_bodies(told, record, outline.started_ns),
        )

    @routes.get(
        "/{conversation}/narrative", responses=answers(NarrativesBody) | documented(404, 422, 503)
    )
    async def narratives(
        caller: Viewer,
        conversation: ConversationId,
        participant: Annotated[str | None, Query(pattern=ID)] = None,
    ) -> Response:
        """How each participant came across so far, told from the stored scores as they are now.

        Every clause names what it rests on. Words are quoted only where transcripts are kept.
        """
        key = ConversationKey(caller.tenant, conversation)
        outline = await read_outline(engine, key, participant=participant)
        if outline is None:
            raise unknown()
        names = sorted(outline.participants, key=lambda name: _order(name, outline))
        items = [await narrative(key, outline, name) for name in names]
        return json_answer(NarrativesBody(conversation=conversation, items=tuple(items)))

    return routes


def _order(name: str, outline: Outline) -> tuple[bool, str]:
    points: Sequence[Point] = outline.participants[name]
    return points[-1].role is not Role.CUSTOMER, name
