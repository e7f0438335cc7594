from pathlib import Path

import numpy as np
import pytest

from inference.training.audio_file import UnreadableAudioError, read_audio
from inference.training.degrade import (
    SHORT_CUT_S,
    TWO_SECONDS,
    as_two_second_opus,
    opus_round_trip,
    random_cut,
    random_noise,
    telephone,
)

RECORDING = Path(__file__).parents[1] / "data" / "emodb" / "03a01Wa.flac"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(RECORDING)


def _share_outside(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / 16_000)
    return float(power[(hz < low_hz) | (hz > high_hz)].sum() / power.sum())


def test_a_cut_is_a_piece_of_the_recording_of_one_and_a_half_to_three_seconds() -> None:
    long = np.arange(80_000, dtype=np.float32)
    random = np.random.default_rng(12)
    for _ in range(20):
        cut = random_cut(long, random)
        assert 24_000 <= len(cut) <= 48_000
        assert (np.diff(cut) == 1.0).all()
        short = random_cut(long, random, SHORT_CUT_S)
        assert 9_600 <= len(short) <= 24_000
    assert np.array_equal(random_cut(long[:100], random), long[:100])


def test_opus_keeps_length_and_sound_but_not_the_samples(speech: np.ndarray) -> None:
    heard = opus_round_trip(speech, bit_rate=32_000)
    assert heard.shape == speech.shape
    assert heard.dtype == np.float32
    assert not np.array_equal(heard, speech)
    assert np.corrcoef(heard, speech)[0, 1] > 0.9


def test_the_common_format_is_two_seconds_however_long_the_recording(speech: np.ndarray) -> None:
    assert len(as_two_second_opus(speech)) == TWO_SECONDS
    assert len(as_two_second_opus(np.tile(speech, 3))) == TWO_SECONDS


def test_a_telephone_passes_300_to_3400_hz(speech: np.ndarray) -> None:
    noise = np.random.default_rng(13).normal(0.0, 0.1, 48_000).astype(np.float32)
    heard = telephone(noise)
    assert heard.shape == noise.shape
    assert _share_outside(heard, 200.0, 3_800.0) < 0.02
    assert _share_outside(telephone(speech), 200.0, 3_800.0) < 0.02


def test_noise_is_ten_to_thirty_decibels_below_the_recording(speech: np.ndarray) -> None:
    random = np.random.default_rng(14)
    for _ in range(10):
        added = random_noise(speech, random) - speech
        below_db = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
        assert 9.9 <= below_db <= 30.1


def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_text("not audio")
    with pytest.raises(UnreadableAudioError, match=r"call\.wav"):
        read_audio(path)
