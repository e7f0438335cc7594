"""What is logged holds no words, no media and no addresses, whatever goes wrong."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from inference.units import SECOND_NS
from inference.window import WindowInput
from storage.engine import open_engine
from storage.errors import StoreUnavailableError
from storage.results import CommitResult
from storage.values import ConversationKey, ParticipantBatch, StoredConversation
from streams import topics
from streams.records import AudioChunk, Kind, Record, Track, TranscriptSegment, VideoFrame, encode
from streams.serving import problems
from streams.serving.api.telemetry import RequestMetrics
from streams.telemetry import configure_logging, whereabouts
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.offline import topic_of
from streams.windows.participant import Timing
from streams.worker.dead_letters import DeadLetter
from streams.worker.feed import Assignment, RawRecord
from streams.worker.kafka_output import KafkaOutput
from streams.worker.partitions import Partitions
from streams.worker.pump import Pump
from streams.worker.scoring_thread import ScoringThread
from tests.gates import Everything, FakePolicy
from tests.scores import absent_score
from tests.strategies import control

START_NS = 1_000 * SECOND_NS
SECRET = "zqxwords"
"""In words, voices and faces; no log may hold it."""
HEARD = SimpleNamespace(text=SECRET)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is written to stderr as JSON, from debug upwards."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("debug", "json")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Scorer:
    """Hears the words; may quote them in what it raises."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    def score(self, windows: Sequence[WindowInput], states: Mapping[Any, Any]) -> Any:
        heard = " ".join(word.text for window in windows for word in window.words)
        if self._fails and heard:
            raise ValueError(f"cannot read {heard!r}")
        scores = tuple(map(absent_score, windows))
        return SimpleNamespace(scores=scores, states=states, moments=(None,) * len(scores))


class Results:
    """A database that may be away once, or refuse everything, quoting nothing."""

    def __init__(self, *, away: bool) -> None:
        self._away = away
        self.ended = asyncio.Event()

    async def commit(self, batches: Sequence[ParticipantBatch]) -> CommitResult:
        if self._away:
            self._away = False
            return CommitResult(failed={batch.key: "value out of range" for batch in batches})
        return CommitResult()

    async def resume(
        self, run: str, keys: Sequence[ConversationKey]
    ) -> Mapping[ConversationKey, StoredConversation]:
        return {key: StoredConversation() for key in keys}

    async def end_conversation(self, *_: Any) -> None:
        self.ended.set()


class Letters(KafkaOutput):
    """Delivers to nobody, and logs as in service."""

    def __init__(self) -> None:
        super().__init__("nowhere:1")
        self.letters: list[DeadLetter] = []

    async def publish(self, *arguments: Any) -> None:
        self.letters.append(cast("Any", arguments))


def call() -> list[Record]:
    """Words, sound and pictures with the secret in them."""
    who = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}
    end_ns = START_NS + 4 * SECOND_NS
    body = SECRET.encode() * 200
    started, joined, ended = control(START_NS, end_ns, frozenset(Track))
    media: list[Record] = []
    for number in range(4):
        at_ns = START_NS + number * SECOND_NS
        media += [
            AudioChunk(
                **who, sequence=number, start_ns=at_ns, duration_ns=100_000_000, rate_hz=8_000,
                payload=body,
            ),
            VideoFrame(**who, sequence=number, captured_ns=at_ns, payload=body),
            TranscriptSegment(
                **who, sequence=number, segment_id=f"s-{number}", start_ns=at_ns,
                end_ns=at_ns + SECOND_NS // 2, text=f"{SECRET} {number}",
            ),
        ]  # fmt: skip
    ends: list[Record] = [
        AudioChunk(**who, sequence=99, kind=Kind.END, start_ns=end_ns),
        VideoFrame(**who, sequence=99, kind=Kind.END, captured_ns=end_ns),
        TranscriptSegment(**who, sequence=99, kind=Kind.END, start_ns=end_ns, end_ns=end_ns),
    ]
    told = [event.evolve(conversation="c-1", tenant="acme") for event in (started, joined, ended)]
    late = TranscriptSegment(
        **who, sequence=100, segment_id="late", start_ns=0, end_ns=1, text=SECRET
    )
    return [*told[:2], *media, *ends, told[2], late]


