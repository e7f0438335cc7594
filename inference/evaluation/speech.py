"""Judge the speech expert: its recipe on unseen speakers, its shipped weights on others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.figures import (
    arousal_auc,
    calibration_figures,
    columns_of,
    naming_figures,
    uar_standard_error,
)
from inference.evaluation.ravdess_speech import CATEGORIES, EMOBOX_FOLDS, ActedClip
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.experts.speech_head import CALM_DISTRESS, SpeechHead
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EmbedsVoice
from inference.labels import DISTRESS, Emotion
from inference.training.audio_file import read_audio
from inference.training.degrade import random_cut, telephone
from inference.training.emodb import HELD_OUT_SPEAKERS, Category, Clip
from inference.training.speech import (
    DRAWS,
    Copy,
    EmbeddedClips,
    chance,
    embed_clips,
    fit_linear,
    hear,
)
from inference.training.speech_folds import Fold, fit_folds, predict

LINES: Final = (Copy.WIDEBAND, Copy.TELEPHONE)
FOUR_CLASSES: Final = ("anger", "joy", "neutral", "sadness")
OPUS_CATEGORIES: Final = ("boredom", "disgust", "fear")
"""EmoDB's categories that are only to be had as Opus of 2 s."""

Names = NDArray[np.str_]
Rows = NDArray[np.bool_]
Floats = NDArray[np.float64]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ears:
    """What every recording is heard with, and what is told of each that was."""

    encoder: EmbedsVoice
    voice_activity: VoiceActivity
    on_clip: Callable[[], None] = lambda: None

    def embed(self, samples: Embeddings) -> Embeddings:
        """(768,) of (samples,), as the expert does."""
        return hear(samples, self.encoder, self.voice_activity).embedding


def recordings(clips: Sequence[Clip], acted: Sequence[ActedClip]) -> int:
    """How often `evaluate_speech` calls `on_clip`."""
    return len(clips) + sum(map(_is_flac, clips)) + len(acted)


