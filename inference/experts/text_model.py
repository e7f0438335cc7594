"""Linear heads on text features, their calibration, and the folder they are shipped in."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from inference.errors import AffectstreamError
from inference.experts.text_features import TextFeatures, clean
from inference.labels import EMOTIONS, Emotion

Floats = NDArray[np.float64]

FULL_WORDS: Final = 6
"""From this many different known words on, the heads are heard in full."""

PAIR: Final = 2
PAIR_SHARE: Final = 0.05
"""So little that from two words alone nothing is named, and distress stays at its base rate."""

_CONFIG: Final = "config.json"
_VOCABULARY: Final = "vocabulary.json"
_TENSORS: Final = "weights.safetensors"


class TextWeightsError(AffectstreamError):
    """The folder does not hold the weights of a text expert."""


def heard_share(known_words: int) -> float:
    """How much of the log-odds a text of so many different known words may keep.

    0 for one word ("yeah", "no no no"), next to nothing for two ("thank you"), 1 from
    `FULL_WORDS` on: so few words are answers and back-channels on a call, although in written
    comments they are verdicts. Words the vocabulary does not know, as of another language, do
    not count.
    """
    if known_words == PAIR:
        return PAIR_SHARE
    return min(1.0, max(0, known_words - 1) / (FULL_WORDS - 1))


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads say of one text.

    Attributes:
        label_log_odds: (labels,) log odds that a reader marks each label, whatever the others;
            neither calibrated nor drawn to the prior. For the multi-label figures only.
        log_probs: (labels,) natural log in the order of `EMOTIONS`, prior uniform.
        distress_log_odds: natural log odds against an even prior.
    """

    label_log_odds: Floats
    log_probs: Floats
    distress_log_odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHeads:
    """A binary head for each of `EMOTIONS`, and one for distress, on the same features.

    Attributes:
        emotions: (labels, features) and its (labels,) intercepts.
        distress: (features,) and its intercept.
    """

    emotions: Floats
    emotion_intercepts: Floats
    distress: Floats
    distress_intercept: float

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """As they are shipped: weights in half precision."""
        return {
            "emotions": self.emotions.astype(np.float16),
            "emotion_intercepts": self.emotion_intercepts.astype(np.float32),
            "distress": self.distress.astype(np.float16),
            "distress_intercept": np.array([self.distress_intercept], dtype=np.float32),
        }

    @classmethod
    def of_tensors(cls, tensors: dict[str, Floats]) -> Self:
        """Inverse of `tensors`. Raises KeyError."""
        return cls(
            emotions=tensors["emotions"],
            emotion_intercepts=tensors["emotion_intercepts"],
            distress=tensors["distress"],
            distress_intercept=float(tensors["distress_intercept"][0]),
        )

    def rounded(self) -> Self:
        """The same heads at the precision in which they are shipped."""
        return self.of_tensors({name: t.astype(np.float64) for name, t in self.tensors().items()})


class TextCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """From log odds of binary heads to one distribution whose prior is uniform.

    log p = log_softmax(share * (A m + b)) of label log odds m. Source: Guo et al. 2017,
    section 4.2 (matrix scaling); departure: `share`, see `heard_share`, so that a text that
    may not be heard says nothing.

    Attributes:
        matrix: A, (labels, labels) rows in the order of `EMOTIONS`.
        bias: b, (labels,).
        distress_temperature: divides the log odds of distress.
        thresholds: log odds from which a label counts as marked, for the multi-label figures
            only; chosen on training lines read out of fold.
        label_shares: how often each label occurs among lines with one label of the corpus:
            with these as prior the probabilities fit that corpus.
    """

    matrix: tuple[tuple[float, ...], ...] = tuple(map(tuple, np.eye(len(EMOTIONS)).tolist()))
    bias: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    distress_temperature: float = 1.0
    thresholds: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    label_shares: tuple[float, ...] = (1 / len(EMOTIONS),) * len(EMOTIONS)

    def __post_init__(self) -> None:
        """Refuse numbers for other labels than ours."""
        size = len(EMOTIONS)
        rows = (self.bias, self.thresholds, self.label_shares, *self.matrix)
        if len(self.matrix) != size or any(len(row) != size for row in rows):
            raise ValueError(f"a calibration has {size} numbers a row, one for each label")

    def read(self, marks: Floats, odds: float, share: float) -> Reading:
        """What heads say whose label log odds are `marks`, (labels,), and of distress `odds`."""
        scaled = share * (np.array(self.matrix) @ marks + np.array(self.bias))
        return Reading(
            label_log_odds=marks,
            log_probs=scaled - np.logaddexp.reduce(scaled),
            distress_log_odds=share / self.distress_temperature * odds,
        )


class TextConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the tensors.

    Attributes:
        data: what the heads were trained on.
        phrases: digest of the patterns that the weights were trained with.
        calibration: in the order of `labels`.
    """

    version: str
    data: str
    labels: tuple[Emotion, ...]
    phrases: str
    calibration: TextCalibration


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """Features, heads that answer "would a reader mark this label?", and their calibration."""

    features: TextFeatures
    heads: LinearHeads
    calibration: TextCalibration = field(default_factory=TextCalibration)
    data: str = "goemotions"
    """What it was trained on, for its version."""
    version: str = "untrained"

    def read(self, text: str) -> Reading:
        """Score one text. Each text is computed by itself, so company cannot change it."""
        return self.calibration.read(*self.log_odds(text), self.heard(text))

    def log_odds(self, text: str) -> tuple[Floats, float]:
        """What the heads say: (labels,) log odds of each label, and log odds of distress."""
        marks, odds = self.log_odds_many([text])
        return marks[0], float(odds[0])

    def log_odds_many(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """(texts, labels) log odds of labels and (texts,) of distress, each text by itself."""
        rows, heads = self.features.transform(texts), self.heads
        marks, odds = np.empty((len(texts), len(EMOTIONS))), np.empty(len(texts))
        for place, (begin, end) in enumerate(pairwise(rows.indptr)):
            columns, values = rows.indices[begin:end], rows.data[begin:end]
            marks[place] = heads.emotions[:, columns] @ values + heads.emotion_intercepts
            odds[place] = heads.distress[columns] @ values + heads.distress_intercept
        return marks, odds

    def heard(self, text: str) -> float:
        """See `heard_share`."""
        return heard_share(self.features.known_words(text))

    def reasons(self, text: str, label: Emotion | None) -> Floats:
        """How far each token of the cleaned text moved `label` (None: distress), in log-odds.

        Exact for the linear head, apart from the sentiment scores, which belong to the
        whole text; the label is compared with the mean of all labels.
        """
        return self.features.attribute(clean(text).split(), self.weights_of(label))

    def weights_of(self, label: Emotion | None) -> Floats:
        """(features,) weights of `label` against the mean of all; None: of distress."""
        return against_the_mean(self.heads, self.calibration, label)

    def rounded(self) -> Self:
        """The same model at the precision in which it is shipped (half)."""
        return replace(self, heads=self.heads.rounded())

    def save(self, folder: Path) -> str:
        """Write tensors, vocabulary and configuration; returns the version they got."""
        folder.mkdir(parents=True, exist_ok=True)
        word_idf, character_idf = self.features.idf
        packed = pack(
            {
                "word_idf": word_idf.astype(np.float32),
                "character_idf": character_idf.astype(np.float32),
                **self.heads.tensors(),
            }
        )
        words, characters = self.features.vocabulary
        vocabulary = json.dumps(
            {"words": words, "characters": characters}, ensure_ascii=False, indent=0
        )
        config = TextConfig(
            version="",
            data=self.data,
            labels=EMOTIONS,
            phrases=self.features.phrases.digest,
            calibration=self.calibration,
        )
        everything = packed + vocabulary.encode() + msgspec.json.encode(config)
        fingerprint = hashlib.sha256(everything).hexdigest()[:8]
        config = msgspec.structs.replace(config, version=f"text-{self.data}-{fingerprint}")
        (folder / _TENSORS).write_bytes(packed)
        (folder / _VOCABULARY).write_text(vocabulary + "\n", encoding="utf-8")
        (folder / _CONFIG).write_bytes(
            msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
        )
        return config.version

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            TextWeightsError: a file is missing, it is not what `save` writes, or it was
                trained with other phrases than this version knows.
        """
        try:
            config = msgspec.json.decode((folder / _CONFIG).read_bytes(), type=TextConfig)
            vocabulary = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
            numbers = unpack((folder / _TENSORS).read_bytes())
            features = TextFeatures.from_vocabulary(
                (vocabulary["words"], vocabulary["characters"]),
                (numbers["word_idf"], numbers["character_idf"]),
            )
            heads = LinearHeads.of_tensors(numbers)
        except (OSError, ValueError, KeyError, msgspec.MsgspecError, SafetensorError) as exc:
            raise TextWeightsError(
                f"{folder}: no weights of a text expert ({exc}); "
                "make them with: affectstream train text"
            ) from exc
        known, width = features.phrases.digest, heads.emotions.shape[-1]
        if (config.labels, config.phrases, width) != (EMOTIONS, known, features.size):
            raise TextWeightsError(
                f"{folder}: trained for labels {', '.join(config.labels)}, phrases "
                f"{config.phrases} and {width} features; this version has phrases {known} and "
                f"{features.size}. Train again with: affectstream train text"
            )
        return cls(
            features=features,
            heads=heads,
            calibration=config.calibration,
            data=config.data,
            version=config.version,
        )


def against_the_mean(
    heads: LinearHeads, calibration: TextCalibration, label: Emotion | None
) -> Floats:
    """(features,) calibrated weights of `label` minus their mean over labels; None: of distress.

    Those of distress are divided by its temperature.
    """
    if label is None:
        return heads.distress / calibration.distress_temperature
    matrix = np.array(calibration.matrix)
    weights: Floats = (matrix[EMOTIONS.index(label)] - matrix.mean(axis=0)) @ heads.emotions
    return weights


def pack(tensors: dict[str, NDArray[np.generic]]) -> bytes:
    """Tensors as a safetensors file."""
    # safetensors writes memory as it lies, and scikit-learn's coefficients lie by column
    return save_tensors({name: np.ascontiguousarray(t) for name, t in tensors.items()})


def unpack(data: bytes) -> dict[str, Floats]:
    """Inverse of `pack`, in double precision. Raises SafetensorError."""
    return {name: value.astype(np.float64) for name, value in load_tensors(data).items()}
