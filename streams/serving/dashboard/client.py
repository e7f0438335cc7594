"""The dashboard's one connection to the API: REST for what is, SSE for what happens."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar
from urllib.parse import quote

import httpx
import httpx_sse
import msgspec

from inference.contract import Time, format_time, from_json, parse_time
from inference.errors import AffectstreamError
from inference.labels import Role
from inference.score import WindowScore
from streams.serving.api.bodies import BucketBody
from streams.serving.dashboard.conversation.timeline import Moment, bucket_moment, moment
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.live.rows import Conversation, Standing

TIMEOUT_S: Final = 10.0
QUIET_S: Final = 45.0
"""The live stream says something every 15 s: silence for longer is a dead connection."""
FINE_NS: Final = 15 * 60_000_000_000
"""Conversations up to this long are drawn window by window, longer ones in steps of 10 s."""
WINDOWS_A_PAGE: Final = 2_000
HALF_MINUTE_NS: Final = 30_000_000_000
"""The mean of a minute stands in its middle."""
REACH_NS: Final = 20_000_000_000
LIST: Final = "/v1/conversations"
ALERTS: Final = "/v1/alerts"
LARGEST_PAGE: Final = 200
NO_SUCH: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What the API says of an id that it does not know, or that cannot be one."""
T = TypeVar("T")


class _Page(Protocol):
    @property
    def next(self) -> str | None: ...


P = TypeVar("P", bound=_Page)


class ApiUnavailableError(AffectstreamError):
    """The API cannot be reached or is not ready."""

    retryable = True


class UnknownConversationError(AffectstreamError):
    """The API knows no conversation of this id."""


class LiveEvent(msgspec.Struct, frozen=True):
    """One event of the live stream, by the kinds that `streams.serving.api.live` lists."""

    kind: str
    id: str
    """Id to go on after: provisional scores repeat the one before."""
    score: WindowScore | None = None
    conversation: str | None = None
    ended_ns: int = 0
    alert: Alert | None = None
    withdrawn: "Withdrawn | None" = None


class Withdrawn(msgspec.Struct, frozen=True):
    """Somebody took their consent back: what rests on windows that end later is deleted."""

    conversation: str
    participant: str
    withdrawn_ns: int
    deleted_windows: int = 0


class _Ended(msgspec.Struct, frozen=True):
    conversation: str
    ended_ns: int


class _Distress(msgspec.Struct, frozen=True):
    smoothed: float
    at: Time


class _TrendPoint(msgspec.Struct, frozen=True):
    at: Time
    distress: float | None


class _Participant(msgspec.Struct, frozen=True):
    id: str
    role: Role
    distress: _Distress | None
    latest: msgspec.Raw
    trend: list[_TrendPoint] = []
    permitted: bool | None = None


class _Conversation(msgspec.Struct, frozen=True):
    id: str
    queue: str
    language: str
    started: Time
    ended: Time | None
    participants: list[_Participant]


class _Conversations(msgspec.Struct, frozen=True):
    items: list[_Conversation]
    next: str | None


