"""Records leave in order, when their time has come, and only if policy lets them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import RecordTooLargeError

from inference.labels import Modality
from inference.units import SECOND_NS
from streams import topics
from streams.ingest.errors import OptionError, PublishError
from streams.ingest.media import MediaFile
from streams.ingest.publisher import Publisher, PublishStats, check_clock, permitted, publish
from streams.ingest.source import FileSource, SourceOptions, Timed
from streams.policy import Basis, ConversationGate, load_profile
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    Record,
    TranscriptSegment,
    VideoFrame,
    decode,
)

ZERO_NS = 1_700_000_000 * SECOND_NS
WHO = {"tenant": "acme", "conversation": "c-1"}


def control(kind: ControlKind, at_s: float, participant: str = "-", **attributes: str) -> Timed:
    at_ns = ZERO_NS + round(at_s * SECOND_NS)
    return Timed(
        at_ns,
        ControlEvent(
            **WHO,
            participant=participant,
            sequence=0,
            kind=kind,
            at_ns=at_ns,
            attributes=attributes,
        ),
    )


def sound(number: int, participant: str = "p-1", kind: Kind = Kind.DATA) -> Timed:
    """The chunk of 200 ms with this number."""
    start_ns = ZERO_NS + number * SECOND_NS // 5
    chunk = AudioChunk(
        **WHO,
        participant=participant,
        sequence=number,
        kind=kind,
        start_ns=start_ns,
        duration_ns=SECOND_NS // 5,
        payload=b"\0\0" * 3_200,
    )
    return Timed(start_ns + SECOND_NS // 5, chunk)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_ns = 5 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns

    async def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


class Listening:
    """A publisher that notes what it was given, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heard: list[tuple[int, Record]] = []

    async def publish(self, record: Record) -> None:
        self.heard.append((self.clock.now_ns - 5 * SECOND_NS, record))


async def played(timed: list[Timed], speed: float | None) -> list[tuple[int, Record]]:
    clock = Clock()
    listening = Listening(clock)
    stats, moved = PublishStats(), []
    await publish(
        iter(timed),
        listening,
        speed=speed,
        stats=stats,
        on_progress=moved.append,
        clock_ns=clock,
        sleep=clock.sleep,
    )
    assert stats.sent == len(listening.heard)
    assert moved == [item.at_ns for item in timed]
    return listening.heard


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
async def test_a_record_leaves_when_its_time_has_come(speed: float) -> None:
    timed = [control(ControlKind.STARTED, 0), *(sound(number) for number in range(70))]
    heard = await played(timed, speed)
    assert [record for _, record in heard] == [item.record for item in timed]
    expected = [round((item.at_ns - ZERO_NS) / speed) for item in timed]
    assert [at_ns for at_ns, _ in heard] == pytest.approx(expected, abs=10)


async def test_as_fast_as_it_goes_waits_for_nothing() -> None:
    heard = await played([sound(number) for number in range(70)], None)
    assert {at_ns for at_ns, _ in heard} == {0}


async def test_a_slow_receiver_is_caught_up_with_not_waited_for_twice() -> None:
    clock = Clock()

    class Slow(Listening):
        async def publish(self, record: Record) -> None:
            await super().publish(record)
            if len(self.heard) == 1:
                clock.now_ns += SECOND_NS

    slow = Slow(clock)
    await publish(
        (sound(number) for number in range(10)),
        slow,
        speed=1.0,
        stats=PublishStats(),
        on_progress=lambda at_ns: None,
        clock_ns=clock,
        sleep=clock.sleep,
    )
    assert [round(at_ns / SECOND_NS, 3) for at_ns, _ in slow.heard] == [
        0, 1, 1, 1, 1, 1, 1.2, 1.4, 1.6, 1.8,
    ]  # fmt: skip


def through(profile: str, *timed: Timed) -> tuple[list[Record], PublishStats]:
    stats = PublishStats()
    gate = ConversationGate(load_profile(profile))
    return [item.record for item in permitted(iter(timed), gate, stats)], stats


TOLD = (
    control(ControlKind.STARTED, 0, notice="yes"),
    control(ControlKind.PARTICIPANT_JOINED, 0, "p-1", role="customer"),
    control(ControlKind.PARTICIPANT_JOINED, 0, "p-2", role="agent"),
)


def test_what_policy_forbids_never_leaves_and_the_rest_does() -> None:
    passed, stats = through("eu", *TOLD, sound(0), sound(0, "p-2"), sound(1), sound(1, "p-2"))
    assert [record.participant for record in passed[3:]] == ["p-1", "p-1"]
    assert stats.withheld == {(Modality.SPEECH, Basis.REFUSAL): 2}
    assert stats.withheld_in_words == "2 speech (refusal)"


