"""`affectstream evaluate fusion-…`: the rule of fusion on other people's predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from inference.evaluation.report import EvaluationReport
    from inference.fusion.product_fuser import Weighting

TargetName = Literal["av", "acted"]
FusionName = Literal["late", "adaptive"]


def fusion_crema(
    *,
    data: Path,
    target: TargetName = "av",
    fusion: FusionName = "late",
    json: bool = False,
    markdown: Path | None = None,
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
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import show_report

    show_report(judge_crema(data, target, fusion), markdown, json=json)


def fusion_ravdess(
    *,
    data: Path,
    fusion: FusionName = "late",
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge the fusion rule on published predictions for RAVDESS, on unseen actors.

    Example: `affectstream evaluate fusion-ravdess --data fusion/ravdess --json`

    Args:
        data: folder with wav2vec2, au_bilstm and au_mlp, each with files foldN_test.csv.
        fusion: see `fusion-crema`.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import show_report

    show_report(judge_ravdess(data, fusion), markdown, json=json)


def judge_crema(data: Path, target: TargetName, fusion: FusionName) -> "EvaluationReport":
    """Read the votes and judge."""
    from inference.evaluation.fusion_crema import Target, evaluate_fusion_crema, read_votes

    return evaluate_fusion_crema(read_votes(data), Target(target), _weighting(fusion))


def judge_ravdess(data: Path, fusion: FusionName) -> "EvaluationReport":
    """Read the predictions and judge."""
    from inference.evaluation.fusion_ravdess import evaluate_fusion_ravdess, read_posteriors

    return evaluate_fusion_ravdess(read_posteriors(data), _weighting(fusion))


def _weighting(fusion: FusionName) -> "Weighting":
    from inference.fusion.artefact import FusionArtefact

    return FusionArtefact.load().fuser(fusion).weigh
