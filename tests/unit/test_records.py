"""The wire: encode-decode laws, limits, and golden bytes that show an accidental change."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.records import (
    MAX_RECORD_BYTES,
    AudioChunk,
    AudioCodec,
    BadRecordError,
    ControlEvent,
    ControlKind,
    Kind,
    Record,
    Track,
    TranscriptSegment,
    VideoFrame,
    decode,
    encode,
    storable,
)

WHO = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}
GOLDEN: dict[str, tuple[Record, str]] = {
    "audio": (
        AudioChunk(
            **WHO,
            sequence=7,
            start_ns=1_000_000_000,
            duration_ns=200_000_000,
            rate_hz=8_000,
            codec=AudioCodec.MULAW,
            payload=b"\x00\xff",
        ),
        "9b01a461636d65a3632d31a3702d3107a464617461ce3b9aca00ce0bebc200cd1f40a56d756c6177c40200ff",
    ),
    "frame": (
        VideoFrame(**WHO, sequence=1, captured_ns=5, width=640, height=480, payload=b"jpg"),
        "9b01a461636d65a3632d31a3702d3101a46461746105a46a706567cd0280cd01e0c4036a7067",
    ),
    "transcript": (
        TranscriptSegment(
            **WHO,
            sequence=2,
            segment_id="s-1",
            start_ns=1,
            end_ns=2,
            text="héllo",
            language="en",
            confidence=0.5,
            is_final=False,
        ),
        "9d01a461636d65a3632d31a3702d3102a464617461a3732d310102a668c3a96c6c6fa2656ecb3fe0000000000000c2",
    ),
    "control": (
        ControlEvent(
            **WHO,
            sequence=0,
            kind=ControlKind.STARTED,
            at_ns=9,
            attributes={"queue": "billing"},
        ),
        "9801a461636d65a3632d31a3702d3100a7737461727465640981a57175657565a762696c6c696e67",
    ),
}


@pytest.mark.parametrize(("record", "golden"), GOLDEN.values(), ids=GOLDEN.keys())
def test_the_bytes_on_the_wire_are_those_of_schema_1(record: Record, golden: str) -> None:
    assert encode(record).hex() == golden
    assert decode(type(record), bytes.fromhex(golden)) == record


ids = st.text("abcXYZ019._:-", min_size=1, max_size=128)
whole = st.integers(0, (1 << 63) - 1)
parts = st.fixed_dictionaries(
    {"tenant": ids, "conversation": ids, "participant": ids, "sequence": whole}
)
records = st.one_of(
    st.builds(
        lambda who, **rest: AudioChunk(**who, **rest),
        parts,
        kind=st.sampled_from(Kind),
        start_ns=whole,
        duration_ns=st.integers(0, 60_000_000_000),
        rate_hz=st.integers(4_000, 192_000),
        codec=st.sampled_from(AudioCodec),
        payload=st.binary(max_size=64),
    ),
    st.builds(
        lambda who, **rest: VideoFrame(**who, **rest),
        parts,
        captured_ns=whole,
        width=st.integers(0, 8_192),
        payload=st.binary(max_size=64),
    ),
    st.builds(
        lambda who, times, **rest: TranscriptSegment(
            **who, start_ns=min(times), end_ns=max(times), **rest
        ),
        parts,
        times=st.tuples(whole, whole),
        text=st.text(max_size=40),
        confidence=st.none() | st.floats(0, 1),
        is_final=st.booleans(),
    ),
    st.builds(
        lambda who, **rest: ControlEvent(**who, **rest),
        parts,
        kind=st.sampled_from(ControlKind),
        at_ns=whole,
        attributes=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    ),
)


@given(records)
def test_a_record_survives_its_bytes(record: Record) -> None:
    assert decode(type(record), encode(record)) == record


@given(records, st.integers(0, 10_000))
def test_a_torn_record_is_a_bad_record_and_never_another(record: Record, cut: int) -> None:
    data = encode(record)
    with pytest.raises(BadRecordError, match=f"not a {type(record).__name__}"):
        decode(type(record), data[: cut % len(data)])


@given(st.binary(max_size=200))
def test_no_bytes_make_a_decoder_raise_anything_else(data: bytes) -> None:
    for kind in (AudioChunk, VideoFrame, TranscriptSegment, ControlEvent):
        try:
            decode(kind, data)
        except BadRecordError as exc:
            assert str(exc)  # noqa: PT017 - most bytes are bad, some may be good


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "a/b"},
        {"conversation": ""},
        {"participant": "x" * 129},
        {"sequence": -1},
        {"start_ns": -1},
        {"duration_ns": 60_000_000_001},
        {"rate_hz": 100},
        {"schema": 2},
    ],
    ids=str,
)
def test_values_out_of_their_limits_are_refused(wrong: dict[str, object]) -> None:
    good = AudioChunk(**WHO, sequence=0, start_ns=0)
    with pytest.raises(BadRecordError):
        decode(AudioChunk, encode(good.evolve(**wrong)))


def test_a_record_too_large_for_kafka_is_refused_before_it_is_sent_and_when_it_arrives() -> None:
    large = AudioChunk(**WHO, sequence=0, start_ns=0, payload=bytes(MAX_RECORD_BYTES))
    with pytest.raises(BadRecordError, match="send shorter chunks"):
        encode(large)
    with pytest.raises(BadRecordError, match="the limit is"):
        decode(AudioChunk, bytes(MAX_RECORD_BYTES + 1))


def test_words_do_not_end_before_they_begin() -> None:
    with pytest.raises(ValueError, match="before its start"):
        TranscriptSegment(**WHO, sequence=0, start_ns=2, end_ns=1)


def test_names_that_nobody_knows_are_left_to_policy() -> None:
    joined = ControlEvent(
        **WHO,
        sequence=0,
        kind=ControlKind.PARTICIPANT_JOINED,
        at_ns=0,
        attributes={"role": "manager", "tracks": "audio, holograms"},
    )
    assert joined.role == "unknown"
    assert joined.tracks == {Track.AUDIO}


def test_a_newer_reader_finds_defaults_for_what_an_older_writer_left_out() -> None:
    record = AudioChunk(**WHO, sequence=0, start_ns=3)
    fields = msgspec.msgpack.decode(encode(record))
    shortened = msgspec.msgpack.encode(fields[:7])
    assert decode(AudioChunk, shortened) == record


def test_what_no_database_keeps_is_marked_in_words() -> None:
    assert storable("bill\0ing") == storable("bill\ud83ding") == "bill\ufffding"
    assert storable("größe 😀") == "größe 😀"
