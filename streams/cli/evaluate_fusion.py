"""`affectstream evaluate fusion-…`: the rule of fusion on other people's predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from inference.evaluation.report import EvaluationReport
    from inference.evaluation.row_recipes import RowRecipe

TargetName = Literal["av", "acted"]
FusionName = Literal["late", "adaptive", "feature", "attention", "hybrid", "evidential"]


def fusion_crema(
    *,
    data: Path,
    target: TargetName = "av",
    fusion: FusionName = "late",
    seed: int = 0,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge the fusion rule on the crowd votes of CREMA-D, five folds of actors.

    Example: `affectstream evaluate fusion-crema --data fusion --target av --json`

    Args:
        data: folder with crema_votes.csv, and crema_actors.csv for figures by sex and age.
        target: `av` for what most people say who hear and see, `acted` for what was asked of
            the actor.
        fusion: `late` and `adaptive` weigh experts; votes have no quality, so both count them
            alike but for the quality that is usual. The others are networks, trained on the
            other actors.
        seed: of a network.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import show_report

    show_report(judge_crema(data, target, fusion, seed), markdown, json=json)


def fusion_ravdess(
    *,
    data: Path,
    fusion: FusionName = "late",
    seed: int = 0,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge the fusion rule on published predictions for RAVDESS, on unseen actors.

    Example: `affectstream evaluate fusion-ravdess --data fusion/ravdess --json`

    Args:
        data: folder with wav2vec2, au_bilstm and au_mlp, each with files foldN_test.csv.
        fusion: see `fusion-crema`.
        seed: of a network.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import show_report

    show_report(judge_ravdess(data, fusion, seed), markdown, json=json)


def judge_crema(
    data: Path, target: TargetName, fusion: FusionName, seed: int = 0
) -> "EvaluationReport":
    """Read the votes and judge."""
    from inference.evaluation.fusion_crema import Target, evaluate_fusion_crema, read_votes

    return evaluate_fusion_crema(read_votes(data), Target(target), recipe(fusion, seed))


def judge_ravdess(data: Path, fusion: FusionName, seed: int = 0) -> "EvaluationReport":
    """Read the predictions and judge."""
    from inference.evaluation.fusion_ravdess import evaluate_fusion_ravdess, read_posteriors

    return evaluate_fusion_ravdess(read_posteriors(data), recipe(fusion, seed))


def recipe(fusion: FusionName, seed: int = 0) -> "RowRecipe":
    """How rows are fused: by a product, or by a network that is trained on other folds."""
    from inference.evaluation.learned_rows import LearnedRecipe
    from inference.evaluation.row_recipes import ProductRecipe
    from inference.fusion.artefact import FusionArtefact

    if fusion in {"late", "adaptive"}:
        return ProductRecipe(FusionArtefact.load().fuser(fusion).weigh)
    return LearnedRecipe(fusion, seed)
