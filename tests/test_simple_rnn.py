"""Lesson 02.1: its stored scores are what its script gives, and no future leaks in."""

import json

import numpy as np
import pytest
import torch

from tools import measure_simple_rnn as measure
from utils.data import Standardiser, chronological_split, load_sunspots, windows
from utils.forecasting import autoregression
from utils.training import fit, predict

HERE = measure.HERE
STORED = json.loads(measure.RESULT.read_text(encoding="utf-8"))


def test_one_stored_entry_is_reproduced():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    new, old = measure.measure_step("twelve", seeds=[3]), STORED["steps"]["twelve"]
    torch.set_num_threads(threads)
    # Another processor rounds differently, and 960 steps of training amplify it.
    assert new["test"][0] == pytest.approx(old["test"][3], rel=0.03)
    assert new["validation"][0] == pytest.approx(old["validation"][3], rel=0.03)
    assert new["by_month"][0] == pytest.approx(old["by_month"][3], rel=0.06)


def test_the_network_was_chosen_on_the_validation_part():
    scores = [np.mean(entry["validation"]) for entry in STORED["selection"]]
    chosen = STORED["selection"][int(np.argmin(scores))]
    assert chosen == STORED["chosen"] and "test" not in chosen
    # The lesson's network is the chosen one.
    ours = HERE.ChangeForecaster(per_step=12)
    assert chosen["change"] and chosen["scale"] == "standardised"
    assert chosen["units"] == ours.rnn.hidden_size and chosen["dropout"] == 0
    assert chosen["validation"] == STORED["steps"]["twelve"]["validation"]


def test_every_stored_run_is_complete():
    for name, step in STORED["steps"].items():
        assert {len(values) for values in step.values()} == {len(measure.SEEDS)}, name
        for mean, by_month in zip(step["test"], step["by_month"], strict=True):
            assert mean == pytest.approx(np.mean(by_month), abs=0.002)


def test_before_training_the_network_is_persistence():
    x = torch.randn(7, 144)
    model = HERE.ChangeForecaster(per_step=12)
    assert model(x).equal(x[:, -1:].repeat(1, 12))


def test_reading_twelve_months_a_step_keeps_their_order():
    model, seen = HERE.Forecaster(per_step=12), []
    model.rnn.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    x = torch.arange(2 * 144.0).reshape(2, 144)
    assert model(x).shape == (2, 12)
    assert seen[0].shape == (2, 12, 12)
    assert seen[0][1, 3].equal(x[1, 36:48])


def forecasts(series):
    """Forecasts of AR(132) and of a briefly trained network, for windows of all parts.

    Everything that the lesson measures on data is measured here again on `series`.
    """
    torch.manual_seed(0)
    parts = chronological_split(len(series), validation=0.1, test=0.2)
    scale = Standardiser.fit(series[parts[0]])
    train, validation, test = HERE.pairs_of(scale(series), 144, 12)
    model = HERE.ChangeForecaster(per_step=12)
    fit(model, train, validation, epochs=2, batch_size=128, lr=0.003)
    linear = autoregression(*windows(series, 144, 12, part=parts[0]), order=132)
    known = [windows(series, 144, 12, part=part)[0] for part in parts]
    network = [predict(model, pair[0]) for pair in (train, validation, test)]
    return [torch.tensor(linear(x)) for x in known] + network


@pytest.mark.parametrize("factor", [1, 3], ids=["shuffled", "shuffled and tripled"])
def test_no_earlier_forecast_changes_when_the_future_does(factor):
    # Shuffling alone would not notice a mean taken over all months.
    series = load_sunspots().to_numpy()
    spoiled = series.copy()
    _, _, test = chronological_split(len(series), validation=0.1, test=0.2)
    spoiled[test] = factor * np.random.default_rng(0).permutation(series[test])
    before, after = forecasts(series), forecasts(spoiled)
    for part in (0, 1, 3, 4):  # training and validation, linear and network
        assert before[part].equal(after[part])
    for part in (2, 5):  # forecasts for test months change, but not the first:
        assert not before[part].equal(after[part])
        assert before[part][0].equal(after[part][0])  # it has seen no test month


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (1, 4, 3, 5), (7, 1, 2, 3), (30, 6, 4, 8)]
)
def test_the_layer_is_nn_rnn_in_outputs_and_gradients(sizes):
    steps, batch, inputs, units = sizes
    torch.manual_seed(steps + units)
    rnn = torch.nn.RNN(inputs, units).double()
    x = torch.randn(steps, batch, inputs).double().requires_grad_()
    h_0 = torch.randn(batch, units).double().requires_grad_()
    theirs, _ = rnn(x, h_0[None])
    ours = HERE.rnn_layer(x, h_0, *rnn.parameters())
    assert torch.allclose(ours, theirs, atol=1e-12)
    weigh, wanted = torch.randn_like(ours), [*rnn.parameters(), x, h_0]
    slopes = [torch.autograd.grad((weigh * y).sum(), wanted) for y in (ours, theirs)]
    for a, b in zip(*slopes, strict=True):
        assert torch.allclose(a, b, atol=1e-10)
