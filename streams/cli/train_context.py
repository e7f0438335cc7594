"""`affectstream train context`: what earlier windows tell, from built calls or from weak notes."""

from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from inference.errors import AffectstreamError

CALLS = 48
"""Built from training speakers: about ten minutes on one core."""


class WhatToLearnError(AffectstreamError):
    """Neither recordings nor notes, or both."""


def context(
    *,
    data: Path | None = None,
    notes: Path | None = None,
    out: Path | None = None,
    calls: int = CALLS,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Train the recurrent context on calls built from EmoDB, or a reader of events on notes.

    Broken off, it goes on. The network corrects the raw estimate and starts as it; it is kept
    only if it wins by more than two standard errors on calls of two speakers whom no weight has
    heard, over the raw estimate and over itself without memory, else its gate is shut.

    Example: `affectstream train context --notes notes.jsonl --out events`

    Args:
        data: folder with the EmoDB recordings, searched to the bottom. Speakers 03 and 16 are
            judged on, two others choose the epoch, six are learnt from.
        notes: JSON lines: `{"scores": "call.jsonl", "participant": "p-1", "note": "calm, then
            angry, then calm"}`; the scores are an export of the conversation, relative to the
            file. `labels` may be a list instead of `note`.
        out: folder for the weights; needed with `notes`, else where the shipped ones lie.
        calls: how many are built to learn from.
        cache: folder that keeps what was heard of each recording; default is beside the weights.
        seed: of calls, first weights and batches.
        threads: of the encoder.
    """
    if (data is None) == (notes is None):
        raise WhatToLearnError(
            "name --data (recordings to build calls from) or --notes (a file of weak notes), "
            "one of them"
        )
    if notes is not None:
        if out is None:
            raise WhatToLearnError("--notes needs --out, a folder for the weights")
        _from_notes(notes, out, seed)
    elif data is not None:
        from inference.context.artefact import WEIGHTS

        _from_recordings(data, out or WEIGHTS, calls, cache, seed, threads)


def _from_notes(notes: Path, out: Path, seed: int) -> None:
    from inference.context.events import EventReader, save_events
    from inference.training.call_notes import read_notes
    from inference.training.context import checkpoint_in
    from inference.training.context_events import EPOCHS, LEARNING_RATE, PATIENCE, train_events
    from inference.training.loop import Plan
    from streams.cli._context import assumed
    from streams.settings import load

    noted = read_notes(notes)
    plan = Plan(
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        patience=PATIENCE,
        seed=seed,
        checkpoint=checkpoint_in(out),
    )
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        task = bar.add_task("aligning", total=EPOCHS)
        network, config, history = train_events(
            noted, assumed(load()), plan, lambda: bar.advance(task)
        )
    save_events(out, config, network)
    history.save(out)
    version = EventReader.load(out).version
    console.print(f"{version} is in {out}: {', '.join(config.labels)}", markup=False)


def _from_recordings(
    data: Path, out: Path, calls: int, cache: Path | None, seed: int, threads: int
) -> None:
    """Build, hear, fit, judge on strangers, and keep what was earned."""
    from inference.context.artefact import WEIGHTS, load_context, save_context
    from inference.context.recurrent import RecurrentContext
    from inference.evaluation.built_calls import VOICES, build_calls
    from inference.evaluation.context import with_worth, worth
    from inference.evaluation.heard_calls import Listeners, hear_call, known, wandering_calls
    from inference.experts.speech import SpeechExpert
    from inference.fusion.prior import DEFAULT_PRIOR
    from inference.training.context import (
        EPOCHS,
        LEARNING_RATE,
        KnownCall,
        checkpoint_in,
        config_of,
        shut,
        train_context,
    )
    from inference.training.emodb import find_clips
    from inference.training.heard_cache import HeardCache
    from inference.training.loop import Plan
    from inference.training.speech_corpus import embed_clips, is_for_the_demo
    from streams.cli._context import assumed_of
    from streams.cli._heard import beside

    every = find_clips(data)
    clips = [clip for clip in every if not is_for_the_demo(clip)]
    speakers = sorted({clip.speaker for clip in clips})
    listener = SpeechExpert.load(threads)
    taken, choosing = speakers[:-2], speakers[-2:]
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bar:
        listening = bar.add_task("listening", total=len(clips))
        corpus = embed_clips(
            clips,
            listener.encoder,
            listener.voice_activity,
            seed,
            on_clip=lambda: bar.advance(listening),
            draws=1,
            cache=HeardCache(cache or beside(out, WEIGHTS)),
        )
        listeners = Listeners.fit(corpus, listener)
        chosen, judged = max(2, calls // 3), 25
        calling = bar.add_task("calling", total=calls + chosen + judged)
        heard: list[list[KnownCall]] = []
        for group, count, draw in ((taken, calls, seed), (choosing, chosen, seed + 1)):
            heard.append([])
            for call, voices in wandering_calls(clips, group, count=count, seed=draw):
                heard[-1].append(known(hear_call(call, voices, listeners)))
                bar.advance(calling)
        strangers = []
        for call in build_calls(every, None, count=judged, seed=seed):
            strangers.append(hear_call(call, VOICES, listeners))
            bar.advance(calling)
        fitting = bar.add_task("fitting", total=EPOCHS)
        plan = Plan(
            epochs=EPOCHS,
            learning_rate=LEARNING_RATE,
            seed=seed,
            checkpoint=checkpoint_in(out),
        )
        learnt, choice = heard
        network, history = train_context(
            learnt,
            choice,
            assumed_of(DEFAULT_PRIOR),
            plan,
            on_epoch=lambda: bar.advance(fitting),
        )
    found = worth(strangers, RecurrentContext.untrained(assumed_of(DEFAULT_PRIOR), network))
    if not found.earned:
        shut(network)
    config = config_of(
        network,
        data="calls built from EmoDB (Burkhardt et al. 2005), CC0-1.0, without speakers 03 and 16",
        seed=seed,
        calls=calls,
        history=history,
    )
    save_context(out, with_worth(config, found), network)
    version = load_context(assumed_of(DEFAULT_PRIOR), out).version
    verdict = "earned its place" if found.earned else "did not win: the gate is shut"
    nll, memory = found.over_raw["nll"], found.by_memory
    console.print(
        f"{version} is in {out}: {verdict} (NLL better by {nll.gain:.3f}, se {nll.error:.3f}; by "
        f"memory alone {memory.gain:.3f}, se {memory.error:.3f})",
        markup=False,
        highlight=False,
    )
