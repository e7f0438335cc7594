"""What a worker does with fetched records, before any window is scored."""

import pytest

from inference.units import SECOND_NS
from storage.values import Progress, StoredConversation
from streams import topics
from streams.records import (
    MAX_RECORD_BYTES,
    AudioChunk,
    ControlEvent,
    ControlKind,
    Track,
    decode,
    encode,
)
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.participant import Timing
from streams.worker.dead_letters import (
    OFFSET_HEADER,
    PARTITION_HEADER,
    REASON_HEADER,
    TOPIC_HEADER,
)
from streams.worker.feed import Assignment, RawRecord
from streams.worker.partitions import Partitions, partition_of
from tests.gates import Everything

COUNT = 4
WHO = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}
HOME = partition_of(b"acme/c-1", COUNT)


def partitions() -> Partitions:
    return Partitions(
        lambda: Aligner(
            run="live",
            grid=WindowGrid(3 * SECOND_NS, SECOND_NS),
            timing=Timing(disorder_ns=1, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
            look_back_ns={},
            new_gate=Everything,
        ),
        count=COUNT,
        clock_ns=lambda: 0,
    )


def chunk(start_ns: int, sequence: int = 0) -> AudioChunk:
    return AudioChunk(**WHO, sequence=sequence, start_ns=start_ns, duration_ns=1, payload=b"\0\0")


def raw(offset: int, value: bytes | None, *, appended_ns: int | None = None) -> RawRecord:
    return RawRecord(offset, b"key", value, appended_ns)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "undecodable"),
        (None, "undecodable"),
        (b"\x93\x01", "undecodable"),
        (bytes(MAX_RECORD_BYTES + 1), "undecodable"),
    ],
    ids=["empty", "no value", "torn", "oversized"],
)
def test_bytes_that_are_no_record_become_a_letter_and_hold_their_offset_until_delivered(
    value: bytes | None, reason: str
) -> None:
    feed = partitions()
    feed.begin(Assignment(topics.AUDIO, HOME, 7, 7))
    feed.take(topics.AUDIO, HOME, [raw(7, value)])
    (letter,) = feed.take_letters()
    assert letter.topic == "affect.audio.v1.dlq"
    assert letter.value == value
    assert letter.headers[REASON_HEADER] == reason
    assert (letter.headers[TOPIC_HEADER], letter.headers[PARTITION_HEADER]) == (
        topics.AUDIO,
        str(HOME),
    )
    assert letter.headers[OFFSET_HEADER] == "7"
    assert feed.committable(topics.AUDIO, HOME) == 7
    assert letter.slot is not None
    letter.slot.done = True
    assert feed.committable(topics.AUDIO, HOME) == 8


def test_a_bad_record_does_not_keep_its_neighbours() -> None:
    feed = partitions()
    feed.begin(Assignment(topics.AUDIO, HOME, 0, 0))
    good = encode(chunk(SECOND_NS))
    feed.take(topics.AUDIO, HOME, [raw(0, good), raw(1, b"\xc1"), raw(2, good)])
    assert len(feed.take_letters()) == 1
    assert feed.expected(topics.AUDIO, HOME) == 3
    assert feed.conversations == 1


def test_a_record_on_the_wrong_partition_is_refused_with_the_reason() -> None:
    feed = partitions()
    wrong = (HOME + 1) % COUNT
    feed.begin(Assignment(topics.AUDIO, wrong, 0, 0))
    feed.take(topics.AUDIO, wrong, [raw(0, encode(chunk(0)))])
    (letter,) = feed.take_letters()
    assert letter.headers[REASON_HEADER] == "partition"
    assert feed.conversations == 0


def test_one_frame_from_the_future_moves_no_watermark() -> None:
    feed = partitions()
    feed.begin(Assignment(topics.AUDIO, HOME, 0, 0))
    feed.take(topics.AUDIO, HOME, [raw(0, encode(chunk(100 * SECOND_NS)), appended_ns=0)])
    for _, aligner in feed:
        for key in aligner.unloaded():
            aligner.load(key, StoredConversation())
    (letter,) = feed.take_letters()
    assert letter.headers[REASON_HEADER] == "clock"
    assert letter.value is not None
    assert decode(AudioChunk, letter.value) == chunk(100 * SECOND_NS)


def test_a_new_generation_forgets_everything() -> None:
    feed = partitions()
    feed.begin(Assignment(topics.AUDIO, HOME, 0, 0))
    feed.take(topics.AUDIO, HOME, [raw(0, encode(chunk(0))), raw(1, b"bad")])
    feed.reset(2)
    assert (feed.conversations, feed.held_bytes, feed.take_letters()) == (0, 0, [])
    assert list(feed.tracked()) == []


@pytest.mark.parametrize(("start_of_second", "reason"), [(5, "conversation_reused"), (0, None)])
def test_an_id_that_was_used_before_is_refused_and_a_repeat_of_its_start_is_not(
    start_of_second: int, reason: str | None
) -> None:
    feed = partitions()
    feed.begin(Assignment(topics.CONTROL, HOME, 0, 0))
    started = ControlEvent(
        **{**WHO, "participant": "-"}, sequence=0, kind=ControlKind.STARTED, at_ns=0
    )
    again = started.evolve(at_ns=start_of_second)
    feed.take(topics.CONTROL, HOME, [raw(0, encode(started)), raw(1, encode(again))])
    for _, aligner in feed:
        for key in aligner.unloaded():
            aligner.load(key, StoredConversation(progress={"p-1": Progress(closed_until_ns=0)}))
    reasons = [letter.headers[REASON_HEADER] for letter in feed.take_letters()]
    assert reasons == ([reason] if reason else [])


def test_records_that_retention_deleted_are_counted() -> None:
    feed = partitions()
    feed.expired(topics.AUDIO, HOME, 12)
    assert feed.records_expired == 12


def test_partitions_are_those_of_the_java_client() -> None:
    """Values of org.apache.kafka.common.utils.Utils.murmur2 for a few keys."""
    assert [
        partition_of(key, 1 << 31) for key in (b"21", b"foobar", b"a-little-bit-long-string")
    ] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]
