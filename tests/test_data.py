"""Loaders return what their docstrings say; windows and splits never look ahead."""

import shutil

import numpy as np
import pandas as pd
import pytest

from tools import build_data
from utils import data


def test_sunspots():
    series = data.load_sunspots()
    assert len(series) == 3126 and series.dtype == float
    assert (str(series.index[0]), str(series.index[-1])) == ("1749-01", "2009-06")
    assert series.between(0, 260).all()
    assert series["1957-10"].item() == 253.8  # the highest month of the record


def test_weather_is_hourly_and_metric():
    table = data.load_weather()
    assert (table.index.to_series().diff().dropna() == pd.Timedelta("1h")).all()
    assert table.notna().any(axis=1).sum() == 8706
    assert table["temperature"].between(-15, 40).sum() == table["temperature"].count()
    assert table["temperature"].diff().abs().max() < 12  # no report far from all others
    assert table["wind_speed"].max() < 30
    assert table["pressure"].dropna().between(970, 1050).all()
    assert (table["dew_point"] <= table["temperature"] + 0.01).sum() > 8600


def test_stress_marks_every_vowel_and_nothing_else():
    table = data.load_stress()
    assert len(table) == 30_000 and table["word"].is_unique
    for phonemes, stress in zip(table["phonemes"], table["stress"], strict=True):
        assert len(phonemes) == len(stress)
        vowels = [phoneme[0] in "AEIOU" for phoneme in phonemes]
        assert vowels == [mark >= 0 for mark in stress]
        assert sum(vowels) >= 2
    assert not table["phonemes"].explode().str.contains(r"\d").any()
    assert table["phonemes"].explode().nunique() == 39


def test_names():
    surnames = data.load_surnames()
    assert surnames[:3] == ["smith", "johnson", "williams"]
    assert len(surnames) == len(set(surnames)) == 20_000
    first = data.load_first_names()
    assert set(first["sex"]) == {"f", "m", "both"} and first["name"].is_unique


@pytest.mark.parametrize("part, count", [("train", 270), ("test", 370)])
def test_vowels(part, count):
    recordings, speakers = data.load_vowels(part)
    assert len(recordings) == len(speakers) == count
    assert {r.shape[1] for r in recordings} == {12}
    assert min(map(len, recordings)) == 7
    assert max(map(len, recordings)) <= 29
    assert set(speakers) == set(range(9))


def test_vowels_names_the_wrong_part():
    with pytest.raises(ValueError, match="part must be"):
        data.load_vowels("validation")


