"""A call in which a customer grows angry, as scores: for pages and pictures."""

import math
import time
from collections.abc import Sequence

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.evidence import Quality
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.score import CueReport, Decision, Distress, ModalityReport, WindowScore
from storage import schema
from storage.cache import Cache, LiveMessage
from storage.engine import transaction
from storage.results import ResultStore
from storage.values import (
    ConversationFacts,
    ParticipantBatch,
    ParticipantFacts,
    ParticipantKey,
    Progress,
)
from tests.scores import SECOND_NS, VERSIONS

TENANT = "default"
FACE_ABSENT = ModalityReport(present=False, reason=AbsenceReason.NO_CAMERA)


def whole_second_ago(seconds: int) -> int:
    """Nanoseconds since the epoch."""
    return (time.time_ns() // SECOND_NS - seconds) * SECOND_NS


def spoken(
    conversation: str,
    participant: str,
    start_ns: int,
    distress: float,
    *,
    role: Role = Role.CUSTOMER,
    words: bool = True,
) -> WindowScore:
    """A window that somebody spoke in; anger carries the distress."""
    anger = round(distress * 0.8, 4)
    others = {Emotion.SADNESS: 0.12, Emotion.FEAR: 0.06, Emotion.DISGUST: 0.02}
    emotions = {emotion: round(others.get(emotion, 0.0) * distress, 4) for emotion in EMOTIONS}
    emotions[Emotion.ANGER] = anger
    emotions[Emotion.SURPRISE] = round((1 - distress) * 0.05, 4)
    emotions[Emotion.JOY] = round((1 - distress) * 0.15, 4)
    emotions[Emotion.NEUTRAL] = round(1 - sum(emotions.values()), 4)
    sure = abs(distress - 0.5) > 0.12
    label = Emotion.ANGER if distress > 0.5 else Emotion.NEUTRAL
    share = 0.58 if words else 1.0
    cues = [CueReport(modality=Modality.SPEECH, cue="pitch +2.1 sd against own first minute")]
    if words:
        cues.append(
            CueReport(modality=Modality.TEXT, cue="complaint phrase", at_ns=start_ns + SECOND_NS)
        )
    return WindowScore(
        tenant=TENANT,
        run="live",
        conversation=conversation,
        participant=participant,
        role=role,
        start_ns=start_ns,
        end_ns=start_ns + 3 * SECOND_NS,
        final=True,
        emotions=emotions,
        distress=Distress(probability=distress, smoothed=distress),
        arousal=0.5,
        valence=-0.2,
        decision=Decision(
            label=label if sure else None,
            set=(label,) if sure else (Emotion.ANGER, Emotion.NEUTRAL),
            coverage=0.9,
            abstained=not sure,
        ),
        modalities={
            Modality.SPEECH: ModalityReport(
                present=True, weight=share, quality=Quality(present_share=0.93, level=0.6)
            ),
            Modality.TEXT: ModalityReport(
                present=True, weight=0.42, quality=Quality(confidence=0.88)
            )
            if words
            else ModalityReport(present=False, reason=AbsenceReason.SILENCE),
            Modality.FACE: FACE_ABSENT,
        },
        conflict=0.08 if words else 0.0,
        vacuity=0.21,
        evidence=tuple(cues) if distress > 0.5 else (),
        versions=VERSIONS,
    )


def silent(score: WindowScore) -> WindowScore:
    """The same window without a voice."""
    nobody = ModalityReport(present=False, reason=AbsenceReason.SILENCE)
    return msgspec.structs.replace(
        score,
        emotions=None,
        distress=None,
        arousal=None,
        valence=None,
        decision=Decision(label=None, set=(), coverage=0.9, abstained=True),
        modalities={
            Modality.SPEECH: nobody,
            Modality.TEXT: nobody,
            Modality.FACE: FACE_ABSENT,
        },
        conflict=0.0,
        vacuity=1.0,
        evidence=(),
    )


def rising(conversation: str, participant: str, start_ns: int, count: int) -> list[WindowScore]:
    """Calm at first, a pause, then angrier and angrier, from about .1 to about .85."""
    scores = []
    for n in range(count):
        climb = 1 / (1 + math.exp(-10 * (n / count - 0.55)))
        wobble = 0.05 * math.sin(1.7 * n) + 0.04 * math.cos(4.1 * n)
        score = spoken(
            conversation,
            participant,
            start_ns + n * SECOND_NS,
            round(0.1 + 0.75 * climb + wobble, 4),
            words=n % 9 > 1,
        )
        scores.append(silent(score) if 0.25 < n / count < 0.33 else score)
    return smoothed(scores)


def smoothed(scores: Sequence[WindowScore]) -> list[WindowScore]:
    """The same with the distress of one second after the other smoothed."""
    level, found = None, []
    for score in scores:
        if score.distress is not None:
            now = score.distress.probability
            level = now if level is None else 0.7 * level + 0.3 * now
            distress = Distress(probability=now, smoothed=round(level, 4))
            score = msgspec.structs.replace(score, distress=distress)  # noqa: PLW2901 - the same, smoothed
        found.append(score)
    return found


def calm(
    conversation: str, participant: str, start_ns: int, count: int, role: Role
) -> list[WindowScore]:
    """Nothing happens."""
    return [
        spoken(
            conversation,
            participant,
            start_ns + n * SECOND_NS,
            round(0.12 + 0.04 * math.sin(n / 3), 4),
            role=role,
        )
        for n in range(count)
    ]


async def store(
    engine: AsyncEngine, scores: Sequence[WindowScore], *, queue: str, after: Progress | None = None
) -> Progress:
    """What a worker does with consecutive windows of one participant."""
    first, last = scores[0], scores[-1]
    progress = Progress(closed_until_ns=last.end_ns)
    key = ParticipantKey(TENANT, "live", first.conversation, first.participant)
    result = await ResultStore(engine).commit(
        [
            ParticipantBatch(
                key=key,
                expected=after,
                progress=progress,
                scores=tuple(scores),
                conversation=facts_of(first, queue),
            )
        ]
    )
    assert not result.rejected
    assert not result.failed
    return progress


async def end(engine: AsyncEngine, scores: Sequence[WindowScore], *, queue: str) -> None:
    """What a worker does when a conversation is over."""
    await ResultStore(engine).end_conversation(facts_of(scores[0], queue), scores[-1].end_ns)


def facts_of(first: WindowScore, queue: str) -> ConversationFacts:
    """What control said of a conversation."""
    member = ParticipantFacts(
        participant=first.participant, role=first.role, joined_ns=first.start_ns
    )
    return ConversationFacts(
        tenant=TENANT,
        conversation=first.conversation,
        queue=queue,
        language="en",
        started_ns=first.start_ns,
        participants=(member,),
    )


async def relay(engine: AsyncEngine, cache: Cache, scores: Sequence[WindowScore]) -> None:
    """What the relay does with stored scores."""
    rows = [
        {
            "tenant": score.tenant,
            "conversation": score.conversation,
            "kind": "score",
            "payload": to_json(score),
            "stored_ns": time.time_ns(),
        }
        for score in scores
    ]
    async with transaction(engine) as connection:
        await connection.execute(insert(schema.feed), rows)
    await cache.publish(LiveMessage("wake", TENANT, scores[0].conversation))
