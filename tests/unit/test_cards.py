"""Model cards say what their evaluations say, of the weights that are shipped."""

import shutil
from pathlib import Path

import msgspec
import pytest

from inference.evaluation.cards import (
    CARDS,
    EVALUATION_FILE,
    WEIGHTS,
    Card,
    CardError,
    Column,
    Evaluated,
    Line,
    Made,
    Table,
    problems,
    read_evaluations,
    render,
    rewrite,
    with_figures,
    write_evaluations,
)
from inference.evaluation.report import Breakdown, EvaluationReport
from streams.cli._evaluations import EVALUATIONS
from streams.cli._names import UnknownNameError, chosen

COLUMNS = (
    Column("UAR", "uar", error="uar_se"),
    Column("ECE (perfect)", "ece", beside="expected_ece"),
    Column("Gain", "gain", digits=2),
)
TABLE = Table("About it.", "Line", COLUMNS, (Line("all", "ears"), Line("far", "ears", "far away")))
CARD = Card("speech", lambda: "speech-1", (TABLE,))
REPORT = EvaluationReport(
    task="ears",
    n=7,
    metrics={"uar": 0.8216, "uar_se": 0.02, "ece": 1.0, "gain": -0.125},
    by=Breakdown(group={"far away": {"uar": 0.5, "ece": 0.1, "expected_ece": 0.04}}),
)
MADE = Made(
    weights={"speech": "speech-1"},
    date="2026-01-02",
    commit="abc",
    machine="a machine",
    command="affectstream evaluate ears --data DIR",
)
EARS = {"ears": Evaluated(made=MADE, report=REPORT)}


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_a_card_is_what_its_evaluations_say_of_the_shipped_weights(card: Card) -> None:
    """Fails where weights changed: `affectstream evaluate all --cards --data DIR`."""
    assert problems(card) == []


def test_every_figure_of_a_card_comes_from_an_evaluation_that_can_be_run_again() -> None:
    runnable = {evaluation.name for evaluation in EVALUATIONS}
    for card in CARDS.values():
        assert set(card.evaluations) <= runnable
        assert list(read_evaluations(card)) == list(card.evaluations)


def test_pairs_that_were_put_together_are_in_no_card() -> None:
    shown = {
        (line.evaluation, line.part) for c in CARDS.values() for t in c.tables for line in t.lines
    }
    assert not [part for name, part in shown if name == "pairs" or "pseudo" in part]


def test_figures_stand_in_tables_with_their_errors_and_where_they_come_from() -> None:
    assert render(CARD, EARS) == (
        "About it.\n\n"
        "| Line | UAR | ECE (perfect) | Gain |\n"
        "| --- | --- | --- | --- |\n"
        "| all | .822 ± .020 | 1.000 | -.12 |\n"
        "| far | .500 | .100 (.040) |  |\n\n"
        "- ears: `affectstream evaluate ears --data DIR`: 7 items, `speech-1`; 2026-01-02, "
        "commit `abc`, a machine"
    )


def test_what_stands_around_the_marks_is_kept() -> None:
    text = "# Card\n<!-- figures: x -->\nold\n<!-- end -->\n\nMore. <!-- end -->\n"
    assert with_figures(text, "x", "new") == text.replace("old", "new")
    with pytest.raises(CardError, match="no line <!-- figures: y -->"):
        with_figures(text, "y", "new")


def test_a_part_that_the_evaluation_does_not_have_is_named() -> None:
    with pytest.raises(CardError, match="no evaluation ears; make it with"):
        render(CARD, {})
    bare = msgspec.structs.replace(REPORT, by=Breakdown())
    with pytest.raises(CardError, match="no part 'far away'"):
        render(CARD, {"ears": Evaluated(made=MADE, report=bare)})


def test_another_figure_or_other_weights_are_noticed(tmp_path: Path) -> None:
    card = CARDS["text"]
    shutil.copytree(WEIGHTS / "text", tmp_path / "text")
    assert problems(card, tmp_path) == []
    evaluations = read_evaluations(card, tmp_path)
    name, *_ = evaluations
    report = evaluations[name].report
    better = msgspec.structs.replace(
        report, by=Breakdown(group={part: {"uar": 0.999} for part in report.by.group})
    )
    changed = msgspec.structs.replace(evaluations[name], report=better)
    write_evaluations(card, {**evaluations, name: changed}, tmp_path)
    assert problems(card, tmp_path) == ["text: the card is not what its evaluations say"]
    assert rewrite(card, tmp_path)
    assert not rewrite(card, tmp_path), "once is enough"
    assert problems(card, tmp_path) == []
    old = msgspec.structs.replace(changed.made, weights={"text": "text-0"})
    stale = msgspec.structs.replace(changed, made=old)
    write_evaluations(card, {**evaluations, name: stale}, tmp_path)
    (line, problem) = problems(card, tmp_path)
    assert line == "text: the card is not what its evaluations say"
    assert problem.startswith(f"text: text judged text-0, shipped is {card.version()}")


def test_evaluations_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / EVALUATION_FILE).write_text("{}}")
    with pytest.raises(CardError, match="no evaluations"):
        read_evaluations(CARDS["text"], tmp_path)


def test_only_what_is_named_is_chosen_and_strangers_are_refused() -> None:
    known = {"a": 1, "b": 2, "c": 3}
    assert chosen("", known) == [1, 2, 3]
    assert chosen("c, a", known) == [1, 3]
    with pytest.raises(UnknownNameError, match="--only d: there are a, b, c"):
        chosen("a,d", known)
