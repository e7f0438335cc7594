"""Traces: one from ingest to the stored score and its delivery; off, not a trace of them."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from aiokafka.structs import ConsumerRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import SECOND_NS
from storage.engine import snapshot
from storage.outbox import pending
from storage.results import ResultStore
from storage.schema import outbox
from storage.values import ConversationKey, ParticipantBatch
from streams import topics, traces
from streams.cloud_events import MSGPACK, cloud_event
from streams.ingest.publisher import Publisher, PublishStats, publish
from streams.ingest.source import Timed
from streams.records import AudioChunk, Kind, Record, Track
from streams.serving.access.caller import everyone
from streams.serving.api.service import build_api
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.participant import Timing
from streams.worker.feed import Assignment, RawRecord
from streams.worker.origins import SPANS, Origins
from streams.worker.partitions import Partitions
from streams.worker.pump import Pump
from streams.worker.relay import Relay
from streams.worker.scoring_thread import ScoringThread
from tests.gates import Everything, FakePolicy
from tests.scores import absent_score, batch, distressed
from tests.strategies import control

START_NS = 1_764_000_000 * SECOND_NS
WHO = {"tenant": "zq-tenant", "conversation": "zq-call", "participant": "zq-who"}
PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What is exported while traces are on."""
    exporter = InMemorySpanExporter()
    traces.begin(SimpleSpanProcessor(exporter), "test")
    yield exporter
    traces.end()


class Scorer:
    """Says nothing about anything."""

    def score(self, windows: Sequence[Any], states: Mapping[Any, Any]) -> Any:
        scores = tuple(map(absent_score, windows))
        return SimpleNamespace(scores=scores, states=states, moments=(None,) * len(scores))


class Broker:
    """A producer whose records the test hands to a consumer."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, list[tuple[str, bytes]]]] = []

    async def send(
        self, topic: str, *, value: bytes, key: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[object]:
        self.records.append((topic, value, headers))
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
    ) -> None:
        pairs = [(name, text.encode()) for name, text in headers.items()]
        self.records.append((topic, value or b"", pairs))


class Ends(ResultStore):
    """Says when a conversation has ended."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.ended = asyncio.Event()

    async def end_conversation(self, *arguments: Any) -> None:
        await super().end_conversation(*arguments)
        self.ended.set()


def call(seconds: int = 4) -> Iterator[Timed]:
    """Somebody is on the line for so long; more records than are published at once."""
    end_ns = START_NS + seconds * SECOND_NS
    started, joined, ended = control(START_NS, end_ns, frozenset({Track.AUDIO}))
    yield Timed(START_NS, started.evolve(tenant="zq-tenant", conversation="zq-call"))
    yield Timed(START_NS, joined.evolve(**WHO))
    for number in range(seconds * 10):
        at_ns = START_NS + number * SECOND_NS // 10
        chunk = AudioChunk(
            **WHO, sequence=number, start_ns=at_ns, duration_ns=SECOND_NS // 10, rate_hz=8_000,
            payload=bytes(1_600),
        )  # fmt: skip
        yield Timed(at_ns, chunk)
    yield Timed(end_ns, AudioChunk(**WHO, sequence=9_000, kind=Kind.END, start_ns=end_ns))
    yield Timed(end_ns, ended.evolve(tenant="zq-tenant", conversation="zq-call"))


async def journey(engine: AsyncEngine) -> Broker:
    """Ingest, the log, windows, scores, the database, and who is told."""
    broker = Broker()
    await publish(
        call(), Publisher(cast("Any", broker)), speed=None, stats=PublishStats(),
        on_progress=lambda _: None,
    )  # fmt: skip
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
    for topic in topics.INPUTS:
        partitions.begin(Assignment(topic, 0, 0, 0))
        read = [item for item in broker.records if item[0] == topic]
        partitions.take(
            topic,
            0,
            [
                RawRecord(offset, None, value, None, traces.of_record(headers))
                for offset, (_, value, headers) in enumerate(read)
            ],
        )
    results, scoring = Ends(engine), ScoringThread(cast("Any", Scorer()), "live")
    pump = Pump(
        partitions, run="live", results=results, policy=FakePolicy(), scoring=scoring,
        sink=cast("Any", None), live=None, max_batch=16,
    )  # fmt: skip
    running = asyncio.create_task(pump.run())
    async with asyncio.timeout(5):
        await results.ended.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    scoring.close()
    assert pump.stats.windows_stored > 4
    await Relay(engine, cast("Any", None), broker).serve("kafka")
    return broker


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def ids(span: ReadableSpan) -> set[int]:
    """Spans that this one came from: its parent and its links."""
    assert span.parent is not None
    return {span.parent.span_id, *(link.context.span_id for link in span.links)}


def own(spans: Sequence[ReadableSpan]) -> set[int]:
    return {span.context.span_id for span in spans if span.context}


async def test_a_trace_leads_from_ingest_to_the_stored_score_and_its_delivery(
    engine: AsyncEngine, spans: InMemorySpanExporter
) -> None:
    broker = await journey(engine)
    ingested, scored = named(spans, "ingest"), named(spans, "score windows")
    stored, delivered = named(spans, "store windows"), named(spans, "deliver")
    assert len(ingested) == 2  # 44 records, 32 at once
    assert scored
    assert set.union(*map(ids, scored)) == own(ingested)
    assert set.union(*map(ids, stored)) == own(scored)
    assert set.union(*map(ids, delivered)) == own(scored)
    contexts = [span.context for span in (*stored, *delivered) if span.context]
    roots = {span.context.trace_id for span in ingested if span.context}
    assert {context.trace_id for context in contexts} <= roots
    [told] = {
        dict(headers)["traceparent"] for topic, _, headers in broker.records
        if topic == topics.SCORES
    }  # fmt: skip
    assert int(told.decode().split("-")[2], 16) in own(delivered)


