"""The layers that lessons write by hand are those of torch.nn, for sizes, numbers and
starts that hypothesis picks: outputs, last states and every gradient.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_by_hand import CLOSE, LAYERS, assert_same, compare, lesson
from torch import nn

SIZES = st.tuples(
    st.integers(1, 12),  # T
    st.integers(1, 4),  # B
    st.integers(1, 5),  # I
    st.integers(1, 6),  # H
)
EITHER, SCALE = st.booleans(), st.sampled_from([0.01, 1.0, 20.0])
ANY = {
    "seed": st.integers(0, 10_000),
    "dtype": st.sampled_from([torch.float64, torch.float32]),
}
often = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.parametrize("name", LAYERS)
@often
@given(sizes=SIZES, scale=SCALE, batch_first=EITHER, given_start=EITHER, **ANY)
def test_outputs_states_and_gradients_are_those_of_torch(name, **case):
    compare(name, **case)


@often
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    padding=st.integers(0, 3),
    units=st.integers(1, 6),
    both=EITHER,
    **ANY,
)
def test_a_padded_batch_tags_each_word_as_alone(
    lengths, padding, units, both, seed, dtype
):
    torch.manual_seed(seed)
    here = lesson("bidirectional_rnn")
    here.symbols = range(39)  # as many as the dictionary has
    model = here.Tagger(both, units).to(dtype)
    # What stands in the padding must not matter: here it is any phoneme.
    x = torch.randint(40, (len(lengths), max(lengths) + padding))
    together = model(x, torch.tensor(lengths))
    assert together.shape == (*x.shape, 3)
    rows = [row[:n] for row, n in zip(together, lengths, strict=True)]
    alone = [
        model(word[None, :n], torch.tensor([n]))[0]
        for word, n in zip(x, lengths, strict=True)
    ]
    assert_same(rows, alone, list(model.parameters()), CLOSE[dtype])


# Seen once, with every number right: NumPy's products of small arrays may say so of
# what lies beside them. A NaN in a result fails below.
@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")
@often
@given(
    sizes=SIZES, outputs=st.integers(1, 3), cut=st.none() | st.integers(1, 13), **ANY
)
def test_backwards_by_hand_is_autograd(sizes, outputs, cut, seed, dtype):
    """Through nn.RNN and nn.Linear; with `cut`, the state is detached after a piece."""
    T, _, I, H = sizes  # noqa: E741
    torch.manual_seed(seed)
    layer, head = nn.RNN(I, H).to(dtype), nn.Linear(H, outputs).to(dtype)
    x, d = torch.randn(T, I).to(dtype), torch.randn(T, outputs).to(dtype)
    h_0 = torch.randn(1, H).to(dtype).requires_grad_()
    states, h = [], h_0
    for piece in x.split(cut or T):
        out, h = layer(piece, h.detach() if states else h)
        states.append(out)
    y = head(torch.cat(states))
    loss = (y - d).square().sum() / 2
    wanted = {"W_x": layer.weight_ih_l0, "W_h": layer.weight_hh_l0, "h_0": h_0}
    wanted |= {"b": layer.bias_ih_l0, "W_y": head.weight, "b_y": head.bias}
    slopes = torch.autograd.grad(loss, wanted.values())

    here = lesson("gradients_through_time")
    p = {name: weight.detach().numpy() for name, weight in wanted.items()}
    b = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    p |= {"h_0": p["h_0"][0], "b": b}
    close, arrays = CLOSE[dtype], (x.numpy(), d.numpy())
    by_hand = torch.from_numpy(np.array(here.forward(p, arrays[0])[1]))
    assert by_hand.shape == y.shape and (by_hand - y).abs().max() < close
    assert abs(here.total_loss(p, *arrays) - loss.item()) < close * (1 + loss.item())
    found = here.truncated_bptt(p, *arrays, cut) if cut else here.bptt(p, *arrays)
    assert found.keys() == wanted.keys()
    for name, slope in zip(wanted, slopes, strict=True):
        ours = torch.from_numpy(found[name])
        assert ours.dtype == dtype
        gap = (ours.view_as(slope) - slope).abs().max()
        assert gap < close * (1 + slope.abs().max()), name
