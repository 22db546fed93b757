"""Metrics and baselines, on series whose answer is known."""

import numpy as np
import pytest

from utils.data import windows
from utils.forecasting import autoregression, persistence, rmse, seasonal_naive


def test_rmse():
    actual, forecast = np.array([[1.0], [2.0]]), np.array([[1.0], [5.0]])
    assert np.isclose(rmse(forecast, actual), np.sqrt(4.5))


def test_rmse_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match="one shape"):
        rmse(np.zeros((5, 1)), np.zeros(5))


def test_persistence_repeats_the_last_value():
    known = np.array([[1.0, 2, 4], [5, 6, 9]])
    assert persistence(known, 2).tolist() == [[4, 4], [9, 9]]


@pytest.mark.parametrize("horizon", [1, 4, 9])
def test_seasonal_naive_is_right_on_a_period(horizon):
    known, actual = windows(np.tile([3.0, 1, 4, 1], 20), 11, horizon)
    assert np.array_equal(seasonal_naive(known, 4, horizon), actual)


def test_autoregression_finds_the_rule_of_a_series():
    rng, series = np.random.default_rng(0), [1.0, 0.5]
    for noise in rng.normal(0, 0.1, 4000):
        series.append(1.2 * series[-1] - 0.6 * series[-2] + 0.3 + noise)
    known, actual = windows(series, 6, 2)
    forecast = autoregression(known[:3000], actual[:3000], order=2)
    errors = forecast(known[3000:]) - actual[3000:]
    assert np.allclose(errors.std(axis=0), [0.1, 0.1 * np.hypot(1, 1.2)], rtol=0.05)


def test_autoregression_agrees_with_the_normal_equations():
    rng = np.random.default_rng(1)
    known, actual = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    X = np.column_stack([np.ones(50), known[:, -3:]])
    expected = X @ np.linalg.solve(X.T @ X, X.T @ actual)
    assert np.allclose(autoregression(known, actual, 3)(known), expected)


def test_autoregression_on_roots_aims_at_the_mean():
    # A root is 2 or 4, whatever was known: its mean is 3, that of its square 10.
    known, actual = np.ones((40, 3)), np.resize([4.0, 16.0], (40, 1))
    forecast = autoregression(known, actual, 1, roots=True)
    assert np.allclose(forecast(known), 10)
    # Known and target may move apart, but no root falls below 0.
    known = np.array([[1.0], [4.0], [9.0]])  # the next root is one less
    falling = autoregression(known, np.array([[0.0], [1.0], [4.0]]), 1, roots=True)
    assert np.allclose(falling(np.array([[16.0], [0.0]])), [[9], [0]])


@pytest.mark.parametrize("steps", [0, -1])
def test_a_history_of_no_steps_is_named(steps):
    known = np.zeros((10, 6))
    with pytest.raises(ValueError, match=f"period must be at least 1, not {steps}"):
        seasonal_naive(known, steps)
    with pytest.raises(ValueError, match=f"order must be at least 1, not {steps}"):
        autoregression(known, known, steps)


@pytest.mark.parametrize(
    "known", [np.zeros(10), np.zeros((10, 3)), np.zeros((2, 9, 2))]
)
def test_too_short_a_history_is_named(known):
    with pytest.raises(ValueError, match="at least 5 steps"):
        seasonal_naive(known, 5)
