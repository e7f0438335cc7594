"""What the speech expert asks of its encoder, and which form of it the heads accept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from inference.evidence import Absent, Evidence
from inference.experts import voice_encoders
from inference.experts.speech import SpeechExpert
from inference.experts.speech_head import WEIGHTS, SpeechHead, SpeechWeightsError
from inference.experts.voice_encoder import FLOAT, INT8, VoiceEncoder
from inference.experts.voice_encoder_torch import NoCudaError, TorchVoiceEncoder
from inference.experts.voice_encoders import open_encoder, shipped_heads
from inference.labels import Role
from inference.training.audio_file import read_audio
from inference.units import SECOND_NS
from inference.window import AudioSpan, WindowInput

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"


class CountingEncoder:
    """The real one, and how many clips came in each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self._encoder = VoiceEncoder.load()
        self.sha256, self.backend = self._encoder.sha256, self._encoder.backend

    def embed(self, samples: np.ndarray) -> np.ndarray:
        raise AssertionError("one by one")

    def embed_many(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        self.calls.append(len(clips))
        return self._encoder.embed_many(clips)


def _window(samples: np.ndarray, conversation: str = "c-1") -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation=conversation,
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        audio=(AudioSpan(0, samples),),
    )


def _heads_of(folder: Path, backend: str) -> Path:
    shipped = SpeechHead.load()
    config = msgspec.structs.replace(shipped.config, backend=backend)
    SpeechHead(shipped.emotion, shipped.distress, config).save(folder)
    return folder


@pytest.fixture(scope="module")
def voices() -> list[np.ndarray]:
    return [read_audio(path) for path in sorted(RECORDINGS.glob("*.flac"))]


def test_the_voices_of_all_conversations_reach_the_encoder_in_one_call_and_silence_never(
    voices: list[np.ndarray],
) -> None:
    encoder = CountingEncoder()
    expert = replace(SpeechExpert.load(), encoder=encoder)
    silence = np.zeros(48_000, dtype=np.float32)
    sounds = [silence, voices[0], silence, voices[1]]
    answers = expert.assess([_window(one, f"c-{place}") for place, one in enumerate(sounds)])
    assert [type(answer) for answer in answers] == [Absent, Evidence, Absent, Evidence]
    assert encoder.calls == [2]
    expert.assess([_window(silence)])
    assert encoder.calls == [2]


def test_answers_keep_the_order_of_their_windows(voices: list[np.ndarray]) -> None:
    expert = SpeechExpert.load()
    silence = np.zeros(48_000, dtype=np.float32)
    windows = [_window(one) for one in (voices[0], silence, voices[1])]
    together = expert.assess(windows)
    back = expert.assess(windows[::-1])[::-1]
    for one, other in zip(together, back, strict=True):
        if isinstance(one, Evidence):
            assert isinstance(other, Evidence)
            assert np.array_equal(one.log_probs, other.log_probs)
        else:
            assert one == other


def test_heads_choose_the_form_that_they_were_fitted_on(tmp_path: Path) -> None:
    assert SpeechExpert.load(device="cpu").encoder.backend == INT8
    floats = SpeechExpert.load(folder=_heads_of(tmp_path, FLOAT), device="cpu")
    assert isinstance(floats.encoder, TorchVoiceEncoder)
    assert floats.encoder.backend == FLOAT


def test_heads_of_the_int8_graph_are_refused_on_cuda() -> None:
    with pytest.raises(SpeechWeightsError, match=r"runs on the CPU only.*train speech"):
        SpeechExpert.load(folder=WEIGHTS, device="cuda")


def test_cuda_without_heads_of_its_form_says_how_to_make_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(voice_encoders, "FLOAT_HEADS", tmp_path / "speech_float")
    with pytest.raises(SpeechWeightsError, match=r"speech_float does not exist: .*--backend"):
        shipped_heads("cuda")


def test_a_form_that_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpeechWeightsError, match="'tpu-int4'; known are"):
        SpeechExpert.load(folder=_heads_of(tmp_path, "tpu-int4"))


@pytest.mark.parametrize(("cuda", "heads"), [(False, False), (False, True), (True, False)])
def test_auto_is_the_cpu_unless_cuda_and_its_heads_are_both_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, cuda: bool, heads: bool
) -> None:
    folder = tmp_path / "speech_float"
    if heads:
        folder.mkdir()
    monkeypatch.setattr(voice_encoders, "FLOAT_HEADS", folder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert shipped_heads("auto") == WEIGHTS


def test_auto_is_cuda_where_both_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(voice_encoders, "FLOAT_HEADS", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert shipped_heads("auto") == tmp_path


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(NoCudaError):
        open_encoder(FLOAT, 1, "cuda")
