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

    Args:
        device: of what `batch` is given; one clip alone is drawn on the CPU.
    """

    def __init__(self, device: torch.device | None = None) -> None:
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
        if device is not None:
            self._window, self._filters = self._window.to(device), self._filters.to(device)

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
        mel: NDArray[np.float32] = self._draw(torch.from_numpy(clip.astype(np.float32))).numpy()
        return mel

    def batch(self, clips: torch.Tensor) -> torch.Tensor:
        """Log-mel of several clips, each with its own mean, variance and top.

        Args:
            clips: (clips, 128000) float32 on the device, silence in front of shorter audio.

        Returns:
            (clips, 80, 800) float32 on the same device.
        """
        exact = clips.double()  # as one clip is brought to zero mean
        centred = exact - exact.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        return self._draw((centred / (variance + VARIANCE_FLOOR).sqrt()).float())

    def _draw(self, clips: torch.Tensor) -> torch.Tensor:
        """(..., 80, 800) of (..., 128000) samples of zero mean and unit variance."""
        spectrum = torch.stft(
            clips,
            n_fft=FFT_SAMPLES,
            hop_length=HOP_SAMPLES,
            window=self._window,
            return_complex=True,
        )[..., :-1]  # (..., frequencies, frames)
        energy = (self._filters @ spectrum.abs().square()).clamp_min(FLOOR).log10()
        top = energy.amax(dim=(-2, -1), keepdim=True)
        scaled: torch.Tensor = (energy.maximum(top - RANGE_LOG10) + 4.0) / 4.0
        return scaled
