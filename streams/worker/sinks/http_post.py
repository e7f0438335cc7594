"""One POST to a program outside, and what its answer means for the message."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import httpx

from streams.worker.sinks.target import FailedError, RefusedError, UnreachableError

TIMEOUT_S: Final = 10.0
"""For the whole exchange: a receiver should answer first and work afterwards."""
_LATER: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Said of the receiver as a whole, not of what it was sent."""


def open_client() -> httpx.AsyncClient:
    """A client that never goes where it was not told to: redirects are answers like others."""
    return httpx.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S)


async def post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]
) -> None:
    """Return once the receiver said 2xx. What else it says is not read.

    Raises:
        UnreachableError: no answer within `TIMEOUT_S`, or one that says to come again.
        FailedError: any other 5xx.
        RefusedError: 3xx or 4xx.
    """
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            status = response.status_code
    except TimeoutError as exc:
        raise UnreachableError(f"no answer within {TIMEOUT_S:g} s") from exc
    except httpx.HTTPError as exc:
        raise UnreachableError(f"no connection: {type(exc).__name__}") from exc
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    answer = f"it answered {status}"
    if status in _LATER:
        raise UnreachableError(answer)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise FailedError(answer)
    if status < HTTPStatus.BAD_REQUEST:
        raise RefusedError(f"{answer}: redirects are not followed; set the final address")
    raise RefusedError(answer)
