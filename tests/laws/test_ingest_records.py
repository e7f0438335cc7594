"""Whatever a file holds, its records are ordered, counted, punctuated and complete."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.labels import Role
from inference.units import SECOND_NS
from streams.ingest.media import SAMPLE_NS, MediaFile, Picture, PictureTrack, SoundBlock, SoundTrack
from streams.ingest.parties import Naming, Party, Sound
from streams.ingest.source import FileSource, SourceOptions, Timed, records, speaks_of
from streams.ingest.transcripts import Words
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    MediaRecord,
    Track,
    TranscriptSegment,
    VideoFrame,
    decode,
    encode,
)

ORIGIN_NS = 1_700_000_000 * SECOND_NS
RATE_HZ = 16_000
TRACKS = {AudioChunk: Track.AUDIO, VideoFrame: Track.FRAMES, TranscriptSegment: Track.TRANSCRIPTS}
STEREO = SoundTrack(0, "stereo", ("FL", "FR"))


@dataclass(frozen=True)
class Recording(MediaFile):
    """A file of which everything is known: blocks of stereo sound with gaps, pictures."""

    sounding: tuple[tuple[int, int], ...] = ()
    """First sample and length of each block."""
    shots_ns: tuple[int, ...] = ()

    def blocks(self, track: SoundTrack, warn: object) -> Iterator[SoundBlock]:
        for first, length in self.sounding:
            left = np.arange(first, first + length, dtype=np.float32) % 20_000 / 32_768
            yield SoundBlock(first, np.stack([left, -left], axis=1))

    def frames(self, track: PictureTrack, fps: Fraction, warn: object) -> Iterator[Picture]:
        for at_ns in self.shots_ns:
            yield Picture(at_ns, 4, 3, at_ns.to_bytes(8, "big"))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Up to some seconds of sound with gaps, and pictures at any times."""
    pieces = st.tuples(st.sampled_from([0, 0, 0, 1, 700, 40_000]), st.integers(1, 30_000))
    sounding, position = [], 0
    for gap, length in draw(st.lists(pieces, max_size=4)):
        sounding.append((position + gap, length))
        position += gap + length
    shots_ns = draw(st.lists(st.integers(0, 6 * SECOND_NS), max_size=8, unique=True))
    pictures = (PictureTrack(0, 4, 3),)
    return Recording(
        Path("call.mp4"), (STEREO,), pictures, 0, tuple(sounding), tuple(sorted(shots_ns))
    )


@st.composite
def spoken(draw: st.DrawFn) -> tuple[Words, ...]:
    """Some words, by end then start as transcripts are read."""
    times_ms = st.tuples(st.integers(0, 7_000), st.integers(0, 7_000)).map(sorted)
    said = draw(st.lists(times_ms, max_size=4))
    words = [Words(start * 10**6, end * 10**6, f"w{n}") for n, (start, end) in enumerate(said)]
    return tuple(sorted(words, key=lambda w: (w.end_ns, w.start_ns)))


@st.composite
def sources(draw: st.DrawFn) -> FileSource:
    """Two who are heard, one of them seen, one of words alone; all of it may be missing."""
    media = draw(recordings())
    seen = draw(st.sampled_from([None, *media.pictures]))
    words = st.none() | spoken()
    cast = (
        Party("customer", Role.CUSTOMER, Sound(STEREO, 0), seen, draw(words)),
        Party("agent", Role.AGENT, Sound(STEREO, 1), None, draw(words)),
        Party("bot", Role.BOT, None, None, draw(spoken())),
    )
    return FileSource(
        media=media,
        parties=cast[: draw(st.integers(1, 3))],
        options=SourceOptions(chunk_ms=draw(st.sampled_from([20, 200, 333, 1_000, 2_500]))),
        conversation="c-1",
        start_ns=ORIGIN_NS + draw(st.sampled_from([0, 1, 999_999_999, 123_456_789])),
    )


def played(source: FileSource) -> list[Timed]:
    return list(records(source, pytest.fail))


def media_of(told: list[Timed]) -> dict[tuple[Track, str], list[MediaRecord]]:
    """What was sent, by track and participant."""
    found = defaultdict(list)
    for item in told:
        if not isinstance(item.record, ControlEvent):
            found[TRACKS[type(item.record)], item.record.participant].append(item.record)
    return found


def data_of(told: list[Timed], track: Track, participant: str) -> list[MediaRecord]:
    return [r for r in media_of(told)[track, participant] if r.kind is Kind.DATA]


@settings(max_examples=60, deadline=None)
@given(sources())
def test_records_come_in_event_time_between_started_and_ended(source: FileSource) -> None:
    told = played(source)
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(told))
    control = [item.record for item in told if isinstance(item.record, ControlEvent)]
    assert [event.kind for event in control] == [
        ControlKind.STARTED,
        *[ControlKind.PARTICIPANT_JOINED] * len(source.parties),
        ControlKind.ENDED,
    ]
    assert [event.sequence for event in control] == list(range(len(control)))
    assert [item.record for item in (*told[: len(control) - 1], told[-1])] == control
    assert all(item.at_ns >= source.start_ns for item in told)


@settings(max_examples=60, deadline=None)
@given(sources())
def test_who_joins_declares_exactly_the_tracks_that_come(source: FileSource) -> None:
    told = played(source)
    joined = [
        item.record
        for item in told
        if isinstance(item.record, ControlEvent)
        and item.record.kind is ControlKind.PARTICIPANT_JOINED
    ]
    declared = {(track, event.participant) for event in joined for track in event.tracks}
    assert declared == set(media_of(told))


