"""The exercises of 02.5, Bidirectional RNN."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from utils.data import load_surnames
from utils.exercises import Challenge, Exercise, Miss, Mistake, draw_arrays
from utils.training import fit, predict

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
            "You take the first half for the backward one. It is the forward one, and "
            "ends at the last step.",
            lambda out: np.roll(_halves(out, 0, -1), out.shape[2] // 2, axis=1),
            """
            def sum_up(out):
                H = out.shape[2] // 2
                return torch.cat([out[:, -1, H:], out[:, 0, :H]], dim=1)
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
            "You cut at 5, the units of the layer in this lesson. H differs from call "
            "to call: take it from out.shape.",
            lambda out: _halves(out, -1, 0, 5),
            """
            def sum_up(out):
                return torch.cat([out[:, -1, :5], out[:, 0, 5:]], dim=1)
            """,
        ),
        Mistake(
            "You join along the batch. The two halves of a sequence belong side by "
            "side, dim=1.",
            lambda out: np.concatenate(np.split(_halves(out, -1, 0), 2, axis=1)),
            """
            def sum_up(out):
                H = out.shape[2] // 2
                return torch.cat([out[:, -1, :H], out[:, 0, H:]])
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

# --- Exercise 5.1: fill the gap -------------------------------------------------------


def _gaps(names):
    """Each name (N, 6) six times, each time with another letter hidden; the labels are
    -1 but at the gap.
    """
    x = names.repeat_interleave(6, dim=0)
    gap = torch.eye(6, dtype=torch.bool).repeat(len(names), 1)
    return x.masked_fill(gap, 0), x.masked_fill(~gap, -1)


def _gap_loss(scores, y):
    return cross_entropy(scores.transpose(1, 2), y, ignore_index=-1)


# What usual errors inside a network say, and what there is to add.
ADDED = {
    "dtype": "The letters are numbers of rows: pass them through nn.Embedding first.",
    "not tuple": "An nn.LSTM returns a pair, (out, states): take the first, [0].",
}


def _check_shape(model, x):
    """Say in words what is wrong with what a network returns, if anything is."""
    try:
        scores = model(x)
    except IndexError as error:
        if "out of range in self" not in str(error):
            raise
        told = "a letter is a number from 0 to 26, so nn.Embedding needs 27 rows"
        raise TypeError(told) from None
    except (RuntimeError, TypeError, ValueError) as error:
        more = [hint for said, hint in ADDED.items() if said in str(error)]
        if more:
            error.args = ("\n".join([str(error), *more]),)
        raise
    wanted = f"forward must return (B, 6, 27), here {(len(x), 6, 27)}"
    if not isinstance(scores, torch.Tensor):
        raise TypeError(f"{wanted}, not {type(scores).__name__}")
    if scores.shape != (len(x), 6, 27):
        raise TypeError(f"{wanted}, not {tuple(scores.shape)}")


def _look(model, x):
    """What the answer at a gap, the third letter, goes by; and if scores sum to 1."""
    x = x.clone()
    x[:, 2] = 0
    scores = predict(model, x)

    def notices(rows, places):
        other = x.clone()
        other[rows, places] = other[rows, places] % 26 + 1
        return (predict(model, other) - scores)[-1, 2].abs().max() > 1e-4

    return {
        "before": notices(-1, slice(0, 2)),
        "after": notices(-1, slice(3, 6)),
        "other names": notices(slice(0, -1), slice(0, 6)),
        "softmax": (scores.sum(dim=2) - 1).abs().max() < 1e-3,
    }


def _why():
    """The reason why the last network did not reach the goal, likeliest first."""
    if seen["other names"]:
        return "batch"
    if seen["before"] != seen["after"]:
        return "one side"
    if not seen["before"]:
        return "alone"
    return "softmax" if seen["softmax"] else "small"


def _gaps_filled(answer):
    """Percent of the gaps in unseen names that a network of this class fills."""
    if isinstance(answer, nn.Module):
        raise TypeError("hand over the class itself, GapFiller without brackets")
    names = [name for name in load_surnames() if len(name) == 6]
    letters = torch.tensor([[ord(letter) - 96 for letter in name] for name in names])
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(0))
    parts = [_gaps(letters[order[start:stop]]) for start, stop in CUTS]
    try:
        model = answer()
    except TypeError as error:
        if "required positional argument" not in str(error):
            raise
        told = "the check calls GapFiller() without arguments: choose the sizes inside"
        raise TypeError(told) from None
    _check_shape(model, torch.arange(30).reshape(5, 6) % 27)
    options = {"epochs": 4, "batch_size": 128, "lr": 0.01, "loss": _gap_loss}
    fit(model, *parts[:2], **options)
    x, y = parts[2]
    seen.update(_look(model, letters[order[-600:]]))
    right = predict(model, x).argmax(dim=2) == y
    return 100 * right[y >= 0].float().mean()


CUTS = [(0, -1200), (-1200, -600), (-600, None)]  # train, validation, test
seen = {}  # of the last network scored: what its answers go by

_FILLER = """
    class GapFiller(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(27, 16)
            self.rnn = nn.LSTM(16, 40, batch_first=True, bidirectional=True)
            self.score = nn.Linear(2 * 40, 27)

        def forward(self, x):
            return self.score(self.rnn(self.embed(x))[0])
    """

GapFiller = Challenge(
    score=_gaps_filled,
    goal=32,
    lower=False,
    told="fills {score:.0f} % of the gaps in unseen names, the goal is {goal} %.",
    misses=[
        Miss(
            "At the gap your network knows one side of it only. What does it need to "
            "read the other side as well?",
            lambda score: _why() == "one side",
            _FILLER.replace(", bidirectional=True", "").replace("2 * 40", "40"),
        ),
        Miss(
            "At the gap your network knows nothing of the other letters. Which layer "
            "would hand them on?",
            lambda score: _why() == "alone",
            """
            class GapFiller(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(27, 16)
                    self.score = nn.Linear(16, 27)

                def forward(self, x):
                    return self.score(self.embed(x))
            """,
        ),
        Miss(
            "The answer for one name changes with the other names of the batch. Does "
            "your layer know that the batch comes first?",
            lambda score: _why() == "batch",
            _FILLER.replace("batch_first=True, ", ""),
        ),
        Miss(
            "Your scores are probabilities already. The check trains with "
            "cross_entropy, which has the softmax inside.",
            lambda score: _why() == "softmax",
            _FILLER.replace("(x))[0])", "(x))[0]).softmax(dim=2)"),
        ),
        Miss(
            "Your network reads both sides of the gap, but learns too little. Has it "
            "enough units?",
            lambda score: _why() == "small",
            _FILLER.replace("nn.LSTM(16, 40", "nn.RNN(16, 8").replace("2 * 40", "16"),
        ),
    ],
)
