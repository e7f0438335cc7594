"""What a chart draws, and how the browser gets it in pieces."""

import msgspec

from inference.labels import Emotion, Role
from inference.score import WindowScore
from streams.serving.dashboard.board import Timeline
from streams.serving.dashboard.points import Points, points
from streams.serving.dashboard.rows import Conversation, Standing
from streams.serving.dashboard.timeline import (
    ParticipantTimeline,
    moment,
    participant_timeline,
)
from tests.scores import SECOND_NS, START_NS, distressed

MS = 1_000_000
replace = msgspec.structs.replace


def drawn(*scores: WindowScore) -> ParticipantTimeline:
    return participant_timeline("p-1", Role.CUSTOMER, [moment(score) for score in scores])


def nothing(index: int) -> WindowScore:
    return replace(distressed(index), emotions=None, distress=None)


def unsure(index: int) -> WindowScore:
    score = distressed(index)
    return replace(score, decision=replace(score.decision, label=None, abstained=True))


def at(second: int) -> int:
    """End of a window, as charts count."""
    return (START_NS + (second + 3) * SECOND_NS) // MS


def test_a_window_stands_at_its_end_in_percent() -> None:
    chart = drawn(distressed(0, 0.1234), distressed(1, 0.5))
    assert chart.smoothed == ((at(0), 12.3), (at(1), 50.0))


def test_the_line_breaks_where_there_is_nothing_to_read() -> None:
    chart = drawn(distressed(0), nothing(1), nothing(2), distressed(3))
    assert [value for _, value in chart.smoothed] == [50.0, None, None, 50.0]
    assert chart.nothing == ((at(0), at(2)),)
    assert chart.unsure == ()


def test_unsure_stretches_join_where_they_touch() -> None:
    chart = drawn(distressed(0), unsure(1), unsure(2), distressed(3), unsure(4))
    assert chart.unsure == ((at(0), at(2)), (at(3), at(4)))


def test_the_two_strongest_emotions_are_drawn_and_neutral_never() -> None:
    score = distressed(0)
    emotions = dict.fromkeys(Emotion, 0.0) | {
        Emotion.NEUTRAL: 0.6, Emotion.JOY: 0.3, Emotion.FEAR: 0.1,
    }  # fmt: skip
    chart = drawn(replace(score, emotions=emotions))
    assert [line.name for line in chart.emotions] == ["joy", "fear"]


def test_the_summary_says_what_the_chart_shows() -> None:
    assert "peaks at 90" in drawn(distressed(0, 0.2), distressed(1, 0.9)).summary
    assert drawn(nothing(0)).summary == "customer p-1: nothing to read yet."


def grown(held: dict[str, list[object]], body: Points) -> dict[str, list[object]]:
    """What the browser holds after an answer."""
    if body.full:
        return {line.key: list(line.points) for line in body.lines}
    return {line.key: held[line.key] + list(line.points) for line in body.lines}


def test_points_in_pieces_equal_all_points_at_once() -> None:
    scores = [
        replace(score, emotions=dict(score.emotions or {}) | {Emotion.JOY: 0.9 if n > 12 else 0.0})
        if score.emotions
        else score
        for n, score in enumerate(
            nothing(n) if n in {4, 5} else distressed(n, n / 20) for n in range(20)
        )
    ]
    held: dict[str, list[object]] = {}
    names, until, fulls = "", 0, 0
    for count in range(21):
        body = points(drawn(*scores[:count]), until, names)
        held = grown(held, body)
        names, until = body.names, body.until
        fulls += body.full
        whole = points(drawn(*scores[:count]), 0, "")
        assert held == {line.key: list(line.points) for line in whole.lines}
    assert 1 < fulls < 10  # again only where the strongest emotions changed


def test_a_timeline_takes_each_window_once_and_in_order() -> None:
    call = Conversation(
        id="c-1",
        queue="billing",
        language="en",
        started_ns=START_NS,
        standings={"p-1": Standing(participant="p-1", role=Role.CUSTOMER)},
    )
    timeline = Timeline(call, {"p-1": [moment(distressed(0))]})
    timeline.take(distressed(0))
    assert timeline.version == 0
    timeline.take(distressed(1, 0.7))
    timeline.take(distressed(1, 0.7, participant="p-2"))
    assert [value for _, value in timeline.drawn("p-1").smoothed] == [50.0, 70.0]
    assert set(timeline.call.standings) == {"p-1", "p-2"}
