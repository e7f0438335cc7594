"""What a row of the live page says, for every kind of score."""

import dataclasses

import msgspec
import pytest

from inference.labels import MODALITIES, AbsenceReason, Emotion, Modality, Role
from inference.score import ModalityReport, WindowScore
from streams.serving.dashboard.live.rows import (
    HOLD_NS,
    STALE_NS,
    Standing,
    State,
    carriers,
    participant_row,
)
from streams.serving.dashboard.shell import words
from tests.scores import SECOND_NS, START_NS, distressed

NEW = Standing(participant="p-1", role=Role.CUSTOMER)
replace = msgspec.structs.replace


def absent(score: WindowScore, reason: AbsenceReason) -> WindowScore:
    """The same window with nothing to read, for one reason."""
    return replace(
        score,
        emotions=None,
        distress=None,
        decision=replace(score.decision, label=None, set=(), abstained=True),
        modalities={one: ModalityReport(present=False, reason=reason) for one in MODALITIES},
    )


def test_a_row_shows_the_smoothed_number_the_label_and_what_it_rests_on() -> None:
    score = distressed(0, 0.74)
    row = participant_row("c-1", NEW.advanced(score), score.end_ns)
    assert (row.key, row.name) == ("c-1/p-1", "customer p-1")
    assert (row.level, row.distress, row.tone) == (74, words.percent(0.74), 3)
    assert (row.state, row.feeling, row.detail) == (State.SCORED, "anger", "or neutral")
    assert [(one.name, one.text) for one in row.carriers] == [
        ("voice", words.percent(1.0)),
        ("words", "not connected"),
        ("face", "no camera"),
    ]


def test_a_modality_that_says_nothing_carries_nothing() -> None:
    score = distressed(0, 0.74)
    face = ModalityReport(present=True, weight=0.0)
    watched = replace(score, modalities={**score.modalities, Modality.FACE: face})
    assert carriers(watched)[-1].text == words.SAYS_NOTHING
    silent = replace(watched, vacuity=1.0)
    assert [one.text for one in carriers(silent)] == [
        words.SAYS_NOTHING,
        "not connected",
        words.SAYS_NOTHING,
    ]


def test_a_participant_without_a_score_is_waited_for() -> None:
    row = participant_row("c-1", NEW, START_NS)
    assert (row.state, row.distress, row.level) == (State.WAITING, words.NONE, 0)


def test_a_participant_whom_policy_forbids_is_not_waited_for() -> None:
    row = participant_row("c-1", dataclasses.replace(NEW, permitted=False), START_NS)
    assert (row.state, row.feeling, row.detail) == (
        State.ABSENT, words.NOT_ANALYSED, words.BY_POLICY,
    )  # fmt: skip
    allowed = dataclasses.replace(NEW, permitted=True)
    assert participant_row("c-1", allowed, START_NS).feeling == words.WAITING
    assert allowed.advanced(distressed(0)).permitted is True


def test_a_withheld_label_is_not_sure_and_says_between_what() -> None:
    score = distressed(0)
    unsure = replace(score, decision=replace(score.decision, label=None, abstained=True))
    row = participant_row("c-1", NEW.advanced(unsure), score.end_ns)
    assert (row.state, row.feeling, row.detail) == (
        State.UNSURE, "not sure", "anger or neutral",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "state", "feeling"),
    [
        (AbsenceReason.SILENCE, State.SILENT, "no voice"),
        (AbsenceReason.NOT_PERMITTED, State.ABSENT, "not analysed"),
        (AbsenceReason.NO_TRACK, State.ABSENT, "nothing to read"),
    ],
)
def test_each_kind_of_absence_has_its_own_words(
    reason: AbsenceReason, state: State, feeling: str
) -> None:
    score = absent(distressed(0), reason)
    row = participant_row("c-1", NEW.advanced(score), score.end_ns)
    assert (row.state, row.feeling, row.distress) == (state, feeling, words.NONE)


