"""The API put together from open stores: for `serve`, and for a process that does more."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.cache import Cache
from storage.conversations import read_queue
from storage.erasure import Eraser
from storage.errors import NoTablesError
from storage.feed import StoredFeed
from storage.upgrade import revision
from storage.values import ConversationKey
from streams.serving.access.caller import Authenticate
from streams.serving.access.limits import Limits
from streams.serving.api.app import BODY_LIMIT_BYTES, K_FLOOR, create_app
from streams.serving.api.health import Check
from streams.serving.finder import Finder
from streams.serving.live import LiveFeed
from streams.telling import Teller


@dataclass(frozen=True, slots=True)
class Api:
    """The application, and the feed to close before its server drains."""

    app: FastAPI
    feed: LiveFeed


def build_api(
    engine: AsyncEngine,
    cache: Cache,
    authenticate: Authenticate,
    *,
    eraser: Eraser | None = None,
    finder: Finder | None = None,
    checks: Sequence[Check] = (),
    registry: CollectorRegistry | None = None,
    k_floor: int = K_FLOOR,
    teller: Teller | None = None,
    limits: Limits | None = None,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
) -> Api:
    """The API. Connects to nothing until it runs.

    Args:
        engine: of the database.
        cache: tells of provisional scores and new events.
        authenticate: says who asks.
        eraser: erases on request; None erases in the database only.
        finder: searches for moments; None where no vectors are kept.
        checks: asked by `/readyz` beside `database` and `cache`.
        registry: shown by `/metrics`; the API adds its own metrics.
        k_floor: as in `create_app`.
        teller: as in `create_app`.
        limits: how often somebody may ask; None is without end.
        body_limit_bytes: what a request may carry.
    """

    async def queue_of(key: ConversationKey) -> str | None:
        return await read_queue(engine, key)

    async def database() -> None:
        if await revision(engine) is None:
            raise NoTablesError("the database has no tables: run `affectstream db upgrade`")

    feed = LiveFeed(StoredFeed(engine), queue_of, signals=cache)
    app = create_app(
        engine=engine,
        authenticate=authenticate,
        feed=feed,
        eraser=eraser,
        finder=finder,
        checks=(Check("database", database), Check("cache", cache.check), *checks),
        registry=registry,
        k_floor=k_floor,
        teller=teller,
        limits=limits,
        body_limit_bytes=body_limit_bytes,
    )
    return Api(app, feed)
