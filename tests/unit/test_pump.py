"""The pump on fakes: what outages, foreign progress and failing windows do, and do not do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest
import stamina

from inference.score import ParticipantState, WindowScore
from inference.units import SECOND_NS
from inference.window import WindowInput
from storage.errors import StoreUnavailableError
from storage.results import CommitResult
from storage.values import (
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantKey,
    Progress,
    StoredConversation,
    Transition,
)
from streams import topics
from streams.alerts.book import RuleBook
from streams.alerts.rule import RuleSpec
from streams.records import ControlKind, Record, Track, encode
from streams.scoring import StateKey, WindowScorer
from streams.windows.aligner import Aligner, Gate
from streams.windows.grid import WindowGrid
from streams.windows.offline import topic_of
from streams.windows.participant import Timing
from streams.worker.alerting import Alerting
from streams.worker.dead_letters import REASON_HEADER, DeadLetter
from streams.worker.feed import Assignment, RawRecord
from streams.worker.partitions import Partitions
from streams.worker.pump import Pump
from streams.worker.scoring_thread import ScoringThread
from tests.gates import Everything, FakePolicy
from tests.scores import absent_score
from tests.strategies import control

START_NS = 1_000 * SECOND_NS
GRID = WindowGrid(3 * SECOND_NS, SECOND_NS)


@dataclass(frozen=True)
class Scored:
    scores: tuple[WindowScore, ...]
    states: Mapping[StateKey, ParticipantState]
    moments: tuple[None, ...]


@dataclass
class FakeScorer:
    """Says nothing about anything; raises for the windows that end at `broken_ns`."""

    broken_ns: int | None = None

    def score(
        self, windows: Sequence[WindowInput], states: Mapping[StateKey, ParticipantState]
    ) -> Scored:
        if any(window.end_ns == self.broken_ns for window in windows):
            raise RuntimeError("this window cannot be scored")
        return Scored(
            tuple(absent_score(window) for window in windows), states, (None,) * len(windows)
        )


@dataclass
class FakeResults:
    """A database of one run: compare-and-set on progress, outages and failures on demand."""

    progress: dict[ParticipantKey, Progress] = field(default_factory=dict)
    scores: list[WindowScore] = field(default_factory=list)
    ended: dict[ConversationKey, int] = field(default_factory=dict)
    erased: set[ConversationKey] = field(default_factory=set)
    outages: int = 0
    refused_end_ns: int | None = None
    refused_step: str | None = None
    transitions: list[Transition] = field(default_factory=list)
    end_stored: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def commit(self, batches: Sequence[ParticipantBatch]) -> CommitResult:
        self._fail_if_away()
        rejected: dict[ParticipantKey, Progress | None] = {}
        failed: dict[ParticipantKey, str] = {}
        erased: set[ParticipantKey] = set()
        for batch in batches:
            if ConversationKey(batch.key.tenant, batch.key.conversation) in self.erased:
                erased.add(batch.key)
            elif self.progress.get(batch.key) != batch.expected:
                rejected[batch.key] = self.progress.get(batch.key)
            elif any(score.end_ns == self.refused_end_ns for score in batch.scores):
                failed[batch.key] = "value out of range"
            elif any(step.state == self.refused_step for step in batch.transitions):
                failed[batch.key] = "this step is there already"
            else:
                self.progress[batch.key] = batch.progress
                self.scores += batch.scores
                self.transitions += batch.transitions
        return CommitResult(rejected=rejected, failed=failed, erased=frozenset(erased))

    async def resume(
        self, run: str, keys: Iterable[ConversationKey]
    ) -> Mapping[ConversationKey, StoredConversation]:
        self._fail_if_away()
        return {
            key: StoredConversation(
                ended_ns=self.ended.get(key),
                progress={
                    item.participant: progress
                    for item, progress in self.progress.items()
                    if (item.tenant, item.conversation, item.run)
                    == (key.tenant, key.conversation, run)
                },
            )
            for key in keys
        }

    async def end_conversation(self, facts: ConversationFacts, ended_ns: int) -> None:
        self._fail_if_away()
        self.ended[ConversationKey(facts.tenant, facts.conversation)] = ended_ns
        self.end_stored.put_nowait(facts.conversation)

    def _fail_if_away(self) -> None:
        if self.outages:
            self.outages -= 1
            raise StoreUnavailableError("connection refused")


@dataclass
class FakeSink:
    letters: list[DeadLetter] = field(default_factory=list)

    async def deliver(self, letters: list[DeadLetter]) -> None:
        self.letters += letters


class Bench:
    """A pump, its partitions, and everything around it."""

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        results: FakeResults,
        scorer: WindowScorer,
        alerts: Alerting | None = None,
        gate: Callable[[str], Gate] = Everything,
    ) -> None:
        self.results, self.sink, self.policy = results, FakeSink(), FakePolicy()
        self.partitions = Partitions(
            lambda: Aligner(
                run="live",
                grid=GRID,
                timing=Timing(disorder_ns=1, wait_ns=dict.fromkeys(Track, 2 * SECOND_NS)),
                look_back_ns={},
                new_gate=gate,
            ),
            count=1,
            clock_ns=lambda: 0,
        )
        self.scoring = ScoringThread(scorer, "live", alerts=alerts)
        self.pump = Pump(
            self.partitions,
            run="live",
            results=results,
            policy=self.policy,
            scoring=self.scoring,
            sink=self.sink,
            live=None,
            max_batch=16,
        )
        self.offsets = dict.fromkeys(topics.INPUTS, 0)
        for topic in topics.INPUTS:
            self.partitions.begin(Assignment(topic, 0, 0, 0))

    def feed(self, *records: Record) -> None:
        for record in records:
            topic = topic_of(record)
            self.partitions.take(
                topic, 0, [RawRecord(self.offsets[topic], record.key, encode(record), None)]
            )
            self.offsets[topic] += 1

    async def until_ended(self, count: int = 1) -> None:
        """The pump runs until every conversation's end is stored; time is not asked."""
        async with asyncio.timeout(30), self.running() as pumping:
            for _ in range(count):
                ended = asyncio.ensure_future(self.results.end_stored.get())
                await asyncio.wait({ended, pumping}, return_when=asyncio.FIRST_COMPLETED)
                if pumping.done():
                    pumping.result()  # raises what ended it
                await ended

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.pump.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.scoring.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Back-off takes no time, a tick a millisecond: a loop that never rests starves SQLite."""
    monkeypatch.setattr("streams.worker.pump.TICK_S", 0.001)
    with set_testing():
        yield


@contextmanager
def set_testing() -> Iterator[None]:
    stamina.set_testing(True, attempts=100)
    yield
    stamina.set_testing(False)


def whole_call(conversation: str = "c-1") -> list[Record]:
    """Four seconds of somebody who is there and says nothing: six windows."""
    events = control(START_NS, START_NS + 4 * SECOND_NS, frozenset())
    return [event.evolve(conversation=conversation) for event in events]


EXPECTED = list(GRID.overlapping(START_NS, START_NS + 4 * SECOND_NS))


def ends(results: FakeResults, conversation: str = "c-1") -> list[int]:
    return [score.end_ns for score in results.scores if score.conversation == conversation]


async def test_a_conversation_is_scored_stored_and_ended() -> None:
    bench = Bench(FakeResults(), FakeScorer())
    bench.feed(*whole_call())
    await bench.until_ended()
    assert ends(bench.results) == EXPECTED
    assert bench.partitions.committable(topics.CONTROL, 0) == 3
    assert bench.partitions.conversations == 0


async def test_an_outage_of_the_database_costs_time_and_no_window() -> None:
    bench = Bench(FakeResults(outages=5), FakeScorer())
    bench.feed(*whole_call())
    await bench.until_ended()
    assert ends(bench.results) == EXPECTED
    assert bench.pump.stats.database_down is None


async def test_what_another_worker_stored_meanwhile_is_not_stored_again() -> None:
    bench = Bench(FakeResults(), FakeScorer())
    bench.feed(*whole_call())
    await bench.pump.tick()  # loads: nothing is stored
    await bench.pump.tick()  # drafts all windows
    key = ParticipantKey("acme", "live", "c-1", "p-1")
    bench.results.progress[key] = Progress(closed_until_ns=EXPECTED[2], state=b"\x80")
    await bench.until_ended()
    assert ends(bench.results) == EXPECTED[3:]
    assert bench.pump.stats.closings_rejected == 1


async def test_a_window_that_cannot_be_scored_goes_to_a_dead_letter_and_the_next_go_on() -> None:
    bench = Bench(FakeResults(), FakeScorer(broken_ns=EXPECTED[3]))
    bench.feed(*whole_call(), *whole_call("c-2"))
    bench.pump._scoring._scorer = FakeScorer(broken_ns=EXPECTED[3])
    await bench.until_ended(count=2)
    rest = EXPECTED[:3] + EXPECTED[4:]
    assert ends(bench.results) == rest
    assert [letter.headers[REASON_HEADER] for letter in bench.sink.letters] == [
        "window_failed",
        "window_failed",
    ]
    assert {letter.topic for letter in bench.sink.letters} == {"affect.scores.v1.dlq"}


async def test_a_window_that_cannot_be_stored_is_found_alone_and_given_up() -> None:
    bench = Bench(FakeResults(refused_end_ns=EXPECTED[3]), FakeScorer())
    bench.feed(*whole_call())
    await bench.until_ended()
    assert ends(bench.results) == EXPECTED[:3] + EXPECTED[4:]
    assert bench.pump.stats.windows_given_up == 1


async def test_letters_are_delivered_and_their_offsets_released() -> None:
    bench = Bench(FakeResults(), FakeScorer())
    bench.partitions.take(topics.AUDIO, 0, [RawRecord(0, None, b"bad", None)])
    assert bench.partitions.committable(topics.AUDIO, 0) == 0
    await bench.pump.tick()
    assert len(bench.sink.letters) == 1
    assert bench.partitions.committable(topics.AUDIO, 0) == 1


async def test_work_of_a_lost_generation_is_dropped() -> None:
    bench = Bench(FakeResults(), FakeScorer())
    bench.feed(*whole_call())
    await bench.pump.tick()
    await bench.pump.tick()
    bench.partitions.reset(2)
    async with bench.running():
        for _ in range(20):
            await asyncio.sleep(0.001)
    assert bench.results.scores == []


SILENT = RuleBook.only(
    "silent",
    RuleSpec(metric="silence", enter=1, exit=1, for_s=2, keep_firing_for_s=0, cooldown_s=0),
)


def fired(bench: Bench) -> dict[tuple[str, ...], float]:
    """Alerts that were counted, by rule and severity; no other rule than ours is named."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in bench.pump.stats.tally.collect()
        if family.name == "affectstream_worker_alerts_fired"
        for sample in family.samples
        if sample.value
    }


