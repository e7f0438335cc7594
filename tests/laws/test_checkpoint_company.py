"""An answer of a checkpoint never depends on the windows that are read with it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Evidence, Expert
from inference.experts.huggingface.opening import open_expert
from inference.experts.huggingface.opinion import Opinion, distress_log_odds
from inference.experts.huggingface.source import Source
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Modality, Role
from inference.training.audio_file import read_audio
from inference.units import SECOND_NS
from inference.window import AudioSpan, TextSpan, WindowInput
from tests import checkpoints

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
LABELS = ("happy", "angry", "sad", "neutral")
WINDOWS = 4


def window(sound: np.ndarray, text: str) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        audio=(AudioSpan(0, sound),),
        words=(TextSpan(0, 2 * SECOND_NS, text, "en"),),
    )


@pytest.fixture(scope="module")
def windows() -> list[WindowInput]:
    angry, calm = (read_audio(RECORDINGS / f"03a01{name}.flac") for name in ("Wa", "Nc"))
    sounds = (angry, calm, np.concatenate((angry[-16_000:], calm[:24_000])), angry[:0])
    texts = ("i am so very angry with you", "thank you it is good", "bad", "")
    return [window(*pair) for pair in zip(sounds, texts, strict=True)]


@pytest.fixture(scope="module", params=[Modality.SPEECH, Modality.TEXT])
def expert(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Expert:
    folder = tmp_path_factory.mktemp("models") / "theirs"
    if request.param is Modality.SPEECH:
        checkpoints.voice_checkpoint(folder, LABELS)
    else:
        checkpoints.words_checkpoint(folder, LABELS)
    source = Source(str(folder), folder.name, folder)
    return open_expert(request.param, source, "default", folder.parent, 1)


@settings(max_examples=12, deadline=None)
@given(order=st.lists(st.integers(0, WINDOWS - 1), max_size=6))
def test_a_window_is_read_the_same_alone_and_in_any_company(
    expert: Expert, windows: list[WindowInput], order: list[int]
) -> None:
    together = expert.assess([windows[index] for index in order])
    assert len(together) == len(order)
    for index, answer in zip(order, together, strict=True):
        (alone,) = expert.assess([windows[index]])
        if isinstance(alone, Absent):
            assert answer == alone
            continue
        assert isinstance(answer, Evidence)
        assert np.array_equal(answer.log_probs, alone.log_probs)
        assert answer.distress_log_odds == alone.distress_log_odds
        assert answer.quality == alone.quality


labels = st.lists(st.sampled_from(EMOTIONS), min_size=2, unique=True)


@given(known=labels)
def test_an_even_opinion_says_nothing_of_distress(known: list[str]) -> None:
    odds = distress_log_odds(known, np.full(len(known), -np.log(len(known))))
    if DISTRESS.isdisjoint(known) or NOT_DISTRESS.isdisjoint(known):
        assert odds is None
    else:
        assert odds == pytest.approx(0.0, abs=1e-12)


@given(logits=st.lists(st.floats(-30, 30), min_size=2, max_size=7), share=st.floats(0, 1))
def test_an_opinion_that_is_drawn_to_its_prior_keeps_its_order(
    logits: list[float], share: float
) -> None:
    log_probs = np.array(logits) - np.logaddexp.reduce(logits)
    drawn = Opinion(log_probs, 2.0).drawn_to_prior(share)
    assert np.exp(drawn.log_probs).sum() == pytest.approx(1.0)
    assert drawn.distress_log_odds == pytest.approx(2.0 * share)
    steps, before = np.diff(drawn.log_probs), np.diff(log_probs)
    assert steps == pytest.approx(share * before, abs=1e-9)
