"""The rules of every tenant as a worker knows them: read again and again, and how current."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from storage.errors import StoreUnavailableError
from storage.rules import MARGIN_NS
from streams.alerts.book import RuleBook, StoredVersion
from streams.telemetry import logger

READ_EVERY_S: Final = 2.0
_log = logger("worker")


class RuleReader:
    """Keeps a book that is at most a few seconds old.

    Args:
        read: every stored version of every tenant. Raises StoreUnavailableError.
        now_ns: wall time of the database, by whose clock versions are stored. Raises the same.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Iterable[StoredVersion]]],
        now_ns: Callable[[], Awaitable[int]],
    ) -> None:
        self._book = RuleBook.of()
        self._read = read
        self._now_ns = now_ns
        self._read_ns: int | None = None

    @property
    def book(self) -> RuleBook:
        """As it was read last."""
        return self._book

    async def run(self) -> None:
        """Read until cancelled. Outages are waited for: windows wait for the database anyway."""
        while True:
            try:
                await self.refresh()
            except StoreUnavailableError as exc:
                _log.warning("rules_unread", error=str(exc))
            await asyncio.sleep(READ_EVERY_S)

    async def refresh(self) -> None:
        """Read now. Raises StoreUnavailableError; then the book stays what it was."""
        began_ns = await self._now_ns()
        book = RuleBook.of(await self._read())
        if book.unreadable != self._book.unreadable:
            for error in book.unreadable:
                _log.error("rule_unreadable", error=str(error))
        self._book, self._read_ns = book, began_ns

    def knows(self, start_ns: int) -> bool:
        """Whether the book has every version that holds for a window starting at `start_ns`."""
        return self._read_ns is not None and start_ns <= self._read_ns + MARGIN_NS
