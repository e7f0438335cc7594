"""Scores as rows, and back: exact in both directions."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from inference.evidence import Quality
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Emotion, Modality, Role
from inference.score import (
    ContextReport,
    CueReport,
    Decision,
    Distress,
    Expectation,
    ModalityReport,
    Versions,
    WindowScore,
)

Row = Mapping[str, Any]


def key_columns(score: WindowScore) -> dict[str, Any]:
    """The primary key of a window."""
    return {
        "tenant": score.tenant,
        "run": score.run,
        "conversation": score.conversation,
        "participant": score.participant,
        "start_ns": score.start_ns,
    }


def score_row(score: WindowScore) -> dict[str, Any]:
    """The row of `window_scores`."""
    distress = score.distress
    return {
        **key_columns(score),
        "end_ns": score.end_ns,
        "role": score.role.value,
        "emotions": None
        if score.emotions is None
        else {emotion.value: score.emotions[emotion] for emotion in score.emotions},
        "distress": distress.probability if distress else None,
        "distress_smoothed": distress.smoothed if distress else None,
        "arousal": score.arousal,
        "valence": score.valence,
        "label": score.decision.label,
        "label_set": [label.value for label in score.decision.set],
        "coverage": score.decision.coverage,
        "abstained": score.decision.abstained,
        "conflict": score.conflict,
        "vacuity": score.vacuity,
        "partial": score.partial,
        "shed": list(score.shed),
        "versions": msgspec.to_builtins(score.versions),
        "change": score.change,
        "context": msgspec.to_builtins(score.context),
        "expected": msgspec.to_builtins(score.expected) or None,
    }


def evidence_rows(score: WindowScore) -> list[dict[str, Any]]:
    """The rows of `window_evidence`: one for each modality, present or not.

    Each cue keeps its place among all cues of the score, strongest first.
    """
    return [
        {
            **key_columns(score),
            "modality": modality.value,
            "present": report.present,
            "weight": report.weight,
            "reason": report.reason,
            "quality": msgspec.to_builtins(report.quality),
            "cues": [
                {"place": place, "cue": cue.cue, "at_ns": cue.at_ns}
                for place, cue in enumerate(score.evidence)
                if cue.modality is modality
            ],
        }
        for modality, report in score.modalities.items()
    ]


def score_of(row: Row, evidence: Iterable[Row]) -> WindowScore:
    """Inverse of `score_row` and `evidence_rows`."""
    by_modality = {Modality(item["modality"]): item for item in evidence}
    return WindowScore(
        tenant=row["tenant"],
        run=row["run"],
        conversation=row["conversation"],
        participant=row["participant"],
        role=Role(row["role"]),
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        final=True,
        emotions=None
        if row["emotions"] is None
        else {label: row["emotions"][label] for label in EMOTIONS if label in row["emotions"]},
        distress=None
        if row["distress"] is None
        else Distress(probability=row["distress"], smoothed=row["distress_smoothed"]),
        arousal=row["arousal"],
        valence=row["valence"],
        decision=Decision(
            label=None if row["label"] is None else Emotion(row["label"]),
            set=tuple(Emotion(label) for label in row["label_set"]),
            coverage=row["coverage"],
            abstained=row["abstained"],
        ),
        modalities={
            modality: _report(by_modality[modality])
            for modality in MODALITIES
            if modality in by_modality
        },
        conflict=row["conflict"],
        vacuity=row["vacuity"],
        evidence=_cues(by_modality),
        versions=_versions(row["versions"]),
        partial=row["partial"],
        shed=tuple(row["shed"]),
        change=row["change"],
        context=None if row["context"] is None else _context(row["context"]),
        expected=_expected(row["expected"] or {}),
    )


def _versions(stored: Row) -> Versions:
    """In the order in which they were made: PostgreSQL keeps objects in one of its own."""
    versions = msgspec.convert(stored, Versions)
    return msgspec.structs.replace(versions, methods=dict(sorted(versions.methods.items())))


def _context(stored: Row) -> ContextReport:
    context = msgspec.convert(stored, ContextReport)
    ordered = {label: context.emotions[label] for label in EMOTIONS if label in context.emotions}
    return msgspec.structs.replace(context, emotions=ordered)


def _expected(stored: Row) -> dict[Modality, Expectation]:
    expected = msgspec.convert(stored, dict[Modality, Expectation])
    return {modality: expected[modality] for modality in MODALITIES if modality in expected}


def _report(row: Row) -> ModalityReport:
    return ModalityReport(
        present=row["present"],
        weight=row["weight"],
        quality=None if row["quality"] is None else Quality(**row["quality"]),
        reason=None if row["reason"] is None else AbsenceReason(row["reason"]),
    )


def _cues(by_modality: Mapping[Modality, Row]) -> tuple[CueReport, ...]:
    placed = [
        (cue["place"], CueReport(modality=modality, cue=cue["cue"], at_ns=cue["at_ns"]))
        for modality, row in by_modality.items()
        for cue in row["cues"]
    ]
    return tuple(cue for _, cue in sorted(placed, key=_place))


def _place(item: tuple[int, CueReport]) -> int:
    return item[0]
