"""The API as one application: routes, problems, metrics and the live feed behind them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.carried import settled
from storage.erasure import Eraser
from streams.serving import problems
from streams.serving.access.body_limit import BodyLimit
from streams.serving.access.caller import Authenticate
from streams.serving.access.guard import Guard
from streams.serving.access.headers import SecurityHeaders
from streams.serving.access.limits import Limits
from streams.serving.access.recorder import Recorder
from streams.serving.api import (
    access,
    alerts,
    conversations,
    deliveries,
    exports,
    health,
    labels,
    live,
    narrative,
    privacy,
    rules,
    search,
    summary,
    system,
    transcripts,
    trends,
)
from streams.serving.api.health import Check
from streams.serving.api.schemas import Documented
from streams.serving.api.telemetry import RequestMetrics, watch_feed
from streams.serving.finder import Finder
from streams.serving.live import LiveFeed
from streams.telling import Teller

DESCRIPTION: Final = (
    "Conversations and their scores. A score is a calibrated estimate of how listeners would "
    "describe what they hear and see. Errors are problem details (RFC 9457)."
)
BODY_LIMIT_BYTES: Final = 1_048_576

K_FLOOR: Final = 5


def create_app(
    *,
    engine: AsyncEngine,
    authenticate: Authenticate,
    feed: LiveFeed,
    eraser: Eraser | None = None,
    finder: Finder | None = None,
    checks: Sequence[Check] = (),
    registry: CollectorRegistry | None = None,
    k_floor: int = K_FLOOR,
    teller: Teller | None = None,
    limits: Limits | None = None,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
) -> FastAPI:
    """Build the API. It opens nothing and closes nothing that it is given.

    When it has ended none of its reads goes on: the engine may be disposed of.

    Args:
        engine: of the database.
        authenticate: says who asks; every query is bound to their tenant.
        feed: read while the application runs.
        eraser: erases on request; None erases in the database only.
        finder: searches for moments; None where no vectors are kept.
        checks: what `/readyz` asks.
        registry: what `/metrics` shows; the API adds its own metrics. None makes one.
        k_floor: trends say nothing of groups with fewer conversations.
        teller: puts calls into words; None leaves the words out.
        limits: how often somebody may ask; None is without end.
        body_limit_bytes: what a request may carry.
    """
    registry = CollectorRegistry() if registry is None else registry

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reading = asyncio.create_task(feed.run(), name="live-feed")
        try:
            yield
        finally:
            feed.close()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await settled()

    app = Documented(
        title="affectstream",
        version=version("affectstream"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json is complete
        redoc_url=None,
    )
    app.state.authenticate = authenticate
    problems.install(app)
    # from the routes outwards: what is refused further out never comes further in
    app.add_middleware(Recorder, engine=engine)
    app.add_middleware(Guard, authenticate=authenticate, limits=limits)
    app.add_middleware(BodyLimit, limit_bytes=body_limit_bytes)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, registry=registry)
    watch_feed(feed, registry)
    app.include_router(conversations.router(engine))
    app.include_router(transcripts.router(engine))
    app.include_router(exports.router(engine))
    app.include_router(search.router(finder))
    app.include_router(labels.router(engine, finder))
    app.include_router(narrative.router(engine, teller))
    app.include_router(trends.router(engine, k_floor))
    app.include_router(summary.router(engine, k_floor, teller))
    app.include_router(alerts.router(engine))
    app.include_router(deliveries.router(engine))
    app.include_router(privacy.router(engine, eraser or Eraser(engine)))
    app.include_router(live.router(feed))
    app.include_router(rules.router(engine))
    app.include_router(system.router(engine))
    app.include_router(access.router(engine))
    app.include_router(health.router(checks, registry))
    return app
