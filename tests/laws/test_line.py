"""Laws of hearing which line a voice came over."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.experts.line import TELEPHONE_DB, Line, beyond_db, line_of
from inference.experts.voice_activity import VoiceActivity, Voicing
from inference.training.audio_file import read_audio
from inference.training.degrade import (
    a_law,
    lose_packets,
    opus_round_trip,
    random_line,
    random_noise,
    telephone,
)

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
VOICE_ACTIVITY = VoiceActivity.load()
VOICES = {path.stem: read_audio(path) for path in sorted(RECORDINGS.glob("*.flac"))}


def heard_line(samples: np.ndarray) -> Line:
    return line_of(beyond_db(samples, VOICE_ACTIVITY.detect(samples)))


@settings(max_examples=20)
@given(st.sampled_from(sorted(VOICES)), st.integers(0, 2**32 - 1))
def test_whatever_a_telephone_line_does_it_stays_one(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    for heard in (
        random_line(VOICES[name], random),
        telephone(random_noise(VOICES[name], random, (0.0, 20.0)), a_law),
        telephone(VOICES[name], carry=lambda line: lose_packets(line, random, 0.1)),
    ):
        assert heard_line(heard) is Line.TELEPHONE


@settings(max_examples=20)
@given(st.sampled_from(sorted(VOICES)), st.integers(0, 2**32 - 1))
def test_a_wideband_voice_stays_wideband_in_noise_and_opus(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    assert heard_line(VOICES[name]) is Line.WIDEBAND
    assert heard_line(random_noise(VOICES[name], random, (0.0, 30.0))) is Line.WIDEBAND
    assert heard_line(opus_round_trip(VOICES[name], bit_rate=16_000)) is Line.WIDEBAND


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_loudness_says_nothing(seed: int, gain: float) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, 16_000).astype(np.float32)
    voicing = Voicing(np.ones(32, dtype=np.float32), 16_000)
    assert beyond_db((samples * gain).astype(np.float32), voicing) == pytest.approx(
        beyond_db(samples, voicing), abs=0.01
    )


def test_what_is_between_the_words_says_nothing() -> None:
    random = np.random.default_rng(8)
    hiss = random.normal(0, 0.1, 32_000).astype(np.float32)
    spoken = telephone(hiss)
    spoken[16_000:] = hiss[16_000:]
    speaking = np.zeros(63, dtype=np.float32)
    speaking[:28] = 1.0
    assert beyond_db(spoken, Voicing(speaking, 32_000)) < TELEPHONE_DB
    assert beyond_db(spoken, Voicing(np.ones(63, dtype=np.float32), 32_000)) > TELEPHONE_DB


def test_silence_is_no_line_that_raises() -> None:
    nothing = np.zeros(16_000, dtype=np.float32)
    assert beyond_db(nothing, VOICE_ACTIVITY.detect(nothing)) == 0.0
    assert beyond_db(nothing[:100], VOICE_ACTIVITY.detect(nothing[:100])) == 0.0


@pytest.mark.parametrize(
    ("clip", "line"),
    [
        ("narrowband_us_20s.wav", Line.TELEPHONE),
        ("phone_two_party_30s.wav", Line.TELEPHONE),
        ("two_speakers_19s.wav", Line.WIDEBAND),
        # mu-law sampled at 16 kHz, in spite of its name: it holds voice up to 8 kHz
        ("mulaw_8k.wav", Line.WIDEBAND),
    ],
)
def test_calls_and_recordings_from_elsewhere_are_told_apart(
    clip: str, line: Line, shared_data: Path
) -> None:
    assert heard_line(read_audio(shared_data / "clips" / clip)) is line
