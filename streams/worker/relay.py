"""Tells the world what is stored: outbox rows to Kafka, the cache and the live feed.

Alerts go to programs outside, too. Each sink has a loop and a lock of its own: one that is
away never holds up another, and only one relay of a deployment serves it. A crash repeats a
message under the same id.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.errors import AffectstreamError
from inference.score import WindowScore
from inference.units import HOUR_NS
from storage.aggregates import read_aggregates, unknown_among
from storage.cache import Cache, LiveMessage
from storage.errors import StoreUnavailableError
from storage.outbox import (
    Message,
    append_to_feed,
    delivered,
    give_up,
    pending,
    put_off,
    relay_lock,
    still_held,
)
from storage.values import ConversationKey
from streams import topics, traces
from streams.cloud_events import JSON, cloud_event
from streams.telemetry import logger
from streams.worker.sinks.delivery import Outcome, TargetDelivery
from streams.worker.sinks.news import with_link
from streams.worker.sinks.target import Target

BATCH: Final = 500
IDLE_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
KEEP_FEED_NS: Final = HOUR_NS
UNKNOWN_S: Final = 30.0
"""How often deliveries for targets that no setting names are looked for."""
UNKNOWN_SINK: Final = "unknown"
"""Under which deliveries to targets that do not exist are counted: a label names only ours."""
UNKNOWN: Final = "no target of this name in the settings"
TOPICS: Final = {"score": topics.SCORES, "alert": topics.ALERTS}
"""Where each kind of outbox row goes on Kafka."""
_log = logger("relay")
Serve = Callable[[Sequence[Message]], Awaitable[None]]


class SinkAwayError(AffectstreamError):
    """A sink cannot be reached; the relay waits, and scoring goes on."""


class Publisher(Protocol):
    """What the relay asks of Kafka."""

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> None:
        """Return once the broker has the record; raises KafkaError or OSError."""
        ...


@dataclass(slots=True)
class RelayStats:
    """Counters and states that health and metrics read."""

    delivered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    dead: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    outcomes: dict[tuple[str, Outcome], int] = field(default_factory=lambda: defaultdict(int))
    """What became of attempts to tell programs outside, by sink."""
    away: dict[str, str] = field(default_factory=dict)
    """Sinks that cannot be reached, with the error."""
    refusing: dict[str, str] = field(default_factory=dict)
    """Sinks that did not take the latest message, with the error."""

    def count(self, sink: str, outcome: Outcome) -> None:
        """Something became of a message for a program outside."""
        self.outcomes[sink, outcome] += 1
        self.delivered[sink] += outcome == "delivered"
        self.dead[sink] += outcome == "dead"


class Relay:
    """Runs until cancelled; outages are waited for, sink by sink.

    Args:
        engine: of the database.
        cache: of live values.
        publisher: of Kafka.
        targets: programs outside that hear of alerts.
        public_url: of the dashboard, for the links of alerts.
        now_ns: wall time.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        cache: Cache,
        publisher: Publisher,
        *,
        targets: Sequence[Target] = (),
        public_url: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.stats = RelayStats()
        self._engine = engine
        self._cache = cache
        self._publisher = publisher
        self._public_url = public_url
        self._now_ns = now_ns
        self._targets = {
            target.sink: TargetDelivery(engine, target, self.stats.count, now_ns=now_ns)
            for target in targets
        }
        self._sinks: Mapping[str, Serve] = {
            "kafka": self._to_kafka,
            "cache": self._to_cache,
            "feed": self._to_feed,
        }

    @property
    def sinks(self) -> tuple[str, ...]:
        """Whom this relay may serve."""
        return (*self._sinks, *self._targets)

    async def run(self) -> None:
        """Serve every sink until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for sink in (*self._sinks, *self._targets):
                tasks.create_task(self._serve_forever(sink), name=f"relay-{sink}")
            tasks.create_task(self._give_up_unknown_forever(), name="relay-unknown")

    async def serve(self, sink: str) -> int:
        """Deliver what is pending for `sink` now; returns how much that was.

        Raises StoreUnavailableError.
        """
        if sink in self._targets:
            return await self._targets[sink].serve()
        messages = await pending(self._engine, sink, now_ns=self._now_ns(), limit=BATCH)
        if messages:
            told: traces.Attributes = {
                "affectstream.sink": sink,
                "messaging.batch.message_count": len(messages),
            }
            origins = [message.traceparent for message in messages]
            with traces.span("deliver", origins, kind=SpanKind.PRODUCER, attributes=told):
                await self._sinks[sink](messages)
        return len(messages)

    async def give_up_unknown(self) -> None:
        """Call deliveries dead that nobody will ever serve: rules may name any target.

        Raises StoreUnavailableError.
        """
        known = (*self._sinks, *self._targets)
        count = await give_up(self._engine, known=known, error=UNKNOWN)
        self.stats.dead[UNKNOWN_SINK] += count
        if count:
            _log.warning("unknown_targets", deliveries=count, known=list(self._targets))

    async def publish_provisional(self, scores: Sequence[WindowScore]) -> None:
        """Show scores that are not final: best effort, stored nowhere."""
        for score in scores:
            message = LiveMessage("provisional", score.tenant, score.conversation, to_json(score))
            await self._tell(message)

    async def check(self) -> None:
        """Raise SinkAwayError while a sink cannot be reached."""
        if "live" in self.stats.away:  # nothing may be said for a while: ask
            with suppress(StoreUnavailableError):
                await self._cache.check()
                self.stats.away.pop("live", None)
        trouble = self.stats.refusing | self.stats.away
        if trouble:
            raise SinkAwayError("; ".join(f"{sink}: {why}" for sink, why in trouble.items()))

    async def _serve_forever(self, sink: str) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with relay_lock(self._engine, sink) as lock:
                    _log.info("relay_active", sink=sink)
                    while await still_held(lock):
                        served = await self.serve(sink)
                        self.stats.away.pop(sink, None)
                        pause_s = FIRST_PAUSE_S
                        if served < BATCH:
                            await asyncio.sleep(IDLE_S)
            except StoreUnavailableError as exc:
                self.stats.away[sink] = str(exc)
                _log.warning("relay_waits", sink=sink, retry_s=pause_s, error=str(exc))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _give_up_unknown_forever(self) -> None:
        while True:
            with suppress(StoreUnavailableError):  # the loops of the sinks say so
                await self.give_up_unknown()
            await asyncio.sleep(UNKNOWN_S)

    async def _done(self, sink: str, messages: Sequence[Message]) -> None:
        await delivered(self._engine, messages)
        self.stats.delivered[sink] += len(messages)

    async def _to_kafka(self, messages: Sequence[Message]) -> None:
        """Conversations side by side, each in its own order."""
        by_conversation: dict[ConversationKey, list[Message]] = defaultdict(list)
        for message in messages:
            key = ConversationKey(message.tenant, message.conversation)
            by_conversation[key].append(message)
        sent = await asyncio.gather(*map(self._send, by_conversation.values()))
        await self._done("kafka", [message for part in sent for message in part])

    async def _send(self, messages: Sequence[Message]) -> list[Message]:
        """Send one conversation's messages up to the first that the broker does not take."""
        sent: list[Message] = []
        for message in messages:
            subject = f"{message.tenant}/{message.conversation}"
            topic, value = TOPICS[message.kind], message.payload
            if message.kind == "alert":
                with suppress(msgspec.MsgspecError):  # of another version: as it was stored
                    value = with_link(value, self._public_url)
            headers = cloud_event(message.id, topic, subject=subject, content_type=JSON)
            try:
                await self._publisher.publish(topic, subject.encode(), value, headers)
            except (KafkaError, OSError) as exc:
                dead = isinstance(exc, KafkaError) and not exc.retriable
                pause_s = min(FIRST_PAUSE_S * 2**message.attempts, LONGEST_PAUSE_S)
                until_ns = self._now_ns() + int(pause_s * 1e9)
                await put_off(self._engine, message, error=repr(exc), until_ns=until_ns, dead=dead)
                self.stats.dead["kafka"] += dead
                self.stats.refusing["kafka"] = repr(exc)
                _log.warning("not_delivered", sink="kafka", id=message.id, dead=dead)
                return sent
            sent.append(message)
            self.stats.refusing.pop("kafka", None)
        return sent

    async def _to_cache(self, messages: Sequence[Message]) -> None:
        keys = {ConversationKey(message.tenant, message.conversation) for message in messages}
        await self._cache.put(await read_aggregates(self._engine, keys))
        for key in await unknown_among(self._engine, keys):
            await self._cache.forget(key)  # erased between the read and the put
        await self._done("cache", messages)

    async def _to_feed(self, messages: Sequence[Message]) -> None:
        await append_to_feed(self._engine, messages, now_ns=self._now_ns(), keep_ns=KEEP_FEED_NS)
        self.stats.delivered["feed"] += len(messages)
        for tenant in {message.tenant for message in messages}:
            await self._tell(LiveMessage("wake", tenant, ""))

    async def _tell(self, message: LiveMessage) -> None:
        """Readers of the feed also look by themselves, so a lost message costs a second."""
        try:
            await self._cache.publish(message)
        except StoreUnavailableError as exc:
            self.stats.away["live"] = str(exc)
        else:
            self.stats.away.pop("live", None)
