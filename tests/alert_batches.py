"""Scored windows as a worker hands them to storage after the alert rules saw them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.score import WindowScore
from storage.values import ParticipantBatch, Progress
from streams.alerts.book import RuleBook
from streams.alerts.rule import RuleSpec
from streams.telling import Teller
from streams.worker.alerting import Alerting
from tests.scores import START_NS, batch, distressed

LOUD = RuleSpec(
    metric="distress",
    enter=0.6,
    exit=0.4,
    for_s=2,
    keep_firing_for_s=2,
    cooldown_s=0,
    notify=("webhook:crm", "alertmanager"),
)
BOOK = RuleBook.only("loud", LOUD)


@dataclass(frozen=True)
class Known:
    """Rules that were all read."""

    book: RuleBook = BOOK

    def knows(self, start_ns: int) -> bool:
        return start_ns > 0


def judged(
    scores: Sequence[WindowScore],
    expected: Progress | None = None,
    *,
    book: RuleBook = BOOK,
    queue: str = "billing",
    teller: Teller | None = None,
) -> ParticipantBatch:
    """The batch of `scores` with what the rules made of them, in words if `teller` is there."""
    plain = batch(scores, expected, queue=queue)
    carried = b"" if expected is None else expected.alerts
    began_ns = min(START_NS, plain.conversation.started_ns)  # whichever part of the call this is
    plain = replace(
        plain,
        progress=replace(plain.progress, alerts=carried),
        conversation=replace(plain.conversation, started_ns=began_ns),
    )
    return Alerting(Known(book), teller)(plain)


def rises_and_falls(
    conversation: str = "c-1", *, participant: str = "p-1", run: str = "live", peak: float = 0.9
) -> list[WindowScore]:
    """Ten windows: calm, loud from the third to the sixth, calm again. Fires at the fifth."""
    levels = [0.1, 0.1, peak, peak, peak, peak, 0.1, 0.1, 0.1, 0.1]
    return [
        distressed(index, level, conversation=conversation, participant=participant, run=run)
        for index, level in enumerate(levels)
    ]
