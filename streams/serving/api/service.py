"""The API put together from open stores: for `serve`, and for a process that does more."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.cache import Cache
from storage.conversations import read_queue
from storage.errors import StorageError
from storage.feed import StoredFeed
from storage.upgrade import revision
from storage.values import ConversationKey
from streams.serving.api.app import create_app
from streams.serving.api.health import Check
from streams.serving.live import LiveFeed


@dataclass(frozen=True, slots=True)
class Api:
    """The application, and the feed to close before its server drains."""

    app: FastAPI
    feed: LiveFeed


def build_api(
    engine: AsyncEngine,
    cache: Cache,
    tenant: str,
    *,
    checks: Sequence[Check] = (),
    registry: CollectorRegistry | None = None,
) -> Api:
    """The API of one tenant. Connects to nothing until it runs.

    Args:
        engine: of the database; only read.
        cache: tells of provisional scores and new events.
        tenant: whose conversations are shown.
        checks: asked by `/readyz` beside `database` and `cache`.
        registry: shown by `/metrics`; the API adds its own metrics.
    """

    async def queue_of(conversation: str) -> str | None:
        return await read_queue(engine, ConversationKey(tenant, conversation))

    async def database() -> None:
        if await revision(engine) is None:
            raise StorageError("the database has no tables: run `affectstream db upgrade`")

    feed = LiveFeed(StoredFeed(engine, tenant), queue_of, tenant=tenant, signals=cache)
    app = create_app(
        engine=engine,
        tenant=tenant,
        feed=feed,
        checks=(Check("database", database), Check("cache", cache.check), *checks),
        registry=registry,
    )
    return Api(app, feed)
