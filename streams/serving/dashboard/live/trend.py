"""The last minutes of one participant, thinned to what a small line shows. Pure."""

from collections.abc import Sequence
from typing import Final

from inference.units import SECOND_NS

STEP_NS: Final = 10 * SECOND_NS
"""One point for so much time: the line is about as many pixels wide as it has points."""
SPAN_NS: Final = 6 * 60 * SECOND_NS
RISE_NS: Final = 2 * 60 * SECOND_NS
"""A rise is told against what was this long ago."""
WIDTH: Final = 100
HEIGHT: Final = 24
"""Of the drawing, in its own units."""

TrendPoint = tuple[int, float | None]
"""End of a stretch in ns, and distress there; None where nothing could be read."""
Trend = tuple[TrendPoint, ...]


def grown(trend: Trend, at_ns: int, distress: float | None) -> Trend:
    """With one more estimate: the newest of a step stands for it, the oldest fall out."""
    kept = trend
    if kept and kept[-1][0] > at_ns:
        return trend
    if kept and (kept[-1][0] - 1) // STEP_NS == (at_ns - 1) // STEP_NS:
        kept = kept[:-1]
    kept = (*kept, (at_ns, distress))
    if kept[0][0] < at_ns - SPAN_NS:
        kept = tuple(point for point in kept if point[0] >= at_ns - SPAN_NS)
    return kept


def rise(trend: Trend) -> float | None:
    """How much higher the newest estimate is than two minutes before; None where unknown."""
    if not trend or trend[-1][1] is None:
        return None
    until_ns = trend[-1][0] - RISE_NS
    before = [value for at_ns, value in trend if at_ns <= until_ns and value is not None]
    return trend[-1][1] - before[-1] if before else None


def strokes(trend: Trend) -> tuple[str, ...]:
    """The line as SVG polylines in `WIDTH` by `HEIGHT`; it breaks where nothing was read.

    The newest point stands at the right edge.
    """
    lines: list[list[str]] = [[]]
    for at_ns, value in trend:
        if value is None:
            lines.append([])
            continue
        x = WIDTH - (trend[-1][0] - at_ns) * WIDTH / SPAN_NS
        lines[-1].append(f"{max(0.0, x):.1f},{HEIGHT - value * HEIGHT:.1f}")
    return tuple(_stroke(line) for line in lines if line)


def _stroke(points: Sequence[str]) -> str:
    """A single point is a line to itself, so that it is drawn."""
    return " ".join(points if len(points) > 1 else (*points, *points))
