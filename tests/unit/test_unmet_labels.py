"""What faces and voices are called when a label is described."""

import numpy as np
import pytest

from inference.alignment.captions import ADJECTIVES, NOUNS, VOICED
from inference.evaluation.unmet_labels import PLACES, PORTRAITS, by_facts
from inference.experts.word_vectors import WordVectors
from inference.labels import EMOTIONS, Emotion
from inference.training.alignment.faces import ACTIONS

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return WordVectors.load()


def test_what_a_face_does_is_said_in_words_that_are_known_each_in_others(
    words: WordVectors,
) -> None:
    rows = np.array([words.vector(said) for said in ACTIONS.values()])
    assert rows.any(axis=1).all()
    likeness = rows @ rows.T - np.eye(len(rows))
    assert likeness.max() < 0.95


def test_every_third_and_label_has_a_word_that_is_known(words: WordVectors) -> None:
    for said in (*VOICED.values(), *ADJECTIVES.values(), *NOUNS.values()):
        assert any(words.vector(one).any() for one in said), said


def test_every_label_has_a_face_a_voice_and_a_place() -> None:
    assert set(PORTRAITS) == set(PLACES) == set(EMOTIONS)
    assert {unit for one in PORTRAITS.values() for unit in one.face} <= set(ACTIONS)


def test_joy_smiles_and_sadness_does_not() -> None:
    """Each phrase has a direction of its own: a portrait is towards what it has."""
    phrases = [*ACTIONS.values(), *(one for said in VOICED.values() for one in said)]

    def query(text: str) -> np.ndarray:
        return np.eye(256, dtype=np.float32)[phrases.index(text)]

    smiles, loud = query(ACTIONS["AU12"]), query("loud voice")
    assert by_facts(Emotion.JOY, query) @ smiles > 0 > by_facts(Emotion.SADNESS, query) @ smiles
    assert by_facts(Emotion.ANGER, query) @ loud > 0 > by_facts(Emotion.SADNESS, query) @ loud
    assert (by_facts(Emotion.NEUTRAL, query)[: len(ACTIONS)] <= 0).all()
