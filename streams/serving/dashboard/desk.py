"""What one caller of the API sees: who they are, running calls, open alerts.

Pages of one credential share a desk, pages of two never do: whatever a desk holds was asked
for with its own credential, so one tenant's page cannot show another's data.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from streams.serving.dashboard.asking import Asking, NotOfferedError, RefusedError
from streams.serving.dashboard.client import ApiClient, ApiUnavailableError, LiveEvent
from streams.serving.dashboard.live.board import Board
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.me import NOBODY, Me, who
from streams.serving.dashboard.rules.client import rules

IDLE_S: Final = 300.0
"""A desk that no page uses for this long stops reading."""
RETRY_S: Final = 2.0
SWEEP_S: Final = 30.0
KNOWN_S: Final = 5.0
"""How long a page waits to learn what whoever looks may do."""
ANEW: Final = frozenset({"ready", "gap"})
"""Events after which everything is read again."""


class Desk:
    """The shared state of one caller.

    Attributes:
        me: who the API says this is.
        summaries: what each rule says of itself, by name.
        watchers: open pages.
    """

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.asking = Asking(client)
        self.board = Board(client)
        self.board.on_event = self._heard
        self.me: Me = NOBODY
        self.summaries: dict[str, str] = {}
        self.watchers = 0
        self.used_s = 0.0
        self._news = asyncio.Event()
        self._asked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def refused(self) -> bool:
        """Whether the API no longer takes the credential."""
        return self.client.refused

    @property
    def open_alerts(self) -> Sequence[Alert] | None:
        """Alerts that fire or are about to end; None where the API offers no alerts."""
        return None if self.board.alerts is None else tuple(self.board.alerts.values())

    async def start(self) -> None:
        """Begin to read."""
        await self.client.__aenter__()
        self._news.set()
        self._tasks = [
            asyncio.create_task(self.board.run(), name="board"),
            asyncio.create_task(self.board.look_over(), name="erased"),
            asyncio.create_task(self._follow(), name="desk"),
        ]

    async def stop(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        await self.client.__aexit__(None, None, None)

    async def known(self) -> None:
        """Wait until the API has said who this is, or was found to be away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_S):
                await self._asked.wait()

    async def refresh(self) -> bool:
        """Read who asks and what their rules say.

        False where the API was away, so that it should be tried again.
        """
        try:
            self.me = await who(self.asking)
            self.client.refused = False
            await self._read_summaries()
        except ApiUnavailableError:
            return False  # the board says so on every page
        except RefusedError:
            return True
        finally:
            self._asked.set()
        return True

    async def _read_summaries(self) -> None:
        with contextlib.suppress(NotOfferedError):
            self.summaries = {
                one.name: str(one.spec["summary"])
                for one in await rules(self.asking)
                if one.spec and one.spec.get("summary")
            }

    def _heard(self, event: LiveEvent) -> None:
        if event.kind in ANEW:
            self._news.set()

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self.refresh():
                await asyncio.sleep(RETRY_S)
                self._news.set()


class Desks:
    """Desks by credential, started when somebody sits down."""

    def __init__(self, api_url: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._api_url = api_url
        self._clock_s = clock_s
        self._desks: dict[bytes, Desk] = {}
        self._opening = asyncio.Lock()

    async def at(self, credential: str | None) -> Desk:
        """The desk of a credential; None is whoever comes without one."""
        key = b"" if credential is None else hashlib.sha256(credential.encode()).digest()
        async with self._opening:
            desk = self._desks.get(key)
            if desk is None:
                desk = Desk(ApiClient(self._api_url, credential))
                await desk.start()
                self._desks[key] = desk
        desk.used_s = self._clock_s()
        return desk

    async def ask(self, credential: str | None) -> Me:
        """Who the API says this is. Raises RefusedError (401), ApiUnavailableError."""
        async with ApiClient(self._api_url, credential) as client:
            return await who(Asking(client))

    async def sweep(self) -> None:
        """Stop desks that nobody uses."""
        now_s = self._clock_s()
        async with self._opening:
            for key, desk in list(self._desks.items()):
                if desk.watchers:
                    desk.used_s = now_s
                elif desk.refused or now_s - desk.used_s >= IDLE_S:
                    del self._desks[key]
                    await desk.stop()

    async def run(self) -> None:
        """Sweep until cancelled, then stop every desk."""
        try:
            while True:
                await asyncio.sleep(SWEEP_S)
                await self.sweep()
        finally:
            for desk in self._desks.values():
                await desk.stop()
            self._desks.clear()
