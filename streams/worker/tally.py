"""Counts of what a worker scored and stored. No label ever names anybody."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric

from inference.labels import MODALITIES, AbsenceReason
from inference.score import WindowScore
from inference.units import SECOND_NS
from storage.values import ParticipantBatch, Ruling
from streams.alerts.rule import shipped_rules
from streams.policy import Basis

DELAY_BUCKETS_S: Final = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120, 300, 900, 3_600)
"""A call is watched within seconds; what lies beyond minutes is a backlog."""
BATCH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_WINDOWS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
PRESENT: Final = "present"
SHED_STEPS: Final = ("provisional", "face")
SEVERITIES: Final = ("info", "warning", "critical")
BASES: Final = frozenset(Basis)
OTHER: Final = "other"
"""For a value that is none of ours: a label is never taken from what came in."""


class Tally:
    """Filled by the pump, shown by `WorkerMetrics`.

    Every series that may ever exist exists from the start at 0, so a rate sees the first event.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._windows = _counter(
            "windows_stored", "Final windows stored, by what could be said of them.", "result"
        )
        self._partial = _counter("windows_partial", "Final windows closed before all input came.")
        self._modalities = _counter(
            "modality_windows",
            "Final windows by modality: present, or the reason why it had no say.",
            "modality",
            "outcome",
        )
        self._shed = _counter("windows_shed", "Final windows that overload cost something.", "step")
        self._rules = frozenset(shipped_rules())
        self._alerts = _counter("alerts_fired", "Alerts that began.", "rule", "severity")
        self._decisions = _counter(
            "policy_decisions",
            "Policy decisions stored, by modality and what they rest on.",
            "modality",
            "basis",
        )
        self._delay = _histogram(
            "score_delay_seconds", "Wall time stored less event time ended.", DELAY_BUCKETS_S
        )
        self._seconds = _histogram(
            "batch_seconds", "Time that the experts took for one batch.", BATCH_SECONDS
        )
        self._sizes = _histogram("batch_windows", "Windows scored together.", BATCH_WINDOWS)
        for result in ("scored", "abstained", "empty"):
            self._windows.labels(result)
        for modality in MODALITIES:
            for outcome in (PRESENT, *AbsenceReason):
                self._modalities.labels(modality, outcome)
        for step in (*SHED_STEPS, OTHER):
            self._shed.labels(step)
        for rule in (*self._rules, OTHER):
            for severity in SEVERITIES:
                self._alerts.labels(rule, severity)
        for modality in MODALITIES:
            for basis in Basis:
                self._decisions.labels(modality, basis)

    def scored(self, windows: int, seconds: float) -> None:
        """The experts answered one batch."""
        self._sizes.observe(windows)
        self._seconds.observe(seconds)

    def stored(self, batch: ParticipantBatch) -> None:
        """A batch is in the database."""
        now_ns = self._wall_ns()
        for score in batch.scores:
            self._windows.labels(_result(score)).inc()
            self._partial.inc(score.partial)
            self._delay.observe(max(0.0, (now_ns - score.end_ns) / SECOND_NS))
            for modality, report in score.modalities.items():
                outcome = PRESENT if report.present else report.reason or AbsenceReason.FAILED
                self._modalities.labels(modality, outcome).inc()
            for step in score.shed:
                self._shed.labels(step if step in SHED_STEPS else OTHER).inc()
        for change in batch.transitions:
            if change.begins_alert:
                rule = change.rule if change.rule in self._rules else OTHER
                severity = change.severity if change.severity in SEVERITIES else OTHER
                self._alerts.labels(rule, severity).inc()

    def decided(self, rulings: Iterable[Ruling]) -> None:
        """Decisions are on record that were not before."""
        for ruling in rulings:
            basis = ruling.basis if ruling.basis in BASES else OTHER
            self._decisions.labels(ruling.modality, basis).inc()

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it stands."""
        for metric in (
            self._windows,
            self._partial,
            self._modalities,
            self._shed,
            self._alerts,
            self._decisions,
            self._delay,
            self._seconds,
            self._sizes,
        ):
            for family in metric.collect():
                # when a series began is of no use here, and doubles their number
                family.samples = [
                    one for one in family.samples if not one.name.endswith("_created")
                ]
                yield family


def _result(score: WindowScore) -> str:
    """`empty` had nothing to read; `abstained` had, and no label that could be said."""
    if score.emotions is None:
        return "empty"
    return "abstained" if score.decision.abstained else "scored"


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"affectstream_worker_{name}", text, labels, registry=None)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"affectstream_worker_{name}", text, buckets=buckets, registry=None)
