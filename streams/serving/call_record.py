"""What a narrator may say of one participant of a call: figures of all of it, and some windows.

Pure. The windows are spread evenly over the call, and stay the same while it grows until there
are twice as many, so that a text changes with what is said and not with every second.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from inference.labels import Emotion
from inference.narrator.incident import (
    MOST_CUES,
    MOST_SPANS,
    MOST_WINDOWS,
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    SpanFact,
)
from inference.score import CueReport, WindowScore
from storage.outline import Point
from storage.values import Utterance
from streams.alerts.evidence import Estimate
from streams.alerts.incident import window_fact

RAISED_TIMES: Final = 2.0
"""Over the base rate, from where on a window counts as distressed."""
SPREAD: Final = MOST_WINDOWS - 2
"""Beside the strongest and the newest."""
WORDS_BEFORE_NS: Final = 30_000_000_000
WORDS_AFTER_NS: Final = 10_000_000_000
"""So far around the strongest window words may be quoted."""


def strongest(points: Sequence[Point]) -> Point:
    """The window with the most distress, the first of equals; points as `chosen` has them."""
    return max(points, key=lambda one: (one.distress or 0.0, -one.start_ns))


def chosen(points: Sequence[Point]) -> list[int]:
    """`start_ns` of the windows that a record holds: ascending, at most `MOST_WINDOWS`.

    Args:
        points: of one participant, ascending, at least one.
    """
    stride = 1
    while -(-len(points) // stride) > SPREAD:
        stride *= 2
    kept = (*points[::stride], strongest(points), points[-1])
    return sorted({one.start_ns for one in kept})


def call_record(
    points: Sequence[Point],
    windows: Sequence[WindowScore],
    words: Sequence[Utterance],
    *,
    participant: str,
    began_ns: int,
    base_rate: float,
) -> IncidentRecord:
    """The record of one participant of a call so far.

    Args:
        points: every window of theirs, ascending, at least one.
        windows: those that `chosen` named.
        words: heard around the strongest; none unless transcripts are kept.
        participant: their id.
        began_ns: when the conversation began; times in the record count from there.
        base_rate: of distress, that the scores are calibrated to.
    """
    return IncidentRecord(
        kind=Kind.CONVERSATION,
        role=points[-1].role,
        participant=participant,
        windows=tuple(
            window_fact(
                f"w{number}",
                score.start_ns - began_ns,
                score.end_ns - began_ns,
                Estimate.of(score),
            )
            for number, score in enumerate(windows, 1)
        ),
        cues=tuple(
            CueFact(
                id=f"c{number}",
                modality=cue.modality,
                text=cue.cue,
                at_ns=None if cue.at_ns is None else cue.at_ns - began_ns,
            )
            for number, cue in enumerate(_cues(windows), 1)
        ),
        spans=tuple(
            SpanFact(
                id=f"s{number}",
                start_ns=word.start_ns - began_ns,
                end_ns=word.end_ns - began_ns,
                text=word.text,
            )
            for number, word in enumerate(words[-MOST_SPANS:], 1)
        ),
        figures=tuple(
            Figure(id=f"f{number}", name=name, value=value, label=label)
            for number, (name, value, label) in enumerate(_figures(points, base_rate), 1)
        ),
        base_rate=base_rate,
    )


def _cues(windows: Sequence[WindowScore]) -> list[CueReport]:
    """Each once, in the order of time; those of the windows with the most distress stay."""
    ranked = sorted(windows, key=lambda one: -(one.distress.probability if one.distress else 0.0))
    found = list(dict.fromkeys(cue for one in ranked for cue in one.evidence))[:MOST_CUES]
    return sorted(found, key=lambda cue: (cue.at_ns or 0, cue.modality, cue.cue))


def _figures(
    points: Sequence[Point], base_rate: float
) -> Iterator[tuple[FigureName, float, Emotion | None]]:
    """Of all windows, whichever of them the record holds."""
    yield FigureName.WINDOWS, len(points), None
    levels = [one.distress for one in points if one.distress is not None]
    if not levels:
        return
    yield FigureName.PEAK, max(levels), None
    raised = sum(level >= RAISED_TIMES * base_rate for level in levels)
    yield FigureName.DISTRESSED_SHARE, raised / len(points), None
    labels = Counter(one.label for one in points if one.label is not None)
    yield FigureName.ABSTAINED_SHARE, 1 - labels.total() / len(points), None
    if labels:
        label, count = min(labels.items(), key=lambda pair: (-pair[1], pair[0]))
        yield FigureName.LABELLED_SHARE, count / len(points), label
