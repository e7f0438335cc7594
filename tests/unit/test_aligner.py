"""Scenes of one partition: who comes, who leaves, what is late, and what goes nowhere."""

import pytest

from inference.labels import AbsenceReason, Modality
from inference.units import SECOND_NS
from storage.values import ConversationKey, ParticipantKey, Progress, StoredConversation
from streams import topics
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
from streams.windows.aligner import Aligner, Closing, Reason
from streams.windows.grid import WindowGrid
from streams.windows.offline import topic_of, unscored
from streams.windows.participant import Timing, WindowDraft
from tests.gates import Everything

START_NS = 1_000 * SECOND_NS
WHO = {"tenant": "acme", "conversation": "c-1", "participant": "p-1"}
KEY = ConversationKey("acme", "c-1")
TIMING = Timing(
    disorder_ns=300_000_000,
    wait_ns=dict.fromkeys(Track, 2 * SECOND_NS),
    session_gap_ns=60 * SECOND_NS,
)


class Scene:
    """An aligner, its offsets, and a clock that is moved by hand."""

    def __init__(self, stored: StoredConversation | None = None, max_closing: int = 32) -> None:
        self.aligner = Aligner(
            run="live",
            grid=WindowGrid(3 * SECOND_NS, SECOND_NS),
            timing=TIMING,
            look_back_ns={Modality.TEXT: 15 * SECOND_NS},
            new_gate=Everything,
            max_closing=max_closing,
        )
        self.clock_ns = 0
        self._stored = stored or StoredConversation()
        self._offsets = dict.fromkeys(topics.INPUTS, 0)

    def feed(self, *records: Record, replay: bool = False, appended_ns: int | None = None) -> None:
        for record in records:
            topic = topic_of(record)
            self.aligner.feed(
                topic,
                self._offsets[topic],
                record,
                clock_ns=self.clock_ns,
                replay=replay,
                appended_ns=appended_ns,
            )
            self._offsets[topic] += 1
        for key in self.aligner.unloaded():
            self.aligner.load(key, self._stored)

    def quiet(self, seconds: float, *, caught_up: bool = True) -> list[Closing]:
        """Time passes, and every poll of the broker says that nothing comes."""
        closings: list[Closing] = []
        for _ in range(round(seconds * 2)):
            self.clock_ns += SECOND_NS // 2
            for topic in topics.INPUTS:
                self.aligner.observe(topic, self.clock_ns, caught_up=caught_up)
            closings += self.closings()
        return closings

    def closings(self) -> list[Closing]:
        closings = self.aligner.advance(self.clock_ns)
        for closing in closings:
            self.aligner.stored(closing.key, unscored(closing))
        return closings

    def misplaced(self) -> list[Reason]:
        return [item.reason for item in self.aligner.take_misplaced()]


def event(
    kind: ControlKind, at_s: float = 0, participant: str = "p-1", **said: str
) -> ControlEvent:
    return ControlEvent(
        **{**WHO, "participant": participant},
        sequence=0,
        kind=kind,
        at_ns=START_NS + round(at_s * SECOND_NS),
        attributes=said,
    )


def started(at_s: float = 0) -> ControlEvent:
    return event(ControlKind.STARTED, at_s, "-")


def joined(tracks: str = "audio") -> ControlEvent:
    return event(ControlKind.PARTICIPANT_JOINED, role="customer", tracks=tracks)


def ended(at_s: float) -> ControlEvent:
    return event(ControlKind.ENDED, at_s, "-")


def sound(at_s: float, kind: Kind = Kind.DATA, participant: str = "p-1") -> AudioChunk:
    return AudioChunk(
        **{**WHO, "participant": participant},
        sequence=round(at_s * 10),
        kind=kind,
        start_ns=START_NS + round(at_s * SECOND_NS),
        duration_ns=SECOND_NS if kind is Kind.DATA else 0,
        payload=b"\0\0" if kind is Kind.DATA else b"",
    )


