"""The exercises of 02.1, Simple RNN."""

from functools import partial

import numpy as np
import torch
from torch import nn

from utils.exercises import ARRAYS_FIRST, Exercise, Mistake, draw_arrays

# --- Exercise 2.1: cut the windows yourself -------------------------------------------


def _draw_series(rng):
    series = rng.normal(size=rng.integers(8, 10)).round(1)
    length, horizon = map(int, rng.integers((2, 1), 4))
    return {"series": series, "length": length, "horizon": horizon}


def _cut(series, length, horizon, less=0, shift=0, stride=1):
    starts = range(0, len(series) - length - horizon + 1 - less, stride)
    future = [series[s + length + shift :][:horizon] for s in starts]
    return np.array([series[s : s + length] for s in starts]), np.array(future)


def _last_of_each_target(series, length, horizon):
    known, future = _cut(series, length, horizon)
    return known, future[:, -1:]


my_windows = Exercise(
    draw=_draw_series,
    right=_cut,
    verified="Windows of 2 or 3 values, 1 to 3 steps to forecast, and every pair.",
    mistakes=[
        Mistake(
            "The last pair is missing: its target ends with the last value. Count "
            "again.",
            partial(_cut, less=1),
            """
            def my_windows(series, length, horizon):
                known, future = [], []
                for i in range(len(series) - length - horizon):
                    known.append(series[i : i + length])
                    future.append(series[i + length : i + length + horizon])
                return known, future
            """,
        ),
        Mistake(
            "Too many pairs: the last targets reach beyond the end of the series.",
            lambda s, length, horizon: _cut(s, length, horizon, less=1 - horizon),
            """
            def my_windows(series, length, horizon):
                starts = range(len(series) - length)
                known = [series[i : i + length] for i in starts]
                future = [series[i + length : i + length + horizon] for i in starts]
                return np.array(known), np.array(future)
            """,
        ),
        Mistake(
            "Your targets begin with the last value of the window, which is known.",
            partial(_cut, shift=-1),
            """
            def my_windows(series, length, horizon):
                x, y = [], []
                for end in range(length - 1, len(series) - horizon):
                    x.append(series[end - length + 1 : end + 1])
                    y.append(series[end : end + horizon])
                return torch.stack(x), torch.stack(y)
            """,
        ),
        Mistake(
            "Your targets begin one step late: the value right after the window is in "
            "neither.",
            partial(_cut, less=1, shift=1),
            """
            def my_windows(series, length, horizon):
                known, future = [], []
                for start in range(len(series) - length - horizon):
                    end = start + length
                    known.append(series[start:end])
                    future.append(series[end + 1 : end + 1 + horizon])
                return np.array(known), np.array(future)
            """,
        ),
        Mistake(
            "Your windows lie end to end. Each should begin one step after the one "
            "before.",
            lambda s, length, horizon: _cut(s, length, horizon, stride=length),
            """
            def my_windows(series, length, horizon):
                known, future, i = [], [], 0
                while i + length + horizon <= len(series):
                    known.append(series[i : i + length])
                    i += length
                    future.append(series[i : i + horizon])
                return np.array(known), np.array(future)
            """,
        ),
        Mistake(
            "Each target is one value. All steps up to the horizon belong to it.",
            _last_of_each_target,
            """
            def my_windows(series, length, horizon):
                known = series[: len(series) - horizon].unfold(0, length, 1)
                return known, series[length + horizon - 1 :].unsqueeze(1)
            """,
        ),
    ],
)

# --- Exercise 3.1: scale by the past --------------------------------------------------


def _draw_parts(rng):
    n = int(rng.integers(3, 6))
    series = rng.normal(5, 2, size=n + rng.integers(2, 4)).round(1)
    return {"series": series, "train_length": n}


def _scale(series, known, spread=np.std):
    return (series - known.mean()) / spread(known)


