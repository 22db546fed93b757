"""The exercises of 01, Introduction to recurrent neural networks."""

from functools import partial
from itertools import pairwise

import numpy as np
import torch

from utils.exercises import Challenge, Exercise, Miss, Mistake

# --- Exercise 3.1: rising or falling? -------------------------------------------------


def rising_or_falling(n):
    """n series of 8 noisy steps (n, 8), and 1 for each that rises, 0 for each that
    falls (n,). Every series starts at a random level.
    """
    rises = torch.randint(2, (n,)).float()
    sign, level = 2 * rises[:, None] - 1, torch.randn(n, 1)
    return level + sign * torch.linspace(-1, 1, 8) + 0.5 * torch.randn(n, 8), rises


TIPS = {
    (64, 1): "End with `.squeeze(-1)`.",
    (1, 64): "`last` has an axis of layers in front: take `last[0]`.",
    (8,): "`states[-1]` is the last series; `states[:, -1]` is the last step of each.",
}


def _percent_right(network_class):
    network = network_class()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        x, rises = rising_or_falling(64)
        given = network(x)
        if given.shape != rises.shape:
            shape = tuple(given.shape)
            raise TypeError(
                f"forward returns the shape {shape}, not (64,). {TIPS.get(shape, '')}"
            )
        loss = ((given - rises) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.manual_seed(1)  # series that it was not trained on
    x, rises = rising_or_falling(4000)
    with torch.no_grad():
        right = (network(x) > 0.5) == (rises > 0.5)
        percent = 100 * right.double().mean()
        if percent >= 95:
            _insist_on_a_memory(network, x)
    return percent


def _insist_on_a_memory(network, x):
    """Refuse what tells rising from falling without reading step by step."""
    longer = torch.cat([x, x], dim=1)[:9, :12]
    try:
        one, two, none = (network(k * longer) for k in (1, 2, 0))
    except (RuntimeError, ValueError, IndexError):
        raise TypeError(
            "it is right on 8 steps, but fails on 12. An RNN reads step by step, so "
            "the number of steps does not matter."
        ) from None
    if torch.allclose(two + none, 2 * one, atol=1e-4):
        raise TypeError(
            "it is right, but no more than a weighted sum of the values. Build an RNN, "
            "with tanh at every step."
        )


_READER = """
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 4, batch_first=True)
            self.answer = nn.Linear(4, 1)

        def forward(self, x):
            states, last = self.rnn(x.unsqueeze(-1))
            return self.answer(states[:, -1]).squeeze(-1)
    """

Reader = Challenge(
    score=_percent_right,
    goal=95,
    told="is right on {score:.1f} % of 4,000 unseen series, the goal is {goal} %.",
    lower=False,
    misses=[
        Miss(
            "No better than a coin toss: the order of the values does not reach the "
            "answer. Does the RNN read them one after the other?",
            lambda score: score < 60,
            _READER.replace("x.unsqueeze(-1)", "x.mean(dim=1)[:, None, None]"),
        ),
        Miss(
            "That is what one value alone can tell. Does the answer read the state "
            "after the last step? Does the RNN have `batch_first=True`, and more than "
            "one unit?",
            lambda score: 75 < score < 86,
            _READER.replace("states[:, -1]", "states[:, 0]"),
        ),
    ],
)

# --- Exercise 4.1: what is kept -------------------------------------------------------


def _draw_unit(rng):
    return {"w": round(rng.uniform(0.5, 1.5), 1), "steps": int(rng.integers(2, 6))}


def _kept(w, steps, slope=lambda before, after: 1 - after**2, join=np.prod):
    states = [0.5]
    for _ in range(steps):
        states.append(np.tanh(w * states[-1]))
    pairs = pairwise(states)
    return join([slope(before, after) * w for before, after in pairs])


kept = Exercise(
    draw=_draw_unit,
    right=_kept,
    verified="Weights from 0.5 to 1.5, and 2 to 5 steps.",
    mistakes=[
        Mistake(
            "Take the slope at the new state, after tanh.",
            partial(_kept, slope=lambda before, after: 1 - before**2),
            """
            def kept(w, steps):
                h, share = 0.5, 1.0
                for _ in range(steps):
                    share *= (1 - h**2) * w
                    h = np.tanh(w * h)
                return share
            """,
        ),
        Mistake(
            "Each factor has two parts; where does w come in?",
            lambda w, steps: _kept(w, steps) / w**steps,
            """
            def kept(w, steps):
                h, share = 0.5, 1.0
                for _ in range(steps):
                    h = np.tanh(w * h)
                    share *= 1 - h**2
                return share
            """,
        ),
        Mistake(
            "Does h start at 0.5? And each factor has two parts: where is the slope "
            "of tanh?",
            partial(_kept, slope=lambda before, after: 1),
            """
            def kept(w, steps):
                return w**steps
            """,
        ),
        Mistake(
            "That is the factor of the last step alone. Multiply those of all steps.",
            partial(_kept, join=lambda factors: factors[-1]),
            """
            def kept(w, steps):
                h = 0.5
                for _ in range(steps):
                    h = np.tanh(w * h)
                    share = (1 - h**2) * w
                return share
            """,
        ),
        Mistake(
            "The factors follow one another, so they are multiplied, not added.",
            partial(_kept, join=sum),
            """
            def kept(w, steps):
                h, share = 0.5, 0.0
                for _ in range(steps):
                    h = np.tanh(w * h)
                    share = share + (1 - h**2) * w
                return share
            """,
        ),
        Mistake(
            "These are the factors. Multiply them: what is left is one number.",
            partial(_kept, join=np.array),
            """
            def kept(w, steps):
                h, factors = 0.5, []
                for _ in range(steps):
                    h = np.tanh(w * h)
                    factors.append((1 - h**2) * w)
                return factors
            """,
        ),
        Mistake(
            "These are the products after each step. Return the last one.",
            partial(_kept, join=np.cumprod),
            """
            def kept(w, steps):
                h, factors = 0.5, []
                for _ in range(steps):
                    h = np.tanh(w * h)
                    factors.append((1 - h**2) * w)
                return np.cumprod(factors)
            """,
        ),
        Mistake(
            "You take one step too many.",
            lambda w, steps: _kept(w, steps + 1),
            """
            def kept(w, steps):
                h, share = 0.5, 1.0
                for _ in range(steps + 1):
                    h = np.tanh(w * h)
                    share *= (1 - h**2) * w
                return share
            """,
        ),
        Mistake(
            "You take one step too few: `range(1, n)` has n - 1 numbers.",
            lambda w, steps: _kept(w, steps - 1),
            """
            def kept(w, steps):
                h, share = 0.5, 1.0
                for _ in range(1, steps):
                    h = np.tanh(w * h)
                    share *= (1 - h**2) * w
                return share
            """,
        ),
        Mistake(
            "Your w is always 0.8; take the one that is handed over.",
            lambda w, steps: _kept(0.8, steps),
            """
            def kept(w, steps):
                w = 0.8
                h, share = 0.5, 1.0
                for _ in range(steps):
                    h = np.tanh(w * h)
                    share *= (1 - h**2) * w
                return share
            """,
        ),
        Mistake(
            "h has been through tanh already; your slope sends it through again.",
            partial(_kept, slope=lambda before, after: 1 - np.tanh(after) ** 2),
            """
            def kept(w, steps):
                h, share = 0.5, 1.0
                for _ in range(steps):
                    h = np.tanh(w * h)
                    share = share * w * (1 - np.tanh(h) ** 2)
                return share
            """,
        ),
        Mistake(
            "That is the state itself. How much of a change in h_0 does it show?",
            lambda w, steps: _state(w, steps),
            """
            def kept(w, steps):
                h = 0.5
                for _ in range(steps):
                    h = np.tanh(w * h)
                return h
            """,
        ),
    ],
)


def _state(w, steps):
    h = 0.5
    for _ in range(steps):
        h = np.tanh(w * h)
    return float(h)


# --- Exercise 6.1: clip a gradient ----------------------------------------------------


def _draw_gradient(rng):
    limit = round(rng.uniform(0.5, 3), 1)
    gradient = rng.normal(size=rng.integers(2, 5)).round(1)
    # Of the six seeds some give a gradient that is short enough, others do not, and the
    # last gives a gradient of zeros, which has no direction.
    gradient = gradient * (rng.random() < 0.8) + 0  # adding 0 turns −0 into 0
    return {"gradient": gradient, "limit": limit}


def _length(values):
    return np.sqrt((values**2).sum())


def _clip(gradient, limit, length=_length):
    too_long = length(gradient) > limit
    return gradient * (limit / length(gradient)) if too_long else gradient


def _always_scale(gradient, limit):
    with np.errstate(invalid="ignore"):  # zeros have no direction: 0 / 0
        return gradient * limit / _length(gradient)


def _shrink_all(gradient, limit):
    with np.errstate(invalid="ignore"):
        return gradient / _length(gradient) * min(_length(gradient), limit)


clip_gradient = Exercise(
    draw=_draw_gradient,
    right=_clip,
    verified="Short and long gradients of 2 to 4 numbers, and their directions.",
    mistakes=[
        Mistake(
            "Each number was cut on its own: that turns the gradient. Its direction "
            "should stay.",
            lambda g, limit: np.clip(g, -limit, limit),
            """
            def clip_gradient(gradient, limit):
                return gradient.clamp(-limit, limit)
            """,
        ),
        Mistake(
            "A gradient that is short enough must come back unchanged; yours was made "
            "longer.",
            _always_scale,
            """
            def clip_gradient(gradient, limit):
                return gradient / gradient.norm() * limit
            """,
        ),
        Mistake(
            "`clip_grad_norm_` returns a length, and clips the `.grad` of weights. A "
            "gradient by itself has none: compute it yourself.",
            lambda g, limit: 0.0,
            """
            def clip_gradient(gradient, limit):
                return torch.nn.utils.clip_grad_norm_(gradient, limit)
            """,
        ),
        Mistake(
            "Nothing is clipped. (`clip_grad_norm_` looks for the `.grad` of weights, "
            "and a gradient by itself has none.)",
            lambda g, limit: g,
            """
            def clip_gradient(gradient, limit):
                torch.nn.utils.clip_grad_norm_(gradient, limit)
                return gradient
            """,
        ),
        Mistake(
            "A long gradient comes back with length 1: where does the limit come in?",
            lambda g, limit: g if _length(g) <= limit else g / _length(g),
            """
            def clip_gradient(gradient, limit):
                n = np.linalg.norm(gradient)
                if n > limit:
                    gradient = gradient / n
                return gradient
            """,
        ),
        Mistake(
            "The length is the root of the sum of squares; yours has no root.",
            partial(_clip, length=lambda g: (g**2).sum()),
            """
            def clip_gradient(gradient, limit):
                length = (gradient**2).sum()
                return gradient if length <= limit else gradient * limit / length
            """,
        ),
        Mistake(
            "A gradient of zeros has no direction: dividing by its length gives NaN. "
            "It is short enough, and must come back unchanged.",
            _shrink_all,
            """
            def clip_gradient(gradient, limit):
                length = (gradient**2).sum() ** 0.5
                return gradient / length * min(length, limit)
            """,
        ),
        Mistake(
            "The length is the root of the sum of squares; yours adds up the absolute "
            "values.",
            partial(_clip, length=lambda g: abs(g).sum()),
            """
            def clip_gradient(gradient, limit):
                length = abs(gradient).sum()
                return gradient if length <= limit else gradient * limit / length
            """,
        ),
    ],
)
