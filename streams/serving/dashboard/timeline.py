"""What the timeline of one conversation shows, as points for the charts. Pure.

Values are percent, times are milliseconds since the epoch: what the chart draws. A None
between two points breaks the line: nothing is drawn where nothing is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inference.contract import parse_time
from inference.labels import MODALITIES, Emotion, Modality, Role
from inference.score import WindowScore
from streams.serving.api.bodies import BucketBody
from streams.serving.dashboard import words

MS_NS: Final = 1_000_000
STRONGEST: Final = 2
"""Eight lines on one axis are spaghetti."""

Point = tuple[int, float | None]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One estimate of one participant in `[start_ns, end_ns)`: a window, or a bucket of them."""

    start_ns: int
    end_ns: int
    smoothed: float | None
    raw: float | None
    emotions: dict[Emotion, float]
    """Empty where nothing was present."""
    weights: dict[Modality, float]
    """Of the modalities that were present."""
    abstained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named line of a chart."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantTimeline:
    """The chart of one participant."""

    participant: str
    title: str
    smoothed: tuple[Point, ...]
    raw: tuple[Point, ...]
    emotions: tuple[Line, ...]
    modalities: tuple[Line, ...]
    unsure: tuple[Span, ...]
    """Windows whose label was withheld, joined where they touch."""
    nothing: tuple[Span, ...]
    """Windows with nothing to read: silence, most of all."""
    summary: str
    """The chart in a sentence, for those who do not see it."""


def moment(score: WindowScore) -> Moment:
    """A stored window as the chart needs it."""
    return Moment(
        start_ns=score.start_ns,
        end_ns=score.end_ns,
        smoothed=None if score.distress is None else score.distress.smoothed,
        raw=None if score.distress is None else score.distress.probability,
        emotions=score.emotions or {},
        weights={
            modality: report.weight or 0.0
            for modality, report in score.modalities.items()
            if report.present
        },
        abstained=score.decision.abstained,
    )


def bucket_moment(bucket: BucketBody) -> Moment:
    """A stretch of windows as the chart needs it: their means."""
    return Moment(
        start_ns=parse_time(bucket.start),
        end_ns=parse_time(bucket.end),
        smoothed=None if bucket.distress is None else bucket.distress.smoothed,
        raw=None if bucket.distress is None else bucket.distress.mean,
        emotions=bucket.emotions or {},
        weights=bucket.weights,
        abstained=2 * bucket.abstained > bucket.windows,
    )


def participant_timeline(
    participant: str, role: Role, moments: Sequence[Moment]
) -> ParticipantTimeline:
    """Points of one participant; `moments` ascend by start.

    A window stands at its end: that is when its estimate was known.
    """
    readable = [one for one in moments if one.emotions]
    strongest = strongest_emotions(readable)
    title = words.full_name(role, participant)
    return ParticipantTimeline(
        participant=participant,
        title=title,
        smoothed=_points(moments, [one.smoothed for one in moments]),
        raw=_points(moments, [one.raw for one in moments]),
        emotions=tuple(
            Line(
                name=words.EMOTION[emotion],
                points=_points(moments, [one.emotions.get(emotion) for one in moments]),
            )
            for emotion in strongest
        ),
        modalities=tuple(
            Line(
                name=words.MODALITY[modality],
                points=_points(moments, [one.weights.get(modality) for one in moments]),
            )
            for modality in MODALITIES
            if any(modality in one.weights for one in moments)
        ),
        unsure=_spans(moments, [bool(one.emotions) and one.abstained for one in moments]),
        nothing=_spans(moments, [not one.emotions for one in moments]),
        summary=_summary(title, moments, readable, strongest),
    )


def strongest_emotions(moments: Sequence[Moment]) -> tuple[Emotion, ...]:
    """The emotions with the highest mean probability; neutral is the ground, not an emotion."""
    if not moments:
        return ()
    total = {
        emotion: sum(one.emotions.get(emotion, 0.0) for one in moments)
        for emotion in Emotion
        if emotion is not Emotion.NEUTRAL
    }
    return tuple(sorted(total, key=lambda emotion: (-total[emotion], emotion))[:STRONGEST])


def _points(moments: Sequence[Moment], values: Sequence[float | None]) -> tuple[Point, ...]:
    return tuple(
        (one.end_ns // MS_NS, None if value is None else round(value * 100, 1))
        for one, value in zip(moments, values, strict=True)
    )


def _spans(moments: Sequence[Moment], marked: Sequence[bool]) -> tuple[Span, ...]:
    """Stretches of marked moments, joined where they follow one another.

    Windows overlap, and points stand at their ends: a moment reaches from the point
    before it to its own.
    """
    spans: list[Span] = []
    before_ns = 0
    for one, is_marked in zip(moments, marked, strict=True):
        start, end = max(before_ns, one.start_ns) // MS_NS, one.end_ns // MS_NS
        before_ns = one.end_ns
        if not is_marked:
            continue
        if spans and spans[-1][1] == start:
            start = spans.pop()[0]
        spans.append((start, end))
    return tuple(spans)


def _summary(
    title: str,
    moments: Sequence[Moment],
    readable: Sequence[Moment],
    strongest: Sequence[Emotion],
) -> str:
    peak = max(
        (one for one in moments if one.smoothed is not None),
        key=lambda one: one.smoothed or 0.0,
        default=None,
    )
    if peak is None or peak.smoothed is None:
        return f"{title}: nothing to read yet."
    unsure = sum(one.abstained for one in readable)
    return (
        f"{title}: smoothed distress peaks at {words.percent(peak.smoothed)}; "
        f"strongest emotions {' and '.join(words.EMOTION[one] for one in strongest)}; "
        f"not sure in {unsure} of {len(readable)} windows with something to read."
    )
