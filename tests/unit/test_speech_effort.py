import numpy as np
import pytest
from scipy import signal

from inference.experts.speech_effort import EffortReference, vocal_effort_db
from inference.experts.voice_activity import FRAME_SAMPLES, Voicing

FRAMES = 94


def _spoken(samples: np.ndarray) -> Voicing:
    return Voicing(np.ones(FRAMES, dtype=np.float32), len(samples))


@pytest.fixture
def noise() -> np.ndarray:
    samples = np.random.default_rng(8).normal(0.0, 0.1, FRAMES * FRAME_SAMPLES)
    return samples.astype(np.float32)


def test_white_noise_has_the_ratio_of_the_widths_of_the_bands(noise: np.ndarray) -> None:
    expected = 10 * np.log10((3_400 - 1_000) / (1_000 - 300))
    assert vocal_effort_db(noise, _spoken(noise)) == pytest.approx(expected, abs=0.5)


def test_the_volume_of_the_line_changes_nothing(noise: np.ndarray) -> None:
    quiet = noise * np.float32(0.05)
    assert vocal_effort_db(quiet, _spoken(quiet)) == pytest.approx(
        vocal_effort_db(noise, _spoken(noise)), abs=1e-3
    )


def test_more_of_the_upper_band_is_more_effort(noise: np.ndarray) -> None:
    upper = signal.sosfilt(signal.butter(2, 1_500, "highpass", fs=16_000, output="sos"), noise)
    brighter = (noise + 2 * upper).astype(np.float32)
    assert vocal_effort_db(brighter, _spoken(brighter)) > vocal_effort_db(noise, _spoken(noise)) + 3


def test_only_speech_is_measured(noise: np.ndarray) -> None:
    half = FRAMES // 2
    probabilities = np.zeros(FRAMES, dtype=np.float32)
    probabilities[:half] = 1.0
    changed = noise.copy()
    changed[half * FRAME_SAMPLES :] = 0.5
    voicing = Voicing(probabilities, len(noise))
    assert vocal_effort_db(changed, voicing) == vocal_effort_db(noise, voicing)


def test_a_cue_says_which_way_and_how_far_and_nothing_about_neutral_voices() -> None:
    reference = EffortReference.of(np.array([-12.0, -8.0, -4.0]))
    assert reference == EffortReference(-8.0, 4.0)
    assert reference.cue(-8.0 + 5.0) is None
    raised, soft = reference.cue(0.0), reference.cue(-16.0)
    assert raised is not None
    assert soft is not None
    assert raised.startswith("raised voice (+2.0 sd")
    assert soft.startswith("soft voice (-2.0 sd")
