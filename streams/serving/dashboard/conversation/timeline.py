"""What the timeline of one conversation shows, as points for the charts. Pure.

Values are percent, times are milliseconds since the epoch: what the chart draws. A None
between two points breaks the line: nothing is drawn where nothing is known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from inference.contract import parse_time
from inference.labels import Emotion, Modality, Role
from inference.score import WindowScore
from inference.units import MS_NS
from streams.serving.api.bodies import BucketBody
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.live.rows import NOTHING_SAID
from streams.serving.dashboard.shell import words

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
    """Of the modalities that were present; 0 for one that said nothing."""
    abstained: bool
    arousal: float | None = None
    valence: float | None = None
    conflict: float | None = None
    reads: str = ""
    """The label in words."""
    cues: tuple[str, ...] = ()
    """Each with the modality that it comes from; none for a bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSpan:
    """One alert on the axis."""

    name: str
    severity: str
    since: int
    until: int | None
    """None while it is open."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantTimeline:
    """The chart of one participant."""

    participant: str
    title: str
    moments: tuple[Moment, ...]
    strongest: tuple[str, ...]
    """Emotions that are drawn until somebody asks for others."""
    provisional: Moment | None
    """The newest window, not final yet; nothing where the newest is."""
    alerts: tuple[AlertSpan, ...]
    unsure: tuple[Span, ...]
    """Windows whose label was withheld, joined where they touch."""
    nothing: tuple[Span, ...]
    """Windows with nothing to read: silence, most of all."""
    summary: str
    """The chart in a sentence, for those who do not see it."""
    edition: int = 0
    """Grows where moments were taken away."""

    @property
    def smoothed(self) -> tuple[Point, ...]:
        """Smoothed distress at the end of each moment."""
        return tuple((end_ms(one), scaled(one.smoothed)) for one in self.moments)


def moment(score: WindowScore) -> Moment:
    """A stored window as the chart needs it; one that rests on the prior alone says nothing."""
    says = score.vacuity < NOTHING_SAID
    return Moment(
        start_ns=score.start_ns,
        end_ns=score.end_ns,
        smoothed=None if score.distress is None else score.distress.smoothed,
        raw=None if score.distress is None else score.distress.probability,
        emotions=(score.emotions or {}) if says else {},
        weights={
            modality: (report.weight or 0.0) if says else 0.0
            for modality, report in score.modalities.items()
            if report.present
        },
        abstained=score.decision.abstained,
        arousal=score.arousal if says else None,
        valence=score.valence if says else None,
        conflict=None if score.distress is None else score.conflict,
        reads=words.reads_as(score),
        cues=tuple(f"{words.MODALITY[cue.modality]}: {cue.cue}" for cue in score.evidence),
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
        arousal=bucket.arousal,
        valence=bucket.valence,
        conflict=bucket.conflict,
        reads=words.MEANS,
    )


def participant_timeline(
    participant: str,
    role: Role,
    moments: Sequence[Moment],
    *,
    provisional: Moment | None = None,
    alerts: Iterable[Alert] = (),
    edition: int = 0,
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
        moments=tuple(moments),
        strongest=tuple(words.EMOTION[emotion] for emotion in strongest),
        provisional=provisional,
        alerts=tuple(alert_span(one) for one in sorted(alerts, key=lambda one: one.fired_ns)),
        unsure=_spans(moments, [bool(one.emotions) and one.abstained for one in moments]),
        nothing=_spans(moments, [not one.emotions for one in moments]),
        summary=_summary(title, moments, readable, strongest),
        edition=edition,
    )


def alert_span(alert: Alert) -> AlertSpan:
    """`alert` as the chart draws it."""
    resolved_ns = alert.resolved_ns
    return AlertSpan(
        name=words.alert(alert.rule),
        severity=alert.severity,
        since=alert.fired_ns // MS_NS,
        until=None if resolved_ns is None else resolved_ns // MS_NS,
        title=words.alert_title(alert, waits=alert.open),
    )


def end_ms(one: Moment) -> int:
    """Where a moment stands on the axis of time."""
    return one.end_ns // MS_NS


def scaled(value: float | None) -> float | None:
    """In percent, as the axis counts."""
    return None if value is None else round(value * 100, 1)


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
