"""The exercises of 02.4, Stacked RNN."""

from functools import cache, partial

import numpy as np

from utils.data import load_surnames
from utils.exercises import Challenge, Exercise, Miss, Mistake, draw_arrays

# --- Exercise 1.1: count the weights of a stack ---------------------------------------


def _draw_stack(rng):
    inputs, units = map(int, rng.choice(range(2, 40), size=2, replace=False))
    return {"inputs": inputs, "units": units, "layers": int(rng.integers(1, 7))}


def _weights(inputs, units, layers, blocks=4, biases=2, reads=None):
    above = units if reads is None else reads  # what every other layer reads
    first = units * (inputs + units + biases)
    return blocks * (first + (layers - 1) * units * (above + units + biases))


weights_of_stack = Exercise(
    draw=_draw_stack,
    right=_weights,
    verified="Stacks of one to six layers with 2 to 39 inputs and units.",
    mistakes=[
        Mistake(
            "Every layer but the first reads the layer below it: how many numbers does "
            "that give at a step?",
            lambda i, h, layers: layers * _weights(i, h, 1),
            """
            def weights_of_stack(inputs, units, layers):
                one = sum(w.numel() for w in nn.LSTM(inputs, units).parameters())
                return layers * one
            """,
        ),
        Mistake(
            "An LSTM has four blocks of weights, one for each gate and one for the "
            "candidate.",
            partial(_weights, blocks=1),
            """
            def weights_of_stack(inputs, units, layers):
                total = 0
                for k in range(layers):
                    below = inputs if k == 0 else units
                    total += units * (below + units + 2)
                return total
            """,
        ),
        Mistake(
            "PyTorch keeps two biases for each gate; you count one.",
            partial(_weights, biases=1),
            """
            def weights_of_stack(inputs, units, layers):
                total = 0
                for k in range(layers):
                    below = units if k else inputs
                    total += 4 * units * (below + units + 1)
                return total
            """,
        ),
        Mistake(
            "You count two biases for a block. Each of its rows has two, and there is "
            "a row for every unit.",
            lambda i, h, layers: _weights(i, h, layers, biases=0) + layers * 4 * 2,
            """
            def weights_of_stack(inputs, units, layers):
                first = 4 * (units * (inputs + units) + 2)
                return first + (layers - 1) * 4 * (units * (units + units) + 2)
            """,
        ),
        Mistake(
            "The upper layers are LSTM layers too: besides the states below, each "
            "reads its own state of the step before.",
            lambda i, h, layers: _weights(i, h, layers, reads=0),
            """
            def weights_of_stack(inputs, units, layers):
                first = 4 * units * (inputs + units + 2)
                return first + (layers - 1) * 4 * units * (units + 2)
            """,
        ),
        Mistake(
            "Those are the weights alone. Each block has biases as well.",
            partial(_weights, biases=0),
            """
            def weights_of_stack(inputs, units, layers):
                lstm = nn.LSTM(inputs, units, num_layers=layers, bias=False)
                return sum(weight.numel() for weight in lstm.parameters())
            """,
        ),
        Mistake(
            "An LSTM has four blocks of weights, not three: i, f, g and o.",
            partial(_weights, blocks=3),
            """
            def weights_of_stack(inputs, units, layers):
                first = 3 * units * (inputs + units + 2)
                return first + (layers - 1) * 3 * units * (2 * units + 2)
            """,
        ),
        Mistake(
            "The upper layers read the states of the layer below, and not the inputs "
            "of the stack besides.",
            lambda i, h, layers: _weights(i, h, layers, reads=i + h),
            """
            def weights_of_stack(inputs, units, layers):
                total, reads = 0, inputs
                for _ in range(layers):
                    total += 4 * units * (reads + units + 2)
                    reads = inputs + units
                return total
            """,
        ),
        Mistake(
            "That is the first layer alone.",
            lambda i, h, layers: _weights(i, h, 1),
            """
            def weights_of_stack(inputs, units, layers):
                return sum(w.numel() for w in nn.LSTM(inputs, units).parameters())
            """,
        ),
    ],
)

# --- Exercise 2.1: score in bits ------------------------------------------------------


