"""What the API answers about moments and labels of one's own, as types."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from inference.alignment.own_labels import FEWEST_JUDGED, Calibrated
from inference.contract import CueJson, Share, Time, format_time, published
from inference.labels import Emotion, Role
from storage.moment_search import RankedMoment, Ranking
from storage.moments import MomentKey
from storage.own_labels import OwnLabel
from streams.serving.api.bodies import Cursor, WordsBody, word_body
from streams.serving.finder import LabelRanking

Cosine = Annotated[float, Meta(ge=-1.0, le=1.0)]


class MomentBody(Struct, frozen=True, kw_only=True):
    """A few seconds of one participant that are near what was asked for."""

    conversation: str
    participant: str
    role: Role
    queue: str
    start: Time
    end: Time
    similarity: Cosine
    """Cosine between the moment and the question: it orders, and is no probability."""
    label: Emotion | None
    """What was decided on; null where nothing was."""
    distress: Share | None
    """Probability, not smoothed."""
    cues: tuple[CueJson, ...]
    imputed: bool
    """Part of the vector is what was expected of a modality that was not there."""
    words: tuple[WordsBody, ...]
    """What was said in it; empty unless transcripts are kept."""
    link: str
    """Of this second of the conversation on the dashboard."""


class SearchBody(Struct, frozen=True, kw_only=True):
    """Moments, the nearest first."""

    items: tuple[MomentBody, ...]
    space: str
    """Version of the shared space in which they were compared."""
    indexed: int
    """Moments that can be found, before filters."""
    other_space: int
    """Moments that were stored under another version of the space: they cannot be compared."""
    left_out: int
    """Older moments, for which this process has no room."""


class JudgedBody(Struct, frozen=True, kw_only=True):
    """Moments of which people said whether a label holds."""

    holds: int
    holds_not: int


class LabelBody(Struct, frozen=True, kw_only=True):
    """A label that somebody described in sentences."""

    name: str
    prompts: tuple[str, ...]
    created: Time
    by: str
    judged: JudgedBody
    needed: int
    """Judgements that are needed before there are probabilities."""


class LabelPage(Struct, frozen=True, kw_only=True):
    """Labels by name."""

    items: tuple[LabelBody, ...]
    next: Cursor


class CalibrationBody(Struct, frozen=True, kw_only=True):
    """What makes a probability of a similarity, tried on each judgement without that one."""

    judged: int
    """Judgements that it rests on."""
    accuracy: Share
    """Share of them that it puts on the right side of one half."""
    informative: bool
    """Whether it says more than the share of moments for which the label was said to hold."""


class LabelMomentBody(MomentBody, frozen=True, kw_only=True):
    """The same, beside a label."""

    probability: Share | None
    """That the label holds; null while there is only an order."""
    judged: bool | None
    """Whether people said that it holds; null where nobody did."""


class LabelMoments(Struct, frozen=True, kw_only=True):
    """Moments that may have a label, the nearest first."""

    items: tuple[LabelMomentBody, ...]
    label: LabelBody
    calibration: CalibrationBody | None
    missing: str | None
    """What is missing for probabilities; null where there are some."""
    space: str
    indexed: int
    other_space: int
    left_out: int


def search_body(found: Ranking, space: str) -> SearchBody:
    """`found` under its public names."""
    return SearchBody(
        items=tuple(moment_body(one) for one in found.moments),
        space=space,
        indexed=found.indexed,
        other_space=found.other_space,
        left_out=found.left_out,
    )


def moment_body(one: RankedMoment) -> MomentBody:
    """`one` under its public names."""
    score = published(one.score)
    return MomentBody(
        conversation=score.conversation,
        participant=score.participant,
        role=score.role,
        queue=one.queue,
        start=score.start,
        end=score.end,
        similarity=one.similarity,
        label=score.decision.label,
        distress=None if score.distress is None else score.distress.probability,
        cues=score.evidence,
        imputed=one.imputed,
        words=tuple(word_body(words) for words in one.words),
        link=f"/conversations/{quote(score.conversation, safe=':')}"
        f"?at={quote(score.start, safe=':')}",
    )


def label_body(label: OwnLabel) -> LabelBody:
    """`label` under its public names."""
    return LabelBody(
        name=label.name,
        prompts=label.prompts,
        created=format_time(label.created_ns),
        by=label.created_by,
        judged=JudgedBody(holds=label.holds, holds_not=label.holds_not),
        needed=needed(label),
    )


def needed(label: OwnLabel) -> int:
    """Judgements that are needed still: enough of them, and of both kinds."""
    lacking = FEWEST_JUDGED - label.holds - label.holds_not
    return max(0, lacking, int(label.holds == 0) + int(label.holds_not == 0))


def label_moments(
    label: OwnLabel, found: LabelRanking, judged: Mapping[MomentKey, bool], space: str
) -> LabelMoments:
    """`found` under its public names."""
    calibration, ranking = found.calibration, found.ranking
    fit = calibration if isinstance(calibration, Calibrated) else None
    return LabelMoments(
        items=tuple(
            LabelMomentBody(
                **msgspec.structs.asdict(moment_body(one)),
                probability=None if found.probabilities is None else found.probabilities[place],
                judged=judged.get(one.key),
            )
            for place, one in enumerate(ranking.moments)
        ),
        label=label_body(label),
        calibration=None
        if fit is None
        else CalibrationBody(
            judged=fit.judged,
            accuracy=round(fit.held_out_accuracy, 4),
            informative=fit.informative,
        ),
        missing=None if isinstance(calibration, Calibrated) else calibration.reason,
        space=space,
        indexed=ranking.indexed,
        other_space=ranking.other_space,
        left_out=ranking.left_out,
    )
