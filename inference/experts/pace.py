"""Pace: how many syllables a second somebody speaks, from loudness alone. For cues, not scores."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from inference.experts.voice_activity import Voicing
from inference.window import SPEECH_RATE_HZ

FRAME_SAMPLES: Final = 160  # 10 ms
SMOOTHING_FRAMES: Final = 9
"""Two syllables are hardly nearer than this, 90 ms; the pulses of a low voice are."""
DIP_DB: Final = 4.0
"""How far loudness falls between two syllables."""
POWER_FLOOR: Final = 1e-9
LEAST_SPEECH_S: Final = 1.0
"""Of less speech a rate would be one of three or four syllables."""


def pace_per_s(samples: NDArray[np.float32], voicing: Voicing) -> float | None:
    """Peaks of loudness in each second of speech, which are syllables for the most part.

    Source: de Jong and Wempe 2009 (peaks of intensity with a dip of 2 dB between them).
    Departures: the dip is 4 dB and power is smoothed, as only a difference from the same voice
    is asked for; and a peak need not have a pitch. None for less than a second of speech.

    Args:
        samples: (samples,) float32 at 16 kHz.
        voicing: of the same samples.
    """
    whole = len(samples) // FRAME_SAMPLES
    spoken = voicing.mask[: whole * FRAME_SAMPLES : FRAME_SAMPLES]  # (frames,)
    speech_s = float(spoken.sum()) * FRAME_SAMPLES / SPEECH_RATE_HZ
    if speech_s < LEAST_SPEECH_S:
        return None
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    kernel = np.hanning(SMOOTHING_FRAMES + 2)[1:-1]
    smooth = np.convolve(power, kernel / kernel.sum(), mode="same")
    loudness_db = 10.0 * np.log10(np.maximum(smooth, POWER_FLOOR))
    peaks, _ = signal.find_peaks(
        np.where(spoken, loudness_db, loudness_db.min()), prominence=DIP_DB
    )
    return len(peaks) / speech_s
