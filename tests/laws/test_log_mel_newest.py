import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.experts.log_mel import CLIP_SAMPLES, LogMel

LOG_MEL = LogMel()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), earlier=st.integers(0, 40_000))
def test_nothing_before_the_newest_eight_seconds_is_read(seed: int, earlier: int) -> None:
    random = np.random.default_rng(seed)
    newest = random.normal(0.0, 0.1, CLIP_SAMPLES).astype(np.float32)
    before = random.normal(0.0, 1.0, earlier).astype(np.float32)
    assert np.array_equal(LOG_MEL(np.concatenate((before, newest))), LOG_MEL(newest))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), zeros=st.integers(0, 60_000))
def test_silence_in_front_changes_nothing(seed: int, zeros: int) -> None:
    audio = np.random.default_rng(seed).normal(0.0, 0.1, 48_000).astype(np.float32)
    silent = np.zeros(zeros, dtype=np.float32)
    assert np.array_equal(LOG_MEL(np.concatenate((silent, audio))), LOG_MEL(audio))
