import io
import json
import math

import pytest
from rich.console import Console

from inference.evaluation.report import (
    Breakdown,
    EvaluationReport,
    NotANumberError,
    from_json,
    print_report,
    to_json,
)

REPORT = EvaluationReport(
    task="fusion-ravdess",
    n=1140,
    metrics={"accuracy": 0.8725, "nll": 0.423},
    by=Breakdown(pattern={"speech+face": {"accuracy": 0.8725}}, group={"drop .3": {"nll": 0.6}}),
    versions={"fusion": "late"},
)


def test_the_report_has_the_shape_that_programs_read() -> None:
    assert json.loads(to_json(REPORT)) == {
        "task": "fusion-ravdess",
        "n": 1140,
        "metrics": {"accuracy": 0.8725, "nll": 0.423},
        "by": {
            "pattern": {"speech+face": {"accuracy": 0.8725}},
            "group": {"drop .3": {"nll": 0.6}},
        },
        "versions": {"fusion": "late"},
    }


def test_reading_gives_back_what_was_written() -> None:
    assert from_json(to_json(REPORT)) == REPORT


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(NotANumberError, match="speech: uar is nan"):
        EvaluationReport(
            task="t", n=1, metrics={}, by=Breakdown(pattern={"speech": {"uar": math.nan}})
        )


def test_people_see_every_figure_part_and_version() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_report(REPORT, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined] - the StringIO above
    for text in ("0.8725", "0.4230", "all 1140", "speech+face", "drop .3", "fusion: late"):
        assert text in shown