def _draw_letters(rng):
    T, letters = rng.integers(3, 7), rng.integers(2, 6)
    scores = draw_arrays(rng, {"scores": (T, letters)})
    return {**scores, "came": rng.integers(0, letters, size=T)}


def _softmax(scores):
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def _chance(scores, came):
    return _softmax(scores)[np.arange(len(came)), came]


bits_of = Exercise(
    draw=_draw_letters,
    right=lambda s, came: -np.log2(_chance(s, came)).mean(),
    verified="Three to six letters of alphabets of two to five.",
    mistakes=[
        Mistake(
            "The unit is nats: a natural logarithm. One bit is log(2) nats.",
            lambda s, came: -np.log(_chance(s, came)).mean(),
            """
            def bits_of(scores, came):
                return nn.functional.cross_entropy(scores, came)
            """,
        ),
        Mistake(
            "That is the sum over all letters; the question is for the mean.",
            lambda s, came: -np.log2(_chance(s, came)).sum(),
            """
            def bits_of(scores, came):
                p = scores.softmax(dim=1)
                return sum(-torch.log2(p[t, k]) for t, k in enumerate(came))
            """,
        ),
        Mistake(
            "First the mean, then the logarithm: it must be the other way round, each "
            "letter pays for itself.",
            lambda s, came: -np.log2(_chance(s, came).mean()),
            """
            def bits_of(scores, came):
                p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
                return -np.log2(p[np.arange(len(came)), came].mean())
            """,
        ),
        Mistake(
            "The sign: a probability is below 1, so its logarithm is negative.",
            lambda s, came: np.log2(_chance(s, came)).mean(),
            """
            def bits_of(scores, came):
                log_p = scores.log_softmax(dim=1)[torch.arange(len(came)), came]
                return log_p.mean() / np.log(2)
            """,
        ),
        Mistake(
            "`p[:, came]` takes the columns of *all* letters that came, at every "
            "place. You need one number at each place: index the places as well.",
            lambda s, came: -np.log2(_softmax(s)[:, came]).mean(),
            """
            def bits_of(scores, came):
                p = scores.softmax(dim=1)
                return -torch.log2(p[:, came]).mean()
            """,
        ),
        Mistake(
            "Your softmax runs over the places. At each place the probabilities of all "
            "letters must sum to 1.",
            lambda s, came: -np.log2(_softmax(s.T).T[range(len(came)), came]).mean(),
            """
            def bits_of(scores, came):
                p = torch.softmax(scores, dim=0)
                return -torch.log2(p[torch.arange(len(came)), came]).mean()
            """,
        ),
        Mistake(
            "From nats to bits you *divide* by log(2): a bit is the smaller unit, so "
            "there are more of them.",
            lambda s, came: -np.log(_chance(s, came)).mean() * np.log(2),
            """
            def bits_of(scores, came):
                return nn.functional.cross_entropy(scores, came) * np.log(2)
            """,
        ),
        Mistake(
            "Scores are no probabilities yet. What makes them positive, with sum 1?",
            lambda s, came: -s[np.arange(len(came)), came].mean(),
            """
            def bits_of(scores, came):
                return -scores[range(len(came)), came].mean()
            """,
        ),
    ],
)

# --- Exercise 3.1: a better mix -------------------------------------------------------

LETTERS = ".abcdefghijklmnopqrstuvwxyz"


@cache
def _counts():
    """Contexts of up to five letters -> counts (27,); the validation names."""
    names = np.random.default_rng(0).permutation(load_surnames()).tolist()
    counts = {}
    for text in (f".{name}." for name in names[:16_000]):
        for t in range(1, len(text)):
            for start in range(max(0, t - 5), t + 1):
                n = counts.setdefault(text[start:t], np.zeros(27))
                n[LETTERS.index(text[t])] += 1
    return counts, names[16_000:18_000]


