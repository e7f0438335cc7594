"""The public JSON of a score, schema 1: what other programs read.

Times are RFC 3339 in UTC, exact to the nanosecond; everything else keeps its name and
value. `docs/score.schema.json` is generated from these types.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from inference.evidence import Quality
from inference.labels import AbsenceReason, Emotion, Modality, Role
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
from inference.units import SECOND_NS

SCHEMA: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Time = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$", description="RFC 3339, UTC")
]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class QualityJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How good the input was, each 1 at best; a measure that does not apply is left out."""

    coverage: Share | None = None
    """Share of the window in which the modality was there."""
    level: Share | None = None
    freshness: Share | None = None
    confidence: Share | None = None


class ModalityJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A modality: `weight` and `quality` where it had a say, else `reason`."""

    present: bool
    weight: Share | None = None
    quality: QualityJson | None = None
    reason: AbsenceReason | None = None


class DecisionJson(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said in one word, if anything may."""

    label: Emotion | None
    set: tuple[Emotion, ...]
    coverage: Share
    abstained: bool


class DistressJson(msgspec.Struct, frozen=True, kw_only=True):
    """Probability that a listener would call the participant distressed."""

    probability: Share
    smoothed: Share


class CueJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One computed reason behind the score."""

    modality: Modality
    cue: str
    at: Time | None = None


class VersionsJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What made this score; `methods` names the optional ones that were switched on."""

    scorer: str
    calibration: str
    fusion: str
    config: str
    methods: dict[str, str] = {}


