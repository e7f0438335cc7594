"""What a chart draws, and how the browser gets it in pieces."""

import msgspec

from inference.contract import format_time
from inference.labels import Emotion, Role
from inference.score import WindowScore
from streams.serving.dashboard.conversation.points import points
from streams.serving.dashboard.conversation.timeline import (
    ParticipantTimeline,
    moment,
    participant_timeline,
)
from streams.serving.dashboard.live.board import Timeline
from streams.serving.dashboard.live.raised import Alert
from streams.serving.dashboard.live.rows import Conversation, Standing
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
    assert chart.strongest == ("joy", "fear")


def test_the_summary_says_what_the_chart_shows() -> None:
    assert "peaks at 90" in drawn(distressed(0, 0.2), distressed(1, 0.9)).summary
    assert drawn(nothing(0)).summary == "customer p-1: nothing to read yet."


def test_points_in_pieces_equal_all_points_at_once() -> None:
    scores = [nothing(n) if n in {4, 5} else distressed(n, n / 20) for n in range(20)]
    times: list[int] = []
    held: dict[str, list[float | None]] = {}
    cues: list[tuple[int, str]] = []
    until = 0
    for count in (0, 1, 2, 7, 7, 20):
        body = points(drawn(*scores[:count]), until)
        times += body.times
        cues += body.cues
        for key, column in body.columns.items():
            held.setdefault(key, []).extend(column)
        until = body.until
        whole = points(drawn(*scores[:count]), 0)
        assert tuple(times) == whole.times
        assert tuple(cues) == whole.cues
        assert {key: tuple(column) for key, column in held.items()} == whole.columns
    assert len(times) == 20
    assert {len(column) for column in held.values()} == {20}


def test_a_modality_that_says_nothing_weighs_nothing() -> None:
    score = distressed(0)
    assert points(drawn(score), 0).columns["weight voice"] == (100.0,)
    assert points(drawn(replace(score, vacuity=1.0)), 0).columns["weight voice"] == (0.0,)
    assert points(drawn(score), 0).columns["weight face"] == (None,)
    assert points(drawn(replace(score, vacuity=1.0)), 0).columns["anger"] == (None,)


def call() -> Conversation:
    return Conversation(
        id="c-1",
        queue="billing",
        language="en",
        started_ns=START_NS,
        standings={"p-1": Standing(participant="p-1", role=Role.CUSTOMER)},
    )


def test_a_provisional_score_is_shown_until_the_next_and_never_kept() -> None:
    timeline = Timeline(call(), {"p-1": [moment(distressed(0))]})
    timeline.take(replace(distressed(1, 0.7), final=False))
    early = points(timeline.drawn("p-1"), 0)
    assert early.provisional == (at(1), 70.0)
    assert early.times == (at(0),)
    timeline.take(replace(distressed(2, 0.8), final=False))
    timeline.take(distressed(1, 0.6))
    ahead = points(timeline.drawn("p-1"), 0)
    assert ahead.provisional == (at(2), 80.0)
    assert ahead.times == (at(0), at(1))
    timeline.take(distressed(2, 0.75))
    timeline.take(replace(distressed(2, 0.1), final=False))
    assert points(timeline.drawn("p-1"), 0).provisional is None
    timeline.take(replace(distressed(3, 0.9), final=False))
    timeline.end(START_NS)
    assert points(timeline.drawn("p-1"), 0).provisional is None


def test_alerts_stand_on_the_axis_of_their_participant_and_follow_what_happens() -> None:
    fired = Alert(
        id="a-1",
        conversation="c-1",
        participant="p-1",
        rule="sustained-distress",
        severity="warning",
        state="firing",
        since=format_time(START_NS),
        fired=format_time(START_NS),
    )
    timeline = Timeline(call(), {}, [fired])
    (span,) = timeline.drawn("p-1").alerts
    assert (span.name, span.since, span.until) == ("sustained distress", START_NS // MS, None)
    timeline.tell(replace(fired, state="resolved", resolved=format_time(START_NS + SECOND_NS)))
    timeline.tell(replace(fired, id="a-2", participant="p-2"))
    (span,) = timeline.drawn("p-1").alerts
    assert span.until == (START_NS + SECOND_NS) // MS


def test_a_timeline_takes_each_window_once_and_in_order() -> None:
    timeline = Timeline(call(), {"p-1": [moment(distressed(0))]})
    timeline.take(distressed(0))
    assert timeline.version == 0
    timeline.take(distressed(1, 0.7))
    timeline.take(distressed(1, 0.7, participant="p-2"))
    assert [value for _, value in timeline.drawn("p-1").smoothed] == [50.0, 70.0]
    assert set(timeline.call.standings) == {"p-1", "p-2"}
