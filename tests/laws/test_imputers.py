"""What every imputer does with every window: draw what is absent, and touch nothing else."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.imputation.contract import IMPUTERS, ImputerName
from inference.imputation.errors import ShapeError
from inference.labels import MODALITIES, Modality
from tests.imputers import SIZE, TWO, tiny

COUNT = len(MODALITIES)
few = settings(max_examples=15)  # each asks a network several times
every_imputer = pytest.mark.parametrize("name", IMPUTERS)
batches = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        arrays.arrays(np.float32, (n, COUNT, SIZE), elements=st.floats(-1, 1, width=32)),
        arrays.arrays(np.bool_, (n, COUNT)),
    )
)
Batch = tuple[np.ndarray, np.ndarray]


@every_imputer
@few
@given(batch=batches, n=st.integers(1, 3))
def test_what_is_known_comes_back_untouched_and_what_is_drawn_has_length_one(
    name: ImputerName, batch: Batch, n: int
) -> None:
    known, present = batch
    before = known.copy()
    drawn = tiny(name).sample(known, present, n, 0)
    assert drawn.shape == (n, *known.shape)
    assert drawn.dtype == np.float32
    assert np.isfinite(drawn).all()
    for one in drawn:
        np.testing.assert_array_equal(one[present], known[present])
        np.testing.assert_allclose(np.linalg.norm(one[~present], axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(known, before)


@every_imputer
@few
@given(batch=batches, seed=st.integers(0, 1000))
def test_equal_seeds_give_equal_draws_and_other_seeds_other_ones(
    name: ImputerName, batch: Batch, seed: int
) -> None:
    known, present = batch
    assume(not present.all())
    first, again, other = (
        tiny(name).sample(known, present, 2, one) for one in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@every_imputer
@few
@given(batch=batches, data=st.data())
def test_a_row_is_drawn_alike_alone_in_company_and_in_any_place(
    name: ImputerName, batch: Batch, data: st.DataObject
) -> None:
    known, present = batch
    order = data.draw(st.permutations(range(len(known))))
    together = tiny(name).sample(known, present, 3, 7)
    shuffled = tiny(name).sample(known[order], present[order], 3, 7)
    np.testing.assert_array_equal(shuffled, together[:, order])
    for row in range(len(known)):
        alone = tiny(name).sample(known[row : row + 1], present[row : row + 1], 3, 7)
        np.testing.assert_array_equal(alone[:, 0], together[:, row])


@every_imputer
@few
@given(batch=batches, rubbish=st.floats(-9, 9, width=32))
def test_what_stands_where_nothing_is_present_is_never_read(
    name: ImputerName, batch: Batch, rubbish: float
) -> None:
    known, present = batch
    filled = np.where(present[..., None], known, np.float32(rubbish))
    np.testing.assert_array_equal(
        tiny(name).sample(filled, present, 2, 0), tiny(name).sample(known, present, 2, 0)
    )


@every_imputer
@few
@given(batch=batches)
def test_a_modality_that_was_not_learnt_is_left_empty(name: ImputerName, batch: Batch) -> None:
    known, present = batch
    face = MODALITIES.index(Modality.FACE)
    imputer = tiny(name, TWO)
    assert imputer.expects == set(TWO)
    drawn = imputer.sample(known, present, 2, 0)
    assert not drawn[:, ~present[:, face], face].any()


@every_imputer
@few
@given(batch=batches)
def test_draws_of_one_row_differ(name: ImputerName, batch: Batch) -> None:
    known, present = batch
    assume(not present.all())
    drawn = tiny(name).sample(known, present, 3, 0)
    for place in np.argwhere(~present):
        one, two, three = drawn[:, place[0], place[1]]
        assert not np.array_equal(one, two)
        assert not np.array_equal(two, three)


@every_imputer
@pytest.mark.parametrize(
    ("known", "present", "n"),
    [((1, 2, SIZE), (1, 2), 1), ((1, 3, SIZE), (2, 3), 1), ((1, 3, SIZE), (1, 3), 0),
     ((1, 3, SIZE + 1), (1, 3), 1), ((3, SIZE), (3,), 1)],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(
    name: ImputerName, known: tuple[int, ...], present: tuple[int, ...], n: int
) -> None:
    with pytest.raises(ShapeError):
        tiny(name).sample(
            np.zeros(known, dtype=np.float32), np.zeros(present, dtype=np.bool_), n, 0
        )