async def test_no_attribute_holds_words_or_names_anybody(
    engine: AsyncEngine, spans: InMemorySpanExporter
) -> None:
    await journey(engine)
    for span in spans.get_finished_spans():
        assert "zq-" not in span.to_json()


async def test_off_there_is_no_header_and_no_span_and_nothing_is_kept(
    engine: AsyncEngine,
) -> None:
    assert not traces.enabled()
    broker = await journey(engine)
    assert broker.records
    for _, _, headers in broker.records:
        assert "traceparent" not in dict(headers)
    assert traces.start("anything") is None
    assert traces.of_record([("traceparent", PARENT.encode())]) is None
    async with snapshot(engine) as connection:
        assert set(await connection.scalars(select(outbox.c.traceparent))) <= {None}


async def test_a_batch_carries_its_span_through_the_outbox(engine: AsyncEngine) -> None:
    whole: ParticipantBatch = replace(batch([distressed(0)], None), traceparent=PARENT)
    await ResultStore(engine).commit([whole])
    [message] = await pending(engine, "kafka", now_ns=0, limit=9)
    assert message.traceparent == PARENT


def test_the_newest_origin_is_the_parent_and_what_is_no_context_is_left_out(
    spans: InMemorySpanExporter,
) -> None:
    older = PARENT.replace("-01234567", "-99999999")
    with traces.span("one", [None, "nonsense", older, older, PARENT]):
        assert traces.headers()["traceparent"].split("-")[1] == PARENT.split("-")[1]
    [one] = named(spans, "one")
    assert one.parent is not None
    assert f"{one.parent.span_id:016x}" == PARENT.split("-")[2]
    assert len(one.links) == 1


def test_links_are_bounded(spans: InMemorySpanExporter) -> None:
    many = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 500)]
    with traces.span("one", many):
        pass
    assert len(named(spans, "one")[0].links) == traces.MAX_LINKS - 1


def test_a_statement_that_belongs_to_nothing_is_no_trace(spans: InMemorySpanExporter) -> None:
    with traces.span("select", kind=SpanKind.CLIENT):
        pass
    with traces.span("outer"), traces.span("select", [traces.headers()["traceparent"]]):
        pass
    assert [span.name for span in spans.get_finished_spans()] == ["select", "outer"]


def test_a_cloud_event_carries_the_span_in_which_it_is_made(spans: InMemorySpanExporter) -> None:
    def event() -> dict[str, str]:
        return cloud_event("1", topics.AUDIO, subject="a/b", content_type=MSGPACK)

    assert "traceparent" not in event()
    with traces.span("one"):
        assert event()["traceparent"] == traces.headers()["traceparent"]


def test_origins_are_those_whose_records_lie_in_the_window_and_are_bounded() -> None:
    origins = Origins()
    records: list[Record] = [item.record for item in call()]
    for number, record in enumerate(records):
        origins.note(record, f"span-{number // 10}")
    key = ConversationKey(WHO["tenant"], WHO["conversation"])
    found = origins.of(key, START_NS + 2 * SECOND_NS, START_NS + 3 * SECOND_NS)
    assert found == ["span-2", "span-3"]
    assert origins.of(ConversationKey("zq-tenant", "other"), 0, 2 * START_NS) == []
    for number in range(SPANS + 5):
        origins.note(records[2], f"more-{number}")
    assert len(origins.of(key, 0, 2 * START_NS)) == SPANS
    origins.clear()
    assert origins.of(key, 0, 2 * START_NS) == []


async def test_requests_and_statements_are_shown_without_ids(
    engine: AsyncEngine, spans: InMemorySpanExporter
) -> None:
    cache = SimpleNamespace(check=None, listen=None)
    api = build_api(engine, cast("Any", cache), everyone("zq-tenant"))
    traces.watch_engine(engine)
    traces.watch_api(api.app)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://api"
    ) as client:
        await client.get("/v1/conversations/zq-call?participant=zq-who")
        await client.get("/healthz")
    names = {span.name for span in spans.get_finished_spans()}
    assert "GET /v1/conversations/{conversation}" in names
    assert any(name.startswith("SELECT") for name in names)
    assert not any("healthz" in name for name in names)
    for span in spans.get_finished_spans():
        assert "zq-" not in span.to_json()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(traces.TracesError, match=r"affectstream\[traces\]"):
        traces.configure("otlp", "http://127.0.0.1:4318", "worker")
    assert not traces.enabled()
    traces.configure("none", "", "worker")
    assert not traces.enabled()


def test_the_console_shows_spans_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    traces.configure("console", "", "worker")
    try:
        with traces.span("one"):
            pass
    finally:
        traces.end()
    written = capsys.readouterr()
    assert '"name": "one"' in written.err
    assert "affectstream-worker" in written.err
    assert written.out == ""


def test_a_fetched_record_has_headers_where_the_adapter_looks() -> None:
    assert "headers" in ConsumerRecord.__dataclass_fields__
