"""What every format is made from: pages of final scores, and when the conversation began."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from inference.score import WindowScore
from storage.timeline import Wanted, window_page
from storage.values import ConversationKey

PAGE: Final = 500
"""Windows that an export holds in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One conversation under one run."""

    conversation: str
    run: str
    started_ns: int
    pages: AsyncIterator[Sequence[WindowScore]]
    """By start and participant; read once."""


Encode = Callable[[Source], AsyncIterator[bytes]]
"""Pieces of a file, in order."""


async def pages(
    engine: AsyncEngine, key: ConversationKey, run: str, size: int = PAGE
) -> AsyncIterator[Sequence[WindowScore]]:
    """Final scores in pages of about `size`. Raises StoreUnavailableError."""
    from_ns: int | None = None
    while True:
        wanted = Wanted(key=key, run=run, from_ns=from_ns)
        page, from_ns = await window_page(engine, wanted, size)
        yield page
        if from_ns is None:
            return
