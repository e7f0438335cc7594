"""`affectstream evaluate text`: the figures of the text expert."""

from pathlib import Path

from rich.console import Console


def text(*, data: Path, weights: Path | None = None, json: bool = False) -> None:
    """Judge the text expert on the test split of GoEmotions.

    Example: `affectstream evaluate text --data goemotions --json`

    Args:
        data: folder with ekman_test.tsv and ekman_labels.txt.
        weights: folder of the weights; default is the shipped ones.
        json: print one JSON object instead of tables.
    """
    from inference.evaluation.report import print_report, to_json
    from inference.evaluation.text import evaluate_text
    from inference.experts.text import WEIGHTS
    from inference.experts.text_model import TextModel

    report = evaluate_text(data, TextModel.load(weights or WEIGHTS))
    if json:
        print(to_json(report))  # noqa: T201 - a result for programs
        return
    print_report(report, Console())
