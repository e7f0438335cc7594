"""Many synthetic calls at once, for measurements of the live page and the live stream.

`python benchmarks/live_service.py api DB` serves the API over a SQLite database and prints its
address; `python benchmarks/live_service.py write DB CALLS SECONDS` stores one window of every
call a second, as a worker and its relay do.
"""

import asyncio
import math
import random
import sys
import time
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.evidence import Quality
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.score import (
    CueReport,
    Decision,
    Distress,
    ModalityReport,
    Versions,
    WindowScore,
)
from inference.units import SECOND_NS
from storage import schema
from storage.cache import MemoryCache
from storage.engine import open_engine, transaction
from storage.results import ResultStore
from storage.upgrade import upgrade
from storage.values import (
    ConversationFacts,
    ParticipantBatch,
    ParticipantFacts,
    ParticipantKey,
    Progress,
)
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.serving.server import Server, listen, until_signalled, url

TENANT = "bench"
QUEUES = ("billing", "sales", "support", "retention", "technical")
VERSIONS = Versions(scorer="bench", calibration="bench", fusion="late", config="bench")


def window(call: int, second: int, end_ns: int) -> WindowScore:
    """What one customer sounds like now: a slow swell, each call with its own pace."""
    luck = random.Random(f"{call}/{second}")  # noqa: S311 - the same load in every run
    swell = 0.5 + 0.42 * math.sin(second / (20 + call % 37) + call)
    distress = round(min(0.98, max(0.02, swell + luck.gauss(0, 0.04))), 4)
    silent = luck.random() < 0.1  # noqa: PLR2004 - a tenth of a call
    rest = round((1 - distress) / 6, 4)
    unsure = abs(distress - 0.5) < 0.1  # noqa: PLR2004 - undecided around the middle
    label = Emotion.ANGER if distress > 0.5 else Emotion.NEUTRAL  # noqa: PLR2004 - the same middle
    absent = ModalityReport(present=False, reason=AbsenceReason.SILENCE)
    return WindowScore(
        tenant=TENANT,
        run="live",
        conversation=f"c-{call:03}",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=end_ns - 3 * SECOND_NS,
        end_ns=end_ns,
        final=True,
        emotions=None
        if silent
        else {one: distress if one is Emotion.ANGER else rest for one in EMOTIONS},
        distress=None if silent else Distress(probability=distress, smoothed=round(swell, 4)),
        arousal=None if silent else 0.5,
        valence=None if silent else -0.25,
        decision=Decision(
            label=None if silent or unsure else label,
            set=() if silent else (label,) if not unsure else (Emotion.ANGER, Emotion.NEUTRAL),
            coverage=0.9,
            abstained=silent or unsure,
        ),
        modalities={
            Modality.SPEECH: absent
            if silent
            else ModalityReport(
                present=True, weight=0.6, quality=Quality(present_share=0.9, level=0.6)
            ),
            Modality.TEXT: absent
            if silent
            else ModalityReport(present=True, weight=0.4, quality=Quality(confidence=0.9)),
            Modality.FACE: ModalityReport(present=False, reason=AbsenceReason.NO_CAMERA),
        },
        conflict=0.05,
        vacuity=1.0 if silent else 0.2,
        evidence=() if silent else (CueReport(modality=Modality.SPEECH, cue="loud for this line"),),
        versions=VERSIONS,
    )


async def serve(database: Path) -> None:
    """The API, until SIGTERM."""
    engine = open_engine(f"sqlite+aiosqlite:///{database}")
    await upgrade(engine)
    api = build_api(engine, MemoryCache(), everyone(TENANT))
    listener = listen("127.0.0.1", 0, "-")
    print(url(listener), flush=True)
    try:
        await until_signalled(Server(api.app, listener, before_drain=api.feed.close))
    finally:
        listener.close()
        await engine.dispose()


async def write(database: Path, calls: int, seconds: int) -> None:
    """Store and relay one window of every call a second, for `seconds`."""
    engine = open_engine(f"sqlite+aiosqlite:///{database}")
    results = ResultStore(engine)
    began_ns = time.time_ns() // SECOND_NS * SECOND_NS
    known: dict[int, Progress] = {}
    for second in range(seconds):
        due_ns = began_ns + second * SECOND_NS
        await asyncio.sleep(max(0, due_ns - time.time_ns()) / SECOND_NS)
        scores = [window(call, second, due_ns) for call in range(calls)]
        batches = [_batch(call, score, known, began_ns) for call, score in enumerate(scores)]
        await results.commit(batches)
        await _relay(engine, scores)
    await engine.dispose()


def _batch(
    call: int, score: WindowScore, known: dict[int, Progress], began_ns: int
) -> ParticipantBatch:
    progress = Progress(closed_until_ns=score.end_ns)
    before, known[call] = known.get(call), progress
    return ParticipantBatch(
        key=ParticipantKey(TENANT, "live", score.conversation, score.participant),
        expected=before,
        progress=progress,
        scores=(score,),
        conversation=ConversationFacts(
            tenant=TENANT,
            conversation=score.conversation,
            queue=QUEUES[call % len(QUEUES)],
            language="en",
            started_ns=began_ns,
            participants=(
                ParticipantFacts(participant="p-1", role=Role.CUSTOMER, joined_ns=began_ns),
            ),
        ),
    )


async def _relay(engine: AsyncEngine, scores: list[WindowScore]) -> None:
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


if __name__ == "__main__":
    if sys.argv[1] == "api":
        asyncio.run(serve(Path(sys.argv[2])))
    else:
        asyncio.run(write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
