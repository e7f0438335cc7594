"""The float form of the encoder against the int8 graph that it was read from."""

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from inference.experts.log_mel import CLIP_SAMPLES, LogMel
from inference.experts.onnx_graph import open_graph
from inference.experts.voice_encoder import (
    EMBEDDING_SIZE,
    FIRST_FRAME,
    MODEL_FILE,
    WEIGHTS,
    TooShortError,
    VoiceEncoder,
    whole_frames,
)
from inference.experts.voice_encoder_torch import (
    CUDA_BATCH,
    HALF,
    NoCudaError,
    TorchVoiceEncoder,
    _mean_and_deviation,
)
from inference.experts.voice_encoder_weights import (
    OnnxUnavailableError,
    UnknownGraphError,
    read_float_weights,
)
from inference.training.audio_file import read_audio

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "data" / "emodb"
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
REFERENCE = SHARED / "weights" / "voice_encoder_reference.npz"
MODEL = WEIGHTS / MODEL_FILE

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA here")


@pytest.fixture(scope="module")
def encoder() -> TorchVoiceEncoder:
    return TorchVoiceEncoder.load()


@pytest.fixture(scope="module")
def recordings() -> list[np.ndarray]:
    return [read_audio(path) for path in sorted(RECORDINGS.glob("*.flac"))]


@pytest.fixture(scope="module")
def clips(recordings: list[np.ndarray]) -> list[np.ndarray]:
    """Speech, a second of it, more than the encoder sees, and noise."""
    noise = np.random.default_rng(7).normal(0.0, 0.1, 48_000).astype(np.float32)
    return [*recordings, recordings[0][:16_000], np.tile(recordings[1], 6), noise]


def _close(found: np.ndarray, expected: np.ndarray) -> bool:
    cosine = found @ expected / (np.linalg.norm(found) * np.linalg.norm(expected))
    return bool(np.abs(found - expected).mean() <= 0.08 and cosine >= 0.995)


def _without_rounding_between_layers() -> bytes:
    """The graph in which only the weights are int8."""
    model = onnx.load(str(MODEL))
    constants = {one.name for one in model.graph.initializer}
    before = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    exact = {
        node.output[0]: before[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] not in constants
    }
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = exact.get(name, name)
    return model.SerializeToString()


def test_speech_gets_the_int8_graphs_vector_up_to_its_rounding(
    encoder: TorchVoiceEncoder, recordings: list[np.ndarray]
) -> None:
    int8 = VoiceEncoder.load()
    for samples in recordings:
        assert _close(encoder.embed(samples), int8.embed(samples))


def test_the_published_vectors_are_met(encoder: TorchVoiceEncoder, shared_data: Path) -> None:
    if not REFERENCE.is_file():
        pytest.skip(f"no {REFERENCE}")
    vectors = np.load(REFERENCE)
    for name in sorted({name.rsplit("_", 1)[0] for name in vectors.files}):
        samples = read_audio(shared_data / "speech" / "emodb" / f"{name}.flac")
        assert _close(encoder.embed(samples), vectors[f"{name}_pooled"])


def test_nothing_but_that_rounding_is_different(
    encoder: TorchVoiceEncoder, clips: list[np.ndarray]
) -> None:
    graph = open_graph(_without_rounding_between_layers(), threads=1)
    for samples in clips:
        mel = LogMel()(samples)[None]
        (hidden,) = graph.run(None, {"input_features": mel, FIRST_FRAME: np.array([0])})
        with torch.inference_mode():
            found = encoder._blocks(torch.from_numpy(mel)).last_hidden_state.numpy()
        assert np.abs(found - hidden).max() < 1e-3
        assert np.abs(found - hidden).mean() < 1e-5


def test_a_clip_has_the_same_vector_alone_and_in_company(
    encoder: TorchVoiceEncoder, clips: list[np.ndarray]
) -> None:
    together = encoder.embed_many(clips)
    assert together.shape == (len(clips), EMBEDDING_SIZE)
    assert together.dtype == np.float32
    for row, samples in zip(together, clips, strict=True):
        assert np.array_equal(row, encoder.embed(samples))


