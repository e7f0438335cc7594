"""Judge the speech expert: its recipe on unseen speakers, its shipped weights on others."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.figures import (
    arousal_auc,
    calibration_figures,
    columns_of,
    distress_sides,
    naming_figures,
    uar_standard_error,
)
from inference.evaluation.line_forms import Ears, Form, HeardRows
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.experts.distress_head import DistressHead
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.speech_head import SpeechHead
from inference.labels import Emotion
from inference.training.audio_file import read_audio
from inference.training.degrade import Samples, random_cut
from inference.training.emodb import Category, Clip
from inference.training.linear_fit import fit_linear
from inference.training.ravdess_speech import CATEGORIES, ActedClip, emobox_folds
from inference.training.speaker_folds import speaker_folds
from inference.training.speech import INVERSE_PENALTY, Rows, labels_of
from inference.training.speech_corpus import (
    DRAWS,
    Copy,
    EmbeddedClips,
    embed_clips,
    is_for_the_demo,
)
from inference.training.speech_folds import (
    SPEAKERS_PER_FOLD,
    Fold,
    by_line,
    fit_distress_folds,
    fit_folds,
    predict,
)
from inference.training.utterance import Utterance

LINES: Final = (Copy.WIDEBAND, Copy.TELEPHONE)
FOUR_CLASSES: Final = ("anger", "joy", "neutral", "sadness")
RAVDESS_FORMS: Final = {Form.CLEAN: Copy.WIDEBAND, Form.MU_LAW: Copy.TELEPHONE}
RESEARCH_CALIBRATION_FOLDS: Final = 4
"""Fewer than for weights: every fit sees nine thousand rows."""
OPUS_CATEGORIES: Final = ("boredom", "disgust", "fear")
"""EmoDB's categories that are only to be had as Opus of 2 s."""

Names = NDArray[np.str_]
Sides = NDArray[np.bool_]
Floats = NDArray[np.float64]
Embeddings = NDArray[np.float32]


def recordings(clips: Sequence[Clip], acted: Sequence[ActedClip], *, research: bool = False) -> int:
    """How often `evaluate_speech` calls `on_clip`."""
    once = len(clips) + sum(map(_is_flac, clips)) + len(acted)
    again = len(clips) - sum(map(is_for_the_demo, clips)) + 2 * len(acted)
    return once + again * (research and bool(acted))


def evaluate_speech(
    clips: Sequence[Clip],
    acted: Sequence[ActedClip],
    shipped: SpeechHead,
    ears: Ears,
    seed: int,
    draws: int = DRAWS,
    *,
    research: bool = False,
) -> EvaluationReport:
    """Every figure of the card.

    1. The recipe of `train_speech` in five folds of two EmoDB speakers; heads and
       temperatures come from the other eight. Each clip is judged by its first draw. The
       headline is wideband.
    2. The format: what the same heads call recordings that were FLAC, before and after Opus.
    3. The shipped weights on the speakers that they leave out, and on RAVDESS if it is there.
    4. The encoder on RAVDESS alone, in the folds of EmoBox.

    Args:
        clips: of EmoDB, at least four speakers, all categories.
        acted: of RAVDESS, all or none.
        shipped: heads to judge.
        ears: encoder and detector.
        seed: of cuts, codecs and noise.
        draws: how often the recipe degrades each clip that it trains on.
        research: add the figures of `research_figures`, if RAVDESS is there.
    """
    corpus = embed_clips(
        clips, ears.encoder, ears.voice_activity, seed, ears.on_clip, draws, ears.cache
    )
    groups = {
        **_recipe(corpus),
        **_categories(corpus, ears, seed),
        **_held_out(corpus, shipped),
        **_ravdess(acted, shipped, ears, seed),
        **(research_figures(clips, acted, ears, seed) if research and acted else {}),
    }
    return EvaluationReport(
        task="speech",
        n=len(clips),
        metrics=groups[Copy.WIDEBAND.value],
        by=Breakdown(group=groups),
        versions={
            "speech": shipped.version,
            "encoder": ears.encoder.sha256[:12],
            "recordings": f"EmoDB {len(clips)}, RAVDESS {len(acted)}, seed {seed}",
        },
    )


