"""`affectstream train speech`: make the heads of the speech expert."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def speech(
    *,
    data: Path | None = None,
    add: Sequence[Path] = (),
    labels: str = "",
    split: str | None = None,
    only_added: bool = False,
    profile: Literal["default", "research"] = "default",
    out: Path | None = None,
    backend: Literal["onnxruntime-cpu-int8", "torch-float"] = "onnxruntime-cpu-int8",
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train the speech expert on EmoDB; about six minutes on one core. Broken off, it goes on.

    Or on EmoDB and recordings of your own, or on those alone.

    Example: `affectstream train speech --data speech --add calls.csv --out speech-weights`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        add: a CSV file of your own, with the columns `path` (relative to the file) and
            `label`; maybe `speaker` and `split`. A row without a speaker counts as one. May
            be given several times.
        labels: what other names of labels mean in the added files: `happy=joy,calm=neutral`;
            `contempt=` leaves such rows out.
        split: take the added rows with this value in the column `split`.
        only_added: leave EmoDB out.
        profile: `research` takes EmoDB and RAVDESS, whose licence forbids commercial use.
        out: folder for the heads; default is where the shipped ones of the backend lie, for
            `research` the folder `research/speech` in the setting `models_dir`.
        backend: form of the encoder that the heads are for. `torch-float` runs on CUDA, and
            at a third of the speed on the CPU; a worker with `device = "cuda"` needs its heads.
        cache: folder that keeps what was heard of each recording, so that it is heard once;
            default is beside the heads. It may be deleted at any time.
        seed: of the cuts, codecs and noise that the recordings go through.
        threads: of the encoder.
    """
    from inference.experts.speech_head import SpeechHead
    from inference.experts.voice_activity import VoiceActivity
    from inference.experts.voice_encoders import HEADS, open_encoder
    from inference.training.heard_cache import HeardCache
    from inference.training.manifest import parse_labels
    from inference.training.speech import train_speech
    from inference.training.speech_corpus import embed_clips, usual_draws
    from inference.training.speech_material import gather
    from streams.cli._heard import beside
    from streams.settings import load

    material = gather(
        None if only_added else data,
        add,
        labels=parse_labels(labels),
        split=split,
        recipe=profile,
    )
    if out is None:
        out = load().models_dir / "research" / "speech" if profile == "research" else HEADS[backend]
    console = Console(stderr=True)
    encoder = open_encoder(backend, threads, "auto")
    voice_activity = VoiceActivity.load(threads)
    clips = material.clips
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        listening = bar.add_task("listening", total=len(clips))
        corpus = embed_clips(
            clips,
            encoder,
            voice_activity,
            seed,
            on_clip=lambda: bar.advance(listening),
            draws=usual_draws(clips),
            cache=HeardCache(cache or beside(out, HEADS[backend])),
        )
        fitting = bar.add_task("fitting", total=1)
        train_speech(corpus, encoder.sha256, seed, material.origin, encoder.backend).save(out)
        bar.advance(fitting)
    version = SpeechHead.load(out).version
    console.print(f"{version} is in {out}", markup=False, highlight=False)
