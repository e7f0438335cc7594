"""What waits in the outbox, as Prometheus metrics; asked of the database when they are."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import SECOND_NS
from storage.messages import SINKS
from storage.system import Waiting, read_outbox
from streams.worker.relay import UNKNOWN_SINK

NOTHING: Final = Waiting(0, None, 0)


class OutboxMetrics(Collector):
    """Of all tenants. Every worker of a deployment shows the same figures.

    While the database is away there are none: an old figure would look like a good one.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        now_ns: Callable[[], int] = time.time_ns,
        *,
        targets: Collection[str] = (),
    ) -> None:
        """`targets`: sinks of the settings; rules may name others, which no label repeats."""
        self._engine = engine
        self._known = {sink for sinks in SINKS.values() for sink in sinks} | {*targets}
        self._now_ns = now_ns
        self._outbox: Mapping[str, Waiting] | None = None

    async def refresh(self) -> None:
        """Ask the database. Raises StoreUnavailableError."""
        self._outbox = None
        outbox = {**dict.fromkeys(self._known, NOTHING), UNKNOWN_SINK: NOTHING}
        for sink, found in (await read_outbox(self._engine)).items():
            name = sink if sink in self._known else UNKNOWN_SINK
            outbox[name] = _together(outbox[name], found)
        self._outbox = outbox

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


def _together(one: Waiting, other: Waiting) -> Waiting:
    oldest_ns = [item.oldest_ns for item in (one, other) if item.oldest_ns is not None]
    return Waiting(one.waiting + other.waiting, min(oldest_ns, default=None), one.dead + other.dead)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"affectstream_outbox_{name}", text, labels=["sink"])
