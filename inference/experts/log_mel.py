"""The log-mel picture of a voice that Whisper-shaped encoders read."""

from typing import Final

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray

from inference.window import SPEECH_RATE_HZ

CLIP_S: Final = 8
CLIP_SAMPLES: Final = CLIP_S * SPEECH_RATE_HZ
FFT_SAMPLES: Final = 400  # 25 ms
HOP_SAMPLES: Final = 160  # 10 ms
MELS: Final = 80
FLOOR: Final = 1e-10
RANGE_LOG10: Final = 8.0
VARIANCE_FLOOR: Final = 1e-7


class LogMel:
    """Turn samples into `(80, 800)` log-mel frames of 10 ms.

    Source: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision
    (2022), section 2.2, with the scaling `(max(log10 m, top - 8) + 4) / 4` of its code.
    Departure, after the publisher of the encoder: the clip is 8 s instead of 30 s, is padded
    with zeros on the **left**, and is brought to zero mean and unit variance over the padded
    clip, so that loudness says nothing.
    """

    def __init__(self) -> None:
        self._window = torch.hann_window(FFT_SAMPLES)
        self._filters = torchaudio.functional.melscale_fbanks(
            n_freqs=FFT_SAMPLES // 2 + 1,
            f_min=0.0,
            f_max=SPEECH_RATE_HZ / 2,
            n_mels=MELS,
            sample_rate=SPEECH_RATE_HZ,
            norm="slaney",
            mel_scale="slaney",
        ).T  # (mels, frequencies)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel of the newest 8 s.

        Args:
            samples: (samples,) float32 at 16 kHz; of longer audio the last 8 s are read.

        Returns:
            (80, 800) float32, the last column nearest to the end of `samples`.
        """
        newest = samples[-CLIP_SAMPLES:]
        clip = np.zeros(CLIP_SAMPLES)
        clip[CLIP_SAMPLES - len(newest) :] = newest
        clip = (clip - clip.mean()) / np.sqrt(clip.var() + VARIANCE_FLOOR)
        spectrum = torch.stft(
            torch.from_numpy(clip.astype(np.float32)),
            n_fft=FFT_SAMPLES,
            hop_length=HOP_SAMPLES,
            window=self._window,
            return_complex=True,
        )[:, :-1]  # (frequencies, frames)
        energy = (self._filters @ spectrum.abs().square()).clamp_min(FLOOR).log10()
        scaled = (energy.clamp_min(energy.max() - RANGE_LOG10) + 4.0) / 4.0
        mel: NDArray[np.float32] = scaled.numpy()  # (mels, frames)
        return mel
