"""Laws of the figures: order, repetition, perfection, and what a bootstrap draw is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.evaluation.figures import figures
from inference.evaluation.intervals import intervals, resampled
from inference.evaluation.judged import JudgedRows
from inference.labels import EMOTIONS

ALL = tuple(label.value for label in EMOTIONS)
RANDOM = "expected_ece"
"""Simulated, with a draw for each item in its place."""
NOT_A_MEAN = "risk_coverage_area"
"""Of twice the items it is a finer sum over the same curve."""


@st.composite
def judged(draw: st.DrawFn, least: int = 1) -> JudgedRows:
    """A few items over two to seven labels; equal scores are as likely as not."""
    names = tuple(draw(st.permutations(ALL)))[: draw(st.integers(2, 7))]
    size = draw(st.integers(least, 12))
    logits = draw(arrays.arrays(float, (size, len(names)), elements=st.sampled_from((0.0, 1.0, 3))))
    odds = draw(arrays.arrays(float, size, elements=st.sampled_from((-2.0, 0.0, 0.5))))
    labels = draw(st.lists(st.sampled_from(names), min_size=size, max_size=size))
    speakers = draw(st.lists(st.sampled_from("abcdefgh"), min_size=size, max_size=size))
    return JudgedRows(
        labels=np.array(labels),
        log_probs=logits - np.logaddexp.reduce(logits, axis=1, keepdims=True),
        names=names,
        units=np.array(speakers),
        distress_log_odds=odds,
        sets=draw(arrays.arrays(bool, (size, len(names)))),
    )


def taken(rows: JudgedRows, places: np.ndarray) -> JudgedRows:
    assert rows.distress_log_odds is not None
    assert rows.sets is not None
    return replace(
        rows,
        labels=rows.labels[places],
        log_probs=rows.log_probs[places],
        units=rows.units[places],
        distress_log_odds=rows.distress_log_odds[places],
        sets=rows.sets[places],
    )


def without(found: dict[str, float], *names: str) -> dict[str, float]:
    return {name: value for name, value in found.items() if name not in names}


@given(judged(), st.randoms())
def test_the_order_of_items_does_not_matter(rows: JudgedRows, random: st.DataObject) -> None:
    places = list(range(len(rows.labels)))
    random.shuffle(places)  # type: ignore[attr-defined]  # a random.Random
    shuffled = taken(rows, np.array(places))
    assert without(shuffled.figures(), RANDOM) == pytest.approx(without(rows.figures(), RANDOM))
    assert intervals(shuffled, draws=50) == {
        name: pytest.approx(bounds) for name, bounds in intervals(rows, draws=50).items()
    }


@given(judged())
def test_every_item_twice_changes_no_mean(rows: JudgedRows) -> None:
    twice = taken(rows, np.tile(np.arange(len(rows.labels)), 2))
    assert without(twice.figures(), RANDOM, NOT_A_MEAN) == pytest.approx(
        without(rows.figures(), RANDOM, NOT_A_MEAN)
    )


@given(judged())
def test_whoever_is_always_right_gets_1(rows: JudgedRows) -> None:
    truth = rows.labels[:, None] == np.array(rows.names)
    distressed = np.isin(rows.labels, ["anger", "disgust", "fear", "sadness"])
    found = figures(
        rows.labels,
        np.log(np.where(truth, 1.0, 1e-12)),
        rows.names,
        distress_log_odds=np.where(distressed, 1.0, -1.0),
        sets=truth,
    )
    best = {"nll", "ece", RANDOM, "brier", NOT_A_MEAN}
    assert {name: found[name] for name in best} == pytest.approx(dict.fromkeys(best, 0), abs=1e-9)
    assert {value for name, value in found.items() if name not in best} == {1.0}


@given(judged(least=2), st.data())
def test_a_draw_is_its_items_repeated(rows: JudgedRows, data: st.DataObject) -> None:
    size = len(rows.labels)
    counts = data.draw(
        arrays.arrays(int, (3, size), elements=st.integers(0, 3)).filter(
            lambda drawn: (drawn.sum(axis=1) > 0).all()
        )
    )
    found = resampled(rows, counts.astype(float))
    for number, drawn in enumerate(counts):
        expected = without(taken(rows, np.repeat(np.arange(size), drawn)).figures(), RANDOM)
        defined = {name: values[number] for name, values in found.items()}
        assert {n: v for n, v in defined.items() if np.isfinite(v)} == pytest.approx(expected)


@given(judged(least=5))
def test_an_interval_is_the_same_for_the_same_seed_and_has_an_upper_end(rows: JudgedRows) -> None:
    bounds = intervals(rows, seed=3, draws=50)
    assert bounds == intervals(rows, seed=3, draws=50)
    assert all(low <= high for low, high in bounds.values())
    assert bool(bounds) == (len(set(rows.units.tolist())) >= 5)
