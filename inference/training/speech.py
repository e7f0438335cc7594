"""Makes the heads of the speech expert from EmoDB."""

import platform
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from inference.calibration.temperature import fit_temperature
from inference.errors import AffectstreamError
from inference.experts.linear_head import LinearHead
from inference.experts.speech_effort import EffortReference, vocal_effort_db
from inference.experts.speech_head import CALM_DISTRESS, SpeechConfig, SpeechHead
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import INT8, EmbedsVoice
from inference.labels import DISTRESS, EMOTIONS
from inference.training.audio_file import read_audio
from inference.training.degrade import (
    SHORT_CUT_S,
    Samples,
    as_two_second_opus,
    random_cut,
    random_noise,
    random_opus,
    telephone,
)
from inference.training.emodb import EMOTION_OF, HELD_OUT_SPEAKERS, Category, Clip
from inference.training.speaker_folds import speaker_folds

INVERSE_PENALTY: Final = 0.003
"""C of the logistic regression: 768 features, some hundred clips. Up to .01 recall on unseen
speakers moves by less than a point; the stronger penalty claims less about other voices."""
MAX_ITERATIONS: Final = 2_000
MINIMUM_VOICES: Final = 2
DRAWS: Final = 3
"""How often each clip is cut and degraded anew: a point of recall over once."""


class TooFewVoicesError(AffectstreamError):
    """A label that fewer than two speakers show: nothing can be tested on a stranger."""


class Copy(StrEnum):
    """A form in which each clip is heard."""

    WIDEBAND = "wideband"
    TELEPHONE = "telephone"
    NOISY = "noisy"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class EmbeddedClips:
    """What the encoder makes of each clip in each form, drawn several times.

    Attributes:
        clips: in order of the rows.
        embeddings: (draws, clips, 768) float32 for each form.
        efforts_db: (draws, clips) vocal effort for each form, NaN where the detector hears
            nobody.
    """

    clips: tuple[Clip, ...]
    embeddings: dict[Copy, NDArray[np.float32]]
    efforts_db: dict[Copy, NDArray[np.float64]]

    @property
    def speakers(self) -> NDArray[np.str_]:
        """(clips,) names."""
        return np.array([clip.speaker for clip in self.clips])

    @property
    def emotions(self) -> NDArray[np.str_]:
        """(clips,) labels of the product's vocabulary."""
        return np.array([clip.emotion.value for clip in self.clips])

    @property
    def categories(self) -> NDArray[np.str_]:
        """(clips,) labels of the corpus, boredom apart."""
        return np.array([clip.category.name.lower() for clip in self.clips])

    @property
    def distress(self) -> NDArray[np.str_]:
        """(clips,) one of `CALM_DISTRESS`."""
        return np.array([CALM_DISTRESS[clip.emotion in DISTRESS] for clip in self.clips])


def prepare_clip(clip: Clip) -> Samples:
    """Samples of `clip` in the one format in which all classes exist.

    Three classes of EmoDB are only to be had as Opus cut or padded to 2.00 s. Left alone, the
    format gives the class away; so the others get the same cut and the same codec first.
    """
    samples = read_audio(clip.path)
    return samples if clip.path.suffix == ".opus" else as_two_second_opus(samples)


def degraded_copies(
    samples: Samples, random: np.random.Generator, voice_activity: VoiceActivity
) -> dict[Copy, Samples]:
    """One random cut through one random codec setting, in each form.

    The short form is a piece of what is spoken in it: windows often hold a word or two, and a
    head that never met any is far too sure of them.
    """
    wideband = random_opus(random_cut(samples, random), random)
    voicing = voice_activity.detect(wideband)
    spoken = wideband[voicing.extent] if voicing.spans else wideband
    return {
        Copy.WIDEBAND: wideband,
        Copy.TELEPHONE: telephone(wideband),
        Copy.NOISY: random_noise(wideband, random),
        Copy.SHORT: random_cut(spoken, random, SHORT_CUT_S),
    }


