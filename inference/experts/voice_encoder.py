"""The frozen voice encoder: audio in, one vector that describes how it sounds out."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.experts.log_mel import CLIP_SAMPLES, LogMel
from inference.experts.onnx_graph import open_graph

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "voice_encoder"
MODEL_FILE: Final = "voice_encoder.onnx"
INT8: Final = "onnxruntime-cpu-int8"
"""Backend of `VoiceEncoder`."""
FLOAT: Final = "torch-float"
"""Of `TorchVoiceEncoder`, named here since its heavy imports wait until it is wanted."""
FRAME_SAMPLES: Final = 320  # 20 ms: 50 encoder frames a second
FRAME_SIZE: Final = 384
EMBEDDING_SIZE: Final = 2 * FRAME_SIZE
VOICE_SPACE: Final = f"voice-{EMBEDDING_SIZE}"
"""Of `Features`. All forms of the encoder agree to a cosine of .995 or more."""
POSITIONS: Final = CLIP_SAMPLES // FRAME_SAMPLES
FIRST_FRAME: Final = "first_frame"
"""Input of the graph: from which position on its second block answers."""
SAME_BITS: Final = {
    "bc1675b879f06bb39f964d708a7fc6d71209f778cb761e708abebc6d3d9c7524": (
        "4ee1cc42c10d692cc31c3b0ceb4fa36c02074ec2042b938b71a3ce538fdbc1b7"
    )
}
"""SHA-256 of a cropped graph to that of the whole one: what was fitted on one fits the other
(`inference.training.crop_encoder`)."""


class TooShortError(AffectstreamError):
    """Audio shorter than one frame of the encoder."""


class EmbedsVoice(Protocol):
    """A form of the voice encoder. Forms differ a little: each has heads of its own."""

    @property
    def sha256(self) -> str:
        """Of the whole graph, in hex: heads remember which encoder they were fitted on."""
        ...

    @property
    def backend(self) -> str:
        """Which form this is: heads remember that too."""
        ...

    def embed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe how `samples` sound; see `VoiceEncoder.embed`."""
        ...

    def embed_many(self, clips: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(clips, 768) of several; each row as `embed` gives it alone."""
        ...


class VoiceEncoder:
    """Two blocks of a Whisper-shaped encoder, int8, on the CPU.

    Its second block answers for the frames inside the audio alone.

    Attributes:
        sha256: of the whole graph, in hex: heads remember which encoder they were fitted on.
        backend: name of this form.
    """

    backend: Final = INT8

    def __init__(self, model: Path, threads: int = 1) -> None:
        graph = model.read_bytes()
        self.sha256 = graph_digest(graph)
        self._session = open_graph(graph, threads=threads)
        self._log_mel = LogMel()

    @classmethod
    def load(cls, threads: int = 1) -> Self:
        """Open the shipped encoder on `threads` threads."""
        return cls(WEIGHTS / MODEL_FILE, threads)

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
        frames = whole_frames(samples)
        mel = self._log_mel(samples)
        first = np.array([POSITIONS - frames])
        (hidden,) = self._session.run(None, {"input_features": mel[None], FIRST_FRAME: first})
        spoken = hidden[0]  # (frames, 384)
        return np.concatenate((spoken.mean(axis=0), spoken.std(axis=0)))

    def embed_many(self, clips: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Describe several, one by one: the graph scales no better in a batch.

        Returns:
            (clips, 768) float32.

        Raises:
            TooShortError: one of them is under 20 ms.
        """
        rows = np.empty((len(clips), EMBEDDING_SIZE), dtype=np.float32)
        for row, samples in zip(rows, clips, strict=True):
            row[:] = self.embed(samples)
        return rows


def graph_digest(graph: bytes) -> str:
    """SHA-256 in hex of the graph, or of the whole one that it was cropped from."""
    digest = hashlib.sha256(graph).hexdigest()
    return SAME_BITS.get(digest, digest)


def whole_frames(samples: NDArray[np.float32]) -> int:
    """Frames of the encoder that lie in the last 8 s of `samples`. Raises TooShortError."""
    frames = min(len(samples), CLIP_SAMPLES) // FRAME_SAMPLES
    if frames == 0:
        raise TooShortError(
            f"{len(samples)} samples are less than one frame of {FRAME_SAMPLES}: "
            "pass at least 20 ms of audio"
        )
    return frames
