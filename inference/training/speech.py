"""Makes the heads of the speech expert from recordings."""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from inference.calibration.patterns import SHARED, fit_pattern_temperatures
from inference.calibration.temperature import fit_temperature
from inference.errors import AffectstreamError
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.speech_effort import EffortReference
from inference.experts.speech_head import (
    CALM_DISTRESS,
    LineTemperatures,
    SpeechConfig,
    SpeechHead,
)
from inference.labels import EMOTIONS, Emotion
from inference.training.emodb import HELD_OUT_SPEAKERS, Clip
from inference.training.speaker_folds import MOST_FOLDS, label_folds
from inference.training.speech_corpus import Copy, EmbeddedClips

VERSION: Final = 2
INVERSE_PENALTY: Final = 0.003
"""C of the logistic regression: 768 features, some hundred clips. Up to .01 recall on unseen
speakers moves by less than a point; the stronger penalty claims less about other voices."""
MAX_ITERATIONS: Final = 2_000
MINIMUM_VOICES: Final = 2
MINIMUM_LABELS: Final = 2
LEAST_EFFORTS: Final = 2


class TooFewVoicesError(AffectstreamError):
    """A label that fewer than two speakers show: nothing can be tested on a stranger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What weights are called, and whose recordings they are from.

    Attributes:
        name: of the weights.
        data: the recordings and their licences.
        licence: of the weights.
    """

    name: str
    data: str
    licence: str


