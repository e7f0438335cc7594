"""Points of a chart as the browser fetches them: everything once, then what is new."""

from typing import Final

import msgspec

from streams.serving.dashboard.timeline import ParticipantTimeline, Point, Span

SMOOTHED: Final = "distress, smoothed"
RAW: Final = "distress, each window"


class DrawnLine(msgspec.Struct, frozen=True):
    """One line: `smoothed`, `raw`, or the name of an emotion."""

    key: str
    name: str
    points: tuple[Point, ...]


class Points(msgspec.Struct, frozen=True):
    """What a chart adds to what it shows, or shows instead where `full`."""

    full: bool
    names: str
    """Asked for again with the next request; other names mean other lines."""
    until: int
    lines: tuple[DrawnLine, ...]
    unsure: tuple[Span, ...]
    nothing: tuple[Span, ...]
    summary: str


def points(drawn: ParticipantTimeline, after: int, names: str) -> Points:
    """Points after `after` (milliseconds), all of them where the strongest emotions changed."""
    lines = (
        DrawnLine("smoothed", SMOOTHED, drawn.smoothed),
        DrawnLine("raw", RAW, drawn.raw),
        *(DrawnLine(line.name, line.name, line.points) for line in drawn.emotions),
    )
    now_named = ",".join(line.key for line in lines)
    full = names != now_named or after == 0
    return Points(
        full=full,
        names=now_named,
        until=drawn.smoothed[-1][0] if drawn.smoothed else 0,
        lines=lines
        if full
        else tuple(
            DrawnLine(line.key, line.name, tuple(one for one in line.points if one[0] > after))
            for line in lines
        ),
        unsure=drawn.unsure,
        nothing=drawn.nothing,
        summary=drawn.summary,
    )
