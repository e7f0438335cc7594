"""Sound of a window does not depend on how it was cut into chunks, nor on their order."""

from itertools import pairwise
from random import Random

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.units import SECOND_NS
from streams.decoding import ALAW, MULAW, decode_audio
from streams.records import AudioChunk, AudioCodec

SAMPLE_NS = 62_500
WHO = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}


def chunk(
    start_ns: int,
    payload: bytes,
    sequence: int = 0,
    codec: AudioCodec = AudioCodec.PCM_S16LE,
    rate_hz: int = 16_000,
) -> AudioChunk:
    return AudioChunk(
        **WHO,
        sequence=sequence,
        start_ns=start_ns,
        duration_ns=1,
        rate_hz=rate_hz,
        codec=codec,
        payload=payload,
    )


def cut(sound: np.ndarray, cuts: list[int], rate_hz: int = 16_000) -> list[AudioChunk]:
    edges = [0, *sorted({cut % len(sound) for cut in cuts} - {0}), len(sound)]
    return [
        chunk(a * SECOND_NS // rate_hz, sound[a:b].astype("<i2").tobytes(), number, rate_hz=rate_hz)
        for number, (a, b) in enumerate(pairwise(edges))
    ]


SOUND = np.random.default_rng(7).integers(-8_000, 8_000, 4_000)


@given(st.lists(st.integers(0, 3_999), max_size=9), st.randoms())
def test_pieces_in_any_order_equal_the_whole(cuts: list[int], random: Random) -> None:
    chunks = cut(SOUND, cuts)
    random.shuffle(chunks)
    (span,) = decode_audio(chunks, 0, SECOND_NS).spans
    assert span.start_ns == 0
    np.testing.assert_array_equal(span.samples, (SOUND / 32_768).astype(np.float32))


@given(st.integers(0, 3_999), st.integers(1, 4_000))
def test_a_window_hears_exactly_its_own_samples(first: int, length: int) -> None:
    start_ns, end_ns = first * SAMPLE_NS, (first + length) * SAMPLE_NS
    (span,) = decode_audio(cut(SOUND, [1_000, 2_500]), start_ns, end_ns).spans
    assert span.start_ns == start_ns
    expected = SOUND[first : first + length] / 32_768
    np.testing.assert_array_equal(span.samples, expected.astype(np.float32))


def test_where_chunks_overlap_the_first_wins() -> None:
    ones, twos = np.full(160, 1_000), np.full(160, 2_000)
    chunks = [
        chunk(0, ones.astype("<i2").tobytes(), 0),
        chunk(100 * SAMPLE_NS, twos.astype("<i2").tobytes(), 1),
    ]
    (span,) = decode_audio(chunks, 0, SECOND_NS).spans
    heard = np.round(span.samples * 32_768)
    assert (heard[:160] == 1_000).all()
    assert (heard[160:260] == 2_000).all()
    assert len(heard) == 260


def test_a_gap_ends_a_span() -> None:
    chunks = cut(SOUND, [1_000, 2_000])
    spans = decode_audio([chunks[0], chunks[2]], 0, SECOND_NS).spans
    assert [(span.start_ns, len(span.samples)) for span in spans] == [
        (0, 1_000),
        (2_000 * SAMPLE_NS, 2_000),
    ]


@pytest.mark.parametrize(
    ("codec", "name"), [(AudioCodec.MULAW, "pcm_mulaw"), (AudioCodec.ALAW, "pcm_alaw")]
)
def test_companded_sound_is_what_ffmpeg_hears(codec: AudioCodec, name: str) -> None:
    every_byte = bytes(range(256))
    decoder = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    (frame,) = decoder.decode(av.Packet(every_byte))
    table = MULAW if codec is AudioCodec.MULAW else ALAW
    np.testing.assert_array_equal(table, frame.to_ndarray()[0] / np.float32(32_768))


@settings(max_examples=20)
@given(
    st.sampled_from([8_000, 11_025, 44_100, 48_000]), st.lists(st.integers(0, 7_999), max_size=4)
)
def test_other_rates_do_not_click_where_chunks_meet(rate_hz: int, cuts: list[int]) -> None:
    time_s = np.arange(8_000) / rate_hz
    tone = np.round(8_000 * np.sin(2 * np.pi * 300 * time_s)).astype(np.int64)
    (whole,) = decode_audio(cut(tone, [], rate_hz), 0, 10 * SECOND_NS).spans
    (pieces,) = decode_audio(cut(tone, cuts, rate_hz), 0, 10 * SECOND_NS).spans
    np.testing.assert_allclose(pieces.samples, whole.samples, atol=1e-6)
    assert abs(len(whole.samples) - 8_000 * 16_000 / rate_hz) <= 64
    steps = np.abs(np.diff(whole.samples[200:-200]))
    assert steps.max() < 0.25 * 2 * np.pi * 300 / 16_000 * 1.1


def test_opus_is_decoded_across_its_packets() -> None:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "flt"
    tone = (0.25 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    packets = []
    for number in range(50):
        piece = tone[number * 960 : (number + 1) * 960]
        frame = av.AudioFrame.from_ndarray(piece[None], format="flt", layout="mono")
        frame.rate, frame.pts = 48_000, number * 960
        packets += encoder.encode(frame)
    chunks = [
        chunk(number * 20_000_000, bytes(packet), number, AudioCodec.OPUS, 48_000)
        for number, packet in enumerate(packets)
    ]
    (span,) = decode_audio(chunks, 0, SECOND_NS).spans
    level = np.sqrt(np.mean(span.samples[4_000:-1_000] ** 2))
    assert abs(level - 0.25 / np.sqrt(2)) < 0.02


@pytest.mark.parametrize(
    ("codec", "payload"),
    [
        (AudioCodec.PCM_S16LE, b"\0\0\0"),
        (AudioCodec.OPUS, b""),
        (AudioCodec.OPUS, b"\xff" * 40),
    ],
)
def test_a_payload_that_is_not_its_codec_is_counted_and_harms_no_neighbour(
    codec: AudioCodec, payload: bytes
) -> None:
    good = chunk(SECOND_NS, SOUND.astype("<i2").tobytes(), 1)
    decoded = decode_audio([chunk(0, payload, 0, codec), good], 0, 2 * SECOND_NS)
    assert decoded.undecodable == 1
    assert [len(span.samples) for span in decoded.spans] == [4_000]


def test_nothing_is_heard_of_nothing() -> None:
    assert decode_audio([], 0, 1).spans == ()
    assert decode_audio([chunk(0, b"")], 0, 1).spans == ()