def test_each_modality_is_judged_by_itself() -> None:
    frame = VideoFrame(**WHO, participant="p-1", sequence=0, captured_ns=ZERO_NS, payload=b"jpeg")
    words = TranscriptSegment(
        **WHO, participant="p-1", sequence=0, start_ns=ZERO_NS, end_ns=ZERO_NS + 1, text="hello"
    )
    passed, stats = through(
        "text-only", *TOLD, sound(0), Timed(ZERO_NS, frame), Timed(ZERO_NS, words)
    )
    assert passed[3:] == [words]
    basis = Basis.NO_PERMISSION
    assert stats.withheld == {(Modality.SPEECH, basis): 1, (Modality.FACE, basis): 1}


def test_heartbeats_and_ends_pass_for_windows_wait_for_them() -> None:
    passed, stats = through("eu", *TOLD, sound(0, "p-2", Kind.HEARTBEAT), sound(1, "p-2", Kind.END))
    assert len(passed) == 5
    assert not stats.withheld


def test_nothing_that_lasts_beyond_a_withdrawal_leaves() -> None:
    withdrawn = control(ControlKind.CONSENT_CHANGED, 0.3, "p-1", consent="no")
    passed, _ = through("eu", *TOLD, withdrawn, sound(0), sound(1), sound(2))
    assert [record.sequence for record in passed if isinstance(record, AudioChunk)] == [0]


def test_a_start_in_the_future_is_refused_by_how_much_it_is_ahead() -> None:
    def source(start_ns: int) -> FileSource:
        media = MediaFile(Path("call.wav"), (), (), 100 * SECOND_NS)
        options = SourceOptions()
        return FileSource(
            media=media, parties=(), options=options, conversation="c-1", start_ns=start_ns
        )

    check_clock(source(ZERO_NS), 1.0, ZERO_NS)
    check_clock(source(ZERO_NS - 100 * SECOND_NS), None, ZERO_NS)
    with pytest.raises(OptionError, match="90 s ahead"):
        check_clock(source(ZERO_NS), 10.0, ZERO_NS)
    with pytest.raises(OptionError, match="100 s ahead"):
        check_clock(source(ZERO_NS), None, ZERO_NS)
    with pytest.raises(OptionError, match="61 s ahead"):
        check_clock(source(ZERO_NS + 61 * SECOND_NS), 1.0, ZERO_NS)


class Producer:
    """Stands in for aiokafka's: confirms when told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes, dict[str, bytes]]] = []
        self.futures: list[asyncio.Future[object]] = []

    async def send(
        self, topic: str, *, value: bytes, key: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[object]:
        self.sent.append((topic, key, value, dict(headers)))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


def records() -> Iterator[Record]:
    yield TOLD[0].record
    yield sound(0).record
    yield VideoFrame(**WHO, participant="p-1", sequence=0, captured_ns=ZERO_NS, payload=b"jpeg")
    yield TranscriptSegment(
        **WHO, participant="p-1", sequence=0, start_ns=ZERO_NS, end_ns=ZERO_NS + 1, text="hello"
    )


async def test_each_kind_goes_to_its_topic_under_the_key_of_its_conversation() -> None:
    producer = Producer()
    publisher = Publisher(producer)
    for record in records():
        await publisher.publish(record)
    assert [sent[0] for sent in producer.sent] == [
        topics.CONTROL,
        topics.AUDIO,
        topics.FRAMES,
        topics.TRANSCRIPTS,
    ]
    assert {sent[1] for sent in producer.sent} == {b"acme/c-1"}
    assert [decode(type(r), sent[2]) for r, sent in zip(records(), producer.sent, strict=True)] == [
        *records()
    ]


async def test_the_headers_are_a_cloud_event_whose_id_is_that_of_the_record() -> None:
    producer = Producer()
    publisher = Publisher(producer)
    for record in [*records(), *records()]:
        await publisher.publish(record)
    headers = [sent[3] for sent in producer.sent]
    assert headers[1] == {
        "ce_specversion": b"1.0",
        "ce_id": b"affect.audio.v1/acme/c-1/p-1/0",
        "ce_source": b"affectstream",
        "ce_type": b"affect.audio.v1",
        "ce_subject": b"acme/c-1",
        "content-type": b"application/msgpack",
    }
    assert len({item["ce_id"] for item in headers}) == 4


async def test_no_more_are_in_flight_than_there_is_room_for() -> None:
    producer = Producer()
    publisher = Publisher(producer, max_in_flight=2)
    for number in range(2):
        await publisher.publish(sound(number).record)
    third = asyncio.create_task(publisher.publish(sound(2).record))
    await asyncio.sleep(0)
    assert len(producer.sent) == 2
    producer.futures[0].set_result(None)
    await third
    assert len(producer.sent) == 3


async def test_a_record_that_kafka_refuses_is_an_error_and_not_a_gap() -> None:
    producer = Producer()
    publisher = Publisher(producer)
    await publisher.publish(sound(0).record)
    producer.futures[0].set_exception(RecordTooLargeError())
    with pytest.raises(PublishError, match="RecordTooLargeError"):
        await publisher.flush()
    with pytest.raises(PublishError):
        await publisher.publish(sound(1).record)
    assert len(producer.sent) == 1
