"""Laws of calibration: sets that keep their promise, temperatures that shrink, honest refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.calibration.affine import AffineCalibrator
from inference.calibration.conformal import TooFewItemsError, fit_threshold, prediction_sets
from inference.calibration.patterns import (
    IDENTITY,
    SHARED,
    PatternCalibration,
    fit_pattern_temperatures,
    pattern_of,
)
from inference.calibration.temperature import (
    CalibrationError,
    apply_temperature,
    fit_temperature,
)
from inference.labels import MODALITIES, Modality

LABELS = 5
seeds = st.integers(0, 2**32 - 1)


def drawn(random: np.random.Generator, n: int, sharpness: float = 2.0) -> tuple[np.ndarray, ...]:
    """(n, labels) probabilities, and (n,) labels drawn from them: perfectly calibrated."""
    logits = random.normal(0, sharpness, (n, LABELS))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probs, (probs.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_sets_hold_the_truth_as_often_as_they_promise(seed: int, coverage: float) -> None:
    random = np.random.default_rng(seed)
    held_out, new = drawn(random, 2_000), drawn(random, 4_000)
    sets = prediction_sets(new[0], fit_threshold(*held_out, coverage))
    covered = sets[np.arange(4_000), new[1]].mean()
    spread = math.sqrt(coverage * (1 - coverage) * (1 / 2_000 + 1 / 4_000))
    assert covered > coverage - 5 * spread


@settings(max_examples=30)
@given(seeds)
def test_weights_carry_the_promise_to_other_shares_of_labels(seed: int) -> None:
    random = np.random.default_rng(seed)
    (probs, labels), (new_probs, new_labels) = drawn(random, 4_000), drawn(random, 20_000)
    shares = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    threshold = fit_threshold(probs, labels, 0.9, (shares / np.bincount(labels))[labels])
    inside = prediction_sets(new_probs, threshold)[np.arange(20_000), new_labels]
    by_label = np.array([inside[new_labels == label].mean() for label in range(LABELS)])
    assert by_label @ shares == pytest.approx(0.9, abs=0.04)


@given(seeds, st.integers(9, 60))
def test_equal_weights_are_no_weights(seed: int, n: int) -> None:
    probs, labels = drawn(np.random.default_rng(seed), n)
    assert fit_threshold(probs, labels, 0.9, np.full(n, 7.0)) == fit_threshold(probs, labels, 0.9)


def test_too_few_items_promise_nothing() -> None:
    probs, labels = drawn(np.random.default_rng(0), 8)
    with pytest.raises(TooFewItemsError, match=r"8 held-out items: a coverage of 0\.9 needs 9"):
        fit_threshold(probs, labels, 0.9)


def test_a_set_is_never_empty() -> None:
    probs = np.array([0.3, 0.3, 0.4])
    assert prediction_sets(probs, 0.1).tolist() == [False, False, True]


@given(st.sets(st.sampled_from(MODALITIES), min_size=1))
def test_a_pattern_is_named_in_one_order(modalities: set[Modality]) -> None:
    assert pattern_of(modalities) == pattern_of(sorted(modalities, reverse=True))
    assert pattern_of(modalities).split("+") == [m for m in MODALITIES if m in modalities]


@settings(max_examples=20)
@given(seeds, st.floats(0.5, 3), st.floats(0.5, 3))
def test_a_pattern_goes_its_own_way_as_far_as_its_items_carry_it(
    seed: int, few: float, many: float
) -> None:
    random = np.random.default_rng(seed)
    predictions = {}
    for pattern, n, temperature in (("speech", 50, few), ("speech+face", 5_000, many)):
        probs, labels = drawn(random, n)
        predictions[pattern] = (np.log(probs) * temperature, labels)
    fitted = fit_pattern_temperatures(predictions, class_balanced=False)
    for pattern, least, most in (("speech", 0.0, 0.25), ("speech+face", 0.95, 1.0)):
        own = math.log(fit_temperature(*predictions[pattern], class_balanced=False))
        shared, found = math.log(fitted[SHARED]), math.log(fitted[pattern])
        assert least * abs(own - shared) <= abs(found - shared) <= most * abs(own - shared) + 1e-9


def test_rows_that_say_nothing_new_carry_no_weight() -> None:
    random = np.random.default_rng(4)
    predictions = {}
    for pattern, temperature in (("speech", 0.5), ("speech+face", 3.0)):
        probs, labels = drawn(random, 2_000)
        predictions[pattern] = (np.log(probs) * temperature, labels)
    every, few = (
        fit_pattern_temperatures(predictions, class_balanced=False, items=items)
        for items in (None, {"speech": 200, "speech+face": 0})
    )
    assert few[SHARED] == every[SHARED] == few["speech+face"]
    own = fit_temperature(*predictions["speech"], class_balanced=False)
    halfway = (math.log(own) + math.log(few[SHARED])) / 2
    assert math.log(few["speech"]) == pytest.approx(halfway)


def test_a_pattern_without_a_figure_takes_the_shared_one() -> None:
    fitted = PatternCalibration(temperatures={SHARED: 2.0, "text": 3.0}, thresholds={"text": 0.5})
    log_probs = np.log(np.array([0.7, 0.3]))
    for pattern, temperature in (("text", 3.0), ("speech+face", 2.0)):
        expected = apply_temperature(log_probs, temperature)
        np.testing.assert_array_equal(fitted.apply(pattern, log_probs), expected)
    assert (fitted.threshold("text"), fitted.threshold("speech")) == (0.5, 1.0)
    assert IDENTITY.apply("text", log_probs) is log_probs


def test_an_affine_calibrator_undoes_what_is_affine() -> None:
    random = np.random.default_rng(1)
    probs, labels = drawn(random, 40_000)
    confused = np.log(probs) @ (np.eye(LABELS) + 0.3 * np.eye(LABELS, k=1)) + np.arange(LABELS)
    confused -= np.logaddexp.reduce(confused, axis=1, keepdims=True)
    calibrated = AffineCalibrator.fit(confused, labels).apply(confused)
    assert np.abs(np.exp(calibrated) - probs).mean() < 0.01
    np.testing.assert_allclose(np.exp(calibrated).sum(axis=1), 1)


def test_an_affine_calibrator_needs_every_label() -> None:
    probs, labels = drawn(np.random.default_rng(0), 100)
    with pytest.raises(CalibrationError, match=r"no item has label column \[4\]"):
        AffineCalibrator.fit(np.log(probs), np.minimum(labels, 3))
