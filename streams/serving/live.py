"""The live feed: one reader of SQL for the process, any number of listeners.

Stored events (final scores, ended conversations) carry the `feed_id` that the relay gave
them, as the `id:` of the event, so a listener that comes back with `Last-Event-ID` goes on
where it stopped. Provisional scores carry no id: they are never stored and never repeated.

A slow listener never holds up the others. Its queue is bounded; when it is full, the
queue is emptied and the listener reads what it missed from SQL, at its own pace:
it loses provisional scores and nothing else.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from fastapi.sse import format_sse_event

from inference.units import HOUR_NS
from storage.cache import LiveMessage
from storage.errors import StoreUnavailableError
from storage.feed import FeedEvent
from storage.values import ConversationKey
from streams.telemetry import logger

QUEUE_SIZE: Final = 256
PAGE: Final = 500
TOGETHER: Final = 64
"""Frames that go to a listener as one piece: sending costs more than joining them."""
PING_S: Final = 15.0
POLL_S: Final = 1.0
"""SQL is read at least this often: a lost wake-up delays an event, never loses it."""
RETRY_S: Final = 1.0
RECONNECT_MS: Final = 2_000
"""How long a browser waits before it comes back."""
REMEMBERED_QUEUES: Final = 10_000
_log = logger("live")


class FeedSource(Protocol):
    """Where stored events are read from. Raises StoreUnavailableError."""

    async def head(self) -> int:
        """Id of the newest event, 0 where there is none."""
        ...

    async def tail(self) -> int:
        """Id of the oldest event that is still kept, 0 where there is none."""
        ...

    async def after(
        self, feed_id: int, limit: int, tenant: str | None = None
    ) -> Sequence[FeedEvent]:
        """Events with a higher id, ascending, at most `limit`; of one tenant or of all."""
        ...


QueueOf = Callable[[ConversationKey], Awaitable[str | None]]
"""The queue in which a conversation began, None for one that is not stored yet."""


class Signals(Protocol):
    """What is told at once: provisional scores, and that SQL has something new."""

    def listen(self) -> AsyncIterator[LiveMessage]:
        """Messages from now on. Raises StoreUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Filter:
    """What a listener may see, and asked for; None is everything."""

    tenant: str
    conversation: str | None = None
    queue: str | None = None

    def admits(self, event: "LiveEvent") -> bool:
        """Whether the listener wants `event`."""
        if event.tenant is None:
            return True
        return (
            event.tenant == self.tenant
            and self.conversation in (None, event.conversation)
            and (self.queue in (None, event.queue))
        )


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event as it goes over the wire, encoded once for all listeners."""

    feed_id: int | None
    """None for provisional scores."""
    tenant: str | None
    """None where the event concerns whoever gets it: it was made for one listener."""
    conversation: str | None
    queue: str | None
    frame: bytes


def encode_event(event: FeedEvent, queue: str | None) -> LiveEvent:
    """Make the frame of a stored event."""
    frame = format_sse_event(
        data_str=event.payload.decode(), event=event.kind, id=str(event.feed_id)
    )
    return LiveEvent(event.feed_id, event.tenant, event.conversation, queue, frame)


def encode_provisional(key: ConversationKey, queue: str | None, payload: bytes) -> LiveEvent:
    """Make the frame of a score that is not final: without an id."""
    frame = format_sse_event(data_str=payload.decode(), event="provisional")
    return LiveEvent(None, key.tenant, key.conversation, queue, frame)


class Listener:
    """The queue of one reader; see the policy in the module's docstring."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: deque[LiveEvent] = deque()
        self._wake = asyncio.Event()
        self.behind = False
        """True where events were dropped from the queue: read SQL before going on."""
        self.closed = False
        self.sent = 0
        """Id of the newest stored event that the listener has."""

    def passes(self, event: LiveEvent) -> bool:
        """Note that `event` goes by; False for a stored one that the listener has."""
        if event.tenant is None:  # a gap: the stream goes on at its id
            self.sent = event.feed_id or 0
        elif event.feed_id is not None:
            if event.feed_id <= self.sent:
                return False
            self.sent = event.feed_id
        return True

    def offer(self, event: LiveEvent) -> None:
        """Queue `event`, or fall back to SQL where the queue is full. Never waits."""
        if len(self._queue) >= self._size:
            self._queue.clear()
            self.behind = True
        if not self.behind:
            self._queue.append(event)
        self._wake.set()

    def start_over(self) -> None:
        """Queue again from now on; the caller reads what came before from SQL."""
        self._queue.clear()
        self.behind = False

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._wake.set()

    async def wait(self, seconds: float) -> bool:
        """True as soon as there is something to do, False after `seconds` of quiet."""
        if self._queue or self.behind or self.closed:
            return True
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def queued(self) -> AsyncGenerator[LiveEvent]:
        """What is queued, oldest first, until nothing is."""
        while self._queue:
            yield self._queue.popleft()