@pytest.mark.parametrize("fails", [False, True], ids=["scored", "failing"])
@pytest.mark.parametrize("away", [False, True], ids=["stored", "refused"])
async def test_no_log_of_a_worker_holds_words_voices_or_faces(
    logged: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, fails: bool, away: bool
) -> None:
    monkeypatch.setattr("streams.worker.pump.TICK_S", 0.001)
    partitions = Partitions(
        lambda: Aligner(
            run="live",
            grid=WindowGrid(3 * SECOND_NS, SECOND_NS),
            timing=Timing(disorder_ns=1, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
            look_back_ns={},
            new_gate=Everything,
        ),
        count=1,
    )
    offsets = dict.fromkeys(topics.INPUTS, 0)
    for topic in topics.INPUTS:
        partitions.begin(Assignment(topic, 0, 0, 0))
        garbage = RawRecord(0, b"acme/c-1", SECRET.encode(), None)
        partitions.take(topic, 0, [garbage])
        offsets[topic] += 1
    for record in call():
        topic = topic_of(record)
        partitions.take(topic, 0, [RawRecord(offsets[topic], record.key, encode(record), None)])
        offsets[topic] += 1
    results, letters = Results(away=away), Letters()
    scoring = ScoringThread(cast("Any", Scorer(fails=fails)), "live")
    pump = Pump(
        partitions, run="live", results=cast("Any", results), policy=FakePolicy(),
        scoring=scoring, sink=letters,
        live=None, max_batch=16,
    )  # fmt: skip
    running = asyncio.create_task(pump.run())
    async with asyncio.timeout(20):
        await results.ended.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    scoring.close()
    events = {json.loads(line)["event"] for line in logged.getvalue().splitlines()}
    assert {"dead_letter", "conversation_ended"} <= events
    assert ("window_failed" in events) is fails
    assert ("store_failed" in events) is away
    assert letters.letters
    assert SECRET not in logged.getvalue()


def test_an_error_says_where_and_not_what() -> None:
    with pytest.raises(ValueError, match=SECRET) as raised:
        Scorer(fails=True).score([cast("Any", SimpleNamespace(words=[HEARD]))], {})
    told = whereabouts(raised.value)
    assert told["error"] == "ValueError"
    assert "test_logs.py:" in told["where"]
    assert told["where"].endswith(" score")
    assert SECRET not in str(told)


async def test_an_error_of_the_database_does_not_quote_what_was_stored(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    async with engine.connect() as connection:
        with pytest.raises(SQLAlchemyError) as raised:
            await connection.execute(text("select * from nowhere where a = :a"), {"a": SECRET})
    await engine.dispose()
    assert SECRET not in str(raised.value)


async def test_requests_are_logged_by_their_route(logged: io.StringIO) -> None:
    app = FastAPI()
    problems.install(app)
    registry = CollectorRegistry()
    app.add_middleware(RequestMetrics, registry=registry)

    @app.get("/calls/{conversation}")
    async def one(conversation: str) -> dict[str, str]:
        if conversation.endswith("away"):
            raise StoreUnavailableError("connection refused")
        if conversation.endswith("crash"):
            raise ZeroDivisionError
        return {}

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    ) as client:
        for name in (SECRET, f"{SECRET}-away", f"{SECRET}-crash"):
            await client.get(f"/calls/{name}?queue={SECRET}")
        await client.get(f"/{SECRET}")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    ours = [line for line in lines if line.get("part") == "api"]
    requests = [(line["route"], line["status"]) for line in ours if line["event"] == "request"]
    route = "/calls/{conversation}"
    assert requests == [(route, 200), (route, 503), (route, 500), ("unmatched", 404)]
    assert {line["event"] for line in ours} == {"request", "store_away", "request_crashed"}
    assert SECRET not in logged.getvalue()
    crashed = registry.get_sample_value(
        "affectstream_http_requests_total", {"method": "GET", "route": route, "status": "500"}
    )
    assert crashed == 1
