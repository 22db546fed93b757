"""Lesson 02.3: the hand-written layers are nn.GRU, no input knows its future, and the
file of scores is what the lesson's own functions give.
"""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tools import measure_gru

SIZES = [(1, 1, 1, 1), (1, 4, 3, 5), (7, 1, 2, 3), (20, 6, 10, 8)]  # T, B, I, H


@pytest.fixture(scope="module")
def lesson():
    return measure_gru.lesson()


def case(steps, batch, inputs, units):
    """A layer with random weights, its inputs and first state, all in 64 bits."""
    torch.manual_seed(steps + units)
    gru = nn.GRU(inputs, units).double()
    x = torch.randn(steps, batch, inputs).double().requires_grad_()
    start = torch.randn(batch, units).double().requires_grad_()
    return gru, x, start


def layers(lesson, gru, x, start):
    weights = list(gru.parameters())
    return {
        "after": lesson.gru_layer(x, start, *weights, reset="after"),
        "fast": lesson.fast_gru_layer(x, start, *weights),
        "before": lesson.gru_layer(x, start, *weights, reset="before"),
    }


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", ["after", "fast"])
def test_layer_is_nn_gru(lesson, sizes, name):
    gru, x, start = case(*sizes)
    theirs, ours = gru(x, start[None])[0], layers(lesson, gru, x, start)[name]
    direction = torch.randn_like(theirs)
    inputs = [*gru.parameters(), x, start]
    assert ours.shape == theirs.shape == (sizes[0], sizes[1], sizes[3])
    assert (ours - theirs).abs().max() < 1e-10
    for a, b in zip(
        torch.autograd.grad((direction * ours).sum(), inputs),
        torch.autograd.grad((direction * theirs).sum(), inputs),
        strict=True,
    ):
        assert (a - b).abs().max() < 1e-10


def test_the_other_formula_is_another_network(lesson):
    gru, x, start = case(20, 6, 10, 8)
    made = layers(lesson, gru, x, start)
    assert (made["before"] - made["after"]).abs().max() > 0.01


def test_the_formulas_agree_where_algebra_says_so(lesson):
    # A diagonal W_hn works number by number, so the order makes no difference.
    gru, x, start = case(20, 6, 10, 8)
    with torch.no_grad():
        gru.weight_hh_l0[16:] = torch.diag(torch.randn(8).double())
        gru.bias_hh_l0[16:] = 0
    made = layers(lesson, gru, x, start)
    assert (made["before"] - made["after"]).abs().max() < 1e-10


def test_no_feature_knows_its_future(lesson):
    def changed(fill):
        """Whether features of the first 3,000 hours change with what comes later."""
        later = lesson.weather.copy()
        later.iloc[3000:] = later.iloc[3000:].sample(frac=1, random_state=0).to_numpy()
        before, after = (
            lesson.features(w, fill)[:3000] for w in (lesson.weather, later)
        )
        return not before.equals(after)

    gap = lesson.weather["pressure"].isna()
    assert gap.iloc[:3000].any()
    assert not changed(pd.DataFrame.ffill)
    # The test can fail: shift the cut into a gap, and interpolation looks ahead.
    row = int(np.flatnonzero(gap)[0])
    early = lesson.weather.copy()
    early.iloc[row + 1 :, early.columns.get_loc("pressure")] += 50
    for fill, looks_ahead in (
        (pd.DataFrame.ffill, False),
        (pd.DataFrame.interpolate, True),
    ):
        filled = [
            lesson.features(w, fill)["pressure"].iloc[row]
            for w in (lesson.weather, early)
        ]
        assert (filled[0] != filled[1]) == looks_ahead


def test_calm_is_no_wind_and_north_blows_south(lesson):
    hours = pd.date_range("2013-01-01", periods=3, freq="h")
    table = lesson.features(
        lesson.weather.iloc[:3]
        .set_index(hours)
        .assign(wind_direction=[0.0, 360.0, 90.0], wind_speed=[0.0, 5.0, 2.0])
    )
    assert np.allclose(table["wind_u"], [0, 0, -2]) and np.allclose(
        table["wind_v"], [0, -5, 0]
    )


def test_examples_keep_to_their_part_and_to_measured_hours(lesson):
    measured = lesson.weather["temperature"].to_numpy()
    for name, part in lesson.parts.items():
        known, later, rows = lesson.sets[name]
        assert part.start <= rows.min() and rows.max() < part.stop
        assert np.array_equal(later, measured[rows])
        assert np.array_equal(rows - rows[:, :1], [[0, 5, 23]] * len(rows))
        # The last input is the hour before the first target.
        last = lesson.scale.undo(known)[:, -1, 0]
        assert np.allclose(last, lesson.table["temperature"].to_numpy()[rows[:, 0] - 1])
    train = lesson.table.iloc[lesson.train]
    assert np.allclose(lesson.scale.mean, train.mean())


def test_ridge_is_least_squares_when_the_brake_is_off(lesson):
    generator = np.random.default_rng(0)
    known, change = generator.normal(size=(50, 2, 3)), generator.normal(size=(50, 2))
    theirs, *_ = np.linalg.lstsq(lesson.flat(known), change, rcond=None)
    assert np.allclose(lesson.ridge(known, change, alpha=0), theirs)
    braked = lesson.ridge(known, change, alpha=100)
    assert np.linalg.norm(braked) < np.linalg.norm(theirs)


def results():
    return json.loads(measure_gru.RESULT.read_text(encoding="utf-8"))


def test_the_file_has_every_network_at_equal_size():
    networks = results()["networks"]
    assert set(networks) == set(measure_gru.NETWORKS)
    assert networks["straight line"]["parameters"] == 48 * 10 + 1
    for network in networks.values():
        assert np.shape(network["test"]) == np.shape(network["validation"]) == (3, 5)
    for name in set(networks) - {"straight line"}:
        size = networks[name]["parameters"]
        assert abs(size / networks["GRU"]["parameters"] - 1) < 0.01


def test_the_learning_rate_was_chosen_on_validation():
    for name, tried in results()["selection"].items():
        chosen = results()["networks"][name]["lr"]
        assert tried[str(chosen)] == min(tried.values())


def test_one_entry_of_the_file_comes_out_again(lesson):
    stored = results()["networks"]["LSTM"]
    again = measure_gru.train_one(lesson, "LSTM", 2, 3, stored["lr"])
    assert again["test"] == pytest.approx(stored["test"][2][3], rel=0.015)
    assert again["parameters"] == stored["parameters"]
