"""The layers that lessons write by hand are those of torch.nn, for a few sizes; in
tests/full/test_layers_property.py hypothesis picks them.
"""

import pytest
import torch
from layers_by_hand import LAYERS, compare, gru
from torch import nn


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (7, 1, 2, 3), (20, 6, 10, 8)])
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_states_and_gradients_are_those_of_torch(name, sizes):
    compare(name, sizes, sum(sizes), torch.float64, False, True, scale=1.0)


def test_the_two_formulas_of_the_gru_agree_where_algebra_says_so_and_only_there():
    # A diagonal W_hn works number by number, so the order makes no difference.
    torch.manual_seed(0)
    layer, x = nn.GRU(10, 8).double(), torch.randn(20, 6, 10).double()
    start = [torch.randn(1, 6, 8).double()]

    def gap():
        after, before = (
            gru(x, start, list(layer.parameters()), reset)[0]
            for reset in ("after", "before")
        )
        return (after - before).abs().max()

    assert gap() > 0.01
    with torch.no_grad():
        layer.weight_hh_l0[16:] = torch.diag(torch.randn(8).double())
        layer.bias_hh_l0[16:] = 0
    assert gap() < 1e-10
