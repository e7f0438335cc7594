"""Laws of event time: which windows exist, what they hold, and when records may go."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference.labels import AbsenceReason, Modality
from storage.values import Progress, StoredConversation
from streams import topics
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Kind,
    Record,
    Track,
    TranscriptSegment,
)
from streams.windows.aligner import Aligner, Reason
from streams.windows.grid import WindowGrid
from streams.windows.offline import closings, topic_of, unscored
from streams.windows.participant import MODALITY_OF, Timing, WindowDraft, extent
from tests.gates import Everything
from tests.strategies import (
    BASE,
    ORIGIN_NS,
    SECOND_NS,
    Call,
    calls,
    control,
    disordered,
    media_time,
)

GRID = WindowGrid(3 * SECOND_NS, SECOND_NS)
LOOK_BACK_NS = {Modality.TEXT: 15 * SECOND_NS}
DISORDER_NS = 300_000_000
TIMING = Timing(disorder_ns=DISORDER_NS, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS))


def aligner(new_gate: Callable[[str], Everything] = Everything) -> Aligner:
    return Aligner(
        run="live", grid=GRID, timing=TIMING, look_back_ns=LOOK_BACK_NS, new_gate=new_gate
    )


def windows(records: Iterable[Record]) -> list[WindowDraft]:
    """All final windows, in the order in which they became final."""
    drafts: list[WindowDraft] = []
    target = aligner()
    for closing in closings(records, target):
        drafts += closing.drafts
        target.stored(closing.key, unscored(closing))
    return drafts


@given(
    length=st.integers(1, 50),
    hop=st.integers(1, 50),
    start=st.integers(0, 500),
    extra=st.integers(1, 99),
)
def test_a_grid_names_exactly_the_windows_that_overlap(
    length: int, hop: int, start: int, extra: int
) -> None:
    grid = WindowGrid(max(length, hop), hop)
    end = start + extra
    expected = [
        first + grid.length_ns
        for first in range(-grid.length_ns - hop * 2, end + hop * 2)
        if first % hop == 0 and first < end and first + grid.length_ns > start
    ]
    assert list(grid.overlapping(start, end)) == expected


def test_a_grid_refuses_a_hop_that_leaves_time_uncovered() -> None:
    with pytest.raises(ValueError, match="at most the length"):
        WindowGrid(1_000, 2_000)


@given(calls())
def test_a_participant_has_one_window_per_hop_whether_there_is_data_or_not(call: Call) -> None:
    ends = [draft.end_ns for draft in windows(call.records)]
    assert ends == list(GRID.overlapping(call.joined_ns, call.left_ns))


@given(calls())
def test_every_record_lands_in_exactly_the_windows_that_can_see_it(call: Call) -> None:
    for draft in windows(call.records):
        held = {*draft.audio, *draft.frames, *draft.segments}
        for record in call.media:
            begin_ns, end_ns = extent(record)
            track = {topics.AUDIO: Track.AUDIO, topics.FRAMES: Track.FRAMES}.get(
                topic_of(record), Track.TRANSCRIPTS
            )
            back_ns = LOOK_BACK_NS.get(MODALITY_OF[track], 0)
            visible = begin_ns < draft.end_ns and end_ns > draft.start_ns - back_ns
            assert (record in held) == visible


@st.composite
def calls_in_disorder(draw: st.DrawFn) -> tuple[Call, list[Record]]:
    """A call, and its media in an order in which they may come, too."""
    call = draw(calls())
    return call, draw(disordered(call.media, DISORDER_NS))


def chunk_across_an_edge() -> tuple[Call, list[Record]]:
    """The chunk in which a window ends comes after the one that follows it.

    Words say meanwhile that control is complete beyond the edge.
    """
    tracks = frozenset({Track.AUDIO, Track.TRANSCRIPTS})
    joined_ns, left_ns = ORIGIN_NS + 129_000_000, ORIGIN_NS + 1_350_000_000
    *early, edge, newest = (
        AudioChunk(
            **BASE,
            sequence=number,
            start_ns=joined_ns + number * 200_000_000,
            duration_ns=200_000_000,
            payload=b"\0\0",
        )
        for number in range(6)
    )
    words = TranscriptSegment(
        **BASE,
        sequence=0,
        segment_id="s0",
        start_ns=ORIGIN_NS + 1_200_000_000,
        end_ns=ORIGIN_NS + 1_300_000_000,
        text="words",
    )
    call = Call(
        control=control(joined_ns, left_ns, tracks),
        media=(*early, edge, words, newest),
        ends=(
            AudioChunk(**BASE, sequence=9, kind=Kind.END, start_ns=left_ns),
            words.evolve(sequence=9, kind=Kind.END, start_ns=left_ns, end_ns=left_ns),
        ),
        tracks=tracks,
        joined_ns=joined_ns,
        left_ns=left_ns,
    )
    assert media_time(newest) - media_time(edge) < DISORDER_NS
    return call, [*early, words, newest, edge]


@example(chunk_across_an_edge())
@given(calls_in_disorder())
def test_disorder_within_the_allowance_changes_nothing(drawn: tuple[Call, list[Record]]) -> None:
    call, shuffled = drawn
    started, ended = call.control[:-1], call.control[-1]
    assert windows([*started, *shuffled, *call.ends, ended]) == windows(call.records)


@given(calls(), st.sampled_from(Track))
def test_a_missing_modality_changes_no_other(call: Call, missing: Track) -> None:
    rest = call.tracks - {missing}
    if not rest:
        return
    without = windows(
        [
            *(
                event
                if event.attributes.get("tracks") is None
                else event.evolve(attributes={**event.attributes, "tracks": ",".join(rest)})
                for event in call.control[:-1]
            ),
            *(
                record
                for record in (*call.media, *call.ends)
                if topic_of(record) != f"affect.{missing}.v1"
            ),
            call.control[-1],
        ]
    )
    for full, partial in zip(windows(call.records), without, strict=True):
        for track, items in (("audio", "audio"), ("frames", "frames"), ("transcripts", "segments")):
            if track != missing:
                assert getattr(full, items) == getattr(partial, items)
        reason = partial.absent[MODALITY_OF[missing]]
        assert reason in {AbsenceReason.NO_TRACK, AbsenceReason.NO_CAMERA}


@given(calls(), st.integers(1, 7))
def test_feeding_in_pieces_equals_feeding_whole(call: Call, stride: int) -> None:
    target = aligner()
    pieces: list[WindowDraft] = []
    batch: list[Record] = []
    offsets = dict.fromkeys(topics.INPUTS, 0)

    def drain(clock_ns: int) -> None:
        target.observe(topics.CONTROL, clock_ns + 1, caught_up=True)
        for key in target.unloaded():
            target.load(key, StoredConversation())
        while ready := target.advance(clock_ns + 2):
            for closing in ready:
                pieces.extend(closing.drafts)
                target.stored(closing.key, unscored(closing))

    for number, record in enumerate(call.records):
        batch.append(record)
        if len(batch) == stride or number == len(call.records) - 1:
            for item in batch:
                topic = topic_of(item)
                target.feed(topic, offsets[topic], item, clock_ns=number * 1_000)
                offsets[topic] += 1
            batch.clear()
            drain(number * 1_000 + 10)
    assert pieces == windows(call.records)


@given(calls())
def test_a_record_is_released_only_when_no_open_window_holds_it(call: Call) -> None:
    target = aligner()
    order: dict[str, list[Record]] = {topic: [] for topic in topics.INPUTS}
    for record in call.records:
        order[topic_of(record)].append(record)
    needed: list[WindowDraft] = windows(call.records)
    done: set[int] = set()
    for closing in closings(call.records, target):
        done |= {draft.end_ns for draft in closing.drafts}
        target.stored(closing.key, unscored(closing))
        open_windows = [draft for draft in needed if draft.end_ns not in done]
        for topic, offset in target.committable().items():
            for record in order[topic][:offset]:
                for draft in open_windows:
                    assert record not in {*draft.audio, *draft.frames, *draft.segments}


@given(calls())
def test_a_finished_conversation_holds_nothing_back(call: Call) -> None:
    target = aligner()
    for closing in closings(call.records, target):
        target.stored(closing.key, unscored(closing))
    for news in target.policy_news():
        target.recorded(news)
    for key, _, ended_ns in list(target.finished()):
        assert ended_ns == call.left_ns
        target.conversation_ended(key)
    counts = dict.fromkeys(topics.INPUTS, 0)
    for record in call.records:
        counts[topic_of(record)] += 1
    assert target.committable() == {topic: count for topic, count in counts.items() if count}
    assert target.held_bytes == 0
    assert target.conversations == 0


@given(calls(tracks=frozenset({Track.AUDIO})))
def test_a_sender_that_stalls_loses_nothing(call: Call) -> None:
    """However long the broker confirms quiet, windows after the last record stay open."""
    target = aligner()
    chunks = [record for record in call.media if isinstance(record, AudioChunk)]
    stalled = [*call.control[:-1], *chunks]
    reach_ns = 0
    for closing in closings(stalled, target):
        reach_ns = max(reach_ns, closing.closed_until_ns)
        target.stored(closing.key, unscored(closing))
    for second in range(60):
        clock_ns = (100 + second) * SECOND_NS
        for topic in topics.INPUTS:
            target.observe(topic, clock_ns, caught_up=True)
        for closing in target.advance(clock_ns):
            reach_ns = max(reach_ns, closing.closed_until_ns)
            target.stored(closing.key, unscored(closing))
    newest_ns = max((extent(chunk)[1] for chunk in chunks), default=0)
    assert reach_ns <= newest_ns
    assert not target.take_misplaced()


def audio_without_its_words(target: Aligner, start_ns: int) -> None:
    """Ten seconds of sound of somebody whose declared words have not come."""
    joined = ControlEvent(
        **BASE,
        sequence=0,
        kind=ControlKind.PARTICIPANT_JOINED,
        at_ns=start_ns,
        attributes={"tracks": "audio,transcripts", "role": "customer"},
    )
    started = joined.evolve(participant="-", kind=ControlKind.STARTED, attributes={})
    target.feed(topics.CONTROL, 0, started, clock_ns=0)
    target.feed(topics.CONTROL, 1, joined, clock_ns=0)
    for key in target.unloaded():
        target.load(key, StoredConversation())
    for number in range(50):
        chunk = AudioChunk(
            **BASE,
            sequence=number,
            start_ns=start_ns + number * 200_000_000,
            duration_ns=200_000_000,
            payload=b"\0\0",
        )
        target.feed(topics.AUDIO, number, chunk, clock_ns=number)


def test_in_a_hurry_windows_close_early_and_say_so_and_none_is_skipped() -> None:
    start_ns = 1_000 * SECOND_NS
    target = aligner()
    audio_without_its_words(target, start_ns)
    target.observe(topics.CONTROL, 200, caught_up=True)
    assert target.advance(201) == []
    target.observe(topics.CONTROL, 300, caught_up=True)
    assert target.advance(301) == []
    (closing,) = target.advance(302, hurry=True)
    assert [draft.end_ns for draft in closing.drafts] == list(
        range(start_ns + SECOND_NS, start_ns + 11 * SECOND_NS, SECOND_NS)
    )
    assert all(draft.partial for draft in closing.drafts)
    assert {draft.absent[Modality.TEXT] for draft in closing.drafts} == {AbsenceReason.LATE}


def test_words_that_never_come_are_given_up_only_after_the_broker_said_so() -> None:
    start_ns = 1_000 * SECOND_NS
    target = aligner()
    audio_without_its_words(target, start_ns)
    target.observe(topics.CONTROL, 200, caught_up=True)
    assert target.advance(201) == []
    target.observe(topics.CONTROL, 300, caught_up=True)
    target.observe(topics.TRANSCRIPTS, 300, caught_up=False)
    assert target.advance(301) == [], "words on the log are never called late"
    target.observe(topics.TRANSCRIPTS, 400, caught_up=True)
    (closing,) = target.advance(401)
    assert {draft.absent[Modality.TEXT] for draft in closing.drafts} == {AbsenceReason.LATE}
    assert closing.closed_until_ns == start_ns + 8 * SECOND_NS, "the wait is 2 s of event time"


@given(calls(tracks=frozenset({Track.AUDIO})))
def test_a_record_for_closed_windows_goes_to_late_and_a_replayed_one_does_not(call: Call) -> None:
    target = aligner()
    for closing in closings(call.records, target):
        target.stored(closing.key, unscored(closing))
    for news in target.policy_news():
        target.recorded(news)
    for key, _, _ in list(target.finished()):
        target.conversation_ended(key)
    chunk = AudioChunk(**BASE, sequence=77, start_ns=call.joined_ns, duration_ns=1)
    target.feed(topics.AUDIO, 500, chunk, clock_ns=1, replay=True)
    for key in target.unloaded():
        target.load(key, StoredConversation(started_ns=call.joined_ns, ended_ns=call.left_ns))
    assert target.take_misplaced() == []
    target.feed(topics.AUDIO, 501, chunk, clock_ns=1)
    (misplaced,) = target.take_misplaced()
    assert misplaced.reason is Reason.LATE
    assert target.committable()[topics.AUDIO] == 501, "held until it is safe elsewhere"
    misplaced.slot.done = True
    assert target.committable()[topics.AUDIO] == 502
    again = call.control[0].evolve(at_ns=call.left_ns + SECOND_NS)
    target.feed(topics.CONTROL, 500, again, clock_ns=1)
    (misplaced,) = target.take_misplaced()
    assert misplaced.reason is Reason.REUSED


@given(calls(), st.data())
def test_a_worker_that_dies_and_returns_writes_the_same_windows(
    call: Call, data: st.DataObject
) -> None:
    """Replay from the committed offsets after any number of stored closings changes nothing."""
    survives = data.draw(st.integers(0, 12))
    first = aligner()
    stored: dict[str, Progress] = {}
    drafts: list[WindowDraft] = []
    for number, closing in enumerate(closings(call.records, first)):
        if number == survives:
            break
        drafts += closing.drafts
        stored[closing.key.participant] = unscored(closing)
        first.stored(closing.key, unscored(closing))
    committed = first.committable()
    second = aligner()
    offsets = dict.fromkeys(topics.INPUTS, 0)
    for number, record in enumerate(call.records):
        topic = topic_of(record)
        if offsets[topic] >= committed.get(topic, 0):
            second.feed(topic, offsets[topic], record, clock_ns=number, replay=True)
        offsets[topic] += 1
    for key in second.unloaded():
        second.load(key, StoredConversation(started_ns=call.joined_ns, progress=stored))
    second.observe(topics.CONTROL, 10_000, caught_up=True)
    while ready := second.advance(10_001):
        for closing in ready:
            drafts += closing.drafts
            second.stored(closing.key, unscored(closing))
    assert drafts == windows(call.records)
    assert second.take_misplaced() == []


@given(calls())
def test_what_another_worker_stored_is_not_drafted_again(call: Call) -> None:
    """A rejected closing goes on after the progress that the database holds."""
    target = aligner()
    drafts: list[WindowDraft] = []
    rejected = False
    for closing in closings(call.records, target):
        if not rejected:
            rejected = True
            ahead_ns = closing.drafts[0].end_ns
            target.rejected(closing.key, Progress(closed_until_ns=ahead_ns))
            continue
        drafts += closing.drafts
        target.stored(closing.key, unscored(closing))
    everything = windows(call.records)
    assert drafts == everything[1:]


class UntilWithdrawn(Everything):
    """Consent that is withdrawn for a moment inside the call."""

    def __init__(self, from_ns: int, until_ns: int) -> None:
        self._from_ns, self._until_ns = from_ns, until_ns

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        return end_ns <= self._from_ns or start_ns >= self._until_ns


@given(calls(), st.integers(0, 9_000), st.integers(1, 3_000))
def test_no_window_that_touches_a_withdrawal_is_drafted_and_no_other_is_lost(
    call: Call, after_ms: int, lasting_ms: int
) -> None:
    from_ns = call.joined_ns + after_ms * 1_000_000
    until_ns = from_ns + lasting_ms * 1_000_000
    target = aligner(lambda _: UntilWithdrawn(from_ns, until_ns))
    drafted: list[int] = []
    for closing in closings(call.records, target):
        drafted += [draft.end_ns for draft in closing.drafts]
        target.stored(closing.key, unscored(closing))
    expected = [
        end_ns
        for end_ns in GRID.overlapping(call.joined_ns, call.left_ns)
        if end_ns <= from_ns or max(end_ns - GRID.length_ns, call.joined_ns) >= until_ns
    ]
    assert drafted == expected
