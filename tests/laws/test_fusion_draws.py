"""Laws of what is left out and put together while a fuser learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.labels import Modality
from inference.training.fusion.draws import (
    drop_modalities,
    drop_tokens,
    partners,
    pseudo_triples,
    stale,
)

pytestmark = pytest.mark.laws

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(0, 1)
patterns = arrays(np.bool_, st.tuples(st.integers(1, 40), st.just(3))).map(
    lambda rows: rows | ~rows.any(axis=1, keepdims=True)
)
masks = arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 12)))
columns = st.lists(st.integers(0, 6), min_size=1, max_size=40).map(np.array)


@given(patterns, seeds, rates)
def test_dropping_modalities_leaves_a_part_and_never_nothing(
    present: np.ndarray, seed: int, rate: float
) -> None:
    left = drop_modalities(present, np.random.default_rng(seed), rate)
    assert not (left & ~present).any()
    assert left.any(axis=1).all()
    again = drop_modalities(present, np.random.default_rng(seed), rate)
    assert np.array_equal(left, again)
    assert np.array_equal(drop_modalities(present, np.random.default_rng(seed), 0.0), present)


def test_half_of_the_items_lose_something_and_each_pattern_is_as_likely() -> None:
    present = np.ones((60_000, 3), dtype=np.bool_)
    left = drop_modalities(present, np.random.default_rng(0))
    kinds, counts = np.unique(left, axis=0, return_counts=True)
    assert len(kinds) == 7
    shares = dict(zip(map(tuple, kinds.tolist()), counts / len(left), strict=True))
    assert shares.pop((True, True, True)) == pytest.approx(0.5, abs=0.01)
    assert list(shares.values()) == pytest.approx([0.5 / 6] * 6, abs=0.01)


@given(masks, seeds, rates)
def test_dropping_tokens_empties_nobody(mask: np.ndarray, seed: int, rate: float) -> None:
    kept = drop_tokens(mask, np.random.default_rng(seed), rate)
    assert not (kept & ~mask).any()
    assert np.array_equal(kept.any(axis=1), mask.any(axis=1))


def test_a_fifth_of_the_tokens_is_lost() -> None:
    kept = drop_tokens(np.ones((2_000, 30), dtype=np.bool_), np.random.default_rng(0))
    assert kept.mean() == pytest.approx(0.8, abs=0.01)


@given(columns, seeds, rates)
def test_who_is_not_late_keeps_their_own_words(truth: np.ndarray, seed: int, rate: float) -> None:
    late, source = stale(truth, np.random.default_rng(seed), rate)
    rows = np.arange(len(truth))
    assert np.array_equal(source[~late], rows[~late])
    assert ((source >= 0) & (source < len(truth))).all()


@given(columns, columns, seeds, st.integers(1, 5))
def test_partners_have_the_label_or_there_are_none(
    truth: np.ndarray, pool: np.ndarray, seed: int, per_item: int
) -> None:
    found = partners(truth, pool, np.random.default_rng(seed), per_item)
    assert found.shape == (len(truth), per_item)
    for label, row in zip(truth, found, strict=True):
        if label in pool:
            assert (pool[row] == label).all()
        else:
            assert (row == -1).all()


@given(columns, columns, columns, seeds)
def test_pseudo_triples_are_of_one_label(
    speech: np.ndarray, text: np.ndarray, face: np.ndarray, seed: int
) -> None:
    truth = {Modality.FACE: face, Modality.SPEECH: speech, Modality.TEXT: text}
    chosen = pseudo_triples(truth, np.random.default_rng(seed), per_item=3)
    labels = [truth[modality][rows] for modality, rows in chosen.items()]
    assert all(np.array_equal(labels[0], other) for other in labels[1:])
    shared = [label for label in speech if label in text and label in face]
    assert len(labels[0]) == 3 * len(shared)
