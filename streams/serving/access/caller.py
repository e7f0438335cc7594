"""Who asks: a tenant, a name for the record, and a rank. Every route states the rank it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request

from streams.serving.problems import ProblemError


class Rank(StrEnum):
    """What somebody may do; each rank may do what those before it may."""

    VIEWER = "viewer"
    """Look."""
    SUPERVISOR = "supervisor"
    """Acknowledge, snooze and judge alerts; write rules."""
    ADMIN = "admin"
    """Keys, erasure, and who looked at what."""

    def covers(self, needed: "Rank") -> bool:
        """Whether this rank may do what `needed` may."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER: Final = tuple(Rank)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. Every query is bound to their tenant."""

    tenant: str
    name: str
    """For the audit log and beside what they did: the name of a key, or who a token is about."""
    rank: Rank


Authenticate = Callable[[Request], Awaitable[Caller]]
"""Raises ProblemError (401) for credentials that are wrong or missing."""


def everyone(tenant: str) -> Authenticate:
    """Takes every request for one of an administrator of `tenant`: this machine only."""
    caller = Caller(tenant, "local", Rank.ADMIN)

    async def authenticate(_: Request) -> Caller:
        return caller

    return authenticate


async def _caller(request: Request) -> Caller:
    authenticate: Authenticate = request.app.state.authenticate
    caller = await authenticate(request)
    request.state.caller = caller
    return caller


def _at_least(needed: Rank) -> Callable[[Caller], Awaitable[Caller]]:
    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if not caller.rank.covers(needed):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"This needs the rank {needed}; the credentials have {caller.rank}.",
            )
        return caller

    return check


Viewer = Annotated[Caller, Depends(_at_least(Rank.VIEWER))]
Supervisor = Annotated[Caller, Depends(_at_least(Rank.SUPERVISOR))]
Admin = Annotated[Caller, Depends(_at_least(Rank.ADMIN))]
