"""Loaders return what they say and name what is damaged; no window looks ahead."""

import shutil
import stat

import numpy as np
import pandas as pd
import pytest

from utils import data

LOADERS = {
    "sunspots_monthly.csv": data.load_sunspots,
    "jfk_weather_2013.csv": data.load_weather,
    "cmudict_stress_30k.csv": data.load_stress,
    "surnames_us1990_top20k.txt": data.load_surnames,
    "first_names_us1990.csv": data.load_first_names,
    "japanese_vowels.npz": data.load_vowels,
    "bach_chorales.npz": data.load_chorales,
}


def test_weather_is_hourly_and_metric():
    table = data.load_weather()
    assert (table.index.to_series().diff().dropna() == pd.Timedelta("1h")).all()
    assert table.notna().any(axis=1).sum() == 8706
    assert table["temperature"].between(-15, 40).sum() == table["temperature"].count()
    assert table["temperature"].diff().abs().max() < 12  # no report far from all others
    assert table["pressure"].dropna().between(970, 1050).all()


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


def test_vowels_names_the_wrong_part():
    with pytest.raises(ValueError, match="part must be"):
        data.load_vowels("validation")


# ----------------------------------------------------------------------- damaged files
@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A data folder that a test may damage."""
    shutil.copytree(data.DATA, tmp_path / "data")
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    return tmp_path / "data"


def test_all_data_files_are_tried():
    names = {path.name for path in data.DATA.iterdir() if path.is_file()}
    assert names - set(LOADERS) == {"README.md", "SHA256SUMS"}


@pytest.mark.parametrize("damage", ["truncated", "one bit", "missing"])
@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_file_is_named_with_its_cure(copied, name, damage):
    path = copied / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[-3] ^= 1
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError)) as found:
        LOADERS[name]()
    assert name in str(found.value) and f"git checkout -- data/{name} " in str(
        found.value
    )


SUMS = (data.DATA / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize(
    "content",
    [b"", SUMS[:600], bytes(range(256)), SUMS.replace(b"csv", b"txt")],
    ids=["empty", "cut", "binary", "renamed"],
)
def test_damaged_checksums_are_named_with_their_cure(copied, content):
    (copied / "SHA256SUMS").write_bytes(content)
    with pytest.raises(ValueError, match="data/SHA256SUMS is damaged") as found:
        data.load_sunspots()
    assert type(found.value) is ValueError and found.value.__cause__ is None
    assert "git checkout -- data/SHA256SUMS " in str(found.value)


def test_loaders_only_read(copied):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    for path in [copied, *before]:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        for load in LOADERS.values():
            load()
    finally:
        copied.chmod(stat.S_IRWXU)
    after = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert after == before


# ------------------------------------------------------------- splits, windows, scaling
def test_split_is_in_order_and_complete():
    train, validation, test = data.chronological_split(3126, 0.1, 0.2)
    assert (train.start, test.stop) == (0, 3126)
    assert train.stop == validation.start and validation.stop == test.start
    assert test.stop - test.start == 625 and validation.stop - validation.start == 313
    train, validation, test = data.chronological_split(38, 0.1, 0.2)  # 3.8 and 7.6
    assert (validation.start, test.start) == (26, 30)


@pytest.mark.parametrize("validation, test", [(-0.1, 0.2), (0.1, -0.2), (0.5, 0.5)])
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
    inputs, targets = data.windows(series, 3, horizon=2)
    inputs[0, 1] = targets[0, 1] = 99
    assert inputs[1, 0] == 1 and targets[1, 0] == 4
    assert series.tolist() == list(range(10))


@pytest.mark.parametrize(
    "series, options, message",
    [
        (np.arange(5), {"length": 5}, "no window fits"),
        (np.arange(5), {"length": 0}, "must be at least 1"),
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
    [
        ([1, np.inf], "NaN or infinite"),
        ([], "empty"),
        ([2, 2, 2], "constant"),
        ([[1, 2], [3, 2]], "constant"),
    ],
)
def test_standardiser_says_what_is_wrong(train, message):
    with pytest.raises(ValueError, match=message):
        data.Standardiser.fit(train)
