"""Hypothesis strategies: conversations in event time, and the orders they may come in."""

from dataclasses import dataclass

from hypothesis import strategies as st

from inference.units import SECOND_NS
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    Record,
    Track,
    TranscriptSegment,
    VideoFrame,
)
from streams.windows.participant import extent

ORIGIN_NS = 1_000 * SECOND_NS


@dataclass(frozen=True)
class Call:
    """A generated conversation: records in event-time order, control apart."""

    control: tuple[ControlEvent, ...]
    media: tuple[Record, ...]
    ends: tuple[Record, ...]
    tracks: frozenset[Track]
    joined_ns: int
    left_ns: int

    @property
    def records(self) -> list[Record]:
        """Everything in the order a well-behaved source sends it."""
        started, ended = self.control[:-1], self.control[-1]
        return [*started, *self.media, *self.ends, ended]


def media_time(record: Record) -> int:
    """The event time by which a source sends a record: once its content is over."""
    assert not isinstance(record, ControlEvent)
    return extent(record)[1]


BASE = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}


@st.composite
def chunks(draw: st.DrawFn, joined_ns: int, length_ms: int) -> list[Record]:
    """Audio in chunks of 200 ms, of which some never came."""
    numbers = range(length_ms // 200)
    lost = draw(st.sets(st.sampled_from(numbers), max_size=3)) if numbers else set()
    return [
        AudioChunk(
            **BASE,
            sequence=number,
            start_ns=joined_ns + number * 200_000_000,
            duration_ns=200_000_000,
            payload=number.to_bytes(2, "little") * 8,
        )
        for number in numbers
        if number not in lost
    ]


def frames(joined_ns: int, length_ms: int) -> list[Record]:
    """Two pictures a second."""
    return [
        VideoFrame(
            **BASE, sequence=number, captured_ns=joined_ns + number * 500_000_000, payload=b"jpeg"
        )
        for number in range(length_ms // 500)
    ]


@st.composite
def segments(draw: st.DrawFn, joined_ns: int, length_ms: int) -> list[Record]:
    """A few final segments of 100 ms."""
    starts_ms = st.integers(0, max(length_ms - 150, 0))
    return [
        TranscriptSegment(
            **BASE,
            sequence=number,
            segment_id=f"s{number}",
            start_ns=joined_ns + start_ms * 1_000_000,
            end_ns=joined_ns + (start_ms + 100) * 1_000_000,
            text=f"words {number}",
        )
        for number, start_ms in enumerate(sorted(draw(st.sets(starts_ms, max_size=4))))
    ]


@st.composite
def calls(draw: st.DrawFn, *, tracks: frozenset[Track] | None = None) -> Call:
    """One customer with audio chunks, frames and words over a few seconds, gaps included."""
    if tracks is None:
        tracks = draw(st.frozensets(st.sampled_from(Track), min_size=1))
    joined_ns = ORIGIN_NS + draw(st.integers(0, 3_000)) * 1_000_000
    length_ms = draw(st.integers(200, 9_000))
    left_ns = joined_ns + length_ms * 1_000_000
    media: list[Record] = []
    ends: list[Record] = []
    if Track.AUDIO in tracks:
        media += draw(chunks(joined_ns, length_ms))
        ends.append(AudioChunk(**BASE, sequence=9_000, kind=Kind.END, start_ns=left_ns))
    if Track.FRAMES in tracks:
        media += frames(joined_ns, length_ms)
        ends.append(VideoFrame(**BASE, sequence=9_000, kind=Kind.END, captured_ns=left_ns))
    if Track.TRANSCRIPTS in tracks:
        media += draw(segments(joined_ns, length_ms))
        ends.append(
            TranscriptSegment(
                **BASE, sequence=9_000, kind=Kind.END, start_ns=left_ns, end_ns=left_ns
            )
        )
    return Call(
        control=control(joined_ns, left_ns, tracks),
        media=tuple(sorted(media, key=media_time)),
        ends=tuple(ends),
        tracks=tracks,
        joined_ns=joined_ns,
        left_ns=left_ns,
    )


def control(
    joined_ns: int, left_ns: int, tracks: frozenset[Track]
) -> tuple[ControlEvent, ControlEvent, ControlEvent]:
    """Started, joined, ended."""
    everybody = {**BASE, "participant": "-"}
    facts = {"role": "customer", "notice": "yes", "tracks": ",".join(sorted(tracks))}
    return (
        ControlEvent(**everybody, sequence=0, kind=ControlKind.STARTED, at_ns=joined_ns),
        ControlEvent(
            **BASE,
            sequence=1,
            kind=ControlKind.PARTICIPANT_JOINED,
            at_ns=joined_ns,
            attributes=facts,
        ),
        ControlEvent(**everybody, sequence=2, kind=ControlKind.ENDED, at_ns=left_ns),
    )


@st.composite
def disordered(draw: st.DrawFn, records: tuple[Record, ...], disorder_ns: int) -> list[Record]:
    """`records` delayed each by less than `disorder_ns`, per track as a network would."""
    delays = draw(
        st.lists(st.integers(0, disorder_ns - 1), min_size=len(records), max_size=len(records))
    )
    order = sorted(range(len(records)), key=lambda i: (media_time(records[i]) + delays[i], i))
    return [records[i] for i in order]
