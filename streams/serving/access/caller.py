"""Who asks: a tenant, a name for the record, and a rank. Every route states the rank it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request

from streams.serving.access.scopes import EVERY_SCOPE, TENANT_SCOPES, Scope
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
    scopes: frozenset[Scope] = EVERY_SCOPE
    credential: str | None = None
    """Which key or which subject, for counting; None for this machine, which is not counted."""


Authenticate = Callable[[Request], Awaitable[Caller]]
"""Raises ProblemError (401) for credentials that are wrong or missing."""


def scopes_of(rank: Rank) -> frozenset[Scope]:
    """What credentials of a rank open where nobody narrowed them."""
    return EVERY_SCOPE if rank is Rank.ADMIN else TENANT_SCOPES


def everyone(tenant: str) -> Authenticate:
    """Takes every request for one of an administrator of `tenant`: this machine only."""
    caller = Caller(tenant, "local", Rank.ADMIN)

    async def authenticate(_: Request) -> Caller:
        return caller

    return authenticate


async def _caller(request: Request) -> Caller:
    """Whom the guard let in; asks itself where an application has no guard."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        authenticate: Authenticate = request.app.state.authenticate
        caller = await authenticate(request)
        request.state.caller = caller
    return caller


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A dependency: the caller, if their rank covers `needed`."""

    needed: Rank

    async def __call__(self, caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        """Raises ProblemError (403) for a lower rank."""
        if not caller.rank.covers(self.needed):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"This needs the rank {self.needed}; the credentials have {caller.rank}.",
            )
        return caller


Viewer = Annotated[Caller, Depends(AtLeast(Rank.VIEWER))]
Supervisor = Annotated[Caller, Depends(AtLeast(Rank.SUPERVISOR))]
Admin = Annotated[Caller, Depends(AtLeast(Rank.ADMIN))]
