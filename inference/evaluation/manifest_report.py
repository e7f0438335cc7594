"""Judge any expert on a manifest: the same reading, figures and intervals for all of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.intervals import intervals
from inference.evaluation.judged import JudgedRows
from inference.evaluation.report import (
    ABSENT,
    Breakdown,
    EvaluationReport,
    Intervals,
    Metrics,
)
from inference.evidence import Evidence, Expert, Quality
from inference.fusion.contract import Fuser
from inference.fusion.decision import decide, nothing_to_decide
from inference.fusion.groups import support_of
from inference.fusion.product import log_normalised
from inference.labels import EMOTIONS, AbsenceReason, Emotion
from inference.training.manifest import Item, Manifest
from inference.window import WindowInput

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Windows = Sequence[WindowInput] | AbsenceReason
Open = Callable[[Item], Windows]
"""The windows of an item, or why there are none."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A report, and the rows behind its headline."""

    report: EvaluationReport
    rows: JudgedRows


def judge_manifest(
    manifest: Manifest,
    expert: Expert,
    open_item: Open,
    fuser: Fuser,
    *,
    seed: int = 0,
    on_item: Callable[[], None] = lambda: None,
) -> Judgement:
    """Read every item and report on all, on those that the expert could read, and by group.

    The headline holds every item: one that the expert could not read gets its prior,
    uniform. `by.pattern` holds those that were read. Columns are the labels that the expert
    knows or that occur, neutral first: a row that says nothing calls neutral. Labels that
    occur and that the expert does not know keep their prior (see `ProductFuser.fuse`).

    Args:
        manifest: what to read.
        expert: whom to judge.
        open_item: makes the windows of an item.
        fuser: whose sets are judged: those of the expert alone, under the deployment prior.
        seed: of the bootstrap.
        on_item: called after each item.
    """
    readings: list[Evidence | AbsenceReason] = []
    for item in manifest.items:
        readings.append(read(expert, open_item(item)))
        on_item()
    rows = judged_rows(manifest.items, readings, fuser)
    present = np.array([isinstance(reading, Evidence) for reading in readings])
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


def read(expert: Expert, windows: Windows) -> Evidence | AbsenceReason:
    """The mean of what it said of the windows of an item; if absent on all, the commonest reason.

    Log-probabilities are averaged and normalised, log odds are averaged; quality is unknown.
    """
    if isinstance(windows, AbsenceReason):
        return windows
    findings = expert.assess(windows)
    heard = [finding for finding in findings if isinstance(finding, Evidence)]
    if not heard:
        reasons = [finding.reason for finding in findings if not isinstance(finding, Evidence)]
        return Counter(reasons).most_common(1)[0][0]
    odds = [one.distress_log_odds for one in heard if one.distress_log_odds is not None]
    return replace(
        heard[0],
        log_probs=log_normalised(np.mean([one.log_probs for one in heard], axis=0)),
        distress_log_odds=float(np.mean(odds)) if odds else None,
        quality=Quality(),
        cues=(),
    )


def judged_rows(
    items: Sequence[Item], readings: Sequence[Evidence | AbsenceReason], fuser: Fuser
) -> JudgedRows:
    """One row an item, in their order; an item that was not read gets the uniform prior."""
    known = {one.labels for one in readings if isinstance(one, Evidence)} or {EMOTIONS}
    occurring = {item.label for item in items}
    shown = [label for label in EMOTIONS if label in occurring.union(*known)]
    names = sorted(shown, key=lambda label: label is not Emotion.NEUTRAL)
    columns = [EMOTIONS.index(label) for label in names]
    odds = [one.distress_log_odds if isinstance(one, Evidence) else None for one in readings]
    return JudgedRows(
        labels=np.array([item.label.value for item in items]),
        log_probs=log_normalised(np.array([_support(one) for one in readings])[:, columns]),
        names=tuple(label.value for label in names),
        units=np.array([_unit(item) for item in items]),
        distress_log_odds=(
            np.array([one or 0.0 for one in odds]) if any(one is not None for one in odds) else None
        ),
        sets=np.array([_set(one, fuser) for one in readings])[:, columns],
    )


def _support(reading: Evidence | AbsenceReason) -> Floats:
    """(7,), 0 where nothing was read."""
    return support_of(reading) if isinstance(reading, Evidence) else np.zeros(len(EMOTIONS))


def _unit(item: Item) -> str:
    """Speakers first in name, so that no item can be taken for one."""
    return f"item {item.line}" if item.speaker is None else f"speaker {item.speaker}"


def _set(reading: Evidence | AbsenceReason, fuser: Fuser) -> Rows:
    """(7,) which labels the decision would not rule out."""
    decision = nothing_to_decide()
    if isinstance(reading, Evidence):
        fused = fuser.fuse([reading])
        decision = decide(
            dict(zip(EMOTIONS, np.exp(fused.log_probs).tolist(), strict=True)),
            fused.vacuity,
            fuser.calibration.threshold(fused.pattern),
            fuser.calibration.coverage,
        )
    return np.array([label in decision.set for label in EMOTIONS])


def _groups(items: Sequence[Item]) -> dict[str, Rows]:
    """Which items belong to each value of each column."""
    columns = dict.fromkeys(column for item in items for column in item.groups)
    return {
        f"{column}={value}": np.array([item.groups.get(column) == value for item in items])
        for column in columns
        for value in sorted({item.groups[column] for item in items if column in item.groups})
    }


def _absent(readings: Iterable[Evidence | AbsenceReason]) -> dict[str, Metrics]:
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
