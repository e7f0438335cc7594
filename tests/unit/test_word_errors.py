import random

import pytest

from inference.training.word_errors import misheard

LINE = " ".join(f"w{place}" for place in range(2_000))
OTHERS = ["other"]


def test_no_errors_change_nothing_and_the_seed_decides_the_rest() -> None:
    assert misheard(LINE, 0.0, OTHERS, random.Random(1)) == LINE
    one, same, another = (misheard(LINE, 0.2, OTHERS, random.Random(seed)) for seed in (1, 1, 2))
    assert one == same != another


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_errors_are_as_many_as_asked_and_of_all_kinds(rate: float) -> None:
    heard = misheard(LINE, rate, OTHERS, random.Random(0)).split()
    kept = sum(word in heard for word in LINE.split())
    strange = heard.count("other")
    assert (2_000 - kept) / 2_000 == pytest.approx(0.85 * rate, abs=0.02)
    assert strange / 2_000 == pytest.approx(0.75 * rate, abs=0.02)
    assert kept + strange == len(heard)


def test_nothing_is_heard_in_silence() -> None:
    assert misheard("", 0.5, OTHERS, random.Random(0)) == ""
