"""The live feed in SQL: what readers resume from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.carried import carried_through
from storage.engine import snapshot
from storage.schema import feed


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of the live feed.

    Attributes:
        feed_id: ascends in the order in which events became visible.
        kind: `score`, `ended` or `alert`.
        stored_ns: wall time at which the relay stored it.
    """

    feed_id: int
    tenant: str
    conversation: str
    kind: str
    payload: bytes
    stored_ns: int


class StoredFeed:
    """Reads the feed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @carried_through
    async def head(self) -> int:
        """Id of the newest event of anybody, 0 where there is none.

        Raises StoreUnavailableError.
        """
        async with snapshot(self._engine) as connection:
            newest: int | None = await connection.scalar(select(func.max(feed.c.feed_id)))
        return newest or 0

    @carried_through
    async def tail(self) -> int:
        """Id of the oldest event that is still kept, 0 where there is none.

        Raises StoreUnavailableError.
        """
        async with snapshot(self._engine) as connection:
            oldest: int | None = await connection.scalar(select(func.min(feed.c.feed_id)))
        return oldest or 0

    @carried_through
    async def after(
        self, feed_id: int, limit: int, tenant: str | None = None
    ) -> Sequence[FeedEvent]:
        """Events with a higher id, ascending, at most `limit`; of one tenant or of all.

        Raises StoreUnavailableError.
        """
        query = select(feed).where(feed.c.feed_id > feed_id).order_by(feed.c.feed_id).limit(limit)
        if tenant is not None:
            query = query.where(feed.c.tenant == tenant)
        async with snapshot(self._engine) as connection:
            return [FeedEvent(**row) for row in (await connection.execute(query)).mappings()]