def embed_clips(
    clips: Sequence[Clip],
    encoder: EmbedsVoice,
    voice_activity: VoiceActivity,
    seed: int,
    on_clip: Callable[[], None] = lambda: None,
    draws: int = DRAWS,
) -> EmbeddedClips:
    """Degrade and embed every clip in every form, `draws` times.

    A clip's draws depend on `seed` and its name alone, so a part of the corpus gives the
    same rows as the whole. `on_clip` is called after each.
    """
    heard: dict[Copy, list[Heard]] = {copy: [] for copy in Copy}
    for clip in clips:
        prepared = prepare_clip(clip)
        for draw in range(draws):
            copies = degraded_copies(prepared, chance(clip, seed, draw), voice_activity)
            for copy, samples in copies.items():
                heard[copy].append(hear(samples, encoder, voice_activity))
        on_clip()
    embeddings = {copy: np.stack([one.embedding for one in rows]) for copy, rows in heard.items()}
    efforts_db = {copy: np.array([one.effort_db for one in rows]) for copy, rows in heard.items()}
    shape = (len(clips), draws)
    return EmbeddedClips(
        tuple(clips),
        {copy: rows.reshape(*shape, -1).swapaxes(0, 1) for copy, rows in embeddings.items()},
        {copy: rows.reshape(shape).swapaxes(0, 1) for copy, rows in efforts_db.items()},
    )


def chance(clip: Clip, seed: int, draw: int) -> np.random.Generator:
    """The clip's own randomness, whoever else is in the corpus."""
    return np.random.default_rng([seed, zlib.crc32(clip.path.stem.encode()), draw])


@dataclass(frozen=True, slots=True)
class Heard:
    """What the expert's ears make of one recording.

    Attributes:
        embedding: (768,) from the first to the last spoken sample.
        effort_db: vocal effort; NaN where the detector hears nobody.
    """

    embedding: NDArray[np.float32]
    effort_db: float


def hear(samples: Samples, encoder: EmbedsVoice, voice_activity: VoiceActivity) -> Heard:
    """Embed and measure `samples` as the expert does.

    A recording in which the detector finds nothing is embedded whole: it is known to hold
    speech.
    """
    voicing = voice_activity.detect(samples)
    if not voicing.spans:
        return Heard(encoder.embed(samples), float("nan"))
    return Heard(encoder.embed(samples[voicing.extent]), vocal_effort_db(samples, voicing))


def fit_linear(
    embeddings: NDArray[np.float32], labels: NDArray[np.str_], names: Sequence[str]
) -> LinearHead:
    """Fit an uncalibrated head: standard scaling, logistic regression, classes balanced.

    Args:
        embeddings: (rows, 768).
        labels: (rows,), each one of `names`, all of which occur.
        names: order of the columns of what the head gives.
    """
    scaler = StandardScaler().fit(embeddings.astype(np.float64))
    model = LogisticRegression(
        C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS
    ).fit(scaler.transform(embeddings.astype(np.float64)), labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(names) == 2:  # noqa: PLR2004 - scikit-learn keeps one row where two labels mirror it
        coefficients = np.concatenate((-coefficients, coefficients)) / 2
        intercepts = np.concatenate((-intercepts, intercepts)) / 2
    order = [list(model.classes_).index(name) for name in names]
    return LinearHead(
        labels=tuple(names),
        mean=scaler.mean_,
        scale=scaler.scale_,
        coefficients=coefficients[order],
        intercepts=intercepts[order],
    )


def fit_calibrated(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.str_],
    speakers: NDArray[np.str_],
    names: Sequence[str],
) -> LinearHead:
    """Fit a head on all rows, and its temperature on predictions for unseen speakers.

    Each speaker is left out once. The temperature is fitted with the classes weighted
    equally, so the head's prior is uniform over `names`.

    Args:
        embeddings: (rows, 768).
        labels: (rows,), each one of `names`.
        speakers: (rows,) name of each row's speaker.
        names: order of the columns of what the head gives.

    Raises:
        TooFewVoicesError: a label of `names` has fewer than two speakers.
    """
    for name in names:
        voices = len(set(speakers[labels == name].tolist()))
        if voices < MINIMUM_VOICES:
            raise TooFewVoicesError(
                f"{name}: {voices} speakers; every label needs {MINIMUM_VOICES}, one to learn "
                "from and one to be tested on: give the whole corpus"
            )
    log_probs = np.empty((len(labels), len(names)))
    for held_out in speaker_folds(speakers, per_fold=1):
        head = fit_linear(embeddings[~held_out], labels[~held_out], names)
        log_probs[held_out] = head.log_probs(embeddings[held_out])
    columns = np.array([list(names).index(label) for label in labels])
    temperature = fit_temperature(log_probs, columns, class_balanced=True)
    return fit_linear(embeddings, labels, names).tempered(temperature)


