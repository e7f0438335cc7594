"""What the API answers, as types: the OpenAPI document is generated from these."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inference.contract import ScoreJson, Share, Time, format_time, published
from inference.labels import Emotion, Modality, Role
from storage.conversations import Conversation, Counts, Standing
from storage.decisions import StoredDecision
from storage.timeline import Bucket
from storage.values import Utterance

Cursor = Annotated[str | None, Meta(description="Ask for the next page with it; null at the end.")]


class DistressNow(Struct, frozen=True, kw_only=True):
    """Smoothed distress that still stands: at most 30 s after the last window that had one."""

    smoothed: Share
    at: Time


class TrendPointBody(Struct, frozen=True, kw_only=True):
    """One minute of one party, by when its windows start."""

    at: Time
    """Where the minute begins."""
    distress: Share | None
    """The mean of its windows; null where there was nothing to read."""


class ParticipantBody(Struct, frozen=True, kw_only=True):
    """One party, and how they read now."""

    id: str
    role: Role
    joined: Time
    distress: DistressNow | None
    latest: ScoreJson | None
    """The newest final score."""
    trend: tuple[TrendPointBody, ...] = ()
    """The last ten minutes that have windows, oldest first."""
    permitted: bool | None = None
    """Whether policy leaves anything of them to analyse; null before it decided."""


class ConversationBody(Struct, frozen=True, kw_only=True):
    """One call or session."""

    id: str
    queue: str
    language: str
    region: str
    purpose: str
    channel: str
    state: Literal["live", "ended"]
    started: Time
    ended: Time | None
    distress: Share | None
    """The highest standing distress among the participants."""
    participants: tuple[ParticipantBody, ...]


class CountsBody(Struct, frozen=True, kw_only=True):
    """Final windows of one participant."""

    windows: int
    scored: int
    """With anything to read."""
    abstained: int
    """Without one label that could be said."""
    partial: int
    """Closed early under memory pressure."""


class DecisionNow(Struct, frozen=True, kw_only=True):
    """The newest policy decision on one modality of one participant."""

    participant: str
    modality: Modality
    at: Time
    allowed: bool
    reason: str


class ConversationDetail(ConversationBody, frozen=True, kw_only=True):
    """One conversation, with counts by participant."""

    counts: dict[str, CountsBody]
    decisions: tuple[DecisionNow, ...] = ()
    """What policy decided last; `/decisions` has every change."""


class ConversationPage(Struct, frozen=True, kw_only=True):
    """Conversations, newest first."""

    items: tuple[ConversationBody, ...]
    next: Cursor


class ScorePage(Struct, frozen=True, kw_only=True):
    """Windows by start and participant."""

    items: tuple[ScoreJson, ...]
    next: Cursor


class DistressMeans(Struct, frozen=True, kw_only=True):
    """Distress over a stretch of time."""

    mean: Share
    max: Share
    smoothed: Share


class BucketBody(Struct, frozen=True, kw_only=True):
    """Means over the windows of one participant that start in `[start, end)`."""

    participant: str
    start: Time
    end: Time
    windows: int
    scored: int
    abstained: int
    partial: int
    distress: DistressMeans | None
    emotions: dict[Emotion, Share] | None
    weights: dict[Modality, Share]
    change: float | None = None
    """Mean distance of the voice from the participant's own usual one, in standard deviations."""
    arousal: float | None = None
    valence: float | None = None
    conflict: float | None = None
    """Means of the windows, as in a score."""


class BucketPage(Struct, frozen=True, kw_only=True):
    """Stretches of time by start and participant."""

    items: tuple[BucketBody, ...]
    next: Cursor


class WordsBody(Struct, frozen=True, kw_only=True):
    """What one participant said in `[start, end)`, as the recogniser wrote it."""

    participant: str
    segment: str
    start: Time
    end: Time
    text: str
    language: str
    confidence: Share | None


class TranscriptPage(Struct, frozen=True, kw_only=True):
    """Words by their end."""

    items: tuple[WordsBody, ...]
    next: Cursor


def word_body(one: Utterance) -> WordsBody:
    """`one` under its public names."""
    return WordsBody(
        participant=one.participant,
        segment=one.segment,
        start=format_time(one.start_ns),
        end=format_time(one.end_ns),
        text=one.text,
        language=one.language,
        confidence=one.confidence,
    )


def conversation_body(call: Conversation) -> ConversationBody:
    """`call` under its public names."""
    return ConversationBody(
        id=call.conversation,
        queue=call.queue,
        language=call.language,
        region=call.region,
        purpose=call.purpose,
        channel=call.channel,
        state="live" if call.ended_ns is None else "ended",
        started=format_time(call.started_ns),
        ended=None if call.ended_ns is None else format_time(call.ended_ns),
        distress=call.distress,
        participants=tuple(_participant(one) for one in call.participants),
    )


def conversation_detail(
    call: Conversation, counts: Mapping[str, Counts], decisions: Sequence[StoredDecision]
) -> ConversationDetail:
    """The same, with counts by participant, and of `decisions` (ascending) the newest of each."""
    newest = {(one.ruling.participant, one.ruling.modality): one.ruling for one in decisions}
    body = msgspec.structs.asdict(conversation_body(call))
    return ConversationDetail(
        **body,
        counts={
            participant: CountsBody(
                windows=one.windows,
                scored=one.scored,
                abstained=one.abstained,
                partial=one.partial,
            )
            for participant, one in counts.items()
        },
        decisions=tuple(
            DecisionNow(
                participant=ruling.participant,
                modality=ruling.modality,
                at=format_time(ruling.at_ns),
                allowed=ruling.allowed,
                reason=ruling.reason,
            )
            for _, ruling in sorted(newest.items())
        ),
    )


def bucket_body(bucket: Bucket) -> BucketBody:
    """`bucket` under its public names."""
    mean, highest, smoothed = bucket.distress_mean, bucket.distress_max, bucket.smoothed_mean
    return BucketBody(
        participant=bucket.participant,
        start=format_time(bucket.start_ns),
        end=format_time(bucket.end_ns),
        windows=bucket.windows,
        scored=bucket.scored,
        abstained=bucket.abstained,
        partial=bucket.partial,
        distress=None
        if mean is None or highest is None or smoothed is None
        else DistressMeans(mean=mean, max=highest, smoothed=smoothed),
        emotions=bucket.emotions,
        weights=bucket.weights,
        change=bucket.change_mean,
        arousal=bucket.arousal_mean,
        valence=bucket.valence_mean,
        conflict=bucket.conflict_mean,
    )


def _participant(one: Standing) -> ParticipantBody:
    return ParticipantBody(
        id=one.participant,
        role=one.role,
        joined=format_time(one.joined_ns),
        distress=None
        if one.distress is None or one.estimated is None
        else DistressNow(smoothed=one.distress, at=format_time(one.estimated.end_ns)),
        latest=None if one.latest is None else published(one.latest),
        trend=tuple(
            TrendPointBody(at=format_time(point.minute_ns), distress=point.distress)
            for point in one.trend
        ),
        permitted=one.permitted,
    )
