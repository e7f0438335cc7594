"""Bearer credentials: an API key, or a token of the identity provider."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.errors import StorageError
from storage.keys import ApiKey, find_key, looks_like_key, mark_used
from streams.serving.access.caller import Authenticate, Caller, Rank
from streams.serving.access.scopes import Scope
from streams.serving.problems import ProblemError
from streams.telemetry import logger

REALM: Final = 'Bearer realm="affectstream"'
LONGEST: Final = 16_384
"""Characters of credentials; tokens with many groups have some thousands."""
MARKING_S: Final = 1.0
"""How long a request waits for its use to be stored."""
Credentials = Callable[[str], Awaitable[Caller]]
"""Who one kind of bearer text is of. Raises ProblemError (401, 403, 503)."""


def refused(detail: str) -> ProblemError:
    """401 for credentials that were sent and are wrong; `detail` never repeats them."""
    challenge = f'{REALM}, error="invalid_token", error_description="{detail}"'
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})


def bearer(keys: Credentials, tokens: Credentials | None = None) -> Authenticate:
    """Authenticates by the header `Authorization: Bearer …`.

    Args:
        keys: of API keys.
        tokens: of the identity provider; None where there is none.
    """

    async def authenticate(request: Request) -> Caller:
        text = _sent(request)
        if looks_like_key(text):
            return await keys(text)
        if tokens is None:
            raise refused("This is no API key: one is as_ and 43 characters.")
        return await tokens(text)

    return authenticate


def _sent(request: Request) -> str:
    headers = request.headers.getlist("authorization")
    if not headers:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "No credentials: send Authorization: Bearer and an API key or a token.",
            headers={"WWW-Authenticate": REALM},
        )
    kind, _, text = headers[0].partition(" ")
    text = text.strip()
    if len(headers) > 1 or kind.lower() != "bearer" or not 0 < len(text) <= LONGEST:
        raise refused("Send one header Authorization: Bearer, and one key or token in it.")
    return text


class Keys:
    """Credentials by API key, read from the database each time: revoked is revoked at once."""

    def __init__(self, engine: AsyncEngine, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._engine = engine
        self._clock_ns = clock_ns
        self._log = logger("access")

    async def __call__(self, text: str) -> Caller:
        """Raises ProblemError (401) and StoreUnavailableError."""
        key, now_ns = await find_key(self._engine, text), self._clock_ns()
        if key is None:
            raise refused("There is no such key.")
        if key.revoked_ns is not None:
            raise refused("This key was revoked.")
        if not key.usable(now_ns):
            raise refused("This key has expired.")
        await self._mark(key, now_ns)
        return Caller(
            tenant=key.tenant,
            name=key.name,
            rank=Rank(key.rank),
            scopes=frozenset(scope for scope in Scope if scope in key.scopes),
            credential=f"key/{key.id}",
        )

    async def _mark(self, key: ApiKey, now_ns: int) -> None:
        """Store the use; a request never fails by it."""
        try:
            async with asyncio.timeout(MARKING_S):
                await mark_used(self._engine, key, now_ns)
        except (StorageError, SQLAlchemyError, TimeoutError) as exc:
            self._log.warning("key_use_not_stored", key=key.id, error=type(exc).__name__)
