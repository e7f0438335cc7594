"""Every metric that a worker and an API show, each after some use."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from storage.values import ConversationKey
from streams.serving.access.caller import everyone
from streams.serving.api.app import create_app
from streams.serving.live import LiveFeed
from streams.worker.metrics import WorkerMetrics
from streams.worker.outbox_metrics import OutboxMetrics
from streams.worker.pump import PumpStats
from streams.worker.relay import RelayStats


def worker_metrics() -> list[Metric]:
    """Of a worker that has not done anything."""
    worker = SimpleNamespace(
        pump=SimpleNamespace(stats=PumpStats(), hurry=False),
        partitions=SimpleNamespace(
            records_expired=0, conversations=0, held_bytes=0, records_behind={}
        ),
        paused=False,
    )
    relay = SimpleNamespace(stats=RelayStats(), sinks=("kafka",))
    nothing = cast("Any", None)
    return [
        *WorkerMetrics(cast("Any", worker), cast("Any", relay)).collect(),
        *OutboxMetrics(nothing).collect(),
    ]


def api_metrics() -> list[Metric]:
    """Of an API that nobody asked anything."""

    async def queue_of(_: ConversationKey) -> str | None:
        return None

    registry = CollectorRegistry()
    nothing = cast("Any", None)
    feed = LiveFeed(nothing, queue_of)
    app = create_app(engine=nothing, authenticate=everyone("acme"), feed=feed, registry=registry)
    app.build_middleware_stack()  # otherwise at the first request
    return list(registry.collect())


def scraped(families: Iterable[Metric]) -> set[str]:
    """Names as one writes them in a query: a histogram's without `_bucket`, `_sum`, `_count`."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    }


def series(families: Iterable[Metric]) -> set[str]:
    """Names of every series."""
    ends = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_sum", "_count"),
    }
    return {family.name + end for family in families for end in ends.get(family.type, ("",))}
