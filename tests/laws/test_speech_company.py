"""An answer of the speech expert never depends on the windows that are read with it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Evidence
from inference.experts.speech import SpeechExpert
from inference.labels import Role
from inference.training.audio_file import read_audio
from inference.units import SECOND_NS
from inference.window import AudioSpan, WindowInput

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
WINDOWS = 5


@pytest.fixture(scope="module")
def expert() -> SpeechExpert:
    return SpeechExpert.load(threads=1)


@pytest.fixture(scope="module")
def windows() -> list[WindowInput]:
    """Two voices, noise, silence and the end of one voice with the start of the other."""
    angry, calm = (read_audio(RECORDINGS / f"03a01{name}.flac") for name in ("Wa", "Nc"))
    noise = np.random.default_rng(11).normal(0.0, 0.02, 48_000).astype(np.float32)
    sounds = [angry, calm, noise, noise[:0], np.concatenate((angry[-16_000:], calm[:24_000]))]
    return [
        WindowInput(
            tenant="acme",
            run="live",
            conversation="c-1",
            participant="p-1",
            role=Role.CUSTOMER,
            start_ns=0,
            end_ns=3 * SECOND_NS,
            audio=(AudioSpan(0, sound),),
        )
        for sound in sounds
    ]


@pytest.fixture(scope="module")
def alone(expert: SpeechExpert, windows: list[WindowInput]) -> list[Evidence | Absent]:
    return [answer for window in windows for answer in expert.assess([window])]


@settings(max_examples=12, deadline=None)
@given(order=st.lists(st.integers(0, WINDOWS - 1), max_size=8))
def test_a_window_is_read_the_same_alone_and_in_any_company(
    expert: SpeechExpert,
    windows: list[WindowInput],
    alone: list[Evidence | Absent],
    order: list[int],
) -> None:
    together = expert.assess([windows[index] for index in order])
    assert len(together) == len(order)
    for index, answer in zip(order, together, strict=True):
        expected = alone[index]
        if isinstance(expected, Absent):
            assert answer == expected
            continue
        assert isinstance(answer, Evidence)
        assert np.array_equal(answer.log_probs, expected.log_probs)
        assert answer.distress_log_odds == expected.distress_log_odds
        assert (answer.quality, answer.cues) == (expected.quality, expected.cues)
        assert answer.prosody == expected.prosody