@settings(max_examples=60, deadline=None)
@given(sources())
def test_tracks_count_from_zero_and_end_once_at_their_last(source: FileSource) -> None:
    for sent in media_of(played(source)).values():
        assert [record.sequence for record in sent] == list(range(len(sent)))
        assert [record.kind is Kind.END for record in sent] == [False] * (len(sent) - 1) + [True]


@settings(max_examples=60, deadline=None)
@given(sources())
def test_sound_and_pictures_end_with_their_last_and_words_with_the_conversation(
    source: FileSource,
) -> None:
    told = played(source)
    for (track, _), sent in media_of(told).items():
        *before, end = sent
        last_ns = max((speaks_of(r)[1] for r in before), default=source.start_ns)
        expected_ns = told[-1].at_ns if track is Track.TRANSCRIPTS else last_ns
        assert speaks_of(end)[1] == expected_ns


@settings(max_examples=60, deadline=None)
@given(sources())
def test_every_whole_second_is_spoken_of_before_time_goes_on(source: FileSource) -> None:
    told = played(source)
    sent = media_of(told)
    said_ns = dict.fromkeys(sent, 0)
    position = dict.fromkeys(sent, 0)
    second_ns = (source.start_ns // SECOND_NS + 1) * SECOND_NS
    for item in told:
        while second_ns < item.at_ns:
            for track, records_of_it in sent.items():
                if position[track] == len(records_of_it) or said_ns[track] >= second_ns:
                    continue
                # only what lies across the second may leave it open
                following = records_of_it[position[track]]
                assert following.kind is Kind.DATA
                assert speaks_of(following)[0] < second_ns
            second_ns += SECOND_NS
        if not isinstance(item.record, ControlEvent):
            track = TRACKS[type(item.record)], item.record.participant
            said_ns[track] = speaks_of(item.record)[1]
            position[track] += 1


@settings(max_examples=60, deadline=None)
@given(sources())
def test_heartbeats_stand_on_whole_seconds_and_are_kept(source: FileSource) -> None:
    for sent in media_of(played(source)).values():
        promised_ns = 0
        for record in sent:
            earliest_ns, _ = speaks_of(record)
            assert earliest_ns >= promised_ns
            if record.kind is Kind.HEARTBEAT:
                assert earliest_ns % SECOND_NS == 0
                assert earliest_ns > promised_ns
            if record.kind is not Kind.DATA:
                promised_ns = earliest_ns


@settings(max_examples=60, deadline=None)
@given(sources())
def test_all_sound_comes_where_it_was_and_no_other(source: FileSource) -> None:
    told = played(source)
    for party in source.parties:
        if party.sound is None:
            continue
        placed = {}
        for chunk in data_of(told, Track.AUDIO, party.id):
            first, odd_ns = divmod(chunk.start_ns - source.start_ns, SAMPLE_NS)
            samples = np.frombuffer(chunk.payload, "<i2")
            assert (odd_ns, chunk.duration_ns) == (0, len(samples) * SAMPLE_NS)
            assert chunk.duration_ns <= source.options.chunk_ms * 1_000_000
            assert not placed.keys() & range(first, first + len(samples))
            placed.update(zip(range(first, first + len(samples)), samples.tolist(), strict=True))
        sign = -1 if party.sound.channel else 1
        assert placed == {
            number: sign * (number % 20_000)
            for first, length in source.media.sounding
            for number in range(first, first + length)
        }


@settings(max_examples=60, deadline=None)
@given(sources())
def test_all_pictures_and_words_come_with_their_own_times(source: FileSource) -> None:
    told = played(source)
    for party in source.parties:
        shots = [
            (frame.captured_ns - source.start_ns, int.from_bytes(frame.payload, "big"))
            for frame in data_of(told, Track.FRAMES, party.id)
        ]
        expected = source.media.shots_ns if party.pictures else ()
        assert shots == [(at_ns, at_ns) for at_ns in expected]
        words = [
            Words(s.start_ns - source.start_ns, s.end_ns - source.start_ns, s.text)
            for s in data_of(told, Track.TRANSCRIPTS, party.id)
        ]
        assert words == list(party.words or ())


@settings(max_examples=60, deadline=None)
@given(sources())
def test_the_same_file_options_and_start_give_the_same_records_which_all_travel(
    source: FileSource,
) -> None:
    told = played(source)
    assert played(source) == told
    for item in told:
        assert decode(type(item.record), encode(item.record)) == item.record


CLIPS = [
    ("phone_two_party_30s.wav", "Diane=customer,Sheila=agent"),
    ("stereo_two_channel.wav", ""),
    ("mulaw_8k.wav", ""),
    ("several_faces_audio_10s.mp4", ""),
    ("no_face.mp4", ""),
]


@pytest.mark.parametrize(("name", "speakers"), CLIPS)
def test_real_recordings_keep_the_laws(shared_data: Path, name: str, speakers: str) -> None:
    path = shared_data / "clips" / name
    options = SourceOptions(
        conversation="c-1",
        start_ns=ORIGIN_NS,
        transcript=path.with_suffix(".stm") if speakers else None,
        naming=Naming(speakers=dict(pair.split("=") for pair in speakers.split(",") if pair)),
    )
    source = FileSource.open(path, options, now_ns=0, warn=pytest.fail)
    told = played(source)
    assert [encode(item.record) for item in played(source)] == [encode(i.record) for i in told]
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(told))
    for sent in media_of(told).values():
        assert [record.sequence for record in sent] == list(range(len(sent)))
        assert [record.kind for record in sent].count(Kind.END) == 1
        assert sent[-1].kind is Kind.END
    assert told[-1].at_ns - ORIGIN_NS == pytest.approx(source.media.duration_ns, abs=SECOND_NS)
