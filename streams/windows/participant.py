"""One participant: what is held of its tracks, and which of its windows are final."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from inference.labels import AbsenceReason, Modality, Role
from storage.values import Progress
from streams.records import (
    AudioChunk,
    ControlEvent,
    Kind,
    MediaRecord,
    Record,
    Track,
    TranscriptSegment,
    VideoFrame,
)
from streams.windows.completeness import FOREVER, ConfirmedFrontier, PollRow, TrackClock
from streams.windows.grid import WindowGrid
from streams.windows.tracker import Slot

MODALITY_OF: Final[Mapping[Track, Modality]] = {
    Track.AUDIO: Modality.SPEECH,
    Track.FRAMES: Modality.FACE,
    Track.TRANSCRIPTS: Modality.TEXT,
}
TRACK_OF: Final = {modality: track for track, modality in MODALITY_OF.items()}
_MISSING: Final = {
    Modality.SPEECH: AbsenceReason.NO_TRACK,
    Modality.TEXT: AbsenceReason.NO_TRACK,
    Modality.FACE: AbsenceReason.NO_CAMERA,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what. Event time, unless said otherwise."""

    disorder_ns: int
    """Records of one track may arrive out of order by this much; each is sent when it is over."""
    wait_ns: Mapping[Track, int]
    """A track may be given up once the others are this much further."""
    settle_ns: int = 3_000_000_000
    """Clock time of unbroken quiet after which idleness counts: longer than two polls may be
    apart plus the producers' retries after a broker outage."""
    unannounced_ns: int = 10_000_000_000
    """Clock time of quiet on control after which a conversation without `started` goes on."""
    session_gap_ns: int = 1_800_000_000_000
    """Clock time without any record after which a conversation is over."""
    future_ns: int = 60_000_000_000
    """An event time may be this much later than the broker's own time."""


@dataclass(slots=True, eq=False)
class Held:
    """A record, the place it came from, and until when windows need it."""

    topic: str
    record: Record
    slot: Slot
    release_ns: int = FOREVER
    """The record is needed until every window ending at or before this is final."""

    @property
    def size(self) -> int:
        """Payload bytes, for the memory budget."""
        return len(getattr(self.record, "payload", b""))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowDraft:
    """The records of one window, in time order, before anything is decoded."""

    tenant: str
    conversation: str
    participant: str
    role: Role
    start_ns: int
    end_ns: int
    audio: tuple[AudioChunk, ...]
    frames: tuple[VideoFrame, ...]
    segments: tuple[TranscriptSegment, ...]
    absent: Mapping[Modality, AbsenceReason]
    final: bool
    partial: bool = False
    state: bytes = b""
    """What the participant's stored windows left: only a provisional window is read beside it."""


Permission = Callable[[Modality, int, int], bool]
"""Whether policy permits a modality of this participant throughout `[start_ns, end_ns)`."""


def extent(record: MediaRecord) -> tuple[int, int]:
    """Half-open event time of a record's content.

    Words count from the moment they are known, the end of their segment, so that a
    window never sees words that are still being spoken.
    """
    if isinstance(record, AudioChunk):
        return record.start_ns, record.start_ns + max(record.duration_ns, 1)
    if isinstance(record, VideoFrame):
        return record.captured_ns, record.captured_ns + 1
    return max(record.end_ns - 1, 0), record.end_ns


