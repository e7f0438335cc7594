"""`affectstream train alignment`: the space in which moments are searched."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

RESEARCH_LICENCE: Final = "CC-BY-NC-SA-4.0: research only"


def alignment(
    *,
    speech: Path,
    text: Path,
    ravdess: Path | None = None,
    out: Path | None = None,
    cache: Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train the shared space on EmoDB and GoEmotions; some minutes. Broken off, it goes on.

    Example: `affectstream train alignment --speech speech --text text/goemotions --out space`

    Args:
        speech: folder with the EmoDB recordings, searched to the bottom. Those of speakers 03
            and 16 are left out: the demo plays them. With `--ravdess` its recordings are read.
        text: folder with the ekman files of GoEmotions.
        ravdess: folder with mean_action_units.csv: learns voices and faces of RAVDESS in place
            of EmoDB, whose licence forbids commercial use.
        out: folder for the weights; default is where the shipped ones lie, with `--ravdess` the
            folder `research/alignment` in the setting `models_dir`.
        cache: folder that keeps what was heard of each recording; default is beside the weights.
        epochs: how long to train; default is what the shipped weights had.
        seed: of everything that is drawn.
        threads: of the encoder.
    """
    from inference.alignment.space import WEIGHTS
    from inference.experts.voice_activity import VoiceActivity
    from inference.experts.voice_encoder import INT8
    from inference.experts.voice_encoders import open_encoder
    from inference.experts.word_vectors import WordVectors
    from inference.training.action_units import read_action_units
    from inference.training.alignment.faces import seen_beside
    from inference.training.alignment.learn import Material
    from inference.training.alignment.takes import edges_of, line_takes, voice_takes
    from inference.training.alignment.train import (
        EMODB_AND_LINES,
        EPOCHS,
        LEARNING_RATE,
        RAVDESS,
        apart,
        learn,
        save,
    )
    from inference.training.alignment.voices import hear_voices
    from inference.training.emodb import NoCorpusError, find_clips
    from inference.training.goemotions import read_comments
    from inference.training.heard_cache import HeardCache
    from inference.training.loop import Plan
    from inference.training.ravdess_speech import find_acted_clips
    from inference.training.speech_corpus import is_for_the_demo, usual_draws
    from inference.training.utterance import Utterance
    from streams.cli._heard import beside
    from streams.settings import load

    clips: tuple[Utterance, ...]
    if ravdess is None:
        clips = tuple(clip for clip in find_clips(speech) if not is_for_the_demo(clip))
    else:
        clips = find_acted_clips(speech)
        if not clips:
            raise NoCorpusError(f"{speech}: no RAVDESS recording below it")
    out = out or (WEIGHTS if ravdess is None else load().models_dir / "research" / "alignment")
    kept = cache or beside(out, WEIGHTS)
    console = Console(stderr=True)
    words = WordVectors.load()
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        listening = bar.add_task("listening", total=2 * len(clips))
        voices = hear_voices(
            clips,
            open_encoder(INT8, threads, "cpu"),
            VoiceActivity.load(threads),
            seed,
            usual_draws(clips),
            HeardCache(kept),
            on_clip=lambda: bar.advance(listening),
        )
        seen = (
            None
            if ravdess is None
            else seen_beside(clips, read_action_units(ravdess / "mean_action_units.csv"), seed=seed)
        )
        edges = edges_of(voices)
        actions = () if seen is None else seen.actions
        learnt, judged = apart(voice_takes(voices, edges, seen))
        train, dev = (
            line_takes(read_comments(text, part).single_lines, words, len(actions), seed)
            for part in ("train", "dev")
        )
        plan = Plan(
            epochs=EPOCHS if epochs is None else epochs,
            learning_rate=LEARNING_RATE,
            seed=seed,
            checkpoint=kept / "alignment.checkpoint",
        )
        learning = bar.add_task("learning", total=plan.epochs)
        space = learn(
            Material(learnt, train, actions),
            Material(judged, dev, actions),
            words,
            plan,
            on_epoch=lambda: bar.advance(learning),
        )
    digest = save(
        space,
        out,
        words,
        edges,
        data=EMODB_AND_LINES if ravdess is None else f"{RAVDESS}; GoEmotions, CC BY 4.0",
        licence="Apache-2.0" if ravdess is None else RESEARCH_LICENCE,
        training={"seed": seed, "voices": len(learnt), "lines": len(train.texts)},
    )
    console.print(f"shared-1+{digest} is in {out}", markup=False, highlight=False)
