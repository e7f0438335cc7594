import re
from collections import Counter
from itertools import product

import pytest

from inference.experts.text_features import clean
from inference.training.service_lines import Direction, read_service_lines

TRAIN, TEST = read_service_lines("train"), read_service_lines("test")
COMMON = re.compile(
    r"\b(?:i|an?|the|to|of|and|is|it|it's|i'm|i've|i'd|that|that's|you|my|me|in|on|for|was|be|have"
    r"|has|not|do|don't|we|this|so|with|at|as|are|your|am|can|would|like|please|could)\b"
)


def _content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[\w']+", COMMON.sub(" ", text.lower())))


def test_each_half_holds_as_many_lines_of_every_kind() -> None:
    of_train, of_test = (
        Counter((one.direction, one.kind) for one in half) for half in (TRAIN, TEST)
    )
    assert of_train.keys() == of_test.keys()
    assert all(abs(of_train[kind] - of_test[kind]) <= 1 for kind in of_train)
    assert len(TRAIN) + len(TEST) >= 160
    assert min(Counter(one.direction for one in TEST).values()) >= 40


def test_no_line_of_one_half_says_a_line_of_the_other_again() -> None:
    for taught, judged in product(TRAIN, TEST):
        ours, theirs = _content(taught.text), _content(judged.text)
        shared = len(ours & theirs) / min(len(ours), len(theirs))
        assert shared <= 0.5, (taught.text, judged.text)


def test_lines_are_written_as_they_are_read() -> None:
    everything = [one.text for one in (*TRAIN, *TEST)]
    assert len(set(everything)) == len(everything)
    assert all(clean(text) == text for text in everything)


def test_what_a_line_means_sums_to_one_and_points_its_way() -> None:
    for line in (*TRAIN, *TEST):
        assert line.emotions.sum() == pytest.approx(1.0)
        assert line.distressed is (line.direction is Direction.DISTRESS)


def test_copies_hold_the_same_words() -> None:
    written, plain, opened = TRAIN[0].spoken(7)
    assert written == TRAIN[0].text
    assert plain == plain.lower()
    assert opened.endswith(plain)
    assert opened != plain
