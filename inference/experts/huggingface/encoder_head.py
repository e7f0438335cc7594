"""A head of our own on somebody's encoder: what `affectstream train encoder` writes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from inference.experts.huggingface.encoder import AudioEncoder, Encoder, TextEncoder
from inference.experts.huggingface.opinion import Opinion, distress_log_odds
from inference.experts.huggingface.sidecar import MOST_WEIGHT
from inference.experts.huggingface.source import (
    CONFIG,
    HEAD,
    CheckpointError,
    Source,
    fingerprint,
    locate,
)
from inference.experts.huggingface.speech import CheckpointSpeechExpert
from inference.experts.huggingface.text import CheckpointTextExpert
from inference.experts.linear_head import LinearHead
from inference.experts.voice_activity import VoiceActivity
from inference.labels import Emotion, Modality

Item = TypeVar("Item")
SIDES: Final = ("calm", "distress")
"""Columns of the distress head."""
_PARTS: Final = ("mean", "scale", "coefficients", "intercepts")


class EncoderHeadConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the numbers mean, and where they come from.

    Attributes:
        encoder: folder, or `owner/name@revision`.
        encoder_sha256: fingerprint of its files.
        labels: columns of the emotion head.
        distress_temperature: None where the material shows one side only; then distress is
            the sum of the emotions' labels.
        languages: of the words that it was trained on; none means any.
        licence: of the material.
        training: seed, counts and library versions.
    """

    name: str
    version: int
    modality: Modality
    encoder: str
    encoder_sha256: str
    labels: tuple[Emotion, ...]
    temperature: float
    distress_temperature: float | None
    languages: tuple[str, ...]
    data: str
    licence: str
    training: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EncoderHead:
    """Emotion and maybe distress, each calibrated to an even prior over its labels."""

    config: EncoderHeadConfig
    emotion: LinearHead
    distress: LinearHead | None
    digest: str = ""
    """First 8 hex digits of the SHA-256 of tensors and config; empty before saving."""

    @property
    def version(self) -> str:
        """As published in every score."""
        return f"{self.config.name}-{self.config.version}+{self.digest}"

    def opinion(self, embedding: NDArray[np.float32]) -> Opinion:
        """On one embedding, (size,)."""
        log_probs = self.emotion.log_probs(embedding)
        if self.distress is None:
            return Opinion(log_probs, distress_log_odds(self.config.labels, log_probs))
        calm, distress = self.distress.log_probs(embedding)
        return Opinion(log_probs, float(distress - calm))

    def save(self, folder: Path) -> None:
        """Write tensors and config into `folder`, making it."""
        folder.mkdir(parents=True, exist_ok=True)
        heads = {"emotion": self.emotion, "distress": self.distress}
        tensors = {
            f"{name}.{part}": np.ascontiguousarray(getattr(head, part), dtype=np.float32)
            for name, head in heads.items()
            if head is not None
            for part in _PARTS
        }
        config = msgspec.json.format(msgspec.json.encode(self.config), indent=2)
        (folder / HEAD).write_bytes(serialise_tensors(tensors))
        (folder / CONFIG).write_bytes(config + b"\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError."""
        try:
            tensor_bytes = (folder / HEAD).read_bytes()
            config_bytes = (folder / CONFIG).read_bytes()
            config = msgspec.json.decode(config_bytes, type=EncoderHeadConfig)
            tensors = {
                name: tensor.astype(np.float64)
                for name, tensor in parse_tensors(tensor_bytes).items()
            }
            emotion = _linear_head("emotion", tensors, config.labels, config.temperature)
            distress = None
            if config.distress_temperature is not None:
                distress = _linear_head("distress", tensors, SIDES, config.distress_temperature)
        except (OSError, KeyError, msgspec.DecodeError, SafetensorError) as exc:
            raise CheckpointError(
                f"{folder}: no usable head on an encoder ({exc}); make it with "
                "`affectstream train encoder`"
            ) from exc
        digest = hashlib.sha256(tensor_bytes + config_bytes).hexdigest()[:8]
        return cls(config, emotion, distress, digest)


@dataclass(frozen=True, slots=True)
class HeadedEncoder(Generic[Item]):
    """Reads an item with a frozen encoder and a head that was calibrated on it."""

    encoder: Encoder[Item]
    head: EncoderHead

    @property
    def version(self) -> str:
        """That of the head; its config names the encoder."""
        return self.head.version

    @property
    def labels(self) -> tuple[Emotion, ...]:
        """Those of the material."""
        return self.head.config.labels

    @property
    def weight_limit(self) -> float:
        """That of every calibrated expert."""
        return MOST_WEIGHT

    def read(self, item: Item) -> Opinion:
        """Read one item by itself."""
        return self.head.opinion(self.encoder.embed(item))


def encoder_of(head: EncoderHead, models_dir: Path) -> Source:
    """The encoder that `head` was fitted on. Raises CheckpointError where it is another."""
    source = locate(head.config.encoder, models_dir)
    found = fingerprint(source.folder)
    if found != head.config.encoder_sha256:
        raise CheckpointError(
            f"{head.version} was fitted on encoder {head.config.encoder_sha256[:12]}…, "
            f"{source.folder} holds {found[:12]}…: train the head again on it"
        )
    return source


def open_headed_speech(head: EncoderHead, source: Source, threads: int) -> CheckpointSpeechExpert:
    """`head` on the audio encoder of `source` as an expert. Raises CheckpointError."""
    encoder = AudioEncoder.open(source, threads)
    return CheckpointSpeechExpert(VoiceActivity.load(threads), HeadedEncoder(encoder, head))


def open_headed_text(head: EncoderHead, source: Source, threads: int) -> CheckpointTextExpert:
    """`head` on the text encoder of `source` as an expert. Raises CheckpointError."""
    encoder = TextEncoder.open(source, threads)
    return CheckpointTextExpert(HeadedEncoder(encoder, head), frozenset(head.config.languages))


def _linear_head(
    name: str, tensors: dict[str, NDArray[np.float64]], labels: tuple[str, ...], temperature: float
) -> LinearHead:
    """The head that lies in `tensors` under `name`. Raises KeyError if a part is missing."""
    mean, scale, coefficients, intercepts = (tensors[f"{name}.{part}"] for part in _PARTS)
    return LinearHead(
        labels=tuple(labels),
        mean=mean,
        scale=scale,
        coefficients=coefficients,
        intercepts=intercepts,
        temperature=temperature,
    )
