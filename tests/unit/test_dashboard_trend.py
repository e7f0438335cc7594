"""The small line of a row: the last minutes, thinned."""

from streams.serving.dashboard.live.trend import (
    HEIGHT,
    SECOND_NS,
    SPAN_NS,
    STEP_NS,
    WIDTH,
    Trend,
    grown,
    rise,
    strokes,
)


def at(second: int) -> int:
    return 1_000_000 * STEP_NS + second * SECOND_NS


def trend_of(*points: tuple[int, float | None]) -> Trend:
    trend: Trend = ()
    for second, value in points:
        trend = grown(trend, at(second), value)
    return trend


def test_the_newest_estimate_of_a_step_stands_for_it() -> None:
    trend = trend_of((1, 0.1), (5, 0.2), (10, 0.3), (11, 0.4))
    assert trend == ((at(10), 0.3), (at(11), 0.4))


def test_what_is_older_than_the_span_falls_out_and_the_length_is_bounded() -> None:
    trend = trend_of(*((second, 0.5) for second in range(3 * SPAN_NS // SECOND_NS)))
    assert trend[-1][0] - trend[0][0] <= SPAN_NS
    assert len(trend) == SPAN_NS // STEP_NS + 1


def test_an_older_estimate_changes_nothing() -> None:
    trend = trend_of((30, 0.4))
    assert grown(trend, at(20), 0.9) is trend


def test_a_rise_needs_an_estimate_now_and_one_two_minutes_ago() -> None:
    assert rise(()) is None
    assert rise(trend_of((0, 0.2), (60, 0.9))) is None
    assert rise(trend_of((0, 0.2), (120, None))) is None
    assert rise(trend_of((0, 0.25), (60, 0.9), (120, 0.5))) == 0.25


def test_the_line_breaks_where_nothing_was_read_and_ends_at_the_right_edge() -> None:
    lines = strokes(trend_of((0, 1.0), (10, 0.0), (20, None), (30, 0.5)))
    assert len(lines) == 2
    assert lines[0].split()[0].endswith(",0.0")
    assert lines[0].split()[1].endswith(f",{HEIGHT:.1f}")
    assert lines[1] == f"{WIDTH:.1f},{HEIGHT / 2:.1f} {WIDTH:.1f},{HEIGHT / 2:.1f}"
    assert strokes(()) == ()
