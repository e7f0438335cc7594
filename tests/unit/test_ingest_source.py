"""A file as a conversation: complete, in event-time order, and the same every time."""

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.labels import Role
from inference.units import SECOND_NS
from streams.decoding import decode_audio
from streams.ingest.errors import MediaError, OptionError
from streams.ingest.media import MediaFile
from streams.ingest.parties import Naming
from streams.ingest.source import FileSource, SourceOptions, Timed, records, speaks_of
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    TranscriptSegment,
    VideoFrame,
    encode,
)
from tests.media import tone, write_pictures, write_sound

NOW_NS = 1_700_000_000 * SECOND_NS + 123_456_789
START_NS = 1_699_999_000 * SECOND_NS


def options(**changes: object) -> SourceOptions:
    return SourceOptions(**{"conversation": "c-1", "start_ns": START_NS, **changes})


def play(path: Path, said: SourceOptions) -> list[Timed]:
    source = FileSource.open(path, said, now_ns=NOW_NS, warn=pytest.fail)
    return list(records(source, pytest.fail))


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    both = np.stack([tone(3.3, 44_100, 300.0), tone(3.3, 44_100, 700.0)])
    path = tmp_path_factory.mktemp("call") / "call.wav"
    return write_sound(path, both, 44_100, layout="stereo")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "call.mp4"
    return write_pictures(path, seconds=3.0, sound_rate_hz=16_000)


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "call.stm"
    path.write_text("call 1 customer 0.5 1.0 Hello\ncall 1 agent 2.6 3.1 Good day\n")
    return path


TWO = Naming(channels=("customer", "agent"))


def test_it_begins_with_started_and_who_joins_and_finishes_with_ended(call: Path) -> None:
    told = play(call, options(naming=TWO, queue="billing", language="en", notice=False))
    events = [item.record for item in told if isinstance(item.record, ControlEvent)]
    started, customer, agent, ended = events
    assert [event.sequence for event in events] == [0, 1, 2, 3]
    assert (told[0].record, told[-1].record) == (started, ended)
    assert (started.kind, started.participant) == (ControlKind.STARTED, "-")
    assert started.attributes["queue"] == "billing"
    assert started.attributes["language"] == "en"
    assert started.attributes["notice"] == "no"
    assert (customer.role, agent.role) == (Role.CUSTOMER, Role.AGENT)
    assert customer.tracks == {"audio"}
    assert ended.kind is ControlKind.ENDED
    assert abs(ended.at_ns - START_NS - 3.3 * SECOND_NS) < 1_000_000


def test_the_sound_that_comes_out_is_the_sound_that_went_in(call: Path) -> None:
    told = play(call, options(naming=TWO))
    media = MediaFile.open(call, pytest.fail)
    whole = np.concatenate([b.samples for b in media.blocks(media.sound[0], pytest.fail)])
    for channel, participant in enumerate(TWO.channels):
        chunks = [
            item.record
            for item in told
            if isinstance(item.record, AudioChunk) and item.record.participant == participant
        ]
        data = [chunk for chunk in chunks if chunk.kind is Kind.DATA]
        (span,) = decode_audio(data, START_NS, START_NS + 10 * SECOND_NS).spans
        assert span.start_ns == START_NS
        np.testing.assert_allclose(span.samples, whole[:, channel], atol=1 / 32_768)


@pytest.mark.parametrize("chunk_ms", [20, 200, 333, 5_000])
def test_chunks_are_cut_on_the_grid_of_their_length(call: Path, chunk_ms: int) -> None:
    told = play(call, options(chunk_ms=chunk_ms))
    chunks = [item.record for item in told if isinstance(item.record, AudioChunk)]
    data = [chunk for chunk in chunks if chunk.kind is Kind.DATA]
    assert {chunk.duration_ns for chunk in data[:-1]} <= {chunk_ms * 1_000_000}
    assert data[-1].duration_ns <= chunk_ms * 1_000_000
    for before, after in pairwise(data):
        assert before.start_ns + before.duration_ns == after.start_ns


