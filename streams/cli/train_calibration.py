"""`affectstream train calibration`: what fusion knows of its experts."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def calibration(
    *,
    speech: Path,
    text: Path,
    out: Path | None = None,
    speech_weights: Path | None = None,
    text_weights: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Fit conformal thresholds and slopes of quality; about eight minutes on one core.

    Example: `affectstream train calibration --speech emodb --text goemotions --out fusion`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        text: folder with ekman_dev.tsv and ekman_labels.txt of GoEmotions.
        out: folder for the result; default is that of the shipped one.
        speech_weights: folder of the speech heads; default is the shipped ones. Their recipe
            is fitted again without the speakers that it is judged on.
        text_weights: folder of the text heads; default is the shipped ones.
        seed: of cuts, codecs, noise and pairs.
        threads: of the encoder.
    """
    from inference.experts.speech import SpeechExpert
    from inference.experts.text import TextExpert
    from inference.fusion.artefact import WEIGHTS
    from inference.training.calibration import train_calibration
    from inference.training.emodb import HELD_OUT_SPEAKERS, find_clips
    from inference.training.goemotions import read_comments
    from inference.training.held_out_evidence import speech_evidence, text_evidence
    from inference.training.speech import embed_clips

    console = Console(stderr=True)
    clips = [clip for clip in find_clips(speech) if clip.speaker not in HELD_OUT_SPEAKERS]
    listener = SpeechExpert.load(threads, speech_weights)
    reader = TextExpert.load(text_weights)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        reading = bar.add_task("reading", total=1)
        lines = text_evidence(read_comments(text, "dev").single_lines, reader, seed)
        bar.advance(reading)
        listening = bar.add_task("listening", total=2 * len(clips))
        corpus = embed_clips(
            clips,
            listener.encoder,
            listener.voice_activity,
            seed,
            on_clip=lambda: bar.advance(listening),
        )
        voices = speech_evidence(
            clips, corpus, listener, seed, on_clip=lambda: bar.advance(listening)
        )
        fitting = bar.add_task("fitting", total=1)
        artefact = train_calibration(
            voices,
            lines,
            seed=seed,
            data="EmoDB without speakers 03 and 16, CC0-1.0; GoEmotions dev split, CC BY 4.0",
        )
        artefact.save(target := out or WEIGHTS)
        bar.advance(fitting)
    console.print(f"fusion-{artefact.version}+{artefact.digest} is in {target}", markup=False)
