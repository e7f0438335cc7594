"""What people see of an evaluation: tables on the screen and in Markdown, and plots."""

import builtins
import io
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from inference.evaluation.judged import JudgedRows
from inference.evaluation.markdown import to_markdown
from inference.evaluation.plots import FILES, PlotsError, check_plots, draw
from inference.evaluation.report import Breakdown, EvaluationReport, Intervals, print_report

FIGURES = {"accuracy": 0.75, "nll": 0.5, "brier": 0.25}
REPORT = EvaluationReport(
    task="speech",
    n=12,
    metrics=FIGURES,
    by=Breakdown(
        pattern={"speech": {"n": 10.0, "accuracy": 0.9}},
        group={
            "absent": {"silence": 2.0},
            "language=de": {"n": 12.0, **FIGURES},
            "sex=f": {"n": 7.0, "accuracy": 0.7},
            "sex=a|b": {"n": 5.0, "accuracy": 0.8},
        },
    ),
    versions={"speech": "s-1"},
    intervals=Intervals(
        unit="speaker",
        units=6,
        metrics={"accuracy": (0.6, 0.9)},
        group={"sex=f": {"accuracy": (0.5, 0.8)}},
    ),
)


def test_markdown_shows_every_figure_its_interval_and_where_it_is_from() -> None:
    assert to_markdown(REPORT) == (
        "## Speech\n\n"
        "|  | all 12: language=de |\n| --- | ---: |\n"
        "| accuracy | 0.7500 (0.60 to 0.90) |\n| nll | 0.5000 |\n| brier | 0.2500 |\n\n"
        "## By what was present\n\n"
        "|  | speech |\n| --- | ---: |\n| n | 10 |\n| accuracy | 0.9000 |\n\n"
        "## Not read\n\n"
        "|  | silence |\n| --- | ---: |\n| absent | 2 |\n\n"
        "## By sex\n\n"
        "|  | n | accuracy |\n| --- | ---: | ---: |\n"
        "| sex=f | 7 | 0.7000 (0.50 to 0.80) |\n| sex=a&#124;b | 5 | 0.8000 |\n\n"
        "In brackets: the middle 95 % of a bootstrap over 6 speakers.\n\n"
        "- speech: s-1\n"
    )


def test_the_page_explains_every_figure_of_a_manifest() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    told = re.findall(r"^\| `(\w+)` \|", page.split("## The figures")[1], re.MULTILINE)
    rows = JudgedRows(
        labels=np.array(["neutral", "anger"]),
        log_probs=np.log(np.full((2, 2), 0.5)),
        names=("neutral", "anger"),
        units=np.array(["a", "b"]),
        distress_log_odds=np.zeros(2),
        sets=np.ones((2, 2), dtype=bool),
    )
    assert told == list(rows.figures())


def test_the_screen_shows_names_of_groups_as_they_are_written() -> None:
    report = EvaluationReport(
        task="text", n=2, metrics={}, by=Breakdown(group={"code=[red]": {"n": 1.0}})
    )
    console = Console(file=io.StringIO(), width=100)
    print_report(report, console)
    assert "code=[red]" in console.file.getvalue()  # type: ignore[attr-defined] - a StringIO


def test_plots_are_pictures_and_the_same_every_time(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = JudgedRows(
        labels=np.array(["neutral", "anger", "joy"] * 10),
        log_probs=np.log(random.dirichlet(np.ones(3), size=30)),
        names=("neutral", "anger", "joy"),
        units=np.arange(30).astype(str),
    )
    first, again = draw(rows, "text", tmp_path / "a"), draw(rows, "text", tmp_path / "b")
    assert [path.name for path in first] == list(FILES)
    for path, other in zip(first, again, strict=True):
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape == (600, 600, 3)
        assert picture.std() > 10, "nothing is drawn"
        assert path.read_bytes() == other.read_bytes()


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PlotsError, match=r"affectstream\[plots\]"):
        check_plots(tmp_path)


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlotsError, match="cannot be written"):
        check_plots(tmp_path / "file" / "plots")
