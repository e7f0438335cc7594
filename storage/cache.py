"""Aggregates for those who look now, and a way to wake and tell live readers.

Holds only what can be rebuilt from SQL. Every value carries the progress that it was made
from, and an older one never replaces a newer one, in whatever order they arrive.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
import redis.asyncio as redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.aggregates import Aggregate, read_aggregates
from storage.errors import StorageError, StoreUnavailableError
from storage.values import ConversationKey

PREFIX: Final = "affectstream"
LIVE_CHANNEL: Final = f"{PREFIX}:live"
KEEP_S: Final = 48 * 3_600
"""An aggregate nobody writes any more is forgotten after this."""
ANSWER_S: Final = 5.0
QUEUE_SIZE: Final = 1_000


class LiveMessage(msgspec.Struct, frozen=True, array_like=True):
    """What is told to live readers at once: best effort, stored nowhere.

    `kind` is `provisional` with a score as payload, or `wake` without: the feed in SQL has
    something new.
    """

    kind: str
    tenant: str
    conversation: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """A queue now: running conversations, and the mean of their newest smoothed distress."""

    conversations: int
    distress: float | None


class Cache(Protocol):
    """Redis, or memory where one process does everything. Raises StoreUnavailableError."""

    async def put(self, aggregates: Iterable[Aggregate]) -> None:
        """Keep each unless a newer one is there."""
        ...

    async def aggregates(self, tenant: str) -> list[Aggregate]:
        """All of one tenant, by conversation and participant."""
        ...

    async def clear(self) -> None:
        """Forget every aggregate."""
        ...

    async def forget(self, key: ConversationKey) -> int:
        """Forget every aggregate of one conversation; returns how many keys that were."""
        ...

    async def publish(self, message: LiveMessage) -> None:
        """Tell whoever listens now."""
        ...

    def listen(self) -> "Listening":
        """Messages from now on."""
        ...

    async def check(self) -> None:
        """Return if the cache answers."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


Listening = AsyncIterator[LiveMessage]


def queue_figures(aggregates: Iterable[Aggregate]) -> dict[str, QueueFigures]:
    """Figures of each queue with running conversations, summed when they are read."""
    running: dict[str, list[Aggregate]] = defaultdict(list)
    for item in aggregates:
        if not item.ended:
            running[item.queue].append(item)
    figures = {}
    for queue, members in running.items():
        values = [item.distress_smoothed for item in members if item.distress_smoothed is not None]
        figures[queue] = QueueFigures(
            conversations=len({item.conversation for item in members}),
            distress=round(sum(values) / len(values), 4) if values else None,
        )
    return figures


def open_cache(url: str) -> Cache:
    """`memory://`, or `redis://…`; connects to nothing yet.

    Raises StorageError for any other URL.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryCache()
    if scheme in {"redis", "rediss", "unix"}:
        return RedisCache(url)
    raise StorageError(f"cache_url begins with {scheme or url!r}: use redis://… or memory://")


class SeparateMemoryError(StorageError):
    """A memory cache was asked for by a command that is a process of its own."""


def open_shared_cache(url: str) -> Cache:
    """A cache that other processes see.

    Raises SeparateMemoryError for `memory://`, which only the demo can use.
    """
    if urlsplit(url).scheme == "memory":
        raise SeparateMemoryError(
            "cache_url is memory://, which works only within one process (`affectstream demo`): "
            "set AFFECTSTREAM_CACHE_URL=redis://HOST:6379/0 for every other command"
        )
    return open_cache(url)


async def rebuild(engine: AsyncEngine, cache: Cache) -> int:
    """Make the cache anew from SQL; returns the number of aggregates.

    Safe while workers run: what they put meanwhile is newer and stays.

    Raises StoreUnavailableError.
    """
    await cache.clear()
    aggregates = await read_aggregates(engine)
    await cache.put(aggregates)
    return len(aggregates)


def _in_order(aggregates: Iterable[Aggregate]) -> list[Aggregate]:
    return sorted(aggregates, key=lambda item: (item.conversation, item.participant))


class MemoryCache:
    """The same contract within one process."""

    def __init__(self) -> None:
        self._aggregates: dict[tuple[str, str, str], Aggregate] = {}
        self._listeners: set[asyncio.Queue[LiveMessage]] = set()

    async def put(self, aggregates: Iterable[Aggregate]) -> None:
        """Keep each unless a newer one is there."""
        for item in aggregates:
            key = (item.tenant, item.conversation, item.participant)
            known = self._aggregates.get(key)
            if known is None or known.version <= item.version:
                self._aggregates[key] = item

    async def aggregates(self, tenant: str) -> list[Aggregate]:
        """All of one tenant, by conversation and participant."""
        return _in_order(item for item in self._aggregates.values() if item.tenant == tenant)

    async def clear(self) -> None:
        """Forget every aggregate."""
        self._aggregates.clear()

    async def forget(self, key: ConversationKey) -> int:
        """Forget every aggregate of one conversation; returns how many that were."""
        gone = [one for one in self._aggregates if one[:2] == (key.tenant, key.conversation)]
        for one in gone:
            del self._aggregates[one]
        return len(gone)

    async def publish(self, message: LiveMessage) -> None:
        """Tell whoever listens now; one who does not keep up misses it."""
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(message)

    async def listen(self) -> AsyncIterator[LiveMessage]:
        """Messages from the first `anext` on."""
        queue: asyncio.Queue[LiveMessage] = asyncio.Queue(QUEUE_SIZE)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def check(self) -> None:
        """Always answers."""

    async def close(self) -> None:
        """Nothing to let go of."""


_PUT: Final = """
for index, key in ipairs(KEYS) do
  local version, value = ARGV[2 * index], ARGV[2 * index + 1]
  local known = redis.call('HGET', key, 'version')
  if not known or known <= version then
    redis.call('HSET', key, 'version', version, 'value', value)
  end
  redis.call('EXPIRE', key, ARGV[1])
