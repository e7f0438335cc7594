"""What holds of labels that are placed among those that were learnt, whatever their places are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.evaluation.search import nearer
from inference.evaluation.unmet_labels import (
    by_facts,
    by_name,
    by_place,
    by_place_and_facts,
    place_weights,
)
from inference.labels import EMOTIONS, Emotion

pytestmark = pytest.mark.laws

SEEDS = st.integers(0, 2**31 - 1)


def places(seed: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.normal(size=(5, 3)), chance.normal(size=3)


def query(text: str) -> np.ndarray:
    row = np.random.default_rng(list(text.encode())).normal(size=256)
    return (row / np.linalg.norm(row)).astype(np.float32)


@given(seed=SEEDS)
def test_the_mean_of_what_was_learnt_is_like_none_of_it(seed: int) -> None:
    learnt, _ = places(seed)
    assert place_weights(learnt, learnt.mean(axis=0)) == pytest.approx(np.zeros(5), abs=1e-9)


@given(seed=SEEDS)
def test_opposite_places_weigh_opposite_and_all_weights_cancel(seed: int) -> None:
    learnt, wanted = places(seed)
    weights = place_weights(learnt, wanted)
    opposite = place_weights(learnt, 2 * learnt.mean(axis=0) - wanted)
    assert opposite == pytest.approx(-weights, abs=1e-9)
    assert weights.sum() == pytest.approx(0.0, abs=1e-9)


@given(seed=SEEDS, scale=st.floats(0.01, 100.0), shift=st.floats(-10.0, 10.0))
def test_places_mean_the_same_on_any_scale(seed: int, scale: float, shift: float) -> None:
    learnt, wanted = places(seed)
    weights = place_weights(learnt, wanted)
    assert place_weights(scale * learnt + shift, scale * wanted + shift) == pytest.approx(
        weights, abs=1e-6
    )


@given(seed=SEEDS)
def test_a_learnt_label_placed_again_counts_for_itself(seed: int) -> None:
    learnt, _ = places(seed)
    for row, place in enumerate(learnt):
        assert place_weights(learnt, place)[row] > 0.0


@given(seed=SEEDS)
def test_a_dimension_that_never_varies_says_nothing(seed: int) -> None:
    learnt, wanted = places(seed)
    learnt[:, 2] = 1.0
    moved = wanted + np.array([0.0, 0.0, 5.0])
    assert place_weights(learnt, moved) == pytest.approx(place_weights(learnt, wanted))


@given(label=st.sampled_from(Emotion))
def test_every_label_has_a_place_of_length_one_in_every_way(label: Emotion) -> None:
    learnt = [one for one in EMOTIONS if one is not label]
    for row in (by_name(label, query), by_facts(label, query), by_place(label, learnt, query)):
        assert np.linalg.norm(row) == pytest.approx(1.0)
    assert by_place_and_facts(label, learnt, query) == pytest.approx(
        by_place(label, learnt, query) + 0.5 * by_facts(label, query)
    )


@given(seed=SEEDS, pull=st.floats(-2.0, 2.0))
def test_what_a_label_is_near_to_anyway_does_not_count(seed: int, pull: float) -> None:
    """A direction that all windows share favours no label."""
    chance = np.random.default_rng(seed)
    labels, moments = chance.normal(size=(2, 8)), chance.normal(size=(6, 8))
    usual, common = chance.normal(size=(9, 8)), chance.normal(size=8)
    called = nearer(labels, moments, usual)
    assert (nearer(labels, moments + pull * common, usual + pull * common) == called).all()
