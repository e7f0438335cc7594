"""`affectstream train speech`: make the heads of the speech expert."""

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def speech(
    *,
    data: Path,
    out: Path | None = None,
    backend: Literal["onnxruntime-cpu-int8", "torch-float"] = "onnxruntime-cpu-int8",
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train the speech expert on EmoDB; about four minutes on one core.

    Example: `affectstream train speech --data speech --out speech-weights`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        out: folder for the heads; default is where the shipped ones of the backend lie.
        backend: form of the encoder that the heads are for. `torch-float` runs on CUDA, and
            at a third of the speed on the CPU; a worker with `device = "cuda"` needs its heads.
        seed: of the cuts, codecs and noise that the recordings go through.
        threads: of the encoder.
    """
    from inference.experts.speech_head import SpeechHead
    from inference.experts.voice_activity import VoiceActivity
    from inference.experts.voice_encoders import HEADS, open_encoder
    from inference.training.emodb import HELD_OUT_SPEAKERS, find_clips
    from inference.training.speech import embed_clips, train_speech

    console = Console(stderr=True)
    clips = [clip for clip in find_clips(data) if clip.speaker not in HELD_OUT_SPEAKERS]
    encoder = open_encoder(backend, threads, "auto")
    voice_activity = VoiceActivity.load(threads)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        listening = bar.add_task("listening", total=len(clips))
        corpus = embed_clips(
            clips, encoder, voice_activity, seed, on_clip=lambda: bar.advance(listening)
        )
        fitting = bar.add_task("fitting", total=1)
        head = train_speech(corpus, encoder.sha256, seed, encoder.backend)
        head.save(target := out or HEADS[backend])
        bar.advance(fitting)
    version = SpeechHead.load(target).version
    console.print(f"{version} is in {target}", markup=False, highlight=False)