def test_mixed_channels_are_their_mean(call: Path) -> None:
    mixed = [i.record for i in play(call, options()) if isinstance(i.record, AudioChunk)]
    apart = [i.record for i in play(call, options(naming=TWO)) if isinstance(i.record, AudioChunk)]

    def heard(chunks: list[AudioChunk], participant: str) -> np.ndarray:
        data = [c for c in chunks if c.participant == participant and c.kind is Kind.DATA]
        return decode_audio(data, 0, START_NS + 10 * SECOND_NS).spans[0].samples

    mean = (heard(apart, "customer") + heard(apart, "agent")) / 2
    np.testing.assert_allclose(heard(mixed, "p-1"), mean, atol=2 / 32_768)


@pytest.fixture
def everything(video: Path, transcript: Path) -> list[Timed]:
    naming = Naming(speakers={"agent": "agent", "customer": "customer"})
    return play(video, options(naming=naming, transcript=transcript, fps=Fraction(4)))


def test_records_come_in_the_order_of_event_time(everything: list[Timed]) -> None:
    times = [item.at_ns for item in everything]
    assert times == sorted(times)


def test_every_track_is_numbered_from_zero_and_ends_once(everything: list[Timed]) -> None:
    tracks = defaultdict(list)
    for item in everything:
        tracks[type(item.record), item.record.participant].append(item.record)
    assert set(tracks) >= {
        (AudioChunk, "p-1"),
        (VideoFrame, "p-1"),
        (TranscriptSegment, "p-1"),
        (TranscriptSegment, "agent"),
    }
    for (kind, _), of_track in tracks.items():
        if kind is ControlEvent:
            continue
        assert [record.sequence for record in of_track] == list(range(len(of_track)))
        assert [record.kind for record in of_track].count(Kind.END) == 1
        assert of_track[-1].kind is Kind.END


def test_a_heartbeat_is_never_broken_by_what_follows(everything: list[Timed]) -> None:
    promised: dict[tuple[type, str], int] = {}
    for item in everything:
        if isinstance(item.record, ControlEvent):
            continue
        track = type(item.record), item.record.participant
        earliest_ns, _ = speaks_of(item.record)
        assert earliest_ns >= promised.get(track, 0)
        if item.record.kind is not Kind.DATA:
            promised[track] = earliest_ns


def test_a_track_never_leaves_the_others_in_the_dark_for_more_than_a_second(
    everything: list[Timed],
) -> None:
    said: dict[tuple[type, str], int] = {}
    for item in everything:
        if isinstance(item.record, ControlEvent):
            continue
        said[type(item.record), item.record.participant] = speaks_of(item.record)[1]
        if len(said) == 4:
            assert item.at_ns - min(said.values()) <= SECOND_NS


def test_frames_and_words_carry_their_own_times(everything: list[Timed]) -> None:
    data = [
        item.record
        for item in everything
        if not isinstance(item.record, ControlEvent) and item.record.kind is Kind.DATA
    ]
    frames = [record for record in data if isinstance(record, VideoFrame)]
    assert [(frame.captured_ns - START_NS) // 1_000_000 for frame in frames] == [
        0, 300, 500, 800, 1_000, 1_300, 1_500, 1_800, 2_000, 2_300, 2_500, 2_800,
    ]  # fmt: skip
    words = [record for record in data if isinstance(record, TranscriptSegment)]
    assert [(w.participant, w.start_ns - START_NS, w.text) for w in words] == [
        ("p-1", 500_000_000, "Hello"),
        ("agent", 2_600_000_000, "Good day"),
    ]


def test_the_same_file_gives_the_same_bytes(video: Path, transcript: Path) -> None:
    naming = Naming(speakers={"agent": "agent", "customer": "customer"})
    said = options(naming=naming, transcript=transcript)
    first, second = play(video, said), play(video, said)
    assert [encode(item.record) for item in first] == [encode(item.record) for item in second]


def test_a_file_ends_now_or_starts_now_on_a_whole_second(call: Path) -> None:
    said = options(start_ns=None)
    past = FileSource.open(call, said, now_ns=NOW_NS, warn=pytest.fail)
    live = FileSource.open(call, said, now_ns=NOW_NS, warn=pytest.fail, live=True)
    assert past.start_ns == (NOW_NS - past.media.duration_ns) // SECOND_NS * SECOND_NS
    assert live.start_ns == NOW_NS // SECOND_NS * SECOND_NS


