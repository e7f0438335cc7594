"""Nobody reaches a route unknown: the one place where requests are let in or refused."""

from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from storage.errors import StoreUnavailableError
from streams.serving.access.caller import Authenticate, Caller
from streams.serving.access.limits import Limits
from streams.serving.access.scopes import needed
from streams.serving.problems import ProblemError, refusal

OPEN: Final = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""What a platform and a generator of clients ask without credentials. It holds no data."""


class Guard:
    """Pure ASGI middleware: authenticates, checks scopes and counts before any routing.

    Everything that is not in `OPEN` is refused to strangers, also paths that do not exist:
    a route that forgot its dependency is not open. Ranks are left to the routes.
    """

    def __init__(
        self, app: ASGIApp, authenticate: Authenticate, limits: Limits | None = None
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in whoever may come in, as `request.state.caller`."""
        if scope["type"] == "websocket":  # there is none; one that comes must bring a guard
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and scope["path"] not in OPEN:
            request = Request(scope)
            try:
                request.state.caller = await self._admit(request)
            except (ProblemError, StoreUnavailableError) as exc:
                await refusal(request, exc)(scope, receive, send)
                return
        await self._app(scope, receive, send)

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
