"""Is one model better than another? Intervals for the difference of two scores.

Two kinds of luck are told apart: that of the seeds (the random start and the order of
the data), and that of the test items (other names, words or days). A difference is
"clear" if both intervals lie on the same side of 0, else "undecided". `comparisons` is
how many differences are looked at side by side: each interval then gets the level
1 - 0.05 / comparisons (Bonferroni).
"""

import numpy as np

from utils.inputs import amount, array, demand


def seed_interval(differences, comparisons=1):
    """Student's interval (1908) for the mean over all seeds: two numbers, low and high.

    differences (5,): one model minus another, for five seeds; roughly normal, it says.
    """
    differences, outside = _checked(differences, comparisons)
    many = len(differences)
    demand(many == 5, f"differences must be of 5 seeds, not of {many}")
    # The quantile of Student's t with 4 degrees of freedom: 2.776 for one comparison.
    root = np.sqrt(outside * (2 - outside))
    factor = 2 * np.sqrt(np.cos(np.arccos(root) / 3) / root - 1)
    half = factor * differences.std(ddof=1) / np.sqrt(5)
    return float(differences.mean() - half), float(differences.mean() + half)


def item_interval(differences, block=1, comparisons=1, draws=5000):
    """The bootstrap's interval (Efron, 1979) for the mean over all test items.

    differences (items,): one model minus another, for each item, mean over the seeds.
    They are cut into blocks of `block` neighbours (days in a row are alike), and as
    many blocks are drawn, with repetition, `draws` times: how far does the mean move?
    """
    differences, outside = _checked(differences, comparisons)
    # the block of each item
    blocks = np.arange(len(differences)) // amount(block, "block")
    sums, sizes = np.bincount(blocks, differences), np.bincount(blocks)
    few = f"block must be smaller: it leaves only {len(sums)} blocks"
    demand(len(sums) >= 5, few)
    rng, means = np.random.default_rng(0), np.zeros(amount(draws, "draws"))
    for k in range(len(means)):
        drawn = rng.integers(len(sums), size=len(sums))
        means[k] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [outside / 2, 1 - outside / 2])
    return float(low), float(high)


def judge(*intervals):
    """'clear' if all (low, high) lie on the same side of 0, and else 'undecided'."""
    above = all(low > 0 for low, high in intervals)
    below = all(high < 0 for low, high in intervals)
    return "clear" if above or below else "undecided"


def _checked(differences, comparisons):
    differences = array(differences, "differences")
    demand(differences.ndim == 1, "differences must be numbers in one row (N,)")
    return differences, 0.05 / amount(comparisons, "comparisons")