def test_chorales():
    pieces = data.load_chorales()
    assert len(pieces) > 340
    for name, grid in pieces.items():
        assert isinstance(name, str) and grid.ndim == 2 and grid.shape[1] == 4
        assert ((grid == 0) | ((grid >= 30) & (grid <= 90))).all(), name


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A data folder that a test may damage."""
    shutil.copytree(data.DATA, tmp_path / "data")
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    return tmp_path / "data"


def test_a_flipped_byte_is_noticed(copied):
    path = copied / "sunspots_monthly.csv"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"sunspots_monthly\.csv.*git checkout"):
        data.load_sunspots()


@pytest.mark.parametrize("name", ["sunspots_monthly.csv", "SHA256SUMS"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing.*git checkout"):
        data.load_sunspots()


SUMS = (data.DATA / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n" + SUMS,
        SUMS[:30],  # inside a checksum: no name
        SUMS[:600],  # before the line of this file
        SUMS[: SUMS.index(b"sunspots") + 5],  # inside its name
        bytes(range(256)),  # not text
        bytes(99),  # text, of a kind
        SUMS.replace(b"csv", b"txt"),
    ],
    ids=["empty", "blank", "name", "line", "half", "binary", "zeros", "renamed"],
)
def test_damaged_checksums_are_named_with_their_cure(copied, content):
    (copied / "SHA256SUMS").write_bytes(content)
    with pytest.raises(ValueError) as found:
        data.load_sunspots()
    said = str(found.value)
    assert type(found.value) is ValueError and found.value.__cause__ is None
    assert "data/SHA256SUMS is damaged" in said and "sunspots_monthly.csv" in said
    assert "git checkout -- data/SHA256SUMS " in said


def test_what_is_said_to_rebuild_a_file_is_a_known_command():
    known = [*build_data.FILES, ""]
    for name in [*build_data.FILES, "SHA256SUMS"]:
        said = data._restore(name)
        assert said.partition("build_data.py")[2].strip(" )") in known
        assert f"data/{name} " in said


def test_split_is_in_order_and_complete():
    train, validation, test = data.chronological_split(3126, 0.1, 0.2)
    assert (train.start, test.stop) == (0, 3126)
    assert train.stop == validation.start and validation.stop == test.start
    assert test.stop - test.start == 625 and validation.stop - validation.start == 313


@pytest.mark.parametrize("validation, test", [(-0.1, 0.2), (0.5, 0.5), (0.1, 1.2)])
def test_split_refuses_shares_that_leave_nothing(validation, test):
    with pytest.raises(ValueError, match="shares"):
        data.chronological_split(100, validation, test)


def test_split_refuses_an_empty_part():
    with pytest.raises(ValueError, match="validation part is empty"):
        data.chronological_split(4, 0.1, 0.2)


def test_windows_pair_the_past_with_what_came_next():
    inputs, targets = data.windows(np.arange(10), length=3, horizon=2)
    assert inputs.tolist()[0] == [0, 1, 2] and targets.tolist()[0] == [3, 4]
    assert inputs.tolist()[-1] == [5, 6, 7] and targets.tolist()[-1] == [8, 9]
    assert len(inputs) == len(targets) == 6


def test_windows_of_a_part_have_all_targets_in_it():
    parts = data.chronological_split(100, 0.2, 0.3)
    seen = []
    for part in parts:
        inputs, targets = data.windows(np.arange(100), 7, 4, part=part)
        assert targets.min() == max(part.start, 7) and targets.max() == part.stop - 1
        assert (inputs[:, -1] + 1 == targets[:, 0]).all()
        seen.append(set(targets.ravel()))
    assert not (seen[0] & seen[1] or seen[1] & seen[2])


def test_windows_of_several_variables_keep_time_before_features():
    table = np.stack([np.arange(20), -np.arange(20)], axis=1)
    inputs, targets = data.windows(table, 5, 1, target=table[:, 0])
    assert inputs.shape == (15, 5, 2) and targets.shape == (15, 1)
    assert inputs[0, :, 0].tolist() == [0, 1, 2, 3, 4]
    assert inputs[0, :, 1].tolist() == [0, -1, -2, -3, -4]


def test_windows_are_copies():
    series = np.arange(10.0)
    inputs, _ = data.windows(series, 3)
    inputs[0, 1] = 99
    assert inputs[1, 0] == 1 and series[1] == 1


@pytest.mark.parametrize(
    "series, options, message",
    [
        (np.arange(5), {"length": 5}, "no window fits"),
        (np.arange(5), {"length": 0}, "must be >= 1"),
        (np.arange(50), {"length": 3, "part": slice(40, 40)}, "no window fits"),
        (
            np.arange(100),
            {"length": 50, "horizon": 30, "part": slice(80, 100)},
            "30 steps are to forecast, .* only 20 of this part are left for targets",
        ),
        (
            np.arange(100),
            {"length": 50, "horizon": 3, "part": slice(0, 52)},
            "only 2 of this part .*steps 0 to 52 of a series of 100",
        ),
        (np.arange(9), {"length": 50}, "only 0 of this part"),
        (np.array([1.0, np.nan, 2, 3]), {"length": 1}, "series holds 1 values"),
        (np.zeros((9, 2)), {"length": 2}, "target"),
        (np.zeros(9), {"length": 2, "target": np.zeros(8)}, "same length"),
    ],
)
def test_windows_say_what_is_wrong(series, options, message):
    with pytest.raises(ValueError, match=message):
        data.windows(series, **options)


def test_standardiser_knows_the_training_part_only():
    values = np.r_[np.arange(10.0), 1000]
    scale = data.Standardiser.fit(values[:10])
    assert np.isclose(scale(values[:10]).mean(), 0)
    assert np.isclose(scale(values[:10]).std(), 1)
    assert np.allclose(scale.undo(scale(values)), values)


def test_standardiser_works_by_column_and_on_pandas():
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": [10.0, 30, 20]})
    scaled = data.Standardiser.fit(table)(table)
    assert np.allclose(scaled.mean(), 0) and np.allclose(scaled.std(ddof=0), 1)


@pytest.mark.parametrize(
    "train, message",
    [([1, np.inf], "NaN or infinite"), ([], "empty"), ([2, 2, 2], "constant")],
)
def test_standardiser_says_what_is_wrong(train, message):
    with pytest.raises(ValueError, match=message):
        data.Standardiser.fit(train)