@dataclass
class FakeRules:
    """Rules that are known for windows starting before `until_ns`."""

    until_ns: int
    book: RuleBook = SILENT

    def knows(self, start_ns: int) -> bool:
        return start_ns < self.until_ns


async def test_rules_see_every_window_once_and_go_on_where_they_stopped() -> None:
    bench = Bench(FakeResults(), FakeScorer(), Alerting(FakeRules(2 * START_NS)))
    bench.feed(*whole_call())
    await bench.until_ended()
    steps = [(step.state, step.at_ns) for step in bench.results.transitions]
    assert steps == [("pending", EXPECTED[0]), ("firing", EXPECTED[2]), ("ok", EXPECTED[-1])]
    assert fired(bench) == {("other", "warning"): 1}
    assert bench.pump.stats.rule_errors == 0


async def test_rules_of_who_leaves_end_with_their_last_window_and_the_call_goes_on() -> None:
    bench = Bench(FakeResults(), FakeScorer(), Alerting(FakeRules(2 * START_NS)))
    told, joined, ended = control(START_NS, START_NS + 60 * SECOND_NS, frozenset())
    left = ended.evolve(
        participant="p-1",
        kind=ControlKind.PARTICIPANT_LEFT,
        sequence=5,
        at_ns=START_NS + 4 * SECOND_NS,
    )
    bench.feed(told, joined, joined.evolve(participant="p-2", sequence=6), left, ended)
    await bench.until_ended()
    steps = [
        (step.state, step.at_ns, step.reason)
        for step in sorted(bench.results.transitions, key=lambda step: step.at_ns)
    ]
    last_ns = START_NS + 62 * SECOND_NS
    assert steps == [
        *[("pending", EXPECTED[0], None)] * 2,
        *[("firing", EXPECTED[2], None)] * 2,
        ("ok", EXPECTED[-1], "ended"),
        ("ok", last_ns, "ended"),
    ]
    assert {progress.alerts for progress in bench.results.progress.values()} == {b""}


