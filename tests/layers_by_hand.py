"""What lessons write by hand, behind one face, beside its counterpart in torch.nn.

A layer by hand takes x (T, B, I), first states (layers, B, H) and weights, and returns
outputs (T, B, H) and last states (layers, B, H).
"""

import functools
from types import SimpleNamespace

import torch
from lesson_functions import ROOT, load_lesson
from torch import nn
from torch.nn.functional import linear

CLOSE = {torch.float64: 1e-10, torch.float32: 2e-4}


@functools.cache
def lesson(name):
    (script,) = ROOT.glob(f"[0-9]*/**/raw_scripts/{name}.py")
    return load_lesson(script.relative_to(ROOT))


def rnn(x, states, weights):
    every = lesson("sunspots_further").rnn_layer(x, states[0][0], *weights)
    return every, every[-1:]


def unrolled(x, states, weights):
    W_x, W_h, b_x, b_h = weights
    unroll = lesson("rnn_intro").unroll  # for one sequence
    every = [unroll(one, W_x, W_h, b_x + b_h) for one in x.unbind(dim=1)]
    every = torch.stack(every, dim=1)
    return every, every[-1:]


def lstm(x, states, weights):
    (h,), (c,), (W_x, W_h, b_x, b_h) = *states, weights
    every, h, c = lesson("lstm").lstm_layer(x, h, c, W_x, W_h, b_x + b_h)
    return every, h[None], c[None]


def lstm_cells(x, states, weights):
    """The cell of lesson 02.2, step after step."""
    here, (h,), (c,) = lesson("lstm"), *states
    layer, every = SimpleNamespace(parameters=lambda: weights), []
    for x_t in x:
        before = c
        h, c, (i, f, g, o) = here.lstm_cell(x_t, h, c, layer)
        assert torch.equal(c, f * before + i * g)
        assert torch.equal(h, o * c.tanh())
        every.append(h)
    return torch.stack(every), h[None], c[None]


def gru(x, states, weights, reset="after"):
    every = lesson("gru").gru_layer(x, states[0][0], *weights, reset=reset)
    return every, every[-1:]


def fast_gru(x, states, weights):
    every = lesson("gru").fast_gru_layer(x, states[0][0], *weights)
    return every, every[-1:]


def stacked(x, states, weights):
    layers = [weights[k : k + 4] for k in range(0, len(weights), 4)]
    return lesson("copies_and_hits").stacked(x, *states, layers)


def read_both_ways(x, states, weights):
    here = lesson("a_clean_leak_test")
    every, last = here.read_both_ways(x.transpose(0, 1), *weights)
    return every.transpose(0, 1), last


class ResetBefore(nn.GRU):
    """A GRU with the reset before the product, which torch has not: the formula of Cho
    et al. 2014, with one matrix for the input and the state together.
    """

    def forward(self, x, h=None):
        steps, H = x.transpose(0, 1) if self.batch_first else x, self.hidden_size
        h, states = x.new_zeros(steps.shape[1], H) if h is None else h[0], []
        W = torch.cat([self.weight_hh_l0, self.weight_ih_l0], dim=1)
        b = self.bias_hh_l0 + self.bias_ih_l0
        for x_t in steps:
            gates = linear(torch.cat([h, x_t], dim=1), W[: 2 * H], b[: 2 * H])
            r, z = gates.sigmoid().tensor_split(2, dim=1)
            both = torch.cat([h * r, x_t], dim=1)
            h = torch.lerp(linear(both, W[2 * H :], b[2 * H :]).tanh(), h, z)
            states.append(h)
        return torch.stack(states, dim=int(self.batch_first)), h[None]


bidirectional = functools.partial(nn.RNN, bidirectional=True)
LAYERS = {  # name -> (layer by hand, layer of torch.nn, whether it takes first states)
    "RNN": (rnn, nn.RNN, True),
    "unrolled": (unrolled, nn.RNN, False),
    "LSTM": (lstm, nn.LSTM, True),
    "LSTM cells": (lstm_cells, nn.LSTM, True),
    "GRU": (gru, nn.GRU, True),
    "fast GRU": (fast_gru, nn.GRU, True),
    "reset before": (functools.partial(gru, reset="before"), ResetBefore, True),
    "1 layer": (stacked, nn.LSTM, True),
    "2 layers": (stacked, functools.partial(nn.LSTM, num_layers=2), True),
    "3 layers": (stacked, functools.partial(nn.LSTM, num_layers=3), True),
    "read both ways": (read_both_ways, bidirectional, False),
}


def compare(name, sizes, seed, dtype, batch_first, given_start, scale):
    """Assert that a layer by hand computes what torch.nn does: outputs, last states and
    every gradient. `sizes` are T, B, I, H; `scale` is the size of the inputs.
    """
    ours, kind, takes_start = LAYERS[name]
    given_start = given_start and takes_start
    T, B, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    module = kind(I, H, batch_first=batch_first).to(dtype)
    shape = (B, T, I) if batch_first else (T, B, I)
    x = (scale * torch.randn(shape)).to(dtype).requires_grad_()
    count = 2 if isinstance(module, nn.LSTM) else 1
    depth = module.num_layers * (1 + module.bidirectional)
    make = torch.randn if given_start else torch.zeros
    starts = [make(depth, B, H).to(dtype).requires_grad_() for _ in range(count)]
    first = tuple(starts) if count == 2 else starts[0]
    their_out, last = module(x, first) if given_start else module(x)
    last = last if count == 2 else (last,)
    in_time = x.transpose(0, 1) if batch_first else x
    our_out, *our_last = ours(in_time, starts, list(module.parameters()))
    our_out = our_out.transpose(0, 1) if batch_first else our_out
    inputs = [x, *module.parameters(), *(starts if given_start else ())]
    assert_same((their_out, *last), (our_out, *our_last), inputs, CLOSE[dtype])


def assert_same(theirs, ours, inputs, close):
    """Equal results, and equal gradients of a loss that weighs every number."""
    for a, b in zip(theirs, ours, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() < close
    direction = [torch.randn_like(a) for a in theirs]

    def gradients(results):
        weighed = sum((d * r).sum() for d, r in zip(direction, results, strict=True))
        return torch.autograd.grad(weighed, inputs, retain_graph=True)

    for a, b in zip(gradients(theirs), gradients(ours), strict=True):
        # Gradients are sums over all steps: rounding grows with their size.
        assert (a - b).abs().max() < close * (1 + a.abs().max())
