"""Time of the lessons' hand-written layers beside torch.nn and the textbooks' loop.

    python tools/benchmark_layers.py [--quick]

Forward and backward, batch 32, as many inputs as units, in CPU-seconds of the whole
process (`time.process_time`). Three ways of computing the same layer run in turn:

nn        the layer of torch.nn
lesson    the layer that the lesson writes by hand
textbook  the same, with a matrix product of its own for each gate, input and step

Printed are medians over the rounds; the ratio to torch.nn; the exponent k with which
the time grows, T to the power k, from the shortest to the longest sequence; and the CPU
time on two threads over that on one, which is also what wall time would show as waste.
"""

import argparse
import math
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from tools import measure_gru, measure_lstm, measure_simple_rnn

BATCH, UNITS, STEPS = 32, (32, 128, 256), (50, 200, 800)
KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def textbook_rnn(x, h, W_x, W_h, b_x, b_h):
    states = []
    for x_t in x:
        h = torch.tanh(x_t @ W_x.T + b_x + h @ W_h.T + b_h)
        states.append(h)
    return torch.stack(states)


def textbook_lstm(x, h, c, W_x, W_h, b_x, b_h):
    from_x = list(zip(W_x.chunk(4), b_x.chunk(4), strict=True))
    from_h = list(zip(W_h.chunk(4), b_h.chunk(4), strict=True))
    squash = torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid
    states = []
    for x_t in x:
        i, f, g, o = (
            s(x_t @ V.T + a + h @ U.T + b)
            for s, (V, a), (U, b) in zip(squash, from_x, from_h, strict=True)
        )
        c = f * c + i * g
        h = o * torch.tanh(c)
        states.append(h)
    return torch.stack(states)


def ways(kind, module):
    """name -> function of x that gives all states, for the weights of `module`."""
    start = torch.zeros(BATCH, module.hidden_size)
    W_x, W_h, b_x, b_h = weights = list(module.parameters())
    if kind == "RNN":
        rnn = measure_simple_rnn.HERE.rnn_layer
        by_lesson = lambda x: rnn(x, start, *weights)  # noqa: E731
        by_book = lambda x: textbook_rnn(x, start, *weights)  # noqa: E731
    elif kind == "LSTM":
        lstm = measure_lstm.lesson().lstm_layer
        by_lesson = lambda x: lstm(x, start, start, W_x, W_h, b_x + b_h)[0]  # noqa: E731
        by_book = lambda x: textbook_lstm(x, start, start, *weights)  # noqa: E731
    else:
        here = measure_gru.lesson()
        by_lesson = lambda x: here.fast_gru_layer(x, start, *weights)  # noqa: E731
        by_book = lambda x: here.gru_layer(x, start, *weights, "after")  # noqa: E731
    return {"nn": lambda x: module(x)[0], "lesson": by_lesson, "textbook": by_book}


def seconds(run, x, weights):
    started = time.process_time()
    torch.autograd.grad(run(x).square().mean(), weights)
    return time.process_time() - started


def medians(kind, units, steps, rounds, threads=1, only=None):
    """Median CPU-seconds of each way, run in turn; the first round warms up."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    module = KINDS[kind](units, units)
    weights, x = list(module.parameters()), torch.randn(steps, BATCH, units)
    made = ways(kind, module)
    made = {name: run for name, run in made.items() if name in (only or made)}
    reference = made["nn"](x)
    taken = {name: [] for name in made}
    with torch.no_grad():
        for name, run in made.items():
            assert (run(x) - reference).abs().max() < 1e-4, f"{name} {kind}"
    for round_ in range(rounds + 1):
        for name, run in made.items():
            now = seconds(run, x, weights)
            if round_:
                taken[name].append(now)
    torch.set_num_threads(1)
    return {name: statistics.median(values) for name, values in taken.items()}


def measure_kind(kind, units, steps=STEPS):
    """For each number of steps: milliseconds of nn, and the ratios of the others to it.

    The last row also has the exponents of growth from the shortest to the longest.
    """
    found, rows = {}, []
    for T in steps:
        rounds = max(5, min(24, 6_400 // (T * max(1, units // 64))))
        found[T] = medians(kind, units, T, rounds)
        row = {"kind": kind, "units": units, "steps": T, "ms": 1000 * found[T]["nn"]}
        ratios = {name: now / found[T]["nn"] for name, now in found[T].items()}
        rows.append(row | {name: ratios[name] for name in ("lesson", "textbook")})
    growth = math.log(steps[-1] / steps[0])
    for name in ("nn", "lesson"):
        longer = found[steps[-1]][name] / found[steps[0]][name]
        rows[-1]["exponent_" + name] = math.log(longer) / growth
    return [
        {key: round(v, 2) if isinstance(v, float) else v for key, v in row.items()}
        for row in rows
    ]


def two_threads(kind, units, steps=200):
    """CPU-seconds of torch.nn's layer on two threads over those on one."""
    one, two = (
        medians(kind, units, steps, 5, threads, only=["nn"])["nn"] for threads in (1, 2)
    )
    return round(two / one, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one size, short sequences"
    )
    quick = parser.parse_args().quick
    for kind in KINDS:
        for units in (32,) if quick else UNITS:
            for row in measure_kind(kind, units, (25, 50) if quick else STEPS):
                print(
                    f"{kind:5} H {units:3} T {row['steps']:3}  nn {row['ms']:8.1f} ms  "
                    f"lesson {row['lesson']:5.2f} x  textbook {row['textbook']:5.2f} x"
                )
            print(
                f"{kind:5} H {units:3} time grows as T to the power "
                f"{row['exponent_nn']:.2f} (nn), {row['exponent_lesson']:.2f} (lesson)"
            )
            ratio = two_threads(kind, units, 25 if quick else 200)
            print(f"{kind:5} H {units:3} two threads: {ratio} x the CPU-seconds of one")


if __name__ == "__main__":
    main()
