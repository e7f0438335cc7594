"""Pitch on sounds whose pitch is known."""

import numpy as np
import pytest

from inference.experts.pitch import REFERENCE_HZ, pitch_semitones
from inference.experts.voice_activity import FRAME_SAMPLES, Voicing
from inference.training.degrade import telephone
from inference.window import SPEECH_RATE_HZ

FRAMES = 60
SAMPLES = FRAMES * FRAME_SAMPLES


def spoken(samples: np.ndarray) -> Voicing:
    return Voicing(np.ones(-(-len(samples) // FRAME_SAMPLES), dtype=np.float32), len(samples))


def voice(pitch_hz: float, formants_hz: tuple[float, ...] = (500.0, 1_500.0)) -> np.ndarray:
    """Harmonics under formants, with a little breath."""
    random = np.random.default_rng(3)
    seconds = np.arange(SAMPLES) / SPEECH_RATE_HZ
    sound = random.normal(0.0, 0.02, SAMPLES)
    for number in range(1, int(4_000 / pitch_hz)):
        height = sum(1 / (1 + ((number * pitch_hz - hz) / 100) ** 2) for hz in formants_hz)
        phase = random.uniform(0, 2 * np.pi)
        sound += height * np.sin(2 * np.pi * number * pitch_hz * seconds + phase)
    return (0.1 * sound / sound.std()).astype(np.float32)


@pytest.mark.parametrize("line", ["wideband", "telephone"])
@pytest.mark.parametrize("pitch_hz", [82.0, 110.0, 165.0, 220.0, 330.0, 440.0])
def test_a_voice_has_its_pitch_even_where_the_line_cuts_its_fundamental_off(
    pitch_hz: float, line: str
) -> None:
    sound = voice(pitch_hz)
    found = pitch_semitones(telephone(sound) if line == "telephone" else sound, spoken(sound))
    assert len(found) > FRAMES / 2
    assert np.median(found) == pytest.approx(12 * np.log2(pitch_hz / REFERENCE_HZ), abs=0.25)


def test_a_resonance_on_a_harmonic_is_not_taken_for_the_pitch() -> None:
    sound = voice(150.0, formants_hz=(450.0, 1_200.0))
    found = pitch_semitones(sound, spoken(sound))
    assert np.median(found) == pytest.approx(12 * np.log2(150 / REFERENCE_HZ), abs=0.25)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(4).normal(0.0, 0.1, SAMPLES).astype(np.float32)
    assert len(pitch_semitones(noise, spoken(noise))) < FRAMES / 10
    assert len(pitch_semitones(0 * noise, spoken(noise))) == 0


def test_the_volume_of_the_line_changes_nothing() -> None:
    sound = voice(200.0)
    quiet = pitch_semitones(np.float32(0.01) * sound, spoken(sound))
    assert quiet == pytest.approx(pitch_semitones(sound, spoken(sound)), abs=1e-3)


def test_only_speech_is_measured() -> None:
    low, high = voice(100.0), voice(300.0)
    both = np.concatenate((low, high))
    heard = np.concatenate((np.ones(FRAMES), np.zeros(FRAMES))).astype(np.float32)
    found = pitch_semitones(both, Voicing(heard, len(both)))
    assert np.median(found) == pytest.approx(12 * np.log2(100 / REFERENCE_HZ), abs=0.25)
    assert len(found) <= FRAMES


@pytest.mark.parametrize("samples", [0, 100, 1_023])
def test_less_than_a_frame_has_no_pitch(samples: int) -> None:
    piece = voice(200.0)[:samples]
    assert len(pitch_semitones(piece, spoken(piece))) == 0
