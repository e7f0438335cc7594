"""How the pages ask the API for more than conversations: one way to fail for every route."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx
import msgspec

from inference.errors import AffectstreamError
from streams.serving.dashboard.client import TIMEOUT_S, ApiClient, ApiUnavailableError

PAGE: Final = 200
"""Items that a list is asked for at once."""
MISSING: Final = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_IMPLEMENTED,
)
T = TypeVar("T")


class NotOfferedError(AffectstreamError):
    """The API has no such route, or nothing of this name."""


class FieldError(msgspec.Struct, frozen=True):
    """What the API says of one wrong field."""

    field: str
    message: str


class RefusedError(AffectstreamError):
    """The API understood and said no: the caller may not, or a field is wrong."""

    def __init__(self, status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors


class _Problem(msgspec.Struct, frozen=True):
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class Listed(msgspec.Struct, frozen=True):
    """A page of anything; the items are decoded by who asked."""

    items: list[msgspec.Raw]
    next: str | None = None


class Asking:
    """Requests with the credential of one caller.

    Every method raises NotOfferedError for 404, 405 and 501, RefusedError for any other 4xx
    but 429, and ApiUnavailableError where the API is away, wants a pause or answers what it
    should not.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def get(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> T:
        """One value."""
        response = await self._send("GET", path, query=query, timeout_s=timeout_s)
        return self._decoded(response, kind)

    async def listed(
        self, path: str, kind: type[T], query: Mapping[str, Any] | None = None, *, most: int = PAGE
    ) -> list[T]:
        """The first `most` items of a list, over as many pages as that takes."""
        found: list[T] = []
        cursor: str | None = None
        while len(found) < most:
            page = await self.get(
                path, Listed, {**(query or {}), "limit": min(most, PAGE), "cursor": cursor}
            )
            found += [self._typed(bytes(item), kind) for item in page.items]
            cursor = page.next
            if cursor is None:
                break
        return found[:most]

    async def items(
        self, path: str, kind: type[T], query: Mapping[str, Any] | None = None
    ) -> list[T]:
        """All items of a list that comes whole."""
        page = await self.get(path, Listed, query)
        return [self._typed(bytes(item), kind) for item in page.items]

    async def send(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> T:
        """Change something; gives what it is now."""
        response = await self._send(method, path, body=body, headers=headers, timeout_s=timeout_s)
        return self._decoded(response, kind)

    async def send_only(self, method: str, path: str) -> None:
        """Change something without caring for the answer's body."""
        await self._send(method, path, body={})

    async def drop(self, path: str) -> None:
        """Delete something."""
        await self._send("DELETE", path)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> httpx.Response:
        known = {key: value for key, value in (query or {}).items() if value not in {None, ""}}
        sent = None if body is None else msgspec.json.encode(body)
        kinds = {} if sent is None else {"Content-Type": "application/json"}
        try:
            response = await self._client.http.request(
                method,
                path,
                params=known,
                content=sent,
                headers={**kinds, **(headers or {})},
                timeout=timeout_s,
            )
        except httpx.HTTPError as exc:
            raise ApiUnavailableError(
                f"the API at {self._client.url} does not answer ({str(exc) or type(exc).__name__})"
            ) from exc
        if response.status_code in MISSING:
            raise NotOfferedError("This API does not offer it.")
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise ApiUnavailableError("the API asks for a pause: too many requests")
        if response.is_client_error:
            problem = _problem(response)
            raise RefusedError(response.status_code, problem.detail, problem.errors)
        if not response.is_success:
            raise ApiUnavailableError(
                f"the API at {self._client.url} answers {response.status_code}"
            )
        return response

    def _decoded(self, response: httpx.Response, kind: type[T]) -> T:
        return self._typed(response.content, kind)

    def _typed(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as exc:
            raise ApiUnavailableError(
                f"the API at {self._client.url} does not answer as it should ({exc})"
            ) from exc


def _problem(response: httpx.Response) -> _Problem:
    fallback = HTTPStatus(response.status_code).phrase
    try:
        found = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        return _Problem(fallback)
    return found if found.detail else _Problem(fallback, found.errors)
