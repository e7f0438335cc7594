"""What the pages know, shared by all watchers: running calls, and timelines being watched.

One reader follows the live stream for the whole process. A page compares `version` with
the one it showed last, so a quiet second costs nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from inference.score import WindowScore
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    LiveEvent,
    UnknownConversationError,
)
from streams.serving.dashboard.rows import Conversation, Standing
from streams.serving.dashboard.timeline import (
    Moment,
    ParticipantTimeline,
    moment,
    participant_timeline,
)
from streams.telemetry import logger

RECENT: Final = 8
"""Ended conversations that the live page still links to."""
WATCHED: Final = 64
"""Timelines that are kept; the one that nobody asked for longest goes first."""
RETRY_S: Final = 2.0
_log = logger("dashboard")


class Timeline:
    """One conversation and everything that its page draws."""

    def __init__(self, call: Conversation, moments: dict[str, list[Moment]]) -> None:
        self.call = call
        self.version = 0
        self._moments = moments

    def take(self, score: WindowScore) -> None:
        """Add a final score, unless it is known."""
        known = self._moments.setdefault(score.participant, [])
        if known and known[-1].end_ns >= score.end_ns:
            return
        known.append(moment(score))
        self.call = advanced(self.call, score)
        self.version += 1

    def end(self, ended_ns: int) -> None:
        """The conversation is over."""
        self.call = replace(self.call, ended_ns=ended_ns)
        self.version += 1

    def participants(self) -> Sequence[Standing]:
        """Customers first."""
        return sorted(
            self.call.standings.values(),
            key=lambda one: (one.role != "customer", one.participant),
        )

    def drawn(self, participant: str) -> ParticipantTimeline:
        """The chart of one participant."""
        standing = self.call.standings[participant]
        return participant_timeline(participant, standing.role, self._moments.get(participant, ()))


def advanced(call: Conversation, score: WindowScore) -> Conversation:
    """`call` with `score` taken in; a participant may be new."""
    before = call.standings.get(score.participant) or Standing(
        participant=score.participant, role=score.role
    )
    standings = {**call.standings, score.participant: before.advanced(score)}
    return replace(call, standings=standings)


class Board:
    """The shared state; `run` keeps it true.

    Attributes:
        calls: running conversations by id.
        recent: conversations that ended last, newest first.
        version: grows with every change of `calls`.
        trouble: why the API cannot be read, None while it can.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.calls: dict[str, Conversation] = {}
        self.recent: Sequence[Conversation] = ()
        self.version = 0
        self.loaded = False
        self.trouble: str | None = None
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._loading = asyncio.Lock()
        self._arrived: list[WindowScore] = []

    async def run(self) -> None:
        """Follow the API until cancelled; an outage is shown, and waited out."""
        last_id: str | None = None
        while True:
            try:
                async with aclosing(self._client.events(last_id)) as events:
                    async for event in events:
                        await self._take(event, began=last_id is None)
                        last_id = event.id or last_id
                await asyncio.sleep(RETRY_S)  # the API ended the stream: it restarts
            except ApiUnavailableError as exc:
                if self.trouble is None:
                    _log.warning("api_away", error=str(exc))
                self.trouble = str(exc)
                self.version += 1
                await asyncio.sleep(RETRY_S)

    async def timeline(self, conversation: str) -> Timeline:
        """The timeline of one conversation, loaded once while somebody watches.

        Raises ApiUnavailableError, UnknownConversationError.
        """
        async with self._loading:
            known = self._timelines.get(conversation)
            if known is None:
                self._arrived = []  # scores that come while the rest is read
                call = await self._client.conversation(conversation)
                known = Timeline(call, await self._client.moments(call))
                for score in self._arrived:
                    if score.conversation == conversation:
                        known.take(score)
                self._timelines[conversation] = known
                while len(self._timelines) > WATCHED:
                    self._timelines.popitem(last=False)
        self._timelines.move_to_end(conversation)
        return known

    def running(self) -> Sequence[Conversation]:
        """Every running conversation."""
        return list(self.calls.values())

    async def _take(self, event: LiveEvent, *, began: bool) -> None:
        if event.kind == "gap" or (event.kind == "ready" and began):
            await self._load()
        if self.trouble is not None:
            self.trouble = None
            self.version += 1
        if event.score is not None:
            await self._take_score(event.score)
        elif event.kind == "ended" and event.conversation is not None:
            self._take_end(event.conversation, event.ended_ns)

    async def _load(self) -> None:
        """Read everything that is shown anew; timelines are read when they are asked for."""
        self.calls = {call.id: call for call in await self._client.live()}
        self.recent = await self._client.ended(RECENT)
        self._timelines.clear()
        self.loaded = True
        self.version += 1

    async def _take_score(self, score: WindowScore) -> None:
        call = self.calls.get(score.conversation)
        if call is None:
            call = await self._found(score.conversation)
            if call is None:
                return
        self.calls[call.id] = advanced(call, score)
        self.version += 1
        if not score.final:
            return
        watched = self._timelines.get(score.conversation)
        if watched is not None:
            watched.take(score)
        elif self._loading.locked():
            self._arrived.append(score)

    async def _found(self, conversation: str) -> Conversation | None:
        """A conversation that the list did not show yet; None where it is over."""
        try:
            call = await self._client.conversation(conversation)
        except UnknownConversationError:
            return None  # a provisional score comes before the first stored one
        return call if call.ended_ns is None else None

    def _take_end(self, conversation: str, ended_ns: int) -> None:
        call = self.calls.pop(conversation, None)
        if call is not None:
            self.recent = (replace(call, ended_ns=ended_ns), *self.recent)[:RECENT]
        self.version += 1
        watched = self._timelines.get(conversation)
        if watched is not None:
            watched.end(ended_ns)