@dataclass(slots=True)
class Buffer:
    """Held data records of one track, by event time."""

    items: list[tuple[int, int, int, Held]] = field(default_factory=list)
    """(start_ns, sequence, offset, held): the order that SEMANTICS prescribes."""
    longest_ns: int = 1

    def add(self, held: Held, start_ns: int, end_ns: int, sequence: int) -> None:
        """Insert by time."""
        self.longest_ns = max(self.longest_ns, end_ns - start_ns)
        insort(self.items, (start_ns, sequence, held.slot.offset, held))

    def between(self, start_ns: int, end_ns: int) -> Iterator[MediaRecord]:
        """Records overlapping `[start_ns, end_ns)`, each sequence once, first wins."""
        seen: set[int] = set()
        first = bisect_left(self.items, (start_ns - self.longest_ns + 1,))
        for index in range(first, len(self.items)):
            begin_ns, sequence, _, held = self.items[index]
            if begin_ns >= end_ns:
                break
            record = held.record
            if (
                sequence in seen
                or isinstance(record, ControlEvent)
                or extent(record)[1] <= start_ns
            ):
                continue
            seen.add(sequence)
            yield record

    def release(self, passed_ns: int) -> int:
        """Let go of what no window after `passed_ns` needs; returns the bytes that frees."""
        kept, freed = [], 0
        for item in self.items:
            held = item[3]
            if held.release_ns <= passed_ns:
                held.slot.done = True
                freed += held.size
            else:
                kept.append(item)
        self.items[:] = kept
        return freed

    def cut(self, since_ns: int) -> int:
        """Let go of what reaches beyond `since_ns`; returns the bytes that frees."""
        kept, freed = [], 0
        for item in self.items:
            held = item[3]
            if not isinstance(held.record, ControlEvent) and extent(held.record)[1] > since_ns:
                held.slot.done = True
                freed += held.size
            else:
                kept.append(item)
        self.items[:] = kept
        return freed


