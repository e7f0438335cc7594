"""What waits in the outbox, as Prometheus metrics; asked of the database when they are."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.window import SECOND_NS
from storage.messages import SINKS
from storage.system import Waiting, read_outbox

NOTHING: Final = Waiting(0, None, 0)


class OutboxMetrics(Collector):
    """Of all tenants. Every worker of a deployment shows the same figures.

    While the database is away there are none: an old figure would look like a good one.
    """

    def __init__(self, engine: AsyncEngine, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._engine = engine
        self._now_ns = now_ns
        self._outbox: Mapping[str, Waiting] | None = None

    async def refresh(self) -> None:
        """Ask the database. Raises StoreUnavailableError."""
        self._outbox = None
        nothing = {sink: NOTHING for sinks in SINKS.values() for sink in sinks}
        self._outbox = {**nothing, **await read_outbox(self._engine)}

    def collect(self) -> Iterator[Metric]:
        """Yield what the last `refresh` found."""
        waiting = _gauge("waiting", "Messages that a sink still has to take.")
        oldest = _gauge("oldest_seconds", "Age of the oldest of them, in event time.")
        dead = _gauge("dead", "Messages that were given up and are kept.")
        now_ns = self._now_ns()
        for sink, found in sorted((self._outbox or {}).items()):
            waiting.add_metric([sink], found.waiting)
            dead.add_metric([sink], found.dead)
            age_ns = 0 if found.oldest_ns is None else max(now_ns - found.oldest_ns, 0)
            oldest.add_metric([sink], age_ns / SECOND_NS)
        yield from (waiting, oldest, dead)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"affectstream_outbox_{name}", text, labels=["sink"])
