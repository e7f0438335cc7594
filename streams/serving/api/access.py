"""`/v1/me`, `/v1/keys` and `/v1/audit`: who asks, who may ask, and who asked."""

import time
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.audit import list_recorded
from storage.keys import create_key, list_keys, revoke_key
from streams.serving.access.caller import Admin, Caller, Rank, Viewer, scopes_of
from streams.serving.access.recorder import note
from streams.serving.access.scopes import Scope
from streams.serving.answers import json_answer
from streams.serving.api.bodies_access import (
    AuditPage,
    KeyBody,
    KeyPage,
    MeBody,
    NewKeyBody,
    audit_body,
    key_fields,
    me_body,
)
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

PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"
"""Names are shown in terminals and logs."""


class KeyWish(BaseModel):
    """The key to make."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE)]
    rank: Annotated[Rank, Field(strict=False)]
    expires: Annotated[Moment, Field(strict=False)] | None = None
    scopes: Annotated[
        list[Annotated[Scope, Field(strict=False)]] | None, Field(min_length=1, max_length=16)
    ] = None
    """All that the rank opens, where nothing is said."""


def router(engine: AsyncEngine) -> APIRouter:
    """Routes about access to the caller's tenant."""
    routes = APIRouter(prefix="/v1", tags=["access"])

    @routes.get("/me", responses=answers(MeBody))
    async def me(caller: Viewer) -> Response:
        """Whose the credentials are, and what they open."""
        return json_answer(me_body(caller))

    @routes.get("/keys", responses=answers(KeyPage) | documented(503))
    async def keys(caller: Admin) -> Response:
        """Every key of the tenant, newest first, revoked ones too."""
        found = await list_keys(engine, caller.tenant)
        return json_answer(
            KeyPage(items=tuple(KeyBody(**key_fields(key)) for key in found), next=None)
        )

    @routes.post(
        "/keys",
        status_code=HTTPStatus.CREATED,
        responses=answers(NewKeyBody, status=HTTPStatus.CREATED) | documented(403, 422, 503),
    )
    async def create(caller: Admin, wish: KeyWish, request: Request) -> Response:
        """Make a key of the tenant. Its text stands in this answer and nowhere else."""
        scopes = _scopes(wish, caller)
        new = await create_key(
            engine,
            tenant=caller.tenant,
            name=wish.name,
            rank=wish.rank,
            scopes=scopes,
            created_by=caller.name,
            now_ns=(now_ns := time.time_ns()),
            expires_ns=_expiry(wish.expires, now_ns),
        )
        note(request, key=new.key.id, name=new.key.name, rank=new.key.rank)
        body = NewKeyBody(**key_fields(new.key), key=new.secret)
        return json_answer(body, HTTPStatus.CREATED)

    @routes.delete(
        "/keys/{key}",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=documented(404, 422, 503),
    )
    async def revoke(caller: Admin, key: Annotated[str, Path(pattern=ID)]) -> Response:
        """End a key at once and for good; again is the same."""
        if await revoke_key(engine, caller.tenant, key, time.time_ns()) is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "No key of this tenant has this id.")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.get("/audit", responses=answers(AuditPage) | documented(422, 503))
    async def audit(
        caller: Admin,
        conversation: Annotated[str | None, Query(pattern=ID)] = None,
        actor: Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")] = None,
        cursor: CursorParam = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    ) -> Response:
        """Who looked at which conversation and who did what, newest first."""
        before = None if cursor is None else from_cursor(cursor, int)
        found = await list_recorded(
            engine,
            caller.tenant,
            conversation=conversation,
            actor=actor,
            before=None if before is None else max(0, min(before, INT64_MAX)),
            limit=limit + 1,
        )
        page = found[:limit]
        after = to_cursor(page[-1].number) if len(found) > limit else None
        return json_answer(AuditPage(items=tuple(audit_body(one) for one in page), next=after))

    return routes


def _scopes(wish: KeyWish, caller: Caller) -> list[Scope]:
    """Nobody hands on what they do not have."""
    wanted = scopes_of(wish.rank) & caller.scopes if wish.scopes is None else set(wish.scopes)
    beyond = wanted - caller.scopes
    if beyond:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"A key cannot have the scope {', '.join(sorted(beyond))}: the credentials lack it.",
        )
    return sorted(wanted)


def _expiry(expires: datetime | None, now_ns: int) -> int | None:
    if expires is None:
        return None
    expires_ns = to_ns(expires)
    if expires_ns <= now_ns:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "expires: lies in the past")
    return expires_ns
