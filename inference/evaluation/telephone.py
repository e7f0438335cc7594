"""What a telephone line costs: the same recordings clean, and in each form of a line."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.line_forms import Ears, Form
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evaluation.speech import (
    first_draw,
    labels_in,
    recipe_figures,
    shipped_figures,
    strangers_in,
    strangers_to,
    whole,
)
from inference.experts.speech_head import SpeechHead
from inference.training.degrade import Samples, random_cut, random_opus
from inference.training.emodb import Clip
from inference.training.ravdess_speech import ActedClip
from inference.training.speech_corpus import DRAWS, Copy, embed_clips, prepare_clip
from inference.training.speech_folds import fit_distress_folds, fit_folds
from inference.training.utterance import Utterance

COMPARED: Final = ("uar", "distress_auc", "arousal_auc")
LESS_USUAL: Final = (Form.A_LAW, Form.NOISE, Form.LOSS)
"""Forms that the recipe does not hear each clip in."""
MOST_POINTS: Final = 3.0
"""A line may cost this much of any figure that is compared, in hundredths."""

Names = NDArray[np.str_]


def recordings(clips: Sequence[Clip], acted: Sequence[ActedClip]) -> int:
    """How often `evaluate_telephone` calls `on_clip`."""
    return 2 * len(clips) + len(acted)


def evaluate_telephone(
    clips: Sequence[Clip],
    acted: Sequence[ActedClip],
    shipped: SpeechHead,
    ears: Ears,
    seed: int,
    draws: int = DRAWS,
) -> EvaluationReport:
    """The recipe and the shipped weights on voices that they never heard, by `Form`.

    Beside each figure of a line stands what it lost against the clean recordings, in points
    (hundredths; below zero the line does better). The headline is the worst of all forms:
    the most points lost in each figure, and how many comparisons lose more than 3.

    Args:
        clips: of EmoDB; the recipe is judged in five folds of two speakers, the shipped
            weights on the speakers that they leave out.
        acted: of RAVDESS, for the shipped weights; all or none.
        shipped: heads to judge.
        ears: encoder and detector.
        seed: of cuts, codecs, noise and losses.
        draws: how often the recipe degrades each clip that it trains on.
    """
    corpus = embed_clips(
        clips, ears.encoder, ears.voice_activity, seed, ears.on_clip, draws, ears.cache
    )
    emotion = fit_folds(corpus, corpus.emotions, labels_in(corpus))
    distress = fit_distress_folds(corpus)

    def read(clip: Utterance, random: np.random.Generator) -> Samples:
        prepared = prepare_clip(clip, ears.voice_activity)
        return random_opus(random_cut(prepared, random), random)

    heard = {
        Form.CLEAN: first_draw(corpus, Copy.WIDEBAND),
        Form.MU_LAW: first_draw(corpus, Copy.TELEPHONE),
        **ears.hear_forms(clips, read, LESS_USUAL, seed, "as in training"),
    }
    demo = strangers_in(corpus, shipped)
    corpora: dict[str, dict[Form, Metrics]] = {
        "EmoDB, recipe": {
            form: recipe_figures(corpus.emotions, rows, corpus.speakers, emotion, distress)
            for form, rows in heard.items()
        }
    }
    if demo.any():
        corpora["EmoDB, shipped, held-out speakers"] = {
            form: shipped_figures(
                corpus.emotions[demo], rows.of(demo), corpus.speakers[demo], shipped
            )
            for form, rows in heard.items()
        }
    strangers = strangers_to(shipped, acted)
    if strangers:
        corpora["RAVDESS, shipped"] = _of_strangers(strangers, shipped, ears, seed)
    groups = {
        f"{corpus_name}, {form.value}": figures
        for corpus_name, by_form in corpora.items()
        for form, figures in with_losses(by_form).items()
    }
    return EvaluationReport(
        task="telephone",
        n=len(clips) + len(strangers),
        metrics=worst(groups),
        by=Breakdown(group=groups),
        versions={
            "speech": shipped.version,
            "encoder": ears.encoder.sha256[:12],
            "recordings": f"EmoDB {len(clips)}, RAVDESS {len(strangers)}, seed {seed}",
        },
    )


def with_losses(by_form: Mapping[Form, Metrics]) -> dict[Form, Metrics]:
    """The figures of each form, and of lines the points that they lost against `CLEAN`."""
    clean = by_form[Form.CLEAN]
    return {
        form: figures
        if form is Form.CLEAN
        else figures
        | {f"{name}_points_lost": 100 * (clean[name] - figures[name]) for name in COMPARED}
        for form, figures in by_form.items()
    }


def worst(groups: Mapping[str, Metrics]) -> Metrics:
    """The most points that any group lost in each figure, and how many lost too many."""
    lost = [
        (name, figures[name])
        for figures in groups.values()
        for name in (f"{compared}_points_lost" for compared in COMPARED)
        if name in figures
    ]
    most = {
        f"most_{name}": max(points for other, points in lost if other == name) for name, _ in lost
    }
    return {**most, "over_3_points": float(sum(points > MOST_POINTS for _, points in lost))}


def _of_strangers(
    strangers: Sequence[ActedClip], shipped: SpeechHead, ears: Ears, seed: int
) -> dict[Form, Metrics]:
    truth = np.array([clip.emotion.value for clip in strangers])
    actors = np.array([clip.speaker for clip in strangers])
    heard = ears.hear_forms(strangers, whole, list(Form), seed, "whole")
    return {form: shipped_figures(truth, rows, actors, shipped) for form, rows in heard.items()}
