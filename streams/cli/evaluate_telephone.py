"""`affectstream evaluate telephone`: what a telephone line costs the speech expert."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport


def telephone(
    *,
    data: Path,
    weights: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    cache: Path | None = None,
    json: bool = False,
    markdown: Path | None = None,
) -> None:
    """Hear EmoDB, and RAVDESS if it is there, clean and over telephone lines.

    Beside each figure stands what the line cost, in points.

    Example: `affectstream evaluate telephone --data speech --json`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom; with those of RAVDESS
            too, for the figures on another corpus.
        weights: folder of the heads to judge; default is the shipped ones.
        seed: of the cuts, codecs, noise and losses that the recordings go through.
        threads: of the encoder.
        cache: folder that keeps what was heard of each recording, so that it is heard once;
            training and `evaluate speech` may share it.
        json: print one JSON object instead of tables.
        markdown: file for the tables as Markdown.
    """
    from streams.cli._reports import check_place, show_report

    check_place(markdown)
    report = judge_telephone(data, weights, seed=seed, threads=threads, cache=cache)
    show_report(report, markdown, json=json)


def judge_telephone(
    data: Path,
    weights: Path | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    cache: Path | None = None,
) -> EvaluationReport:
    """Listen to the corpora below `data` over every line and judge; a bar on stderr."""
    from inference.evaluation.line_forms import Ears
    from inference.evaluation.speech import strangers_to
    from inference.evaluation.telephone import evaluate_telephone, recordings
    from inference.experts.speech_head import SpeechHead
    from inference.experts.voice_activity import VoiceActivity
    from inference.experts.voice_encoders import open_encoder
    from inference.training.emodb import find_clips
    from inference.training.heard_cache import HeardCache
    from inference.training.ravdess_speech import find_acted_clips

    clips, acted = find_clips(data), find_acted_clips(data)
    shipped = SpeechHead.load(weights)
    encoder = open_encoder(shipped.config.backend, threads, "auto")
    voice_activity = VoiceActivity.load(threads)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("listening", total=recordings(clips, strangers_to(shipped, acted)))
        ears = Ears(encoder, voice_activity, lambda: bar.advance(task), HeardCache(cache))
        return evaluate_telephone(clips, acted, shipped, ears, seed)
