"""What the page *Search* says of moments and labels of one's own."""

from datetime import UTC
from typing import Any

import pytest

from inference.contract import format_time
from streams.serving.dashboard.search.client import (
    Calibration,
    Cue,
    Found,
    Judged,
    Label,
    Moment,
    Said,
)
from streams.serving.dashboard.search.rows import (
    DAY_NS,
    calibration_said,
    filters,
    found_said,
    label_state,
    moment_row,
    name_wrong,
    prompts_of,
    prompts_wrong,
)
from tests.scores import START_NS


def moment(**changes: Any) -> Moment:
    known: dict[str, Any] = {
        "conversation": "c 1",
        "participant": "p-1",
        "role": "customer",
        "queue": "billing",
        "start": format_time(START_NS),
        "end": format_time(START_NS + 3),
        "similarity": 0.714,
    }
    return Moment(**(known | changes))


def test_a_moment_leads_to_its_second_and_says_what_it_rests_on() -> None:
    row = moment_row(
        moment(
            label="anger",
            distress=0.74,
            cues=(Cue("speech", "loud"), Cue("text", "complaint"), Cue("text", "loud")),
            words=(Said("not again,"), Said("please")),
            imputed=True,
            probability=0.8,
        ),
        UTC,
    )
    assert row.title == "c 1 at 24 Nov 16:00:00"
    assert row.link == "/conversations/c%201?at=2025-11-24T16:00:00Z"
    assert row.who == "customer p-1, billing"
    assert (row.said, row.cues) == ("not again, please", "loud; complaint")
    assert (row.label, row.distress) == ("anger", "distress 74\N{NARROW NO-BREAK SPACE}%")
    assert (row.near, row.share) == ("similarity 0.71", 71)
    assert (row.expected, row.probability) == (True, "80\N{NARROW NO-BREAK SPACE}%")


def test_what_is_not_known_of_a_moment_is_said_or_left_out() -> None:
    row = moment_row(moment(similarity=-0.2, queue=""), UTC)
    assert (row.label, row.distress, row.said) == ("not sure", "no estimate", "")
    assert (row.share, row.probability, row.who) == (0, "", "customer p-1")


def test_only_chosen_filters_are_asked_for() -> None:
    chosen = {"emotion": "", "queue": " billing ", "days": "7", "role": "agent"}
    assert filters(chosen, START_NS) == {
        "queue": "billing",
        "role": "agent",
        "from": format_time(START_NS - 7 * DAY_NS),
    }


@pytest.mark.parametrize(
    ("holds", "holds_not", "needed", "expected"),
    [
        (0, 0, 20, "0 of 20 judged: ranked only"),
        (2, 1, 17, "3 of 20 judged: ranked only"),
        (22, 0, 1, "22 judged, none of them against it: ranked only"),
        (0, 22, 1, "22 judged, none of them for it: ranked only"),
        (12, 12, 0, "24 judged: with probabilities"),
    ],
)
def test_a_label_says_whether_it_is_an_order_or_a_probability(
    holds: int, holds_not: int, needed: int, expected: str
) -> None:
    label = Label(name="fed-up", judged=Judged(holds, holds_not), needed=needed)
    assert label_state(label) == expected


def test_a_calibration_is_told_with_how_well_it_does() -> None:
    good = calibration_said(Calibration(24, 0.83), None)
    assert "24 judged moments" in good
    assert "83\N{NARROW NO-BREAK SPACE}%" in good
    assert "describe it otherwise" not in good
    assert "describe it otherwise" in calibration_said(
        Calibration(24, 0.5, informative=False), None
    )
    assert calibration_said(None, "3 of 20 examples judged").startswith(
        "Ranked only: 3 of 20 examples judged."
    )
    assert calibration_said(None, None) == ""


def test_what_could_not_be_looked_at_is_counted() -> None:
    assert found_said(Found(items=(moment(),), indexed=9)) == (
        "1 moment of 9 windows, the nearest first."
    )
    said = found_said(Found(indexed=9, other_space=1, left_out=2))
    assert "1 older window cannot be compared" in said
    assert "2 older windows did not fit in memory" in said


def test_a_label_needs_a_name_and_some_sentences() -> None:
    assert name_wrong(" fed-up ") == ""
    for wrong in ("", "two words", "ä", "x" * 129):
        assert name_wrong(wrong)
    assert prompts_of(" a voice\n\n calm ") == ["a voice", "calm"]
    assert prompts_wrong("a voice\ncalm") == ""
    for wrong in (" \n", "\n".join("abcdefghi"), "x" * 401):
        assert prompts_wrong(wrong)
