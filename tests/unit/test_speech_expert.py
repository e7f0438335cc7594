from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.evidence import Absent, Evidence
from inference.experts.speech import SpeechExpert, window_samples
from inference.experts.speech_head import SpeechHead, SpeechWeightsError
from inference.labels import AbsenceReason, Emotion, Modality, Role
from inference.training.audio_file import read_audio
from inference.units import SECOND_NS
from inference.window import AudioSpan, WindowInput

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
START_NS = 1_000 * SECOND_NS
WINDOW_SAMPLES = 48_000


@pytest.fixture(scope="module")
def expert() -> SpeechExpert:
    return SpeechExpert.load(threads=1)


@pytest.fixture(scope="module")
def angry() -> np.ndarray:
    return read_audio(RECORDINGS / "03a01Wa.flac")


def _window(samples: np.ndarray, at_ns: int = START_NS) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=START_NS,
        end_ns=START_NS + 3 * SECOND_NS,
        audio=(AudioSpan(at_ns, samples.astype(np.float32)),),
    )


def _only(expert: SpeechExpert, window: WindowInput) -> Evidence | Absent:
    (answer,) = expert.assess([window])
    return answer


def _evidence(expert: SpeechExpert, window: WindowInput) -> Evidence:
    answer = _only(expert, window)
    assert isinstance(answer, Evidence)
    return answer


def test_the_expert_reads_speech_of_the_window_alone(expert: SpeechExpert) -> None:
    assert expert.modality is Modality.SPEECH
    assert expert.look_back_ns == 0
    assert expert.version.startswith("speech-emodb-")


def test_an_angry_stranger_sounds_angry_and_distressed(
    expert: SpeechExpert, angry: np.ndarray
) -> None:
    evidence = _evidence(expert, _window(angry))
    assert evidence.labels[int(evidence.log_probs.argmax())] is Emotion.ANGER
    assert np.exp(evidence.log_probs).sum() == pytest.approx(1.0)
    assert evidence.distress_log_odds is not None
    assert evidence.distress_log_odds > 1.0
    assert [cue.cue.split(" ")[0] for cue in evidence.cues] == ["raised"]
    assert evidence.cues[0].at_ns is not None
    assert START_NS <= evidence.cues[0].at_ns < START_NS + SECOND_NS


def test_a_neutral_stranger_sounds_neutral_and_calm(expert: SpeechExpert) -> None:
    evidence = _evidence(expert, _window(read_audio(RECORDINGS / "03a01Nc.flac")))
    assert evidence.labels[int(evidence.log_probs.argmax())] is Emotion.NEUTRAL
    assert evidence.distress_log_odds is not None
    assert evidence.distress_log_odds < -1.0
    assert evidence.cues == ()


def test_silence_noise_and_no_audio_at_all_are_silence(expert: SpeechExpert) -> None:
    noise = np.random.default_rng(9).normal(0.0, 0.02, WINDOW_SAMPLES)
    windows = [
        _window(np.zeros(WINDOW_SAMPLES)),
        _window(noise),
        replace(_window(noise), audio=()),
    ]
    assert expert.assess(windows) == [Absent(Modality.SPEECH, AbsenceReason.SILENCE)] * 3


def test_a_word_too_short_to_judge_is_silence(expert: SpeechExpert, angry: np.ndarray) -> None:
    answer = _only(expert, _window(angry[4_000:10_000]))
    assert answer == Absent(Modality.SPEECH, AbsenceReason.SILENCE)


def test_samples_that_are_no_numbers_are_undecodable(
    expert: SpeechExpert, angry: np.ndarray
) -> None:
    broken = angry.copy()
    broken[100] = np.nan
    answer = _only(expert, _window(broken))
    assert answer == Absent(Modality.SPEECH, AbsenceReason.UNDECODABLE)


def test_quality_tells_how_much_how_clear_and_how_recent(
    expert: SpeechExpert, angry: np.ndarray
) -> None:
    random = np.random.default_rng(10)
    padded = np.pad(angry, (0, WINDOW_SAMPLES - len(angry)))
    noisy = padded + random.normal(0.0, 0.3 * angry.std(), WINDOW_SAMPLES)
    clean = _evidence(expert, _window(padded)).quality
    worse = _evidence(expert, _window(noisy)).quality
    late_ns = START_NS + 3 * SECOND_NS - len(angry) * SECOND_NS // 16_000
    later = _evidence(expert, _window(angry, at_ns=late_ns)).quality
    for quality in (clean, worse, later):
        for component in (
            quality.present_share,
            quality.level,
            quality.freshness,
            quality.confidence,
        ):
            assert component is not None
            assert 0.0 <= component <= 1.0
    assert clean.level is not None
    assert worse.level is not None
    assert worse.level < clean.level - 0.2
    assert later.freshness is not None
    assert clean.freshness is not None
    assert later.freshness > clean.freshness + 0.2
    assert later.present_share == pytest.approx(clean.present_share, abs=0.1)


def test_audio_lands_at_its_time_gaps_are_silence_and_neighbours_are_left_out() -> None:
    ones = np.ones(16_000)
    window = replace(
        _window(ones),
        audio=(
            AudioSpan(START_NS - SECOND_NS // 2, ones.astype(np.float32)),
            AudioSpan(START_NS + 5 * SECOND_NS // 2, ones.astype(np.float32)),
        ),
    )
    line = window_samples(window)
    assert line.shape == (WINDOW_SAMPLES,)
    assert line[:8_000].all()
    assert not line[8_000:40_000].any()
    assert line[40_000:].all()


def test_heads_of_another_encoder_are_refused(tmp_path: Path) -> None:
    shipped = SpeechHead.load()
    config = msgspec.structs.replace(shipped.config, encoder_sha256="f" * 64)
    SpeechHead(shipped.emotion, shipped.distress, config).save(tmp_path)
    with pytest.raises(SpeechWeightsError, match="ffffffffffff"):
        SpeechExpert.load(folder=tmp_path)