def research_figures(
    clips: Sequence[Clip], acted: Sequence[ActedClip], ears: Ears, seed: int, draws: int = 1
) -> dict[str, Metrics]:
    """Figures of the research recipe: EmoDB and RAVDESS, less the actors of an EmoBox fold.

    Seven labels on unseen actors, wideband and telephone, whole recordings.

    Args:
        clips: of EmoDB; those that the demo plays are left out.
        acted: of RAVDESS, all.
        ears: encoder and detector.
        seed: of cuts, codecs and noise.
        draws: how often the recipe degrades each recording that it trains on.
    """
    trained = [clip for clip in clips if not is_for_the_demo(clip)]
    corpus = embed_clips(
        [*trained, *acted],
        ears.encoder,
        ears.voice_activity,
        seed,
        ears.on_clip,
        draws,
        ears.cache,
    )
    folds = list(emobox_folds(corpus.speakers))
    labels = [label.value for label in Emotion]
    emotion = fit_folds(corpus, corpus.emotions, labels, folds, RESEARCH_CALIBRATION_FOLDS)
    distress = fit_distress_folds(corpus, folds, RESEARCH_CALIBRATION_FOLDS)
    heard = ears.hear_forms(acted, whole, list(RAVDESS_FORMS), seed, "whole")
    tested = np.arange(len(corpus.clips)) >= len(trained)
    return {
        f"research, RAVDESS, seven labels, {copy.value}": recipe_figures(
            corpus.emotions,
            heard[form].after(first_draw(corpus, copy).of(~tested)),
            corpus.speakers,
            emotion,
            distress,
        )
        for form, copy in RAVDESS_FORMS.items()
    }


def label_figures(
    truth: Names, log_probs: Floats, names: Sequence[str], speakers: Names
) -> Metrics:
    """Figures of calibrated rows, (n, names), against the true names, (n,).

    `uar_se` is the standard error of `uar` when whole speakers are drawn anew.
    """
    columns = columns_of(truth, names)
    found = log_probs.argmax(axis=1)
    return {
        **naming_figures(columns, found),
        "uar_se": uar_standard_error(columns, found, speakers),
        "macro_f1": metrics.macro_f1(columns, found),  # a class that is only called counts too
        **calibration_figures(columns, log_probs),
    }


def _recipe(corpus: EmbeddedClips) -> dict[str, Metrics]:
    """Six labels, distress and arousal by line, and by the format that was published."""
    emotion = fit_folds(corpus, corpus.emotions, labels_in(corpus))
    distress = fit_distress_folds(corpus)
    flac = np.array([_is_flac(clip) for clip in corpus.clips])
    rows = {copy.value: (copy, np.ones_like(flac)) for copy in corpus.embeddings}
    rows |= {"was flac": (Copy.WIDEBAND, flac), "was opus": (Copy.WIDEBAND, ~flac)}
    return {
        group: recipe_figures(
            corpus.emotions, first_draw(corpus, copy), corpus.speakers, emotion, distress, kept
        )
        for group, (copy, kept) in rows.items()
    }


def recipe_figures(
    truth: Names,
    heard: HeardRows,
    speakers: Names,
    emotion: Sequence[Fold[LinearHead]],
    distress: Sequence[Fold[DistressHead]],
    kept: Sides | None = None,
) -> Metrics:
    """Figures of (clips,) recordings, each judged by heads that never heard its speaker.

    Args:
        truth: (clips,) labels.
        heard: the recordings.
        speakers: (clips,) who is heard.
        emotion: heads for emotions.
        distress: heads for distress.
        kept: (clips,) which of them count; None counts those that a fold leaves out.
    """
    labels = emotion[0].head.labels
    log_probs = predict(emotion, heard.embeddings, heard.lines)
    if kept is None:
        kept = np.isfinite(log_probs[:, 0])
    odds = _odds(predict(distress, heard.embeddings, heard.lines))
    return {
        **_six_labels(truth[kept], log_probs[kept], odds[kept], labels, speakers[kept]),
        **_with_one_temperature(truth[kept], predict(emotion, heard.embeddings)[kept], labels),
        "sounds_like_telephone": _telephone_share(heard.lines[kept]),
    }


