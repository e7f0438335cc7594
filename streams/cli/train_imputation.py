"""`affectstream train imputation`: what absent modalities would probably show."""

from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

ImputerChoice = Literal["all", "ridge", "translator", "cgan", "diffusion"]


def imputation(
    *,
    speech: Path,
    text: Path,
    imputer: ImputerChoice = "all",
    out: Path | None = None,
    alignment_weights: Path | None = None,
    curves: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train imputers on voices and lines of the same label; some minutes on one core.

    Such pairs share nothing but their label, so nothing else is learnt of one from the other;
    faces are not learnt at all. Broken off, it goes on.

    Example: `affectstream train imputation --speech emodb --text goemotions --out imputation`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        text: folder with ekman_dev.tsv and ekman_labels.txt of GoEmotions.
        imputer: one of them, or all.
        out: folder that gets a folder for each; default is that of the shipped ones.
        alignment_weights: folder of the shared space; default is the shipped one.
        curves: folder for how each training went, with a picture where matplotlib is there.
        cache: folder that keeps what was heard of each recording, so that it is heard once;
            default is beside the result.
        seed: of everything that is drawn.
        threads: of the encoder.
    """
    from inference.alignment.space import AlignedSpace
    from inference.experts.speech import SpeechExpert
    from inference.experts.text import TextExpert
    from inference.experts.word_vectors import WordVectors
    from inference.imputation.contract import IMPUTERS
    from inference.imputation.weights import WEIGHTS
    from inference.training.goemotions import read_comments
    from inference.training.heard_cache import HeardCache
    from inference.training.imputation.default_rows import DRAWS, LICENCE, default_rows, materials
    from inference.training.imputation.probe_fit import fit_probe
    from inference.training.imputation.train import (
        EPOCHS,
        Origin,
        Settings,
        train_weights,
        with_augmentation,
    )
    from inference.training.paired import text_part, voice_part
    from inference.training.speech_material import gather
    from streams.cli._heard import beside

    out = out or WEIGHTS
    words = WordVectors.load()
    space = AlignedSpace.load(words, alignment_weights)
    listener = SpeechExpert.load(threads)
    heard = gather(speech)
    names = IMPUTERS if imputer == "all" else (imputer,)
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        listening = bar.add_task("listening", total=len(heard.clips))
        voice = voice_part(
            heard.clips,
            listener.encoder,
            listener.voice_activity,
            seed=seed,
            draws=DRAWS,
            cache=HeardCache(cache or beside(out, WEIGHTS)),
            on_clip=lambda: bar.advance(listening),
        )
        lines = text_part(read_comments(text, "dev"), TextExpert.load(), words, seed=seed)
        placing = bar.add_task("placing", total=len(voice.vectors) + len(lines.vectors))
        rows = default_rows(voice, lines, space, seed, lambda: bar.advance(placing))
        origin = Origin(space=space.version, data=materials(heard.origin.data), licence=LICENCE)
        settings = Settings(seed=seed, checkpoints=out)
        probe = fit_probe(rows)
        for name in names:
            fitting = bar.add_task(name, total=EPOCHS.get(name, 1))
            weights, history = train_weights(
                name, rows, origin, settings, partial(bar.advance, fitting), probe
            )
            if name == "cgan":
                weights = with_augmentation(weights, rows, settings)
            bar.update(fitting, completed=EPOCHS.get(name, 1))
            saved = weights.save(out / name)
            console.print(f"{saved.version} is in {out / name}", markup=False, highlight=False)
            if curves is not None and history is not None:
                history.save(curves / name)
