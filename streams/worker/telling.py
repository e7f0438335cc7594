"""The text of an alert, in the moment in which it fires: nothing about it may cost the alert."""

from dataclasses import replace

from inference.narrator.gather import span_facts
from inference.narrator.incident import MOST_SPANS, SpanFact
from storage.values import ParticipantBatch, Transition
from streams.telling import Teller


def told(batch: ParticipantBatch, teller: Teller) -> ParticipantBatch:
    """`batch`, the alerts that fire in it in words; never raises."""
    if not any(one.incident for one in batch.transitions):
        return batch
    steps = tuple(_told(one, batch, teller) for one in batch.transitions)
    return replace(batch, transitions=steps)


def _told(one: Transition, batch: ParticipantBatch, teller: Teller) -> Transition:
    if one.incident is None:
        return one
    try:
        record = replace(one.incident, base_rate=teller.base_rate, spans=_spans(batch, one.at_ns))
    except Exception as exc:  # noqa: BLE001 - whatever it is, the alert must be told of
        teller.failed(exc)
        return one
    narrative = teller.tell(record)
    if narrative is None:
        return one
    return replace(one, narrative=narrative.text, narrator=narrative.narrator)


def _spans(batch: ParticipantBatch, at_ns: int) -> tuple[SpanFact, ...]:
    """Words that the window ending at `at_ns` was the first to hear, where words are kept.

    No others: which words a batch holds depends on how many windows came together.
    """
    before_ns = _end_before(batch, at_ns)
    heard = [word for word in batch.words if before_ns < word.end_ns <= at_ns][-MOST_SPANS:]
    return span_facts(heard, batch.conversation.started_ns)


def _end_before(batch: ParticipantBatch, at_ns: int) -> int:
    """End of the window before the one that ends at `at_ns`."""
    stored_ns = 0 if batch.expected is None else batch.expected.closed_until_ns
    return max((score.end_ns for score in batch.scores if score.end_ns < at_ns), default=stored_ns)