def _six_labels(
    truth: Names, log_probs: Floats, odds: Floats, labels: Sequence[str], speakers: Names
) -> Metrics:
    positive, judged = distress_sides(truth)
    return {
        **label_figures(truth, log_probs, labels, speakers),
        "distress_auc": metrics.roc_auc(positive[judged], odds[judged]),
        "arousal_auc": arousal_auc(truth, log_probs, labels),
    }


def first_draw(corpus: EmbeddedClips, copy: Copy) -> HeardRows:
    """Every clip in one form."""
    return HeardRows(corpus.embeddings[copy][0], corpus.lines[copy][0])


def _with_one_temperature(truth: Names, log_probs: Floats, labels: Sequence[str]) -> Metrics:
    """What calibration would be if all lines shared one temperature."""
    found = calibration_figures(columns_of(truth, labels), log_probs)
    return {f"{name}_one_temperature": found[name] for name in ("nll", "ece")}


def _telephone_share(lines: Names) -> float:
    return float((lines == Line.TELEPHONE).mean())


def _categories(corpus: EmbeddedClips, ears: Ears, seed: int) -> dict[str, Metrics]:
    """EmoDB in its own words, as others report it, and whether a format gives them away."""
    names = sorted(category.name.lower() for category in Category)
    seven, four = (_naming_folds(corpus, chosen) for chosen in (names, FOUR_CLASSES))
    groups: dict[str, Metrics] = {}
    for copy in LINES:
        embeddings = corpus.embeddings[copy][0]
        for title, chosen, folds in (
            ("seven classes", names, seven),
            ("four classes", FOUR_CLASSES, four),
        ):
            kept = np.isin(corpus.categories, chosen)
            found = predict(folds, embeddings)[kept].argmax(axis=1)
            groups[f"{title}, {copy.value}"] = _named(
                corpus.categories[kept], found, chosen, corpus.speakers[kept]
            )
    groups["format leak"] = _format_leak(corpus, seven, ears, seed)
    return groups


def _naming_folds(corpus: EmbeddedClips, names: Sequence[str]) -> tuple[Fold[LinearHead], ...]:
    """The recipe in five folds for names alone: without temperatures."""
    known = np.isin(corpus.categories, names)
    folds = []
    for held_out in speaker_folds(corpus.speakers, SPEAKERS_PER_FOLD):
        rows = Rows.of(corpus, corpus.categories, known & ~held_out)
        folds.append(
            Fold(held_out, fit_linear(rows.embeddings, rows.labels, names, INVERSE_PENALTY))
        )
    return tuple(folds)


def _named(
    truth: Names, found: NDArray[np.integer], names: Sequence[str], speakers: Names
) -> Metrics:
    """How often (n,) columns of `names` are right."""
    columns = columns_of(truth, names)
    return {
        "accuracy": metrics.accuracy(columns, found),
        "uar": metrics.uar(columns, found),
        "uar_se": uar_standard_error(columns, found, speakers),
    }


def _format_leak(
    corpus: EmbeddedClips, seven: Sequence[Fold[LinearHead]], ears: Ears, seed: int
) -> Metrics:
    """Share of former FLACs called boredom, disgust or fear: as FLAC, and as Opus of 2 s.

    None of them is. If the second share is higher, the heads listen to the codec.
    """
    flac = np.array([_is_flac(clip) for clip in corpus.clips])
    degraded = corpus.embeddings[Copy.WIDEBAND][0]
    untouched = degraded.copy()
    whole = [clip for clip in corpus.clips if _is_flac(clip)]
    heard = ears.hear_forms(whole, _cut_as_published, [Form.CLEAN], seed, "as published, cut")
    untouched[flac] = heard[Form.CLEAN].embeddings
    opus_columns = np.isin(seven[0].head.labels, OPUS_CATEGORIES)
    before, after = (
        float(opus_columns[predict(seven, embeddings)[flac].argmax(axis=1)].mean())
        for embeddings in (untouched, degraded)
    )
    return {"share_as_flac": before, "share_as_opus": after, "rise": after - before}


def _cut_as_published(clip: Utterance, random: np.random.Generator) -> Samples:
    return random_cut(read_audio(clip.path), random)


