"""Who the pages act for, as the API says it."""

from typing import Final

import msgspec

from streams.serving.access.caller import Rank
from streams.serving.dashboard.asking import Asking, NotOfferedError


class Me(msgspec.Struct, frozen=True):
    """One caller of the API."""

    tenant: str
    name: str
    rank: Rank
    scopes: tuple[str, ...] = ()

    def may(self, needed: Rank) -> bool:
        """Whether the API would let this caller do what asks for `needed`."""
        return self.rank.covers(needed)


LOCAL: Final = Me(tenant="", name="local", rank=Rank.ADMIN)
"""Of an API that does not know callers: it serves this machine only."""
NOBODY: Final = Me(tenant="", name="", rank=Rank.VIEWER)
"""Before the API has said anything."""


async def who(asking: Asking) -> Me:
    """Whoever the credential belongs to. Raises RefusedError (401), ApiUnavailableError."""
    try:
        return await asking.get("/v1/me", Me)
    except NotOfferedError:
        return LOCAL