def evaluate_speech(
    clips: Sequence[Clip],
    acted: Sequence[ActedClip],
    shipped: SpeechHead,
    ears: Ears,
    seed: int,
    draws: int = DRAWS,
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
    """
    corpus = embed_clips(clips, ears.encoder, ears.voice_activity, seed, ears.on_clip, draws)
    groups = {
        **_recipe(corpus, shipped.config.labels),
        **_categories(corpus, ears, seed),
        **_held_out(corpus, shipped),
        **_ravdess(acted, shipped, ears),
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


def _recipe(corpus: EmbeddedClips, labels: Sequence[Emotion]) -> dict[str, Metrics]:
    """Six labels, distress and arousal by line, and by the format that was published."""
    emotion = fit_folds(corpus, corpus.emotions, labels)
    distress = fit_folds(corpus, corpus.distress, CALM_DISTRESS)
    flac = np.array([_is_flac(clip) for clip in corpus.clips])
    rows = {copy.value: (copy, np.ones_like(flac)) for copy in corpus.embeddings}
    rows |= {"was flac": (Copy.WIDEBAND, flac), "was opus": (Copy.WIDEBAND, ~flac)}
    return {
        group: _six_labels(
            corpus.emotions[kept],
            predict(emotion, corpus.embeddings[copy][0])[kept],
            _odds(predict(distress, corpus.embeddings[copy][0]))[kept],
            labels,
            corpus.speakers[kept],
        )
        for group, (copy, kept) in rows.items()
    }


def _six_labels(
    truth: Names, log_probs: Floats, odds: Floats, labels: Sequence[str], speakers: Names
) -> Metrics:
    return {
        **label_figures(truth, log_probs, labels, speakers),
        "distress_auc": metrics.roc_auc(np.isin(truth, list(DISTRESS)), odds),
        "arousal_auc": arousal_auc(truth, log_probs, labels),
    }


def _categories(corpus: EmbeddedClips, ears: Ears, seed: int) -> dict[str, Metrics]:
    """EmoDB in its own words, as others report it, and whether a format gives them away."""
    names = sorted(category.name.lower() for category in Category)
    seven, four = (fit_folds(corpus, corpus.categories, chosen) for chosen in (names, FOUR_CLASSES))
    in_four = np.isin(corpus.categories, FOUR_CLASSES)
    groups: dict[str, Metrics] = {}
    for copy in LINES:
        embeddings = corpus.embeddings[copy][0]
        groups[f"seven classes, {copy.value}"] = label_figures(
            corpus.categories, predict(seven, embeddings), names, corpus.speakers
        )
        groups[f"four classes, {copy.value}"] = label_figures(
            corpus.categories[in_four],
            predict(four, embeddings)[in_four],
            FOUR_CLASSES,
            corpus.speakers[in_four],
        )
    groups["format leak"] = _format_leak(corpus, seven, ears, seed)
    return groups


def _format_leak(corpus: EmbeddedClips, seven: Sequence[Fold], ears: Ears, seed: int) -> Metrics:
    """Share of former FLACs called boredom, disgust or fear: as FLAC, and as Opus of 2 s.

    None of them is. If the second share is higher, the heads listen to the codec.
    """
    flac = np.array([_is_flac(clip) for clip in corpus.clips])
    degraded = corpus.embeddings[Copy.WIDEBAND][0]
    untouched = degraded.copy()
    for row in np.flatnonzero(flac):
        clip = corpus.clips[row]
        untouched[row] = ears.embed(random_cut(read_audio(clip.path), chance(clip, seed, 0)))
        ears.on_clip()
    opus_columns = np.isin(seven[0].head.labels, OPUS_CATEGORIES)
    before, after = (
        float(opus_columns[predict(seven, embeddings)[flac].argmax(axis=1)].mean())
        for embeddings in (untouched, degraded)
    )
    return {"share_as_flac": before, "share_as_opus": after, "rise": after - before}


def _held_out(corpus: EmbeddedClips, shipped: SpeechHead) -> dict[str, Metrics]:
    """The shipped weights on the EmoDB speakers that they have never heard."""
    kept = np.isin(corpus.speakers, list(HELD_OUT_SPEAKERS))
    if not kept.any():
        return {}
    return {
        f"shipped, held-out speakers, {copy.value}": _shipped_figures(
            corpus.emotions[kept], embeddings[0, kept], corpus.speakers[kept], shipped
        )
        for copy, embeddings in corpus.embeddings.items()
    }


def _shipped_figures(
    truth: Names, embeddings: Embeddings, speakers: Names, shipped: SpeechHead
) -> Metrics:
    labels = shipped.config.labels
    odds = _odds(shipped.distress.log_probs(embeddings))
    return _six_labels(truth, shipped.emotion.log_probs(embeddings), odds, labels, speakers)


def _ravdess(acted: Sequence[ActedClip], shipped: SpeechHead, ears: Ears) -> dict[str, Metrics]:
    """Another corpus, language and cast; nothing where it is not there."""
    if not acted:
        return {}
    heard: dict[Copy, list[Embeddings]] = {copy: [] for copy in LINES}
    for clip in acted:
        samples = read_audio(clip.path)
        heard[Copy.WIDEBAND].append(ears.embed(samples))
        heard[Copy.TELEPHONE].append(ears.embed(telephone(samples)))
        ears.on_clip()
    lines = {copy: np.stack(rows) for copy, rows in heard.items()}
    emotions = np.array([clip.emotion.value for clip in acted])
    actors = np.array([clip.actor for clip in acted])
    known = np.isin(emotions, list(shipped.config.labels))  # surprise is not
    groups = {
        f"shipped, RAVDESS, {copy.value}": _shipped_figures(
            emotions[known], embeddings[known], actors[known], shipped
        )
        for copy, embeddings in lines.items()
    }
    return groups | _ravdess_alone(acted, actors, lines)


def _ravdess_alone(
    acted: Sequence[ActedClip], actors: Names, lines: dict[Copy, Embeddings]
) -> dict[str, Metrics]:
    """Eight classes by a head trained on both lines of the other actors, uncalibrated."""
    truth = np.array([clip.category for clip in acted])
    columns = np.array([CATEGORIES.index(category) for category in truth])
    found = {copy: np.empty(len(acted), dtype=np.int64) for copy in lines}
    for held_out in _emobox_folds(actors):
        head = fit_linear(
            np.concatenate([embeddings[~held_out] for embeddings in lines.values()]),
            np.tile(truth[~held_out], len(lines)),
            CATEGORIES,
        )
        for copy, embeddings in lines.items():
            found[copy][held_out] = head.log_probs(embeddings[held_out]).argmax(axis=1)
    return {
        f"RAVDESS alone, eight classes, {copy.value}": {
            "accuracy": metrics.accuracy(columns, calls),
            "uar": metrics.uar(columns, calls),
            "uar_se": uar_standard_error(columns, calls, actors),
        }
        for copy, calls in found.items()
    }


def _emobox_folds(actors: Names) -> Iterator[Rows]:
    for tested in EMOBOX_FOLDS:
        yield np.isin(actors, tested)


def _odds(log_probs: Floats) -> Floats:
    """(n,) natural log odds from rows of `CALM_DISTRESS`."""
    return log_probs[:, 1] - log_probs[:, 0]


def _is_flac(clip: Clip) -> bool:
    return clip.path.suffix == ".flac"
