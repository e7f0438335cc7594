"""Nobody reaches a route unknown: the one place where requests are let in or refused."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.errors import StoreUnavailableError
from streams.serving.access.caller import Authenticate, Caller
from streams.serving.access.limits import Limits
from streams.serving.access.scopes import needed
from streams.serving.problems import ProblemError, refusal

OPEN: Final = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""What a platform and a generator of clients ask without credentials. It holds no data."""
ASK_AGAIN_S: Final = 60.0
"""A stream lasts for hours; credentials that were revoked or expired end it after so long, and
the next ping of the stream."""


class _EndedError(Exception):
    """The credentials of a response that still runs open nothing any more."""


class Guard:
    """Pure ASGI middleware: authenticates, checks scopes and counts before any routing.

    Everything that is not in `OPEN` is refused to strangers, also paths that do not exist:
    a route that forgot its dependency is not open. Ranks are left to the routes. What is
    answered for longer than `ASK_AGAIN_S` is asked for its credentials again.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        limits: Limits | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._limits = limits
        self._clock_s = clock_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in whoever may come in, as `request.state.caller`."""
        if scope["type"] == "websocket":  # there is none; one that comes must bring a guard
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and scope["path"] not in OPEN:
            await self._guarded(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            caller = request.state.caller = await self._admit(request)
        except (ProblemError, StoreUnavailableError) as exc:
            await refusal(request, exc)(scope, receive, send)
            return
        asked_s = self._clock_s()

        async def while_known(message: Message) -> None:
            nonlocal asked_s
            if message["type"] == "http.response.body" and message.get("more_body"):
                now_s = self._clock_s()
                if now_s - asked_s >= ASK_AGAIN_S:
                    asked_s = now_s
                    if not await self._still(request, caller):
                        raise _EndedError
            await send(message)

        try:
            await self._app(scope, receive, while_known)
        except _EndedError:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _still(self, request: Request, caller: Caller) -> bool:
        """Whether the credentials are `caller`'s; where nobody can say, they are."""
        try:
            return await self._authenticate(request) == caller
        except StoreUnavailableError:
            return True
        except ProblemError as exc:
            return exc.status == HTTPStatus.SERVICE_UNAVAILABLE

    async def _admit(self, request: Request) -> Caller:
        limits, address = self._limits, request.client.host if request.client else "nowhere"
        if limits is not None:
            limits.expect(address)
        try:
            caller = await self._authenticate(request)
        except ProblemError as exc:
            if limits is not None and exc.status == HTTPStatus.UNAUTHORIZED:
                limits.refused(address)
            raise
        if limits is not None:
            limits.count(caller)
        missing = needed(request.method, request.scope["path"]) - caller.scopes
        if missing:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"This needs the scope {', '.join(sorted(missing))}, which the credentials lack.",
            )
        return caller
