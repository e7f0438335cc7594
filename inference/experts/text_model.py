"""Two linear heads on text features, and the folder they are shipped in."""

import hashlib
import json
from dataclasses import dataclass, replace
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

_CONFIG: Final = "config.json"
_VOCABULARY: Final = "vocabulary.json"
_TENSORS: Final = "weights.safetensors"


class TextWeightsError(AffectstreamError):
    """The folder does not hold the weights of a text expert."""


def heard_share(known_words: int) -> float:
    """How much of the log-odds a text of so many different known words may keep.

    0 for one word ("yeah", "no no no"), .2 for two, 1 from `FULL_WORDS` on: single words
    are answers and back-channels on a call, although in written comments they are verdicts.
    Words the vocabulary does not know, as of another language, do not count.
    """
    return min(1.0, max(0, known_words - 1) / (FULL_WORDS - 1))


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads say of one text.

    Attributes:
        label_log_odds: (labels,) log odds that a reader marks each label, whatever the others;
            neither tempered nor drawn to the prior. For the multi-label figures only.
        log_probs: (labels,) natural log in the order of `EMOTIONS`, prior uniform.
        distress_log_odds: natural log odds against an even prior.
    """

    label_log_odds: Floats
    log_probs: Floats
    distress_log_odds: float


class TextConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the tensors.

    Attributes:
        offsets: added to the log odds of each label before the temperature.
        thresholds: log odds from which a label counts as marked, for the multi-label figures
            only; chosen on training lines read out of fold.
    """

    version: str
    labels: tuple[Emotion, ...]
    offsets: dict[Emotion, float]
    temperature: float
    distress_temperature: float
    thresholds: dict[Emotion, float]


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """Features, a binary head for each of `EMOTIONS`, and one for distress.

    The seven answer "would a reader mark this label?". With an offset each and one
    temperature they become one distribution whose prior is uniform: what fusion reads.

    Attributes:
        emotions: (labels, features) and its (labels,) intercepts.
        distress: (features,) and its intercept.
    """

    features: TextFeatures
    emotions: Floats
    emotion_intercepts: Floats
    distress: Floats
    distress_intercept: float
    offsets: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    temperature: float = 1.0
    distress_temperature: float = 1.0
    thresholds: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    version: str = "untrained"

    def read(self, text: str) -> Reading:
        """Score one text. Each text is computed by itself, so company cannot change it."""
        row = self.features.transform([text])
        share = heard_share(self.features.known_words(text))
        marks = self.emotions[:, row.indices] @ row.data + self.emotion_intercepts
        scaled = share / self.temperature * (marks + np.array(self.offsets))
        odds = float(self.distress[row.indices] @ row.data) + self.distress_intercept
        return Reading(
            label_log_odds=marks,
            log_probs=scaled - np.logaddexp.reduce(scaled),
            distress_log_odds=share / self.distress_temperature * odds,
        )

    def reasons(self, text: str, label: Emotion | None) -> Floats:
        """How far each token of the cleaned text moved `label` (None: distress), in log-odds.

        Exact for the linear head, apart from the sentiment scores, which belong to the
        whole text; the label is compared with the mean of all labels.
        """
        return self.features.attribute(clean(text).split(), self.weights_of(label))

    def weights_of(self, label: Emotion | None) -> Floats:
        """(features,) weights of `label` against the mean of all; None: of distress."""
        if label is None:
            return self.distress
        weights: Floats = self.emotions[EMOTIONS.index(label)] - self.emotions.mean(axis=0)
        return weights

    def rounded(self) -> Self:
        """The same model at the precision in which it is shipped (half)."""
        return replace(
            self,
            emotions=self.emotions.astype(np.float16).astype(np.float64),
            distress=self.distress.astype(np.float16).astype(np.float64),
        )

    def save(self, folder: Path) -> str:
        """Write tensors, vocabulary and configuration; returns the version they got."""
        folder.mkdir(parents=True, exist_ok=True)
        word_idf, character_idf = self.features.idf
        tensors = {
            "word_idf": word_idf.astype(np.float32),
            "character_idf": character_idf.astype(np.float32),
            "emotions": self.emotions.astype(np.float16),
            "emotion_intercepts": self.emotion_intercepts.astype(np.float32),
            "distress": self.distress.astype(np.float16),
            "distress_intercept": np.array([self.distress_intercept], dtype=np.float32),
        }
        # safetensors writes memory as it lies, and scikit-learn's coefficients lie by column
        packed = save_tensors({name: np.ascontiguousarray(t) for name, t in tensors.items()})
        words, characters = self.features.vocabulary
        vocabulary = json.dumps(
            {"words": words, "characters": characters}, ensure_ascii=False, indent=0
        )
        config = TextConfig(
            version="",
            labels=EMOTIONS,
            offsets=dict(zip(EMOTIONS, self.offsets, strict=True)),
            temperature=self.temperature,
            distress_temperature=self.distress_temperature,
            thresholds=dict(zip(EMOTIONS, self.thresholds, strict=True)),
        )
        everything = packed + vocabulary.encode() + msgspec.json.encode(config)
        fingerprint = hashlib.sha256(everything).hexdigest()[:8]
        config = msgspec.structs.replace(config, version=f"text-goemotions-{fingerprint}")
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
            TextWeightsError: a file is missing, or it is not what `save` writes.
        """
        try:
            config = msgspec.json.decode((folder / _CONFIG).read_bytes(), type=TextConfig)
            vocabulary = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
            tensors = load_tensors((folder / _TENSORS).read_bytes())
            numbers = {name: value.astype(np.float64) for name, value in tensors.items()}
            features = TextFeatures.from_vocabulary(
                (vocabulary["words"], vocabulary["characters"]),
                (numbers["word_idf"], numbers["character_idf"]),
            )
            return cls(
                features=features,
                emotions=numbers["emotions"],
                emotion_intercepts=numbers["emotion_intercepts"],
                distress=numbers["distress"],
                distress_intercept=float(numbers["distress_intercept"][0]),
                offsets=tuple(config.offsets[label] for label in EMOTIONS),
                temperature=config.temperature,
                distress_temperature=config.distress_temperature,
                thresholds=tuple(config.thresholds[label] for label in EMOTIONS),
                version=config.version,
            )
        except (OSError, ValueError, KeyError, msgspec.MsgspecError, SafetensorError) as exc:
            raise TextWeightsError(
                f"{folder}: no weights of a text expert ({exc}); "
                "make them with: affectstream train text"
            ) from exc
