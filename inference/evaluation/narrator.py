"""Judges narrators on incidents they never saw: how much of what they say is so."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.evaluation.narrator_incidents import incidents
from inference.evaluation.narrator_judge import borne_out
from inference.evaluation.report import COUNT, Breakdown, EvaluationReport, Metrics
from inference.narrator.contract import Clause, Narrative, Narrator
from inference.narrator.incident import IncidentRecord
from inference.narrator.language import read
from inference.narrator.model_narrator import ModelNarrator
from inference.narrator.support import supported
from inference.narrator.template import TemplateNarrator

COUNT_OF_INCIDENTS: Final = 500
SEED: Final = 20_001


@dataclass(frozen=True, slots=True)
class Telling:
    """One incident as it was told.

    Attributes:
        kind: of the incident: `plain`, or how it misleads.
        draft: what the network wrote; empty for a narrator without one.
        plain: what the template says of it.
    """

    kind: str
    record: IncidentRecord
    draft: tuple[Clause, ...]
    narrative: Narrative
    plain: Narrative
    took_ms: float


def evaluate_narrator(
    narrator: Narrator,
    *,
    count: int = COUNT_OF_INCIDENTS,
    seed: int = SEED,
    on_incident: Callable[[], None] = lambda: None,
) -> EvaluationReport:
    """Figures of a narrator over `count` incidents of held-out combinations, by another seed.

    `supported_before` is the share of the network's clauses that their citations bear out;
    `supported_after` that of the clauses that a reader sees, by a second opinion which uses
    neither the narrator's language nor its check; `supported_template` both at once for the
    template. `fell_back` is the share of incidents that the template had to tell.

    Args:
        narrator: whom to judge.
        count: of incidents.
        seed: of incidents.
        on_incident: called after each.
    """
    template = TemplateNarrator()
    tellings = []
    for kind, record in incidents(count, seed):
        begun = time.perf_counter()
        if isinstance(narrator, ModelNarrator):
            draft = narrator.draft(record)
            narrative = narrator.settled(draft, record)
        else:
            draft, narrative = (), narrator.tell(record)
        took_ms = 1_000 * (time.perf_counter() - begun)
        tellings.append(Telling(kind, record, draft, narrative, template.tell(record), took_ms))
        on_incident()
    groups: dict[str, list[Telling]] = defaultdict(list)
    for telling in tellings:
        groups[telling.kind].append(telling)
    return EvaluationReport(
        task="narrator",
        n=len(tellings),
        metrics=_figures(tellings),
        by=Breakdown(
            group={
                name: {COUNT: float(len(some)), **_figures(some)} for name, some in groups.items()
            }
        ),
        versions={"narrator": narrator.version, "template": template.version},
    )


def _figures(tellings: Sequence[Telling]) -> Metrics:
    drafted = [(clause, one.record) for one in tellings for clause in one.draft]
    shown = [(clause, one.record) for one in tellings for clause in one.narrative.clauses]
    plain = [(clause, one.record) for one in tellings for clause in one.plain.clauses]
    took_ms = [one.took_ms for one in tellings]
    figures = {
        "supported_after": _share([borne_out(clause.text, record) for clause, record in shown]),
        "supported_template": _share(
            [
                _supported(clause, record) and borne_out(clause.text, record)
                for clause, record in plain
            ]
        ),
        "fell_back": _share([one.narrative.fell_back for one in tellings]),
        "clauses": float(np.mean([len(one.narrative.clauses) for one in tellings])),
        "latency_p50_ms": float(np.percentile(took_ms, 50)),
        "latency_p95_ms": float(np.percentile(took_ms, 95)),
    }
    if drafted:
        figures |= {
            "supported_before": _share([_supported(*one) for one in drafted]),
            "judged_before": _share([borne_out(clause.text, record) for clause, record in drafted]),
            "drafted_clauses": float(np.mean([len(one.draft) for one in tellings])),
        }
    return figures


def _supported(clause: Clause, record: IncidentRecord) -> bool:
    statement = read(clause.text)
    return statement is not None and supported(statement, clause.evidence, record)


def _share(marks: Sequence[bool]) -> float:
    return float(np.mean(marks)) if marks else 0.0
