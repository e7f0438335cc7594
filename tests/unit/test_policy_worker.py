"""Policy in the worker: forbidden data reaches no expert, decisions are stored before scores."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from inference.labels import Modality
from inference.score import ParticipantState
from inference.window import WindowInput
from storage.values import ConversationKey, Progress, StoredConversation
from streams import topics
from streams.ingest.publisher import PublishStats, permitted
from streams.ingest.source import Timed
from streams.policy import new_gate
from streams.records import (
    AudioChunk,
    ControlEvent,
    ControlKind,
    Record,
    Track,
    TranscriptSegment,
    VideoFrame,
)
from streams.scoring import StateKey, score_closings
from streams.windows.aligner import Aligner
from streams.windows.grid import WindowGrid
from streams.windows.offline import closings, topic_of
from streams.windows.participant import Timing
from tests.scores import absent_score
from tests.strategies import SECOND_NS
from tests.unit.test_pump import Bench, FakeResults, Scored, set_testing

START_NS = 1_000 * SECOND_NS
LENGTH_S = 6
KEY = ConversationKey("acme", "c-1")
GRID = WindowGrid(3 * SECOND_NS, SECOND_NS)


@dataclass
class SpyScorer:
    """Remembers what it is asked to look at."""

    seen: list[WindowInput] = field(default_factory=list)

    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        self.seen += windows
        return Scored(
            tuple(absent_score(window) for window in windows), states, (None,) * len(windows)
        )

    def modalities(self) -> set[tuple[str, Modality]]:
        """Participants and modalities of which any data came."""
        return {
            (window.participant, modality)
            for window in self.seen
            for modality, data in (
                (Modality.SPEECH, window.audio),
                (Modality.TEXT, window.words),
                (Modality.FACE, window.frames),
            )
            if data
        }


def event(
    kind: ControlKind, at_s: float, participant: str = "p-1", **attributes: str
) -> ControlEvent:
    at_ns = START_NS + int(at_s * SECOND_NS)
    return ControlEvent(
        tenant="acme",
        conversation="c-1",
        participant=participant,
        sequence=at_ns,
        kind=kind,
        at_ns=at_ns,
        attributes=attributes,
    )


def media(participant: str = "p-1") -> list[Record]:
    """Sound, a picture and a word every second, each named by its second."""
    who = {"tenant": "acme", "conversation": "c-1", "participant": participant}
    found: list[Record] = []
    for second in range(LENGTH_S):
        at_ns = START_NS + second * SECOND_NS
        found += [
            AudioChunk(
                **who,
                sequence=second,
                start_ns=at_ns,
                duration_ns=SECOND_NS,
                payload=b"\1\0" * 16_000,
            ),
            VideoFrame(**who, sequence=second, captured_ns=at_ns, payload=b"jpeg"),
            TranscriptSegment(
                **who,
                sequence=second,
                segment_id=f"s-{second}",
                start_ns=at_ns,
                end_ns=at_ns + SECOND_NS // 2,
                text="words",
            ),
        ]
    return found


def call(*facts: ControlEvent, participant: str = "p-1") -> list[Record]:
    """Facts in order of time among the media, and the end."""
    records: list[Record] = [*media(participant), *facts, event(ControlKind.ENDED, LENGTH_S, "-")]
    return sorted(records, key=_time)


def _time(record: Record) -> tuple[int, bool]:
    if isinstance(record, ControlEvent):
        return record.at_ns, False
    at_ns = record.captured_ns if isinstance(record, VideoFrame) else record.start_ns
    return at_ns, True


def aligner(profile: str = "eu") -> Aligner:
    return Aligner(
        run="live",
        grid=GRID,
        timing=Timing(disorder_ns=1, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
        look_back_ns={Modality.TEXT: 15 * SECOND_NS},
        new_gate=new_gate(profile),
        digest=lambda tenant, subject: f"{tenant}:{subject}",
    )


def spied(records: Sequence[Record], profile: str = "eu") -> SpyScorer:
    """What reaches the experts of a worker that gets every record."""
    spy, target = SpyScorer(), aligner(profile)
    for closing in closings(records, target):
        for batch in score_closings([closing], spy):
            target.stored(batch.key, batch.progress)
    return spy


def notice(**attributes: str) -> ControlEvent:
    return event(ControlKind.STARTED, 0, "-", **attributes)


def joined(role: str = "customer", **attributes: str) -> ControlEvent:
    tracks = {"tracks": "audio,frames,transcripts"}
    return event(ControlKind.PARTICIPANT_JOINED, 0, role=role, **tracks, **attributes)


FORBIDDEN = {
    "nobody was told": ("eu", [notice(notice="no"), joined()]),
    "nobody knows whether they were told": ("eu", [notice(), joined()]),
    "consent was refused": ("eu", [notice(notice="yes", consent="no"), joined()]),
    "the voice of an agent": ("eu", [notice(notice="yes"), joined("agent")]),
    "a bot": ("research", [notice(notice="yes"), joined("bot")]),
    "a role that nobody knows": ("eu", [notice(notice="yes"), joined("janitor")]),
    "somebody nobody announced": ("eu", [notice(notice="yes")]),
    "a conversation that nobody announced": ("eu", []),
    "a job interview": ("eu", [notice(notice="yes", purpose="recruitment"), joined()]),
    "a class": ("research", [notice(notice="yes", purpose="education"), joined()]),
}


@pytest.mark.parametrize("why", FORBIDDEN)
def test_no_expert_is_called_on_forbidden_data(why: str) -> None:
    profile, facts = FORBIDDEN[why]
    assert spied(call(*facts), profile).seen == []


@pytest.mark.parametrize("why", FORBIDDEN)
def test_no_forbidden_data_leaves_ingest(why: str) -> None:
    profile, facts = FORBIDDEN[why]
    stats = PublishStats()
    timed = (Timed(_time(record)[0], record) for record in call(*facts))
    left = [item.record for item in permitted(timed, new_gate(profile)("acme"), stats)]
    assert all(isinstance(record, ControlEvent) for record in left)
    assert sum(stats.withheld.values()) == len(media())


def test_what_is_permitted_does_reach_them() -> None:
    facts = [notice(notice="yes"), joined()]
    assert spied(call(*facts)).modalities() == {("p-1", modality) for modality in Modality}
    assert spied(call(*facts), "text-only").modalities() == {("p-1", Modality.TEXT)}


@pytest.mark.parametrize("withdrawn_s", [0, 1.5, 3, 5])
def test_after_a_withdrawal_no_expert_sees_a_window_that_ends_later(withdrawn_s: float) -> None:
    gone = event(ControlKind.CONSENT_CHANGED, withdrawn_s, consent="no")
    until_ns = START_NS + int(withdrawn_s * SECOND_NS)
    spy = spied(call(notice(notice="yes"), joined(), gone))
    assert all(window.end_ns <= until_ns for window in spy.seen)
    ends = list(GRID.overlapping(START_NS, START_NS + LENGTH_S * SECOND_NS))
    assert [window.end_ns for window in spy.seen] == [end for end in ends if end <= until_ns]


def test_an_agent_beside_a_customer_is_not_looked_at() -> None:
    agent = event(
        ControlKind.PARTICIPANT_JOINED, 0, "a-1", role="agent", tracks="audio,frames,transcripts"
    )
    facts = [notice(notice="yes"), joined(), agent]
    records = sorted([*call(*facts), *media("a-1")], key=_time)
    assert {window.participant for window in spied(records).seen} == {"p-1"}


def feed(target: Aligner, records: Sequence[Record], offsets: dict[str, int]) -> None:
    for record in records:
        topic = topic_of(record)
        target.feed(topic, offsets.setdefault(topic, 0), record, clock_ns=1)
        offsets[topic] += 1
    for key in target.unloaded():
        target.load(key, StoredConversation())


def test_what_was_recorded_after_a_withdrawal_is_let_go_when_it_is_known() -> None:
    target, offsets = aligner(), dict[str, int]()
    feed(target, [notice(notice="yes"), joined(), *media()], offsets)
    before = target.held_bytes
    feed(target, [event(ControlKind.CONSENT_CHANGED, 2, consent="no")], offsets)
    second = 32_000 + len(b"jpeg")
    assert (before, target.held_bytes) == (LENGTH_S * second, 2 * second)
    feed(target, [item.evolve(sequence=99) for item in media()[-3:]], offsets)
    assert target.held_bytes == 2 * second
    assert target.take_misplaced() == []


def test_what_comes_late_of_somebody_who_withdrew_is_copied_nowhere() -> None:
    target, offsets = aligner(), dict[str, int]()
    gone = event(ControlKind.CONSENT_CHANGED, 1, consent="no")
    feed(target, [notice(notice="yes"), joined(), gone], offsets)
    (participant,) = target._conversations[KEY].participants.values()
    participant.skip_to(START_NS + 60 * SECOND_NS)
    feed(target, media(), offsets)
    assert {item.record.sequence for item in target.take_misplaced()} == {0}
    assert target.held_bytes == 0


def test_a_subject_is_kept_as_a_digest_only() -> None:
    target = aligner()
    records = call(notice(notice="yes"), joined(subject="customer-77"))
    (closing, *_) = closings(records, target)
    (facts,) = closing.conversation.participants
    assert facts.subject == "acme:customer-77"


def test_decisions_are_news_until_they_are_recorded() -> None:
    target, offsets = aligner(), dict[str, int]()
    feed(target, [notice(notice="yes"), joined()], offsets)
    (news,) = target.policy_news()
    assert {(one.participant, one.allowed) for one in news.rulings} == {("p-1", True)}
    assert set(news.passed) == {"p-1"}
    target.recorded(news)
    assert target.policy_news() == []
    feed(target, [event(ControlKind.CONSENT_CHANGED, 2, consent="no")], offsets)
    (news,) = target.policy_news()
    assert [one.allowed for one in news.rulings if one.modality is Modality.FACE] == [True, False]
    assert [one.consent for one in news.consents] == [None, "no"]
    target.conversation_ended(KEY)
    target.recorded(news)
    assert target.policy_news() == []


def test_an_erased_conversation_is_dropped_with_all_that_still_comes() -> None:
    target, offsets = aligner(), dict[str, int]()
    feed(target, [notice(notice="yes"), joined(), *media()], offsets)
    target.feed(topics.AUDIO, offsets[topics.AUDIO], media()[0].evolve(sequence=98), clock_ns=1)
    target.erase(KEY)
    target.erase(KEY)
    assert (target.held_bytes, target.conversations) == (0, 0)
    later = [joined(), *media(), event(ControlKind.ENDED, 9, "-")]
    for record in later:
        offsets[topic_of(record)] += 1
        target.feed(topic_of(record), offsets[topic_of(record)], record, clock_ns=1)
    target.erase(KEY)
    target.feed(topics.CONTROL, offsets[topics.CONTROL] + 1, notice(), clock_ns=1)
    target.load(KEY, StoredConversation(ended_ns=5, erased=True))
    for number, record in enumerate(later):
        target.feed(topic_of(record), 900 + number, record, clock_ns=1, appended_ns=0)
    assert (target.held_bytes, target.take_misplaced(), target.policy_news()) == (0, [], [])
    assert target.replayed() == [KEY]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Back-off and ticks take no time."""
    monkeypatch.setattr("streams.worker.pump.TICK_S", 0.001)
    with set_testing():
        yield


