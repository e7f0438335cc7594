import pytest

from inference.experts.text_phrases import CALM, Family, Phrases, shipped_phrases, spell_out

SMALL = Phrases(
    [
        Family("again", "complaint phrase", ("ORDINAL time i", "again and again")),
        Family("relief", CALM, ("not a problem",)),
    ],
    {"ORDINAL": "(?:second|third)"},
)


def _kinds(text: str) -> set[str]:
    phrases = shipped_phrases()
    return {phrases.families[family].kind for family in phrases.find(text.split())}


def test_contractions_are_spelled_out_with_and_without_their_mark() -> None:
    assert spell_out(["I've", "CAN'T,", "wait."]) == [
        ("i", 0),
        ("have", 0),
        ("can", 1),
        ("not", 1),
        ("wait", 2),
    ]
    for token in ("don't", "Dont", "don't!"):
        assert [word for word, _ in spell_out([token])] == ["do", "not"]


def test_a_phrase_is_found_whatever_its_case_and_marks_and_names_its_tokens() -> None:
    tokens = ["Well,", "the", "THIRD", "time,", "I'm", "calling", "again", "and", "again."]
    assert SMALL.find(tokens) == {0: frozenset({2, 3, 4, 6, 7, 8})}
    assert SMALL.find(["it", "isn't", "a", "problem"]) == {1: frozenset({1, 2, 3})}


@pytest.mark.parametrize("text", ["", "thirdly timed", "not a problematic one"])
def test_parts_of_words_are_no_phrases(text: str) -> None:
    assert SMALL.find(text.split()) == {}


def test_other_patterns_have_another_digest() -> None:
    fewer = Phrases(SMALL.families, {"ORDINAL": "second"})
    assert fewer.digest != SMALL.digest
    assert Phrases(SMALL.families, {"ORDINAL": "(?:second|third)"}).digest == SMALL.digest


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("that makes it the fourth time i have called", "complaint phrase"),
        ("we were on hold the whole morning", "complaint phrase"),
        ("please cancel my subscription", "complaint phrase"),
        ("I want to speak to your manager", "complaint phrase"),
        ("someone has emptied my account, it was not me", "phrase of worry"),
        ("my father passed away", "phrase of loss"),
        ("I have no complaints", CALM),
    ],
)
def test_what_customers_say_has_a_kind(text: str, kind: str) -> None:
    assert kind in _kinds(text)


@pytest.mark.parametrize("text", ["yes that is the blue one", "see you on monday then", "okay"])
def test_plain_words_are_no_phrases_of_distress(text: str) -> None:
    assert _kinds(text) <= {CALM}