standardised = Exercise(
    draw=_draw_parts,
    right=lambda s, n: _scale(s, s[:n]),
    verified="Measured on the first 3 to 5 values, applied to all.",
    mistakes=[
        Mistake(
            "You measured on all values, the future included: that leaks.",
            lambda s, n: _scale(s, s),
            """
            def standardised(series, train_length):
                return (series - series.mean()) / series.std()
            """,
        ),
        Mistake(
            "Only the training part came back: the rest has to be scaled as well.",
            lambda s, n: _scale(s[:n], s[:n]),
            """
            def standardised(series, train_length):
                train = np.asarray(series[:train_length])
                return (train - train.mean()) / train.std()
            """,
        ),
        Mistake(
            "The rest was scaled by a mean and a spread of its own: there 1 means "
            "something else than in training.",
            lambda s, n: np.concatenate([_scale(p, p) for p in np.split(s, [n])]),
            """
            def standardised(series, train_length):
                parts = series[:train_length], series[train_length:]
                return np.concatenate([(p - p.mean()) / np.std(p) for p in parts])
            """,
        ),
        Mistake(
            "That is the variance. The standard deviation is its root.",
            lambda s, n: _scale(s, s[:n], np.var),
            """
            def standardised(series, train_length):
                train = series[:train_length]
                mean = sum(train) / train_length
                spread = sum((v - mean) ** 2 for v in train) / train_length
                return (series - mean) / spread
            """,
        ),
        Mistake(
            "Your standard deviation divides by one less than the number of values, as "
            "torch's does unless told otherwise.",
            lambda s, n: _scale(s, s[:n], partial(np.std, ddof=1)),
            """
            def standardised(series, train_length):
                train = torch.as_tensor(series[:train_length])
                return (series - train.mean()) / torch.std(train)
            """,
        ),
    ],
    inputs=ARRAYS_FIRST,
)

# --- Exercise 5.1: write the loop -----------------------------------------------------


def _draw_training(rng):
    B, inputs, outputs, steps = map(int, rng.integers((2, 2, 2, 1), (4, 4, 4, 3)))
    torch.manual_seed(rng.integers(1000))
    layer = nn.Linear(inputs, outputs)
    pair = draw_arrays(rng, {"x": (B, inputs), "y": (B, outputs)})
    lr, limit = rng.uniform((0.2, 0.5), (0.6, 3)).round(1).tolist()
    # With one step, a loss made before the loop is right: only more steps fail.
    return {"layer": layer, **pair, "steps": 2 * steps - 1, "lr": lr, "limit": limit}


def _shorten(layer, limit):
    nn.utils.clip_grad_norm_(layer.parameters(), limit)


def _shorten_each(layer, limit):
    for weight in layer.parameters():
        nn.utils.clip_grad_norm_(weight, limit)


def _cut_off(layer, limit):
    nn.utils.clip_grad_value_(layer.parameters(), limit)


def _loop(
    zero="before",
    clip=_shorten,
    optimizer=torch.optim.SGD,
    reduction="mean",
    fresh=True,
):
    def descend(layer, x, y, steps, lr, limit):
        x, y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
        move = optimizer(layer.parameters(), lr=lr)
        loss = nn.functional.mse_loss(layer(x), y, reduction=reduction)
        for step in range(steps):
            if fresh and step:
                loss = nn.functional.mse_loss(layer(x), y, reduction=reduction)
            if zero == "before":
                move.zero_grad()
            loss.backward()
            if clip:
                clip(layer, limit)
            if zero == "after":
                move.zero_grad()
            move.step()
        return layer.weight, layer.bias

    return descend


descend = Exercise(
    draw=_draw_training,
    right=_loop(),
    verified="Weight and bias after 1 or 3 steps, some of them clipped.",
    mistakes=[
        Mistake(
            "From the second step on, old gradients are added to the new one.",
            _loop(zero="never"),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    loss = squared_error(layer(x), y)
                    loss.backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "The steps are too long: was the gradient clipped when it was there, and "
            "before it was used?",
            _loop(clip=None),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    loss = squared_error(layer(x), y)
                    optimizer.zero_grad()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    loss.backward()
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "Was the loss computed once, before the loop? Each step needs a new one, "
            "of the weights as they are now. (`retain_graph` is no cure.)",
            _loop(fresh=False),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                loss = squared_error(layer(x), y)
                for _ in range(steps):
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "The gradients of weight and bias are clipped one by one. The limit is for "
            "the length of all of them together.",
            _loop(clip=_shorten_each),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    for w in (layer.weight, layer.bias):
                        length = w.grad.norm()
                        if length > limit:
                            w.grad *= limit / length
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "Each number of the gradient is cut off at the limit, which turns its "
            "direction. Shorten the gradient as a whole.",
            _loop(clip=_cut_off),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_value_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "No weight has moved: was the gradient still there at the step?",
            _loop(zero="after"),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    squared_error(layer(x), y).backward()
                    optimizer.zero_grad()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "That is Adam's step. Here every weight moves by lr times its slope.",
            _loop(optimizer=torch.optim.Adam),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "Your loss is a sum over the numbers, not their mean.",
            _loop(reduction="sum"),
            """
            def descend(layer, x, y, steps, lr, limit):
                w, b = layer.weight, layer.bias
                for _ in range(steps):
                    loss = ((x @ w.T + b - y) ** 2).sum()
                    grads = torch.autograd.grad(loss, (w, b))
                    length = sum(g.square().sum() for g in grads) ** 0.5
                    factor = lr * min(1, limit / length)
                    w, b = w - factor * grads[0], b - factor * grads[1]
                return w, b
            """,
        ),
    ],
)