def bench(spy: SpyScorer) -> Bench:
    return Bench(FakeResults(), spy, gate=new_gate("eu"))


@pytest.mark.usefixtures("no_waiting")
async def test_decisions_are_stored_also_of_a_call_without_any_score() -> None:
    spy = SpyScorer()
    scene = bench(spy)
    scene.policy.outages = 3
    scene.feed(*call(notice(notice="yes"), joined("agent")))
    await scene.until_ended()
    assert spy.seen == []
    decided = {(one.participant, one.allowed) for one in scene.policy.recorded[-1].rulings}
    assert decided == {("p-1", False)}
    assert scene.pump.stats.database_down is None
    assert scene.partitions.committable(topics.CONTROL, 0) == 3


@pytest.mark.usefixtures("no_waiting")
async def test_windows_that_wait_are_not_scored_once_consent_is_withdrawn() -> None:
    spy = SpyScorer()
    scene = bench(spy)
    scene.feed(*call(notice(notice="yes"), joined()))
    await scene.pump.tick()
    await scene.pump.tick()  # drafts all windows
    scene.feed(event(ControlKind.CONSENT_CHANGED, 3, consent="no"))
    await scene.until_ended()
    until_ns = START_NS + 3 * SECOND_NS
    assert spy.seen
    assert all(window.end_ns <= until_ns for window in spy.seen)
    assert max(score.end_ns for score in scene.results.scores) == until_ns