def test_a_batch_that_is_filled_up_with_silence_describes_its_clips(
    encoder: TorchVoiceEncoder, clips: list[np.ndarray]
) -> None:
    with torch.inference_mode():
        pooled = encoder._pool(clips, [whole_frames(one) for one in clips], CUDA_BATCH).numpy()
    assert pooled.shape == (CUDA_BATCH, EMBEDDING_SIZE)
    assert np.isfinite(pooled).all()
    for row, samples in zip(pooled, clips, strict=False):
        assert np.abs(row - encoder.embed(samples)).max() < 1e-3


def test_nobody_gets_no_vector(encoder: TorchVoiceEncoder) -> None:
    assert encoder.embed_many([]).shape == (0, EMBEDDING_SIZE)
    assert VoiceEncoder.load().embed_many([]).shape == (0, EMBEDDING_SIZE)


def test_one_clip_that_is_too_short_is_refused_before_anything_runs(
    encoder: TorchVoiceEncoder, recordings: list[np.ndarray]
) -> None:
    with pytest.raises(TooShortError, match="319 samples"):
        encoder.embed_many([recordings[0], recordings[0][:319]])


def test_a_picture_from_a_batch_is_the_picture_of_one_clip(clips: list[np.ndarray]) -> None:
    log_mel = LogMel()
    padded = np.zeros((len(clips), CLIP_SAMPLES), dtype=np.float32)
    for row, samples in zip(padded, clips, strict=True):
        newest = samples[-CLIP_SAMPLES:]
        row[CLIP_SAMPLES - len(newest) :] = newest
    pictures = log_mel.batch(torch.from_numpy(padded)).numpy()
    for picture, samples in zip(pictures, clips, strict=True):
        assert np.abs(picture - log_mel(samples)).max() < 1e-5


def test_only_the_last_frames_of_a_row_are_pooled() -> None:
    hidden = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    pooled = _mean_and_deviation(hidden, torch.tensor([2.0, 5.0])).numpy()
    for row, frames in ((0, 2), (1, 5)):
        kept = hidden[row, -frames:].numpy()
        expected = np.concatenate((kept.mean(axis=0), kept.std(axis=0)))
        assert np.abs(pooled[row] - expected).max() < 1e-6


def test_speech_stays_far_from_what_half_precision_can_hold(
    encoder: TorchVoiceEncoder, recordings: list[np.ndarray]
) -> None:
    mel = torch.from_numpy(np.stack([LogMel()(samples) for samples in recordings]))
    with torch.inference_mode():
        exact = encoder._blocks(mel).last_hidden_state
        with torch.autocast("cpu", dtype=HALF):
            halved = encoder._blocks(mel).last_hidden_state.float()
    assert exact.abs().max() < 100.0
    assert (halved - exact).abs().mean() < 5e-3


def test_the_form_and_the_graph_are_named(encoder: TorchVoiceEncoder) -> None:
    assert encoder.backend != VoiceEncoder.load().backend
    assert encoder.sha256 == VoiceEncoder.load().sha256


def test_without_onnx_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OnnxUnavailableError, match=r"affectstream\[cuda\]"):
        read_float_weights(MODEL)


def test_another_graph_is_refused(tmp_path: Path) -> None:
    model = onnx.load(str(MODEL))
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = name.replace("v_proj", "w_proj")
    for constant in model.graph.initializer:
        constant.name = constant.name.replace("v_proj", "w_proj")
    other = tmp_path / "other.onnx"
    onnx.save(model, str(other))
    with pytest.raises(UnknownGraphError, match=r"other\.onnx"):
        read_float_weights(other)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(NoCudaError, match="finds no CUDA"):
        TorchVoiceEncoder.load("cuda")


@pytest.mark.gpu
@on_cuda
def test_cuda_and_cpu_agree_up_to_half_precision(
    encoder: TorchVoiceEncoder, recordings: list[np.ndarray]
) -> None:
    found = TorchVoiceEncoder.load("cuda").embed_many(recordings)
    for row, samples in zip(found, recordings, strict=True):
        assert np.abs(row - encoder.embed(samples)).mean() < 5e-3


@pytest.mark.gpu
@on_cuda
def test_on_cuda_a_vector_is_the_same_alone_and_in_any_company(clips: list[np.ndarray]) -> None:
    encoder = TorchVoiceEncoder.load("cuda")
    crowd = (clips * CUDA_BATCH)[: 2 * CUDA_BATCH + 1]
    together = encoder.embed_many(crowd)
    for row, samples in zip(together, crowd, strict=True):
        assert np.array_equal(row, encoder.embed(samples))
