"""The exercises of 02.6, Choosing a model."""

from functools import partial

import numpy as np

from utils.exercises import ARRAYS_FIRST, Exercise, Mistake

# --- Exercise 1.1: how many units fit? ------------------------------------------------


def _size(units, inputs, gates, biases=2):
    return gates * units * (inputs + units + biases)


def _largest(budget, inputs, gates, biases=2):
    units = 0
    while _size(units + 1, inputs, gates, biases) <= budget:
        units += 1
    return units


def _draw_budget(rng):
    gates, inputs = int(rng.choice([1, 3, 4])), int(rng.integers(2, 9))
    exact = _size(int(rng.integers(2, 20)), inputs, gates)
    budget = exact - int(rng.integers(2))
    return {"budget": budget, "inputs": inputs, "gates": gates}


units_for = Exercise(
    draw=_draw_budget,
    right=_largest,
    verified="RNN, GRU and LSTM layers; budgets met exactly, or missed by one.",
    mistakes=[
        Mistake(
            "One unit too many: the layer must not be larger than the budget.",
            lambda budget, inputs, gates: _largest(budget, inputs, gates) + 1,
            """
            def units_for(budget, inputs, gates):
                H = 1
                while gates * H * (inputs + H + 2) <= budget:
                    H += 1
                return H
            """,
        ),
        Mistake(
            "PyTorch keeps two biases for each unit and block; you count one.",
            partial(_largest, biases=1),
            """
            def units_for(budget, inputs, gates):
                def size(H):
                    return gates * H * (inputs + H + 1)
                return max(H for H in range(500) if size(H) <= budget)
            """,
        ),
        Mistake(
            "The blocks of weights are missing: 1 in an RNN, 3 in a GRU, 4 in an LSTM.",
            lambda budget, inputs, gates: _largest(budget, inputs, 1),
            """
            def units_for(budget, inputs, gates):
                fits = [H for H in range(500) if H * (inputs + H + 2) <= budget]
                return fits[-1]
            """,
        ),
        Mistake(
            "A larger network is too large: you left out the weights from state to "
            "state, which grow with the square of H.",
            lambda budget, inputs, gates: budget // (gates * (inputs + 2)),
            """
            def units_for(budget, inputs, gates):
                return budget // (gates * (inputs + 2))
            """,
        ),
        Mistake(
            "You left out the weights of the inputs.",
            lambda budget, inputs, gates: _largest(budget, 0, gates),
            """
            def units_for(budget, inputs, gates):
                fits = [H for H in range(500) if gates * H * (H + 2) <= budget]
                return max(fits)
            """,
        ),
        Mistake(
            "The budget divided by the gates, and a root: inputs and biases need room "
            "as well.",
            lambda budget, inputs, gates: int((budget / gates) ** 0.5),
            """
            def units_for(budget, inputs, gates):
                return int(np.sqrt(budget / gates))
            """,
        ),
    ],
)

# --- Exercise 5.1: an interval from pairs ---------------------------------------------


def _draw_scores(rng):
    hard = rng.normal(size=5)  # what is hard for one model is hard for the other
    a, b = (3 + hard + rng.normal(scale=0.3, size=5) for _ in range(2))
    return {"a": a.round(1), "b": b.round(1)}


def _paired(a, b, factor=2.776, ddof=1, n=5):
    mean, half = (a - b).mean(), factor * (a - b).std(ddof=ddof) / n**0.5
    return mean - half, mean + half


def _unpaired(a, b):
    spread = np.sqrt(a.var(ddof=1) + b.var(ddof=1))
    mean, half = (a - b).mean(), 2.776 * spread / 5**0.5
    return mean - half, mean + half


interval_of_difference = Exercise(
    draw=_draw_scores,
    right=_paired,
    verified="Both ends, for six pairs of models with five seeds each.",
    mistakes=[
        Mistake(
            "Asked are both ends, not the mean and half the width.",
            lambda a, b: (np.mean(_paired(a, b)), np.ptp(_paired(a, b)) / 2),
            """
            def interval_of_difference(a, b):
                d = a - b
                return d.mean(), 2.776 * d.std(ddof=1) / 5**0.5
            """,
        ),
        Mistake(
            "You add up the spreads of the two models. Seeds that are hard for both "
            "make them wide: take the difference for each seed first.",
            _unpaired,
            """
            def interval_of_difference(a, b):
                spread = (np.var(a, ddof=1) + np.var(b, ddof=1)) ** 0.5
                half = 2.776 * spread / 5**0.5
                middle = a.mean() - b.mean()
                return middle - half, middle + half
            """,
        ),
        Mistake(
            "The sign: asked is a minus b.",
            lambda a, b: _paired(b, a),
            """
            def interval_of_difference(a, b):
                d = b - a
                half = 2.776 * np.std(d, ddof=1) / 5**0.5
                return d.mean() - half, d.mean() + half
            """,
        ),
        Mistake(
            "The spread forgets that the mean was taken from the same five values "
            "(ddof).",
            partial(_paired, ddof=0),
            """
            def interval_of_difference(a, b):
                d = np.asarray(a) - np.asarray(b)
                half = 2.776 * d.std() / np.sqrt(5)
                return d.mean() - half, d.mean() + half
            """,
        ),
        Mistake(
            "That is the range of single differences; their mean varies less, by the "
            "root of 5.",
            partial(_paired, n=1),
            """
            def interval_of_difference(a, b):
                d = a - b
                half = 2.776 * d.std(ddof=1)
                return d.mean() - half, d.mean() + half
            """,
        ),
        Mistake(
            "1.96 belongs to very many seeds.",
            partial(_paired, factor=1.96),
            """
            def interval_of_difference(a, b):
                d = a - b
                half = 1.96 * torch.std(torch.as_tensor(d)) / 5**0.5
                return d.mean() - half, d.mean() + half
            """,
        ),
    ],
    inputs=ARRAYS_FIRST,
)

# --- Exercise 5.2: say what it supports -----------------------------------------------


def _draw_interval(rng):
    middle = rng.choice([-1.5, -0.2, 0.2, 1.5])
    half = rng.uniform(0.4, 1.0)
    return {"low": round(middle - half, 1), "high": round(middle + half, 1)}


def _verdict(low, high, below="a", above="b"):
    return below if high < 0 else above if low > 0 else "undecided"


verdict = Exercise(
    draw=_draw_interval,
    right=_verdict,
    verified="Intervals below 0, above 0, and around it.",
    mistakes=[
        Mistake(
            "Lower is better here: if a minus b is certainly negative, a wins.",
            partial(_verdict, below="b", above="a"),
            """
            def verdict(low, high):
                if high < 0:
                    return 'b'
                return 'a' if low > 0 else 'undecided'
            """,
        ),
        Mistake(
            "The middle of the interval alone decides nothing: how far does it reach?",
            lambda low, high: "a" if low + high < 0 else "b",
            """
            def verdict(low, high):
                middle = (low + high) / 2
                return 'a' if middle < 0 else 'b'
            """,
        ),
        Mistake(
            "One end below 0 is not enough for a: the whole interval must be.",
            lambda low, high: "a" if low < 0 else "b",
            """
            def verdict(low, high):
                if low < 0:
                    return 'a'
                return 'b' if high > 0 else 'undecided'
            """,
        ),
    ],
)
