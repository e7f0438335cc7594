"""Words as points: same words, same place; and what experts tell learned methods."""

from pathlib import Path

import numpy as np
import pytest

from inference.evidence import Evidence
from inference.experts.text import TextExpert
from inference.experts.word_vectors import SIZE, SPACE, WordVectors
from inference.labels import Role
from inference.training.words import train_words
from inference.units import SECOND_NS
from inference.window import TextSpan, WindowInput

pytestmark = pytest.mark.unit
LINES = ("my refund never came", "the refund is late", "a sunny day", "what a sunny morning")


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return WordVectors.load()


def test_order_case_and_punctuation_do_not_move_a_text(vectors: WordVectors) -> None:
    plain = vectors.vector("i want my refund")
    np.testing.assert_array_equal(plain, vectors.vector("REFUND my, I want!"))
    assert np.linalg.norm(plain) == pytest.approx(1, abs=1e-5)


def test_a_text_without_known_words_has_no_place(vectors: WordVectors) -> None:
    np.testing.assert_array_equal(vectors.vector("qwrtzp, 漢字"), np.zeros(SIZE))


def test_a_space_is_the_same_from_the_same_texts_and_survives_its_folder(tmp_path: Path) -> None:
    space = train_words(LINES)
    space.save(tmp_path / "one")
    train_words(LINES).save(tmp_path / "two")
    first, again = (WordVectors.load(tmp_path / name) for name in ("one", "two"))
    assert first.version == again.version
    refund, other = first.vector("late refund"), first.vector("refund")
    assert refund @ other > refund @ first.vector("sunny morning")


def test_a_word_that_is_known_has_a_place_however_rare(vectors: WordVectors) -> None:
    assert np.abs(vectors.places).max(axis=1).min() > 0
    assert "refund" in vectors.words


def _window(*lines: str) -> WindowInput:
    words = tuple(
        TextSpan(place * SECOND_NS, (place + 1) * SECOND_NS, line, "en", 0.9)
        for place, line in enumerate(lines)
    )
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c",
        participant="p",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        words=words,
    )


def test_a_reader_of_words_describes_the_text_and_each_line(vectors: WordVectors) -> None:
    expert = TextExpert.load(vectors=vectors)
    (said,) = expert.assess([_window("where is my refund", "i am so angry")])
    assert isinstance(said, Evidence)
    assert said.features is not None
    assert said.features.space == SPACE
    assert said.features.tokens.shape == (2, SIZE)
    np.testing.assert_array_equal(
        said.features.vector, vectors.vector("where is my refund i am so angry")
    )


def test_descriptions_change_nothing_that_is_said(vectors: WordVectors) -> None:
    window = _window("where is my refund", "i am so angry")
    (plain,), (described,) = (
        TextExpert.load(vectors=given).assess([window]) for given in (None, vectors)
    )
    assert isinstance(plain, Evidence)
    assert isinstance(described, Evidence)
    assert plain.features is None
    np.testing.assert_array_equal(plain.log_probs, described.log_probs)