def test_a_face_that_says_nothing_in_a_silence_is_not_called_unsure() -> None:
    score = absent(distressed(0), AbsenceReason.SILENCE)
    face = {Modality.FACE: ModalityReport(present=True, weight=1.0)}
    idle = replace(score, modalities={**score.modalities, **face}, vacuity=1.0)
    row = participant_row("c-1", NEW.advanced(idle), score.end_ns)
    assert (row.state, row.feeling) == (State.SILENT, words.NO_VOICE)
    alone = participant_row("c-1", NEW.advanced(replace(idle, modalities=face)), score.end_ns)
    assert (alone.state, alone.feeling) == (State.ABSENT, words.NOTHING_TO_READ)


@pytest.mark.parametrize(("silent_s", "distress"), [(30, words.percent(0.9)), (31, words.NONE)])
def test_a_silence_holds_the_last_number_for_thirty_seconds(silent_s: int, distress: str) -> None:
    before = distressed(0, 0.9)
    later = absent(distressed(silent_s), AbsenceReason.SILENCE)
    row = participant_row("c-1", NEW.advanced(before).advanced(later), later.end_ns)
    assert HOLD_NS == 30 * SECOND_NS
    assert row.held is (distress != words.NONE)
    assert row.distress == distress


def test_a_final_score_replaces_its_provisional_one_and_nothing_goes_back() -> None:
    final = distressed(1, 0.6)
    early = replace(distressed(1, 0.4), final=False)
    assert NEW.advanced(early).advanced(final).smoothed == 0.6
    assert NEW.advanced(final).advanced(early).smoothed == 0.6
    assert NEW.advanced(final).advanced(distressed(0, 0.1)).smoothed == 0.6


def test_an_old_score_is_marked() -> None:
    score = distressed(0)
    fresh = participant_row("c-1", NEW.advanced(score), score.end_ns + STALE_NS)
    stale = participant_row("c-1", NEW.advanced(score), score.end_ns + STALE_NS + SECOND_NS)
    assert (fresh.stale, stale.stale) == (False, True)
    assert stale.age == "16 s ago"


def test_a_rise_is_told_against_two_minutes_before_where_it_is_news() -> None:
    calm, now = distressed(0, 0.3), distressed(125, 0.55)
    row = participant_row("c-1", NEW.advanced(calm).advanced(now), now.end_ns)
    assert row.rise == "\N{UPWARDS ARROW} 25 in 2 min"
    assert participant_row("c-1", NEW.advanced(now), now.end_ns).rise == ""
    assert words.rise(-0.3) == "\N{DOWNWARDS ARROW} 30 in 2 min"
    assert words.rise(0.07) == ""


def test_a_conversation_is_named_by_its_queue_and_parties() -> None:
    agent = Standing(participant="p-2", role=Role.AGENT)
    supervisor = Standing(participant="p-3", role=Role.AGENT)
    assert words.headline("billing", [NEW, agent]) == "billing: customer p-1 and agent p-2"
    assert words.headline("unknown", [NEW, agent, supervisor]) == (
        "customer p-1, agent p-2 and agent p-3"
    )
    assert words.headline("unknown", []) == "conversation"


def test_a_window_is_told_in_words() -> None:
    score = distressed(0, 0.74)
    both = replace(
        score,
        conflict=0.3,
        modalities=score.modalities | {Modality.TEXT: ModalityReport(present=True, weight=0.5)},
    )
    assert dict(words.window_facts(both)) == {
        "reads as": Emotion.ANGER,
        "one of": f"anger, neutral (together {words.percent(0.9)} of the estimate or more)",
        "distress": f"{words.percent(0.74)} in this window",
        "vacuity": "0.20 (1: nothing supports a label)",
        "modalities": "disagree (0.30)",
    }
    nothing = absent(score, AbsenceReason.SILENCE)
    assert words.window_facts(nothing) == [("reads as", "nothing to read")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (2.44, "+2.4 sd from own usual, towards arousal"),
        (-1.2, "-1.2 sd from own usual, away from arousal"),
        (0.3, "+0.3 sd from own usual, as usual"),
    ],
)
def test_a_window_tells_how_far_the_voice_is_from_its_own_usual(change: float, told: str) -> None:
    facts = dict(words.window_facts(replace(distressed(0, 0.74), change=change)))
    assert facts["own voice"] == told
    assert "own voice" not in dict(words.window_facts(distressed(0, 0.74)))
