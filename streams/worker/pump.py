"""Moves what the partitions hold: load, score, store, release, and deliver what has no window."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar

import stamina

from inference.score import WindowScore
from storage.errors import StoreUnavailableError
from storage.results import CommitResult
from storage.values import (
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantKey,
    PolicyNews,
    Ruling,
    StoredConversation,
)
from streams.telemetry import logger
from streams.windows.aligner import Aligner, Closing
from streams.windows.participant import WindowDraft
from streams.worker.dead_letters import DeadLetter, DeadLetterSink, window_letter
from streams.worker.partitions import Partitions
from streams.worker.scoring_thread import (
    ATTEMPTS,
    ScoredClosing,
    ScoringThread,
    first_window,
    without_alerts,
    without_scores,
)
from streams.worker.tally import Tally
from streams.worker.window_spans import begin_scoring, end_scoring, note_stored

TICK_S: Final = 0.1
Answer = TypeVar("Answer")
_patiently: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
).on(StoreUnavailableError)
_log = logger("worker")


class Results(Protocol):
    """What the worker asks of storage."""

    async def commit(self, batches: Sequence[ParticipantBatch]) -> CommitResult:
        """Store final scores, compare-and-set per participant, in one transaction."""
        ...

    async def resume(
        self, run: str, keys: Iterable[ConversationKey]
    ) -> Mapping[ConversationKey, StoredConversation]:
        """What is stored of each conversation; an empty value where nothing is."""
        ...

    async def end_conversation(self, facts: ConversationFacts, ended_ns: int) -> None:
        """Store the end, and the rows of a conversation that had no score."""
        ...


class PolicyRecords(Protocol):
    """Where decisions, consents and withdrawals are put on record."""

    async def record(self, news: PolicyNews) -> Sequence[Ruling] | None:
        """Store what is new of it, once; the decisions stored, None if it was erased."""
        ...


class Live(Protocol):
    """Where provisional scores go: best effort, a failure is only counted."""

    async def publish_provisional(self, scores: Sequence[WindowScore]) -> None:
        """Show the scores to whoever watches now."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """A closing, and the aligner that waits for its answer."""

    aligner: Aligner
    closing: Closing
    since_ns: int
    """Clock time at which it was asked."""


@dataclass(slots=True)
class PumpStats:
    """Counters and states that health and metrics read."""

    windows_stored: int = 0
    windows_given_up: int = 0
    closings_rejected: int = 0
    letters_delivered: int = 0
    provisional_shed: int = 0
    provisional_sent: int = 0
    rule_errors: int = 0
    """How often an alert rule raised."""
    narrator_errors: int = 0
    """How often a narrator raised."""
    narratives_fallen_back: int = 0
    """How many texts of alerts were not told by who was asked first."""
    database_down: str | None = None
    """Why the database cannot be reached, while it cannot."""
    oldest_work_ns: int | None = None
    tally: Tally = field(default_factory=Tally)
    """What was scored and stored, by kind."""


class Pump:
    """Runs until cancelled; any error that is not an outage ends it, and so the worker.

    1. every tick: load stored progress, put on record what policy decided, ask the
       aligners what became final
    2. score the closings of all conversations together, in one thread
    3. store several participants in one transaction
    4. answer the aligners, which release the records: only now may offsets move
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        partitions: Partitions,
        *,
        run: str,
        results: Results,
        policy: PolicyRecords,
        scoring: ScoringThread,
        sink: DeadLetterSink,
        live: Live | None,
        max_batch: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.stats = PumpStats()
        self.hurry = False
        """Over the memory budget with nothing left to pause: close what waits, as partial."""
        self._partitions = partitions
        self._run = run
        self._results = results
        self._policy = policy
        self._scoring = scoring
        self._sink = sink
        self._live = live
        self._max_batch = max_batch
        self._clock_ns = clock_ns
        self._waiting: deque[Work] = deque()
        self._work = asyncio.Event()
        self._scored: asyncio.Queue[list[tuple[Work, ScoredClosing]]] = asyncio.Queue(2)
        self._provisional: list[WindowDraft] = []
        self._store_failures: Counter[ParticipantKey] = Counter()

    async def run(self) -> None:
        """Pump until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_forever(), name="pump-tick")
            tasks.create_task(self._score_forever(), name="pump-score")
            tasks.create_task(self._store_forever(), name="pump-store")

    # 1. tick

    async def _tick_forever(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """One look at every partition."""
        await self._load()
        await self._record()
        now_ns = self._clock_ns()
        for _, aligner in self._partitions:
            for closing in aligner.advance(now_ns, hurry=self.hurry):
                self._waiting.append(Work(aligner, self._narrowed(closing), now_ns))
            for key, facts, ended_ns in list(aligner.finished()):
                await self._end(aligner, key, facts, ended_ns)
            for key in aligner.replayed():
                aligner.conversation_ended(key)
            self._offer_provisional(aligner.provisional(now_ns))
        if self._waiting or self._provisional:
            self._work.set()
        letters = self._partitions.take_letters()
        if letters:
            await self._deliver(letters)

    async def _load(self) -> None:
        wanted = {key for _, aligner in self._partitions for key in aligner.unloaded()}
        if not wanted:
            return
        stored = await self._insist(lambda: self._results.resume(self._run, sorted(wanted)))
        for _, aligner in self._partitions:
            for key in aligner.unloaded():
                if key in stored:
                    aligner.load(key, stored[key])

    async def _record(self) -> None:
        """Store decisions before any score that rests on them.

        And before they are forgotten: control records are held until the end of the
        conversation is stored, and that waits for this.
        """
        for _, aligner in self._partitions:
            for news in aligner.policy_news():
                self._withdraw_provisional(news)
                stored = await self._insist(partial(self._policy.record, news))
                if stored is None:
                    self._erase(aligner, news.key)
                else:
                    self.stats.tally.decided(stored)
                    aligner.recorded(news)

    def _withdraw_provisional(self, news: PolicyNews) -> None:
        """Whatever changed, windows that wait to be shown are not worth a second look."""
        self._provisional = [
            draft
            for draft in self._provisional
            if ConversationKey(draft.tenant, draft.conversation) != news.key
        ]

    def _erase(self, aligner: Aligner, key: ConversationKey) -> None:
        aligner.erase(key)
        _log.info("conversation_erased", tenant=key.tenant)

    async def _end(
        self, aligner: Aligner, key: ConversationKey, facts: ConversationFacts, ended_ns: int
    ) -> None:
        await self._insist(lambda: self._results.end_conversation(facts, ended_ns))
        while any(news.key == key for news in aligner.policy_news()):
            await self._record()  # said while the end was being stored
        aligner.conversation_ended(key)
        _log.info("conversation_ended", tenant=key.tenant, conversation=key.conversation)

    def _narrowed(self, closing: Closing) -> Closing:
        """What could not be stored together is tried one window at a time."""
        return first_window(closing) if self._store_failures[closing.key] else closing

    def _offer_provisional(self, drafts: list[WindowDraft]) -> None:
        """Provisional scores are the first thing that overload takes away."""
        if self._live is None or not drafts:
            return
        if self._waiting or self._scored.full():
            self.stats.provisional_shed += len(drafts)
        else:
            self._provisional += drafts

    async def _deliver(self, letters: list[DeadLetter]) -> None:
        await self._sink.deliver(letters)
        for letter in letters:
            if letter.slot is not None:
                letter.slot.done = True
        self.stats.letters_delivered += len(letters)

    # 2. score

    async def _score_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while batch := self._next_batch():
                began = time.perf_counter()
                closings = [work.closing for work in batch]
                spans = begin_scoring(closings, self._partitions.origins)
                scored = end_scoring(spans, await self._scoring.final(closings))
                self.stats.rule_errors = self._scoring.rule_errors
                self.stats.narrator_errors = self._scoring.narrator_errors
                self.stats.narratives_fallen_back = self._scoring.narratives_fallen_back
                windows = sum(len(closing.drafts) for closing in closings)
                self.stats.tally.scored(windows, time.perf_counter() - began)
                await self._scored.put(list(zip(batch, scored, strict=True)))
            drafts, self._provisional = self._provisional, []
            if drafts and self._live is not None:
                scores = await self._scoring.provisional(drafts)
                await self._live.publish_provisional(scores)
                self.stats.provisional_sent += len(scores)

    def _next_batch(self) -> list[Work]:
        """Closings of this generation, up to `max_batch` windows; at least one closing.

        A closing whose alert rules may not be known yet keeps its place: the next tick asks
        again.
        """
        current = {id(aligner) for _, aligner in self._partitions}
        batch: list[Work] = []
        kept: list[Work] = []
        windows = 0
        while self._waiting and windows < self._max_batch:
            work = self._waiting.popleft()
            if id(work.aligner) not in current:
                continue
            if self._forgotten(work):
                continue
            if self._scoring.may_score(work.closing):
                batch.append(work)
                windows += len(work.closing.drafts)
            else:
                kept.append(work)
        self._waiting.extendleft(reversed(kept))
        self.stats.oldest_work_ns = batch[0].since_ns if batch else None
        return batch

    # 3. store and 4. answer

    async def _store_forever(self) -> None:
        while True:
            scored = await self._scored.get()
            while not self._scored.empty():
                scored += self._scored.get_nowait()
            await self._store(scored)
            self._work.set()

    async def _store(self, scored: Sequence[tuple[Work, ScoredClosing]]) -> None:
        """The letters of windows given up go first: a crash in between repeats them."""
        settled = [
            (work, self._settle(work.closing, closing))
            for work, closing in scored
            if not self._forgotten(work)
        ]
        letters = [
            window_letter(item.draft, item.error)
            for _, closing in settled
            for item in closing.given_up
        ]
        if letters:
            await self._deliver(letters)
            self.stats.windows_given_up += len(letters)
        batches = [closing.batch for _, closing in settled]
        began_ns = time.time_ns()
        result = await self._insist(lambda: self._results.commit(batches))
        note_stored(batches, began_ns)
        for work, closing in settled:
            self._answer(work, closing.batch, result)

    def _forgotten(self, work: Work) -> bool:
        """Consent that was withdrawn while the windows were scored takes the scores with it."""
        outdated = work.aligner.outdated(work.closing)
        if outdated:
            work.aligner.forget(work.closing.key)
        return outdated

    def _settle(self, closing: Closing, scored: ScoredClosing) -> ScoredClosing:
        failures = self._store_failures[closing.key]
        if failures == ATTEMPTS - 1:
            return without_alerts(scored)
        if failures < ATTEMPTS:
            return scored
        return without_scores(closing, "storing it failed; the worker's log has the error")

    def _answer(self, work: Work, batch: ParticipantBatch, result: CommitResult) -> None:
        if batch.key in result.rejected:
            self.stats.closings_rejected += 1
            stored = result.rejected[batch.key]
            _log.warning(
                "progress_moved",
                conversation=batch.key.conversation,
                participant=batch.key.participant,
            )
            if stored is None:
                work.aligner.forget(batch.key)
            else:
                work.aligner.rejected(batch.key, stored)
        elif batch.key in result.erased:
            key = ConversationKey(batch.key.tenant, batch.key.conversation)
            self._erase(work.aligner, key)
        elif batch.key in result.failed:
            self._store_failures[batch.key] += 1
            _log.error(
                "store_failed",
                conversation=batch.key.conversation,
                attempt=self._store_failures[batch.key],
                error=result.failed[batch.key],
            )
            work.aligner.forget(batch.key)
        else:
            self._store_failures.pop(batch.key, None)
            self.stats.windows_stored += len(batch.scores)
            self.stats.tally.stored(batch)
            work.aligner.stored(batch.key, batch.progress)

    async def _insist(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call until the database answers: an outage costs time, never a window."""

        async def attempt() -> Answer:
            try:
                answer = await call()
            except StoreUnavailableError as exc:
                self.stats.database_down = str(exc)
                raise
            self.stats.database_down = None
            return answer

        return await _patiently(attempt)
