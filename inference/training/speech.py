"""Makes the heads of the speech expert from recordings."""

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.calibration.patterns import SHARED, fit_pattern_temperatures
from inference.errors import AffectstreamError
from inference.experts.distress_head import CALM_DISTRESS, DistressHead
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.speech_effort import EffortReference
from inference.experts.speech_head import LineTemperatures, SpeechConfig, SpeechHead
from inference.experts.voice_encoder import INT8
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion
from inference.training.emodb import HELD_OUT_SPEAKERS, Clip
from inference.training.linear_fit import fit_linear
from inference.training.speaker_folds import MOST_FOLDS, label_folds
from inference.training.speech_corpus import Copy, EmbeddedClips

VERSION: Final = 2
INVERSE_PENALTY: Final = 0.003
"""C of the logistic regression: 768 features, some hundred clips. Up to .01 recall on unseen
speakers moves by less than a point; the stronger penalty claims less about other voices."""
DISTRESS_INVERSE_PENALTY: Final = 0.001
"""C of the head behind distress: the strongest penalty within a standard error, over speakers,
of the best AUC on EmoDB."""
MINIMUM_VOICES: Final = 2
MINIMUM_LABELS: Final = 2
LEAST_EFFORTS: Final = 2

Floats = NDArray[np.float64]


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


class Calibrated(Protocol):
    """What `fit_temperatures` calibrates."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of what comes out."""
        ...

    def log_probs(self, embeddings: NDArray[np.floating], line: Line | None = None) -> Floats:
        """(…, labels) natural log-probabilities of (…, size)."""
        ...

    def calibrated(self, temperature: float, by_line: Mapping[Line, float] | None = None) -> Self:
        """The same head with these temperatures."""
        ...


Head = TypeVar("Head", bound=Calibrated)


