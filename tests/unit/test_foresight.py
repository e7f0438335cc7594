"""The jobs of imputation in a service: value of information, surprise, continuity."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from inference.imputation.foresight import WOULD_CHANGE_DRAWS, ImputedForesight
from inference.imputation.probe import Probe
from inference.imputation.ridge import RidgeImputer
from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.projection import Projection
from inference.training.imputation.probe_fit import fit_probe
from inference.training.imputation.ridge_fit import fit_ridge
from tests.imputers import TWO, shared_rows

SPEECH, TEXT, FACE = MODALITIES
SIZE = 256


@dataclass
class StrawImputer:
    """Draws the first axis, and in some draws its opposite."""

    opposite: int = 0
    expects: frozenset[Modality] = frozenset(TWO)
    asked: list[tuple[np.ndarray, int]] = field(default_factory=list)

    def sample(self, known: np.ndarray, present: np.ndarray, n: int, seed: int) -> np.ndarray:
        self.asked.append((present.copy(), n))
        drawn = np.repeat(np.where(present[..., None], known, 0)[None], n, axis=0)
        for place, modality in enumerate(MODALITIES):
            if modality in self.expects and not present[0, place]:
                drawn[:, 0, place] = np.eye(SIZE)[0]
                drawn[: self.opposite, 0, place] *= -1
        return drawn.astype(np.float32)


def probe() -> Probe:
    """Anger where the first axis of the words is above 0, fear below; of a voice alone, anger."""
    alone = np.zeros((SIZE + 1, 2), dtype=np.float32)
    alone[-1, 0] = 1
    both = np.zeros((2 * SIZE + 1, 2), dtype=np.float32)
    both[SIZE] = (1, -1)
    return Probe((EMOTIONS[0], EMOTIONS[2]), {(SPEECH,): alone, TWO: both})


def voice() -> Projection:
    return Projection.of({SPEECH: np.eye(SIZE, dtype=np.float32)[3]})


@pytest.mark.parametrize(("opposite", "share"), [(0, 0.0), (4, 0.25), (WOULD_CHANGE_DRAWS, 1.0)])
def test_the_value_of_words_is_the_share_of_draws_that_change_the_decision(
    opposite: int, share: float
) -> None:
    foresight = ImputedForesight(StrawImputer(opposite), probe(), "straw-1")
    found = foresight.expect(voice())
    assert set(found) == {TEXT}
    assert found[TEXT].would_change == share
    assert found[TEXT].surprise is None


def test_nothing_is_expected_of_or_from_what_was_not_learnt() -> None:
    imputer = StrawImputer()
    foresight = ImputedForesight(imputer, probe(), "straw-1")
    face = Projection.of({FACE: np.eye(SIZE, dtype=np.float32)[0]})
    assert foresight.expect(face) == {}
    assert foresight.complete(face) is face
    assert imputer.asked == []
    nothing = Projection.of({})
    assert foresight.expect(nothing) == {}
    assert foresight.complete(nothing) is nothing
    beside = Projection.of({SPEECH: voice().parts[0], FACE: face.parts[2]})
    assert foresight.expect(beside) == foresight.expect(voice())
    assert all(not present[0, 2] for present, _ in imputer.asked)


def test_a_pattern_that_the_probe_does_not_know_has_no_value() -> None:
    foresight = ImputedForesight(StrawImputer(), Probe(probe().labels, {}), "straw-1")
    assert foresight.expect(voice()) == {}


def fitted() -> tuple[ImputedForesight, RidgeImputer, np.ndarray]:
    rows = shared_rows(200, TWO, size=SIZE, bound=0.9)
    imputer = fit_ridge(rows)
    return ImputedForesight(imputer, fit_probe(rows), "ridge-1"), imputer, rows.parts


def test_what_fits_is_no_surprise_and_what_comes_from_elsewhere_is_one() -> None:
    foresight, imputer, parts = fitted()
    window = Projection.of({SPEECH: parts[0, 0], TEXT: parts[0, 1]})
    usual = foresight.expect(window)
    assert set(usual) == set(TWO)
    assert all(one.would_change is None for one in usual.values())
    assert usual[TEXT].surprise is not None
    strange = Projection.of({SPEECH: parts[0, 0], TEXT: -4 * parts[0, 1]})
    far = foresight.expect(strange)[TEXT].surprise
    assert far is not None
    assert far > 1 > usual[TEXT].surprise
    assert imputer.expects == set(TWO)


def test_a_replay_says_the_same_and_says_it_of_the_window_alone() -> None:
    foresight, _, parts = fitted()
    first, other = (Projection.of({SPEECH: parts[row, 0]}) for row in (0, 1))
    before = foresight.expect(first), foresight.complete(first).parts
    foresight.expect(other)
    assert foresight.expect(first) == before[0]
    np.testing.assert_array_equal(foresight.complete(first).parts, before[1])


def test_a_completed_window_is_searched_for_near_what_was_really_there() -> None:
    foresight, _, parts = fitted()
    nearer = []
    for row in range(20):
        whole = Projection.of({SPEECH: parts[row, 0], TEXT: parts[row, 1]}).moment
        alone = Projection.of({SPEECH: parts[row, 0]})
        completed = foresight.complete(alone)
        assert completed.expected
        assert not completed.parts[MODALITIES.index(FACE)].any()
        assert whole is not None
        assert alone.moment is not None
        assert completed.moment is not None
        nearer.append(float(whole @ completed.moment) > float(whole @ alone.moment))
    assert np.mean(nearer) > 0.8
