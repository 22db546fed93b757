"""The exercises of 02.5, Bidirectional RNN."""

import numpy as np

from utils.exercises import Exercise, Mistake, draw_arrays

# --- Exercise 2.1: sum up a sequence --------------------------------------------------


def _draw_outputs(rng):
    return draw_arrays(rng, {"out": (2, rng.integers(3, 5), 2 * rng.choice([1, 2, 6]))})


def _halves(out, forward, backward, H=None):
    H = out.shape[2] // 2 if H is None else H
    return np.concatenate([out[:, forward, :H], out[:, backward, H:]], axis=1)


sum_up = Exercise(
    draw=_draw_outputs,
    right=lambda out: _halves(out, -1, 0),
    verified="Both ends, for 1 to 6 units and three or four steps.",
    mistakes=[
        Mistake(
            "The usual bug: at the last step the backward half has read one input "
            "only. Where does it end?",
            lambda out: out[:, -1],
            """
            def sum_up(out):
                return out[:, -1]
            """,
        ),
        Mistake(
            "At the first step the forward half has read one input only.",
            lambda out: out[:, 0],
            """
            def sum_up(out):
                return out[:, 0, :]
            """,
        ),
        Mistake(
            "Each half is taken where its direction begins, not where it ends.",
            lambda out: _halves(out, 0, -1),
            """
            def sum_up(out):
                H = out.shape[2] // 2
                return torch.cat([out[:, 0, :H], out[:, -1, H:]], dim=1)
            """,
        ),
        Mistake(
            "The forward half belongs in front, as in h_n: first 0, then 1.",
            lambda out: np.roll(_halves(out, -1, 0), out.shape[2] // 2, axis=1),
            """
            def sum_up(out):
                H = out.shape[-1] // 2
                return np.concatenate([out[:, 0, H:], out[:, -1, :H]], axis=1)
            """,
        ),
        Mistake(
            "The two directions do not take turns: the first half of the last axis is "
            "the forward one.",
            lambda out: np.concatenate([out[:, -1, ::2], out[:, 0, 1::2]], axis=1),
            """
            def sum_up(out):
                return torch.cat((out[:, -1, ::2], out[:, 0, 1::2]), dim=-1)
            """,
        ),
        Mistake(
            "You halve the number of steps. The units are on the last axis.",
            lambda out: _halves(out, -1, 0, out.shape[1] // 2),
            """
            def sum_up(out):
                B, H, _ = out.shape
                H = H // 2
                return torch.cat([out[:, -1, :H], out[:, 0, H:]], 1)
            """,
        ),
        Mistake(
            "A mean over the steps is a summary too, but not the one asked for.",
            lambda out: out.mean(axis=1),
            """
            def sum_up(out):
                return out.mean(1)
            """,
        ),
    ],
)

# --- Exercise 3.1: a mean without padding ---------------------------------------------


def _draw_losses(rng):
    # Padding has a loss too, as the network answers there as well. It looks like any
    # other, and some real steps have a loss of 0: only the lengths tell what is real.
    T = int(rng.integers(4, 7))
    lengths = rng.permutation([T, *rng.integers(2, T, size=2)])
    losses = rng.uniform(0.1, 2, size=(3, T)).round(1)
    losses[np.arange(3), rng.integers(lengths)] = 0
    losses[np.arange(3), -1] *= rng.choice([0, 1, 20], size=3)
    return {"losses": losses, "lengths": lengths}


def _kept(losses, lengths, more=0):
    return losses[np.arange(losses.shape[1]) < lengths[:, None] + more]


def _mean_of_means(losses, lengths):
    pairs = zip(losses, lengths, strict=True)
    return np.mean([row[:n].mean() for row, n in pairs])


mean_loss = Exercise(
    draw=_draw_losses,
    right=lambda losses, lengths: _kept(losses, lengths).mean(),
    verified="Three sequences of unequal length; padding counts nowhere.",
    mistakes=[
        Mistake(
            "That is the mean over all places, padded steps included.",
            lambda losses, lengths: losses.mean(),
            """
            def mean_loss(losses, lengths):
                return losses.mean()
            """,
        ),
        Mistake(
            "The padding is left out of the sum, but you still divide by all places.",
            lambda losses, lengths: _kept(losses, lengths).sum() / losses.size,
            """
            def mean_loss(losses, lengths):
                mask = torch.arange(losses.shape[1]) < lengths[:, None]
                return (losses * mask).mean()
            """,
        ),
        Mistake(
            "A mean of means: a step of a short sequence counts more than one of a "
            "long sequence.",
            _mean_of_means,
            """
            def mean_loss(losses, lengths):
                means = [row[:n].mean() for row, n in zip(losses, lengths)]
                return sum(means) / len(means)
            """,
        ),
        Mistake(
            "One padded step of each sequence slips in: a sequence of length 2 has the "
            "steps 0 and 1.",
            lambda losses, lengths: _kept(losses, lengths, more=1).mean(),
            """
            def mean_loss(losses, lengths):
                steps = np.arange(losses.shape[1])
                mask = steps[None] <= np.asarray(lengths)[:, None]
                return losses[mask].mean()
            """,
        ),
        Mistake(
            "A real step may have a loss of 0, and padding another one. Only `lengths` "
            "says what is padding.",
            lambda losses, lengths: losses[losses > 0].mean(),
            """
            def mean_loss(losses, lengths):
                return losses[losses != 0].mean()
            """,
        ),
        Mistake(
            "That is the sum.",
            lambda losses, lengths: _kept(losses, lengths).sum(),
            """
            def mean_loss(losses, lengths):
                total = 0
                for row, n in zip(losses, lengths):
                    total = total + row[:n].sum()
                return total
            """,
        ),
    ],
)

# --- Exercise 3.2: read back, but not the padding -------------------------------------


def _draw_batch(rng):
    T = int(rng.integers(4, 6))
    lengths = np.array([T, *rng.integers(2, T, size=2)])
    x = rng.permutation(np.arange(1, 3 * T + 1)).reshape(3, T)
    x[np.arange(3), rng.integers(1, lengths)] = 0  # a real step, but not the first
    x[0, -1] = 0  # the last one: what looks like padding is none
    real = np.arange(T) < lengths[:, None]
    return {"x": np.where(real, x, 0), "lengths": lengths}


def _read_back(x, lengths):
    places = lengths[:, None] - 1 - np.arange(x.shape[1])
    back = np.take_along_axis(x, np.maximum(places, 0), axis=1)
    return np.where(places >= 0, back, 0)


def _without_zeros(x, lengths, within=False):
    """Rows reversed that go by the zeros: without all of them, or those at the end."""
    back = np.zeros_like(x)
    for row, new in zip(x, back, strict=True):
        kept = row[: np.flatnonzero(row)[-1] + 1] if within else row[row != 0]
        new[: len(kept)] = kept[::-1]
    return back


def _without_first_step(x, lengths):
    kept = np.arange(x.shape[1]) < lengths[:, None] - 1
    return np.where(kept, _read_back(x, lengths), 0)


read_back = Exercise(
    draw=_draw_batch,
    right=_read_back,
    verified="Batches of three sequences with 2 to 5 steps; the padding stays behind.",
    mistakes=[
        Mistake(
            "Now the padding stands in front, and the backward layer would read it "
            "first. Turn round only the real steps.",
            lambda x, lengths: x[:, ::-1],
            """
            def read_back(x, lengths):
                return x.flip(1)
            """,
        ),
        Mistake(
            "The sequences of the batch have changed places; the steps of each must.",
            lambda x, lengths: x[::-1],
            """
            def read_back(x, lengths):
                return x.flip(0)
            """,
        ),
        Mistake(
            "A real step may be 0, too, and keeps its place: ask `lengths`, not x, "
            "what is padding.",
            _without_zeros,
            """
            def read_back(x, lengths):
                back = torch.zeros_like(x)
                for i, row in enumerate(x):
                    kept = row[row != 0].flip(0)
                    back[i, : len(kept)] = kept
                return back
            """,
        ),
        Mistake(
            "The zeros at the end of a row are not all padding: a real step may be 0. "
            "`lengths` says how many steps are real.",
            lambda x, lengths: _without_zeros(x, lengths, within=True),
            """
            def read_back(x, lengths):
                back = x * 0
                for i, row in enumerate(x):
                    n = int(row.nonzero().max()) + 1
                    back[i, :n] = row[:n].flip(0)
                return back
            """,
        ),
        Mistake(
            "Nothing was turned round.",
            lambda x, lengths: x,
            """
            def read_back(x, lengths):
                back = x + 0
                for row, n in zip(back, lengths):
                    row.flip(0)
                return back
            """,
        ),
        Mistake(
            "The first step of each sequence got lost: a slice that counts down stops "
            "before its end.",
            _without_first_step,
            """
            def read_back(x, lengths):
                back = np.zeros_like(x)
                for i, n in enumerate(lengths):
                    back[i, : n - 1] = np.asarray(x)[i, n - 1 : 0 : -1]
                return back
            """,
        ),
    ],
)
