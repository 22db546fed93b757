"""Lesson 02.1: what its networks read and say, and that no future leaks in."""

import numpy as np
import torch
from lesson_functions import load_lesson

from utils.data import chronological_split, load_sunspots
from utils.training import History, fit

SETTINGS = ("sunspots", "train_part")
HERE = load_lesson("02_LSTM_RNN/raw_scripts/simple_rnn.py", SETTINGS)
DEEPER = load_lesson("02_LSTM_RNN/going_deeper/raw_scripts/sunspots_further.py")


def test_before_training_the_network_is_persistence():
    x = torch.randn(7, 144)
    model = HERE.ChangeForecaster(per_step=12)
    assert model(x).equal(x[:, -1:].repeat(1, 12))


def test_reading_twelve_months_a_step_keeps_their_order():
    model = HERE.Forecaster(per_step=12)
    x = torch.arange(2 * 144.0).reshape(2, 144) / 144
    steps = torch.stack([x[:, 12 * t : 12 * t + 12] for t in range(12)], dim=1)
    _, last = model.rnn(steps)  # the state that has read everything
    assert model(x).equal(model.head(last[0])) and model(x).shape == (2, 12)


def test_training_chooses_on_the_validation_pair(monkeypatch):
    seen = []

    def fit_nothing(model, *pairs, **settings):
        seen.extend(pairs)
        return History()

    monkeypatch.setattr(HERE.training, "fit", fit_nothing)
    HERE.measure(0, "raw", True, per_step=12)
    train, validation, _ = HERE.three_parts(HERE.sunspots, 144, 12)
    for given, wanted in zip(seen, (train, validation), strict=True):
        assert given[0].equal(wanted[0]) and given[1].equal(wanted[1])
    monkeypatch.setattr(DEEPER, "fit", lambda *given, **settings: seen.extend(given))
    DEEPER.trained("model", ("training", "validation", "test"))
    assert seen[2:] == ["model", "training", "validation"]


def test_the_deeper_notebook_cuts_the_parts_of_the_lesson():
    series = load_sunspots().to_numpy()
    pairs = HERE.three_parts(series, 144, 12), DEEPER.three_parts(series, 144, 12)
    for ours, theirs in zip(*pairs, strict=True):
        assert ours[0].equal(theirs[0]) and ours[1].equal(theirs[1])


def test_nothing_is_chosen_by_the_test_part(monkeypatch):
    """Neither the scale nor the weights: only two epochs are trained."""

    def fit_briefly(*given, **settings):
        return fit(*given, **{**settings, "epochs": 2})

    monkeypatch.setattr(HERE.training, "fit", fit_briefly)
    before = HERE.measure(0, "standardised", True, per_step=12)
    spoiled = HERE.sunspots.copy()
    spoiled[chronological_split(len(spoiled))[2]] = 1000
    monkeypatch.setattr(HERE, "sunspots", spoiled)
    after = HERE.measure(0, "standardised", True, per_step=12)
    assert before["validation"] == after["validation"]
    assert before["test"] != after["test"]


def test_the_line_is_chosen_without_the_test_part():
    series = load_sunspots().to_numpy()
    spoiled = series.copy()
    spoiled[chronological_split(len(series))[2]] = 1000
    before, after = HERE.try_lines(series), HERE.try_lines(spoiled)
    assert len(before) == 24 and before == after
    spoiled[-700:] = 1000  # now validation months are spoiled as well
    assert HERE.try_lines(spoiled) != before


def test_the_error_of_each_month_ahead():
    forecast, came = np.array([[1.0, 5.0], [1.0, 1.0]]), np.array([[1.0, 1.0]] * 2)
    for module in (HERE, DEEPER):
        assert np.allclose(module.by_month(forecast, came), [0, 8**0.5])
