"""`/v1/decisions`, `/v1/consents`, `/v1/erasures`: what was done to whom, and why."""

import time
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import parse_time
from storage.consents import ConsentPlace, list_consents
from storage.conversations import read_queue
from storage.decisions import DecisionPlace, list_decisions, read_decisions
from storage.digests import NoSecretError
from storage.erasure import Eraser, ErasurePlace, Receipt, list_erasures
from storage.values import ConversationKey
from streams.serving.access.caller import Admin, Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_privacy import (
    ConsentPage,
    DecisionPage,
    ErasurePage,
    consent_body,
    decision_body,
)
from streams.serving.api.conversations import (
    ID,
    INT64_MAX,
    LARGEST_PAGE,
    PAGE,
    ConversationId,
    CursorParam,
    to_ns,
)
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.schemas import answers
from streams.serving.api.times import Moment
from streams.serving.problems import ProblemError, documented

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
From = Annotated[Moment | None, Query(alias="from")]
Until = Annotated[Moment | None, Query(alias="to")]
_At = Annotated[int, Meta(ge=-INT64_MAX, le=INT64_MAX)]
_Name = Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=256)]
LONGEST_NAME: Final = 256
"""Of a subject, as attributes of control events are limited."""


class DecisionCursor(msgspec.Struct, frozen=True):
    """Where a page of decisions ended."""

    at_ns: _At
    conversation: _Name
    participant: _Name
    modality: _Name


class ConsentCursor(msgspec.Struct, frozen=True):
    """Where a page of consents ended."""

    at_ns: _At
    conversation: _Name
    participant: _Name


class ErasureCursor(msgspec.Struct, frozen=True):
    """Where a page of receipts ended."""

    at_ns: _At
    erasure: _Name


class ErasureRequest(BaseModel):
    """What to erase: one of the two."""

    model_config = ConfigDict(strict=True, extra="forbid")

    conversation: str | None = Field(default=None, pattern=ID)
    """Id of a conversation, stored or not."""
    subject: str | None = Field(
        default=None, min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]+$"
    )
    """Whose stored conversations, as `participant_joined` named them."""

    @model_validator(mode="after")
    def _one(self) -> "ErasureRequest":
        if (self.conversation is None) == (self.subject is None):
            raise ValueError("name a conversation or a subject, one of them")
        return self


def router(engine: AsyncEngine, eraser: Eraser) -> APIRouter:
    """Routes over what policy decided of the caller's tenant."""
    routes = APIRouter(prefix="/v1", tags=["privacy"])
    _add_records(routes, engine)
    _add_erasures(routes, engine, eraser)
    return routes


def _add_records(routes: APIRouter, engine: AsyncEngine) -> None:
    @routes.get(
        "/conversations/{conversation}/decisions",
        responses=answers(DecisionPage) | documented(404, 422, 503),
    )
    async def of_conversation(caller: Viewer, conversation: ConversationId) -> Response:
        """Every decision of one conversation and every change of one, by time.

        Also of a conversation that has no score, because policy permitted none.
        """
        key = ConversationKey(caller.tenant, conversation)
        found = await read_decisions(engine, key)
        if not found and await read_queue(engine, key) is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "No conversation of this tenant has this id.")
        return json_answer(DecisionPage(items=tuple(map(decision_body, found)), next=None))

    @routes.get("/decisions", responses=answers(DecisionPage) | documented(422, 503))
    async def decisions(
        caller: Viewer,
        allowed: Annotated[bool | None, Query()] = None,
        begin: From = None,
        end: Until = None,
        cursor: CursorParam = None,
        limit: Limit = PAGE,
    ) -> Response:
        """Policy decisions that hold from a time in `[from, to)` on, newest first."""
        after = None if cursor is None else from_cursor(cursor, DecisionCursor)
        found = await list_decisions(
            engine,
            caller.tenant,
            allowed=allowed,
            from_ns=None if begin is None else to_ns(begin),
            to_ns=None if end is None else to_ns(end),
            after=None if after is None else DecisionPlace(*msgspec.structs.astuple(after)),
            limit=limit + 1,
        )
        page, more = found[:limit], None
        if len(found) > limit:
            last = page[-1]
            more = DecisionCursor(
                last.ruling.at_ns,
                last.conversation,
                last.ruling.participant,
                last.ruling.modality.value,
            )
        return json_answer(DecisionPage(items=tuple(map(decision_body, page)), next=_next(more)))

    @routes.get("/consents", responses=answers(ConsentPage) | documented(422, 503))
    async def consents(
        caller: Viewer,
        conversation: Annotated[str | None, Query(pattern=ID)] = None,
        cursor: CursorParam = None,
        limit: Limit = PAGE,
    ) -> Response:
        """What was said of consent and notice, newest first."""
        after = None if cursor is None else from_cursor(cursor, ConsentCursor)
        found = await list_consents(
            engine,
            caller.tenant,
            conversation=conversation,
            after=None if after is None else ConsentPlace(*msgspec.structs.astuple(after)),
            limit=limit + 1,
        )
        page, more = found[:limit], None
        if len(found) > limit:
            last = page[-1]
            more = ConsentCursor(last.change.at_ns, last.conversation, last.change.participant)
        return json_answer(ConsentPage(items=tuple(map(consent_body, page)), next=_next(more)))


def _add_erasures(routes: APIRouter, engine: AsyncEngine, eraser: Eraser) -> None:
    @routes.get("/erasures", responses=answers(ErasurePage) | documented(403, 422, 503))
    async def erasures(caller: Admin, cursor: CursorParam = None, limit: Limit = PAGE) -> Response:
        """Receipts of erasures, newest first: in numbers, never whose."""
        after = None if cursor is None else from_cursor(cursor, ErasureCursor)
        found = await list_erasures(
            engine,
            caller.tenant,
            after=None if after is None else ErasurePlace(*msgspec.structs.astuple(after)),
            limit=limit + 1,
        )
        page, more = found[:limit], None
        if len(found) > limit:
            more = ErasureCursor(parse_time(page[-1].at), page[-1].id)
        return json_answer(ErasurePage(items=tuple(page), next=_next(more)))

    @routes.post(
        "/erasures",
        status_code=HTTPStatus.CREATED,
        responses=answers(Receipt, status=HTTPStatus.CREATED) | documented(403, 409, 422, 503),
    )
    async def erase(caller: Admin, wanted: ErasureRequest) -> Response:
        """Erase a conversation, or all stored conversations of a subject, for good.

        The answer is a receipt in numbers. Kafka holds records until `kafka_until`; they
        are not scored again. 409 where the service has no `secret`, so that it knows no
        subject.
        """
        now_ns = time.time_ns()
        try:
            if wanted.conversation is not None:
                key = ConversationKey(caller.tenant, wanted.conversation)
                receipt = await eraser.conversation(key, by=caller.name, now_ns=now_ns)
            else:
                name = wanted.subject or ""
                receipt = await eraser.subject(caller.tenant, name, by=caller.name, now_ns=now_ns)
        except NoSecretError as exc:
            raise ProblemError(HTTPStatus.CONFLICT, str(exc)) from exc
        return json_answer(receipt, HTTPStatus.CREATED)


def _next(place: msgspec.Struct | None) -> str | None:
    return None if place is None else to_cursor(place)
