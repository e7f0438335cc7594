"""What the pages know, shared by all watchers: running calls, and timelines being watched.

One reader follows the live stream for the whole process. A page compares `version` with
the one it showed last, so a quiet second costs nothing.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from inference.score import WindowScore
from inference.units import MS_NS
from streams.serving.dashboard.client import (
    ApiClient,
    ApiUnavailableError,
    LiveEvent,
    UnknownConversationError,
)
from streams.serving.dashboard.conversation.timeline import (
    Moment,
    ParticipantTimeline,
    moment,
    participant_timeline,
)
from streams.serving.dashboard.live.raised import Alert, worst_first
from streams.serving.dashboard.live.rows import Conversation, Standing, parties
from streams.serving.dashboard.live.table import Changes, LiveTable, Watched
from streams.telemetry import logger

RECENT: Final = 8
"""Ended conversations that the live page still links to."""
LOOK_OVER_S: Final = 30.0
"""How often calls that are shown are compared with those that the API lists."""
LOOK_AGAIN_S: Final = 15.0
"""How often a timeline that somebody watches is asked for again: an erasure tells nobody."""
WATCHED: Final = 64
"""Timelines that are kept; the one that nobody asked for longest goes first."""
RETRY_S: Final = 2.0
_log = logger("dashboard")


class Timeline:
    """One conversation and everything that its page draws."""

    def __init__(
        self,
        call: Conversation,
        moments: dict[str, list[Moment]],
        alerts: Iterable[Alert] = (),
    ) -> None:
        self.call = call
        self.version = 0
        self.edition = 0
        """Grows where points were taken away: who has some has to begin anew."""
        self.alerts = {alert.id: alert for alert in alerts}
        self._moments = moments
        self._provisional: dict[str, Moment] = {}

    def take(self, score: WindowScore) -> None:
        """Add a score, unless a newer one is known.

        A provisional one is shown until the next score, and never kept.
        """
        known = self._moments.setdefault(score.participant, [])
        if known and known[-1].end_ns >= score.end_ns:
            return
        if score.final:
            known.append(moment(score))
            shown = self._provisional.get(score.participant)
            if shown is not None and shown.end_ns <= score.end_ns:
                del self._provisional[score.participant]
        else:
            self._provisional[score.participant] = moment(score)
        self.call = advanced(self.call, score)
        self.version += 1

    def tell(self, alert: Alert) -> None:
        """An alert of this conversation changed."""
        self.alerts[alert.id] = alert
        self.version += 1

    def replace(self, call: Conversation, moments: dict[str, list[Moment]]) -> None:
        """Points were deleted: what is left of them takes the place of what was shown."""
        self.call = call
        self._moments = moments
        self._provisional.clear()
        self.edition += 1
        self.version += 1

    def end(self, ended_ns: int) -> None:
        """The conversation is over."""
        self.call = replace(self.call, ended_ns=ended_ns)
        self._provisional.clear()
        self.version += 1

    def participants(self) -> Sequence[Standing]:
        """Customers first."""
        return parties(self.call)

    def drawn(self, participant: str) -> ParticipantTimeline:
        """The chart of one participant."""
        standing = self.call.standings[participant]
        return participant_timeline(
            participant,
            standing.role,
            self._moments.get(participant, ()),
            provisional=self._provisional.get(participant),
            edition=self.edition,
            alerts=[one for one in self.alerts.values() if one.participant == participant],
        )


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
        on_event: told of every event, before the board takes it in; must not wait.
        away_ns: wall time since which it cannot.
        alerts: those that are open, by id; None where the API offers no alerts.
        alerts_version: grows with every change of `alerts`.
    """

    def __init__(self, client: ApiClient, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self.calls: dict[str, Conversation] = {}
        self.recent: Sequence[Conversation] = ()
        self.version = 0
        self.loaded = False
        self.trouble: str | None = None
        self.on_event: Callable[[LiveEvent], None] | None = None
        self.away_ns: int | None = None
        self.alerts: dict[str, Alert] | None = {}
        self.alerts_version = 0
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._looked_s: dict[str, float] = {}
        self._loading = asyncio.Lock()
        self._arrived: list[WindowScore] = []
        self._table = LiveTable(begin=time.time_ns() // MS_NS)

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
                    self.away_ns = time.time_ns()
                self.trouble = str(exc)
                self.version += 1
                await asyncio.sleep(RETRY_S)

    async def look_over(self) -> None:
        """Now and then drop calls that were erased, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_OVER_S)
            if self.loaded and self.trouble is None:
                with contextlib.suppress(ApiUnavailableError):  # `run` says so
                    await self.drop_erased()

    async def drop_erased(self) -> None:
        """Forget calls that the API does not know any more. Raises ApiUnavailableError."""
        before = [*self.calls, *(call.id for call in self.recent)]
        listed = {call.id for call in await self._client.live()}
        listed |= {call.id for call in await self._client.ended(RECENT)}
        for name in before:
            if name not in listed:  # over, or crowded out, or gone
                try:
                    await self._client.conversation(name)
                except UnknownConversationError:
                    self._forget(name)

    async def timeline(self, conversation: str) -> Timeline:
        """The timeline of one conversation, loaded once while somebody watches.

        Now and then it is asked whether the conversation is still there.

        Raises ApiUnavailableError, UnknownConversationError.
        """
        async with self._loading:
            known = self._timelines.get(conversation)
            if known is not None and await self._is_gone(conversation):
                self._forget(conversation)
                raise UnknownConversationError("This conversation was deleted.")
            if known is None:
                self._arrived = []  # scores that come while the rest is read
                call = await self._client.conversation(conversation)
                known = Timeline(
                    call,
                    await self._client.moments(call),
                    await self._client.alerts_of(conversation),
                )
                for score in self._arrived:
                    if score.conversation == conversation:
                        known.take(score)
                self._timelines[conversation] = known
                self._looked_s[conversation] = self._clock_s()
                while len(self._timelines) > WATCHED:
                    oldest, _ = self._timelines.popitem(last=False)
                    self._looked_s.pop(oldest, None)
        if conversation in self._timelines:  # a gap may have emptied them meanwhile
            self._timelines.move_to_end(conversation)
        return known

    async def _is_gone(self, conversation: str) -> bool:
        """Whether the API no longer knows it, asked at most every `LOOK_AGAIN_S`."""
        if self._clock_s() - self._looked_s.get(conversation, 0.0) < LOOK_AGAIN_S:
            return False
        self._looked_s[conversation] = self._clock_s()
        try:
            await self._client.conversation(conversation)
        except UnknownConversationError:
            return True
        return False

    def _forget(self, conversation: str) -> None:
        """Show nothing of it any more."""
        self._timelines.pop(conversation, None)
        self._looked_s.pop(conversation, None)
        self.calls.pop(conversation, None)
        self.recent = tuple(call for call in self.recent if call.id != conversation)
        if self.alerts is not None:
            self.alerts = {
                key: one for key, one in self.alerts.items() if one.conversation != conversation
            }
            self.alerts_version += 1
        self.version += 1

    def rows(self, after: int) -> Changes:
        """What the live page has to change that has the version `after`."""
        watched = Watched(
            calls=self.calls.values(),
            recent=self.recent,
            alerts=self.alerts_by_call(),
            loaded=self.loaded,
            trouble=self.trouble,
            away_ns=self.away_ns,
        )
        self._table.refresh(watched, time.time_ns())
        return self._table.changes(watched, after)

    def alerts_by_call(self) -> dict[str, list[Alert]]:
        """Open alerts of each conversation, the worst first."""
        found: dict[str, list[Alert]] = defaultdict(list)
        for alert in worst_first((self.alerts or {}).values()):
            found[alert.conversation].append(alert)
        return found

    async def _take(self, event: LiveEvent, *, began: bool) -> None:
        if self.on_event is not None:
            self.on_event(event)
        if event.kind == "gap" or (event.kind == "ready" and began):
            await self._load()
        if self.trouble is not None:
            self.trouble = self.away_ns = None
            self.version += 1
        if event.score is not None:
            await self._take_score(event.score)
        elif event.kind == "ended" and event.conversation is not None:
            self._take_end(event.conversation, event.ended_ns)
        elif event.alert is not None:
            self.take_alert(event.alert)
        elif event.withdrawn is not None:
            await self._take_withdrawal(event.withdrawn.conversation)

    async def _load(self) -> None:
        """Read everything that is shown anew; timelines are read when they are asked for."""
        calls = await self._client.live()
        recent = await self._client.ended(RECENT)
        alerts = await self._client.open_alerts()
        # all at once: calls are put in order by their alerts
        self.calls = {call.id: call for call in calls}
        self.recent = recent
        self.alerts = None if alerts is None else {alert.id: alert for alert in alerts}
        self.alerts_version += 1
        self._timelines.clear()
        self._looked_s.clear()
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
        watched = self._timelines.get(score.conversation)
        if watched is not None:
            watched.take(score)
        elif self._loading.locked() and score.final:
            self._arrived.append(score)

    def take_alert(self, alert: Alert) -> None:
        """An alert as it is now: told by the live stream, or the answer to a change of it."""
        self.alerts = self.alerts or {}
        if alert.open:
            self.alerts[alert.id] = alert
        else:
            self.alerts.pop(alert.id, None)
        self.alerts_version += 1
        self.version += 1
        watched = self._timelines.get(alert.conversation)
        if watched is not None:
            watched.tell(alert)

    async def _take_withdrawal(self, conversation: str) -> None:
        """Points and standings were deleted; alerts that this ended are told by themselves."""
        async with self._loading:  # what is being read may hold what was deleted meanwhile
            try:
                call = await self._client.conversation(conversation)
                watched = self._timelines.get(conversation)
                if watched is not None:
                    watched.replace(call, await self._client.moments(call))
            except UnknownConversationError:
                self._forget(conversation)
                return
        if conversation in self.calls:
            self.calls[conversation] = call
        self.version += 1

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
