"""`affectstream evaluate text`: the figures of the text expert."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inference.evaluation.report import EvaluationReport
from streams.cli._manifest import ManifestOptions


def text(
    *,
    data: Path | None = None,
    weights: Path | None = None,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Judge the text expert on the test split of GoEmotions, or on lines of your own.

    Example: `affectstream evaluate text --data goemotions --json`

    Args:
        data: folder with ekman_test.tsv and ekman_labels.txt.
        weights: folder of the weights; default is the shipped ones.
        json: print one JSON object instead of tables.
        own: material of your own.
    """
    from inference.experts.text import TextExpert
    from inference.labels import Modality
    from streams.cli._judging import judge, show

    own = own or ManifestOptions()
    own.check_with(data)
    if data is None:
        judge(own, Modality.TEXT, lambda: TextExpert.load(weights), json=json)
        return
    show(judge_text(data, weights), own, json=json)


def judge_text(data: Path, weights: Path | None = None) -> EvaluationReport:
    """Read the test split of `data` and judge."""
    from inference.evaluation.text import evaluate_text
    from inference.experts.text import WEIGHTS
    from inference.experts.text_model import TextModel

    return evaluate_text(data, TextModel.load(weights or WEIGHTS))
