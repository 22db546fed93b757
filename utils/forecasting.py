"""Score forecasts, and the simple forecasts that a network has to beat.

Models and baselines take the same windows and are scored by the same functions on the
same targets. Everywhere: known (N, length), the windows; actual and forecast
(N, horizon).
"""

import numpy as np

from utils.inputs import amount, array, demand


def rmse(forecast, actual):
    """Root of the mean squared error, in the units of the data."""
    forecast, actual = array(forecast, "forecast"), array(actual, "actual")
    demand(actual.size, "actual is empty: there is nothing to score")
    shapes = f"forecast {forecast.shape} and actual {actual.shape}"
    # (N, 1) - (N,) would quietly become (N, N)
    demand(forecast.shape == actual.shape, f"{shapes} must have one shape")
    return float(np.sqrt(np.mean((forecast - actual) ** 2)))


def persistence(known, horizon=1):
    """Everything stays as it is: repeat the last known value."""
    known = _history(known, 1)
    return np.repeat(known[:, -1:], amount(horizon, "horizon"), axis=1)


def seasonal_naive(known, period, horizon=1):
    """What came one period earlier: `period` is in steps, 132 months for the sun."""
    known, period = _history(known, period, "period"), int(period)
    steps = np.arange(amount(horizon, "horizon")) % period
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
        known = _history(known, order, "order")[:, -int(order) :]
        demand(not roots or known.min() >= 0, "roots need known values >= 0")
        known = np.sqrt(known) if roots else known
        return np.column_stack([np.ones(len(known)), known])

    x, goal = features(known), array(actual, "actual")
    demand(len(x) == len(goal), f"known has {len(x)} rows, actual {len(goal)}")
    fewer = f"order must be below the number of windows, {len(x)}, not {order}"
    demand(order < len(x), fewer)
    demand(not roots or goal.min() >= 0, "roots need actual values >= 0")
    goal = np.sqrt(goal) if roots else goal
    weights, *_ = np.linalg.lstsq(x, goal, rcond=None)
    if not roots:
        return lambda known: features(known) @ weights
    lost = np.mean((x @ weights - goal) ** 2, axis=0)
    return lambda known: np.maximum(features(known) @ weights, 0) ** 2 + lost


def _history(known, needed, name="length"):
    needed, known = amount(needed, name), array(known, "known")
    fits = known.ndim == 2 and len(known) and known.shape[1] >= needed
    wanted = f"windows (N, length) of at least {needed} steps"
    demand(fits, f"known must be {wanted}, not {known.shape}")
    return known
