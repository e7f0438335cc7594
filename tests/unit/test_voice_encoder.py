import os
from pathlib import Path

import numpy as np
import pytest

from inference.experts.log_mel import LogMel
from inference.experts.speech_head import SpeechHead
from inference.experts.voice_encoder import EMBEDDING_SIZE, TooShortError, VoiceEncoder
from inference.training.audio_file import read_audio

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
REFERENCE = SHARED / "weights" / "voice_encoder_reference.npz"
EMODB = SHARED / "data" / "speech" / "emodb"

Recording = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    return VoiceEncoder.load()


@pytest.fixture(scope="module")
def published() -> list[Recording]:
    """Samples, log-mel and pooled vector of three recordings, as the publisher's code has them."""
    if not REFERENCE.is_file() or not EMODB.is_dir():
        pytest.skip(f"no reference vectors in {SHARED}: set AFFECTSTREAM_SHARED")
    vectors = np.load(REFERENCE)
    names = sorted({name.rsplit("_", 1)[0] for name in vectors.files})
    return [
        (read_audio(EMODB / f"{name}.flac"), vectors[f"{name}_mel"], vectors[f"{name}_pooled"])
        for name in names
    ]


def test_the_picture_is_the_publishers(published: list[Recording]) -> None:
    for samples, mel, _ in published:
        assert np.abs(LogMel()(samples) - mel).max() < 1e-4


def test_the_vector_is_the_publishers_up_to_int8_on_other_processors(
    encoder: VoiceEncoder, published: list[Recording]
) -> None:
    for samples, _, pooled in published:
        found = encoder.embed(samples)
        cosine = found @ pooled / (np.linalg.norm(found) * np.linalg.norm(pooled))
        assert np.abs(found - pooled).mean() <= 0.08
        assert cosine >= 0.995


def test_a_vector_is_mean_then_deviation(encoder: VoiceEncoder) -> None:
    noise = np.random.default_rng(2).normal(0.0, 0.1, 32_000).astype(np.float32)
    vector = encoder.embed(noise)
    assert vector.shape == (EMBEDDING_SIZE,)
    assert np.isfinite(vector).all()
    assert (vector[EMBEDDING_SIZE // 2 :] >= 0.0).all()


def test_less_than_a_frame_is_refused_with_its_length(encoder: VoiceEncoder) -> None:
    with pytest.raises(TooShortError, match="319 samples"):
        encoder.embed(np.zeros(319, dtype=np.float32))


def test_the_shipped_heads_were_fitted_on_the_shipped_encoder(encoder: VoiceEncoder) -> None:
    assert SpeechHead.load().config.encoder_sha256 == encoder.sha256
