"""A media file as the records of one conversation, in event-time order.

Pure but for reading the file: the same file, options and start give the same records, so
`score` without Kafka and `ingest` through Kafka see the same input.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import tee
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from ulid import ULID

from inference.units import MS_NS, SECOND_NS
from streams.ingest.errors import OptionError
from streams.ingest.media import SAMPLE_NS, MediaFile, Picture, SoundBlock, Warn
from streams.ingest.parties import NOBODY, Naming, Party, Sound, parties
from streams.ingest.transcripts import Words, read_transcript
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    MediaRecord,
    Record,
    TranscriptSegment,
    VideoFrame,
)

HEARTBEAT_NS: Final = SECOND_NS
"""Heartbeats stand on whole seconds of the epoch, where windows of the default hop end."""
_CHUNK_MS: Final = range(20, 5_001)
_LOW_FREQUENCIES: Final = "LFE"
_FASTEST_FPS: Final = 60
_LONGEST_LANGUAGE: Final = 35
_LONGEST_ATTRIBUTE: Final = 256
_ID: Final = r"[A-Za-z0-9._:-]{1,128}"
_LATEST_NS: Final = 1 << 62
"""The year 2116: whatever is added to it still fits the 63 bits of a record's time."""
_TALKED_OVER_NS: Final = 60 * SECOND_NS
"""Words that end this long after the media are likely to count in other units."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A record and the event time at which a live source could have sent it."""

    at_ns: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Everything the user may say about one file."""

    tenant: str = "default"
    conversation: str | None = None
    """None: a new ULID."""
    start_ns: int | None = None
    """Event time of the file's zero. None: now if played live, else so that it ends now."""
    transcript: Path | None = None
    naming: Naming = field(default_factory=Naming)
    notice: bool = True
    consent: str = "unknown"
    queue: str = "unknown"
    language: str = "und"
    region: str = "unknown"
    purpose: str = "unknown"
    chunk_ms: int = 200
    fps: Fraction = Fraction(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """One opened file, with its conversation and its cast."""

    media: MediaFile
    parties: tuple[Party, ...]
    options: SourceOptions
    conversation: str
    start_ns: int

    @classmethod
    def open(
        cls, path: Path, options: SourceOptions, *, now_ns: int, warn: Warn, live: bool = False
    ) -> Self:
        """Look into the file and decide who is who.

        Starts on a whole second unless `options.start_ns` says otherwise, so that the
        windows of a file are cut at the same places every time it is played.

        Args:
            path: any file that FFmpeg reads.
            options: what the user said about it.
            now_ns: time of the wall clock.
            warn: takes lines about what is left out.
            live: the file starts now, as it does at speed 1; else it ends now.

        Raises MediaError, OptionError or WhoIsWhoError.
        """
        _check(options)
        media = MediaFile.open(path, warn)
        words = None if options.transcript is None else read_transcript(options.transcript)
        if words and words[-1].end_ns - media.duration_ns > _TALKED_OVER_NS:
            warn(
                f"{options.transcript}: words go on until {words[-1].end_ns / SECOND_NS:.0f} s, "
                f"the media until {media.duration_ns / SECOND_NS:.0f} s; times are in seconds"
            )
        start_ns = options.start_ns
        if start_ns is None:
            start_ns = max(0, now_ns - (0 if live else media.duration_ns))
            start_ns -= start_ns % SECOND_NS
        return cls(
            media=media,
            parties=parties(media, words, options.naming),
            options=options,
            conversation=options.conversation or str(ULID()),
            start_ns=start_ns,
        )

    @property
    def summary(self) -> str:
        """One line for a person: who was found, in which role, with notice or not."""
        cast = ", ".join(
            f"{party.id} is {party.role} ({' '.join(party.tracks)})" for party in self.parties
        )
        notice = "given" if self.options.notice else "not given"
        return f"{self.media.path}: conversation {self.conversation}: {cast}; notice {notice}"


def records(source: FileSource, warn: Warn) -> Iterator[Timed]:
    """The whole conversation: started, joined, media with heartbeats and ends, ended.

    Ordered by `at_ns`; audio is known at its end, frames when captured, words once said.
    Damage that shows only while reading is named to `warn`, and what decodes goes on.
    """
    yield from _opening(source)
    still_ns = int(SECOND_NS / source.options.fps) if source.media.pictures else 0
    end_ns = yield from _in_time_order(_feeds(source, warn), source.start_ns, still_ns)
    yield Timed(
        end_ns,
        ControlEvent(
            tenant=source.options.tenant,
            conversation=source.conversation,
            participant=NOBODY,
            sequence=len(source.parties) + 1,
            kind=ControlKind.ENDED,
            at_ns=end_ns,
        ),
    )


def _opening(source: FileSource) -> Iterator[Timed]:
    options = source.options
    told = {"notice": "yes" if options.notice else "no", "consent": options.consent}
    about = {
        "queue": options.queue,
        "language": options.language,
        "region": options.region,
        "purpose": options.purpose,
        "channel": "file",
    }
    events: list[tuple[str, ControlKind, dict[str, str]]] = [
        (NOBODY, ControlKind.STARTED, {**about, **told})
    ]
    for party in source.parties:
        joined = {"role": party.role.value, "tracks": ",".join(party.tracks), **told}
        events.append((party.id, ControlKind.PARTICIPANT_JOINED, joined))
    for sequence, (participant, kind, attributes) in enumerate(events):
        yield Timed(
            source.start_ns,
            ControlEvent(
                tenant=options.tenant,
                conversation=source.conversation,
                participant=participant,
                sequence=sequence,
                kind=kind,
                at_ns=source.start_ns,
                attributes=attributes,
            ),
        )


class _Feed:
    """One track of one participant: its next record, and how far it has spoken."""

    def __init__(
        self,
        punctuate: Callable[[Kind, int], MediaRecord],
        data: Iterator[MediaRecord],
        *,
        words: bool = False,
    ) -> None:
        self._punctuate = punctuate
        self._data = data
        self._sequence = 0
        self.head: MediaRecord | None = next(data, None)
        self.said_ns = 0
        self.ended = False
        self.words = words

    def next(self) -> Timed:
        """Send the head and read the record after it."""
        if self.head is None:
            raise StopIteration
        record, self.head = self.head, next(self._data, None)
        self.said_ns = speaks_of(record)[1]
        return self._numbered(record, self.said_ns)

    def owes_heartbeat(self, at_ns: int) -> bool:
        """Whether nothing before `at_ns` will come, and nothing has said so yet."""
        if self.ended or self.said_ns >= at_ns:
            return False
        return self.head is None or speaks_of(self.head)[0] >= at_ns

    def heartbeat(self, at_ns: int) -> Timed:
        """Say that nothing before `at_ns` will come."""
        self.said_ns = at_ns
        return self._numbered(self._punctuate(Kind.HEARTBEAT, at_ns), at_ns)

    def end(self, at_ns: int) -> Timed:
        """Say that the track is complete."""
        self.ended = True
        self.said_ns = at_ns
        return self._numbered(self._punctuate(Kind.END, at_ns), at_ns)

    def _numbered(self, record: MediaRecord, at_ns: int) -> Timed:
        numbered = record.evolve(sequence=self._sequence)
        self._sequence += 1
        return Timed(at_ns, numbered)


def speaks_of(record: MediaRecord) -> tuple[int, int]:
    """The earliest time a track's record belongs to, and the time at which it is known.

    The same for punctuation: both are the time that a heartbeat or end speaks of.
    """
    match record:
        case AudioChunk():
            return record.start_ns, record.start_ns + record.duration_ns
        case VideoFrame():
            return record.captured_ns, record.captured_ns
        case TranscriptSegment():
            return record.end_ns, record.end_ns


def _in_time_order(
    feeds: Sequence[_Feed], start_ns: int, still_ns: int
) -> Generator[Timed, None, int]:
    """Merge the feeds; returns the end of the conversation.

    Sound and pictures end where their file does. Somebody may speak until everything is
    over, so words end with the conversation, which lasts for `still_ns` at least: no window
    would see the one moment of a still picture.
    """
    end_ns = start_ns
    tick_ns = (start_ns // HEARTBEAT_NS + 1) * HEARTBEAT_NS
    for feed in feeds:
        if feed.head is None and not feed.words:
            yield feed.end(start_ns)
    while waiting := [feed for feed in feeds if feed.head is not None]:
        feed = min(waiting, key=_known_ns)
        tick_ns = yield from _ticks(feeds, tick_ns, _known_ns(feed))
        yield feed.next()
        end_ns = max(end_ns, feed.said_ns)
        if feed.head is None and not feed.words:
            yield feed.end(feed.said_ns)
    end_ns = max(end_ns, start_ns + still_ns)
    yield from _ticks(feeds, tick_ns, end_ns)
    for feed in feeds:
        if not feed.ended:
            yield feed.end(end_ns)
    return end_ns


def _ticks(feeds: Sequence[_Feed], tick_ns: int, until_ns: int) -> Generator[Timed, None, int]:
    """Heartbeats of the quiet feeds at each tick before `until_ns`; returns the next tick."""
    while tick_ns < until_ns:
        for quiet in feeds:
            if quiet.owes_heartbeat(tick_ns):
                yield quiet.heartbeat(tick_ns)
        tick_ns += HEARTBEAT_NS
    return tick_ns


def _known_ns(feed: _Feed) -> int:
    return 0 if feed.head is None else speaks_of(feed.head)[1]


def _feeds(source: FileSource, warn: Warn) -> list[_Feed]:
    """One feed a track; each sound track is decoded once for all who share it."""
    users: dict[int, int] = {}
    for party in source.parties:
        if party.sound is not None:
            users[party.sound.track.index] = users.get(party.sound.track.index, 0) + 1
    decoded = {
        track.index: list(tee(source.media.blocks(track, warn), users[track.index]))
        for track in source.media.sound
        if track.index in users
    }
    feeds: list[_Feed] = []
    for party in source.parties:
        make = _TrackRecords(source, party.id)
        if party.sound is not None:
            blocks = decoded[party.sound.track.index].pop()
            feeds.append(_Feed(make.audio_mark, make.audio(blocks, party.sound)))
        if party.pictures is not None:
            frames = source.media.frames(party.pictures, source.options.fps, warn)
            feeds.append(_Feed(make.frame_mark, make.frames(frames)))
        if party.words is not None:
            feeds.append(_Feed(make.words_mark, make.words(party.words), words=True))
    return feeds


@dataclass(frozen=True, slots=True)
class _TrackRecords:
    """Turns one participant's sound, pictures and words into records, unnumbered."""

    source: FileSource
    participant: str

    @property
    def _who(self) -> dict[str, Any]:
        options = self.source.options
        return {
            "tenant": options.tenant,
            "conversation": self.source.conversation,
            "participant": self.participant,
            "sequence": 0,
        }

    def audio(self, blocks: Iterator[SoundBlock], sound: Sound) -> Iterator[AudioChunk]:
        """Chunks cut at multiples of the chunk length from the file's zero, and at gaps."""
        pieces: list[NDArray[np.float32]] = []
        first = next_sample = 0

        def chunk() -> AudioChunk:
            samples = np.concatenate(pieces)
            pieces.clear()
            return AudioChunk(
                **self._who,
                start_ns=self.source.start_ns + first * SAMPLE_NS,
                duration_ns=len(samples) * SAMPLE_NS,
                payload=_pcm(samples),
            )

        size = self.source.options.chunk_ms * MS_NS // SAMPLE_NS
        for block in blocks:
            if pieces and block.first_sample > next_sample:
                yield chunk()
            if not pieces:
                first = next_sample = block.first_sample
            rest = _one_channel(block.samples, sound)
            while len(rest):
                room = size - next_sample % size
                pieces.append(rest[:room])
                next_sample += len(pieces[-1])
                rest = rest[room:]
                if next_sample % size == 0:
                    yield chunk()
                    first = next_sample
        if pieces:
            yield chunk()

    def frames(self, pictures: Iterator[Picture]) -> Iterator[VideoFrame]:
        """One frame a picture."""
        for picture in pictures:
            yield VideoFrame(
                **self._who,
                captured_ns=self.source.start_ns + picture.at_ns,
                width=picture.width,
                height=picture.height,
                payload=picture.jpeg,
            )

    def words(self, said: Sequence[Words]) -> Iterator[TranscriptSegment]:
        """One final segment for each entry of the transcript, which is sorted by end."""
        for number, spoken in enumerate(said):
            yield TranscriptSegment(
                **self._who,
                segment_id=f"s{number}",
                start_ns=self.source.start_ns + spoken.start_ns,
                end_ns=self.source.start_ns + spoken.end_ns,
                text=spoken.text,
                language=spoken.language or self.source.options.language,
                confidence=spoken.confidence,
            )

    def audio_mark(self, kind: Kind, at_ns: int) -> AudioChunk:
        """Heartbeat or end of the sound."""
        return AudioChunk(**self._who, kind=kind, start_ns=at_ns)

    def frame_mark(self, kind: Kind, at_ns: int) -> VideoFrame:
        """Heartbeat or end of the pictures."""
        return VideoFrame(**self._who, kind=kind, captured_ns=at_ns)

    def words_mark(self, kind: Kind, at_ns: int) -> TranscriptSegment:
        """Heartbeat or end of the words."""
        return TranscriptSegment(**self._who, kind=kind, start_ns=at_ns, end_ns=at_ns)


def _one_channel(samples: NDArray[np.float32], sound: Sound) -> NDArray[np.float32]:
    """The participant's own channel, or the mean of all that carry voices."""
    if sound.channel is not None:
        return samples[:, sound.channel]
    names = sound.track.channels
    voiced = [index for index, name in enumerate(names) if name != _LOW_FREQUENCIES]
    mixed: NDArray[np.float32] = samples[:, voiced or range(len(names))].mean(axis=1)
    return mixed


def _pcm(samples: NDArray[np.float32]) -> bytes:
    """16-bit little-endian; what is too loud is clipped."""
    scaled = np.round(samples * 32_768.0)
    return np.clip(scaled, -32_768, 32_767).astype("<i2").tobytes()


def _check(options: SourceOptions) -> None:
    """Raise OptionError where a record could not carry what was said."""
    if options.chunk_ms not in _CHUNK_MS:
        raise OptionError(
            f"--chunk-ms {options.chunk_ms}: takes {_CHUNK_MS.start} to {_CHUNK_MS.stop - 1}"
        )
    if options.start_ns is not None and not 0 <= options.start_ns <= _LATEST_NS:
        raise OptionError("--start: takes a time from 1970 to 2116")
    if not 0 < options.fps <= _FASTEST_FPS:
        raise OptionError(f"--fps {float(options.fps):g}: takes more than 0, up to {_FASTEST_FPS}")
    if len(options.language) > _LONGEST_LANGUAGE:
        raise OptionError(f"--language {options.language!r}: up to {_LONGEST_LANGUAGE} characters")
    for name, value in (("tenant", options.tenant), ("--conversation", options.conversation)):
        if value is not None and not re.fullmatch(_ID, value):
            raise OptionError(f"{name} {value!r}: 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
    for name in ("queue", "region", "purpose"):
        if len(getattr(options, name)) > _LONGEST_ATTRIBUTE:
            raise OptionError(f"--{name}: up to {_LONGEST_ATTRIBUTE} characters")