def _held_out(corpus: EmbeddedClips, shipped: SpeechHead) -> dict[str, Metrics]:
    """The shipped weights on the EmoDB speakers that they have never heard."""
    kept = strangers_in(corpus, shipped)
    if not kept.any():
        return {}
    return {
        f"shipped, held-out speakers, {copy.value}": shipped_figures(
            corpus.emotions[kept],
            first_draw(corpus, copy).of(kept),
            corpus.speakers[kept],
            shipped,
        )
        for copy in corpus.embeddings
    }


def shipped_figures(
    truth: Names, heard: HeardRows, speakers: Names, shipped: SpeechHead
) -> Metrics:
    """Figures of weights on (n,) recordings that they never heard, by the line of each."""
    labels = shipped.config.labels
    log_probs = by_line(shipped.emotion, heard.embeddings, heard.lines)
    distress = by_line(shipped.distress, heard.embeddings, heard.lines)
    shared = by_line(shipped.emotion, heard.embeddings, None)
    return {
        **_six_labels(truth, log_probs, _odds(distress), labels, speakers),
        **_with_one_temperature(truth, shared, labels),
        "sounds_like_telephone": _telephone_share(heard.lines),
    }


def whole(clip: Utterance, _: np.random.Generator) -> Samples:
    """All of a recording, as it is."""
    return read_audio(clip.path)


def labels_in(corpus: EmbeddedClips) -> tuple[Emotion, ...]:
    """What the recipe can learn from the corpus, whatever the judged weights know."""
    return labels_of(corpus, np.ones(len(corpus.clips), dtype=np.bool_))


def strangers_in(corpus: EmbeddedClips, shipped: SpeechHead) -> Sides:
    """(clips,) which are of speakers kept for the demo, and of labels that the weights know."""
    known: Sides = corpus.for_the_demo & np.isin(corpus.emotions, shipped.config.labels)
    return known


def strangers_to(shipped: SpeechHead, acted: Sequence[ActedClip]) -> list[ActedClip]:
    """Recordings of actors whom the weights have never heard, of labels that they know."""
    heard = set(shipped.config.training.get("speakers", ()))
    known = set(shipped.config.labels)
    return [clip for clip in acted if clip.speaker not in heard and clip.emotion in known]


def _ravdess(
    acted: Sequence[ActedClip], shipped: SpeechHead, ears: Ears, seed: int
) -> dict[str, Metrics]:
    """Another corpus, language and cast; nothing where it is not there."""
    if not acted:
        return {}
    heard = ears.hear_forms(acted, whole, list(RAVDESS_FORMS), seed, "whole")
    lines = {copy: heard[form] for form, copy in RAVDESS_FORMS.items()}
    emotions = np.array([clip.emotion.value for clip in acted])
    actors = np.array([clip.speaker for clip in acted])
    strangers = set(strangers_to(shipped, acted))
    judged = np.array([clip in strangers for clip in acted])
    groups = {
        f"shipped, RAVDESS, {copy.value}": shipped_figures(
            emotions[judged], rows.of(judged), actors[judged], shipped
        )
        for copy, rows in lines.items()
        if judged.any()
    }
    embeddings = {copy: rows.embeddings for copy, rows in lines.items()}
    return groups | _ravdess_alone(acted, actors, embeddings)


def _ravdess_alone(
    acted: Sequence[ActedClip], actors: Names, lines: dict[Copy, Embeddings]
) -> dict[str, Metrics]:
    """Eight classes by a head trained on both lines of the other actors, uncalibrated."""
    truth = np.array([clip.category for clip in acted])
    found = {copy: np.empty(len(acted), dtype=np.int64) for copy in lines}
    for held_out in emobox_folds(actors):
        head = fit_linear(
            np.concatenate([embeddings[~held_out] for embeddings in lines.values()]),
            np.tile(truth[~held_out], len(lines)),
            CATEGORIES,
            INVERSE_PENALTY,
        )
        for copy, embeddings in lines.items():
            found[copy][held_out] = head.log_probs(embeddings[held_out]).argmax(axis=1)
    return {
        f"RAVDESS alone, eight classes, {copy.value}": _named(truth, calls, CATEGORIES, actors)
        for copy, calls in found.items()
    }


def _odds(log_probs: Floats) -> Floats:
    """(n,) natural log odds from rows of `CALM_DISTRESS`."""
    return log_probs[:, 1] - log_probs[:, 0]


def _is_flac(clip: Utterance) -> bool:
    return clip.path.suffix == ".flac"
