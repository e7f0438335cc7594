import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.training.speaker_folds import label_folds, speaker_folds

SPEAKERS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60)


@given(speakers=SPEAKERS, per_fold=st.integers(1, 4))
def test_no_speaker_is_on_both_sides_and_every_row_is_tested_once(
    speakers: list[str], per_fold: int
) -> None:
    names = np.array(speakers)
    tested = np.zeros(len(names), dtype=np.int64)
    for held_out in speaker_folds(names, per_fold):
        assert not set(names[held_out]) & set(names[~held_out])
        assert 1 <= len(set(names[held_out])) <= per_fold
        tested += held_out
    assert (tested == 1).all()


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("xyz")), min_size=1),
    most=st.integers(1, 12),
)
def test_folds_by_label_test_every_row_once_on_a_stranger(
    rows: list[tuple[str, str]], most: int
) -> None:
    speakers, labels = (np.array(column) for column in zip(*rows, strict=True))
    tested = np.zeros(len(rows), dtype=np.int64)
    folds = list(label_folds(speakers, labels, most))
    assert len(folds) <= most
    for held_out in folds:
        assert held_out.any()
        assert not set(speakers[held_out]) & set(speakers[~held_out])
        tested += held_out
    assert (tested == 1).all()


@given(st.permutations(range(40)), st.integers(2, 10))
def test_two_voices_of_a_rare_label_are_never_left_out_together(
    order: list[int], most: int
) -> None:
    rare = set(order[:2])
    speakers = np.array([f"{number:02}" for number in order])
    labels = np.array(["rare" if number in rare else "usual" for number in order])
    for held_out in label_folds(speakers, labels, most):
        assert (labels[~held_out] == "rare").any()
