"""Time of the lessons' hand-written layers beside torch.nn.

    python tools/benchmark_layers.py

Forward and backward over 48 steps, batch 32, 10 inputs, 32 units, in CPU-seconds on one
thread. Layer and torch.nn run in turn; printed is the ratio of the medians.
"""

import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from tools import measure_gru, measure_lstm, measure_simple_rnn

STEPS, BATCH, INPUTS, UNITS, ROUNDS = 48, 32, 10, 32, 200


def seconds(run, weights):
    started = time.process_time()
    torch.autograd.grad(run().square().sum(), weights)
    return time.process_time() - started


def ratio(module, layer):
    """Median time of `layer(x, weights)` over that of the torch module."""
    x, weights = torch.randn(STEPS, BATCH, INPUTS), list(module.parameters())
    taken = [], []
    for _ in range(ROUNDS):
        taken[0].append(seconds(lambda: layer(x, weights), weights))
        taken[1].append(seconds(lambda: module(x)[0], weights))
    return statistics.median(taken[0]) / statistics.median(taken[1])


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    zeros = torch.zeros(BATCH, UNITS)
    rnn = measure_simple_rnn.HERE.rnn_layer
    lstm = measure_lstm.lesson().lstm_layer
    gru = measure_gru.lesson().fast_gru_layer
    pairs = {
        "RNN": (nn.RNN, lambda x, w: rnn(x, zeros, *w)),
        "LSTM": (
            nn.LSTM,
            lambda x, w: lstm(x, zeros, zeros, w[0], w[1], w[2] + w[3])[0],
        ),
        "GRU": (nn.GRU, lambda x, w: gru(x, zeros, *w)),
    }
    for name, (module, layer) in pairs.items():
        print(f"{name:5} {ratio(module(INPUTS, UNITS), layer):.2f} x nn.{name}")


if __name__ == "__main__":
    main()
