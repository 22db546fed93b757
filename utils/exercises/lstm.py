"""The exercises of 02.2, LSTM."""

from functools import partial

import numpy as np

from utils.exercises import Exercise, Mistake, draw_arrays, sigmoid

# --- Exercise 1.1: half after n steps -------------------------------------------------


def _gate(n):
    return 0.5 ** (1 / n)


def _bias(f):
    return np.log(f / (1 - f))


def _draw_steps(rng):  # a formula that is only nearly right shows for few steps
    low, high = (2, 6) if rng.random() < 0.5 else (6, 150)
    return {"n": int(rng.integers(low, high))}


half_life_bias = Exercise(
    draw=_draw_steps,
    right=lambda n: _bias(_gate(n)),
    verified="Biases for memories of 2 to 150 steps.",
    mistakes=[
        Mistake(
            "That is the bias for the time scale n, after which a little more than a "
            "third is left. Here half should be left.",
            lambda n: np.log(n - 1),
            """
            def half_life_bias(n):
                return torch.log(torch.tensor(n - 1.0))
            """,
        ),
        Mistake(
            "The log of n is no bias for half. Which gate f leaves f^n = 0.5, and "
            "which bias gives this gate?",
            np.log,
            """
            def half_life_bias(n):
                return np.log(n)
            """,
        ),
        Mistake(
            "Right but for the sign. A gate above one half needs a positive bias.",
            lambda n: -_bias(_gate(n)),
            """
            def half_life_bias(n):
                f = 0.5 ** (1 / n)
                return np.log(1 / f - 1)
            """,
        ),
        Mistake(
            "That is the gate itself, between 0 and 1. Which bias gives this gate?",
            _gate,
            """
            def half_life_bias(n):
                return 0.5 ** (1 / n)
            """,
        ),
        Mistake(
            "The sigmoid leads from the bias to the gate. You need the way back.",
            lambda n: sigmoid(_gate(n)),
            """
            def half_life_bias(n):
                f = np.exp(np.log(0.5) / n)
                return 1 / (1 + np.exp(-f))
            """,
        ),
        Mistake(
            "The log undoes an exponential. The gate is a sigmoid of its bias.",
            lambda n: np.log(_gate(n)),
            """
            def half_life_bias(n):
                return -np.log(2) / n
            """,
        ),
        Mistake(
            "Each step takes away a share of what is still left, not the same amount. "
            "What is left after n steps?",
            lambda n: _bias(1 - 0.5 / n),
            """
            def half_life_bias(n):
                loss = 0.5 / n
                return torch.logit(torch.tensor(1 - loss, dtype=torch.float64))
            """,
        ),
    ],
)

# --- Exercise 2.1: one step with PyTorch's weights ------------------------------------


def _draw_step(rng):
    B, inputs, H = rng.integers(1, 4, size=3)
    if rng.random() < 0.4:
        B, H = 4, 1  # the sizes with which a cut of the wrong axis raises no error
    states = {"x_t": (B, inputs), "h": (B, H), "c": (B, H)}
    weights = {"W_x": (4 * H, inputs), "W_h": (4 * H, H), "b": 4 * H}
    return draw_arrays(rng, states | weights)


def _unchanged(value):
    return value


def _shown(old, new):
    return np.tanh(new)


def _step(
    x_t, h, c, W_x, W_h, b, order="ifgo", axis=1, gate=sigmoid, squash=np.tanh,
    keep=_unchanged, write=_unchanged, hold=_unchanged, show=_shown,
):  # fmt: skip
    blocks = np.split(x_t @ W_x.T + h @ W_h.T + b, 4, axis=axis)
    a = dict(zip(order, blocks, strict=True))
    i, f, o = (gate(a[name]) for name in "ifo")
    new = hold(keep(f) * c + write(i) * squash(a["g"]))
    return o * show(c, new), new


