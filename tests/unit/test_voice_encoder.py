import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from inference.experts.log_mel import LogMel
from inference.experts.onnx_graph import open_graph
from inference.experts.speech_head import SpeechHead
from inference.experts.synthetic import synthetic_voice
from inference.experts.voice_encoder import (
    EMBEDDING_SIZE,
    FIRST_FRAME,
    FRAME_SAMPLES,
    FRAME_SIZE,
    MODEL_FILE,
    POSITIONS,
    WEIGHTS,
    TooShortError,
    VoiceEncoder,
    whole_frames,
)
from inference.training.audio_file import read_audio
from inference.training.crop_encoder import crop

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


def test_answering_for_the_audio_alone_gives_the_bits_of_answering_for_the_silence_too(
    encoder: VoiceEncoder,
) -> None:
    voice = synthetic_voice()
    for samples in (voice, voice[:9_600], voice[:FRAME_SAMPLES], np.tile(voice, 3)):
        mel = LogMel()(samples)[None]
        frames = whole_frames(samples)
        (everywhere,) = encoder._session.run(
            None, {"input_features": mel, FIRST_FRAME: np.array([0])}
        )
        (inside,) = encoder._session.run(
            None, {"input_features": mel, FIRST_FRAME: np.array([POSITIONS - frames])}
        )
        assert everywhere.shape == (1, POSITIONS, FRAME_SIZE)
        assert np.array_equal(everywhere[:, -frames:], inside)


def test_the_shipped_graph_is_the_published_one_cropped_and_gives_its_bits(
    encoder: VoiceEncoder,
) -> None:
    source = SHARED / "weights" / "voice_encoder.onnx"
    if not source.is_file():
        pytest.skip(f"no published graph in {SHARED}: set AFFECTSTREAM_SHARED")
    published = source.read_bytes()
    assert hashlib.sha256(published).hexdigest() == encoder.sha256
    assert crop(published) == (WEIGHTS / MODEL_FILE).read_bytes()
    samples = synthetic_voice()
    mel = LogMel()(samples)[None]
    (hidden,) = open_graph(published, threads=1).run(None, {"input_features": mel})
    spoken = hidden[0, -whole_frames(samples) :]
    expected = np.concatenate((spoken.mean(axis=0), spoken.std(axis=0)))
    assert np.array_equal(encoder.embed(samples), expected)


def test_several_clips_are_described_as_each_alone(encoder: VoiceEncoder) -> None:
    voice = synthetic_voice()
    clips = [voice, voice[:16_000], voice[8_000:]]
    for row, samples in zip(encoder.embed_many(clips), clips, strict=True):
        assert np.array_equal(row, encoder.embed(samples))


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