def picture(at_s: float) -> VideoFrame:
    return VideoFrame(
        **WHO,
        sequence=round(at_s * 10),
        captured_ns=START_NS + round(at_s * SECOND_NS),
        payload=b"jpeg",
    )


def words(at_s: float, text: str, sequence: int, *, is_final: bool = True) -> TranscriptSegment:
    return TranscriptSegment(
        **WHO,
        sequence=sequence,
        segment_id="s-1",
        start_ns=START_NS + round(at_s * SECOND_NS),
        end_ns=START_NS + round((at_s + 0.5) * SECOND_NS),
        text=text,
        is_final=is_final,
    )


def ends_s(closings: list[Closing]) -> list[int]:
    return [
        (draft.end_ns - START_NS) // SECOND_NS for closing in closings for draft in closing.drafts
    ]


def drafts(closings: list[Closing]) -> dict[int, WindowDraft]:
    return {
        (draft.end_ns - START_NS) // SECOND_NS: draft
        for closing in closings
        for draft in closing.drafts
    }


def record(aligner: Aligner) -> None:
    """Take what policy decided for stored."""
    for news in aligner.policy_news():
        aligner.recorded(news)


def test_a_record_that_is_read_again_is_ignored() -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0))
    held = scene.aligner.held_bytes
    scene.aligner.feed(topics.AUDIO, 0, sound(0), clock_ns=0)
    assert scene.aligner.held_bytes == held
    assert scene.aligner.next_offset(topics.AUDIO) == 1


def test_answers_about_somebody_who_is_gone_change_nothing() -> None:
    scene = Scene()
    nobody = ParticipantKey("acme", "live", "c-9", "p-9")
    scene.aligner.stored(nobody, Progress(closed_until_ns=1))
    scene.aligner.forget(nobody)
    scene.aligner.conversation_ended(ConversationKey("acme", "c-9"))
    scene.aligner.load(ConversationKey("acme", "c-9"), StoredConversation())
    assert scene.aligner.conversations == 0


def test_a_closing_that_is_given_up_is_drafted_again() -> None:
    scene = Scene()
    scene.feed(started(), joined(), *(sound(at) for at in range(4)), sound(4, Kind.END), ended(4))
    (first,) = scene.aligner.advance(0)
    assert scene.aligner.advance(0) == []
    scene.aligner.forget(first.key)
    assert scene.aligner.advance(0) == [first]


def test_who_leaves_has_no_window_afterwards_and_the_others_go_on() -> None:
    scene = Scene()
    scene.feed(started(), joined(), *(sound(at) for at in range(3)))
    scene.feed(event(ControlKind.PARTICIPANT_LEFT, 3), sound(3, Kind.END))
    scene.feed(*(sound(at, participant="p-2") for at in range(8)))
    closings = scene.quiet(8)
    mine = [closing for closing in closings if closing.key.participant == "p-1"]
    others = [closing for closing in closings if closing.key.participant == "p-2"]
    assert ends_s(mine) == [1, 2, 3, 4, 5]
    assert [closing.left_ns for closing in mine][-1:] == [START_NS + 3 * SECOND_NS]
    assert {closing.left_ns for closing in (*mine[:-1], *others)} == {None}
    assert ends_s(others) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_who_leaves_before_anything_has_no_window() -> None:
    scene = Scene()
    scene.feed(started(), joined(), event(ControlKind.PARTICIPANT_LEFT, 0), ended(0))
    assert scene.quiet(5) == []
    record(scene.aligner)
    assert [key for key, _, _ in scene.aligner.finished()] == [KEY]


def test_an_end_waits_for_tracks_until_the_broker_confirms_that_nothing_comes() -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0), sound(1), ended(2))
    assert ends_s(scene.closings()) == [1]
    assert scene.quiet(10, caught_up=False) == [], "more may lie on the log"
    assert ends_s(scene.quiet(10)) == [2, 3, 4]


