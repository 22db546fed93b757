"""Score forecasts, and the simple forecasts that a network has to beat.

Models and baselines take the same windows and are scored by the same functions on the
same targets. Everywhere: known (N, length), the windows; actual and forecast
(N, horizon).
"""

import numpy as np


def rmse(forecast, actual):
    """Root of the mean squared error, in the units of the data."""
    forecast, actual = np.asarray(forecast), np.asarray(actual)
    if forecast.shape != actual.shape:  # (N, 1) - (N,) would quietly become (N, N)
        raise ValueError(
            f"forecast {forecast.shape} and actual {actual.shape} must have one shape"
        )
    return float(np.sqrt(np.mean((forecast - actual) ** 2)))


def persistence(known, horizon=1):
    """Everything stays as it is: repeat the last known value."""
    known = _history(known, 1)
    return np.repeat(known[:, -1:], horizon, axis=1)


def seasonal_naive(known, period, horizon=1):
    """What came one period earlier: `period` is in steps, 132 months for the sun."""
    known = _history(known, period, "period")
    steps = np.arange(horizon) % period
    return known[:, known.shape[1] - period + steps]


def autoregression(known, actual, order, roots=False):
    """Fit AR(order) by least squares, one linear formula for each step ahead.

    Each step of the horizon gets its own weights on the last `order` values and a
    constant (the direct method). With `roots`, on the square roots of the values: a
    forecast of a root is squared, and the mean squared error of the fit is added,
    because the mean of a square is the square of the mean plus the variance. Returns a
    function that maps windows (N, length) to forecasts (N, horizon).
    """

    def features(known):
        known = _history(known, order, "order")
        known = np.sqrt(known) if roots else known
        return np.column_stack([np.ones(len(known)), known[:, -order:]])

    goal = np.sqrt(actual) if roots else np.asarray(actual)
    weights, *_ = np.linalg.lstsq(features(known), goal, rcond=None)
    if not roots:
        return lambda known: features(known) @ weights
    lost = np.mean((features(known) @ weights - goal) ** 2, axis=0)
    return lambda known: np.maximum(features(known) @ weights, 0) ** 2 + lost


def _history(known, needed, name="length"):
    if needed < 1:
        raise ValueError(f"{name} must be at least 1, not {needed}")
    known = np.asarray(known)
    if known.ndim != 2 or known.shape[1] < needed:
        raise ValueError(
            f"known must be windows (N, length) of at least {needed} steps, "
            f"not {known.shape}"
        )
    return known