def fit_copies(
    corpus: EmbeddedClips,
    labels: NDArray[np.str_],
    names: Sequence[str],
    rows: NDArray[np.bool_],
) -> LinearHead:
    """`fit_calibrated` on every form and draw of the clips that `rows` marks, (clips,)."""
    heard = [draw[rows] for form in corpus.embeddings.values() for draw in form]
    return fit_calibrated(
        np.concatenate(heard),
        np.tile(labels[rows], len(heard)),
        np.tile(corpus.speakers[rows], len(heard)),
        names,
    )


def neutral_effort(corpus: EmbeddedClips, rows: NDArray[np.bool_]) -> EffortReference:
    """Effort of the neutral clips that `rows` marks, (clips,), wideband and telephone."""
    neutral = rows & (corpus.categories == Category.NEUTRAL.name.lower())
    efforts = np.concatenate(
        [corpus.efforts_db[copy][:, neutral] for copy in (Copy.WIDEBAND, Copy.TELEPHONE)], axis=None
    )
    return EffortReference.of(efforts[np.isfinite(efforts)])


def train_speech(
    corpus: EmbeddedClips, encoder_sha256: str, seed: int, backend: str = INT8
) -> SpeechHead:
    """Fit both heads on every speaker that may be in shipped weights.

    Args:
        corpus: what the encoder made of the clips.
        encoder_sha256: which encoder that was.
        seed: what the corpus was degraded with.
        backend: in which form it ran; the expert refuses another.
    """
    rows = ~np.isin(corpus.speakers, list(HELD_OUT_SPEAKERS))
    known = set(EMOTION_OF.values())
    labels = tuple(emotion for emotion in EMOTIONS if emotion in known)
    emotion = fit_copies(corpus, corpus.emotions, labels, rows)
    distress = fit_copies(corpus, corpus.distress, CALM_DISTRESS, rows)
    config = SpeechConfig(
        name="speech-emodb",
        version=1,
        backend=backend,
        encoder_sha256=encoder_sha256,
        labels=labels,
        temperature=emotion.temperature,
        distress_temperature=distress.temperature,
        effort=neutral_effort(corpus, rows),
        data="EmoDB (Burkhardt et al. 2005), CC0-1.0; boredom counted as neutral",
        licence="Apache-2.0",
        training={
            "seed": seed,
            "clips": int(rows.sum()),
            "forms": [copy.value for copy in corpus.embeddings],
            "draws": len(corpus.embeddings[Copy.WIDEBAND]),
            "speakers": sorted(set(corpus.speakers[rows].tolist())),
            "held_out_speakers": sorted(HELD_OUT_SPEAKERS),
            "inverse_penalty": INVERSE_PENALTY,
            "onnxruntime": version("onnxruntime"),
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    )
    return SpeechHead(emotion, distress, config)