class Participant:
    """Event time of one participant: tracks, held records, and the next window.

    Windows become final strictly in order. `passed_ns` is the end of the last one that
    needs nothing more: it was stored, or policy forbade it.
    """

    def __init__(
        self,
        participant: str,
        joined_ns: int,
        grid: WindowGrid,
        look_back_ns: Mapping[Modality, int],
    ) -> None:
        self.id = participant
        self.role = Role.UNKNOWN
        self.joined_ns = joined_ns
        self.subject: str | None = None
        """Keyed digest of who it is."""
        self.announced = False
        self.decided = False
        """Whether policy was asked about one of its windows."""
        self.left_ns: int | None = None
        self.leaving_clock_ns: int | None = None
        self.declared: set[Track] = set()
        self.clocks: dict[Track, TrackClock] = {}
        self.progress: Progress | None = None
        self.busy = False
        self.freed_bytes = 0
        self._grid = grid
        self._look_back_ns = look_back_ns
        self._passed_ns: int | None = None
        self._provisional_ns = -1
        self._buffers = {track: Buffer() for track in Track}
        self._punctuation: list[Held] = []
        self._others = {track: ConfirmedFrontier() for track in Track}
        self._frozen_revisions: dict[str, int] = {}

    # what is known of it

    @property
    def passed_ns(self) -> int:
        """End of the last window that is stored or skipped."""
        if self._passed_ns is None:
            return self._grid.first_end_after(self.joined_ns) - self._grid.hop_ns
        return self._passed_ns

    @property
    def last_end_ns(self) -> int:
        """End of the last window that this participant has; FOREVER while it is there."""
        if self.left_ns is None:
            return FOREVER
        if self.left_ns <= self.joined_ns:
            return self.passed_ns
        return self._grid.last_end_touching(self.left_ns)

    @property
    def finished(self) -> bool:
        """Whether every window of it is stored or skipped."""
        return not self.busy and self.passed_ns >= self.last_end_ns

    def resume(self, progress: Progress | None) -> None:
        """Go on after what the database holds; None if it holds nothing."""
        self.progress = progress
        self.busy = False
        if progress is not None:
            self.skip_to(progress.closed_until_ns)

    def skip_to(self, passed_ns: int) -> None:
        """Windows ending at or before `passed_ns` need nothing more: release their records."""
        self._passed_ns = passed_ns if self._passed_ns is None else max(self._passed_ns, passed_ns)
        self._release(self._passed_ns)

    def withdraw(self, since_ns: int) -> None:
        """Consent ended at `since_ns`: what reaches beyond it goes now, not with its windows."""
        for buffer in self._buffers.values():
            self.freed_bytes += buffer.cut(since_ns)

    def release_all(self) -> None:
        """The participant is finished: nothing of it is needed any more."""
        self._release(FOREVER)

    def _release(self, passed_ns: int) -> None:
        for buffer in self._buffers.values():
            self.freed_bytes += buffer.release(passed_ns)
        for held in self._punctuation:
            held.slot.done = held.slot.done or held.release_ns <= passed_ns
        self._punctuation = [held for held in self._punctuation if not held.slot.done]

    # what arrives

    def needs(self, track: Track, record: MediaRecord) -> bool:
        """Whether a window that is not final yet can still see this data record."""
        return self._last_window(track, record) > self.passed_ns and (
            self._grid.first_end_after(extent(record)[0]) <= self.last_end_ns
        )

    def _last_window(self, track: Track, record: MediaRecord) -> int:
        look_back_ns = self._look_back_ns.get(MODALITY_OF[track], 0)
        return self._grid.last_end_touching(extent(record)[1] + look_back_ns)

    def hold(self, track: Track, held: Held, record: MediaRecord, clock_ns: int) -> None:
        """Take one media record: data until its last window is final, `end` until the very end."""
        clock = self.clocks.setdefault(track, TrackClock())
        start_ns, end_ns = extent(record)
        if record.kind is Kind.DATA:
            clock.data(start_ns, end_ns, clock_ns)
            held.release_ns = self._last_window(track, record)
            self._buffers[track].add(held, start_ns, end_ns, record.sequence)
            return
        at_ns = record.end_ns if isinstance(record, TranscriptSegment) else start_ns
        if record.kind is Kind.HEARTBEAT:
            clock.heartbeat(at_ns, clock_ns)
            held.release_ns = at_ns
        else:
            clock.end(at_ns, clock_ns)
        self._punctuation.append(held)
        self._release(self.passed_ns)

    @property
    def frontier_ns(self) -> int:
        """The newest event time that any of its tracks has spoken of."""
        return max((clock.frontier_ns for clock in self.clocks.values()), default=-1)

    # which windows are final

    def settle(self, rows: Mapping[Track, PollRow], timing: Timing) -> None:
        """Apply what the broker confirmed: idle tracks, and the tracks of one who left."""
        for track in self.declared | set(self.clocks):
            clock = self.clocks.setdefault(track, TrackClock())
            clock.settle(rows[track], timing.settle_ns)
            leaving_ns = self.leaving_clock_ns
            if leaving_ns is not None and not clock.ended:
                silent_since_ns = max(leaving_ns, clock.arrived_ns)
                clock.ended = rows[track].quiet_for(silent_since_ns, timing.settle_ns)

    def _given_up_until(
        self, track: Track, clock_ns: int, rows: Mapping[Track, PollRow], timing: Timing
    ) -> int:
        """Windows up to here need not wait for `track` any more: the others went on without it."""
        others_ns = max(
            (clock.frontier_ns for other, clock in self.clocks.items() if other is not track),
            default=-1,
        )
        confirmed_ns = self._others[track].update(
            others_ns, clock_ns, rows[track], settle_ns=timing.settle_ns
        )
        return confirmed_ns - timing.wait_ns[track]

    def final_windows(
        self,
        *,
        control_until_ns: int,
        clock_ns: int,
        rows: Mapping[Track, PollRow],
        timing: Timing,
        permitted: Permission,
        hurry: bool = False,
    ) -> Iterator[tuple[int, frozenset[Track], bool]]:
        """Windows that are final now, ascending: end, tracks given up, and whether in a hurry."""
        complete = {
            track: self.clocks.setdefault(track, TrackClock()).complete_until(timing.disorder_ns)
            for track in self.declared | set(self.clocks)
        }
        given_up = {
            track: self._given_up_until(track, clock_ns, rows, timing) for track in complete
        }
        end_ns = self.passed_ns + self._grid.hop_ns
        while end_ns <= min(control_until_ns, self.last_end_ns):
            waited_for = [
                track
                for track, until_ns in complete.items()
                if until_ns < end_ns and self._permitted(MODALITY_OF[track], end_ns, permitted)
            ]
            patient = all(given_up[track] >= end_ns for track in waited_for)
            if not patient and not (hurry and self.frontier_ns >= end_ns):
                return
            yield end_ns, frozenset(waited_for), not patient
            end_ns += self._grid.hop_ns

    def provisional_window(self, *, control_until_ns: int, timing: Timing) -> int | None:
        """End of the newest window that lacks only its words; each is offered once."""
        prompt = (self.declared | set(self.clocks)) - {Track.TRANSCRIPTS}
        if not prompt:
            return None
        until_ns = min(
            self.clocks.setdefault(track, TrackClock()).complete_until(timing.disorder_ns)
            for track in prompt
        )
        newest_ns = self._grid.first_end_after(
            min(until_ns, control_until_ns, self.frontier_ns, self.last_end_ns) - self._grid.hop_ns
        )
        if newest_ns <= max(self.passed_ns, self._provisional_ns):
            return None
        self._provisional_ns = newest_ns
        return newest_ns

    # what a window holds

    def _permitted(self, modality: Modality, end_ns: int, permitted: Permission) -> bool:
        start_ns = max(end_ns - self._grid.length_ns, self.joined_ns)
        return permitted(modality, start_ns, end_ns)

    def may_keep(self, draft: WindowDraft, permitted: Permission) -> bool:
        """Whether every modality that `draft` was allowed to hold still is."""
        return all(
            self._permitted(modality, draft.end_ns, permitted)
            for modality in TRACK_OF
            if draft.absent.get(modality) is not AbsenceReason.NOT_PERMITTED
        )

    def draft(
        self,
        tenant: str,
        conversation: str,
        end_ns: int,
        *,
        given_up: frozenset[Track],
        permitted: Permission,
        final: bool,
        partial: bool = False,
    ) -> WindowDraft | None:
        """The records of the window ending at `end_ns`; None if policy forbids every modality."""
        start_ns = end_ns - self._grid.length_ns
        absent: dict[Modality, AbsenceReason] = {}
        found: dict[Track, tuple[MediaRecord, ...]] = {}
        for track, modality in MODALITY_OF.items():
            found[track] = ()
            if not self._permitted(modality, end_ns, permitted):
                absent[modality] = AbsenceReason.NOT_PERMITTED
            elif track not in self.declared and track not in self.clocks:
                absent[modality] = _MISSING[modality]
            elif track in given_up:
                absent[modality] = AbsenceReason.LATE
            else:
                begin_ns = start_ns - self._look_back_ns.get(modality, 0)
                found[track] = tuple(
                    record
                    for record in self._buffers[track].between(begin_ns, end_ns)
                    if permitted(modality, *extent(record))
                )
        if all(reason is AbsenceReason.NOT_PERMITTED for reason in absent.values()) and len(
            absent
        ) == len(MODALITY_OF):
            return None
        if Modality.FACE not in absent and not found[Track.FRAMES]:
            absent[Modality.FACE] = AbsenceReason.NO_CAMERA
        segments = self._revise(
            [item for item in found[Track.TRANSCRIPTS] if isinstance(item, TranscriptSegment)],
            final=final,
        )
        return WindowDraft(
            tenant=tenant,
            conversation=conversation,
            participant=self.id,
            role=self.role,
            start_ns=start_ns,
            end_ns=end_ns,
            audio=tuple(item for item in found[Track.AUDIO] if isinstance(item, AudioChunk)),
            frames=tuple(item for item in found[Track.FRAMES] if isinstance(item, VideoFrame)),
            segments=segments,
            absent=absent,
            final=final,
            partial=partial,
            state=b"" if final or self.progress is None else self.progress.state,
        )

    def _revise(
        self, segments: list[TranscriptSegment], *, final: bool
    ) -> tuple[TranscriptSegment, ...]:
        """Keep the highest final revision of each segment.

        Once a final window saw a revision, later windows see the same one: words do not
        change behind a score's back.
        """
        chosen: dict[str, TranscriptSegment] = {}
        for segment in segments:
            if not segment.is_final:
                continue
            frozen = self._frozen_revisions.get(segment.segment_id)
            best = chosen.get(segment.segment_id)
            if segment.sequence == frozen or (
                frozen is None and (best is None or segment.sequence > best.sequence)
            ):
                chosen[segment.segment_id] = segment
        if final:
            for segment in chosen.values():
                self._frozen_revisions.setdefault(segment.segment_id, segment.sequence)
        return tuple(sorted(chosen.values(), key=lambda item: (item.start_ns, item.sequence)))
