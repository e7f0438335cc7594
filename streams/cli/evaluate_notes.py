"""`affectstream evaluate notes`: events that a trained reader finds, against weak notes."""

from pathlib import Path


def notes(
    *,
    notes: Path,
    weights: Path,
    events: bool = False,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge a reader of events on notes that it was not trained on, or print what it reads.

    Example: `affectstream evaluate notes --notes others.jsonl --weights events --events`

    Args:
        notes: JSON lines as `affectstream train context --notes` takes them.
        weights: folder that it wrote.
        events: print a JSON line an event instead: call, participant, label, start and end.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    import msgspec

    from inference.context.events import EventReader
    from inference.contract import format_time
    from inference.evaluation.notes import evaluate_notes, read_calls
    from inference.training.call_notes import read_notes
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    reader = EventReader.load(weights)
    read = read_calls(read_notes(notes), reader)
    if not events:
        show_report(evaluate_notes(read, reader.version), markdown, json=json)
        return
    for one in read:
        for event in one.events:
            line = {
                "call": one.call.name,
                "participant": one.call.scores[0].participant,
                "label": event.label,
                "start": format_time(event.start_ns),
                "end": format_time(event.end_ns),
            }
            print(msgspec.json.encode(line).decode())  # noqa: T201 - a result for programs
