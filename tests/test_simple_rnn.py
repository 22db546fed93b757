"""Lesson 02.1: what its networks read and say, and that no future leaks in."""

import numpy as np
import torch
from lesson_functions import load_lesson

from utils.data import Standardiser, chronological_split, load_sunspots, windows
from utils.forecasting import autoregression
from utils.training import History, fit, predict

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


def forecasts(series):
    """Forecasts of AR(132) and of a briefly trained network, for windows of all parts.

    Everything that the lesson measures on data is measured here again on `series`.
    """
    torch.manual_seed(0)
    parts = chronological_split(len(series), validation=0.1, test=0.2)
    scale = Standardiser.fit(series[parts[0]])
    pairs = HERE.three_parts(scale(series), 144, 12)
    model = HERE.ChangeForecaster(per_step=12)
    fit(model, *pairs[:2], epochs=2)
    linear = autoregression(*windows(series, 144, 12, part=parts[0]), order=132)
    known = [windows(series, 144, 12, part=part)[0] for part in parts]
    network = [predict(model, x) for x, _ in pairs]
    return [torch.tensor(linear(x)) for x in known] + network


def test_no_earlier_forecast_changes_when_the_future_does():
    # Shuffling alone would not notice a mean taken over all months.
    series = load_sunspots().to_numpy()
    spoiled = series.copy()
    _, _, test = chronological_split(len(series), validation=0.1, test=0.2)
    spoiled[test] = 3 * np.random.default_rng(0).permutation(series[test])
    before, after = forecasts(series), forecasts(spoiled)
    for part in (0, 1, 3, 4):  # training and validation, linear and network
        assert before[part].equal(after[part])
    for part in (2, 5):  # forecasts for test months change, but not the first:
        assert not before[part].equal(after[part])
        assert before[part][0].equal(after[part][0])  # it has seen no test month


def test_the_scale_is_that_of_the_training_part(monkeypatch):
    monkeypatch.setattr(HERE.training, "fit", lambda *pairs, **settings: History())
    before = HERE.measure(0, "standardised", False)
    spoiled = HERE.sunspots.copy()
    spoiled[chronological_split(len(spoiled))[2]] = 1000
    monkeypatch.setattr(HERE, "sunspots", spoiled)
    after = HERE.measure(0, "standardised", False)
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
