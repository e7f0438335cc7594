"""Reads a recording for training."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.window import SPEECH_RATE_HZ


class UnreadableAudioError(AffectstreamError):
    """A file that holds no audio that FFmpeg can read."""


def read_audio(path: Path) -> NDArray[np.float32]:
    """Decode the first audio track of `path`: (samples,) float32, mono, 16 kHz.

    Raises UnreadableAudioError naming the file.
    """
    try:
        with av.open(path) as container:
            return decode_audio(container)
    except (av.FFmpegError, IndexError) as exc:
        raise UnreadableAudioError(f"{path}: no readable audio ({exc})") from exc


def decode_audio(container: av.container.InputContainer) -> NDArray[np.float32]:
    """Decode the first audio track of an open container, as `read_audio`."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE_HZ)
    pieces = [
        resampled.to_ndarray()[0]
        for frame in (*container.decode(audio=0), None)
        for resampled in resampler.resample(frame)
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