end
"""
"""ARGV: seconds to keep, then version and value of each key. Versions compare as text."""


class RedisCache:
    """Redis over RESP3; every failure is StoreUnavailableError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = redis.from_url(
            url, protocol=3, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )
        self._put = self._client.register_script(_PUT)

    async def put(self, aggregates: Iterable[Aggregate]) -> None:
        """Keep each unless a newer one is there."""
        items = list(aggregates)
        if not items:
            return
        arguments: list[str | bytes] = [str(KEEP_S)]
        for item in items:
            arguments += [item.version, msgspec.json.encode(item)]
        async with _answering():
            await self._put(keys=[_key(item) for item in items], args=arguments)

    async def aggregates(self, tenant: str) -> list[Aggregate]:
        """All of one tenant, by conversation and participant."""
        async with _answering():
            keys = [key async for key in self._client.scan_iter(f"{PREFIX}:now:{tenant}/*")]
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hget(key, "value")
                values = await pipeline.execute()
        found = (msgspec.json.decode(value, type=Aggregate) for value in values if value)
        return _in_order(item for item in found if item.tenant == tenant)

    async def clear(self) -> None:
        """Forget every aggregate."""
        async with _answering():
            keys = [key async for key in self._client.scan_iter(f"{PREFIX}:now:*")]
            if keys:
                await self._client.delete(*keys)

    async def forget(self, key: ConversationKey) -> int:
        """Forget every aggregate of one conversation; returns how many keys that were."""
        name = re.sub(r"([*?\[\]\\])", r"\\\1", f"{key.tenant}/{key.conversation}")
        pattern = f"{PREFIX}:now:{name}/*"
        async with _answering():
            keys = [name async for name in self._client.scan_iter(pattern)]
            return int(await self._client.delete(*keys)) if keys else 0

    async def publish(self, message: LiveMessage) -> None:
        """Tell whoever listens now."""
        async with _answering():
            await self._client.publish(LIVE_CHANNEL, msgspec.msgpack.encode(message))

    async def listen(self) -> AsyncIterator[LiveMessage]:
        """Messages from the first `anext` on."""
        # A connection without a read timeout: nobody may say anything for hours.
        client = redis.from_url(self._url, protocol=3, socket_connect_timeout=ANSWER_S)
        try:
            async with _answering(), client.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(LIVE_CHANNEL)
                async for message in channel.listen():
                    yield msgspec.msgpack.decode(message["data"], type=LiveMessage)
        finally:
            await client.aclose()

    async def check(self) -> None:
        """Return if Redis answers."""
        async with _answering():
            await self._client.ping()

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


def _key(item: Aggregate) -> str:
    return f"{PREFIX}:now:{item.tenant}/{item.conversation}/{item.participant}"


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
        raise StoreUnavailableError(f"Redis does not answer: {exc}") from exc
