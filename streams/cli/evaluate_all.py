"""`affectstream evaluate all`: every figure for which the material is there."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from inference.errors import AffectstreamError
from inference.evaluation.report import EvaluationReport, to_json
from streams.cli._reports import UnwritableError, write_text

if TYPE_CHECKING:
    from streams.cli._evaluations import Evaluation

FAILURE: Final = 1


class NoMaterialError(AffectstreamError):
    """The folder holds nothing that could be judged."""


def all_(
    *,
    data: Path,
    out: Path | None = None,
    only: str = "",
    cards: bool = False,
    models_dir: Path | None = None,
    threads: int = 1,
) -> int:
    """Run every evaluation for which a folder has the material; about 15 minutes on one core.

    Exits with 1 if one failed, if one that `--only` names had no material, or if none had any.

    Example: `affectstream evaluate all --data corpora --out reports`

    Args:
        data: folder with speech, text/goemotions, face, fusion and fusion/ravdess, or some.
        out: folder for NAME.json and NAME.md of each.
        only: names of some, comma-separated: `text,fusion-crema`.
        cards: keep the reports beside the shipped weights, and render the cards anew.
        models_dir: where the optional weights lie; default is the setting `models_dir`.
        threads: of each model.
    """
    from streams.cli._cards import commit, keep, render_cards, showing
    from streams.cli._evaluations import EVALUATIONS
    from streams.cli._names import chosen
    from streams.settings import load

    evaluations = chosen(only, {evaluation.name: evaluation for evaluation in EVALUATIONS})
    target = models_dir or load().models_dir
    if out is not None:
        _make(out)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    made_from = commit()
    reports: dict[str, EvaluationReport] = {}
    failed = False
    for evaluation in evaluations:
        missing = evaluation.missing(data, target)
        if missing is not None:
            notes.print(f"{evaluation.name}: left out, {missing}", markup=False)
            failed |= bool(only)
            continue
        report = _judged(evaluation, data, target, threads, notes)
        if report is None:
            failed = True
            continue
        reports[evaluation.name] = report
        if out is not None:
            _write(evaluation.name, report, out)
        if cards:
            keep(evaluation, report, made_from)
    if not (reports or failed):
        raise NoMaterialError(
            f"{data}: no material for any evaluation; point --data at a folder that holds speech, "
            "text/goemotions, face, fusion or fusion/ravdess"
        )
    if cards:
        failed |= not render_cards(notes, showing(reports))
    Console().print(_summary({one.name: one for one in evaluations}, reports))
    return FAILURE if failed else 0


def _judged(
    evaluation: "Evaluation", data: Path, models_dir: Path, threads: int, notes: Console
) -> EvaluationReport | None:
    """The report; None, and a line that says why, if it failed. The others go on."""
    begun = time.monotonic()
    try:
        report = evaluation.judge(data, models_dir, threads)
    except AffectstreamError as exc:
        notes.print(f"{evaluation.name}: failed: {exc}", markup=False)
        return None
    took_s = time.monotonic() - begun
    notes.print(f"{evaluation.name}: {report.n} items in {took_s:.0f} s", markup=False)
    return report


def _summary(
    evaluations: Mapping[str, "Evaluation"], reports: Mapping[str, EvaluationReport]
) -> Table:
    """A line for each report, with the figures that say most."""
    table = Table("evaluation", "items", "figures")
    for name, report in reports.items():
        figures = (
            f"{figure.replace('_', ' ')} {report.metrics[figure]:.3f}"
            for figure in evaluations[name].shown
            if figure in report.metrics
        )
        table.add_row(name, str(report.n), ", ".join(figures))
    return table


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UnwritableError(f"--out {folder}: cannot be made ({exc.strerror})") from exc


def _write(name: str, report: EvaluationReport, out: Path) -> None:
    from inference.evaluation.markdown import to_markdown

    write_text(out / f"{name}.json", f"{to_json(report)}\n", "--out")
    write_text(out / f"{name}.md", to_markdown(report), "--out")