def test_a_conversation_without_records_for_the_session_gap_is_over() -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0), sound(1))
    scene.quiet(59)
    assert list(scene.aligner.finished()) == []
    scene.quiet(10)
    assert list(scene.aligner.finished()) == [], "its decisions are not on record yet"
    record(scene.aligner)
    ((key, facts, ended_ns),) = scene.aligner.finished()
    assert (key, ended_ns) == (KEY, START_NS + 2 * SECOND_NS)
    assert facts.started_ns == START_NS
    assert list(scene.aligner.finished()) == [], "it is offered once"


def test_without_a_start_a_conversation_goes_on_once_control_is_known_to_be_quiet() -> None:
    scene = Scene()
    scene.feed(*(sound(at) for at in range(6)))
    assert scene.quiet(9) == []
    assert ends_s(scene.quiet(8)) == [1, 2, 3, 4, 5, 6]


def test_somebody_who_appears_after_the_end_has_windows_up_to_it() -> None:
    scene = Scene()
    scene.feed(started(), ended(2), sound(0, participant="p-9"), sound(1, participant="p-9"))
    assert ends_s(scene.quiet(10)) == [1, 2, 3, 4]


def test_what_is_heard_before_somebody_was_announced_moves_their_beginning() -> None:
    scene = Scene()
    scene.feed(started(), sound(2), sound(1), sound(3, Kind.END), ended(3))
    assert ends_s(scene.closings())[0] == 2


def test_long_silence_closes_in_pieces() -> None:
    scene = Scene(max_closing=4)
    scene.feed(started(), joined(), sound(0), sound(12, Kind.END), ended(12))
    sizes = []
    while closings := scene.closings():
        sizes += [len(closing.drafts) for closing in closings]
    assert sizes == [4, 4, 4, 2]


def test_heartbeats_close_windows_without_waiting_for_data() -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0), sound(4, Kind.HEARTBEAT))
    assert ends_s(scene.quiet(1.5)) == [1, 2, 3, 4]
    assert scene.aligner.committable()[topics.AUDIO] == 2


@pytest.mark.parametrize(
    ("record", "appended_ns"),
    [(sound(100), START_NS), (sound(200), None)],
    ids=["ahead of the broker", "ahead of its conversation"],
)
def test_a_time_that_cannot_be_true_moves_no_watermark(
    record: AudioChunk, appended_ns: int | None
) -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0))
    scene.feed(record, appended_ns=appended_ns)
    assert scene.misplaced() == [Reason.CLOCK]
    assert ends_s(scene.quiet(5)) == [1]


def test_records_of_a_conversation_that_is_over_are_late_unless_they_were_scored_before() -> None:
    over = StoredConversation(started_ns=START_NS, ended_ns=START_NS + 5 * SECOND_NS)
    scene = Scene(over)
    scene.feed(sound(1), sound(1, Kind.HEARTBEAT), ended(5))
    assert scene.misplaced() == [Reason.LATE, Reason.LATE]
    scene.feed(sound(1), ended(5), started(), replay=True)
    assert scene.misplaced() == []
    scene.feed(started(9))
    assert scene.misplaced() == [Reason.REUSED]
    assert scene.aligner.replayed() == [KEY]
    scene.aligner.conversation_ended(KEY)
    assert scene.aligner.held_bytes == 0


@pytest.mark.parametrize("replay", [True, False])
def test_a_withdrawal_is_heard_when_the_conversation_is_over(*, replay: bool) -> None:
    scene = Scene(StoredConversation(started_ns=START_NS, ended_ns=START_NS + 5 * SECOND_NS))
    scene.feed(event(ControlKind.CONSENT_CHANGED, 3, consent="yes"))
    assert scene.misplaced() == [Reason.LATE]
    scene.feed(event(ControlKind.CONSENT_CHANGED, 3, consent="no"), replay=replay)
    assert scene.misplaced() == []
    (news,) = scene.aligner.policy_news()
    assert (news.key, news.rulings) == (KEY, ())
    assert scene.aligner.replayed() == [], "not before it is on record"
    scene.aligner.recorded(news)
    assert scene.aligner.policy_news() == []
    assert scene.aligner.replayed() == [KEY]


