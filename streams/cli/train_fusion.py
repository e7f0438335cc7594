"""`affectstream train fusion`: networks that fuse."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.errors import AffectstreamError

if TYPE_CHECKING:
    from inference.training.fusion.recipe import Origin, Split

LearnedName = Literal["feature", "attention", "hybrid", "evidential"]
LearnedChoice = Literal["all", "feature", "attention", "hybrid", "evidential"]


DRAWS: Final = 3
"""Cuts of each recording; its pairs are shared out among them."""


class NoPairsError(AffectstreamError):
    """Options that name no pairs to train on."""


def fusion(
    *,
    out: Path,
    emodb: Path | None = None,
    goemotions: Path | None = None,
    ravdess: Path | None = None,
    action_units: Path | None = None,
    fusion: LearnedChoice = "all",
    epochs: int = 10,
    width: int = 128,
    seed: int = 0,
    cache: Path | None = None,
    threads: int = 1,
) -> None:
    """Train learned fusers; a training that was broken off goes on where it was.

    From EmoDB and GoEmotions: voices beside lines of the same label, which may ship. From
    RAVDESS: real takes with voice and face, for research only. Afterwards the setting
    `fusion_weights` may name the folder.

    Example: `affectstream train fusion --emodb emodb --goemotions goemotions --out fusers`

    Args:
        out: folder for a folder of each fuser: weights, history, and curves where matplotlib is
            installed.
        emodb: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them.
        goemotions: folder with ekman_dev.tsv and ekman_labels.txt of GoEmotions.
        ravdess: folder with the speech of RAVDESS, in place of both.
        action_units: the file mean_action_units.csv of the same takes.
        fusion: which network.
        epochs: at most.
        width: of a network's vectors.
        seed: of splits, pairs, weights and draws.
        cache: folder that keeps what was heard of each recording; default is beside the result.
        threads: of the encoder.
    """
    from inference.training.fusion.recipe import CHECKPOINT, make_fuser
    from inference.training.loop import Plan
    from streams.cli._heard import beside

    console = Console(stderr=True)
    every: tuple[LearnedName, ...] = ("feature", "attention", "hybrid", "evidential")
    names = every if fusion == "all" else (fusion,)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        heard = cache or beside(out, out)
        if ravdess is not None and action_units is not None:
            split, origin = _real(ravdess, action_units, heard, seed, threads, bar)
        elif emodb is not None and goemotions is not None:
            split, origin = _pseudo(emodb, goemotions, heard, seed, threads, bar)
        else:
            raise NoPairsError(
                "no pairs to train on: name --emodb and --goemotions, or --ravdess and "
                "--action-units"
            )
        for name in names:
            fitting = bar.add_task(name, total=epochs)
            plan = Plan(epochs=epochs, seed=seed, checkpoint=out / name / CHECKPOINT)
            trained = make_fuser(
                name,
                split,
                origin,
                plan,
                out / name,
                width=width,
                on_epoch=partial(bar.advance, fitting),
            )
            bar.update(fitting, completed=epochs)
            console.print(
                f"{name}: best of {len(trained.history.epochs)} epochs is "
                f"{trained.history.best + 1}; it is in {out / name}",
                markup=False,
                highlight=False,
            )


def _pseudo(
    emodb: Path, goemotions: Path, heard: Path, seed: int, threads: int, bar: Progress
) -> "tuple[Split, Origin]":
    from inference.experts.speech import SpeechExpert
    from inference.experts.text import TextExpert
    from inference.experts.word_vectors import WordVectors
    from inference.training.fusion.draws import PER_ITEM
    from inference.training.fusion.recipe import Origin, split_pseudo
    from inference.training.goemotions import read_comments
    from inference.training.heard_cache import HeardCache
    from inference.training.paired import text_part, voice_part
    from inference.training.speech_material import gather

    clips = gather(emodb).clips
    comments = read_comments(goemotions, "dev")
    listener, reader, words = SpeechExpert.load(threads), TextExpert.load(), WordVectors.load()
    reading = bar.add_task("reading", total=1)
    text = text_part(comments, reader, words, seed=seed)
    bar.advance(reading)
    listening = bar.add_task("listening", total=len(clips))
    voice = voice_part(
        clips,
        listener.encoder,
        listener.voice_activity,
        seed=seed,
        draws=DRAWS,
        cache=HeardCache(heard),
        on_clip=lambda: bar.advance(listening),
    )
    origin = Origin(
        data="EmoDB 2.0 (CC0-1.0) beside GoEmotions dev (CC BY 4.0), joined by label",
        licence="Apache-2.0",
        experts={"speech": listener.version, "text": reader.version},
    )
    return split_pseudo(voice, text, seed, -(-PER_ITEM // DRAWS)), origin


def _real(
    ravdess: Path, action_units: Path, heard: Path, seed: int, threads: int, bar: Progress
) -> "tuple[Split, Origin]":
    from inference.experts.speech import SpeechExpert
    from inference.training.fusion.recipe import Origin, split_real
    from inference.training.heard_cache import HeardCache
    from inference.training.paired import real_pairs
    from inference.training.ravdess_speech import find_acted_clips

    clips = find_acted_clips(ravdess)
    listener = SpeechExpert.load(threads)
    listening = bar.add_task("listening", total=len(clips))
    pairs = real_pairs(
        clips,
        action_units,
        listener.encoder,
        listener.voice_activity,
        seed=seed,
        cache=HeardCache(heard),
        on_clip=lambda: bar.advance(listening),
    )
    origin = Origin(
        data="RAVDESS: speech, and mean action units by Luna-Jimenez et al. 2022",
        licence="CC BY-NC-SA 4.0: research only",
        experts={"speech": listener.version, "face": "action units"},
    )
    return split_real(pairs, seed), origin
