from pathlib import Path

import numpy as np
import pytest

from inference.training.audio_file import UnreadableAudioError, read_audio
from inference.training.degrade import (
    LINE_LEVEL_DB,
    PACKET_SAMPLES,
    SHORT_CUT_S,
    TWO_SECONDS,
    Carry,
    a_law,
    as_two_second_opus,
    lose_packets,
    mu_law,
    opus_round_trip,
    random_cut,
    random_level,
    random_line,
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


@pytest.mark.parametrize("law", [mu_law, a_law])
def test_companding_keeps_loud_and_quiet_alike_some_38_db_above_its_rounding(law: Carry) -> None:
    tone = np.sin(np.arange(8_000) * 0.7)
    for loudness in (0.9, 0.1, 0.03):
        error = law(tone * loudness) - tone * loudness
        above_db = 10 * np.log10(np.mean((tone * loudness) ** 2) / np.mean(error**2))
        assert 33 < above_db < 42
    assert np.abs(law(np.array([-1.0, 1.0]))) == pytest.approx(1.0)
    ascending = law(np.linspace(-1, 1, 20_001))
    assert (np.diff(ascending) >= -1e-12).all()
    assert len(np.unique(ascending)) == 256


def test_the_laws_differ(speech: np.ndarray) -> None:
    assert not np.array_equal(telephone(speech), telephone(speech, a_law))


def test_a_line_loses_the_share_that_it_is_said_to_lose_in_bursts() -> None:
    line = np.ones(PACKET_SAMPLES * 20_000)
    heard = lose_packets(line, np.random.default_rng(3), 0.05)
    lost = heard.reshape(-1, PACKET_SAMPLES)[:, 0] < 1.0
    assert lost.mean() == pytest.approx(0.05, abs=0.01)
    assert lost[1:][lost[:-1]].mean() == pytest.approx(0.5, abs=0.06)  # a burst goes on
    assert (heard[np.repeat(~lost, PACKET_SAMPLES)] == 1.0).all()


def test_a_loss_fades_into_silence() -> None:
    class AlwaysLost:
        def random(self) -> float:
            return 0.0

    heard = lose_packets(np.ones(6 * PACKET_SAMPLES), AlwaysLost(), 0.5)  # type: ignore[arg-type]
    assert heard[::PACKET_SAMPLES].tolist() == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_a_level_is_reached_and_full_scale_never_left(speech: np.ndarray) -> None:
    random = np.random.default_rng(4)
    for _ in range(10):
        heard = random_level(speech, random)
        level_db = 10 * np.log10(np.mean(heard.astype(np.float64) ** 2))
        assert LINE_LEVEL_DB[0] - 0.1 <= level_db <= LINE_LEVEL_DB[1] + 0.1
        assert np.abs(heard).max() <= 1.0
    assert not random_level(np.zeros(100, dtype=np.float32), random).any()


def test_a_bad_line_is_a_telephone_and_by_its_seed(speech: np.ndarray) -> None:
    first, again, other = (random_line(speech, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.shape == speech.shape
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert _share_outside(first, 0.0, 4_200.0) < 0.001


def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_text("not audio")
    with pytest.raises(UnreadableAudioError, match=r"call\.wav"):
        read_audio(path)
