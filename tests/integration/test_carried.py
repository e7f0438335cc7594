"""Reads of streams whose reader went away."""

import asyncio
import gc

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.carried import carried_through, settled
from storage.errors import StoreUnavailableError
from storage.feed import StoredFeed


@pytest.mark.parametrize("steps", [0, 2, 5, 8])
async def test_a_read_in_a_stream_that_ends_leaves_no_connection_behind(
    engine: AsyncEngine, steps: int
) -> None:
    """A scope of anyio, which the web framework uses, cancels again at every await."""
    feed, before = StoredFeed(engine), asyncio.all_tasks()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.after, 0, 10)
        for _ in range(steps):
            await asyncio.sleep(0)
        group.cancel_scope.cancel()
    async with asyncio.timeout(5):
        await settled()
    assert asyncio.all_tasks() == before
    gc.collect()
    assert await feed.after(0, 10) == []


async def test_what_a_read_raises_reaches_who_asked_and_nobody_else() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @carried_through
    async def read() -> None:
        begun.set()
        try:
            await go_on.wait()
            raise StoreUnavailableError("away")
        finally:
            ended.set()

    left = asyncio.ensure_future(read())
    await begun.wait()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert not ended.is_set(), "it goes on by itself"
    go_on.set()
    await ended.wait()
    with pytest.raises(StoreUnavailableError):
        await read()
    gc.collect()
