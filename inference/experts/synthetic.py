"""A window that nobody lived through: it takes every expert all the way, for warm-up."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from inference.labels import Role
from inference.units import SECOND_NS
from inference.window import (
    SPEECH_RATE_HZ,
    AudioSpan,
    CameraFrame,
    TextSpan,
    WindowInput,
)

LENGTH_S: Final = 3
SYLLABLE_SAMPLES: Final = SPEECH_RATE_HZ // 5
BREATH_SAMPLES: Final = SPEECH_RATE_HZ // 25
STEP_SAMPLES: Final = 80
"""Formants move in steps of 5 ms."""
PITCH_HZ: Final = 140.0
VOWELS_HZ: Final = ((270, 2290, 3010), (730, 1090, 2440), (300, 870, 2240), (660, 1720, 2410))
"""First three formants. Source: Peterson and Barney 1952, men."""
BANDWIDTHS_HZ: Final = (60, 90, 120)
TILT: Final = 0.97
PEAK: Final = 0.4
_SIDE_PX: Final = 240


def synthetic_window() -> WindowInput:
    """Three seconds with a voice, words and a picture without a face; the same every time."""
    end_ns = LENGTH_S * SECOND_NS
    grey = np.full((_SIDE_PX, _SIDE_PX, 3), 128, dtype=np.uint8)
    return WindowInput(
        tenant="-",
        run="warm-up",
        conversation="-",
        participant="-",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=end_ns,
        audio=(AudioSpan(0, synthetic_voice()),),
        words=(TextSpan(0, end_ns, "I have been waiting for an hour and nobody helps me", "en"),),
        frames=(CameraFrame(end_ns // 2, cv2.imencode(".jpg", grey)[1].tobytes()),),
    )


def synthetic_voice() -> NDArray[np.float32]:
    """Babble of gliding vowels and breath that a detector of speech takes for speech.

    Source: Fant, Acoustic Theory of Speech Production (1960): pulses through resonators.

    Returns:
        (48000,) float32 at 16 kHz, three seconds.
    """
    random = np.random.default_rng(1)
    length = LENGTH_S * SPEECH_RATE_HZ
    pieces: list[NDArray[np.float64]] = []
    for number in range(-(-length // (SYLLABLE_SAMPLES + BREATH_SAMPLES))):
        begin, end = (VOWELS_HZ[(number + step) % len(VOWELS_HZ)] for step in (0, 1))
        breath = random.normal(0.0, 0.03, BREATH_SAMPLES) * np.hanning(BREATH_SAMPLES)
        pieces += [breath, _syllable(np.array(begin), np.array(end))]
    babble = np.concatenate(pieces)[:length]
    voice: NDArray[np.float32] = (PEAK * babble / np.abs(babble).max()).astype(np.float32)
    return voice


def _syllable(begin_hz: NDArray[np.int_], end_hz: NDArray[np.int_]) -> NDArray[np.float64]:
    """(SYLLABLE_SAMPLES,) one vowel gliding into another, pitch falling, peak 1."""
    pitch_hz = PITCH_HZ * np.linspace(1.05, 0.9, SYLLABLE_SAMPLES)
    cycles = np.floor(np.cumsum(pitch_hz) / SPEECH_RATE_HZ)
    source = lfilter([1.0], [1.0, -TILT], np.diff(cycles, prepend=0.0))
    states = [np.zeros(2) for _ in BANDWIDTHS_HZ]
    steps = []
    for first in range(0, SYLLABLE_SAMPLES, STEP_SAMPLES):
        share = first / SYLLABLE_SAMPLES
        sound = source[first : first + STEP_SAMPLES]
        for place, hz in enumerate((1 - share) * begin_hz + share * end_hz):
            poles = _resonator(hz, BANDWIDTHS_HZ[place])
            sound, states[place] = lfilter([sum(poles)], poles, sound, zi=states[place])
        steps.append(sound)
    voiced = np.diff(np.concatenate(steps), prepend=0.0) * np.sqrt(np.hanning(SYLLABLE_SAMPLES))
    spoken: NDArray[np.float64] = voiced / np.abs(voiced).max()
    return spoken


def _resonator(hz: float, bandwidth_hz: float) -> tuple[float, float, float]:
    """Denominator of a two-pole filter at `hz`."""
    radius = float(np.exp(-np.pi * bandwidth_hz / SPEECH_RATE_HZ))
    return 1.0, -2.0 * radius * float(np.cos(2.0 * np.pi * hz / SPEECH_RATE_HZ)), radius**2
