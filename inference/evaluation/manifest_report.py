"""Judge any expert on a manifest: the same reading, figures and intervals for all of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.intervals import intervals
from inference.evaluation.judged import JudgedRows
from inference.evaluation.manifest import Item, Manifest
from inference.evaluation.report import (
    ABSENT,
    Breakdown,
    EvaluationReport,
    Intervals,
    Metrics,
)
from inference.evidence import Evidence, Expert
from inference.fusion.decision import decide
from inference.labels import EMOTIONS, AbsenceReason, Emotion
from inference.window import WindowInput

SAYS_NOTHING: Final = 1.0
"""The vacuity of an item on which the expert was absent."""
Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Windows = Sequence[WindowInput] | AbsenceReason
Open = Callable[[Item], Windows]
"""The windows of an item, or why there are none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expert said of one item, over those of its windows on which it was present.

    Attributes:
        support: (7,) mean log ratio to the expert's uniform prior, in the order of `EMOTIONS`;
            0 for labels that it does not know.
        known: labels that it knows.
        distress_log_odds: mean, None where it has no calibrated say.
    """

    support: Floats
    known: frozenset[Emotion]
    distress_log_odds: float | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A report, and the rows behind its headline."""

    report: EvaluationReport
    rows: JudgedRows


def judge_manifest(
    manifest: Manifest,
    expert: Expert,
    open_item: Open,
    *,
    seed: int = 0,
    on_item: Callable[[], None] = lambda: None,
) -> Judgement:
    """Read every item and report on all, on those that the expert could read, and by group.

    The headline holds every item: one that the expert could not read gets its prior,
    uniform. `by.pattern` holds those that were read. Columns are the labels that the expert
    knows or that occur, neutral first: a row that says nothing calls neutral. Labels that
    occur and that the expert does not know keep their prior (see `fusion.late.fuse`).

    Args:
        manifest: what to read.
        expert: whom to judge.
        open_item: makes the windows of an item.
        seed: of the bootstrap.
        on_item: called after each item.
    """
    readings: list[Reading | AbsenceReason] = []
    for item in manifest.items:
        readings.append(read(expert, open_item(item)))
        on_item()
    rows = judged_rows(manifest.items, readings)
    present = np.array([isinstance(reading, Reading) for reading in readings])
    by_pattern = {expert.modality.value: present} if present.any() else {}
    by_group = _groups(manifest.items)
    report = EvaluationReport(
        task=expert.modality.value,
        n=len(manifest.items),
        metrics=rows.figures(),
        by=Breakdown(
            pattern=_parts(rows, by_pattern),
            group={**_absent(readings), **_parts(rows, by_group)},
        ),
        versions={expert.modality.value: expert.version, **manifest.about},
        intervals=Intervals(
            unit="speaker" if any(item.speaker for item in manifest.items) else "item",
            units=len(np.unique(rows.units)),
            metrics=intervals(rows, seed=seed),
            pattern=_intervals(rows, by_pattern, seed),
            group=_intervals(rows, by_group, seed),
        ),
    )
    return Judgement(report, rows)


def read(expert: Expert, windows: Windows) -> Reading | AbsenceReason:
    """One answer to all windows of an item; if absent on all, the commonest reason."""
    if isinstance(windows, AbsenceReason):
        return windows
    findings = expert.assess(windows)
    heard = [finding for finding in findings if isinstance(finding, Evidence)]
    if not heard:
        reasons = [finding.reason for finding in findings if not isinstance(finding, Evidence)]
        return Counter(reasons).most_common(1)[0][0]
    odds = [one.distress_log_odds for one in heard if one.distress_log_odds is not None]
    return Reading(
        support=np.mean([_support(one) for one in heard], axis=0),
        known=frozenset(label for one in heard for label in one.labels),
        distress_log_odds=float(np.mean(odds)) if odds else None,
    )


def judged_rows(items: Sequence[Item], readings: Sequence[Reading | AbsenceReason]) -> JudgedRows:
    """One row an item, in their order; an item that was not read gets the uniform prior."""
    read_ones = [reading for reading in readings if isinstance(reading, Reading)]
    known = {label for reading in read_ones for label in reading.known} or set(EMOTIONS)
    occurring = {item.label for item in items}
    names = sorted(
        (label for label in EMOTIONS if label in known | occurring),
        key=lambda label: label is not Emotion.NEUTRAL,
    )
    columns = [EMOTIONS.index(label) for label in names]
    silent = Reading(np.zeros(len(EMOTIONS)), frozenset(), None)
    filled = [reading if isinstance(reading, Reading) else silent for reading in readings]
    support = np.array([reading.support[columns] for reading in filled])  # (n, names)
    log_probs = support - np.logaddexp.reduce(support, axis=1, keepdims=True)
    odds = np.array([reading.distress_log_odds or 0.0 for reading in filled])
    says_distress = any(reading.distress_log_odds is not None for reading in filled)
    said = [isinstance(reading, Reading) for reading in readings]
    return JudgedRows(
        labels=np.array([item.label.value for item in items]),
        log_probs=log_probs,
        names=tuple(label.value for label in names),
        units=np.array([_unit(item) for item in items]),
        distress_log_odds=odds if says_distress else None,
        sets=np.array([_set(row, names, one) for row, one in zip(log_probs, said, strict=True)]),
    )


def _support(evidence: Evidence) -> Floats:
    support = np.zeros(len(EMOTIONS))
    columns = [EMOTIONS.index(label) for label in evidence.labels]
    support[columns] = evidence.log_probs + np.log(len(evidence.labels))
    return support


def _unit(item: Item) -> str:
    """Speakers first in name, so that no item can be taken for one."""
    return f"item {item.line}" if item.speaker is None else f"speaker {item.speaker}"


def _set(log_probs: Floats, names: Sequence[Emotion], said: bool) -> Rows:  # noqa: FBT001
    """(names,) which labels the decision would not rule out."""
    emotions = dict.fromkeys(EMOTIONS, 0.0)
    emotions |= dict(zip(names, np.exp(log_probs).tolist(), strict=True))
    held = decide(emotions, 0.0 if said else SAYS_NOTHING).set
    return np.array([label in held for label in names])


def _groups(items: Sequence[Item]) -> dict[str, Rows]:
    """Which items belong to each value of each column."""
    columns = dict.fromkeys(column for item in items for column in item.groups)
    return {
        f"{column}={value}": np.array([item.groups.get(column) == value for item in items])
        for column in columns
        for value in sorted({item.groups[column] for item in items if column in item.groups})
    }


def _absent(readings: Iterable[Reading | AbsenceReason]) -> dict[str, Metrics]:
    """How many items were not read, by reason; nothing where all were."""
    reasons = Counter(reading for reading in readings if isinstance(reading, AbsenceReason))
    counts = {reason.value: float(reasons[reason]) for reason in sorted(reasons)}
    return {ABSENT: counts} if counts else {}


def _parts(rows: JudgedRows, parts: Mapping[str, Rows]) -> dict[str, Metrics]:
    return {
        name: {"n": float(kept.sum()), **rows.of(kept).figures()} for name, kept in parts.items()
    }


def _intervals(
    rows: JudgedRows, parts: Mapping[str, Rows], seed: int
) -> dict[str, dict[str, tuple[float, float]]]:
    found = {name: intervals(rows.of(kept), seed=seed) for name, kept in parts.items()}
    return {name: bounds for name, bounds in found.items() if bounds}
