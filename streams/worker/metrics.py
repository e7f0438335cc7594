"""What a worker counts, as Prometheus metrics read when they are asked for."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.worker.relay import UNKNOWN_SINK, Relay
from streams.worker.service import Worker


class WorkerMetrics(Collector):
    """Reads the counters of worker and relay: nothing is counted twice."""

    def __init__(self, worker: Worker, relay: Relay) -> None:
        self._worker = worker
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the worker."""
        stats, partitions = self._worker.pump.stats, self._worker.partitions
        counters = {
            "windows_given_up": ("Windows that failed three times.", stats.windows_given_up),
            "closings_rejected": (
                "Batches refused because another worker had stored more.",
                stats.closings_rejected,
            ),
            "dead_letters": ("Records sent to .dlq or .late.", stats.letters_delivered),
            "provisional_sent": ("Provisional scores shown.", stats.provisional_sent),
            "provisional_shed": (
                "Provisional scores left out under load.",
                stats.provisional_shed,
            ),
            "rule_errors": ("Times that an alert rule raised.", stats.rule_errors),
            "narrator_errors": ("Times that a narrator raised.", stats.narrator_errors),
            "narratives_fallen_back": (
                "Texts of alerts that were not told by the narrator that was asked first.",
                stats.narratives_fallen_back,
            ),
            "records_expired": (
                "Records that retention deleted before they were read.",
                partitions.records_expired,
            ),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"affectstream_worker_{name}", text, value=value)
        gauges = {
            "conversations": ("Conversations in memory.", partitions.conversations),
            "held_bytes": ("Payload bytes that open windows hold.", partitions.held_bytes),
            "paused": (
                "1 while topics that are ahead are not read, for want of memory.",
                int(self._worker.paused),
            ),
            "in_a_hurry": (
                "1 while windows close early for want of memory.",
                int(self._worker.pump.hurry),
            ),
            "database_up": (
                "0 while the database cannot be reached.",
                int(stats.database_down is None),
            ),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"affectstream_worker_{name}", text, value=value)
        behind = GaugeMetricFamily(
            "affectstream_worker_records_behind",
            "Records on the log that were not read yet.",
            labels=["topic"],
        )
        for topic, count in partitions.records_behind.items():
            behind.add_metric([topic], count)
        yield behind
        yield from stats.tally.collect()
        yield from self._of_relay()

    def _of_relay(self) -> Iterator[Metric]:
        """A series a sink, from the start: the rate of what never happened is 0."""
        stats = self._relay.stats
        attempts = CounterMetricFamily(
            "affectstream_relay_alert_attempts",
            "Attempts to tell programs outside of alerts.",
            labels=["sink", "outcome"],
        )
        for (sink, outcome), count in stats.outcomes.items():
            attempts.add_metric([sink, outcome], count)
        yield attempts
        told = CounterMetricFamily(
            "affectstream_relay_delivered", "Outbox rows that a sink took.", labels=["sink"]
        )
        dead = CounterMetricFamily(
            "affectstream_relay_dead", "Outbox rows given up.", labels=["sink"]
        )
        up = GaugeMetricFamily(
            "affectstream_relay_sink_up",
            "0 while a sink is away or refuses what it is told.",
            labels=["sink"],
        )
        trouble = stats.away.keys() | stats.refusing.keys()
        for sink in self._relay.sinks:
            told.add_metric([sink], stats.delivered.get(sink, 0))
            up.add_metric([sink], int(sink not in trouble))
        for sink in (*self._relay.sinks, UNKNOWN_SINK):
            dead.add_metric([sink], stats.dead.get(sink, 0))
        yield from (told, dead, up)
