"""Reads that finish, whatever becomes of who asked for them."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Found = TypeVar("Found")
_running: Final[set[asyncio.Task[Any]]] = set()


def carried_through(
    read: Callable[Asked, Coroutine[Any, Any, Found]],
) -> Callable[Asked, Coroutine[Any, Any, Found]]:
    """Run `read` in a task of its own, which a cancelled caller leaves to end by itself.

    A web framework cancels a stream whose reader went away, and goes on cancelling whatever
    it awaits; the driver of SQLite then never gets to close its connection and its thread.
    """

    @functools.wraps(read)
    async def call(*args: Asked.args, **kwargs: Asked.kwargs) -> Found:
        task = asyncio.create_task(read(*args, **kwargs), name=f"carried-{read.__name__}")
        _running.add(task)
        task.add_done_callback(_forget)
        return await asyncio.shield(task)

    return call


async def settled() -> None:
    """Wait for all reads of this event loop whose callers have gone.

    An engine that is disposed of while one of them has a connection never closes that one.
    """
    loop = asyncio.get_running_loop()
    while left := [task for task in _running if task.get_loop() is loop]:
        await asyncio.wait(left)


def _forget(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else asks where the caller has gone
