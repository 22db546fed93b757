"""The layers that lessons write by hand are those of torch.nn, for sizes, numbers and
starts that hypothesis picks: outputs, last states and every gradient.
"""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tools import measure_gru, measure_lstm, measure_simple_rnn

SIZES = st.tuples(
    st.integers(1, 12),  # T
    st.integers(1, 4),  # B
    st.integers(1, 5),  # I
    st.integers(1, 6),  # H
)
CLOSE = {torch.float64: 1e-10, torch.float32: 2e-4}


@functools.cache
def lessons():
    return measure_simple_rnn.lesson(), measure_lstm.lesson(), measure_gru.lesson()


def rnn(x, states, weights):
    every = lessons()[0].rnn_layer(x, *states, *weights)
    return every, every[-1]


def lstm(x, states, weights):
    W_x, W_h, b_x, b_h = weights
    return lessons()[1].lstm_layer(x, *states, W_x, W_h, b_x + b_h)


def gru(x, states, weights):
    every = lessons()[2].gru_layer(x, *states, *weights, reset="after")
    return every, every[-1]


def fast_gru(x, states, weights):
    every = lessons()[2].fast_gru_layer(x, *states, *weights)
    return every, every[-1]


LAYERS = {  # name -> (layer by hand, layer of torch.nn, number of states)
    "RNN": (rnn, nn.RNN, 1),
    "LSTM": (lstm, nn.LSTM, 2),
    "GRU": (gru, nn.GRU, 1),
    "fast GRU": (fast_gru, nn.GRU, 1),
}


def build(kind, sizes, seed, dtype, batch_first, given_start, scale):
    """A layer of torch.nn, its input, and first states for it and for ours."""
    T, B, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    module = kind(I, H, batch_first=batch_first).to(dtype)
    shape = (B, T, I) if batch_first else (T, B, I)
    x = (scale * torch.randn(shape)).to(dtype).requires_grad_()
    count = 2 if kind is nn.LSTM else 1
    make = torch.randn if given_start else torch.zeros
    starts = [make(B, H).to(dtype).requires_grad_() for _ in range(count)]
    return module, x, starts


def theirs_and_ours(name, sizes, seed, dtype, batch_first, given_start, scale):
    ours, kind, count = LAYERS[name]
    module, x, starts = build(kind, sizes, seed, dtype, batch_first, given_start, scale)
    first = [start[None] for start in starts]
    first = tuple(first) if count == 2 else first[0]
    their_out, last = module(x, first) if given_start else module(x)
    last = last if count == 2 else (last,)
    in_time = x.transpose(0, 1) if batch_first else x
    our_out, *our_last = ours(in_time, starts, list(module.parameters()))
    our_out = our_out.transpose(0, 1) if batch_first else our_out
    inputs = [x, *module.parameters(), *(starts if given_start else ())]
    return (their_out, *(s[0] for s in last)), (our_out, *our_last), inputs


CASE = {
    "sizes": SIZES,
    "seed": st.integers(0, 10_000),
    "dtype": st.sampled_from([torch.float64, torch.float32]),
    "batch_first": st.booleans(),
    "given_start": st.booleans(),
    "scale": st.sampled_from([0.01, 1.0, 20.0]),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(**CASE)
def test_outputs_states_and_gradients_are_those_of_torch(name, **case):
    theirs, ours, inputs = theirs_and_ours(name, **case)
    close = CLOSE[case["dtype"]]
    for a, b in zip(theirs, ours, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() < close
    direction = [torch.randn_like(a) for a in theirs]

    def gradients(results):
        weighed = sum((d * r).sum() for d, r in zip(direction, results, strict=True))
        return torch.autograd.grad(weighed, inputs)

    for a, b in zip(gradients(theirs), gradients(ours), strict=True):
        # Gradients are sums over all steps: rounding grows with their size.
        assert (a - b).abs().max() < close * (1 + a.abs().max())


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=st.integers(0, 10_000))
def test_gradients_are_those_of_finite_differences(name, sizes, seed):
    ours, kind, _ = LAYERS[name]
    sizes = tuple(min(size, 4) for size in sizes)
    module, x, starts = build(kind, sizes, seed, torch.float64, False, True, 1.0)
    weights = [p.detach().requires_grad_() for p in module.parameters()]

    def run(x, *rest):
        return tuple(ours(x, rest[: len(starts)], rest[len(starts) :]))

    assert torch.autograd.gradcheck(run, (x, *starts, *weights))
