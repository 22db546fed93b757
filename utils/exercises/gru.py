"""The exercises of 02.3, GRU."""

from functools import partial

import numpy as np

from utils.exercises import ARRAYS_FIRST, Exercise, Mistake, draw_arrays, sigmoid

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
    n = np.tanh(x_t @ W["n"].T + b["n"] + from_h[reset])
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
    ],
)

# --- Exercise 4.1: fill a gap without looking ahead -----------------------------------


def _draw_gaps(rng):
    values = (10 * rng.normal(size=rng.integers(6, 9))).round(1)
    gaps = rng.random(len(values)) < 0.2
    gaps[0], gaps[2:4] = False, True
    values[gaps] = np.nan
    return {"values": values}


def _from_the_left(values):
    known = np.where(np.isnan(values), 0, np.arange(len(values)))
    return values[np.maximum.accumulate(known)]


def _fill(values, by):
    return np.where(np.isnan(values), by, values)


def _interpolate(values):
    at, known = np.arange(len(values)), ~np.isnan(values)
    return np.interp(at, at[known], values[known])


fill_forward = Exercise(
    draw=_draw_gaps,
    right=_from_the_left,
    verified="Series of 6 to 8 hours with gaps of one hour and longer.",
    mistakes=[
        Mistake(
            "That is the line from the value before a gap to the one after it. At that "
            "hour, was the far end known?",
            _interpolate,
            """
            def fill_forward(values):
                return pd.Series(np.asarray(values)).interpolate().to_numpy()
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

# --- Exercise 6.1: an interval from five seeds ----------------------------------------


def _interval(scores, factor=2.776, ddof=1, n=5):
    half = factor * scores.std(ddof=ddof) / np.sqrt(n)
    return scores.mean() - half, scores.mean() + half


interval_of_five = Exercise(
    draw=lambda rng: {"scores": rng.uniform(1, 3, size=5).round(1)},
    right=_interval,
    verified="Both ends, for six sets of five scores.",
    mistakes=[
        Mistake(
            "Asked are both ends, not the mean and half the width.",
            lambda scores: (scores.mean(), np.ptp(_interval(scores)) / 2),
            """
            def interval_of_five(scores):
                m = np.mean(scores)
                return m, 2.776 * np.std(scores, ddof=1) / np.sqrt(5)
            """,
        ),
        Mistake(
            "Your spread is too small: it forgets that the mean was taken from the "
            "same five values. Look for ddof in the cell of the table.",
            partial(_interval, ddof=0),
            """
            def interval_of_five(scores):
                scores = np.asarray(scores)
                half = 2.776 * scores.std() / np.sqrt(5)
                return scores.mean() - half, scores.mean() + half
            """,
        ),
        Mistake(
            "1.96 belongs to very many values. With five, the spread is uncertain too.",
            partial(_interval, factor=1.96),
            """
            def interval_of_five(scores):
                half = 1.96 * np.std(scores, ddof=1) / 5**0.5
                return scores.mean() - half, scores.mean() + half
            """,
        ),
        Mistake(
            "Dividing by 5 is too much: how does the luck of a mean shrink with the "
            "number of values?",
            partial(_interval, n=25),
            """
            def interval_of_five(scores):
                m = sum(scores) / 5
                s = (sum((v - m) ** 2 for v in scores) / 4) ** 0.5
                return [m - 2.776 * s / 5, m + 2.776 * s / 5]
            """,
        ),
        Mistake(
            "So wide is the range of single seeds. The mean of five varies less.",
            partial(_interval, n=1),
            """
            def interval_of_five(scores):
                half = 2.776 * torch.std(scores)
                return torch.stack([scores.mean() - half, scores.mean() + half])
            """,
        ),
        Mistake(
            "Mean plus and minus the spread is no 95 % interval: the number from "
            "Student's t and the size of the sample are missing.",
            partial(_interval, factor=1, n=1),
            """
            def interval_of_five(scores):
                m, s = np.mean(scores), np.std(scores, ddof=1)
                return m - s, m + s
            """,
        ),
    ],
    inputs=ARRAYS_FIRST,
)
