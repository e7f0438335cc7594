"""A score as one flat row: the columns of CSV and Parquet."""

from enum import StrEnum
from typing import Final

from inference.labels import EMOTIONS, MODALITIES
from inference.score import ModalityReport, WindowScore

Value = str | float | int | bool | None
LISTED: Final = "|"
"""Between the values of one cell; no label, step or cue kind has it."""


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    TIME = "time"
    """Nanoseconds since the epoch, UTC."""
    NUMBER = "number"
    TRUTH = "truth"


COLUMNS: Final[dict[str, Kind]] = {
    "id": Kind.TEXT,
    "run": Kind.TEXT,
    "conversation": Kind.TEXT,
    "participant": Kind.TEXT,
    "role": Kind.TEXT,
    "start": Kind.TIME,
    "end": Kind.TIME,
    "distress": Kind.NUMBER,
    "distress_smoothed": Kind.NUMBER,
    "arousal": Kind.NUMBER,
    "valence": Kind.NUMBER,
    "label": Kind.TEXT,
    "set": Kind.TEXT,
    "coverage": Kind.NUMBER,
    "abstained": Kind.TRUTH,
    "conflict": Kind.NUMBER,
    "vacuity": Kind.NUMBER,
    "change": Kind.NUMBER,
    "partial": Kind.TRUTH,
    "shed": Kind.TEXT,
    **{emotion.value: Kind.NUMBER for emotion in EMOTIONS},
    **{
        f"{modality}_{name}": kind
        for modality in MODALITIES
        for name, kind in (
            ("present", Kind.TRUTH),
            ("weight", Kind.NUMBER),
            ("reason", Kind.TEXT),
        )
    },
    "cues": Kind.TEXT,
    "scorer": Kind.TEXT,
    "calibration": Kind.TEXT,
    "fusion": Kind.TEXT,
    "config": Kind.TEXT,
}
_ABSENT: Final = ModalityReport(present=False)


def row(score: WindowScore) -> dict[str, Value]:
    """Values by column, in the order of `COLUMNS`."""
    distress, emotions = score.distress, score.emotions or {}
    values: dict[str, Value] = {
        "id": str(score.id),
        "run": score.run,
        "conversation": score.conversation,
        "participant": score.participant,
        "role": score.role.value,
        "start": score.start_ns,
        "end": score.end_ns,
        "distress": distress.probability if distress else None,
        "distress_smoothed": distress.smoothed if distress else None,
        "arousal": score.arousal,
        "valence": score.valence,
        "label": None if score.decision.label is None else score.decision.label.value,
        "set": LISTED.join(label.value for label in score.decision.set),
        "coverage": score.decision.coverage,
        "abstained": score.decision.abstained,
        "conflict": score.conflict,
        "vacuity": score.vacuity,
        "change": score.change,
        "partial": score.partial,
        "shed": LISTED.join(score.shed),
        **{emotion.value: emotions.get(emotion) for emotion in EMOTIONS},
        "cues": LISTED.join(cue.cue for cue in score.evidence),
        "scorer": score.versions.scorer,
        "calibration": score.versions.calibration,
        "fusion": score.versions.fusion,
        "config": score.versions.config,
    }
    for modality in MODALITIES:
        report = score.modalities.get(modality, _ABSENT)
        values[f"{modality}_present"] = report.present
        values[f"{modality}_weight"] = report.weight
        values[f"{modality}_reason"] = None if report.reason is None else report.reason.value
    return {name: values[name] for name in COLUMNS}
