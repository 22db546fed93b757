"""The exercises of 02.3, GRU."""

from functools import partial

import numpy as np
import torch

from utils.data import Standardiser, load_weather, windows
from utils.exercises import (
    ARRAYS_FIRST,
    Challenge,
    Exercise,
    Miss,
    Mistake,
    draw_arrays,
    sigmoid,
)

# --- Exercise 2.1: one step, reset after ----------------------------------------------


def _draw_step(rng):
    B, inputs = rng.integers(1, 4, size=2)
    H = rng.integers(2, 4)  # one unit would hide a transposition
    states = {"x_t": (B, inputs), "h": (B, H)}
    weights = {"W_x": (3 * H, inputs), "W_h": (3 * H, H), "b_x": 3 * H, "b_h": 3 * H}
    return draw_arrays(rng, states | weights)


def _step(x_t, h, W_x, W_h, b_x, b_h, order="rzn", reset="after", swap=False):
    W, U, b, d = (
        dict(zip(order, np.split(stack, 3), strict=True))
        for stack in (W_x, W_h, b_x, b_h)
    )
    r, z = (sigmoid(x_t @ W[k].T + b[k] + h @ U[k].T + d[k]) for k in "rz")
    from_h = {
        "after": r * (h @ U["n"].T + d["n"]),
        "before": (r * h) @ U["n"].T + d["n"],
        "after, not the bias": r * (h @ U["n"].T) + d["n"],
        "never": h @ U["n"].T + d["n"],
    }
    from_x = x_t @ W["n"].T + b["n"]
    n = np.tanh(from_x + from_h.get(reset, 0))
    if reset == "all":
        n = np.tanh(r * (from_x + from_h["never"]))
    if reset == "after, sigmoid":
        n = sigmoid(from_x + from_h["after"])
    return (1 - z) * h + z * n if swap else (1 - z) * n + z * h


def _transposed(x_t, h, W_x, W_h, b_x, b_h):
    W_h = np.concatenate([block.T for block in np.split(W_h, 3)])
    return _step(x_t, h, W_x, W_h, b_x, b_h)


