"""`affectstream train calibration`: what fusion knows of its experts."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def calibration(
    *,
    speech: Path | None = None,
    text: Path | None = None,
    add_speech: Sequence[Path] = (),
    add_text: Sequence[Path] = (),
    labels: str = "",
    split: str | None = None,
    out: Path | None = None,
    speech_weights: Path | None = None,
    text_weights: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Fit conformal thresholds and slopes of quality; about ten minutes on one core.

    Example: `affectstream train calibration --speech emodb --text goemotions --out fusion`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        text: folder with ekman_dev.tsv and ekman_labels.txt of GoEmotions.
        add_speech: a CSV file of recordings of your own, with the columns `path` (relative to
            the file) and `label`; maybe `speaker` and `split`. May be given several times.
        add_text: the same with a column `text`: lines that the text heads were not trained on.
        labels: what other names of labels mean in the added files: `happy=joy,calm=neutral`;
            `contempt=` leaves such rows out.
        split: take the added rows with this value in the column `split`.
        out: folder for the result; default is that of the shipped one.
        speech_weights: folder of the speech heads; default is the shipped ones. Their recipe
            is fitted again without the speakers that it is judged on.
        text_weights: folder of the text heads; default is the shipped ones.
        cache: folder that keeps what was heard of each recording, so that it is heard once;
            default is beside the result. `train speech` may share it.
        seed: of cuts, codecs, noise and pairs.
        threads: of the encoder.
    """
    from inference.experts.speech import SpeechExpert
    from inference.experts.text import TextExpert
    from inference.fusion.artefact import WEIGHTS
    from inference.training.calibration import train_calibration
    from inference.training.calibration_lines import gather_lines
    from inference.training.heard_cache import HeardCache
    from inference.training.held_out_evidence import check_clips, speech_evidence, text_evidence
    from inference.training.manifest import parse_labels
    from inference.training.speech_corpus import embed_clips, usual_draws
    from inference.training.speech_material import gather
    from streams.cli._heard import beside

    console = Console(stderr=True)
    meanings = parse_labels(labels)
    voices = gather(speech, add_speech, labels=meanings, split=split)
    words = gather_lines(text, add_text, labels=meanings, split=split)
    out = out or WEIGHTS
    listener = SpeechExpert.load(threads, speech_weights)
    check_clips(voices.clips, listener)
    reader = TextExpert.load(text_weights)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        reading = bar.add_task("reading", total=1)
        lines = text_evidence(words.lines, reader, seed)
        bar.advance(reading)
        listening = bar.add_task("listening", total=2 * len(voices.clips))
        corpus = embed_clips(
            voices.clips,
            listener.encoder,
            listener.voice_activity,
            seed,
            on_clip=lambda: bar.advance(listening),
            draws=usual_draws(voices.clips),
            cache=HeardCache(cache or beside(out, WEIGHTS)),
        )
        windows = speech_evidence(corpus, listener, seed, on_clip=lambda: bar.advance(listening))
        fitting = bar.add_task("fitting", total=1)
        artefact = train_calibration(
            windows,
            lines,
            seed=seed,
            data=f"{voices.origin.data}; {words.data}",
            licence=voices.origin.licence,
        )
        artefact.save(out)
        bar.advance(fitting)
    console.print(f"fusion-{artefact.version}+{artefact.digest} is in {out}", markup=False)
