"""The one thread that runs the experts. What raises there is given up, its neighbours are not."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from inference.experts.synthetic import synthetic_window
from inference.score import ParticipantState, WindowScore, encode_state
from storage.values import ParticipantBatch, Progress, Utterance
from streams.scoring import WindowScorer, score_closings, score_drafts
from streams.telemetry import logger, whereabouts
from streams.windows.aligner import Closing
from streams.windows.participant import WindowDraft
from streams.worker.alerting import Alerting

ATTEMPTS: Final = 3
"""A window that fails alone this often is given up: it goes to `.dlq`, the next ones go on."""
_log = logger("worker")


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A window that nobody could score or store."""

    draft: WindowDraft
    error: str


@dataclass(frozen=True, slots=True)
class ScoredClosing:
    """What became of one closing."""

    batch: ParticipantBatch
    given_up: tuple[GivenUp, ...] = ()


class ScoringThread:
    """Runs a scorer outside the event loop, which must go on fetching and committing.

    Args:
        scorer: the experts.
        run: under which it scores.
        keep_words: whether batches carry the words that were said.
        alerts: sees final scores before they are stored; None watches for nothing.
    """

    def __init__(
        self,
        scorer: WindowScorer,
        run: str,
        *,
        keep_words: bool = False,
        alerts: Alerting | None = None,
    ) -> None:
        self._scorer = scorer
        self._run = run
        self._keep_words = keep_words
        self._alerts = alerts
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")

    @property
    def rule_errors(self) -> int:
        """How often an alert rule raised."""
        return 0 if self._alerts is None else self._alerts.errors

    @property
    def narrator_errors(self) -> int:
        """How often a narrator raised."""
        teller = None if self._alerts is None else self._alerts.teller
        return 0 if teller is None else teller.errors

    @property
    def narratives_fallen_back(self) -> int:
        """How many texts of alerts were not told by who was asked first."""
        teller = None if self._alerts is None else self._alerts.teller
        return 0 if teller is None else teller.fell_back

    def may_score(self, closing: Closing) -> bool:
        """Whether the alert rules that hold for every window of it are known."""
        alerts = self._alerts
        return alerts is None or all(alerts.knows(draft.start_ns) for draft in closing.drafts)

    async def warm_up(self) -> float:
        """Score a window that nobody sees, on the thread that will score the others.

        What a first call sets up (memory, kernels, a CUDA context) then keeps no call waiting.

        Returns:
            Seconds that it took.
        """
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        window = synthetic_window()
        await loop.run_in_executor(self._executor, self._scorer.score, [window], {})
        return time.perf_counter() - began

    async def final(self, closings: Sequence[Closing]) -> list[ScoredClosing]:
        """Score the windows of several participants; never raises for one of them."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._final, closings)

    async def provisional(self, drafts: Sequence[WindowDraft]) -> tuple[WindowScore, ...]:
        """Scores for the live feed: none if they cannot be made."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._provisional, drafts)

    def close(self) -> None:
        """Finish what runs and end the thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _final(self, closings: Sequence[Closing]) -> list[ScoredClosing]:
        scored = self._scored(closings)
        if self._alerts is None:
            return scored
        return [
            replace(one, batch=self._alerts(one.batch, left_ns=closing.left_ns))
            for closing, one in zip(closings, scored, strict=True)
        ]

    def _scored(self, closings: Sequence[Closing]) -> list[ScoredClosing]:
        try:
            return [ScoredClosing(batch) for batch in self._batches(closings)]
        except Exception as exc:  # noqa: BLE001 - whatever it is, it must not reach the neighbours
            windows = sum(len(item.drafts) for item in closings)
            _log.error("batch_failed", windows=windows, **whereabouts(exc))
        return [self._window_by_window(closing) for closing in closings]

    def _provisional(self, drafts: Sequence[WindowDraft]) -> tuple[WindowScore, ...]:
        try:
            return score_drafts(drafts, self._run, self._scorer)
        except Exception as exc:  # noqa: BLE001 - best effort: the final score will come
            _log.error("provisional_failed", windows=len(drafts), **whereabouts(exc))
            return ()

    def _window_by_window(self, closing: Closing) -> ScoredClosing:
        """The state of each window is built on the last one that could be scored."""
        scores: list[WindowScore] = []
        words: list[Utterance] = []
        given_up: list[GivenUp] = []
        progress = closing.expected
        for draft in closing.drafts:
            single = replace(
                closing, drafts=(draft,), expected=progress, closed_until_ns=draft.end_ns
            )
            try:
                batch = self._insist(single)
            except Exception as exc:  # noqa: BLE001 - given up, with its error
                given_up.append(GivenUp(draft, f"{type(exc).__name__}: {exc}"))
            else:
                scores += batch.scores
                words += batch.words
                progress = batch.progress
        return ScoredClosing(
            ParticipantBatch(
                key=closing.key,
                expected=closing.expected,
                progress=advanced(progress, closing.closed_until_ns),
                scores=tuple(scores),
                conversation=closing.conversation,
                words=tuple(words),
            ),
            tuple(given_up),
        )

    def _insist(self, closing: Closing) -> ParticipantBatch:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._batches([closing])[0]
            except Exception as exc:  # noqa: BLE001 - tried again, then raised
                end_ns = closing.closed_until_ns
                _log.error("window_failed", attempt=attempt, end_ns=end_ns, **whereabouts(exc))
        return self._batches([closing])[0]

    def _batches(self, closings: Sequence[Closing]) -> list[ParticipantBatch]:
        return score_closings(closings, self._scorer, keep_words=self._keep_words)


def advanced(progress: Progress | None, closed_until_ns: int) -> Progress:
    """`progress` moved on to `closed_until_ns` without a score; the state stays what it was."""
    if progress is None:
        return Progress(closed_until_ns=closed_until_ns, state=encode_state(ParticipantState()))
    return replace(progress, closed_until_ns=closed_until_ns)


def without_alerts(scored: ScoredClosing) -> ScoredClosing:
    """The same scores as if no rule had seen them: what a rule says may not cost a score.

    What the rules carry stays what it was, so they take the window for one that is missing.
    """
    batch = scored.batch
    carried = b"" if batch.expected is None else batch.expected.alerts
    unseen = replace(batch.progress, alerts=carried)
    return replace(scored, batch=replace(batch, progress=unseen, transitions=()))


def without_scores(closing: Closing, error: str) -> ScoredClosing:
    """Give every window of a closing up."""
    return ScoredClosing(
        ParticipantBatch(
            key=closing.key,
            expected=closing.expected,
            progress=advanced(closing.expected, closing.closed_until_ns),
            scores=(),
            conversation=closing.conversation,
        ),
        tuple(GivenUp(draft, error) for draft in closing.drafts),
    )


def first_window(closing: Closing) -> Closing:
    """The closing reduced to its first window, to find the one that cannot be stored."""
    first, *later = closing.drafts
    return replace(
        closing,
        drafts=(first,),
        closed_until_ns=first.end_ns,
        left_ns=None if later else closing.left_ns,
    )
