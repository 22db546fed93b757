"""The layers that lessons write by hand are those of torch.nn, for sizes, numbers and
starts that hypothesis picks: outputs, last states and every gradient.
"""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import linear

from tools.lesson_functions import load_lesson

SIZES = st.tuples(
    st.integers(1, 12),  # T
    st.integers(1, 4),  # B
    st.integers(1, 5),  # I
    st.integers(1, 6),  # H
)
CLOSE = {torch.float64: 1e-10, torch.float32: 2e-4}


@functools.cache
def lesson(name):
    folder = "01_Introduction_to_RNN" if name == "rnn_intro" else "02_LSTM_RNN"
    return load_lesson(f"{folder}/raw_scripts/{name}.py")


# What lessons write by hand, with the shapes of torch.nn: x (T, B, I), first states
# (layers, B, H), weights -> outputs (T, B, H), last states (layers, B, H).


def rnn(x, states, weights):
    every = lesson("simple_rnn").rnn_layer(x, states[0][0], *weights)
    return every, every[-1:]


def lstm(x, states, weights):
    (h,), (c,), (W_x, W_h, b_x, b_h) = *states, weights
    every, h, c = lesson("lstm").lstm_layer(x, h, c, W_x, W_h, b_x + b_h)
    return every, h[None], c[None]


def gru(x, states, weights, reset="after"):
    every = lesson("gru").gru_layer(x, states[0][0], *weights, reset=reset)
    return every, every[-1:]


def fast_gru(x, states, weights):
    every = lesson("gru").fast_gru_layer(x, states[0][0], *weights)
    return every, every[-1:]


def stacked(x, states, weights):
    layers = [weights[k : k + 4] for k in range(0, len(weights), 4)]
    return lesson("stacked_rnn").stacked(x, *states, layers)


def read(x, states, weights):
    every = lesson("bidirectional_rnn").read(x.transpose(0, 1), *weights)
    return every.transpose(0, 1), every[None, :, -1]


def read_both_ways(x, states, weights):
    here = lesson("bidirectional_rnn")
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


LAYERS = {  # name -> (layer by hand, layer of torch.nn, whether it takes first states)
    "RNN": (rnn, nn.RNN, True),
    "LSTM": (lstm, nn.LSTM, True),
    "GRU": (gru, nn.GRU, True),
    "fast GRU": (fast_gru, nn.GRU, True),
    "reset before": (functools.partial(gru, reset="before"), ResetBefore, True),
    "1 layer": (stacked, nn.LSTM, True),
    "2 layers": (stacked, functools.partial(nn.LSTM, num_layers=2), True),
    "3 layers": (stacked, functools.partial(nn.LSTM, num_layers=3), True),
    "read": (read, nn.RNN, False),
    "read both ways": (
        read_both_ways,
        functools.partial(nn.RNN, bidirectional=True),
        False,
    ),
}


def build(kind, sizes, seed, dtype, batch_first, given_start, scale):
    """A layer of torch.nn, its input, and first states for it and for ours."""
    T, B, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    module = kind(I, H, batch_first=batch_first).to(dtype)
    shape = (B, T, I) if batch_first else (T, B, I)
    x = (scale * torch.randn(shape)).to(dtype).requires_grad_()
    count = 2 if isinstance(module, nn.LSTM) else 1
    depth = module.num_layers * (1 + module.bidirectional)
    make = torch.randn if given_start else torch.zeros
    starts = [make(depth, B, H).to(dtype).requires_grad_() for _ in range(count)]
    return module, x, starts


def theirs_and_ours(name, sizes, seed, dtype, batch_first, given_start, scale):
    ours, kind, takes_start = LAYERS[name]
    given_start = given_start and takes_start
    module, x, starts = build(kind, sizes, seed, dtype, batch_first, given_start, scale)
    first = tuple(starts) if len(starts) == 2 else starts[0]
    their_out, last = module(x, first) if given_start else module(x)
    last = last if len(starts) == 2 else (last,)
    in_time = x.transpose(0, 1) if batch_first else x
    our_out, *our_last = ours(in_time, starts, list(module.parameters()))
    our_out = our_out.transpose(0, 1) if batch_first else our_out
    inputs = [x, *module.parameters(), *(starts if given_start else ())]
    return (their_out, *last), (our_out, *our_last), inputs


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