class ContextJson(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate given the participant's earlier windows; raw values stand beside it."""

    emotions: dict[Emotion, Share]
    distress: Share | None


class ExpectationJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the other modalities let expect of one; no evidence, and in no probability."""

    would_change: Share | None = None
    """Of an absent one: how likely the decision would be another with it."""
    surprise: Annotated[float, Meta(ge=0.0)] | None = None
    """Of a present one: distance from what was expected, 1 at the edge of the usual."""


class ScoreJson(msgspec.Struct, frozen=True, kw_only=True):
    """A calibrated estimate of how listeners would describe a few seconds of a participant."""

    schema: Literal[1] = SCHEMA
    id: str
    run: str
    tenant: str
    conversation: str
    participant: str
    role: Role
    start: Time
    end: Time
    final: bool
    emotions: dict[Emotion, Share] | None
    distress: DistressJson | None
    arousal: Share | None
    valence: Annotated[float, Meta(ge=-1.0, le=1.0)] | None
    decision: DecisionJson
    modalities: dict[Modality, ModalityJson]
    conflict: Annotated[float, Meta(ge=0.0)]
    vacuity: Share
    evidence: tuple[CueJson, ...]
    versions: VersionsJson
    partial: bool = False
    shed: tuple[str, ...] = ()
    change: Annotated[
        float | None,
        Meta(
            description="How far the voice is from the participant's own usual one, in standard "
            "deviations, smoothed; above 0 towards arousal. Null without speech, or while too "
            "little of it was heard."
        ),
    ] = None
    context: ContextJson | UnsetType = UNSET
    """Left out where no context is switched on."""
    expected: dict[Modality, ExpectationJson] | UnsetType = UNSET
    """Left out where nothing is expected."""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(ScoreJson)


def to_json(score: WindowScore) -> bytes:
    """One line of JSON."""
    return _encoder.encode(published(score))


def from_json(data: bytes) -> WindowScore:
    """Inverse of `to_json`. Raises msgspec.ValidationError naming the field."""
    return _score_of(_decoder.decode(data))


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the contract."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "WindowScore",
        **msgspec.json.schema(ScoreJson),
    }


def published(score: WindowScore) -> ScoreJson:
    """The score under its public names."""
    distress = score.distress
    return ScoreJson(
        id=str(score.id),
        run=score.run,
        tenant=score.tenant,
        conversation=score.conversation,
        participant=score.participant,
        role=score.role,
        start=format_time(score.start_ns),
        end=format_time(score.end_ns),
        final=score.final,
        emotions=score.emotions,
        distress=None
        if distress is None
        else DistressJson(probability=distress.probability, smoothed=distress.smoothed),
        arousal=score.arousal,
        valence=score.valence,
        decision=DecisionJson(
            label=score.decision.label,
            set=score.decision.set,
            coverage=score.decision.coverage,
            abstained=score.decision.abstained,
        ),
        modalities={name: _modality(report) for name, report in score.modalities.items()},
        conflict=score.conflict,
        vacuity=score.vacuity,
        evidence=tuple(
            CueJson(
                modality=cue.modality,
                cue=cue.cue,
                at=None if cue.at_ns is None else format_time(cue.at_ns),
            )
            for cue in score.evidence
        ),
        versions=VersionsJson(
            scorer=score.versions.scorer,
            calibration=score.versions.calibration,
            fusion=score.versions.fusion,
            config=score.versions.config,
            methods=score.versions.methods,
        ),
        partial=score.partial,
        shed=score.shed,
        change=score.change,
        context=UNSET
        if score.context is None
        else ContextJson(emotions=score.context.emotions, distress=score.context.distress),
        expected={
            modality: ExpectationJson(would_change=one.would_change, surprise=one.surprise)
            for modality, one in score.expected.items()
        }
        or UNSET,
    )


def format_time(at_ns: int) -> str:
    """RFC 3339 in UTC; the fraction has as many digits as it needs."""
    seconds, fraction_ns = divmod(at_ns, SECOND_NS)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{whole}{fraction}Z"


def parse_time(text: str) -> int:
    """Inverse of `format_time`. Raises ValueError."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(f"{whole}+00:00") - _EPOCH
    return (moment.days * 86_400 + moment.seconds) * SECOND_NS + int(f"{fraction:0<9}"[:9])


def _modality(report: ModalityReport) -> ModalityJson:
    quality = report.quality
    return ModalityJson(
        present=report.present,
        weight=report.weight,
        quality=None
        if quality is None
        else QualityJson(
            coverage=quality.present_share,
            level=quality.level,
            freshness=quality.freshness,
            confidence=quality.confidence,
        ),
        reason=report.reason,
    )


def _score_of(body: ScoreJson) -> WindowScore:
    return WindowScore(
        tenant=body.tenant,
        run=body.run,
        conversation=body.conversation,
        participant=body.participant,
        role=body.role,
        start_ns=parse_time(body.start),
        end_ns=parse_time(body.end),
        final=body.final,
        emotions=body.emotions,
        distress=None
        if body.distress is None
        else Distress(probability=body.distress.probability, smoothed=body.distress.smoothed),
        arousal=body.arousal,
        valence=body.valence,
        decision=Decision(
            label=body.decision.label,
            set=body.decision.set,
            coverage=body.decision.coverage,
            abstained=body.decision.abstained,
        ),
        modalities={name: _report(report) for name, report in body.modalities.items()},
        conflict=body.conflict,
        vacuity=body.vacuity,
        evidence=tuple(
            CueReport(
                modality=cue.modality,
                cue=cue.cue,
                at_ns=None if cue.at is None else parse_time(cue.at),
            )
            for cue in body.evidence
        ),
        versions=Versions(
            scorer=body.versions.scorer,
            calibration=body.versions.calibration,
            fusion=body.versions.fusion,
            config=body.versions.config,
            methods=body.versions.methods,
        ),
        partial=body.partial,
        shed=body.shed,
        change=body.change,
        context=None
        if isinstance(body.context, UnsetType)
        else ContextReport(emotions=body.context.emotions, distress=body.context.distress),
        expected={}
        if isinstance(body.expected, UnsetType)
        else {
            modality: Expectation(would_change=one.would_change, surprise=one.surprise)
            for modality, one in body.expected.items()
        },
    )


def _report(body: ModalityJson) -> ModalityReport:
    quality = body.quality
    return ModalityReport(
        present=body.present,
        weight=body.weight,
        quality=None
        if quality is None
        else Quality(
            present_share=quality.coverage,
            level=quality.level,
            freshness=quality.freshness,
            confidence=quality.confidence,
        ),
        reason=body.reason,
    )