one_lstm_step = Exercise(
    draw=_draw_step,
    right=_step,
    verified="Both states, in batches of 1 to 4 with 1 to 3 inputs and units.",
    mistakes=[
        Mistake(
            "You cut between the sequences of the batch. The four blocks lie side by "
            "side in every row: cut along dim 1 (in NumPy, axis 1).",
            partial(_step, axis=0),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                return o.sigmoid() * c.tanh(), c
            """,
        ),
        Mistake(
            "In spite of its name, the forget gate says how much to keep: what does "
            "the equation of c multiply by f?",
            partial(_step, keep=lambda f: 1 - f),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = (1 - f.sigmoid()) * c + i.sigmoid() * g.tanh()
                return o.sigmoid() * c.tanh(), c
            """,
        ),
        Mistake(
            "A gate lies between 0 and 1. Which function sees to that? It is missing.",
            partial(_step, gate=_unchanged),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = f * c + i * torch.tanh(g)
                return o * torch.tanh(c), c
            """,
        ),
        Mistake(
            "Not all of the candidate is written: which gate says how much?",
            partial(_step, write=lambda i: 1),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = f.sigmoid() * c + g.tanh()
                return o.sigmoid() * c.tanh(), c
            """,
        ),
        Mistake(
            "The memory itself is only multiplied and added to. The tanh belongs to "
            "what is shown.",
            partial(_step, hold=np.tanh, show=lambda old, new: new),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = torch.tanh(f.sigmoid() * c + i.sigmoid() * g.tanh())
                return o.sigmoid() * c, c
            """,
        ),
        Mistake(
            "The memory itself is only multiplied and added to: one tanh too many.",
            partial(_step, hold=np.tanh),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = torch.tanh(f.sigmoid() * c + i.sigmoid() * g.tanh())
                return o.sigmoid() * torch.tanh(c), c
            """,
        ),
        Mistake(
            "The last two blocks of rows are exchanged: which stands third in PyTorch, "
            "which fourth?",
            partial(_step, order="ifog"),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, o, g = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                return o.sigmoid() * c.tanh(), c
            """,
        ),
        Mistake(
            "The first two blocks of rows are exchanged: which comes first in PyTorch, "
            "input gate or forget gate?",
            partial(_step, order="figo"),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                sigmoid = lambda a: 1 / (1 + np.exp(-a))
                f, i, g, o = np.split(x_t @ W_x.T + h @ W_h.T + b, 4, axis=1)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                return sigmoid(o) * np.tanh(c), c
            """,
        ),
        Mistake(
            "The two blocks in the middle are exchanged: which stands second in "
            "PyTorch, which third?",
            partial(_step, order="igfo"),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                a = x_t @ W_x.T + h @ W_h.T + b
                H = h.shape[1]
                i, g = torch.sigmoid(a[:, :H]), torch.tanh(a[:, H : 2 * H])
                f, o = torch.sigmoid(a[:, 2 * H :]).chunk(2, dim=1)
                c = f * c + i * g
                return o * torch.tanh(c), c
            """,
        ),
        Mistake(
            "The candidate may be negative as well: it is no gate and has another "
            "function than the gates.",
            partial(_step, squash=sigmoid),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                a = x_t @ W_x.T + h @ W_h.T + b
                i, f, g, o = torch.sigmoid(a).chunk(4, dim=1)
                c = f * c + i * g
                return o * torch.tanh(c), c
            """,
        ),
        Mistake(
            "c is right, h is not: what squashes the memory before it is shown?",
            partial(_step, show=lambda old, new: new),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                return o.sigmoid() * c, c
            """,
        ),
        Mistake(
            "c is right, h is not: it shows the old memory, not the new one.",
            partial(_step, show=lambda old, new: np.tanh(old)),
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                h = o.sigmoid() * c.tanh()
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                return h, c
            """,
        ),
        Mistake(
            "Both states are right, but they come back in the wrong order.",
            lambda *inputs: _step(*inputs)[::-1],
            """
            def one_lstm_step(x_t, h, c, W_x, W_h, b):
                i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                return c, o.sigmoid() * c.tanh()
            """,
        ),
    ],
)

# --- Exercise 6.1: feed the forecasts back --------------------------------------------


