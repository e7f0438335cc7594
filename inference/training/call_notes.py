"""Calls with weak notes, "calm, then angry, then calm": what they hold and in which order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inference.contract import from_json
from inference.errors import AffectstreamError
from inference.score import WindowScore

WINDOWS_AN_EVENT: Final = 2
"""An event of a note lasts at least so long."""
_THEN: Final = re.compile(r"\s*(?:,|;|→|->|\bthen\b|\band then\b)\s*", re.IGNORECASE)


class NotesError(AffectstreamError):
    """Notes that cannot be used, with the line that is wrong."""


class NoteLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a file of notes."""

    scores: str
    """A conversation as the API exports it (`format=jsonl`); relative to the notes."""
    participant: str = ""
    """May be left out where the export holds one."""
    labels: tuple[str, ...] = ()
    note: str = ""
    """Instead of `labels`: "calm, then angry, then calm"."""


@dataclass(frozen=True, slots=True)
class NotedCall:
    """One participant of one call.

    Attributes:
        name: of the call.
        scores: final, ascending.
        labels: what happened, in order; never the same twice in a row.
    """

    name: str
    scores: tuple[WindowScore, ...]
    labels: tuple[str, ...]


def read_notes(path: Path) -> tuple[NotedCall, ...]:
    """Every noted call of a file of JSON lines.

    Raises:
        NotesError: a line, or the export that it names, cannot be used.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise NotesError(f"{path}: cannot be read ({exc})") from exc
    found = [
        _noted(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()
    ]
    if not found:
        raise NotesError(f"{path}: no notes; a line is a JSON object with scores and labels")
    return tuple(found)


def labels_of_note(note: str) -> tuple[str, ...]:
    """The labels of "calm, then angry", in lower case; repeats are one.

    >>> labels_of_note("Calm, then angry and then calm")
    ('calm', 'angry', 'calm')
    """
    return _collapsed([part.strip(" .").lower() for part in _THEN.split(note)])


def vocabulary(calls: Sequence[NotedCall]) -> tuple[str, ...]:
    """Every label of `calls`, in order of name."""
    return tuple(sorted({label for call in calls for label in call.labels}))


def _collapsed(labels: Sequence[str]) -> tuple[str, ...]:
    kept = [label for label in labels if label and label != "and"]
    return tuple(
        label for place, label in enumerate(kept) if place == 0 or kept[place - 1] != label
    )


def _noted(path: Path, number: int, line: str) -> NotedCall:
    where = f"{path}, line {number}"
    try:
        parsed = msgspec.json.decode(line, type=NoteLine)
    except msgspec.DecodeError as exc:
        raise NotesError(f"{where}: {exc}") from exc
    labels = _collapsed(parsed.labels) or labels_of_note(parsed.note)
    if not labels:
        raise NotesError(f"{where}: neither labels nor a note")
    scores = _scores(path.parent / parsed.scores, parsed.participant, where)
    if len(scores) < WINDOWS_AN_EVENT * len(labels):
        raise NotesError(
            f"{where}: {len(labels)} events in {len(scores)} windows; each takes at least "
            f"{WINDOWS_AN_EVENT}: check that the note belongs to this call"
        )
    return NotedCall(parsed.scores, scores, labels)


def _scores(export: Path, participant: str, where: str) -> tuple[WindowScore, ...]:
    try:
        lines = export.read_bytes().splitlines()
        scores = [from_json(line) for line in lines if line.strip()]
    except (OSError, msgspec.DecodeError) as exc:
        raise NotesError(f"{where}: {export} holds no exported scores ({exc})") from exc
    parties = sorted({score.participant for score in scores})
    if not participant and len(parties) > 1:
        raise NotesError(f"{where}: {export} holds {', '.join(parties)}; name a participant")
    mine = [one for one in scores if one.final and participant in ("", one.participant)]
    if not mine:
        raise NotesError(
            f"{where}: nothing of {participant or 'anybody'} in {export}, which holds "
            f"{', '.join(parties) or 'nobody'}"
        )
    return tuple(sorted(mine, key=lambda score: score.start_ns))