def test_the_same_start_again_is_no_reuse() -> None:
    scene = Scene()
    scene.feed(started(), started(), started(7))
    assert scene.misplaced() == [Reason.REUSED]


def test_of_several_revisions_the_highest_final_one_counts_until_a_score_saw_one() -> None:
    scene = Scene()
    scene.feed(started(), joined("audio,transcripts"), *(sound(at) for at in range(6)))
    scene.feed(
        words(0, "I", 0, is_final=False),
        words(0, "I am on hold", 2),
        words(0, "I am an old", 1),
        words(2, "", 3).evolve(kind=Kind.HEARTBEAT, segment_id="-"),
    )
    seen = drafts(scene.quiet(1.5))
    assert [segment.text for segment in seen[1].segments] == ["I am on hold"]
    scene.feed(words(0, "I was on hold", 4), words(6, "", 5).evolve(kind=Kind.END))
    later = drafts(scene.quiet(2))
    assert {segment.text for draft in later.values() for segment in draft.segments} == {
        "I am on hold"
    }


def test_provisional_windows_lack_only_their_words_and_are_offered_once() -> None:
    scene = Scene()
    scene.feed(started(), joined("audio,frames,transcripts"))
    scene.feed(*(sound(at) for at in range(5)), *(picture(at / 2) for at in range(11)))
    assert scene.aligner.provisional(scene.clock_ns) == [], "control is not confirmed yet"
    scene.quiet(1.5)
    (draft,) = scene.aligner.provisional(scene.clock_ns)
    assert not draft.final
    assert (draft.end_ns - START_NS) // SECOND_NS == 4
    assert draft.absent == {}
    assert scene.aligner.provisional(scene.clock_ns) == []
    scene.feed(ended(5))
    assert scene.aligner.provisional(scene.clock_ns) == []


def test_a_provisional_window_is_read_beside_what_the_stored_ones_left() -> None:
    scene = Scene()
    scene.feed(started(), joined("audio,transcripts"), *(sound(at) for at in range(5)))
    last = scene.quiet(1.5)[-1]
    (draft,) = scene.aligner.provisional(scene.clock_ns)
    assert draft.state == unscored(last).state


def test_words_alone_have_no_provisional_window_and_an_unknown_start_neither() -> None:
    scene = Scene()
    scene.feed(started(), joined("transcripts"), words(0, "hello", 0))
    scene.quiet(1.5)
    assert scene.aligner.provisional(scene.clock_ns) == []
    unknown = Scene()
    unknown.feed(sound(0))
    assert unknown.aligner.provisional(0) == []


def test_only_what_is_ahead_of_the_slowest_track_may_be_paused() -> None:
    scene = Scene()
    scene.feed(started(), joined("audio,frames,transcripts"))
    scene.feed(*(sound(at) for at in range(9)), picture(1), words(3, "hello", 0))
    assert scene.aligner.ahead() == [topics.AUDIO]
    scene.feed(sound(9, Kind.END))
    assert scene.aligner.ahead() == []


def test_a_track_that_was_declared_and_sends_nothing_says_so() -> None:
    scene = Scene()
    scene.feed(started(), joined("audio,frames"), *(sound(at) for at in range(8)))
    closings = drafts(scene.quiet(4))
    assert {draft.absent[Modality.FACE] for draft in closings.values()} == {AbsenceReason.LATE}
    assert {draft.absent[Modality.TEXT] for draft in closings.values()} == {AbsenceReason.NO_TRACK}


def test_the_same_sequence_twice_counts_once() -> None:
    scene = Scene()
    scene.feed(started(), joined(), sound(0), sound(0), sound(3, Kind.END), ended(3))
    assert len(drafts(scene.closings())[3].audio) == 1