def _draw_forecast(rng):
    order, more, steps = rng.integers(2, 5), rng.integers(4), int(rng.integers(2, 13))
    weights, known = rng.normal(size=order), rng.normal(size=order + more)
    return {"weights": weights.round(1), "known": known.round(1), "steps": steps}


def _feed_back(weights, known, steps, move=lambda window, y: [*window[1:], y]):
    window, forecasts = known[-len(weights) :], []
    for _ in range(steps):
        forecasts.append(weights @ window)
        window = move(window, forecasts[-1])
    return np.array(forecasts)


def _from_the_oldest(weights, known, steps):
    values = list(known)
    for t in range(steps):
        values.append(weights @ values[t : t + len(weights)])
    return np.array(values[len(known) :])


feed_back = Exercise(
    draw=_draw_forecast,
    right=_feed_back,
    verified="2 to 12 forecasts, from 2 to 4 weights.",
    mistakes=[
        Mistake(
            "That is the first forecast alone. The next one reads it.",
            lambda w, known, steps: _feed_back(w, known, 1)[0],
            """
            def feed_back(weights, known, steps):
                for _ in range(steps):
                    return weights @ known[-len(weights) :]
            """,
        ),
        Mistake(
            "That is the last forecast alone. Collect all of them.",
            lambda w, known, steps: _feed_back(w, known, steps)[-1],
            """
            def feed_back(weights, known, steps):
                window = list(known[-len(weights) :])
                for _ in range(steps):
                    forecast = sum(w * v for w, v in zip(weights, window))
                    window = window[1:] + [forecast]
                return forecast
            """,
        ),
        Mistake(
            "Each forecast joins the window in front. The newest value stands last.",
            partial(_feed_back, move=lambda window, y: [y, *window[:-1]]),
            """
            def feed_back(weights, known, steps):
                window, forecasts = list(known[-len(weights) :]), []
                for _ in range(steps):
                    forecasts.append(sum(w * v for w, v in zip(weights, window)))
                    window = [forecasts[-1]] + window[:-1]
                return forecasts
            """,
        ),
        Mistake(
            "All your forecasts are the same: none of them ever reads the one before "
            "it.",
            partial(_feed_back, move=lambda window, y: window),
            """
            def feed_back(weights, known, steps):
                forecasts = []
                for _ in range(steps):
                    recent = known[-len(weights) :]
                    forecasts.append((weights * recent).sum())
                return forecasts
            """,
        ),
        Mistake(
            "Each forecast takes the place of the newest value. The window should move "
            "on: which value has to leave it?",
            partial(_feed_back, move=lambda window, y: [*window[:-1], y]),
            """
            def feed_back(weights, known, steps):
                window, forecasts = known[-len(weights) :], []
                for _ in range(steps):
                    forecasts.append(float(weights @ window))
                    window[-1] = forecasts[-1]
                return torch.tensor(forecasts)
            """,
        ),
        Mistake(
            "The weights meet the values in the wrong order: the last weight belongs "
            "to the newest value.",
            lambda w, known, steps: _feed_back(w[::-1], known, steps),
            """
            def feed_back(weights, known, steps):
                values = list(known)
                for _ in range(steps):
                    next_value = 0
                    for k in range(len(weights)):
                        next_value += weights[k] * values[-1 - k]
                    values.append(next_value)
                return values[len(known) :]
            """,
        ),
        Mistake(
            "Your window begins with the oldest values. The first forecast should read "
            "the newest.",
            _from_the_oldest,
            """
            def feed_back(weights, known, steps):
                for t in range(steps):
                    window = known[t : t + len(weights)]
                    known = torch.cat([known, (weights @ window)[None]])
                return known[-steps:]
            """,
        ),
        Mistake(
            "Return the forecasts alone, without the known values.",
            lambda w, known, steps: np.append(known, _feed_back(w, known, steps)),
            """
            def feed_back(weights, known, steps):
                for _ in range(steps):
                    known = np.append(known, weights @ known[-len(weights) :])
                return known
            """,
        ),
    ],
)
