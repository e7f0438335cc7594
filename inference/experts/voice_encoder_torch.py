"""The voice encoder as a float torch module: batches on CUDA, and training anywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from inference.errors import AffectstreamError
from inference.experts.log_mel import CLIP_SAMPLES, MELS, LogMel
from inference.experts.voice_encoder import (
    EMBEDDING_SIZE,
    FLOAT,
    FRAME_SIZE,
    MODEL_FILE,
    POSITIONS,
    WEIGHTS,
    graph_digest,
    whole_frames,
)
from inference.experts.voice_encoder_weights import read_float_weights

BLOCKS: Final = 2
HEADS: Final = 6
FEED_FORWARD_SIZE: Final = 1_536
HALF: Final = torch.float16
"""Nothing between the layers exceeds 20 on speech, so the finer of the two halves serves: it moves
a vector by .0005 on average, bfloat16 by .004. Pictures are drawn in float32: powers overflow.
"""
CUDA_BATCH: Final = 16
"""Every batch on CUDA is filled up to this with silence: one shape means one choice of kernels,
so an item's vector is the same alone and in company. The default of `max_batch`."""


class NoCudaError(AffectstreamError):
    """CUDA was asked for where there is none."""


class TorchVoiceEncoder:
    """The same two blocks with float weights: float32 on the CPU, half precision on CUDA.

    Its vectors differ a little from those of the int8 graph, which also rounds what flows
    between its layers: heads are fitted on one form and refuse the other.

    Attributes:
        sha256: of the whole graph that the weights are from, in hex.
        backend: name of this form.
    """

    backend: Final = FLOAT

    def __init__(self, model: Path, device: str = "cpu") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise NoCudaError(
                "device cuda: torch finds no CUDA here; use device cpu, or check the driver with "
                "`python -c 'import torch; print(torch.cuda.is_available())'`"
            )
        self.sha256 = graph_digest(model.read_bytes())
        self._device = torch.device(device)
        self._log_mel = LogMel(self._device)
        self._blocks = _blocks(model).to(self._device)

    @classmethod
    def load(cls, device: str = "cpu") -> Self:
        """Read the shipped encoder.

        Args:
            device: `cpu` or `cuda`.

        Raises:
            NoCudaError: CUDA was asked for and is not here.
            OnnxUnavailableError: `onnx`, which reads the weights, is not installed.
        """
        return cls(WEIGHTS / MODEL_FILE, device)

    def embed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe how `samples` sound; see `VoiceEncoder.embed`."""
        row: NDArray[np.float32] = self.embed_many([samples])[0]
        return row

    def embed_many(self, clips: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Describe several.

        On CUDA copies and kernels of all batches are queued; the host waits once, for the
        result. On the CPU clips pass one by one, as no batch is faster there.

        Args:
            clips: each (samples,) float32 at 16 kHz; of longer audio the last 8 s are read.

        Returns:
            (clips, 768) float32: see `VoiceEncoder.embed`.

        Raises:
            TooShortError: one of them is under 20 ms.
        """
        frames = [whole_frames(samples) for samples in clips]
        if not clips:
            return np.zeros((0, EMBEDDING_SIZE), dtype=np.float32)
        size = CUDA_BATCH if self._device.type == "cuda" else 1
        with torch.inference_mode():
            pooled = [
                self._pool(clips[first : first + size], frames[first : first + size], size)
                for first in range(0, len(clips), size)
            ]
            rows: NDArray[np.float32] = torch.cat(pooled)[: len(clips)].cpu().numpy()
        return rows

    def _pool(
        self, clips: Sequence[NDArray[np.float32]], frames: Sequence[int], size: int
    ) -> torch.Tensor:
        """(size, 768) on the device; rows behind the last clip mean nothing."""
        on_cuda = self._device.type == "cuda"
        heard = torch.zeros(size, CLIP_SAMPLES, pin_memory=on_cuda)
        counts = torch.ones(size, pin_memory=on_cuda)
        for row, samples in enumerate(clips):
            newest = np.ascontiguousarray(samples[-CLIP_SAMPLES:])
            heard[row, CLIP_SAMPLES - len(newest) :] = torch.from_numpy(newest)
            counts[row] = frames[row]
        mel = self._log_mel.batch(heard.to(self._device, non_blocking=True))
        with torch.autocast(self._device.type, dtype=HALF, enabled=on_cuda):
            hidden = self._blocks(mel).last_hidden_state  # (size, 400, 384)
        return _mean_and_deviation(hidden.float(), counts.to(self._device, non_blocking=True))


def _blocks(model: Path) -> nn.Module:
    """Whisper's encoder in this size, with the weights of `model`."""
    config = WhisperConfig(
        num_mel_bins=MELS,
        d_model=FRAME_SIZE,
        encoder_layers=BLOCKS,
        encoder_attention_heads=HEADS,
        encoder_ffn_dim=FEED_FORWARD_SIZE,
        max_source_positions=POSITIONS,
    )
    encoder: nn.Module = WhisperEncoder(config)
    weights = read_float_weights(model)
    encoder.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return encoder.eval().requires_grad_(requires_grad=False)


def _mean_and_deviation(hidden: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Mean, then population standard deviation, over the last frames of each row.

    Args:
        hidden: (rows, positions, size).
        frames: (rows,) how many of the last positions count.

    Returns:
        (rows, 2 * size).
    """
    places = torch.arange(hidden.shape[1], device=hidden.device)
    inside = (places >= hidden.shape[1] - frames[:, None])[..., None]  # (rows, positions, 1)
    mean = (hidden * inside).sum(dim=1) / frames[:, None]
    squares = ((hidden - mean[:, None]) * inside).square().sum(dim=1) / frames[:, None]
    return torch.cat((mean, squares.sqrt()), dim=1)
