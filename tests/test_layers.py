"""The layers that lessons write by hand are those of torch.nn, for a few sizes; in
tests/full/test_layers_property.py hypothesis picks them.
"""

import pytest
import torch
from layers_by_hand import LAYERS, compare


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (7, 1, 2, 3), (20, 6, 10, 8)])
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_states_and_gradients_are_those_of_torch(name, sizes):
    compare(name, sizes, sum(sizes), torch.float64, False, True, scale=1.0)
