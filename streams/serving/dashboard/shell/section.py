"""A part of a page that is read from the API: loading, there, not offered, or old since when."""

import time
from collections.abc import Awaitable, Callable
from datetime import tzinfo
from functools import partial
from http import HTTPStatus
from typing import Generic, TypeVar

from nicegui import ui

from streams.serving.dashboard.asking import NotOfferedError, RefusedError
from streams.serving.dashboard.client import ApiUnavailableError
from streams.serving.dashboard.shell import desk_words as words
from streams.serving.dashboard.shell.frame import clock

T = TypeVar("T")


class Section(Generic[T]):
    """Reads with `read` and draws with `place`, which is called again only for other values."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], place: Callable[[T], None], zone: tzinfo
    ) -> None:
        self._read = read
        self._place = place
        self._zone = zone
        self._shown: T | None = None
        self._read_ns = 0
        self._newest: object = None
        self._trouble = ui.label().classes("trouble").props("role=status")
        self._trouble.set_visibility(False)
        self._box = ui.element("div")
        with self._box:
            ui.html(words.LOADING, sanitize=False).classes("card empty")

    async def load(self) -> None:
        """Read, and draw what is new; of reads that overlap only the last to begin is drawn."""
        newest = self._newest = object()
        draw = await self._reading()
        if self._newest is newest:
            draw()

    async def _reading(self) -> Callable[[], None]:
        try:
            found = await self._read()
        except NotOfferedError:
            return partial(self._say, words.NOT_OFFERED)
        except RefusedError as exc:
            if exc.status == HTTPStatus.FORBIDDEN:
                return partial(self._say, words.NOT_ALLOWED)
            return partial(self._warn, str(exc))
        except ApiUnavailableError as exc:
            return partial(self._warn, str(exc))
        return partial(self._show, found)

    def _show(self, found: T) -> None:
        self._trouble.set_visibility(False)
        self._read_ns = time.time_ns()
        if found != self._shown:
            self._shown = found
            self._box.clear()
            with self._box:
                self._place(found)

    def _say(self, html: str) -> None:
        self._shown = None
        self._box.clear()
        with self._box:
            ui.html(html, sanitize=False).classes("card empty")

    def _warn(self, why: str) -> None:
        if self._read_ns:
            told = words.STALE_SINCE.format(at=clock(self._read_ns, self._zone), why=why)
        else:
            told = f"{why[:1].upper()}{why[1:]}"
        self._trouble.set_text(told)
        self._trouble.set_visibility(True)
