from pathlib import Path

import numpy as np
import pytest

from inference.evidence import Absent, Evidence
from inference.experts.text import LOOK_BACK_NS, TextExpert
from inference.labels import DISTRESS, AbsenceReason, Emotion, Modality, Role
from inference.third_party import BundleError
from inference.units import SECOND_NS
from inference.window import TextSpan, WindowInput

START_NS = 1_000 * SECOND_NS
LENGTH_NS = 3 * SECOND_NS
WORRIED = "I am so worried about losing my house"
PLEASED = "thank you so much, that is wonderful, you really helped me"
FURIOUS = "this is absolutely ridiculous, I am furious with all of you"


@pytest.fixture(scope="module")
def expert() -> TextExpert:
    return TextExpert.load()


def _window(*words: TextSpan) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=START_NS,
        end_ns=START_NS + LENGTH_NS,
        words=words,
    )


def _said(text: str, language: str = "en") -> WindowInput:
    return _window(TextSpan(START_NS, START_NS + LENGTH_NS, text, language))


def _evidence(expert: TextExpert, window: WindowInput) -> Evidence:
    (answer,) = expert.assess([window])
    assert isinstance(answer, Evidence)
    return answer


def _best(evidence: Evidence) -> Emotion:
    return evidence.labels[int(evidence.log_probs.argmax())]


def _uniform(evidence: Evidence) -> bool:
    return bool(np.allclose(np.exp(evidence.log_probs), 1 / len(evidence.labels), atol=1e-6))


def test_the_expert_reads_words_of_the_window_and_fifteen_seconds_before(
    expert: TextExpert,
) -> None:
    assert expert.modality is Modality.TEXT
    assert expert.look_back_ns == LOOK_BACK_NS == 15 * SECOND_NS
    assert expert.version.startswith("text-goemotions-")


@pytest.mark.parametrize("text", ["", "   ", "[NAME]"])
def test_no_words_are_silence(expert: TextExpert, text: str) -> None:
    (nothing, empty) = expert.assess([_window(), _said(text)])
    assert nothing == empty == Absent(Modality.TEXT, AbsenceReason.SILENCE)


def test_plain_words_are_read_as_a_listener_would(expert: TextExpert) -> None:
    worried, pleased, furious = (
        _evidence(expert, _said(text)) for text in (WORRIED, PLEASED, FURIOUS)
    )
    assert _best(worried) is Emotion.FEAR
    assert _best(pleased) is Emotion.JOY
    assert _best(furious) in DISTRESS
    assert np.exp(worried.log_probs).sum() == pytest.approx(1.0)
    for distressed in (worried, furious):
        assert distressed.distress_log_odds is not None
        assert distressed.distress_log_odds > 1.0
    assert pleased.distress_log_odds is not None
    assert pleased.distress_log_odds < -1.0


def test_a_recogniser_without_capitals_and_commas_is_understood_too(expert: TextExpert) -> None:
    assert _best(_evidence(expert, _said("i am so worried about losing my house"))) is Emotion.FEAR


@pytest.mark.parametrize("text", ["No.", "yeah", "no no no", "Okay!"])
def test_a_single_word_says_nothing(expert: TextExpert, text: str) -> None:
    evidence = _evidence(expert, _said(text))
    assert _uniform(evidence)
    assert evidence.distress_log_odds == 0.0
    assert evidence.cues == ()


def test_cues_quote_words_that_were_said_and_carry_a_kind(expert: TextExpert) -> None:
    first = TextSpan(START_NS - 5 * SECOND_NS, START_NS - 3 * SECOND_NS, "my name is Ada", "en")
    second = TextSpan(START_NS, START_NS + SECOND_NS, WORRIED, "en-GB")
    evidence = _evidence(expert, _window(first, second))
    assert evidence.cues
    for cue in evidence.cues:
        phrase = cue.cue.removeprefix('says "').removesuffix('"')
        assert phrase in WORRIED
        assert cue.at_ns == second.start_ns
        assert cue.quotes
        assert cue.kind.startswith(("words of ", "phrase of "))
        assert phrase not in cue.kind


def test_words_that_all_lie_before_the_window_are_no_reason(expert: TextExpert) -> None:
    before = TextSpan(START_NS - 5 * SECOND_NS, START_NS - SECOND_NS, WORRIED, "en")
    evidence = _evidence(expert, _window(before))
    assert evidence.quality.present_share == 0.0
    assert evidence.cues == ()


def test_a_complaint_without_a_word_of_feeling_is_distress_and_named_by_its_kind(
    expert: TextExpert,
) -> None:
    evidence = _evidence(expert, _said("so this is the fourth time i am calling about my order"))
    assert evidence.distress_log_odds is not None
    assert evidence.distress_log_odds > 1.0
    complaint = next(cue for cue in evidence.cues if cue.kind == "complaint phrase")
    assert "fourth time" in complaint.cue
    assert complaint.quotes


def test_sentence_vectors_are_an_error_where_their_encoder_was_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="models fetch sentence_encoder"):
        TextExpert.load_plus(tmp_path)


def test_words_of_the_look_back_count_and_are_older(expert: TextExpert) -> None:
    before = TextSpan(START_NS - 4 * SECOND_NS, START_NS - 2 * SECOND_NS, WORRIED, "en")
    evidence = _evidence(expert, _window(before))
    assert _best(evidence) is Emotion.FEAR
    assert evidence.quality.present_share == 0.0
    assert evidence.quality.freshness == 0.0


def test_quality_is_coverage_freshness_and_the_recognisers_own_confidence(
    expert: TextExpert,
) -> None:
    spans = (
        TextSpan(START_NS, START_NS + SECOND_NS, "my account is", "en", confidence=0.6),
        TextSpan(START_NS + SECOND_NS, START_NS + 2 * SECOND_NS, "still closed", confidence=0.8),
    )
    quality = _evidence(expert, _window(*spans)).quality
    assert quality.present_share == pytest.approx(2 / 3)
    assert quality.freshness == pytest.approx(2 / 3)
    assert quality.confidence == pytest.approx(0.7)
    assert quality.level is None


def test_another_language_is_named_and_says_nothing(expert: TextExpert) -> None:
    evidence = _evidence(expert, _said("ich bin so wütend auf euch", language="de-AT"))
    assert _uniform(evidence)
    assert evidence.distress_log_odds is None
    assert [cue.quotes for cue in evidence.cues] == [False]
    assert "English" in evidence.cues[0].cue


def test_words_in_english_are_read_beside_words_in_another_language(expert: TextExpert) -> None:
    german = TextSpan(START_NS, START_NS + SECOND_NS, "ich bin so wütend", "de")
    english = TextSpan(START_NS + SECOND_NS, START_NS + 2 * SECOND_NS, WORRIED, "en")
    mixed = _evidence(expert, _window(german, english))
    assert np.array_equal(mixed.log_probs, _evidence(expert, _window(english)).log_probs)


def test_a_very_long_speech_is_read_by_its_newest_words(expert: TextExpert) -> None:
    old = TextSpan(START_NS - 9 * SECOND_NS, START_NS, "thank you " * 5_000, "en")
    new = TextSpan(START_NS, START_NS + LENGTH_NS, f"{WORRIED} " * 60, "en")
    assert _best(_evidence(expert, _window(old, new))) is Emotion.FEAR