class _Scores(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | None


class _Buckets(msgspec.Struct, frozen=True):
    items: list[BucketBody]
    next: str | None


class _Alerts(msgspec.Struct, frozen=True):
    items: list[Alert]
    next: str | None = None


class _AlertEvent(msgspec.Struct, frozen=True):
    alert: Alert


class Words(msgspec.Struct, frozen=True):
    """What one participant said in `[start, end)`, as the recogniser wrote it."""

    participant: str
    start: Time
    end: Time
    text: str


class _Transcript(msgspec.Struct, frozen=True):
    items: list[Words]
    next: str | None = None


class Story(msgspec.Struct, frozen=True):
    """How one participant came across so far, in two sentences; None where nobody tells."""

    participant: str
    role: Role
    text: str | None = None
    narrator: str | None = None


class _Stories(msgspec.Struct, frozen=True):
    items: list[Story]


class PolicyGround(msgspec.Struct, frozen=True):
    """Of what a decision rests on, what a page needs to know."""

    consent: str | None = None


class PolicyFact(msgspec.Struct, frozen=True):
    """One decision of the policy: what may be analysed of whom from when on."""

    participant: str
    modality: str
    at: Time
    allowed: bool
    reason: str
    profile: str = ""
    facts: PolicyGround = PolicyGround()


class _Decisions(msgspec.Struct, frozen=True):
    items: list[PolicyFact]
    next: str | None = None


class ApiClient:
    """Reads one API. Use as an async context manager.

    Every method raises ApiUnavailableError where the API is away or answers with an error
    of its own, and UnknownConversationError for 404.
    """

    def __init__(self, api_url: str, credential: str | None = None) -> None:
        self.url = api_url
        self.refused = False
        """True once the API no longer takes the credential, or asks for one."""
        self._http = httpx.AsyncClient(
            base_url=api_url,
            timeout=TIMEOUT_S,
            headers={} if credential is None else {"Authorization": f"Bearer {credential}"},
            event_hooks={"response": [self._noted]},
        )

    @property
    def http(self) -> httpx.AsyncClient:
        """The connection, with the credential: for the other parts of the API."""
        return self._http

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def _noted(self, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            self.refused = True

    async def live(self) -> list[Conversation]:
        """Every conversation that runs."""
        query = {"state": "live", "limit": LARGEST_PAGE}
        return [
            _call(item)
            async for page in self._pages(LIST, _Conversations, query)
            for item in page.items
        ]

    async def ended(self, limit: int) -> list[Conversation]:
        """The newest conversations that are over."""
        query = {"state": "ended", "limit": limit}
        page = await self._get(LIST, _Conversations, query)
        return [_call(item) for item in page.items]

    async def began(
        self, start_ns: int, end_ns: int, *, queue: str | None = None
    ) -> AsyncGenerator[Conversation]:
        """Conversations that began in `[start_ns, end_ns)`, newest first."""
        query = {"queue": queue, "limit": LARGEST_PAGE}
        async for page in self._pages(LIST, _Conversations, query):
            for call in map(_call, page.items):
                if call.started_ns < start_ns:
                    return
                if call.started_ns < end_ns:
                    yield call

    async def conversation(self, conversation: str) -> Conversation:
        """One conversation, running or not."""
        return _call(await self._get(_path(conversation), _Conversation))

    async def moments(self, call: Conversation) -> dict[str, list[Moment]]:
        """The whole timeline of `call` by participant, in steps that a chart can draw."""
        newest_ns = max(
            (one.latest.end_ns for one in call.standings.values() if one.latest),
            default=call.started_ns,
        )
        fine = newest_ns - call.started_ns <= FINE_NS
        path = f"{_path(call.id)}/scores"
        found: dict[str, list[Moment]] = defaultdict(list)
        query: dict[str, Any] = {"limit": WINDOWS_A_PAGE}
        if fine:
            async for scores in self._pages(path, _Scores, query):
                for item in scores.items:
                    score = from_json(bytes(item))
                    found[score.participant].append(moment(score))
        else:
            async for buckets in self._pages(path, _Buckets, query | {"resolution": "10s"}):
                for bucket in buckets.items:
                    found[bucket.participant].append(bucket_moment(bucket))
        return dict(found)

    async def score_at(
        self, conversation: str, participant: str, end_ns: int
    ) -> WindowScore | None:
        """The last window of a participant that ends at or before `end_ns`, if it is near."""
        query = {
            "participant": participant,
            "from": format_time(end_ns - REACH_NS),
            "to": format_time(end_ns),
        }
        path = f"{_path(conversation)}/scores"
        page = await self._get(path, _Scores, query)
        scores = (from_json(bytes(item)) for item in page.items)
        return max(
            (score for score in scores if score.end_ns <= end_ns),
            key=lambda score: score.end_ns,
            default=None,
        )

    async def open_alerts(self) -> list[Alert] | None:
        """Every alert that is not resolved; None where the API knows no alerts."""
        return await self._alerts({"state": "open"})

    async def alerts_of(self, conversation: str) -> list[Alert]:
        """Every alert of one conversation; none where the API knows no alerts."""
        return await self._alerts({"conversation": conversation}) or []

    async def _alerts(self, query: Mapping[str, Any]) -> list[Alert] | None:
        asked = {**query, "limit": LARGEST_PAGE}
        try:
            pages = self._pages(ALERTS, _Alerts, asked)
            return [alert async for page in pages for alert in page.items]
        except UnknownConversationError:  # an API without this route
            return None

    async def transcript(self, conversation: str) -> list[Words]:
        """Kept words by their end; none where words are not kept."""
        found: list[Words] = []
        with contextlib.suppress(UnknownConversationError):  # an API without this route
            async for page in self._pages(f"{_path(conversation)}/transcript", _Transcript):
                found += page.items
        return found

    async def stories(self, conversation: str) -> list[Story]:
        """The call so far in words, one for each participant; none where nobody tells."""
        with contextlib.suppress(UnknownConversationError):  # an API without this route
            found = await self._get(f"{_path(conversation)}/narrative", _Stories)
            return [one for one in found.items if one.text]
        return []

    async def decisions(self, conversation: str) -> list[PolicyFact]:
        """What the policy decided of one conversation; none where the API does not tell."""
        found: list[PolicyFact] = []
        with contextlib.suppress(UnknownConversationError):  # an API without this route
            async for page in self._pages(f"{_path(conversation)}/decisions", _Decisions):
                found += page.items
        return found

    @contextlib.asynccontextmanager
    async def export(self, conversation: str, form: str) -> AsyncIterator[httpx.Response]:
        """The export of one conversation, to be passed on piece by piece."""
        path = f"{_path(conversation)}/export"
        try:
            async with self._http.stream("GET", path, params={"format": form}) as response:
                if response.status_code in NO_SUCH:
                    raise UnknownConversationError("The API has no such export.")
                response.raise_for_status()
                yield response
        except httpx.HTTPError as exc:
            raise ApiUnavailableError(_away(self.url, exc)) from exc

    async def events(self, after: str | None) -> AsyncGenerator[LiveEvent]:
        """What happens from now on, or after the event `after`; ends with the connection."""
        headers = {} if after is None else {"Last-Event-ID": after}
        quiet = httpx.Timeout(TIMEOUT_S, read=QUIET_S)
        try:
            async with httpx_sse.aconnect_sse(
                self._http, "GET", "/v1/live", headers=headers, timeout=quiet
            ) as stream:
                stream.response.raise_for_status()
                async with aclosing(stream.aiter_sse()) as events:
                    async for event in events:
                        yield _live_event(event)
        except (httpx.HTTPError, httpx_sse.SSEError, msgspec.ValidationError) as exc:
            raise ApiUnavailableError(_away(self.url, exc)) from exc

    async def _pages(
        self, path: str, kind: type[P], query: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[P]:
        """Every page of a list, one after the other."""
        cursor: str | None = None
        while True:
            page = await self._get(path, kind, {**(query or {}), "cursor": cursor})
            yield page
            cursor = page.next
            if cursor is None:
                return

    async def _get(self, path: str, kind: type[T], query: Mapping[str, Any] | None = None) -> T:
        known = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            response = await self._http.get(path, params=known)
            if path != LIST and response.status_code in NO_SUCH:
                raise UnknownConversationError("The API knows no conversation of this id.")
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=kind)
        except (httpx.HTTPError, msgspec.ValidationError) as exc:
            raise ApiUnavailableError(_away(self.url, exc)) from exc


def _path(conversation: str) -> str:
    return f"{LIST}/{quote(conversation, safe='')}"


def _call(item: _Conversation) -> Conversation:
    return Conversation(
        id=item.id,
        queue=item.queue,
        language=item.language,
        started_ns=parse_time(item.started),
        ended_ns=None if item.ended is None else parse_time(item.ended),
        standings={one.id: _standing(one) for one in item.participants},
    )


def _standing(one: _Participant) -> Standing:
    latest = bytes(one.latest)
    return Standing(
        participant=one.id,
        role=one.role,
        latest=None if latest == b"null" else from_json(latest),
        smoothed=None if one.distress is None else one.distress.smoothed,
        smoothed_end_ns=0 if one.distress is None else parse_time(one.distress.at),
        trend=tuple((parse_time(point.at) + HALF_MINUTE_NS, point.distress) for point in one.trend),
        permitted=one.permitted,
    )


def _live_event(event: httpx_sse.ServerSentEvent) -> LiveEvent:
    if event.event in {"score", "provisional"}:
        score = from_json(event.data.encode())
        return LiveEvent(event.event, event.id, score=score, conversation=score.conversation)
    if event.event == "ended":
        body = msgspec.json.decode(event.data, type=_Ended)
        return LiveEvent("ended", event.id, conversation=body.conversation, ended_ns=body.ended_ns)
    if event.event == "alert":
        alert = msgspec.json.decode(event.data, type=_AlertEvent).alert
        return LiveEvent("alert", event.id, conversation=alert.conversation, alert=alert)
    if event.event == "withdrawn":
        told = msgspec.json.decode(event.data, type=Withdrawn)
        return LiveEvent("withdrawn", event.id, conversation=told.conversation, withdrawn=told)
    return LiveEvent(event.event, event.id)


def _away(url: str, error: Exception) -> str:
    return f"the API at {url} does not answer as it should ({str(error) or type(error).__name__})"