def _bits(mix):
    """Bits per character of the validation names with this mix."""
    counts, names = _counts()

    @cache
    def forecast(context):
        shorter = forecast(context[1:]) if context else np.full(27, 1 / 27)
        if context not in counts:
            return shorter
        p = np.asarray(mix(counts[context].copy(), shorter.copy()), dtype=float)
        if p.shape != (27,):
            raise ValueError(f"return 27 probabilities (27,), not the shape {p.shape}")
        if not p.min() > 0:
            raise ValueError(f"every probability must be above 0, not {p.min():.3g}")
        if abs(p.sum() - 1) > 1e-6:
            raise ValueError(
                f"the probabilities must sum to 1, not to {p.sum():.7g}: what you add "
                "above must be added below, and what you take away handed on"
            )
        return p

    bits = []
    for text in (f".{name}." for name in names):
        for t in range(1, len(text)):
            p = forecast(text[max(0, t - 5) : t])
            bits.append(-np.log2(p[LETTERS.index(text[t])]))
    seen["misses by"] = _why(mix)
    return np.mean(bits)


seen = {}  # of the last mix scored: why it misses, if it does


def _parts(mix, *counts):
    """The weight of `shorter`, and what the counts alone give to each letter, (27,)."""
    n, flat = np.zeros(27), np.full(27, 1 / 27)
    n[: len(counts)] = counts
    other = flat.copy()
    other[-2:] = 0.5 / 27, 1.5 / 27  # two letters that did not come
    p, q = (np.asarray(mix(n.copy(), s), dtype=float) for s in (flat.copy(), other))
    weight = (q[-1] - p[-1]) * 27 / 0.5
    return weight, p - weight * flat


def _why(mix):
    """Which hint a mix needs, from what it makes of a few small counts."""
    once, _ = _parts(mix, 1)
    _, own = _parts(mix, 1, 4)
    if own.max() - own.min() < 0.001:
        return "no counts"
    if abs(once) < 0.001:
        return "no shorter"
    if abs(_parts(mix, 1000)[0] - once) < 0.001:
        return "one share"
    if own[0] < 0.23 * own[1]:  # in proportion it would be a quarter
        return "discount"
    if once <= 0.55:
        return "trust"
    if abs(_parts(mix, 1, 1, 1, 1)[0] - _parts(mix, 4)[0]) < 0.001:
        return "no kinds"
    return "factor"


my_mix = Challenge(
    score=_bits,
    goal=3.03,
    told="has {score:.3f} bits per character on the validation names, the goal is "
    "{goal}.",
    misses=[
        Miss(
            "That trusts what was seen once with about one half, as Witten-Bell does. "
            "Give the shorter context more weight.",
            lambda score: seen["misses by"] == "trust",
            """
            def my_mix(n, shorter):
                d = (n > 0).sum()
                return (n + d * shorter) / (n.sum() + d)
            """,
        ),
        Miss(
            "Contexts with many different letters deserve less trust: let the weight "
            "of `shorter` grow with `d`.",
            lambda score: seen["misses by"] == "no kinds",
            """
            def my_mix(n, shorter):
                return (n + 5 * shorter) / (n.sum() + 5)
            """,
        ),
        Miss(
            "A discount alone, without kinds, does not get there. Leave the counts "
            "whole and give `shorter` a weight that grows with `d`.",
            lambda score: seen["misses by"] == "discount",
            """
            def my_mix(n, shorter):
                D = 0.9 * (n > 0)
                return (n - D + D.sum() * shorter) / n.sum()
            """,
        ),
        Miss(
            "The weight of `shorter` is the same after one sight as after a thousand. "
            "The more often a context was seen, the more its counts deserve trust.",
            lambda score: seen["misses by"] == "one share",
            """
            def my_mix(n, shorter):
                return 0.5 * n / n.sum() + 0.5 * shorter
            """,
        ),
        Miss(
            "The weight of `shorter` grows with the different letters, as it should. "
            "Try other factors.",
            lambda score: seen["misses by"] == "factor",
            """
            def my_mix(n, shorter):
                d = 2 * np.count_nonzero(n)
                return (n + d * shorter) / (n.sum() + d)
            """,
        ),
        Miss(
            "A fixed number is added to each count, whatever the shorter context says. "
            "Hand out the probability that you set aside in the shares of `shorter`.",
            lambda score: seen["misses by"] == "no shorter",
            """
            def my_mix(n, shorter):
                return (n + 1) / (n + 1).sum()
            """,
        ),
        Miss(
            "That hardly uses the counts. A letter with a larger `n` must get more.",
            lambda score: seen["misses by"] == "no counts",
            """
            def my_mix(n, shorter):
                return shorter
            """,
        ),
    ],
)