SEED = st.integers(0, 10_000)
DTYPE = st.sampled_from([torch.float64, torch.float32])
CASE = {
    "sizes": SIZES,
    "seed": SEED,
    "dtype": DTYPE,
    "batch_first": st.booleans(),
    "given_start": st.booleans(),
    "scale": st.sampled_from([0.01, 1.0, 20.0]),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(**CASE)
def test_outputs_states_and_gradients_are_those_of_torch(name, **case):
    assert_same(*theirs_and_ours(name, **case), CLOSE[case["dtype"]])


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=SEED)
def test_gradients_are_those_of_finite_differences(name, sizes, seed):
    ours, kind, takes_start = LAYERS[name]
    sizes = tuple(min(size, 4) for size in sizes)
    module, x, starts = build(kind, sizes, seed, torch.float64, False, True, 1.0)
    weights = [p.detach().requires_grad_() for p in module.parameters()]
    starts = starts if takes_start else []

    def run(x, *rest):
        return tuple(ours(x, rest[: len(starts)], rest[len(starts) :]))

    assert torch.autograd.gradcheck(run, (x, *starts, *weights))


def cell_by_hand(x_t, h, c, W_x, W_h, b_x, b_h):
    """Lesson 02.2's cell, with the stacked weights of an nn.LSTMCell."""
    here, names = lesson("lstm"), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    named = {f"{n}_l0": w for n, w in zip(names, (W_x, W_h, b_x, b_h), strict=True)}
    h, c, gates = here.lstm_cell(x_t, h, c, *here.by_gate(SimpleNamespace(**named)))
    return h, c, gates


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=SEED, dtype=DTYPE, scale=CASE["scale"])
def test_one_step_is_that_of_lstm_cell(sizes, seed, dtype, scale):
    _, B, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    cell = nn.LSTMCell(I, H).to(dtype)
    x_t, h, c = (torch.randn(B, n).to(dtype).requires_grad_() for n in (I, H, H))
    *ours, gates = cell_by_hand(scale * x_t, h, c, *cell.parameters())
    inputs = [x_t, h, c, *cell.parameters()]
    assert_same(cell(scale * x_t, (h, c)), ours, inputs, CLOSE[dtype])
    assert list(gates) == [*"ifgo"]
    assert torch.equal(ours[1], gates["f"] * c + gates["i"] * gates["g"])
    assert torch.equal(ours[0], gates["o"] * ours[1].tanh())


@settings(max_examples=8, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=SEED)
def test_the_gradients_of_one_step_are_those_of_finite_differences(sizes, seed):
    _, B, I, H = (min(size, 4) for size in sizes)  # noqa: E741
    torch.manual_seed(seed)
    weights = [
        p.detach().requires_grad_() for p in nn.LSTMCell(I, H).double().parameters()
    ]
    states = [torch.randn(B, n).double().requires_grad_() for n in (I, H, H)]
    assert torch.autograd.gradcheck(
        lambda *inputs: cell_by_hand(*inputs)[:2], (*states, *weights)
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    padding=st.integers(0, 3),
    units=st.integers(1, 6),
    both=st.booleans(),
    seed=SEED,
    dtype=DTYPE,
)
def test_a_padded_batch_tags_each_word_as_alone(
    lengths, padding, units, both, seed, dtype
):
    """Alone in its batch, and by two of the layers of lesson 02.2, without packing."""
    torch.manual_seed(seed)
    model = lesson("bidirectional_rnn").Tagger(both, units).to(dtype)
    # What stands in the padding must not matter: here it is any phoneme.
    x = torch.randint(40, (len(lengths), max(lengths) + padding))
    together = model(x, torch.tensor(lengths))
    assert together.shape == (*x.shape, 3)
    words = [row[:n] for row, n in zip(x, lengths, strict=True)]

    def by_hand(word):
        sounds, halves = model.embed(word)[:, None], []
        weights = list(model.rnn.parameters())
        for k in range(1 + both):
            turned = sounds.flip(0) if k else sounds
            zeros = [torch.zeros(1, 1, units, dtype=dtype)] * 2
            states = lstm(turned, zeros, weights[4 * k : 4 * k + 4])[0]
            halves.append(states.flip(0) if k else states)
        return model.score(torch.cat(halves, dim=2))[:, 0]

    theirs = [row[:n] for row, n in zip(together, lengths, strict=True)]
    alone = [model(word[None], torch.tensor([len(word)]))[0] for word in words]
    parameters = list(model.parameters())
    assert_same(theirs, alone, parameters, CLOSE[dtype])
    assert_same(theirs, [by_hand(word) for word in words], parameters, CLOSE[dtype])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=SEED, dtype=DTYPE, scale=CASE["scale"])
