"""`affectstream evaluate fusion-…`: the rule of fusion on other people's predictions."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from inference.evaluation.report import EvaluationReport, print_report, to_json
from inference.fusion.artefact import FusionArtefact
from inference.fusion.fuser import Weighting


def fusion_crema(
    *,
    data: Path,
    target: Literal["av", "acted"] = "av",
    fusion: Literal["late", "adaptive"] = "late",
    json: bool = False,
) -> None:
    """Judge the fusion rule on the crowd votes of CREMA-D, five folds of actors.

    Example: `affectstream evaluate fusion-crema --data fusion --target av --json`

    Args:
        data: folder with crema_votes.csv, and crema_actors.csv for figures by sex and age.
        target: `av` for what most people say who hear and see, `acted` for what was asked of
            the actor.
        fusion: how experts are weighed. Votes have no quality, so both count them alike but
            for the quality that is usual.
        json: print one JSON object instead of tables.
    """
    from inference.evaluation.fusion_crema import Target, evaluate_fusion_crema, read_votes

    report = evaluate_fusion_crema(read_votes(data), Target(target), _weighting(fusion))
    _show(report, json=json)


def fusion_ravdess(
    *, data: Path, fusion: Literal["late", "adaptive"] = "late", json: bool = False
) -> None:
    """Judge the fusion rule on published predictions for RAVDESS, on unseen actors.

    Example: `affectstream evaluate fusion-ravdess --data fusion/ravdess --json`

    Args:
        data: folder with wav2vec2, au_bilstm and au_mlp, each with files foldN_test.csv.
        fusion: see `fusion-crema`.
        json: print one JSON object instead of tables.
    """
    from inference.evaluation.fusion_ravdess import evaluate_fusion_ravdess, read_posteriors

    _show(evaluate_fusion_ravdess(read_posteriors(data), _weighting(fusion)), json=json)


def _weighting(fusion: Literal["late", "adaptive"]) -> Weighting:
    return FusionArtefact.load().fuser(fusion).weigh


def _show(report: EvaluationReport, *, json: bool) -> None:
    if json:
        print(to_json(report))  # noqa: T201 - a result for programs
        return
    print_report(report, Console())
