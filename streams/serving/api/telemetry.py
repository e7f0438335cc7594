"""Counts, durations and logs of requests, by route and status: no ids in them."""

import time
from collections.abc import Iterator
from http import HTTPMethod, HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.serving.live import LiveFeed
from streams.serving.problems import route_of
from streams.telemetry import logger

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS: Final = frozenset(HTTPMethod)
OTHER: Final = "other"
"""A method that HTTP does not know: whoever asks could write anything there."""
_log = logger("api")


class RequestMetrics:
    """Pure ASGI middleware: counts each request once, times it until the headers go out.

    A live stream lasts for hours; until the headers is what its reader waits for.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "affectstream_http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "affectstream_http_request_seconds",
            "Time until the response begins.",
            ["route"],
            buckets=BUCKETS_S,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure HTTP; pass anything else through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, begun = time.perf_counter(), False

        async def measured(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._count(scope, int(message["status"]), time.perf_counter() - started)
            await send(message)

        try:
            await self._app(scope, receive, measured)
        except Exception:
            if not begun:  # answered further out, where nobody counts
                self._count(
                    scope, int(HTTPStatus.INTERNAL_SERVER_ERROR), time.perf_counter() - started
                )
            raise

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = route_of(scope)
        self._seconds.labels(route).observe(seconds)
        self._requests.labels(method, route, str(status)).inc()
        _log.debug("request", method=method, route=route, status=status, seconds=round(seconds, 4))


def watch_feed(feed: LiveFeed, registry: CollectorRegistry) -> None:
    """Show how many listen, and how often a slow one went back to SQL."""
    listeners = Gauge("affectstream_live_listeners", "Open live streams.", registry=registry)
    listeners.set_function(lambda: feed.listeners)
    registry.register(_Fallbacks(feed))


class _Fallbacks(Collector):
    """The feed counts by itself."""

    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """One counter."""
        yield CounterMetricFamily(
            "affectstream_live_fallbacks",
            "Full queues that sent a listener back to SQL.",
            value=self._feed.fallbacks,
        )
