"""Signing in and out: plain HTML forms, so that nothing of a page runs before."""

import html
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from streams.serving.dashboard.asking import RefusedError
from streams.serving.dashboard.client import ApiUnavailableError
from streams.serving.dashboard.door.guard import (
    COOKIE,
    Door,
    cookie,
    cookie_name,
    local_path,
    secure,
)
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.words import CAVEAT
from streams.telemetry import logger

FORM_COOKIE: Final = "affectstream-form"
MOST_FORM: Final = 16_384
"""Bytes of a form: an OIDC token takes some 2000."""
ONE_HOST: Final = RateLimitItemPerMinute(10)
"""Attempts from one address, right or wrong."""
EVERYBODY: Final = RateLimitItemPerMinute(100)
"""Attempts in all: addresses are cheap."""
_log = logger("dashboard")


class Attempts:
    """Counts attempts to sign in over the last minute."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def allows(self, host: str) -> bool:
        """Count one more; False where that is too many."""
        return self._limiter.hit(ONE_HOST, host) and self._limiter.hit(EVERYBODY, "all")


def router(door: Door, attempts: Attempts) -> APIRouter:
    """`/signin` and `/signout`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/signin")
    async def form(request: Request, next: str = "/") -> Response:  # noqa: A002 - as links say it
        return _form(request, local_path(next))

    @routes.post("/signin")
    async def sign_in(request: Request) -> Response:
        sent = await _fields(request)
        wanted = local_path(sent.get("next", "/"))
        refusal = await _refusal(door, attempts, request, sent)
        if refusal is not None:
            return _form(request, wanted, *refusal)
        session_id, _ = door.sessions.begin(sent["credential"].strip())
        response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        _keep(request, response, COOKIE, session_id)
        return response

    @routes.post("/signout")
    async def sign_out(request: Request) -> Response:
        session = request.state.admitted.session
        if session is not None:
            sent = (await _fields(request)).get("token", "")
            if not secrets.compare_digest(sent.encode(), session.form_token.encode()):
                return _form(request, "/", words.FORM_OLD, HTTPStatus.FORBIDDEN)
            door.sessions.end(session)
        response = RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        response.delete_cookie(
            _name(request, COOKIE), path="/", secure=secure(request.scope), httponly=True
        )
        return response

    return routes


async def _refusal(
    door: Door, attempts: Attempts, request: Request, sent: Mapping[str, str]
) -> tuple[str, HTTPStatus] | None:
    """Why nobody is signed in; None where the form and the credential are good."""
    expected = cookie(request.headers, _name(request, FORM_COOKIE))
    if not expected or not secrets.compare_digest(
        sent.get("token", "").encode(), expected.encode()
    ):
        return words.FORM_OLD, HTTPStatus.FORBIDDEN
    if not attempts.allows(request.client.host if request.client else ""):
        _log.warning("sign_in_limited")
        return words.TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS
    credential = sent.get("credential", "").strip()
    if not credential or not credential.isascii() or not credential.isprintable():
        return words.WRONG_KEY, HTTPStatus.UNAUTHORIZED
    try:
        me = await door.desks.ask(credential)
    except RefusedError:
        _log.warning("sign_in_refused")
        return words.WRONG_KEY, HTTPStatus.UNAUTHORIZED
    except ApiUnavailableError:
        return words.API_AWAY, HTTPStatus.SERVICE_UNAVAILABLE
    _log.info("signed_in", tenant=me.tenant, rank=me.rank)
    return None


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8, keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _form(
    request: Request, wanted: str, trouble: str = "", status: HTTPStatus = HTTPStatus.OK
) -> Response:
    name = _name(request, FORM_COOKIE)
    token = cookie(request.headers, name) or secrets.token_urlsafe(32)
    said = f'<p class="trouble" role="alert">{html.escape(trouble)}</p>' if trouble else ""
    response = HTMLResponse(
        PAGE.format(
            trouble=said,
            title=words.SIGN_IN,
            lead=words.SIGN_IN_LEAD,
            field=words.SIGN_IN_FIELD,
            caveat=html.escape(CAVEAT),
            token=html.escape(token),
            wanted=html.escape(wanted),
        ),
        status,
    )
    _keep(request, response, FORM_COOKIE, token)
    return response


def _keep(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        path="/",
        secure=secure(request.scope),
        httponly=True,
        samesite="strict",
    )


def _name(request: Request, name: str) -> str:
    return cookie_name(name, secure=secure(request.scope))


PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · affectstream</title>
<link rel="icon" href="/assets/icon.svg">
<script src="/assets/theme.js"></script>
<link rel="stylesheet" href="/assets/pages.css"><link rel="stylesheet" href="/assets/desk.css">
</head><body class="door"><main class="card">
<h1 class="h1">{title}</h1><p class="lead">{lead}</p>{trouble}
<form method="post" action="/signin">
<input type="hidden" name="token" value="{token}"><input type="hidden" name="next" value="{wanted}">
<label class="field"><span>{field}</span>
<input type="password" name="credential" required autofocus autocomplete="current-password"
 spellcheck="false" maxlength="8192"></label>
<button class="act main" type="submit">{title}</button></form>
<p class="caveat">{caveat}</p></main></body></html>
"""