async def test_a_window_whose_rules_are_not_known_waits_and_holds_up_nobody() -> None:
    rules = FakeRules(START_NS + 100 * SECOND_NS)
    bench = Bench(FakeResults(), FakeScorer(), Alerting(rules))
    ahead = [
        event.evolve(conversation="c-ahead")
        for event in control(START_NS + 200 * SECOND_NS, START_NS + 204 * SECOND_NS, frozenset())
    ]
    bench.feed(*ahead, *whole_call())
    async with asyncio.timeout(30), bench.running():
        assert await bench.results.end_stored.get() == "c-1"
        assert ends(bench.results, "c-ahead") == []
        rules.until_ns = 2 * START_NS
        assert await bench.results.end_stored.get() == "c-ahead"
    assert len(ends(bench.results, "c-ahead")) == len(EXPECTED)


async def test_steps_of_a_rule_that_cannot_be_stored_cost_no_score() -> None:
    bench = Bench(
        FakeResults(refused_step="firing"), FakeScorer(), Alerting(FakeRules(2 * START_NS))
    )
    bench.feed(*whole_call())
    await bench.until_ended()
    assert ends(bench.results) == EXPECTED
    assert bench.pump.stats.windows_given_up == 0
    assert bench.sink.letters == []


async def test_windows_that_are_given_up_leave_the_rules_where_they_were() -> None:
    bench = Bench(
        FakeResults(refused_end_ns=EXPECTED[1]), FakeScorer(), Alerting(FakeRules(2 * START_NS))
    )
    bench.feed(*whole_call())
    await bench.until_ended()
    assert bench.pump.stats.windows_given_up == 1
    steps = [(step.state, step.at_ns) for step in bench.results.transitions]
    assert steps == [("pending", EXPECTED[0]), ("firing", EXPECTED[2]), ("ok", EXPECTED[-1])]
