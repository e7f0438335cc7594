"""Spans of windows on their way: scored, stored. Nothing where nobody traces."""

from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.trace import Span

from storage.values import ConversationKey, ParticipantBatch
from streams import traces
from streams.windows.aligner import Closing
from streams.worker.origins import Origins
from streams.worker.scoring_thread import ScoredClosing


def begin_scoring(closings: Sequence[Closing], origins: Origins) -> list[Span]:
    """A span for each closing, from the spans of its records; none where nobody traces."""
    if not traces.enabled():
        return []
    begun = [
        traces.start(
            "score windows",
            origins.of(
                ConversationKey(closing.key.tenant, closing.key.conversation),
                closing.drafts[0].start_ns,
                closing.drafts[-1].end_ns,
            ),
            attributes={
                "affectstream.windows": len(closing.drafts),
                "affectstream.batch": len(closings),
            },
        )
        for closing in closings
    ]
    return [one for one in begun if one is not None]


def end_scoring(spans: Sequence[Span], scored: list[ScoredClosing]) -> list[ScoredClosing]:
    """End them; each batch carries its span to the database and to the outbox."""
    if not spans:
        return scored
    carried = []
    for one, closing in zip(spans, scored, strict=True):
        if closing.batch.scores:
            one.set_attribute("affectstream.score", str(closing.batch.scores[0].id))
        one.set_attribute("affectstream.given_up", len(closing.given_up))
        one.end()
        batch = replace(closing.batch, traceparent=traces.traceparent(one))
        carried.append(replace(closing, batch=batch))
    return carried


def note_stored(batches: Sequence[ParticipantBatch], began_ns: int) -> None:
    """One transaction is done, which began at wall time `began_ns`."""
    if not traces.enabled():
        return
    for batch in batches:
        stored = traces.start(
            "store windows",
            [batch.traceparent],
            attributes={
                "affectstream.windows": len(batch.scores),
                "affectstream.participants": len(batches),
            },
            start_ns=began_ns,
        )
        if stored is not None:
            stored.end()
