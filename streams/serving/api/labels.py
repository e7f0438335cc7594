"""`/v1/labels`: labels of one's own, moments that may have them, and what people said of those."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.alignment.own_labels import MOST_PROMPTS
from inference.contract import parse_time
from inference.errors import AffectstreamError
from storage.errors import StoreUnavailableError
from storage.moments import MomentKey
from storage.own_labels import (
    LabelJudgement,
    OwnLabel,
    TooManyLabelsError,
    delete_label,
    judge_moment,
    judged_of,
    list_labels,
    put_label,
    read_judgements,
    read_label,
)
from streams.serving.access.caller import Supervisor, Viewer
from streams.serving.access.recorder import note
from streams.serving.answers import json_answer
from streams.serving.api.bodies_search import (
    LabelBody,
    LabelMoments,
    LabelPage,
    label_body,
    label_moments,
)
from streams.serving.api.conversations import ID, INT64_MAX
from streams.serving.api.schemas import answers
from streams.serving.api.search import (
    LONGEST,
    TEXT,
    Sized,
    Wanted,
    not_empty,
    not_understood,
    shown,
    switched_on,
)
from streams.serving.finder import MOST_JUDGED, Finder
from streams.serving.problems import ProblemError, documented

MOST_LABELS: Final = 200
"""Of a tenant."""
AUTHOR: Final = 256
"""Longest name of somebody that is kept."""

LabelName = Annotated[str, Path(pattern=ID)]
Prompt = Annotated[str, Field(min_length=1, max_length=LONGEST, pattern=TEXT)]


class LabelWish(BaseModel):
    """How a label is described: each sentence by itself, all of them together."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompts: Annotated[list[Prompt], Field(min_length=1, max_length=MOST_PROMPTS)]


class MomentJudgement(BaseModel):
    """Whether the label holds for a moment, for whoever looked at it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    conversation: Annotated[str, Field(pattern=ID)]
    participant: Annotated[str, Field(pattern=ID)]
    start: Annotated[
        str,
        Field(
            max_length=40,
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$",
            examples=["2026-11-23T10:00:03Z"],
            description="As the moment says it.",
        ),
    ]
    holds: bool


def router(
    engine: AsyncEngine, finder: Finder | None, *, now_ns: Callable[[], int] = time.time_ns
) -> APIRouter:
    """Routes over the labels of the caller's tenant.

    Args:
        engine: of the database.
        finder: finds moments; None where nothing is searched for.
        now_ns: wall time, of what people do.
    """
    routes = APIRouter(prefix="/v1/labels", tags=["search"])
    _add_moments(routes, engine, finder, now_ns)
    _add_labels(routes, engine, finder, now_ns)
    return routes


def _add_labels(
    routes: APIRouter, engine: AsyncEngine, finder: Finder | None, now_ns: Callable[[], int]
) -> None:
    @routes.get("", responses=answers(LabelPage) | documented(503))
    async def labels(caller: Viewer) -> Response:
        """Every label of the tenant by name."""
        found = await list_labels(engine, caller.tenant)
        return json_answer(LabelPage(items=tuple(map(label_body, found)), next=None))

    @routes.get("/{name}", responses=answers(LabelBody) | documented(404, 422, 503))
    async def label(caller: Viewer, name: LabelName) -> Response:
        """One label, and how much of it was judged."""
        return json_answer(label_body(await _label(engine, caller.tenant, name)))

    @routes.put("/{name}", responses=answers(LabelBody) | documented(409, 422, 503))
    async def put(caller: Supervisor, name: LabelName, wish: LabelWish) -> Response:
        """Describe a label, new or known: what was judged of it stays.

        409 where nothing is searched for, or the tenant has as many labels as it may have.
        """
        try:
            await switched_on(finder).vector(wish.prompts)
        except AffectstreamError as exc:
            raise not_understood("prompts") from exc
        try:
            stored = await put_label(
                engine,
                caller.tenant,
                name,
                [prompt.strip() for prompt in wish.prompts],
                by=caller.name[:AUTHOR],
                now_ns=now_ns(),
                most=MOST_LABELS,
            )
        except TooManyLabelsError as exc:
            raise ProblemError(HTTPStatus.CONFLICT, str(exc)) from exc
        return json_answer(label_body(stored))

    @routes.delete(
        "/{name}",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=documented(404, 422, 503),
    )
    async def delete(caller: Supervisor, name: LabelName) -> Response:
        """Delete a label with everything that was judged of it."""
        if not await delete_label(engine, caller.tenant, name):
            raise _unknown()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_moments(
    routes: APIRouter, engine: AsyncEngine, finder: Finder | None, now_ns: Callable[[], int]
) -> None:
    @routes.get("/{name}/moments", responses=answers(LabelMoments) | documented(404, 409, 422, 503))
    async def moments(
        request: Request,
        caller: Viewer,
        name: LabelName,
        wanted: Wanted,
        size: Sized,
    ) -> Response:
        """Moments that may have the label, nearest first; filters and sizes as of `/v1/search`.

        `probability` is null until 20 moments were judged, some of them for and some against
        it: before that there is only an order, and `missing` says what is needed.
        """
        tenant = caller.tenant
        known = await _label(engine, tenant, name)
        finds = switched_on(finder)
        judged = await read_judgements(engine, tenant, name, most=MOST_JUDGED)
        try:
            found = await finds.labelled(tenant, known.prompts, judged, wanted, size)
        except StoreUnavailableError:
            raise
        except AffectstreamError as exc:  # of a space that came after the label
            raise not_understood("prompts") from exc
        not_empty(found.ranking, finds)
        shown(request, found.ranking)
        keys = [one.key for one in found.ranking.moments]
        said = await judged_of(engine, tenant, name, keys)
        return json_answer(label_moments(known, found, said, finds.space.version))

    @routes.post("/{name}/judgements", responses=answers(LabelBody) | documented(404, 422, 503))
    async def judge(
        request: Request, caller: Supervisor, name: LabelName, said: MomentJudgement
    ) -> Response:
        """Say whether the label holds for a moment. The last word on it stands."""
        try:
            start_ns = parse_time(said.start)
        except ValueError as exc:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "start: no such time; take it from a moment"
            ) from exc
        key = MomentKey(said.conversation, said.participant, min(max(0, start_ns), INT64_MAX))
        judgement = LabelJudgement(
            key=key, holds=said.holds, judged_ns=now_ns(), judged_by=caller.name[:AUTHOR]
        )
        stored = await judge_moment(engine, caller.tenant, name, judgement)
        if stored is None:
            raise ProblemError(
                HTTPStatus.NOT_FOUND, "This tenant has no such label, or no such moment."
            )
        note(
            request,
            conversation=key.conversation,
            participant=key.participant,
            start=said.start,
        )
        return json_answer(label_body(stored))


async def _label(engine: AsyncEngine, tenant: str, name: str) -> OwnLabel:
    found = await read_label(engine, tenant, name)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "No label of this tenant has this name.")
