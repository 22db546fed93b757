"""Lesson 02.3: features, examples and choices of the weather task know no future."""

import numpy as np
import pandas as pd
import pytest
import torch
from lesson_functions import load_lesson

from utils.training import History

SETTINGS = {"weather", "train", "table", "scale", "HOURS", "parts", "sets", "same"}


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
    looks_ahead = pd.DataFrame.interpolate
    assert filled(later, looks_ahead) != filled(lesson.weather, looks_ahead)


def test_calm_is_no_wind_and_north_blows_south(lesson):
    hours = pd.date_range("2013-01-01", periods=3, freq="h")
    wind = {"wind_direction": [0.0, 360.0, 90.0], "wind_speed": [0.0, 5.0, 2.0]}
    table = lesson.features(lesson.weather.iloc[:3].set_index(hours).assign(**wind))
    assert np.allclose(table["wind_u"], [0, 0, -2])
    assert np.allclose(table["wind_v"], [0, -5, 0])


def test_examples_keep_to_their_part_and_to_measured_hours(lesson):
    measured = lesson.weather["temperature"].to_numpy()
    for name, part in lesson.parts.items():
        known, later, rows = lesson.sets[name]
        assert part.start <= rows.min() and rows.max() < part.stop
        assert np.array_equal(later, measured[rows])
        assert np.array_equal(rows - rows[:, :1], [[0, 5, 23]] * len(rows))
        # The last input is the hour before the first target.
        before = lesson.table["temperature"].to_numpy()[rows[:, :1] - 1]
        assert np.allclose(lesson.last_known(known), np.repeat(before, 3, axis=1))
    assert np.allclose(lesson.scale.mean, lesson.table.iloc[lesson.train].mean())


def test_ridge_is_least_squares_when_the_brake_is_off(lesson):
    generator = np.random.default_rng(0)
    known, change = generator.normal(size=(50, 2, 3)), generator.normal(size=(50, 2))
    theirs, *_ = np.linalg.lstsq(lesson.flat(known), change, rcond=None)
    assert np.allclose(lesson.ridge(known, change, alpha=0), theirs)
    braked = lesson.ridge(known, change, alpha=100)
    assert np.linalg.norm(braked) < np.linalg.norm(theirs)


def test_what_comes_in_the_test_part_chooses_nothing(lesson, monkeypatch):
    known, later, rows = lesson.sets["test"]
    spoiled = lesson.sets | {"test": (known, 3 * later[::-1] + 20, rows)}
    before = lesson.ridge_forecasts(lesson.sets, columns=[0])
    after = lesson.ridge_forecasts(spoiled, columns=[0])
    assert all(np.array_equal(before[part], after[part]) for part in before)
    seen = []

    def fit(model, train, validation, **options):
        seen.extend([train, validation])
        return History()

    monkeypatch.setattr(lesson, "fit", fit)
    lesson.train_network(0, lesson.same)
    for (x, change), part in zip(seen, ("train", "validation"), strict=True):
        known, later, _ = lesson.sets[part]
        assert x.equal(torch.tensor(known).float())
        first = (later - lesson.same[part])[:, 0]
        assert np.corrcoef(change, first)[0, 1] > 0.999
