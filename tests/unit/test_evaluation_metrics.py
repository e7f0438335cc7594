import numpy as np
import pytest

from inference.evaluation import metrics

PERFECT = np.eye(3)[[0, 1, 2, 0]]


def test_metrics_by_hand() -> None:
    labels = np.array([0, 0, 0, 1])
    predicted = np.array([0, 0, 1, 1])
    assert metrics.accuracy(labels, predicted) == 0.75
    assert metrics.uar(labels, predicted) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.macro_f1(labels, predicted) == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics.weighted_f1(labels, predicted) == pytest.approx((3 * 0.8 + 2 / 3) / 4)


def test_recall_of_a_class_that_nobody_has_is_not_averaged_in() -> None:
    assert metrics.uar(np.array([0, 0]), np.array([0, 2])) == 0.5


def test_auc_counts_ties_half_and_needs_two_sides() -> None:
    assert metrics.roc_auc(np.array([True, False]), np.array([0.4, 0.4])) == 0.5
    with pytest.raises(metrics.UndefinedMetricError, match="2 of 2"):
        metrics.roc_auc(np.array([True, True]), np.array([0.4, 0.5]))


def test_a_perfect_and_sure_row_has_no_loss() -> None:
    labels = np.array([0, 1, 2, 0])
    with np.errstate(divide="ignore"):
        assert metrics.nll(labels, np.log(PERFECT)) == 0.0
    assert metrics.brier(labels, PERFECT) == 0.0
    assert metrics.ece(labels, PERFECT) == 0.0
    assert metrics.expected_ece(PERFECT) == 0.0
    assert metrics.risk_coverage_area(labels, PERFECT) == 0.0


def test_calibration_error_is_the_gap_of_each_bin_by_its_share() -> None:
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    assert metrics.ece(labels, probs) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_expected_calibration_error_is_what_calibrated_labels_show() -> None:
    rng = np.random.default_rng(1)
    probs = rng.dirichlet(np.ones(7), size=500)
    labels = (rng.random((500, 1)) > probs.cumsum(axis=1)).sum(axis=1)
    assert metrics.ece(labels, probs) == pytest.approx(metrics.expected_ece(probs), abs=0.02)
    assert metrics.expected_ece(probs[:50]) > 2 * metrics.expected_ece(probs)


def test_risk_coverage_area_rewards_being_sure_where_right() -> None:
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    surest_wrong = metrics.risk_coverage_area(np.array([1, 0, 0]), probs)
    least_sure_wrong = metrics.risk_coverage_area(np.array([0, 0, 1]), probs)
    assert surest_wrong == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert least_sure_wrong == pytest.approx(1 / 9)


def test_the_order_of_equally_sure_items_does_not_change_the_area() -> None:
    probs = np.array([[0.7, 0.3], [0.7, 0.3], [0.6, 0.4]])
    there = metrics.risk_coverage_area(np.array([0, 1, 0]), probs)
    back = metrics.risk_coverage_area(np.array([1, 0, 0]), probs)
    assert there == back


@pytest.mark.parametrize("labels", [[], [0, 1, 0]])
def test_figures_need_as_many_labels_as_predictions_and_one_at_least(labels: list[int]) -> None:
    probs = np.full((len(labels[:-1]), 2), 0.5)
    with pytest.raises(metrics.UndefinedMetricError, match="as many of each"):
        metrics.ece(np.array(labels, dtype=int), probs)
    with pytest.raises(metrics.UndefinedMetricError):
        metrics.expected_ece(np.empty((0, 2)))
