import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.training.speaker_folds import speaker_folds

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
