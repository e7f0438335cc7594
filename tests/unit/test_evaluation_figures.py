import numpy as np
import pytest

from inference.evaluation.figures import figures
from inference.evaluation.intervals import intervals
from inference.evaluation.judged import JudgedRows
from inference.evaluation.metrics import UndefinedMetricError, reliability

NAMES = ("neutral", "anger", "joy", "surprise")


def rows_of(*probs: tuple[float, ...]) -> np.ndarray:
    return np.log(np.array(probs))


def test_names_that_nobody_has_are_left_out_of_the_averages() -> None:
    log_probs = rows_of((0.7, 0.1, 0.1, 0.1), (0.1, 0.7, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7))
    found = figures(np.array(["neutral", "anger", "anger"]), log_probs, NAMES)
    assert found["uar"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_an_auc_with_one_side_is_left_out() -> None:
    log_probs = rows_of((0.7, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7))
    odds = np.zeros(2)
    calm = figures(np.array(["neutral", "surprise"]), log_probs, NAMES, distress_log_odds=odds)
    assert "distress_auc" not in calm
    assert "arousal_auc" not in calm
    both = figures(np.array(["neutral", "anger"]), log_probs, NAMES, distress_log_odds=odds)
    assert both["distress_auc"] == 0.5
    assert "distress_auc" not in figures(np.array(["neutral", "anger"]), log_probs, NAMES)


def test_surprise_is_on_neither_side_of_distress() -> None:
    labels = np.array(["neutral", "anger", "surprise"])
    log_probs = np.full((3, 4), np.log(0.25))
    for of_surprise in (-9.0, 9.0):
        odds = np.array([-1.0, 1.0, of_surprise])
        assert figures(labels, log_probs, NAMES, distress_log_odds=odds)["distress_auc"] == 1.0


def test_coverage_is_of_the_true_name_and_size_of_all() -> None:
    sets = np.array([[True, False, False, False], [True, False, True, True]])
    found = figures(np.array(["neutral", "anger"]), np.full((2, 4), np.log(0.25)), NAMES, sets=sets)
    assert (found["coverage"], found["mean_set_size"]) == (0.5, 2.0)


def test_the_error_of_uar_needs_two_speakers() -> None:
    labels, log_probs = np.array(["neutral", "anger"]), np.full((2, 4), np.log(0.25))
    assert "uar_se" in figures(labels, log_probs, NAMES, speakers=np.array(["a", "b"]))
    assert "uar_se" not in figures(labels, log_probs, NAMES, speakers=np.array(["a", "a"]))


def test_a_label_without_a_column_is_refused() -> None:
    with pytest.raises(UndefinedMetricError, match="boredom"):
        figures(np.array(["boredom"]), np.full((1, 4), np.log(0.25)), NAMES)


def test_sentences_of_one_speaker_say_less_than_those_of_many() -> None:
    right = np.repeat(np.arange(10) % 2, 40)  # every other speaker is understood
    labels = np.array(["anger"] * 400)
    log_probs = np.log(np.where(right[:, None] == 1, [0.2, 0.8], [0.8, 0.2]))
    speakers = np.repeat([f"s{number}" for number in range(10)], 40)
    rows = {
        units: JudgedRows(
            labels=labels, log_probs=log_probs, names=("neutral", "anger"), units=drawn
        )
        for units, drawn in (("speaker", speakers), ("item", np.arange(400).astype(str)))
    }
    width = {name: np.ptp(intervals(judged)["accuracy"]) for name, judged in rows.items()}
    assert width["item"] == pytest.approx(2 * 1.96 * 0.5 / 400**0.5, rel=0.2)
    assert width["speaker"] == pytest.approx(2 * 1.96 * 0.5 / 10**0.5, rel=0.2)


def test_a_bin_of_the_reliability_diagram_is_the_mean_of_its_items() -> None:
    probs = np.array([[0.9, 0.1], [0.92, 0.08], [0.4, 0.6]])
    bins = reliability(np.array([0, 1, 1]), probs)
    assert bins.count.tolist() == [1, 2]
    assert bins.confidence.tolist() == pytest.approx([0.6, 0.91])
    assert bins.accuracy.tolist() == [1.0, 0.5]
