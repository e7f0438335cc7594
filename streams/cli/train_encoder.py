"""`affectstream train encoder`: a head of one's own on somebody's encoder."""

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress


def encoder(
    *,
    modality: Literal["speech", "text"],
    encoder: str,
    manifest: Path,
    out: Path,
    labels: str = "",
    split: str | None = None,
    licence: str = "own",
    threads: int = 1,
) -> None:
    """Fit a head on a frozen encoder of transformers, from material of your own.

    Afterwards `speech_model` or `text_model` may name the folder.

    Example: `affectstream train encoder --modality text --encoder minilm --manifest my.csv
    --out our-words`

    Args:
        modality: what it reads.
        encoder: a folder, or `owner/name@revision` that was pulled.
        manifest: a CSV file with the columns `path` (relative to the file) or `text`, and
            `label`; `speaker` too, which voices need.
        out: folder for the head.
        labels: what other names of labels mean: `happy=joy,calm=neutral`; `contempt=` leaves
            such rows out.
        split: learn from the rows with this value in the column `split`.
        licence: of the material; say it where it is not your own.
        threads: of the encoder.
    """
    from inference.experts.huggingface.encoder import AudioEncoder, TextEncoder
    from inference.experts.huggingface.encoder_head import EncoderHead
    from inference.experts.huggingface.source import locate
    from inference.experts.voice_activity import VoiceActivity
    from inference.labels import Modality
    from inference.training.encoder import embed_voices, embed_words, fit_encoder_head
    from inference.training.manifest import parse_labels, read_manifest
    from streams.settings import load

    console = Console(stderr=True)
    reads = Modality(modality)
    source = locate(encoder, load().models_dir)
    material = read_manifest(
        manifest,
        "path" if reads is Modality.SPEECH else "text",
        labels=parse_labels(labels),
        split=split,
    )
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        reading = bar.add_task("reading", total=len(material.items))

        def advance() -> None:
            bar.advance(reading)

        if reads is Modality.SPEECH:
            ears = AudioEncoder.open(source, threads)
            detector = VoiceActivity.load(threads)
            embedded = embed_voices(material.items, ears, detector, advance)
        else:
            embedded = embed_words(material.items, TextEncoder.open(source, threads), advance)
        fitting = bar.add_task("fitting", total=1)
        fit_encoder_head(embedded, reads, source, material, licence).save(out)
        bar.advance(fitting)
    unheard = f", {embedded.unheard} in which nobody is heard" if embedded.unheard else ""
    console.print(
        f"{EncoderHead.load(out).version} is in {out}: {embedded.items} items{unheard}",
        markup=False,
        highlight=False,
    )
