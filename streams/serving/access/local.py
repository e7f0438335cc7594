"""Open access: whoever sits at this machine, until the first key is made."""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from streams.serving.access.caller import Authenticate, Caller, everyone
from streams.serving.problems import ProblemError

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
LOOK_AGAIN_S: Final = 1.0


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def only_here(tenant: str) -> Authenticate:
    """`everyone`, for requests that were made on this machine, for this machine.

    A page from elsewhere can reach loopback with the browser of whoever sits here: by a name
    that it lets point to 127.0.0.1 (then `Host` is that name), or by a plain form (then
    `Origin` is that page). A proxy on this machine brings strangers, and says so.
    """
    anybody = everyone(tenant)

    async def authenticate(request: Request) -> Caller:
        _check_made_here(request)
        return await anybody(request)

    return authenticate


def open_until_keys(
    tenant: str,
    guarded: Authenticate,
    keys_exist: Callable[[], Awaitable[bool]],
    clock_s: Callable[[], float] = time.monotonic,
) -> Authenticate:
    """`only_here` while there is no key; then `guarded`, from at most a second later, for good.

    Args:
        tenant: of open access.
        guarded: asks for credentials.
        keys_exist: whether a key was ever made; a revoked one counts.
        clock_s: any clock that only goes forward.
    """
    here = only_here(tenant)
    closed, looked_s = False, float("-inf")

    async def authenticate(request: Request) -> Caller:
        nonlocal closed, looked_s
        if not closed and clock_s() - looked_s >= LOOK_AGAIN_S:
            closed = await keys_exist()
            looked_s = clock_s()
        return await (guarded if closed else here)(request)

    return authenticate


def _host_in(url: str) -> str:
    """Host of a URL; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _check_made_here(request: Request) -> None:
    host = _host_in(f"//{request.headers.get('host', '')}")
    origin = request.headers.get("origin")
    proxied = [name for name in FORWARDED if name in request.headers]
    if proxied:
        reason = f"came through a proxy ({proxied[0]})"
    elif request.client is not None and not is_loopback(request.client.host):
        reason = "came from another machine"
    elif not is_loopback(host):
        reason = "names another host"
    elif origin is not None and not is_loopback(_host_in(origin)):
        reason = "was made by a page from elsewhere"
    else:
        return
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        "There are no keys yet, so only this machine is served, by a loopback address, and this "
        f"request {reason}. Make a key: affectstream keys create NAME --rank supervisor",
    )
