"""What is withheld of many conversations, and what is news."""

import math

import numpy as np
import pytest
from scipy import stats

from storage.trends import Cell
from streams.serving.trends import changes, mean_interval, withheld

HOUR_NS = 3_600_000_000_000
MINUTE_NS = 60_000_000_000


def cell(
    key: str,
    conversations: int,
    *,
    start_ns: int = 0,
    distress: float = 0.5,
    variance: float = 1e-4,
) -> Cell:
    return Cell(
        key=key,
        start_ns=start_ns,
        end_ns=start_ns + MINUTE_NS,
        conversations=conversations,
        windows=10 * conversations,
        scored=10 * conversations,
        distress=distress if conversations else None,
        distress_variance=variance,
        emotions=None,
        arousal=None,
        valence=None,
    )


def hidden(*cells: Cell, parent_ns: int | None = None, shared: bool = False) -> set[str]:
    places = withheld(cells, 5, parent_ns=parent_ns, shared=shared)
    return {f"{key}@{start_ns // MINUTE_NS}" for key, start_ns in places}


def test_a_group_below_the_floor_is_withheld_and_one_at_it_is_shown() -> None:
    assert hidden(cell("a", 4), cell("b", 4), cell("c", 5)) == {"a@0", "b@0"}


def test_a_hidden_group_is_not_what_remains_of_all() -> None:
    assert hidden(cell("a", 2), cell("b", 30), cell("c", 7)) == {"a@0", "c@0"}


def test_agents_share_conversations_so_hidden_ones_may_be_the_same_few() -> None:
    cells = (cell("a", 4), cell("b", 4), cell("c", 9), cell("d", 8))
    assert hidden(*cells) == {"a@0", "b@0"}
    assert hidden(*cells, shared=True) == {"a@0", "b@0", "d@0"}


def test_a_hidden_minute_is_not_what_remains_of_its_hour() -> None:
    minutes = [cell("a", count, start_ns=n * MINUTE_NS) for n, count in enumerate((9, 3, 8, 7))]
    assert hidden(*minutes, parent_ns=HOUR_NS) == {"a@1", "a@3"}
    assert hidden(*minutes, parent_ns=2 * MINUTE_NS) == {"a@1", "a@0"}


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert hidden(cell("a", 5), cell("b", 50), parent_ns=HOUR_NS) == set()


def test_an_interval_of_a_mean_is_students_and_stays_in_its_range() -> None:
    interval = mean_interval(cell("a", 10, variance=1e-4))
    assert interval is not None
    low, high = stats.t.interval(0.95, 9, loc=0.5, scale=0.01)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert mean_interval(cell("a", 1)) is None
    assert mean_interval(cell("a", 0)) is None
    wide = mean_interval(cell("a", 5, variance=1.0))
    assert wide is not None
    assert (wide.low, wide.high) == (0.0, 1.0)


def test_a_difference_is_news_only_beyond_welchs_interval() -> None:
    [change] = changes(
        [cell("a", 12, distress=0.5)],
        [cell("a", 6, distress=0.4, variance=4e-4)],
        5,
        shared=False,
    )
    freedom = 5e-4**2 / (1e-4**2 / 11 + 4e-4**2 / 5)
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(5e-4)
    assert change.interval is not None
    assert change.interval.low == pytest.approx(0.1 - reach, abs=1e-4)
    assert change.interval.high == pytest.approx(0.1 + reach, abs=1e-4)
    assert change.news
    [change] = changes([cell("a", 12)], [cell("a", 6, distress=0.48)], 5, shared=False)
    assert not change.news


def test_each_of_many_groups_needs_more_to_be_news() -> None:
    one = changes([cell("a", 9, distress=0.55)], [cell("a", 9)], 5, shared=False)
    assert one[0].news
    names = [f"g{n}" for n in range(20)]
    many = changes(
        [cell(name, 9, distress=0.55) for name in names], [cell(name, 9) for name in names], 5,
        shared=False,
    )  # fmt: skip
    assert not any(change.news for change in many)


def test_means_without_any_spread_differ_by_exactly_what_they_differ() -> None:
    [change] = changes(
        [cell("a", 5, variance=0.0)], [cell("a", 5, distress=0.25, variance=0.0)], 5, shared=False
    )
    assert change.interval is not None
    assert (change.interval.low, change.interval.high, change.news) == (0.25, 0.25, True)


def test_a_group_small_in_either_week_is_withheld_and_a_new_one_has_no_difference() -> None:
    found = changes(
        [cell("a", 9), cell("b", 9), cell("c", 9), cell("new", 9)],
        [cell("a", 2), cell("b", 9), cell("c", 12)],
        5,
        shared=False,
    )
    assert [change.key for change in found if change.withheld] == ["a", "b"]
    assert all(change.now is None and change.before is None for change in found[:2])
    new = found[3]
    assert (new.now is not None, new.before, new.difference, new.news) == (True, None, None, False)


def test_noise_is_news_about_as_seldom_as_promised() -> None:
    """Calls of very different length, alike in both weeks; a fixed seed."""
    random = np.random.default_rng(20_251_124)
    weeks, calls = 3_000, 8
    false = 0
    for _ in range(weeks):
        pair = []
        for _ in range(2):
            scored = random.integers(20, 600, calls)
            means = random.beta(2, 6, calls)
            pair.append(_of_calls(scored, means))
        [change] = changes([pair[0]], [pair[1]], 5, shared=False)
        false += change.news
    assert 0.03 < false / weeks < 0.065


def _of_calls(scored: np.ndarray, means: np.ndarray) -> Cell:
    """The cell of whole calls, by the definition of the jackknife."""
    sums, calls = scored * means, len(scored)
    mean = sums.sum() / scored.sum()
    without = (sums.sum() - sums) / (scored.sum() - scored)
    variance = (calls - 1) / calls * ((without - mean) ** 2).sum()
    return cell("a", calls, distress=mean, variance=variance)
