"""Intervals of a difference: worked examples, and how often they hold the truth."""

import numpy as np
import pytest

from utils.comparing import item_interval, judge, seed_interval

# Tables of Student's t, 4 degrees of freedom: 97.5, 99.5 and 99.9 %, both sides.
FACTORS = {1: 2.7764, 5: 4.6041, 25: 7.1732}


@pytest.mark.parametrize("comparisons", FACTORS)
def test_students_interval_is_that_of_the_tables(comparisons):
    low, high = seed_interval([1, 2, 3, 4, 5], comparisons)  # standard deviation √2.5
    assert (low + high) / 2 == pytest.approx(3)
    half = FACTORS[comparisons] * np.sqrt(2.5) / np.sqrt(5)
    assert high - 3 == pytest.approx(half, rel=1e-4)


def test_both_intervals_hold_the_true_mean_in_95_of_100_experiments():
    rng = np.random.default_rng(1)
    seeds = [seed_interval(rng.normal(7, 2, 5)) for _ in range(2000)]
    items = [item_interval(rng.normal(7, 2, 200), draws=200) for _ in range(300)]
    for found, share in ((seeds, 0.02), (items, 0.04)):
        held = np.mean([low < 7 < high for low, high in found])
        assert held == pytest.approx(0.95, abs=share)


def test_blocks_keep_neighbours_together():
    """Each value eight times in a row is one value, and not eight; a short last block
    counts for as many items as it has."""
    few = np.random.default_rng(2).normal(size=40)
    wide, narrow = (item_interval(np.repeat(few, 8), block) for block in (8, 1))
    assert wide == pytest.approx(item_interval(few))
    assert np.ptp(wide) > 2.5 * np.ptp(narrow)
    # Of 7 blocks the short one was drawn three times: 3 · 13 from 3 + 4 · 2 items.
    assert item_interval([0] * 12 + [13], block=2) == pytest.approx((0, 39 / 11))


def test_many_items_have_the_interval_of_the_normal_distribution():
    items = np.random.default_rng(4).normal(3, 2, 400)
    half = 1.96 * items.std() / 20
    found = item_interval(items)
    assert found == pytest.approx((items.mean() - half, items.mean() + half), rel=0.005)


def test_more_comparisons_widen_and_two_runs_agree():
    some = np.random.default_rng(3).normal(0.2, 1, 100)
    assert item_interval(some) == item_interval(some)
    assert np.ptp(item_interval(some, comparisons=9)) > np.ptp(item_interval(some))


def test_one_rule_two_words():
    assert judge((1, 2), (0.1, 3)) == judge((-2, -1)) == "clear"
    assert judge((1, 2), (-0.1, 3)) == judge((0, 2)) == judge((-1, 0)) == "undecided"
    # Each leaves 0 out, but on sides that contradict one another.
    assert judge((1, 2), (-3, -1)) == judge((-3, -1), (1, 2)) == "undecided"


@pytest.mark.parametrize(
    ("function", "arguments", "word"),
    [
        (seed_interval, ([1, 2, 3, 4],), "5 seeds"),
        (seed_interval, ([1, 2, 3, 4, np.nan],), "finite"),
        (item_interval, (np.zeros((5, 9)),), "one row"),
        (item_interval, (np.zeros(9), 3), "smaller"),
    ],
)
def test_what_has_no_interval_is_refused(function, arguments, word):
    with pytest.raises(ValueError, match=word):
        function(*arguments)
