"""The exercises of 02.4, Stacked RNN."""

from functools import partial

import numpy as np

from utils.exercises import Exercise, Mistake, draw_arrays

# --- Exercise 1.1: count the weights of a stack ---------------------------------------


def _draw_stack(rng):
    inputs, units = map(int, rng.choice(range(2, 9), size=2, replace=False))
    return {"inputs": inputs, "units": units, "layers": int(rng.integers(2, 5))}


def _weights(inputs, units, layers, blocks=4):
    first = units * (inputs + units + 2)
    return blocks * (first + (layers - 1) * units * (units + units + 2))


weights_of_stack = Exercise(
    draw=_draw_stack,
    right=_weights,
    verified="Stacks of two to four layers with 2 to 8 inputs and units.",
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
            lambda i, h, layers: _weights(i, h, layers) - 4 * h * layers,
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
            "That is the first layer alone.",
            lambda i, h, layers: _weights(i, h, 1),
            """
            def weights_of_stack(inputs, units, layers):
                return sum(w.numel() for w in nn.LSTM(inputs, units).parameters())
            """,
        ),
    ],
)

# --- Exercise 3.1: score in bits ------------------------------------------------------


def _draw_letters(rng):
    T, letters = rng.integers(3, 6), rng.integers(2, 4)
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
    verified="Three to five letters of alphabets of two or three.",
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
            "That is the sum over all letters; asked is the mean.",
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
            "Scores are no probabilities yet. What makes them positive, with sum 1?",
            lambda s, came: -s[np.arange(len(came)), came].mean(),
            """
            def bits_of(scores, came):
                return -scores[range(len(came)), came].mean()
            """,
        ),
    ],
)

# --- Exercise 7.1: turn the knob ------------------------------------------------------


def _draw_scores(rng):
    scores = draw_arrays(rng, {"scores": rng.integers(3, 6)})
    return {**scores, "temperature": float(rng.choice([0.3, 0.5, 2.0, 3.0]))}


at_temperature = Exercise(
    draw=_draw_scores,
    right=lambda s, temperature: _softmax(s / temperature),
    verified="Low and high temperatures; the probabilities sum to 1.",
    mistakes=[
        Mistake(
            "You multiply by the temperature: then a *high* one makes the choice "
            "sharper.",
            lambda s, temperature: _softmax(s * temperature),
            """
            def at_temperature(scores, temperature):
                return (temperature * scores).softmax(dim=0)
            """,
        ),
        Mistake(
            "The temperature has no effect on your answer. (If you divided all "
            "probabilities by it and made their sum 1 again: that cancels.)",
            lambda s, temperature: _softmax(s),
            """
            def at_temperature(scores, temperature):
                p = scores.softmax(dim=0) / temperature
                return p / p.sum()
            """,
        ),
        Mistake(
            "These do not sum to 1. In which step must the temperature come in?",
            lambda s, temperature: _softmax(s) / temperature,
            """
            def at_temperature(scores, temperature):
                p = np.exp(scores)
                return p / p.sum() / temperature
            """,
        ),
        Mistake(
            "The exponentials still have to be divided by their sum.",
            lambda s, temperature: np.exp(s / temperature),
            """
            def at_temperature(scores, temperature):
                return torch.exp(scores / temperature)
            """,
        ),
    ],
)
