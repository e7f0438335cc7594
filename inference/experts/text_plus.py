"""Words and sentence vectors together: two linear readers of one text, averaged."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from inference.experts.text_features import TextFeatures, clean
from inference.experts.text_model import (
    LinearHeads,
    Reading,
    TextCalibration,
    TextModel,
    TextWeightsError,
    against_the_mean,
    pack,
    unpack,
)
from inference.labels import Emotion

WORDS_PART: Final = 0.5
"""Of the log-odds, what words say; the rest is what the sentence vector says. Phrases count in
full: vectors do not know them."""

_CONFIG: Final = "plus.json"
_TENSORS: Final = "plus.safetensors"

Floats = NDArray[np.float64]


class Encoder(Protocol):
    """Makes a vector of a text."""

    def embed(self, text: str) -> NDArray[np.float32]:
        """(dimensions,) of one text."""
        ...

    def embed_many(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, dimensions), equal to `embed` but for rounding."""
        ...


class PlusConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the tensors.

    Attributes:
        words: version of the word heads that the calibration was fitted with.
    """

    version: str
    words: str
    calibration: TextCalibration


@dataclass(frozen=True, kw_only=True)
class TextPlus:
    """The mean of the log-odds of word heads and of heads on sentence vectors.

    Attributes:
        words: its calibration is not used.
        heads: on sentence vectors.
        calibration: of the mean.
    """

    words: TextModel
    encoder: Encoder
    heads: LinearHeads
    calibration: TextCalibration = field(default_factory=TextCalibration)
    version: str = "untrained"

    @property
    def features(self) -> TextFeatures:
        """Of the words."""
        return self.words.features

    def calibrated(self, calibration: TextCalibration) -> Self:
        """The same with another calibration."""
        return replace(self, calibration=calibration)

    def read(self, text: str) -> Reading:
        """Score one text. Each text is computed by itself, so company cannot change it."""
        vector = self.encoder.embed(text).astype(np.float64)
        marks, odds = self._mixed.log_odds(text)
        return self.calibration.read(
            marks + (1 - WORDS_PART) * label_odds(self.heads, vector),
            odds + (1 - WORDS_PART) * float(distress_odds(self.heads, vector)),
            self.heard(text),
        )

    def log_odds_many(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """(texts, labels) log odds of labels and (texts,) of distress, not calibrated."""
        vectors = self.encoder.embed_many(texts).astype(np.float64)
        marks, odds = self._mixed.log_odds_many(texts)
        return (
            marks + (1 - WORDS_PART) * label_odds(self.heads, vectors),
            odds + (1 - WORDS_PART) * distress_odds(self.heads, vectors),
        )

    def heard(self, text: str) -> float:
        """See `heard_share`: by the words that the word heads know."""
        return self.words.heard(text)

    def reasons(self, text: str, label: Emotion | None) -> Floats:
        """How far each token of the cleaned text moved `label` as a word or in a phrase.

        Exact for what words and phrases say, see `TextModel.reasons`; nothing is said of what
        the sentence vector adds.
        """
        return self.features.attribute(clean(text).split(), self.weights_of(label))

    def weights_of(self, label: Emotion | None) -> Floats:
        """(features,) of words and phrases in the mean; see `TextModel.weights_of`."""
        return against_the_mean(self._mixed.heads, self.calibration, label)

    @cached_property
    def _mixed(self) -> TextModel:
        """The words as they count in the mean."""
        features, heads = self.words.features, self.words.heads
        parts = np.full(features.size, WORDS_PART)
        parts[features.phrase_columns] = 1.0
        return replace(
            self.words,
            heads=LinearHeads(
                emotions=parts * heads.emotions,
                emotion_intercepts=WORDS_PART * heads.emotion_intercepts,
                distress=parts * heads.distress,
                distress_intercept=WORDS_PART * heads.distress_intercept,
            ),
        )

    def save(self, folder: Path) -> str:
        """Write what stands beside the words' files; returns the version it got."""
        packed = pack(self.heads.tensors())
        config = PlusConfig(version="", words=self.words.version, calibration=self.calibration)
        fingerprint = hashlib.sha256(packed + msgspec.json.encode(config)).hexdigest()[:8]
        version = f"{self.words.version}+minilm-{fingerprint}"
        config = msgspec.structs.replace(config, version=version)
        (folder / _TENSORS).write_bytes(packed)
        (folder / _CONFIG).write_bytes(
            msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
        )
        return version

    @classmethod
    def load(cls, folder: Path, encoder: Encoder) -> Self:
        """Read what `TextModel.save` and `save` wrote.

        Raises:
            TextWeightsError: a file is missing or damaged, or the two were not made together.
        """
        words = TextModel.load(folder)
        try:
            config = msgspec.json.decode((folder / _CONFIG).read_bytes(), type=PlusConfig)
            heads = LinearHeads.of_tensors(unpack((folder / _TENSORS).read_bytes()))
        except (OSError, KeyError, msgspec.MsgspecError, SafetensorError) as exc:
            raise TextWeightsError(
                f"{folder}: no heads on sentence vectors ({exc}); "
                "make them with: affectstream train text --plus"
            ) from exc
        if config.words != words.version:
            raise TextWeightsError(
                f"{folder}: the heads on sentence vectors belong to {config.words}, the words "
                f"here are {words.version}; make both with: affectstream train text --plus"
            )
        return cls(
            words=words,
            encoder=encoder,
            heads=heads,
            calibration=config.calibration,
            version=config.version,
        )


def label_odds(heads: LinearHeads, vectors: Floats) -> Floats:
    """Log odds of labels, (…, labels), of vectors, (…, dimensions)."""
    marks: Floats = vectors @ heads.emotions.T + heads.emotion_intercepts
    return marks


def distress_odds(heads: LinearHeads, vectors: Floats) -> Floats:
    """Log odds of distress, (…), of vectors, (…, dimensions)."""
    odds: Floats = vectors @ heads.distress + heads.distress_intercept
    return odds
