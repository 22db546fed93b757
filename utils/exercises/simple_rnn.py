"""The exercises of 02.1, Simple RNN."""

from functools import partial

import numpy as np
import torch
from torch import nn

from utils.data import chronological_split, load_sunspots, windows
from utils.exercises import (
    ARRAYS_FIRST,
    Challenge,
    Exercise,
    Miss,
    Mistake,
    draw_arrays,
)
from utils.forecasting import rmse

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
            "Brackets are missing: without them only the mean is divided, because / "
            "comes before −.",
            lambda s, n: s - s[:n].mean() / s[:n].std(),
            """
            def standardised(series, train_length):
                past = np.asarray(series)[:train_length]
                return series - past.mean() / past.std()
            """,
        ),
        Mistake(
            "The mean is that of the past, but the standard deviation is that of all "
            "values, the future included.",
            lambda s, n: (s - s[:n].mean()) / s.std(),
            """
            def standardised(series, train_length):
                series = np.asarray(series)
                shifted = series - series[:train_length].mean()
                return shifted / np.std(shifted)
            """,
        ),
        Mistake(
            "The standard deviation is that of the past, but the mean is that of all "
            "values, the future included.",
            lambda s, n: (s - s.mean()) / s[:n].std(),
            """
            def standardised(series, train_length):
                values = np.asarray(series)
                return (values - values.mean()) / values[:train_length].std()
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


def _shorten_weight(layer, limit):
    nn.utils.clip_grad_norm_(layer.weight, limit)


def _shorten_to_one(layer, limit):
    _shorten(layer, 1.0)


def _cut_off(layer, limit):
    nn.utils.clip_grad_value_(layer.parameters(), limit)


def _loop(
    zero="before",
    clip=_shorten,
    optimizer=torch.optim.SGD,
    loss_of=nn.functional.mse_loss,
    fresh=True,
    more=0,
    give=lambda layer: (layer.weight, layer.bias),
):
    def descend(layer, x, y, steps, lr, limit):
        x, y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
        move = optimizer(layer.parameters(), lr=lr)
        loss = loss_of(layer(x), y)
        for step in range(steps + more):
            if fresh and step:
                loss = loss_of(layer(x), y)
            if zero == "before":
                move.zero_grad()
            loss.backward()
            if clip:
                clip(layer, limit)
            if zero == "after":
                move.zero_grad()
            move.step()
        return give(layer)

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
            _loop(loss_of=partial(nn.functional.mse_loss, reduction="sum")),
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
        Mistake(
            "Your loss is the mean absolute error, not the squared error.",
            _loop(loss_of=nn.functional.l1_loss),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    loss = (layer(x) - y).abs().mean()
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "Only the gradient of the weight is clipped. The bias belongs to the layer "
            "as well: hand over `layer.parameters()`.",
            _loop(clip=_shorten_weight),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_norm_(layer.weight, limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "The gradient is clipped to length 1. Clip it to `limit`.",
            _loop(clip=_shorten_to_one),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "One step too many.",
            _loop(more=1),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps + 1):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer.weight, layer.bias
            """,
        ),
        Mistake(
            "The numbers are right. Return the two tensors, not the layer.",
            _loop(give=lambda layer: layer),
            """
            def descend(layer, x, y, steps, lr, limit):
                optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    squared_error(layer(x), y).backward()
                    nn.utils.clip_grad_norm_(layer.parameters(), limit)
                    optimizer.step()
                return layer
            """,
        ),
    ],
)

# --- Exercise 10.1: train a forecaster of your own ------------------------------------


TENTHS = 10  # in which the check counts: a network trained on whole ones does not fit


def _error_of_the_year(answer):
    """Mean RMSE over 1 to 12 months on the validation part of the sunspots."""
    sunspots = load_sunspots().to_numpy()
    train, validation, _ = chronological_split(len(sunspots))
    known, future = windows(TENTHS * sunspots, 144, 12, part=train)
    new, came = windows(TENTHS * sunspots, 144, 12, part=validation)
    forecast = np.asarray(answer(known, future, new))
    if forecast.shape != came.shape:
        raise ValueError(f"the forecasts are {forecast.shape}, wanted {came.shape}")
    return np.mean([rmse(forecast[:, k], came[:, k]) for k in range(12)]) / TENTHS


forecast_year = Challenge(
    score=_error_of_the_year,
    goal=22.4,
    told="has a mean RMSE of {score:.1f}, the goal is {goal} or less.",
    misses=[
        Miss(
            "That is far off. Did you standardise inputs and targets, as in section 7, "
            "and undo the scale in the end?",
            lambda score: score > 40,
            """
            def forecast_year(known, future, new):
                scale = data.Standardiser.fit(known.ravel())
                x = torch.tensor(scale(known)).float()
                y = torch.tensor(scale(future)).float()
                model = ChangeForecaster(per_step=12)
                training.fit(model, (x, y), (x[-200:], y[-200:]), epochs=20, lr=0.003)
                return training.predict(model, torch.tensor(scale(new)).float()).numpy()
            """,
        ),
        Miss(
            "No better than persistence. Does your function train a new network, on "
            "`known` and `future`, for some dozens of epochs?",
            lambda score: 30 < score <= 40,
            """
            def forecast_year(known, future, new):
                return ChangeForecaster()(torch.tensor(new).float()).detach().numpy()
            """,
        ),
        Miss(
            "A little better than persistence. Does one mean and one standard "
            "deviation, measured on `known`, scale `known`, `future` and `new`?",
            lambda score: 26.5 < score <= 30,
            """
            def forecast_year(known, future, new):
                a = data.Standardiser.fit(known.ravel())
                b = data.Standardiser.fit(future.ravel())
                c = data.Standardiser.fit(new.ravel())
                x, y = torch.tensor(a(known)).float(), torch.tensor(b(future)).float()
                model = ChangeForecaster(per_step=12)
                training.fit(model, (x, y), (x[-200:], y[-200:]), epochs=40, lr=0.003)
                said = training.predict(model, torch.tensor(c(new)).float()).numpy()
                return b.undo(said)
            """,
        ),
        Miss(
            "A linear model gets as far. Train a network for some dozens of epochs: it "
            "reads twelve months per step and predicts the change.",
            lambda score: 22.4 < score <= 26.5,
            """
            def forecast_year(known, future, new):
                return forecasting.autoregression(known, future, 108, roots=True)(new)
            """,
        ),
    ],
)
