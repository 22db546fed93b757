"""Lesson 02.3: features, examples and choices of the weather task know no future."""

import numpy as np
import pandas as pd
import pytest
import torch
from lesson_functions import load_lesson

from utils.training import History

SETTINGS = {"weather", "split", "parts", "scale", "HOURS", "measured"}
SETTINGS |= {"known", "now", "rows", "later"}


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("02_LSTM_RNN/raw_scripts/gru.py", SETTINGS)


def test_no_feature_knows_its_future(lesson):
    later = lesson.weather.copy()
    later.iloc[3000:] = later.iloc[3000:].sample(frac=1, random_state=0).to_numpy()
    before, after = (lesson.features(w)[:3000] for w in (lesson.weather, later))
    assert before.equals(after)
    # In a gap, only what was known before it counts; interpolation would look ahead.
    row = int(np.flatnonzero(lesson.weather["pressure"].isna())[0])
    later = lesson.weather.copy()
    later.iloc[row + 1 :, later.columns.get_loc("pressure")] += 50

    def filled(weather, *fill):
        return lesson.features(weather, *fill)["pressure"].iloc[row]

    assert filled(later) == filled(lesson.weather)
    looks_ahead = "interpolate"
    assert filled(later, looks_ahead) != filled(lesson.weather, looks_ahead)


def test_calm_is_no_wind_and_north_blows_south(lesson):
    hours = pd.date_range("2013-01-01", periods=3, freq="h")
    wind = {"wind_direction": [0.0, 360.0, 90.0], "wind_speed": [0.0, 5.0, 2.0]}
    table = lesson.features(lesson.weather.iloc[:3].set_index(hours).assign(**wind))
    assert np.allclose(table["wind_u"], [0, 0, -2])
    assert np.allclose(table["wind_v"], [0, -5, 0])


def test_examples_keep_to_their_part_and_to_measured_hours(lesson):
    measured, table = lesson.weather["temperature"], lesson.features(lesson.weather)
    for name, part in lesson.parts.items():
        rows = lesson.rows[name]
        assert part.start <= rows.min() and rows.max() < part.stop
        assert np.array_equal(lesson.later[name], measured.to_numpy()[rows])
        assert np.isfinite(lesson.later[name]).all()
        assert np.array_equal(rows - rows[:, :1], [[0, 5, 23]] * len(rows))
        # The last input is the hour before the first target.
        before = table["temperature"].to_numpy()[rows[:, :1] - 1]
        assert np.allclose(lesson.now[name], np.repeat(before, 3, axis=1))
        last = lesson.scale.undo(lesson.known[name][:, -1])
        assert np.allclose(last[:, :1], before)
    assert np.allclose(lesson.scale.mean, table[lesson.parts["train"]].mean())


def test_ridge_is_least_squares_without_its_penalty(lesson):
    generator = np.random.default_rng(0)
    X, change = generator.normal(size=(50, 7)), generator.normal(size=(50, 2))
    theirs, *_ = np.linalg.lstsq(X, change, rcond=None)
    free, small = (lesson.ridge(X, change, alpha) for alpha in (0, 100))
    assert np.allclose(free, theirs)
    assert np.linalg.norm(small) < np.linalg.norm(theirs)


def test_products_are_those_of_the_clock_and_the_last_hours(lesson):
    known, rows = lesson.known["validation"], lesson.rows["validation"]
    more = lesson.with_products(known)[:, lesson.flat(known).shape[1] :]
    assert more.shape == (len(known), 2 + 4 * 48)
    angle = 2 * np.pi * lesson.weather.index.hour[rows[:, 0] - 1] / 24
    waves = np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)
    for k, wave in enumerate(waves):  # up to the scale: a straight line leads there
        products = more[:, 2 + 48 * k : 50 + 48 * k]
        factor = products / known[:, -6:, :8].reshape(len(known), -1)
        assert abs(np.corrcoef(np.median(factor, axis=1), wave)[0, 1]) > 0.999


def test_what_comes_in_the_test_part_chooses_nothing(lesson, monkeypatch):
    spoiled = lesson.later | {"test": 3 * lesson.later["test"][::-1] + 20}
    for kind in (lesson.flat, lesson.with_products):
        before = lesson.ridge_forecasts(lesson.known, lesson.now, kind)
        with monkeypatch.context() as patch:
            patch.setattr(lesson, "later", spoiled)
            after = lesson.ridge_forecasts(lesson.known, lesson.now, kind)
        assert all(np.array_equal(before[part], after[part]) for part in before)
    seen = []

    def fit(model, train, validation, **options):
        seen.extend([train, validation])
        return History()

    monkeypatch.setattr(lesson.training, "fit", fit)
    lesson.train_network(0, lesson.now)
    for (x, change), part in zip(seen, ("train", "validation"), strict=True):
        assert x.equal(torch.tensor(lesson.known[part]).float())
        first = (lesson.later[part] - lesson.now[part])[:, 0]
        assert np.corrcoef(change, first)[0, 1] > 0.999


def test_a_network_and_its_settings_do_not_change_with_the_test_part(
    lesson, monkeypatch
):
    """What chooses rate, penalty and epoch is bit-equal if the test part is garbage."""
    for name in ("known", "now", "later"):
        few = {part: array[:300] for part, array in getattr(lesson, name).items()}
        monkeypatch.setattr(lesson, name, few)
    monkeypatch.setattr(lesson, "linear", lesson.now, raising=False)
    scores = []
    for _ in range(2):
        scores.append(lesson.measure(0, horizon=2, cell="GRU", units=4, lr=0.01))
        lesson.known["test"] = 100 - lesson.known["test"]
        lesson.later["test"] = 3 * lesson.later["test"][::-1] + 20
    assert scores[0]["validation"] == scores[1]["validation"]
    assert scores[0]["kept_epoch"] == scores[1]["kept_epoch"]
    assert scores[0]["test"] != scores[1]["test"]


def test_the_windows_of_the_challenge_are_those_of_the_lesson(lesson):
    seen = []
    challenge = lesson.checks.my_forecaster
    challenge.score(lambda *given: seen.extend(given) or np.zeros(len(given[2])))
    table = lesson.features(lesson.weather)
    scaled = lesson.data.Standardiser.fit(table[:5224])(table).to_numpy()
    assert np.allclose(seen[0][0], scaled[:48])
    temperature = lesson.weather["temperature"].to_numpy()
    assert np.isclose(seen[1][0], temperature[53] - temperature[47])
    # The weeks that are scored lie after those given, before validation and test.
    assert np.allclose(seen[2][-1], scaled[6095 - 6 - 48 : 6095 - 6])
    assert lesson.parts["train"].stop >= 6095
