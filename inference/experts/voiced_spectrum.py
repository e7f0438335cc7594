"""The spectrum of a voice while it speaks, in few bands."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import Voicing
from inference.window import SPEECH_RATE_HZ

FRAME_SAMPLES: Final = 512  # 32 ms
POWER_FLOOR: Final = 1e-12

Band = tuple[float, float]
"""`[low, high)` in Hz."""


def band_ratio_db(
    samples: NDArray[np.float32], voicing: Voicing, upper: Band, lower: Band
) -> float:
    """Power in `upper` over power in `lower` while somebody speaks, dB.

    Args:
        samples: (samples,) float32 at 16 kHz.
        voicing: of the same samples; where it hears nobody, all frames are taken.
        upper: band above the line of the fraction.
        lower: band below it.
    """
    whole = len(samples) // FRAME_SAMPLES
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES)
    if voicing.spans:
        frames = frames[voicing.mask[: whole * FRAME_SAMPLES : FRAME_SAMPLES]]  # (frames, 512)
    spectrum = np.fft.rfft(frames * np.hanning(FRAME_SAMPLES))
    power = np.square(np.abs(spectrum)).sum(axis=0)  # (frequencies,)
    above, below = (max(_sum(power, band), POWER_FLOOR) for band in (upper, lower))
    return float(10.0 * np.log10(above / below))


def _sum(power: NDArray[np.float64], band: Band) -> float:
    """Sum of `power`, (frequencies,), over `band`."""
    first, last = (round(hz * FRAME_SAMPLES / SPEECH_RATE_HZ) for hz in band)
    return float(power[first:last].sum())
