"""The text of an alert, in the moment in which it fires: nothing about it may cost the alert."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from inference.narrator.contract import Narrative, Narrator
from inference.narrator.incident import MOST_SPANS, IncidentRecord, SpanFact
from storage.values import ParticipantBatch, Transition, Utterance
from streams.records import storable
from streams.telemetry import logger, whereabouts

BASE_RATE: Final = 0.1
_log = logger("worker")


class Telling:
    """Lets a narrator tell the alerts that fire in a batch.

    A narrator that raises is left out for that alert: the fallback tells it. Where that raises,
    too, the alert goes without a text.

    Args:
        narrator: who tells.
        fallback: who tells what `narrator` could not.
        base_rate: of distress, that the scores are calibrated to.
    """

    def __init__(
        self, narrator: Narrator, fallback: Narrator, *, base_rate: float = BASE_RATE
    ) -> None:
        self.errors = 0
        """How often a narrator raised."""
        self.fell_back = 0
        """How many texts the fallback told, or a narrator's own."""
        self._narrators = (narrator, fallback)
        self._base_rate = base_rate

    def __call__(self, batch: ParticipantBatch) -> ParticipantBatch:
        """`batch`, its alerts told; never raises."""
        if not any(one.incident for one in batch.transitions):
            return batch
        steps = tuple(self._told(one, batch) for one in batch.transitions)
        return replace(batch, transitions=steps)

    def _told(self, one: Transition, batch: ParticipantBatch) -> Transition:
        if one.incident is None:
            return one
        try:
            record = replace(
                one.incident,
                base_rate=self._base_rate,
                spans=_spans(batch, one.at_ns),
            )
        except Exception as exc:  # noqa: BLE001 - whatever it is, the alert must be told of
            self._failed(batch, exc)
            return one
        narrative = self._narrative(record, batch)
        if narrative is None:
            return one
        return replace(one, narrative=storable(narrative.text), narrator=narrative.narrator)

    def _narrative(self, record: IncidentRecord, batch: ParticipantBatch) -> Narrative | None:
        for place, narrator in enumerate(self._narrators):
            try:
                narrative = narrator.tell(record)
            except Exception as exc:  # noqa: BLE001 - as above
                self._failed(batch, exc)
            else:
                self.fell_back += narrative.fell_back or place > 0
                return narrative
        return None

    def _failed(self, batch: ParticipantBatch, error: Exception) -> None:
        self.errors += 1
        key = batch.key  # no message: it may quote what was said
        _log.error(
            "narrator_failed",
            conversation=key.conversation,
            participant=key.participant,
            **whereabouts(error),
        )


def _spans(batch: ParticipantBatch, at_ns: int) -> tuple[SpanFact, ...]:
    """Words that the window ending at `at_ns` was the first to hear, where words are kept.

    No others: which words a batch holds depends on how windows came together.
    """
    began_ns = batch.conversation.started_ns
    heard = list(_between(batch.words, _end_before(batch, at_ns), at_ns))[-MOST_SPANS:]
    return tuple(
        SpanFact(
            id=f"s{number}",
            start_ns=word.start_ns - began_ns,
            end_ns=word.end_ns - began_ns,
            text=word.text,
        )
        for number, word in enumerate(heard, 1)
    )


def _between(words: Iterable[Utterance], from_ns: int, to_ns: int) -> Iterable[Utterance]:
    """Those that end in `(from_ns, to_ns]`."""
    return (word for word in words if from_ns < word.end_ns <= to_ns)


def _end_before(batch: ParticipantBatch, at_ns: int) -> int:
    """End of the window before the one that ends at `at_ns`."""
    stored_ns = 0 if batch.expected is None else batch.expected.closed_until_ns
    return max((score.end_ns for score in batch.scores if score.end_ns < at_ns), default=stored_ns)
