"""Damaged files and wrong input are named with their cure; loading alters nothing."""

import shutil
import stat

import numpy as np
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
    "russian_speech.npz": data.load_speech,
}


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


@pytest.mark.parametrize("damage", ["one bit", "missing"])
@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_file_is_named_with_its_cure(copied, name, damage):
    content = bytearray((copied / name).read_bytes())
    (copied / name).unlink()
    if damage == "one bit":
        content[-3] ^= 1
        (copied / name).write_bytes(content)
    told = f"git checkout -- data/{name} "
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        LOADERS[name]()


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
    def contents():
        files = [path for path in copied.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files}

    before = contents()
    for path in before:
        path.chmod(stat.S_IREAD)
    for load in LOADERS.values():
        load()
    assert contents() == before


# ------------------------------------------------------------- splits, windows, scaling
def test_windows_are_copies():
    series = np.arange(10.0)
    inputs, targets = data.windows(series, 3, horizon=2)
    inputs[0, 1] = targets[0, 1] = 99
    assert inputs[1, 0] == 1 and targets[1, 0] == 4
    assert series.tolist() == list(range(10))


NINE, HUNDRED = np.arange(9.0), np.arange(100)
LAST, FIRST = slice(80, 100), slice(0, 52)
REFUSED = [
    (lambda: data.load_vowels("validation"), "part must be"),
    (lambda: data.chronological_split(100, -0.1, 0.2), "shares"),
    (lambda: data.chronological_split(100, 0.1, -0.2), "shares"),
    (lambda: data.chronological_split(100, 0.5, 0.5), "shares"),
    (lambda: data.chronological_split(4, 0.1, 0.2), "validation part is empty"),
    (lambda: data.windows(NINE, 9), "no window fits"),
    (lambda: data.windows(NINE, 3, part=slice(8, 8)), "no window fits"),
    (lambda: data.windows(NINE, 0), "must be at least 1"),
    (
        lambda: data.windows(HUNDRED, 50, horizon=30, part=LAST),
        "30 steps are to forecast, .* only 20 of this part are left for targets",
    ),
    (
        lambda: data.windows(HUNDRED, 50, horizon=3, part=FIRST),
        "only 2 of this part .*steps 0 to 52 of a series of 100",
    ),
    (lambda: data.windows(NINE, 50), "only 0 of this part"),
    (lambda: data.windows([1, np.nan, 2, 3], 1), "series holds 1 values"),
    (lambda: data.windows(np.zeros((9, 2)), 2), "target"),
    (lambda: data.windows(NINE, 2, target=np.zeros(8)), "same length"),
    (lambda: data.Standardiser.fit([1, np.inf]), "NaN or infinite"),
    (lambda: data.Standardiser.fit([]), "empty"),
    (lambda: data.Standardiser.fit([2, 2, 2]), "constant"),
    (lambda: data.Standardiser.fit([[1, 2], [3, 2]]), "constant"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[told for _, told in REFUSED])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
