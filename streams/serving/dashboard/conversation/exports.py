"""Exports of a conversation: the browser reaches the pages only, so they pass them on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

from fastapi import Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    UnknownConversationError,
)
from streams.serving.dashboard.shell import words

PASSED: Final = ("content-type", "content-disposition")
"""What the browser needs to keep the file under its name."""


async def passed_on(client: ApiClient, conversation: str, form: str) -> Response:
    """The answer of the API, piece by piece; 404 or 503 in words where there is none."""
    stack = AsyncExitStack()
    try:
        answer = await stack.enter_async_context(client.export(conversation, form))
    except UnknownConversationError:
        return PlainTextResponse(words.NO_EXPORT, status_code=404)
    except ApiUnavailableError as exc:
        return PlainTextResponse(str(exc), status_code=503)

    async def pieces() -> AsyncIterator[bytes]:
        async with stack:
            async for piece in answer.aiter_bytes():
                yield piece

    known = {name: answer.headers[name] for name in PASSED if name in answer.headers}
    if "content-disposition" not in known:
        known["content-disposition"] = f'attachment; filename="conversation.{form}"'
    return StreamingResponse(pieces(), headers=known)