@dataclass(frozen=True, slots=True)
class Rows:
    """What heads are fitted on: every form of every recording.

    Attributes:
        embeddings: (rows, 768).
        labels: (rows,).
        speakers: (rows,) who is heard.
        lines: (rows,) the `Line` that each sounds like.
        recordings: (rows,) which recording each is a form of.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.str_]
    speakers: NDArray[np.str_]
    lines: NDArray[np.str_]
    recordings: NDArray[np.integer]

    @classmethod
    def of(cls, corpus: EmbeddedClips, labels: NDArray[np.str_], clips: NDArray[np.bool_]) -> Self:
        """Every form and draw of the clips that `clips` marks, called `labels`, (clips,) both."""
        heard = [draw[clips] for form in corpus.embeddings.values() for draw in form]
        lines = [draw[clips] for form in corpus.lines.values() for draw in form]
        times = len(heard)
        return cls(
            np.concatenate(heard),
            np.tile(labels[clips], times),
            np.tile(corpus.speakers[clips], times),
            np.concatenate(lines),
            np.tile(np.flatnonzero(clips), times),
        )


def fit_emotion(rows: Rows, names: Sequence[str], folds: int = MOST_FOLDS) -> LinearHead:
    """Fit a head over `names` on all rows; see `fit_temperatures`."""
    check_voices(rows.labels, rows.speakers, names)

    def fit(kept: NDArray[np.bool_]) -> LinearHead:
        return fit_linear(rows.embeddings[kept], rows.labels[kept], names, INVERSE_PENALTY)

    return fit_temperatures(fit, rows, rows.labels, names, folds)


def fit_distress(rows: Rows, names: Sequence[str], folds: int = MOST_FOLDS) -> DistressHead:
    """Fit a head for distress on all rows; see `fit_temperatures`.

    Args:
        rows: each label is one of `names`.
        names: shades on either side; see `EmbeddedClips.shades`.
        folds: see `fit_temperatures`.

    Raises:
        TooFewVoicesError: a label has fewer than two speakers, or a side no label.
    """
    check_voices(rows.labels, rows.speakers, names)
    distressed = set(names) & DISTRESS
    if not distressed or distressed == set(names):
        raise TooFewVoicesError(
            f"two speakers each show {', '.join(names) or 'no label'}: distress is told from its "
            f"contrast, so some of {', '.join(sorted(DISTRESS))} and some of "
            f"{', '.join(sorted(NOT_DISTRESS))} are needed; add recordings"
        )

    def fit(kept: NDArray[np.bool_]) -> DistressHead:
        return DistressHead(
            fit_linear(rows.embeddings[kept], rows.labels[kept], names, DISTRESS_INVERSE_PENALTY)
        )

    sides = np.where(np.isin(rows.labels, list(DISTRESS)), CALM_DISTRESS[1], CALM_DISTRESS[0])
    return fit_temperatures(fit, rows, sides, names, folds)


def fit_temperatures(
    fit: Callable[[NDArray[np.bool_]], Head],
    rows: Rows,
    truth: NDArray[np.str_],
    names: Sequence[str],
    folds: int = MOST_FOLDS,
) -> Head:
    """A head on all rows, with temperatures fitted on predictions for unseen speakers.

    Each speaker is left out once. Temperatures are fitted with the columns weighted equally,
    so the head's prior is uniform over them: one for all rows, and one a line, drawn to the
    first by n / (n + 200) for n recordings. Rows whose label nobody else shows are not
    predicted.

    Args:
        fit: makes an uncalibrated head of the rows that are marked, (rows,).
        rows: what to fit on.
        truth: (rows,) which column of the head is right.
        names: labels that every fit needs.
        folds: speakers are left out together where there are more of them than this.

    Raises:
        TooFewVoicesError: nobody can be left out.
    """
    head = fit(np.ones(len(truth), dtype=np.bool_))
    log_probs = np.full((len(truth), len(head.labels)), np.nan)
    for held_out in label_folds(rows.speakers, rows.labels, folds):
        if set(rows.labels[~held_out].tolist()) == set(names):
            log_probs[held_out] = fit(~held_out).log_probs(rows.embeddings[held_out])
    predicted = np.isfinite(log_probs).all(axis=1)
    if not predicted.any():
        raise TooFewVoicesError(
            f"{', '.join(names)}: no speaker can be left out without a label losing its only "
            "voice; add recordings of others"
        )
    columns = np.array([head.labels.index(label) for label in truth])
    over = {line: predicted & (rows.lines == line) for line in Line}
    fitted = fit_pattern_temperatures(
        {line: (log_probs[kept], columns[kept]) for line, kept in over.items() if kept.any()},
        items={line: len(np.unique(rows.recordings[kept])) for line, kept in over.items()},
    )
    return head.calibrated(fitted.pop(SHARED), {Line(line): own for line, own in fitted.items()})


def check_voices(
    labels: NDArray[np.str_], speakers: NDArray[np.str_], names: Sequence[str]
) -> None:
    """Raise TooFewVoicesError where a label of `names` has fewer than two speakers, (rows,)."""
    for name in names:
        voices = len(set(speakers[labels == name].tolist()))
        if voices < MINIMUM_VOICES:
            raise TooFewVoicesError(
                f"{name}: {voices} speaker{'' if voices == 1 else 's'}; every label of the heads "
                f"needs {MINIMUM_VOICES}, one to learn from and one to be tested on: add such "
                "recordings, or the whole corpus"
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
    voices = _voices(corpus.emotions[rows], corpus.speakers[rows])
    return tuple(one for one in EMOTIONS if one in known or voices[one.value] >= MINIMUM_VOICES)


def shades_of(corpus: EmbeddedClips, rows: NDArray[np.bool_]) -> tuple[str, ...]:
    """The shades on either side of distress that two speakers of the marked clips show."""
    sided = rows & np.isin(corpus.emotions, list(DISTRESS | NOT_DISTRESS))
    voices = _voices(corpus.shades[sided], corpus.speakers[sided])
    return tuple(sorted(shade for shade, count in voices.items() if count >= MINIMUM_VOICES))


def _voices(labels: NDArray[np.str_], speakers: NDArray[np.str_]) -> Counter[str]:
    """How many speakers show each label, (rows,) both."""
    return Counter(label for label, _ in set(zip(labels.tolist(), speakers.tolist(), strict=True)))


def train_speech(
    corpus: EmbeddedClips,
    encoder_sha256: str,
    seed: int,
    origin: Origin = EMODB,
    backend: str = INT8,
) -> SpeechHead:
    """Fit both heads on every speaker that may be in weights.

    Args:
        corpus: what the encoder made of the clips.
        encoder_sha256: which encoder that was.
        seed: what the corpus was degraded with.
        origin: what the weights are called, and whose recordings they are from.
        backend: in which form the encoder ran; the expert refuses another.

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
    shades = shades_of(corpus, rows)
    known, judged = np.isin(corpus.emotions, labels), np.isin(corpus.shades, shades)
    emotion = fit_emotion(Rows.of(corpus, corpus.emotions, rows & known), labels)
    distress = fit_distress(Rows.of(corpus, corpus.shades, rows & judged), shades)
    config = SpeechConfig(
        name=origin.name,
        version=VERSION,
        backend=backend,
        encoder_sha256=encoder_sha256,
        labels=labels,
        distress_labels=shades,
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
            "distress_inverse_penalty": DISTRESS_INVERSE_PENALTY,
            "onnxruntime": version("onnxruntime"),
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    )
    return SpeechHead(emotion, distress, config)
