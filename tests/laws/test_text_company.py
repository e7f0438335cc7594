"""What the text expert says of a window depends on its words, and on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Evidence
from inference.experts.text import TextExpert
from inference.experts.text_features import clean
from inference.experts.text_model import FULL_WORDS, heard_share
from inference.fusion.artefact import Fusers
from inference.fusion.decision import decide
from inference.fusion.prior import DISTRESS_BASE_RATE
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.units import SECOND_NS
from inference.window import AudioSpan, CameraFrame, TextSpan, WindowInput

SENTENCES = (
    "",
    "no",
    "thank you so much for your help, that's wonderful!",
    "I have been on hold for an hour and nobody can tell me anything",
    "I am so worried, what if they take the house",
    "this is the third time I'm calling, cancel my account, no problem",
    "Résumé \U0001f600 don\u2019t [NAME] \t x\u0301",
)
BACK_CHANNELS = ("yeah", "okay", "no.", "right", "Hello?", "sure", "mhm", "thanks", "what", "sorry")
texts = st.one_of(st.sampled_from(SENTENCES), st.text(max_size=60))


def _window(text: str) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        words=(TextSpan(0, 2 * SECOND_NS, text, "en", 0.9),),
    )


def _same(one: Evidence | Absent, other: Evidence | Absent) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one == other
    return (
        np.array_equal(one.log_probs, other.log_probs)
        and one.distress_log_odds == other.distress_log_odds
        and one.quality == other.quality
        and one.cues == other.cues
    )


@pytest.fixture(scope="module")
def expert() -> TextExpert:
    return TextExpert.load()


@settings(max_examples=40, deadline=None)
@given(said=st.lists(texts, max_size=5))
def test_a_window_is_read_the_same_alone_and_in_any_company(
    expert: TextExpert, said: list[str]
) -> None:
    windows = [_window(text) for text in said]
    together = expert.assess(windows)
    assert len(together) == len(windows)
    for window, answer in zip(windows, together, strict=True):
        (alone,) = expert.assess([window])
        assert _same(answer, alone)


@settings(max_examples=40, deadline=None)
@given(said=texts, jpeg=st.binary(max_size=20), voice=st.integers(0, 400))
def test_frames_and_voice_that_come_or_are_missing_never_change_text(
    expert: TextExpert, said: str, jpeg: bytes, voice: int
) -> None:
    bare = _window(said)
    full = replace(
        bare,
        audio=(AudioSpan(0, np.zeros(voice, dtype=np.float32)),),
        frames=(CameraFrame(SECOND_NS, jpeg),),
    )
    without = replace(bare, absent={Modality.FACE: AbsenceReason.NO_CAMERA})
    (plain,) = expert.assess([bare])
    for window in (full, without):
        (answer,) = expert.assess([window])
        assert _same(answer, plain)


@settings(max_examples=60, deadline=None)
@given(said=texts)
def test_any_text_gets_a_distribution_or_silence(expert: TextExpert, said: str) -> None:
    (answer,) = expert.assess([_window(said)])
    if isinstance(answer, Absent):
        assert answer.reason is AbsenceReason.SILENCE
        return
    assert np.exp(answer.log_probs).sum() == pytest.approx(1.0)
    assert answer.distress_log_odds is not None
    assert np.isfinite(answer.distress_log_odds)


@settings(max_examples=60, deadline=None)
@given(said=texts, label=st.sampled_from([None, *Emotion]))
def test_the_shares_of_tokens_and_of_sentiment_sum_to_the_linear_score(
    expert: TextExpert, said: str, label: Emotion | None
) -> None:
    model = expert._model
    weights = model.weights_of(label)
    tokens = clean(said).split()
    row = model.features.transform([" ".join(tokens)])
    of_words = row[:, : model.features.size - 4]
    shares = model.features.attribute(tokens, weights)
    assert shares.shape == (len(tokens),)
    assert shares.sum() == pytest.approx(float((of_words @ weights[:-4])[0]), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(said=st.lists(st.sampled_from(BACK_CHANNELS), min_size=1, max_size=2))
def test_one_or_two_words_alone_are_abstained_on_and_stay_near_the_base_rate(
    expert: TextExpert, said: list[str]
) -> None:
    fuser = Fusers.load().default
    (answer,) = expert.assess([_window(" ".join(said))])
    assert isinstance(answer, Evidence)
    fused = fuser.fuse([answer])
    decision = decide(
        dict(zip(EMOTIONS, np.exp(fused.log_probs).tolist(), strict=True)),
        fused.vacuity,
        fuser.calibration.threshold(fused.pattern),
        fuser.calibration.coverage,
    )
    assert decision.abstained
    assert fused.distress == pytest.approx(DISTRESS_BASE_RATE, abs=0.05)


@given(words=st.integers(0, 50))
def test_more_words_are_never_heard_less(words: int) -> None:
    assert 0.0 <= heard_share(words) <= heard_share(words + 1) <= 1.0
    assert heard_share(1) == 0.0
    assert heard_share(FULL_WORDS) == 1.0