one_gru_step = Exercise(
    draw=_draw_step,
    right=_step,
    verified="The new state, in batches of 1 to 3 with 1 to 3 inputs and 2 or 3 units.",
    mistakes=[
        Mistake(
            "Your reset gate acts before the matrix product. That is the other of the "
            "two formulas.",
            partial(_step, reset="before"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
                W_r, W_z, W_n = W_h.chunk(3)
                b_r, b_z, b_n = b_h.chunk(3)
                r = torch.sigmoid(x_r + h @ W_r.T + b_r)
                z = torch.sigmoid(x_z + h @ W_z.T + b_z)
                n = torch.tanh(x_n + (r * h) @ W_n.T + b_n)
                return (1 - z) * n + z * h
            """,
        ),
        Mistake(
            "The bias b_hn stands in the wrong place: what does r multiply?",
            partial(_step, reset="after, not the bias"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                H = h.shape[1]
                x_r, x_z, x_n = (x_t @ W_x.T + b_x).split(H, dim=1)
                h_r, h_z, h_n = (h @ W_h.T).split(H, dim=1)
                b_r, b_z, b_n = b_h.split(H)
                r = torch.sigmoid(x_r + h_r + b_r)
                z = torch.sigmoid(x_z + h_z + b_z)
                n = torch.tanh(x_n + r * h_n + b_n)
                return (1 - z) * n + z * h
            """,
        ),
        Mistake(
            "The two shares are exchanged: with z near 1, what does PyTorch keep?",
            partial(_step, swap=True),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                def sigmoid(a):
                    return 1 / (1 + np.exp(-a))
                x_r, x_z, x_n = np.split(x_t @ W_x.T + b_x, 3, axis=1)
                h_r, h_z, h_n = np.split(h @ W_h.T + b_h, 3, axis=1)
                r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
                n = np.tanh(x_n + r * h_n)
                return z * n + (1 - z) * h
            """,
        ),
        Mistake(
            "r and z are exchanged: which gate has the first rows in PyTorch?",
            partial(_step, order="zrn"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                x_z, x_r, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
                h_z, h_r, h_n = (h @ W_h.T + b_h).chunk(3, dim=1)
                r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
                return torch.lerp((x_n + r * h_n).tanh(), h, z)
            """,
        ),
        Mistake(
            "W_h acts transposed. It is square in each block, so no shape warns you.",
            _transposed,
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                W_r, W_z, W_n = W_h.chunk(3)
                b_r, b_z, b_n = b_h.chunk(3)
                x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
                r = torch.sigmoid(x_r + h @ W_r + b_r)
                z = torch.sigmoid(x_z + h @ W_z + b_z)
                n = torch.tanh(x_n + r * (h @ W_n + b_n))
                return (1 - z) * n + z * h
            """,
        ),
        Mistake(
            "The reset gate has no effect: where does it enter the candidate?",
            partial(_step, reset="never"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                a = x_t @ W_x.T + b_x + h @ W_h.T + b_h
                r, z, n = a.chunk(3, dim=1)
                z = torch.sigmoid(z)
                return (1 - z) * torch.tanh(n) + z * h
            """,
        ),
        Mistake(
            "Your r multiplies what comes from the input as well. In the equation it "
            "stands before the bracket with the old state only.",
            partial(_step, reset="all"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                r, z, n = (x_t @ W_x.T + b_x + h @ W_h.T + b_h).chunk(3, dim=1)
                r, z = torch.sigmoid(r), torch.sigmoid(z)
                return (1 - z) * torch.tanh(r * n) + z * h
            """,
        ),
        Mistake(
            "Your candidate goes through a sigmoid. It is no gate: states lie between "
            "-1 and 1.",
            partial(_step, reset="after, sigmoid"),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
                h_r, h_z, h_n = (h @ W_h.T + b_h).chunk(3, dim=1)
                r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
                n = torch.sigmoid(x_n + r * h_n)
                return (1 - z) * n + z * h
            """,
        ),
        Mistake(
            "The state is right, but you return it twice, as nn.GRU does for a whole "
            "sequence. Return the new state alone.",
            lambda *given: (_step(*given), _step(*given)),
            """
            def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
                x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
                h_r, h_z, h_n = (h @ W_h.T + b_h).chunk(3, dim=1)
                r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
                h = (1 - z) * torch.tanh(x_n + r * h_n) + z * h
                return h, h
            """,
        ),
    ],
)

# --- Exercise 3.1: fill a gap without looking ahead -----------------------------------


def _draw_gaps(rng):
    """Short gaps and very long ones, at the end too; a measured 0 is no gap."""
    values = (10 * rng.normal(size=rng.integers(6, 9))).round(1)
    gaps = rng.random(len(values)) < 0.2
    gaps[0], gaps[2:4], gaps[-1] = False, True, rng.random() < 0.5
    values[gaps] = np.nan
    values[1] = 0.0
    longer = rng.choice([0, rng.integers(1000, 3000)])  # no number of rounds will do
    return {"values": np.insert(values, 4, np.full(longer, np.nan))}


def _from_the_left(values):
    known = np.where(np.isnan(values), 0, np.arange(len(values)))
    return values[np.maximum.accumulate(known)]


def _fill(values, by):
    return np.where(np.isnan(values), by, values)


def _rounds(values, n):
    for _ in range(n):
        values = _fill(values, np.append(values[:1], values[:-1]))
    return values


def _mean_so_far(values):
    known = ~np.isnan(values)
    return _fill(values, np.cumsum(_fill(values, 0)) / np.cumsum(known))


def _interpolate(values):
    at, known = np.arange(len(values)), ~np.isnan(values)
    return np.interp(at, at[known], values[known])


fill_forward = Exercise(
    draw=_draw_gaps,
    right=_from_the_left,
    verified="Series with short gaps and with very long ones, and with measured zeros.",
    mistakes=[
        Mistake(
            "That is the line from the value before a gap to the one after it. At that "
            "hour, was the far end known?",
            _interpolate,
            """
            def fill_forward(values):
                filled = np.array(values)
                known = np.flatnonzero(~np.isnan(filled))
                for start, end in zip(known[:-1], known[1:]):
                    step = (filled[end] - filled[start]) / (end - start)
                    for t in range(start + 1, end):
                        filled[t] = filled[t - 1] + step
                return np.where(np.isnan(filled), filled[known[-1]], filled)
            """,
        ),
        Mistake(
            "You fill a gap with the value that comes after it. That one was measured "
            "later.",
            lambda values: _from_the_left(values[::-1])[::-1],
            """
            def fill_forward(values):
                filled = list(values)
                for t in reversed(range(len(filled) - 1)):
                    if np.isnan(filled[t]):
                        filled[t] = filled[t + 1]
                return filled
            """,
        ),
        Mistake(
            "A mean of all values is made of later ones too, and it is not the last "
            "one known.",
            lambda values: _fill(values, np.nanmean(values)),
            """
            def fill_forward(values):
                return torch.where(values.isnan(), values.nanmean(), values)
            """,
        ),
        Mistake(
            "A gap of two hours stays half open: the value before its second hour is "
            "missing as well.",
            lambda values: _fill(values, np.append(values[:1], values[:-1])),
            """
            def fill_forward(values):
                filled = values.clone()
                for t in range(1, len(values)):
                    if torch.isnan(values[t]):
                        filled[t] = values[t - 1]
                return filled
            """,
        ),
        Mistake(
            "A gap longer than your number of rounds stays open. How can an hour use "
            "what was filled the hour before?",
            lambda values: _rounds(values, 3),
            """
            def fill_forward(values):
                filled = np.array(values)
                for _ in range(3):
                    before = np.append(filled[:1], filled[:-1])
                    filled = np.where(np.isnan(filled), before, filled)
                return filled
            """,
        ),
        Mistake(
            "You fill with 0, a temperature like any other. Return the last known "
            "value instead.",
            lambda values: _fill(values, 0),
            """
            def fill_forward(values):
                return np.nan_to_num(values)
            """,
        ),
        Mistake(
            "You fill with the mean of all values so far, not with the last of them.",
            _mean_so_far,
            """
            def fill_forward(values):
                filled, known = [], []
                for value in values:
                    if not np.isnan(value):
                        known.append(value)
                        filled.append(value)
                    else:
                        filled.append(sum(known) / len(known))
                return filled
            """,
        ),
        Mistake(
            "A measured 0 is no gap: only NaN is.",
            lambda values: _from_the_left(np.where(values == 0, np.nan, values)),
            """
            def fill_forward(values):
                filled = np.nan_to_num(values)
                for t in range(1, len(filled)):
                    if filled[t] == 0:
                        filled[t] = filled[t - 1]
                return filled
            """,
        ),
        Mistake(
            "The gaps are gone, and so are their hours: the series must keep its "
            "length.",
            lambda values: values[~np.isnan(values)],
            """
            def fill_forward(values):
                return [value for value in values if not np.isnan(value)]
            """,
        ),
        Mistake(
            "Nothing was filled. NaN is equal to nothing, not even to itself: how do "
            "you find it?",
            lambda values: values,
            """
            def fill_forward(values):
                for t in range(1, len(values)):
                    if values[t] == np.nan:
                        values[t] = values[t - 1]
                return values
            """,
        ),
    ],
    inputs=ARRAYS_FIRST,
)

# --- Exercise 6.1: a forecaster of your own -------------------------------------------


def _weeks(first, second):
    """(windows (N, 48, 10), change (N,)) of two parts of the weather, six hours ahead.

    Scaled by the first; the lesson's ten columns, made anew.
    """
    weather = load_weather()
    table = weather.drop(columns=["wind_direction", "wind_speed"])
    angle = np.radians(weather["wind_direction"])
    table["wind_u"] = -weather["wind_speed"] * np.sin(angle)
    table["wind_v"] = -weather["wind_speed"] * np.cos(angle)
    table = table.ffill()
    angle = 2 * np.pi * table.index.hour / 24
    table["hour_sin"], table["hour_cos"] = np.sin(angle), np.cos(angle)
    scaled, found = Standardiser.fit(table[first])(table), []
    measured, filled = (w["temperature"].to_numpy() for w in (weather, table))
    for part in (first, second):
        known, rows = windows(scaled, 48, 6, part=part, target=np.arange(len(table)))
        rows = rows[:, -1].astype(int)
        change = measured[rows] - filled[rows - 6]
        found.append((known[~np.isnan(change)], change[~np.isnan(change)]))
    return found


def _error_of_the_weeks(answer):
    """MAE in °C on five weeks that lie within the lesson's training part."""
    (known, change), (new, came) = _weeks(slice(0, 5224), slice(5224, 6095))
    forecast = answer(known, change, new)
    if isinstance(forecast, torch.Tensor):
        forecast = forecast.detach().numpy()
    if np.shape(forecast) != came.shape:
        shapes = f"{np.shape(forecast)}, wanted {came.shape}"
        raise ValueError(f"the forecasts have the shape {shapes}")
    return np.mean(np.abs(forecast - came))


my_forecaster = Challenge(
    score=_error_of_the_weeks,
    goal=1.22,
    told="has an MAE of {score:.3f} °C, the goal is {goal} or less.",
    misses=[
        Miss(
            "No better than persistence, which forecasts no change. Has your model "
            "been trained, and do you return changes in °C, not temperatures?",
            lambda score: score > 2.5,
            """
            def my_forecaster(known, change, new):
                model = Forecaster(nn.GRU, 32)
                return training.predict(model, torch.tensor(new).float())
            """,
        ),
        Miss(
            "Behind plain ridge. Does your model read all ten columns? A network must "
            "train for several epochs. For ridge, tune alpha on the end of known.",
            lambda score: 1.32 < score <= 2.5,
            """
            def my_forecaster(known, change, new):
                hours = [np.arctan2(x[:, -1, 8], x[:, -1, 9]) for x in (known, new)]
                hours = [np.round(hour / np.pi * 12) % 24 for hour in hours]
                return np.array([change[hours[0] == hour].mean() for hour in hours[1]])
            """,
        ),
        Miss(
            "About as good as plain ridge. Give it products (section 4), or take the "
            "mean of two forecasts of different kinds.",
            lambda score: 1.25 < score <= 1.32,
            """
            def my_forecaster(known, change, new):
                return flat(new) @ ridge(flat(known), change, alpha=10)
            """,
        ),
        Miss(
            "Close. Take the mean of two forecasts of different kinds, a network's and "
            "ridge's, or of several seeds.",
            lambda score: score <= 1.25,
            """
            def my_forecaster(known, change, new):
                def rows(x):
                    clock = x[:, -1, None, None, 8:]
                    products = x[:, -6:, :8, None] * clock
                    return np.column_stack([flat(x), products.reshape(len(x), -1)])
                return rows(new) @ ridge(rows(known), change, alpha=10)
            """,
        ),
    ],
)