class LiveFeed:
    """Reads the stored feed once and hands every event to all listeners.

    Args:
        source: the stored events.
        queue_of: finds the queue of a conversation, for listeners that ask for one.
        signals: tells of provisional scores and of new events; without, SQL is asked every
            `POLL_S` seconds, as it is whenever the signals are away.
        queue_size: events that a listener may lag behind before it reads SQL itself.
        together: at most so many frames go to a listener as one piece.
        retention_ns: what is older is not repeated; the listener gets `gap`.
        now_ns: wall time.
    """

    def __init__(
        self,
        source: FeedSource,
        queue_of: QueueOf,
        *,
        signals: Signals | None = None,
        queue_size: int = QUEUE_SIZE,
        together: int = TOGETHER,
        retention_ns: int = HOUR_NS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._source = source
        self._read_queue = queue_of
        self._signals = signals
        self._news = asyncio.Event()
        self._queue_size = queue_size
        self._together = together
        self._retention_ns = retention_ns
        self._now_ns = now_ns
        self._listeners: set[Listener] = set()
        self._queues: dict[ConversationKey, str] = {}
        self._closed = False
        self.fallbacks = 0
        """How often a full queue sent a listener back to SQL."""

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    async def run(self) -> None:
        """Read and hand out until cancelled. Outages are waited out."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_forever(), name="live-read")
            if self._signals is not None:
                tasks.create_task(self._hear_forever(self._signals), name="live-hear")

    async def _read_forever(self) -> None:
        position: int | None = None
        page = min(PAGE, max(1, self._queue_size // 2))  # who reads along never falls behind
        while True:
            self._news.clear()  # before reading: what comes meanwhile is read next
            try:
                if position is None:
                    position = await self._source.head()
                events = await self._source.after(position, page)
                for event in events:
                    self._hand_out(await self._encode(event))
                    position = event.feed_id
            except StoreUnavailableError as exc:
                _log.warning("feed_unreadable", error=str(exc))
                await asyncio.sleep(RETRY_S)
                continue
            if len(events) < page:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._news.wait()

    async def _hear_forever(self, signals: Signals) -> None:
        while True:
            try:
                async for message in signals.listen():
                    if message.kind == "provisional":
                        key = ConversationKey(message.tenant, message.conversation)
                        await self.show(key, message.payload)
                    else:
                        self._news.set()
            except StoreUnavailableError as exc:
                _log.warning("signals_away", error=str(exc))
            await asyncio.sleep(RETRY_S)

    async def show(self, key: ConversationKey, payload: bytes) -> None:
        """Hand out one provisional score as JSON; without SQL it is lost."""
        if not self._listeners:
            return
        try:
            queue = await self._queue_of(key)
        except StoreUnavailableError:
            return
        self._hand_out(encode_provisional(key, queue, payload))

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    async def stream(self, after: int | None, wanted: Filter) -> AsyncGenerator[bytes]:
        """Frames for one listener, until it goes away or the feed closes.

        Begins with the event `ready`, whose id is where the stream starts: a listener
        that loses the connection before the first score misses nothing either. The stream
        ends where SQL is away while it reads from there; the listener comes back.

        Args:
            after: `Last-Event-ID`; None starts now.
            wanted: only these events.
        """
        listener = Listener(self._queue_size)
        self._listeners.add(listener)  # before the head is read: nothing falls in between
        if self._closed:
            listener.close()
        try:
            async with aclosing(self._frames(listener, after, wanted)) as frames:
                async for frame in frames:
                    yield frame
        except StoreUnavailableError:
            return
        finally:
            self._listeners.discard(listener)

    async def _frames(
        self, listener: Listener, after: int | None, wanted: Filter
    ) -> AsyncGenerator[bytes]:
        listener.sent = await self._source.head() if after is None else after
        listener.behind = after is not None
        ready = str(listener.sent)
        yield format_sse_event(event="ready", data_str="{}", id=ready, retry=RECONNECT_MS)
        while not listener.closed:
            if listener.behind:
                listener.start_over()
                events = self._missed(listener.sent, wanted.tenant)
            elif await listener.wait(PING_S):
                events = listener.queued()
            else:
                # the id keeps a filtered stream from falling behind without events
                yield format_sse_event(comment="ping", id=str(listener.sent))
                continue
            async with aclosing(self._pieces(listener, events, wanted)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _pieces(
        self, listener: Listener, events: AsyncGenerator[LiveEvent], wanted: Filter
    ) -> AsyncGenerator[bytes]:
        """Frames of what the listener wants and does not have, joined."""
        frames: list[bytes] = []
        async with aclosing(events):
            async for event in events:
                if listener.passes(event) and wanted.admits(event):
                    frames.append(event.frame)
                if len(frames) >= self._together:
                    yield b"".join(frames)
                    frames.clear()
        if frames:
            yield b"".join(frames)

    def _hand_out(self, event: LiveEvent) -> None:
        for listener in self._listeners:
            was_behind = listener.behind
            listener.offer(event)
            self.fallbacks += listener.behind and not was_behind

    async def _encode(self, event: FeedEvent) -> LiveEvent:
        key = ConversationKey(event.tenant, event.conversation)
        return encode_event(event, await self._queue_of(key))

    async def _queue_of(self, key: ConversationKey) -> str | None:
        """Frozen when a conversation begins, so worth remembering once it is known."""
        queue = self._queues.get(key)
        if queue is None:
            queue = await self._read_queue(key)
            if queue is not None:
                if len(self._queues) >= REMEMBERED_QUEUES:
                    self._queues.clear()
                self._queues[key] = queue
        return queue

    async def _missed(self, after: int, tenant: str) -> AsyncGenerator[LiveEvent]:
        """Stored events of `tenant` with a higher id; one `gap` where they are too old."""
        head = await self._source.head()
        if after > head or after + 1 < await self._source.tail():
            # an id from another database, or retention took what came next
            yield self._gap(after, head)
            return
        position = after
        while events := await self._source.after(position, PAGE, tenant):
            if self._now_ns() - events[0].stored_ns > self._retention_ns:
                yield self._gap(after, await self._source.head())
                return
            for event in events:
                position = event.feed_id
                yield await self._encode(event)
            if len(events) < PAGE:
                return

    @staticmethod
    def _gap(after: int, head: int) -> LiveEvent:
        """Tells the listener to load what it shows again; the stream goes on at `head`."""
        data = msgspec.json.encode({"after": after, "resumed_at": head}).decode()
        return LiveEvent(
            head, None, None, None, format_sse_event(event="gap", data_str=data, id=str(head))
        )
