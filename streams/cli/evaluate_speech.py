"""`affectstream evaluate speech`: the figures of the speech expert."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.evaluation.report import EvaluationReport
from streams.cli._manifest import ManifestOptions


def speech(
    *,
    data: Path | None = None,
    profile: Literal["default", "research"] = "default",
    weights: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    cache: Path | None = None,
    json: bool = False,
    own: Annotated[ManifestOptions | None, Parameter(name="*")] = None,
) -> None:
    """Judge the speech expert on unseen speakers of EmoDB, and on RAVDESS if it is there.

    Or judge it on recordings of your own: `--manifest`.

    Example: `affectstream evaluate speech --data speech --json`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom; with those of RAVDESS
            too, for the figures on another corpus.
        profile: `research` also judges the recipe on EmoDB and RAVDESS, on unseen actors; some
            fifteen minutes more.
        weights: folder of the heads to judge; default is the shipped ones. RAVDESS is judged
            without the actors that they have heard.
        seed: of the cuts, codecs and noise that the recordings go through.
        threads: of the encoder.
        cache: folder that keeps what was heard of each recording, so that it is heard once;
            training may share it.
        json: print one JSON object instead of tables.
        own: material of your own.
    """
    from inference.experts.speech import SpeechExpert
    from inference.labels import Modality
    from streams.cli._judging import judge, show

    own = own or ManifestOptions()
    own.check_with(data)
    if data is None:
        judge(own, Modality.SPEECH, lambda: SpeechExpert.load(threads, weights), json=json)
        return
    research = profile == "research"
    report = judge_speech(data, weights, seed=seed, threads=threads, cache=cache, research=research)
    show(report, own, json=json)


def judge_speech(
    data: Path,
    weights: Path | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    cache: Path | None = None,
    research: bool = False,
) -> EvaluationReport:
    """Listen to the corpora below `data` and judge; a bar on stderr."""
    from inference.evaluation.line_forms import Ears
    from inference.evaluation.speech import evaluate_speech, recordings
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
        task = bar.add_task("listening", total=recordings(clips, acted, research=research))
        ears = Ears(encoder, voice_activity, lambda: bar.advance(task), HeardCache(cache))
        return evaluate_speech(clips, acted, shipped, ears, seed, research=research)
