"""The frozen voice encoder: audio in, one vector that describes how it sounds out."""

import hashlib
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.experts.log_mel import CLIP_SAMPLES, LogMel
from inference.experts.onnx_graph import open_graph

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "voice_encoder"
FRAME_SAMPLES: Final = 320  # 20 ms: 50 encoder frames a second
FRAME_SIZE: Final = 384
EMBEDDING_SIZE: Final = 2 * FRAME_SIZE


class TooShortError(AffectstreamError):
    """Audio shorter than one frame of the encoder."""


class VoiceEncoder:
    """Two blocks of a Whisper-shaped encoder, int8, on the CPU.

    Attributes:
        sha256: of the graph, in hex: heads remember which encoder they were fitted on.
    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        graph = model.read_bytes()
        self.sha256 = hashlib.sha256(graph).hexdigest()
        self._session = open_graph(graph, threads=threads)
        self._log_mel = LogMel()

    @classmethod
    def load(cls, threads: int = 1) -> Self:
        """Open the shipped encoder on `threads` threads."""
        return cls(WEIGHTS / "voice_encoder.onnx", threads)

    def embed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe how `samples` sound.

        Args:
            samples: (samples,) float32 at 16 kHz; of longer audio the last 8 s are read.

        Returns:
            (768,) float32: mean, then population standard deviation, over the encoder's
            frames that lie inside the audio, padding left out.

        Raises:
            TooShortError: under 20 ms.
        """
        frames = min(len(samples), CLIP_SAMPLES) // FRAME_SAMPLES
        if frames == 0:
            raise TooShortError(
                f"{len(samples)} samples are less than one frame of {FRAME_SAMPLES}: "
                "pass at least 20 ms of audio"
            )
        mel = self._log_mel(samples)
        (hidden,) = self._session.run(None, {"input_features": mel[None]})
        spoken = hidden[0, -frames:]  # (frames, 384)
        return np.concatenate((spoken.mean(axis=0), spoken.std(axis=0)))
