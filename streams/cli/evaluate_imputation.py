"""`affectstream evaluate imputation`: which imputer may ship."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

if TYPE_CHECKING:
    from inference.evaluation.report import EvaluationReport

ImputerName = Literal["ridge", "translator", "cgan", "diffusion"]
ACTION_UNITS = "mean_action_units.csv"


def imputation(
    *,
    data: Path,
    imputer: Sequence[ImputerName] = (),
    folds: int | None = None,
    seed: int = 0,
    json: bool = False,
    markdown: Path | None = None,
    cache: Path | None = None,
    threads: int = 1,
) -> None:
    """Judge imputers on actors of RAVDESS whom they never met: camera off, microphone off.

    Each is trained on the actors of the other folds of EmoBox, in principal components of
    theirs, and nothing of it is kept. Words are left out: the actors say two sentences.

    Example: `affectstream evaluate imputation --data data --json`

    Args:
        data: folder with the speech recordings of RAVDESS and its mean_action_units.csv,
            both searched for to the bottom.
        imputer: which to judge beside ridge, the bar; may be given several times. Default is
            all of them.
        folds: take only so many of the six.
        seed: of training, draws and bootstrap.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
        cache: folder that keeps what was heard of each recording, so that it is heard once.
        threads: of the encoder.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    show_report(judge_imputation(data, imputer, folds, seed, cache, threads), markdown, json=json)


def judge_imputation(
    data: Path,
    imputer: Sequence[ImputerName] = (),
    folds: int | None = None,
    seed: int = 0,
    cache: Path | None = None,
    threads: int = 1,
) -> "EvaluationReport":
    """Listen, train, judge; a bar on stderr."""
    from inference.evaluation.imputation import component_fold, evaluate_imputation
    from inference.experts.speech import SpeechExpert
    from inference.imputation.contract import DEFAULT_IMPUTER, IMPUTERS
    from inference.training.heard_cache import HeardCache
    from inference.training.imputation.train import Settings
    from inference.training.paired import real_pairs
    from inference.training.ravdess_speech import emobox_folds, find_acted_clips

    listener = SpeechExpert.load(threads)
    clips = find_acted_clips(data)
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        listening = bar.add_task("listening", total=len(clips))
        pairs = real_pairs(
            clips,
            next(iter(sorted(data.rglob(ACTION_UNITS))), data / ACTION_UNITS),
            listener.encoder,
            listener.voice_activity,
            seed=seed,
            cache=HeardCache(cache),
            on_clip=lambda: bar.advance(listening),
        )
        held_out = [fold for fold in emobox_folds(pairs.groups) if fold.any()][:folds]
        names = [
            DEFAULT_IMPUTER,
            *(name for name in imputer or IMPUTERS if name != DEFAULT_IMPUTER),
        ]
        judging = bar.add_task("judging", total=len(held_out) * len(names))
        return evaluate_imputation(
            component_fold(pairs),
            held_out,
            names,
            Settings(seed=seed),
            {"speech": listener.version, "space": "principal components of the actors learnt from"},
            lambda: bar.advance(judging),
        )
