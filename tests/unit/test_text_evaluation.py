import os
from pathlib import Path

import pytest

from inference.evaluation.text import ERROR_RATES, evaluate_text, service_figures
from inference.experts.text import WEIGHTS
from inference.experts.text_model import TextModel
from inference.fusion.artefact import Fusers
from inference.training.service_lines import read_service_lines

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
COMMENTS = SHARED / "data" / "text" / "goemotions"


@pytest.mark.slow
def test_the_shipped_weights_reach_their_published_figures() -> None:
    if not COMMENTS.is_dir():
        pytest.skip(f"no GoEmotions in {COMMENTS}: set AFFECTSTREAM_SHARED")
    report = evaluate_text(COMMENTS, TextModel.load(WEIGHTS), Fusers.load().default)
    assert report.n == 5_427
    assert report.metrics["macro_f1"] >= 0.585
    assert report.metrics["distress_auc_in_full"] >= 0.875
    assert report.metrics["distress_auc"] >= 0.87
    recognised = report.by.group["as recognised"]
    assert recognised["macro_f1"] >= 0.57
    assert recognised["distress_auc"] >= 0.87
    assert report.metrics["ece"] <= 0.03
    assert recognised["ece"] <= 0.03
    errors = [report.by.group[f"{rate:.0%} word errors"] for rate in ERROR_RATES]
    assert [part["distress_auc"] for part in errors] == sorted(
        (part["distress_auc"] for part in errors), reverse=True
    )
    assert errors[0]["distress_auc"] >= 0.85


def test_the_shipped_weights_say_where_most_service_lines_point() -> None:
    lines, fuser = read_service_lines("test"), Fusers.load().default
    figures = service_figures(TextModel.load(WEIGHTS), fuser, lines)
    assert figures["direction"] >= 0.85
