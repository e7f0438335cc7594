"""Labels of one's own: an order at first, a probability once enough was judged."""

import numpy as np
import pytest

from inference.alignment.own_labels import (
    FEWEST_JUDGED,
    MOST_PROMPTS,
    Calibrated,
    JudgementsError,
    PromptsError,
    RankOnly,
    calibrate,
    label_vector,
    score,
)

pytestmark = pytest.mark.unit


def judged(count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    answers = np.arange(count) % 2 == 0
    return 2.0 * answers + random.normal(size=count), answers


def test_a_label_is_the_normalised_mean_of_its_prompts() -> None:
    places = {"calm": np.array([1.0, 0.0]), "at ease": np.array([0.0, 1.0])}
    vector = label_vector([" calm", "at ease "], lambda text: places[text])
    assert vector == pytest.approx([2**-0.5, 2**-0.5])


@pytest.mark.parametrize("prompts", [[], ["calm"] * (MOST_PROMPTS + 1), ["calm", "  "]])
def test_no_prompts_too_many_or_empty_ones_are_refused(prompts: list[str]) -> None:
    with pytest.raises(PromptsError):
        label_vector(prompts, lambda _: np.ones(2))


def test_a_score_is_the_product_over_the_temperature() -> None:
    moments = np.array([[1.0, 0.0], [0.6, 0.8]])
    assert score(moments, np.array([0.0, 1.0]), 0.5) == pytest.approx([0.0, 1.6])


def test_below_twenty_examples_there_is_no_probability() -> None:
    found = calibrate(*judged(FEWEST_JUDGED - 1))
    assert found == RankOnly(19, 1, "19 of 20 examples judged")
    assert not hasattr(found, "probability")


@pytest.mark.parametrize("answer", [True, False])
def test_examples_that_are_all_alike_give_no_probability(answer: bool) -> None:  # noqa: FBT001
    scores, _ = judged(40)
    assert isinstance(calibrate(scores, np.full(40, answer)), RankOnly)


def test_from_twenty_on_a_higher_score_is_more_probable_and_is_checked() -> None:
    found = calibrate(*judged(FEWEST_JUDGED))
    assert isinstance(found, Calibrated)
    low, high = found.probability(np.array([-1.0, 3.0]))
    assert 0.0 < low < 0.5 < high < 1.0
    assert found.informative
    assert found.held_out_accuracy >= 0.7


def test_a_label_whose_best_moments_are_judged_wrong_says_nothing() -> None:
    scores, answers = judged(30)
    found = calibrate(-scores, answers)
    assert isinstance(found, Calibrated)
    assert found.slope == 0.0
    assert not found.informative
    assert found.probability(np.array([-9.0, 9.0])) == pytest.approx([0.5, 0.5])


def test_scores_that_are_not_numbers_are_refused() -> None:
    scores, answers = judged(20)
    scores[3] = np.nan
    with pytest.raises(JudgementsError, match="1 of 20"):
        calibrate(scores, answers)
    with pytest.raises(JudgementsError, match="shape"):
        calibrate(scores[:5], answers)