def test_conversations_without_a_name_never_meet(call: Path) -> None:
    said = options(conversation=None)
    names = {
        FileSource.open(call, said, now_ns=NOW_NS, warn=pytest.fail).conversation for _ in range(20)
    }
    assert len(names) == 20


def test_the_summary_says_role_and_notice(call: Path) -> None:
    source = FileSource.open(
        call, options(naming=TWO, notice=False), now_ns=NOW_NS, warn=pytest.fail
    )
    assert source.summary.endswith(
        "conversation c-1: customer is customer (audio), agent is agent (audio); notice not given"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"chunk_ms": 19},
        {"chunk_ms": 5_001},
        {"fps": Fraction(0)},
        {"fps": Fraction(61)},
        {"conversation": "a/b"},
        {"conversation": ""},
        {"tenant": "a b"},
        {"language": "x" * 36},
        {"queue": "x" * 257},
        {"start_ns": -1},
        {"start_ns": 1 << 63},
    ],
)
def test_what_a_record_cannot_carry_is_refused_before_anything_is_sent(
    call: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(OptionError):
        FileSource.open(call, options(**changes), now_ns=NOW_NS, warn=pytest.fail)


def test_a_transcript_that_is_not_there_is_refused(call: Path) -> None:
    said = options(transcript=Path("none.stm"))
    with pytest.raises(MediaError, match=r"none\.stm"):
        FileSource.open(call, said, now_ns=NOW_NS, warn=pytest.fail)


def surround(folder: Path) -> Path:
    six = np.stack([tone(1.0, 48_000, 200.0 + 50 * n) for n in range(6)])
    return write_sound(folder / "six.wav", six, 48_000, layout="5.1")


def eight_channels(folder: Path) -> Path:
    eight = np.stack([tone(1.0, 48_000)] * 8)
    return write_sound(folder / "eight.wav", eight, 48_000, layout="7.1")


def telephone(folder: Path, codec: str) -> Path:
    return write_sound(folder / f"{codec}.wav", tone(1.0, 8_000)[None], 8_000, codec)


@pytest.mark.parametrize(
    ("make", "tracks"),
    [
        (lambda folder: telephone(folder, "pcm_mulaw"), {AudioChunk}),
        (lambda folder: telephone(folder, "pcm_alaw"), {AudioChunk}),
        (lambda folder: telephone(folder, "pcm_u8"), {AudioChunk}),
        (surround, {AudioChunk}),
        (eight_channels, {AudioChunk}),
        (lambda folder: write_pictures(folder / "silent.mp4", "libx265", 1.0), {VideoFrame}),
        (
            lambda folder: write_pictures(folder / "both.mkv", seconds=1.0, sound_rate_hz=22_050),
            {AudioChunk, VideoFrame},
        ),
    ],
    ids=["mu-law", "A-law", "8 bit", "5.1", "7.1", "HEVC without sound", "both"],
)
def test_unusual_files_are_conversations_like_any_other(
    make: Callable[[Path], Path], tracks: set[type], tmp_path: Path
) -> None:
    told = [item.record for item in play(make(tmp_path), options())]
    kinds = {type(r) for r in told if not isinstance(r, ControlEvent) and r.kind is Kind.DATA}
    assert kinds == tracks
    assert {type(r) for r in told if not isinstance(r, ControlEvent) and r.kind is Kind.END} == (
        tracks
    )


def test_a_still_picture_lasts_as_long_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "still.jpg"
    cv2.imwrite(str(path), np.full((64, 64, 3), 200, np.uint8))
    *_, ended = play(path, options(fps=Fraction(2)))
    assert isinstance(ended.record, ControlEvent)
    assert ended.record.at_ns == START_NS + SECOND_NS // 2


def test_the_low_frequency_channel_is_not_mixed_into_a_voice(tmp_path: Path) -> None:
    def six(level: float) -> np.ndarray:
        channels = np.stack([tone(1.0, 16_000)] * 6)
        channels[3] *= level  # FL FR FC LFE BL BR
        return channels

    def heard(name: str, level: float) -> list[bytes]:
        path = write_sound(tmp_path / name, six(level), 16_000, layout="5.1")
        return [i.record.payload for i in play(path, options()) if isinstance(i.record, AudioChunk)]

    assert heard("quiet.wav", 0.0) == heard("loud.wav", 3.0)
