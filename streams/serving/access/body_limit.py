"""How much a request may carry."""

from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.serving.problems import problem


class BodyLimit:
    """Pure ASGI middleware: 413 for bodies above `limit_bytes`, announced or in chunks."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._detail = f"The body is longer than {limit_bytes} bytes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what says that it is too long, and count what does not say."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        announced = request.headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._limit_bytes:
            refused = problem(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail)
            await refused(scope, receive, send)
            return
        got_bytes = 0

        async def counted() -> Message:
            nonlocal got_bytes
            message = await receive()
            if message["type"] == "http.request":
                got_bytes += len(message.get("body", b""))
                if got_bytes > self._limit_bytes:
                    # the one exception that FastAPI lets pass while it reads a body
                    raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail)
            return message

        await self._app(scope, counted, send)