EMODB: Final = Origin(
    name="speech-emodb",
    data="EmoDB (Burkhardt et al. 2005), CC0-1.0; boredom counted as neutral",
    licence="Apache-2.0",
)
RESEARCH: Final = Origin(
    name="speech-research",
    data=f"{EMODB.data}; RAVDESS speech (Livingstone and Russo 2018), CC BY-NC-SA 4.0; calm "
    "counted as neutral",
    licence="CC-BY-NC-SA-4.0: research only",
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Where rows come from.

    Attributes:
        lines: (rows,) the `Line` that each sounds like.
        recordings: (rows,) which recording each is a form of.
    """

    lines: NDArray[np.str_]
    recordings: NDArray[np.integer]


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
    over: Lines | None = None,
    folds: int = MOST_FOLDS,
) -> LinearHead:
    """Fit a head on all rows, and its temperatures on predictions for unseen speakers.

    Each speaker is left out once. Temperatures are fitted with the classes weighted equally,
    so the head's prior is uniform over `names`: one for all rows, and one a line, drawn to
    the first by n / (n + 200) for n recordings. Rows whose label nobody else shows are not
    predicted.

    Args:
        embeddings: (rows, 768).
        labels: (rows,), each one of `names`.
        speakers: (rows,) name of each row's speaker.
        names: order of the columns of what the head gives.
        over: which line each row came over; None fits no temperature by line.
        folds: speakers are left out together where there are more of them than this.

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
    log_probs = np.full((len(labels), len(names)), np.nan)
    for held_out in label_folds(speakers, labels, folds):
        if set(labels[~held_out].tolist()) == set(names):
            head = fit_linear(embeddings[~held_out], labels[~held_out], names)
            log_probs[held_out] = head.log_probs(embeddings[held_out])
    predicted = np.isfinite(log_probs).all(axis=1)
    if not predicted.any():
        raise TooFewVoicesError(
            f"{', '.join(names)}: no speaker can be left out without a label losing its only "
            "voice; add recordings of others"
        )
    columns = np.array([list(names).index(label) for label in labels])
    head = fit_linear(embeddings, labels, names)
    if over is None:
        return head.calibrated(fit_temperature(log_probs[predicted], columns[predicted]))
    rows = {line: predicted & (over.lines == line) for line in Line}
    fitted = fit_pattern_temperatures(
        {line: (log_probs[kept], columns[kept]) for line, kept in rows.items() if kept.any()},
        items={line: len(np.unique(over.recordings[kept])) for line, kept in rows.items()},
    )
    return head.calibrated(fitted.pop(SHARED), {Line(line): own for line, own in fitted.items()})


def fit_copies(
    corpus: EmbeddedClips,
    labels: NDArray[np.str_],
    names: Sequence[str],
    rows: NDArray[np.bool_],
    folds: int = MOST_FOLDS,
) -> LinearHead:
    """`fit_calibrated` on every form and draw of the clips that `rows` marks, (clips,)."""
    heard = [draw[rows] for form in corpus.embeddings.values() for draw in form]
    lines = [draw[rows] for form in corpus.lines.values() for draw in form]
    return fit_calibrated(
        np.concatenate(heard),
        np.tile(labels[rows], len(heard)),
        np.tile(corpus.speakers[rows], len(heard)),
        names,
        Lines(np.concatenate(lines), np.tile(np.flatnonzero(rows), len(heard))),
        folds,
    )


def neutral_effort(corpus: EmbeddedClips, rows: NDArray[np.bool_]) -> EffortReference:
    """Effort of the neutral clips that `rows` marks, (clips,), wideband and telephone.

    Of all of them where hardly any is neutral.
    """
    heard = [corpus.efforts_db[copy] for copy in (Copy.WIDEBAND, Copy.TELEPHONE)]
    neutral = rows & (corpus.categories == Emotion.NEUTRAL.value)
    for kept in (neutral, rows):
        efforts = np.concatenate([efforts[:, kept] for efforts in heard], axis=None)
        known = efforts[np.isfinite(efforts)]
        if len(known) >= LEAST_EFFORTS:
            return EffortReference.of(known)
    raise TooFewVoicesError(
        f"nobody is heard to speak in {int(rows.sum())} recordings: check that they are speech"
    )


def labels_of(corpus: EmbeddedClips, rows: NDArray[np.bool_]) -> tuple[Emotion, ...]:
    """The labels that heads can learn from the clips that `rows` marks, (clips,).

    Those of EmoDB where it is there, and all that at least two speakers show.
    """
    known = {clip.emotion for clip in corpus.clips if isinstance(clip, Clip)}
    pairs = set(zip(corpus.emotions[rows].tolist(), corpus.speakers[rows].tolist(), strict=True))
    voices = Counter(emotion for emotion, _ in pairs)
    return tuple(one for one in EMOTIONS if one in known or voices[one.value] >= MINIMUM_VOICES)


def train_speech(
    corpus: EmbeddedClips, encoder_sha256: str, seed: int, origin: Origin = EMODB
) -> SpeechHead:
    """Fit both heads on every speaker that may be in weights.

    Raises:
        TooFewVoicesError: fewer than two labels, or one side of distress, have two speakers.
    """
    rows = ~corpus.for_the_demo
    labels = labels_of(corpus, rows)
    if len(labels) < MINIMUM_LABELS:
        raise TooFewVoicesError(
            f"two speakers each show {', '.join(labels) or 'no label'}: a head tells at least "
            f"{MINIMUM_LABELS} labels apart; add recordings"
        )
    known = rows & np.isin(corpus.emotions, labels)
    judged = rows & np.isin(corpus.distress, CALM_DISTRESS)
    emotion = fit_copies(corpus, corpus.emotions, labels, known)
    distress = fit_copies(corpus, corpus.distress, CALM_DISTRESS, judged)
    config = SpeechConfig(
        name=origin.name,
        version=VERSION,
        backend="onnxruntime-cpu-int8",
        encoder_sha256=encoder_sha256,
        labels=labels,
        temperature=emotion.temperature,
        distress_temperature=distress.temperature,
        line_temperatures={
            line: LineTemperatures(
                emotion=emotion.temperature_of(line), distress=distress.temperature_of(line)
            )
            for line in Line
        },
        effort=neutral_effort(corpus, rows),
        data=origin.data,
        licence=origin.licence,
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
