"""Points of a chart as the browser fetches them: everything once, then what is new."""

from collections.abc import Sequence

import msgspec

from inference.labels import MODALITIES, Emotion
from streams.serving.dashboard.conversation.timeline import (
    AlertSpan,
    Moment,
    ParticipantTimeline,
    Span,
    end_ms,
    scaled,
)
from streams.serving.dashboard.shell import words

Column = tuple[float | None, ...]


class Points(msgspec.Struct, frozen=True):
    """What a chart adds to what it shows: a column for each line, a place for each time."""

    until: int
    """Asked with again next time."""
    edition: int
    """With another one than before, all points are here and those of before are void."""
    times: tuple[int, ...]
    columns: dict[str, Column]
    """Percent, except `valence`, `arousal` and `conflict`; `weight …` for each modality."""
    reads: tuple[str, ...]
    cues: tuple[tuple[int, str], ...]
    """Evidence by time."""
    strongest: tuple[str, ...]
    unsure: tuple[Span, ...]
    nothing: tuple[Span, ...]
    provisional: tuple[int, float] | None
    alerts: tuple[AlertSpan, ...]
    summary: str


def points(drawn: ParticipantTimeline, after: int, edition: int = 0) -> Points:
    """Points after `after` (milliseconds); what is not a point comes whole each time.

    All points where the browser has those of another edition.
    """
    if edition != drawn.edition:
        after = 0
    new = [one for one in drawn.moments if end_ms(one) > after]
    early = drawn.provisional
    return Points(
        until=end_ms(drawn.moments[-1]) if drawn.moments else 0,
        edition=drawn.edition,
        times=tuple(end_ms(one) for one in new),
        columns=columns(new),
        reads=tuple(one.reads for one in new),
        cues=tuple((end_ms(one), cue) for one in new for cue in one.cues),
        strongest=drawn.strongest,
        unsure=drawn.unsure,
        nothing=drawn.nothing,
        provisional=None
        if early is None or early.smoothed is None
        else (end_ms(early), round(early.smoothed * 100, 1)),
        alerts=drawn.alerts,
        summary=drawn.summary,
    )


def columns(moments: Sequence[Moment]) -> dict[str, Column]:
    """Every line, by its key."""
    found: dict[str, Column] = {
        "smoothed": tuple(scaled(one.smoothed) for one in moments),
        "raw": tuple(scaled(one.raw) for one in moments),
        "valence": tuple(one.valence for one in moments),
        "arousal": tuple(one.arousal for one in moments),
        "conflict": tuple(one.conflict for one in moments),
    }
    for emotion in Emotion:
        values = tuple(scaled(one.emotions.get(emotion)) for one in moments)
        found[words.EMOTION[emotion]] = values
    for modality in MODALITIES:
        shares = tuple(scaled(one.weights.get(modality)) for one in moments)
        found[f"weight {words.MODALITY[modality]}"] = shares
    return found
