"""`affectstream evaluate narrator`: how much of what a narrator says is so."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.errors import AffectstreamError
from inference.evaluation.report import EvaluationReport


class NoNarratorError(AffectstreamError):
    """Nobody to judge."""


def narrator(
    *,
    name: str = "small",
    count: int = 500,
    seed: int = 20_001,
    threads: int = 1,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge a narrator on incidents that none was trained on, some of which try to mislead it.

    Example: `affectstream evaluate narrator --json`

    Args:
        name: `small`, `template`, or a folder, as in the setting `narrator`.
        count: of incidents, three in ten of them adversarial.
        seed: of the incidents.
        threads: of the network.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    report = judge_narrator(name, count=count, seed=seed, threads=threads)
    show_report(report, markdown, json=json)


def judge_narrator(
    name: str = "small", *, count: int = 500, seed: int = 20_001, threads: int = 1
) -> EvaluationReport:
    """Let it tell them, and judge; a bar on stderr."""
    import torch

    from inference.evaluation.narrator import evaluate_narrator
    from inference.narrator.choice import open_narrator
    from streams.settings import load

    torch.set_num_threads(threads)
    told_by = open_narrator(name, load().models_dir)
    if told_by is None:
        raise NoNarratorError(f"--name {name}: nobody tells anything; write template or small")
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("telling", total=count)
        return evaluate_narrator(
            told_by, count=count, seed=seed, on_incident=lambda: bar.advance(task)
        )
