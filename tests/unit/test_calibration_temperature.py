import numpy as np
import pytest

from inference.calibration.temperature import (
    CalibrationError,
    apply_temperature,
    fit_temperature,
)


def _calibrated(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels drawn from them: the right temperature is 1."""
    rng = np.random.default_rng(4)
    probs = rng.dirichlet(np.full(4, 0.7), size=n)
    labels = (rng.random((n, 1)) > probs.cumsum(axis=1)).sum(axis=1)
    return np.log(probs), labels


def test_the_temperature_that_was_put_in_is_found_again() -> None:
    log_probs, labels = _calibrated(20_000)
    for temperature in (0.5, 1.0, 3.0):
        found = fit_temperature(log_probs * temperature, labels)
        assert found == pytest.approx(temperature, rel=0.05)


def test_balanced_classes_are_worth_the_same_however_many_items_they_have() -> None:
    log_probs = np.log(np.array([[0.8, 0.2]] * 9 + [[0.8, 0.2]]))
    labels = np.array([0] * 9 + [1])
    # the head says .8 to .2 for everything: on even classes that is worth nothing
    assert fit_temperature(log_probs, labels) == pytest.approx(20.0, rel=0.01)
    assert fit_temperature(log_probs, labels, class_balanced=False) < 1.0


def test_tempered_rows_are_probabilities_and_temperature_one_changes_nothing() -> None:
    log_probs, _ = _calibrated(10)
    assert np.allclose(np.exp(apply_temperature(log_probs, 2.5)).sum(axis=1), 1.0)
    assert np.allclose(apply_temperature(log_probs, 1.0), log_probs)


def test_a_row_is_the_same_alone_and_in_company() -> None:
    log_probs, _ = _calibrated(10)
    together = apply_temperature(log_probs, 1.7)
    for row, alone in zip(together, log_probs, strict=True):
        assert np.array_equal(row, apply_temperature(alone, 1.7))


def test_nothing_is_fitted_on_nothing() -> None:
    with pytest.raises(CalibrationError, match="0 labels"):
        fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int))
    with pytest.raises(CalibrationError, match="1 of 2 predictions"):
        fit_temperature(np.array([[0.0, -np.inf], [0.0, -1.0]]), np.array([0, 1]))
