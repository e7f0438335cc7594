"""A frozen encoder: one vector for an item, pooled from its hidden states."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from inference.experts.huggingface.network import HARMLESS_TO_ENCODERS, Network, open_network
from inference.experts.huggingface.source import Source
from inference.experts.huggingface.speech import Samples, audio_preparer
from inference.experts.huggingface.text import text_preparer

Item_contra = TypeVar("Item_contra", contravariant=True)
Vector = NDArray[np.float32]
MASK = "attention_mask"


class Encoder(Protocol[Item_contra]):
    """From one item to one vector."""

    def embed(self, item: Item_contra) -> Vector:
        """(size,) float32, the same alone and in company."""
        ...


@dataclass(frozen=True, slots=True)
class AudioEncoder:
    """Mean, then population standard deviation, over the frames of the last hidden state."""

    network: Network
    prepare: Callable[[Samples], dict[str, Any]]

    @classmethod
    def open(cls, source: Source, threads: int) -> "AudioEncoder":
        """Open an audio encoder, or that part of an encoder-decoder. Raises CheckpointError."""
        return cls(_encoder(source, threads), audio_preparer(source, return_attention_mask=True))

    def embed(self, samples: Samples) -> Vector:
        """(2 * size,) float32 of (samples,) at 16 kHz.

        Some preprocessors pad to a fixed length (Whisper's to 30 s): frames of what was
        padded are left out.
        """
        inputs = self.prepare(samples)
        mask = inputs.pop(MASK, None)
        hidden = self.network(inputs).last_hidden_state[0].float()  # (frames, size)
        if mask is not None:
            heard = mask.to(torch.float64).mean().item()
            hidden = hidden[: max(1, int(np.ceil(heard * len(hidden))))]
        pooled = torch.cat((hidden.mean(dim=0), hidden.std(dim=0, correction=0)))
        vector: Vector = pooled.cpu().numpy()
        return vector


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """Mean over the tokens of the last hidden state."""

    network: Network
    prepare: Callable[[str], dict[str, Any]]

    @classmethod
    def open(cls, source: Source, threads: int) -> "TextEncoder":
        """Open a text encoder, or that part of an encoder-decoder. Raises CheckpointError."""
        return cls(_encoder(source, threads), text_preparer(source))

    def embed(self, text: str) -> Vector:
        """(size,) float32 of words."""
        inputs = self.prepare(text)
        hidden = self.network(inputs).last_hidden_state[0].float()  # (tokens, size)
        kept = inputs[MASK][0].to(hidden)[:, None]  # (tokens, 1)
        vector: Vector = ((hidden * kept).sum(dim=0) / kept.sum()).cpu().numpy()
        return vector


def _encoder(source: Source, threads: int) -> Network:
    network = open_network(AutoModel, source, threads, harmless=HARMLESS_TO_ENCODERS)
    if not network.config.is_encoder_decoder:
        return network
    return replace(network, model=network.model.get_encoder())
