from pathlib import Path

import numpy as np
import pytest

from inference.experts.voice_activity import (
    FRAME_SAMPLES,
    LENGTHS_OF_NOTHING,
    SpeechSpan,
    VoiceActivity,
    Voicing,
)
from inference.training.audio_file import read_audio

RECORDING = Path(__file__).parents[1] / "data" / "emodb" / "03a01Nc.flac"


@pytest.fixture(scope="module")
def voice_activity() -> VoiceActivity:
    return VoiceActivity.load()


def _voicing(*probabilities: float, missing: int = 0) -> Voicing:
    length = len(probabilities) * FRAME_SAMPLES - missing
    return Voicing(np.array(probabilities, dtype=np.float32), length)


def test_a_recorded_sentence_is_speech_and_the_silence_around_it_is_not(
    voice_activity: VoiceActivity,
) -> None:
    silence = np.zeros(16_000, dtype=np.float32)
    sentence = read_audio(RECORDING)
    voicing = voice_activity.detect(np.concatenate((silence, sentence, silence)))
    assert voicing.extent.start >= 16_000 - 2 * FRAME_SAMPLES
    assert voicing.extent.stop <= 16_000 + len(sentence) + 4 * FRAME_SAMPLES
    assert voicing.voiced_samples > 0.6 * len(sentence)
    assert voicing.confidence is not None
    assert voicing.confidence > 0.8


def test_silence_and_noise_are_not_speech(voice_activity: VoiceActivity) -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.05, 48_000).astype(np.float32)
    for samples in (np.zeros(48_000, dtype=np.float32), noise, noise[:0]):
        voicing = voice_activity.detect(samples)
        assert voicing.spans == ()
        assert voicing.extent == slice(0, 0)
        assert voicing.confidence is None


def test_a_muted_line_is_run_once_for_each_length_and_answered_as_if_it_were_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = VoiceActivity.load()
    expected = {length: detector._run(np.zeros(length, np.float32)) for length in (48_000, 700)}
    lengths: list[int] = []
    run = detector._run
    monkeypatch.setattr(
        detector, "_run", lambda samples: (lengths.append(len(samples)), run(samples))[1]
    )
    for length in (48_000, 700, 48_000, 700):
        voicing = detector.detect(np.zeros(length, dtype=np.float32))
        assert np.array_equal(voicing.probabilities, expected[length].probabilities)
        assert voicing.samples == length
    assert lengths == [48_000, 700]
    almost = np.zeros(700, dtype=np.float32)
    almost[-1] = 1e-9
    detector.detect(almost)
    assert lengths == [48_000, 700, 700]


def test_no_more_lengths_of_silence_are_kept_than_there_may_be() -> None:
    detector = VoiceActivity.load()
    for length in range(1, 2 * LENGTHS_OF_NOTHING):
        detector.detect(np.zeros(length, dtype=np.float32))
    assert len(detector._of_nothing) <= LENGTHS_OF_NOTHING


def test_speech_begins_at_one_half_and_ends_below_its_own_threshold() -> None:
    voicing = _voicing(0.4, 0.6, 0.4, 0.4, 0.3, 0.4)
    assert voicing.spans == (SpeechSpan(FRAME_SAMPLES, 4 * FRAME_SAMPLES),)
    assert voicing.mask.sum() == voicing.voiced_samples == 3 * FRAME_SAMPLES


def test_a_click_is_not_speech() -> None:
    assert _voicing(0.0, 0.9, 0.9, 0.0).spans == ()


def test_speech_never_reaches_over_the_end_of_the_audio() -> None:
    voicing = _voicing(0.9, 0.9, 0.9, missing=100)
    assert voicing.spans == (SpeechSpan(0, 3 * FRAME_SAMPLES - 100),)
    assert voicing.confidence == pytest.approx(0.9)


def test_an_answer_never_depends_on_what_was_heard_before(voice_activity: VoiceActivity) -> None:
    sentence = read_audio(RECORDING)
    first = voice_activity.detect(sentence).probabilities
    voice_activity.detect(np.zeros(48_000, dtype=np.float32))
    assert np.array_equal(voice_activity.detect(sentence).probabilities, first)
