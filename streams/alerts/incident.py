"""What a narrator may say of an alert: the windows that made it fire, and nothing else.

Made from what the state machine carries, so a replay in other pieces makes the same record.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from inference.labels import EMOTIONS, Modality, Role
from inference.narrator.incident import (
    MOST_CUES,
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    WindowFact,
)
from inference.units import SECOND_NS
from streams.alerts.evidence import Estimate, Seen

PROBABILITY: Final = "distress"
"""The metric whose peak is one of distress."""


def incident_of(  # noqa: PLR0913 - one for each thing that a record says
    trail: Sequence[Seen],
    *,
    rule: str,
    metric: str,
    severity: str,
    peak: float,
    dwell_ns: int,
    role: Role,
    participant: str,
    began_ns: int,
) -> IncidentRecord:
    """The record of an alert at the moment in which it fires.

    Args:
        trail: windows that led to it, ascending.
        rule: its name.
        metric: what it watches.
        severity: of the rule.
        peak: most extreme value of the metric since pending.
        dwell_ns: how long it has stayed past the threshold.
        role: of whom it is about.
        participant: their id.
        began_ns: when the conversation began; times in the record count from there.
    """
    known = [(seen, seen.estimate) for seen in trail if seen.estimate is not None]
    levels = [estimate.distress for _, estimate in known if estimate.distress is not None]
    if metric == PROBABILITY:
        levels.append(peak)
    figures = [(FigureName.DWELL_S, dwell_ns / SECOND_NS)]
    if levels:
        figures.append((FigureName.PEAK, max(levels)))
    return IncidentRecord(
        kind=Kind.ALERT,
        rule=rule,
        metric=metric,
        severity=severity,
        role=role,
        participant=participant,
        windows=tuple(
            window_fact(f"w{number}", seen.start_ns - began_ns, seen.end_ns - began_ns, estimate)
            for number, (seen, estimate) in enumerate(known, 1)
        ),
        cues=_cues(trail, began_ns),
        figures=tuple(
            Figure(id=f"f{number}", name=name, value=value)
            for number, (name, value) in enumerate(figures, 1)
        ),
    )


def window_fact(name: str, start_ns: int, end_ns: int, estimate: Estimate) -> WindowFact:
    """A window as a record holds it, in nanoseconds since the conversation began."""
    return WindowFact(
        id=name,
        start_ns=start_ns,
        end_ns=end_ns,
        label=estimate.label,
        emotions={}
        if estimate.emotions is None
        else dict(zip(EMOTIONS, estimate.emotions, strict=True)),
        distress=estimate.distress,
        set=estimate.set,
        weights=estimate.weights,
        vacuity=estimate.vacuity,
        conflict=estimate.conflict,
        change=estimate.change,
    )


def _cues(trail: Iterable[Seen], began_ns: int) -> tuple[CueFact, ...]:
    """Cues in the order in which they were seen, each once: windows overlap."""
    found = list(dict.fromkeys(cue for seen in trail for cue in seen.cues))[:MOST_CUES]
    return tuple(
        CueFact(
            id=f"c{number}",
            modality=Modality(modality),
            text=text,
            at_ns=None if at_ns is None else at_ns - began_ns,
        )
        for number, (modality, text, at_ns) in enumerate(found, 1)
    )
