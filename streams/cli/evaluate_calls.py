"""`affectstream evaluate calls`: whole calls through the windows and models of the service."""

import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport

CALLS: Final = 25
"""Five of each passage: about five minutes on one core."""


def calls(
    *,
    speech: Path,
    text: Path,
    count: int = CALLS,
    seed: int = 0,
    threads: int = 1,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Judge the service on calls built from voices that no shipped weight has heard.

    Example: `affectstream evaluate calls --speech emodb --text goemotions --json`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom; two speakers are used.
        text: folder with ekman_test.tsv and ekman_labels.txt of GoEmotions. Words are put beside
            voices of the same class, so figures with words say nothing of real calls.
        count: how many calls.
        seed: of sentences, lines and pauses.
        threads: of each model.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    report = judge_calls(speech, text, count=count, seed=seed, threads=threads)
    show_report(report, markdown, json=json)


def judge_calls(
    speech: Path, text: Path, *, count: int = CALLS, seed: int = 0, threads: int = 1
) -> EvaluationReport:
    """Build, score and judge; a bar on stderr.

    The settings hold but for the policy: as participants of a study, both parties may be heard.
    """
    from inference.evaluation.built_calls import VOICES, build_calls
    from inference.evaluation.calls import ONSET, evaluate_calls
    from inference.training.emodb import find_clips
    from inference.training.goemotions import read_comments
    from storage.values import LIVE_RUN
    from streams.cli._scoring import gate_maker, open_aligner, open_scorer
    from streams.evaluation.calls import Service, hear_calls
    from streams.settings import load

    settings = load(policy="research", torch_threads=threads)
    clips, lines = find_clips(speech), read_comments(text, "test")
    scorer = open_scorer(settings)
    service = Service(
        scorer, lambda: open_aligner(settings, scorer, LIVE_RUN), gate_maker(settings)
    )
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as bar,
        tempfile.TemporaryDirectory(prefix="affectstream-") as folder,
    ):
        task = bar.add_task("calling", total=count)
        built = build_calls(clips, lines, count=count, seed=seed, on_call=lambda: bar.advance(task))
        heard = hear_calls(built, service, Path(folder))
    versions = scorer.versions(settings.tenant)
    return evaluate_calls(
        heard,
        {
            "calibration": versions.calibration,
            "fusion": versions.fusion,
            "calls": f"{count}, seed {seed}, EmoDB speakers {' and '.join(VOICES.values())}",
            "words": "GoEmotions test lines put beside voices of their class: report only",
            "onset": f"smoothed distress of at least {ONSET:g} for 3 s",
        },
    )
