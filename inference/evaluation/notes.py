"""Are the events that a reader finds those of the notes, in their order?"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.context.events import Event, EventReader
from inference.evaluation.report import EvaluationReport
from inference.training.call_notes import NotedCall


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A noted call, and what was read off its scores."""

    call: NotedCall
    events: tuple[Event, ...]


def read_calls(calls: Sequence[NotedCall], reader: EventReader) -> list[ReadCall]:
    """Events of every call."""
    return [ReadCall(call, tuple(reader.read(call.scores))) for call in calls]


def evaluate_notes(read: Sequence[ReadCall], version: str) -> EvaluationReport:
    """Label error rate and share of notes that are met exactly.

    The rate is that of Graves et al. 2006, section 2.1, over all calls: insertions, deletions
    and replacements over labels of the notes.

    Args:
        read: at least one.
        version: of the reader.
    """
    pairs = [(one.call.labels, tuple(event.label for event in one.events)) for one in read]
    errors = sum(edits(noted, found) for noted, found in pairs)
    return EvaluationReport(
        task="notes",
        n=len(read),
        metrics={
            "label_error_rate": errors / sum(len(noted) for noted, _ in pairs),
            "exact_share": sum(noted == found for noted, found in pairs) / len(pairs),
        },
        versions={"events": version},
    )


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Fewest insertions, deletions and replacements that make `other` of `one`.

    Source: Wagner and Fischer 1974.
    """
    row = list(range(len(other) + 1))
    for place, label in enumerate(one, start=1):
        before, row[0] = row[0], place
        for at, found in enumerate(other, start=1):
            replaced = before + (label != found)
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, replaced)
    return row[-1]
