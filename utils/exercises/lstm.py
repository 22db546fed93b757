"""The exercises of 02.2, LSTM, and the memory task that it trains on."""

from functools import partial

import numpy as np
import torch

from utils.exercises import Challenge, Exercise, Miss, Mistake, draw_arrays, sigmoid
from utils.training import History, predict


def memory_task(n, seed, steps=200, marks=2):
    """Sequences of numbers, of which one or two are marked, and what they add up to.

    Returns x (n, steps, 2), a random number from 0 to 1 and a mark, 1 or 0, at each
    step; and y (n, 1), the sum of the marked numbers. `seed` may be a torch.Generator.
    """
    if marks not in (1, 2) or steps < 2:
        raise ValueError(f"1 or 2 marks in at least 2 steps, not {marks} in {steps}")
    draws = seed
    if not isinstance(seed, torch.Generator):
        draws = torch.Generator().manual_seed(seed)
    numbers, marked = torch.rand(n, steps, generator=draws), torch.zeros(n, steps)
    rows, first = torch.arange(n), torch.randint(steps, (n,), generator=draws)
    marked[rows, first] = 1.0
    if marks == 2:
        later = torch.randint(1, steps, (n,), generator=draws)
        marked[rows, (first + later) % steps] = 1.0
    y = (numbers * marked).sum(dim=1, keepdim=True)
    return torch.stack([numbers, marked], dim=2), y


# --- Exercise 2.1: one step with one product ------------------------------------------


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

# --- Exercise 3.1: the bias for a half-life -------------------------------------------


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

# --- Exercise 4.1: train a network that remembers -------------------------------------


def _error_on_new_sequences(train_mine):
    x, y = memory_task(1000, seed=4711, steps=100, marks=1)
    net = train_mine()
    if isinstance(net, History):
        raise TypeError("return the network, not the history of its training")
    if not isinstance(net, torch.nn.Module):
        raise TypeError(f"return the trained network, not {type(net).__name__}")
    if not list(net.parameters()):
        raise TypeError("this network has no weights, so it has not been trained")
    answers = predict(net, x).reshape(y.shape)
    return (answers - y).square().mean().item()


train_mine = Challenge(
    score=_error_on_new_sequences,
    goal=0.01,
    told="has a squared error of {score:.3f} on 1,000 new sequences, the goal is "
    "{goal}.",
    misses=[
        Miss(
            "Always answering 0.5 gives 0.083: the network guesses. Are the forget "
            "gates open for 100 steps, and are the input gates shut? Is the learning "
            "rate 0.01, and are the sequences for validation of the same task?",
            lambda error: 0.075 < error <= 0.1,
            """
            def train_mine():
                torch.manual_seed(0)
                task = memory_task(3200, seed=1, steps=100, marks=1)
                held_out = memory_task(500, seed=2, steps=100, marks=1)
                model = Adder(0.0, 1.0)
                fit(model, task, held_out, epochs=10, lr=0.01)
                return model
            """,
        ),
        Miss(
            "It has begun to remember. Give it more epochs. Have the sequences for "
            "validation 100 steps and one mark as well?",
            lambda error: 0.01 < error <= 0.075,
            """
            def train_mine():
                torch.manual_seed(0)
                task = memory_task(3200, seed=1, steps=100, marks=1)
                held_out = memory_task(500, seed=2, steps=100, marks=1)
                model = Adder(*chrono(100))
                fit(model, task, held_out, epochs=5, lr=0.01)
                return model
            """,
        ),
        Miss(
            "Always answering 0.5 would do better, it gives 0.083. Is the network "
            "trained before it is returned, and on one mark?",
            lambda error: error > 0.1,
            """
            def train_mine():
                torch.manual_seed(0)
                return Adder(*chrono(100))
            """,
        ),
    ],
)