def test_unrolled_in_numpy_is_the_rnn(sizes, seed, dtype, scale):
    T, _, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    here, layer = lesson("rnn_intro"), nn.RNN(I, H).to(dtype)
    x = (scale * torch.randn(T, I)).to(dtype)
    states = torch.from_numpy(here.unroll(x.numpy(), *here.weights_of(layer)))
    assert states.dtype == dtype and states.shape == (T, H)
    assert (states - layer(x)[0]).abs().max() < CLOSE[dtype]


# Seen once, with every number right: NumPy's products of small arrays may say so of
# what lies beside them. A NaN in a result fails below.
@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    sizes=SIZES,
    outputs=st.integers(1, 3),
    cut=st.none() | st.integers(1, 13),
    seed=SEED,
    dtype=DTYPE,
)
def test_backwards_by_hand_is_autograd(sizes, outputs, cut, seed, dtype):
    """Through nn.RNN and nn.Linear; with `cut`, in pieces with the state detached."""
    T, _, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    layer, head = nn.RNN(I, H).to(dtype), nn.Linear(H, outputs).to(dtype)
    x, d = torch.randn(T, I).to(dtype), torch.randn(T, outputs).to(dtype)
    h_0 = torch.randn(1, H).to(dtype).requires_grad_()
    states, h = [], h_0
    for piece in x.split(cut or T):
        out, h = layer(piece, h.detach() if cut else h)
        states.append(out)
    y = head(torch.cat(states))
    loss = (y - d).square().sum() / 2
    wanted = {"W_x": layer.weight_ih_l0, "W_h": layer.weight_hh_l0, "h_0": h_0}
    wanted |= {"b": layer.bias_ih_l0, "W_y": head.weight, "b_y": head.bias}
    slopes = torch.autograd.grad(
        loss, wanted.values(), allow_unused=True, materialize_grads=True
    )  # cut off, h_0 is not used at all

    here, p = lesson("rnn_intro"), {n: w.detach().numpy() for n, w in wanted.items()}
    p |= {"h_0": p["h_0"][0], "b": here.weights_of(layer)[2]}
    close, arrays = CLOSE[dtype], (x.numpy(), d.numpy())
    by_hand = torch.from_numpy(np.array(here.forward(p, arrays[0])[1]))
    assert by_hand.shape == y.shape and (by_hand - y).abs().max() < close
    assert abs(here.total_loss(p, *arrays) - loss.item()) < close * (1 + loss.item())
    found = here.bptt(p, *arrays, cut)
    assert found.keys() == wanted.keys()
    for name, slope in zip(wanted, slopes, strict=True):
        ours = torch.from_numpy(found[name])
        assert ours.dtype == dtype
        gap = (ours.view_as(slope) - slope).abs().max()
        assert gap < close * (1 + slope.abs().max()), name
