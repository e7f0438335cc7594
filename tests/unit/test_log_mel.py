import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from inference.experts.log_mel import CLIP_SAMPLES, LogMel


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return LogMel()


def _noise(samples: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, 0.1, samples).astype(np.float32)


def test_a_full_clip_looks_as_whispers_own_extractor_draws_it(log_mel: LogMel) -> None:
    clip = _noise(CLIP_SAMPLES)
    theirs = WhisperFeatureExtractor(feature_size=80, chunk_length=8)(
        clip, sampling_rate=16_000, return_tensors="np", do_normalize=True
    ).input_features[0]
    assert np.abs(log_mel(clip) - theirs).max() < 1e-4


def test_short_audio_stands_at_the_end_after_silence(log_mel: LogMel) -> None:
    audio = _noise(16_000)
    padded = np.concatenate((np.zeros(CLIP_SAMPLES - 16_000, dtype=np.float32), audio))
    mel = log_mel(audio)
    assert mel.shape == (80, 800)
    assert np.array_equal(mel, log_mel(padded))
    assert mel[:, -90:].mean() > mel[:, :690].mean() + 0.5


def test_louder_or_quieter_is_the_same_picture(log_mel: LogMel) -> None:
    audio = _noise(48_000)
    assert np.abs(log_mel(audio) - log_mel(audio * np.float32(0.3))).max() < 1e-2


def test_silence_is_a_picture_too(log_mel: LogMel) -> None:
    assert np.isfinite(log_mel(np.zeros(48_000, dtype=np.float32))).all()