@dataclass
class WithdrawingScorer(SpyScorer):
    """A withdrawal comes while it scores its first windows."""

    scene: Bench | None = None

    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        if self.scene is not None:
            scene, self.scene = self.scene, None
            done = asyncio.run_coroutine_threadsafe(_withdraw(scene), scene.loop)
            done.result(5)
        return super().score(windows, states)


async def _withdraw(scene: Bench) -> None:
    scene.feed(event(ControlKind.CONSENT_CHANGED, 3, consent="no"))


@pytest.mark.usefixtures("no_waiting")
async def test_a_batch_that_is_being_scored_when_consent_ends_is_not_stored() -> None:
    spy = WithdrawingScorer()
    scene = bench(spy)
    scene.loop, spy.scene = asyncio.get_running_loop(), scene
    scene.feed(*call(notice(notice="yes"), joined()))
    await scene.until_ended()
    until_ns = START_NS + 3 * SECOND_NS
    assert any(window.end_ns > until_ns for window in spy.seen), "it had begun"
    assert max(score.end_ns for score in scene.results.scores) == until_ns


@pytest.mark.usefixtures("no_waiting")
async def test_a_call_that_was_erased_is_neither_scored_nor_sent_elsewhere() -> None:
    spy = SpyScorer()
    scene = bench(spy)
    scene.policy.erased.add(KEY)
    scene.feed(*call(notice(notice="yes"), joined()))
    async with scene.running():
        while scene.partitions.committable(topics.CONTROL, 0) != 3:
            await asyncio.sleep(0)
    assert (spy.seen, scene.results.scores, scene.sink.letters) == ([], [], [])


@pytest.mark.usefixtures("no_waiting")
async def test_a_call_erased_while_it_is_scored_is_dropped_at_the_commit() -> None:
    scene = bench(SpyScorer())
    scene.results.erased.add(KEY)
    scene.feed(*call(notice(notice="yes"), joined()))
    async with scene.running():
        while scene.partitions.conversations:
            await asyncio.sleep(0)
    assert scene.results.scores == []
    assert scene.results.progress == dict[object, Progress]()
