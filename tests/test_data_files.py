"""The files of data/ are what their checksums and their cards in data/README.md say.

What a card says of a file is measured here and looked up in the card, so neither the
file nor the text can change alone. Nothing here needs a network, except the rebuild of
all files, which runs only with COURSE_REBUILD_DATA=1 in the environment.
"""

import hashlib
import io
import itertools
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from tools import build_data

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
SETS = [name for name in build_data.FILES if "/" not in name]
PACKAGES = build_data.PACKAGES.values()


def checksums():
    lines = (DATA / "SHA256SUMS").read_bytes().decode("ascii").split("\n")
    assert lines.pop() == "", "SHA256SUMS must end with a line end"
    return dict(reversed(line.split("  ", 1)) for line in lines)


def card(name):
    """The text of one card, without line breaks and Markdown's ticks."""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"data/README.md has no card '## {name}'"
    return " ".join(found[1].replace("`", "").split())


def says(name, *phrases):
    missing = [phrase for phrase in phrases if phrase not in card(name)]
    assert not missing, f"the files say {missing}, the card of {name} does not"


def table(name):
    return pd.read_csv(DATA / name, keep_default_na=False)  # "nan" is a name


def pieces(values, lengths):
    return np.split(values, np.cumsum(lengths)[:-1])


# --- checksums ------------------------------------------------------------------------


def test_every_file_is_listed_and_every_listed_file_is_there():
    here = {
        path.relative_to(DATA).as_posix()
        for path in DATA.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.parts[-2:])
    }
    assert here - {"README.md", "SHA256SUMS"} == set(checksums())
    assert set(checksums()) == set(build_data.FILES), "what the script builds"


def test_checksum_file_is_sorted():
    assert list(checksums()) == sorted(checksums())


@pytest.mark.parametrize("name", build_data.FILES)
def test_bytes_are_those_of_the_checksum(name):
    digest = hashlib.sha256((DATA / name).read_bytes()).hexdigest()
    assert digest == checksums()[name]


@pytest.mark.parametrize("name", SETS)
def test_card_states_the_checksum_and_the_pinned_source(name):
    assert re.findall(r"SHA-256:\*\* (\w+)", card(name)) == [checksums()[name]]
    assert any(package.requirement in card(name) for package in PACKAGES)
    says(name, "**Licence:**", "**Known flaws:**", "**Lessons:**")


def test_every_package_is_named_in_the_readme():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert [p.requirement for p in PACKAGES if p.requirement not in text] == []
    named = set(re.findall(r"licenses/\w+\.txt", text))
    assert named == {name for name in build_data.FILES if name.startswith("licenses/")}


def test_everything_together_stays_small():
    size = sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file())
    assert size <= 3_000_000


@pytest.mark.parametrize("name", [n for n in SETS if not n.endswith(".npz")])
def test_text_files_are_plain(name):
    content = (DATA / name).read_bytes()
    assert content.endswith(b"\n") and b"\r" not in content and b'"' not in content
    content.decode("ascii")


@pytest.mark.parametrize("name", [n for n in SETS if n.endswith(".npz")])
def test_array_files_hold_nothing_that_depends_on_time_or_machine(name):
    with zipfile.ZipFile(DATA / name) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.create_system == 3
    with np.load(DATA / name, allow_pickle=False) as arrays:
        for array in arrays.values():
            assert array.dtype.byteorder in "=|<" and not array.dtype.hasobject


# --- what the cards say ---------------------------------------------------------------


def test_sunspots():
    name = "sunspots_monthly.csv"
    data = table(name)
    values = data["sunspots"]
    assert list(data) == ["month", "sunspots"]
    months = pd.period_range("1749-01", "2009-06", freq="M")
    assert list(data["month"]) == list(months.astype(str))
    assert values.dtype == float and values.notna().all()
    peak = data["month"][values.idxmax()]
    feb = values[data["month"].isin(["1824-01", "1824-02", "1824-03"])].to_list()
    assert feb[1] == pytest.approx((feb[0] + feb[2]) / 2, abs=0.06)
    says(
        name,
        f"{len(data):,} months without a gap, 1749-01 to 2009-06",
        f"Values from {values.min()} to {values.max()} ({peak})",
        f"{(values == 0).sum()} months are 0",
        f"February 1824; its {feb[1]} is interpolated",
        f"The last {(data['month'] > '2008-12').sum()} months (after 2008-12)",
    )


def test_weather():
    name = "jfk_weather_2013.csv"
    data = pd.read_csv(DATA / name)
    assert list(data) == build_data.WEATHER_COLUMNS
    time = pd.to_datetime(data["time_hour"], format="%Y-%m-%dT%H:%M:%SZ")
    assert time.is_monotonic_increasing and time.is_unique
    hours = pd.date_range(time.iloc[0], time.iloc[-1], freq="h")
    holes = hours.difference(time)
    no_pressure, rain = data["pressure"].isna(), data["precip"] > 0
    calm = data["wind_speed"] == 0
    assert (calm == (data["wind_dir"] == 0)).all() and data["visib"].max() == 10
    assert data["wind_dir"].max() == 360
    odd = data[data["time_hour"] == "2013-05-09T02:00:00Z"].iloc[0]
    by_hour = data["temp"].groupby(time.dt.hour).mean()
    # Not more than one such jump: the card says that one report is wrong.
    assert (data["temp"].diff().abs() > 20).sum() == 2
    for column, empty in data.isna().sum().items():
        assert re.search(rf"\| {column} \|[^|]*\|[^|]*\| {empty} \|", card(name))
    run = (pd.Series(holes).diff() != pd.Timedelta("1h")).cumsum().value_counts().max()
    assert run == 5
    last_fifth = hours[len(hours) * 4 // 5]
    assert f"{last_fifth:%m-%d}" == "10-19"  # autumn and winter
    late = (holes >= "2013-10-19").sum()
    says(
        name,
        f"{len(data):,}, in order of time, from {data['time_hour'].iloc[0]} to "
        f"{data['time_hour'].iloc[-1]}",
        f"Of the {len(hours):,} hours in that span {len(holes)} have no row, "
        f"{late} of them after 18 October: the longest holes are five hours",
        f"missing in {no_pressure.mean():.1%} of the rows".replace("%", " %"),
        f"in {no_pressure[rain].mean():.1%} of the hours with".replace("%", " %"),
        f"in {no_pressure[~rain].mean():.1%} of the others".replace("%", " %"),
        f"are {odd['temp']:.2f} and {odd['dewp']:.2f} °F",
        f"In all {calm.sum()} calm hours",
        f"highest at {by_hour.idxmax()} and lowest at 0{by_hour.idxmin()} UTC",
    )


def test_stress():
    name = "cmudict_stress_30k.csv"
    data = table(name)
    assert list(data) == ["word", "phonemes"]
    words = set(data["word"])
    assert data["word"].is_monotonic_increasing and len(words) == len(data)
    assert all(re.fullmatch("[a-z]+", word) for word in words)
    spoken = [text.split(" ") for text in data["phonemes"]]
    assert all(re.fullmatch("[A-Z]{1,2}[012]?", p) for word in spoken for p in word)
    stress = [[p[-1] for p in word if p[-1].isdigit()] for word in spoken]
    assert min(map(len, stress)) >= 2
    counts = pd.Series(list(itertools.chain(*stress))).value_counts()
    share = [f"{100 * counts[d] / counts.sum():.1f} %" for d in "012"]
    plain = data["phonemes"].str.replace(r"\d", "", regex=True)
    ambiguous = data["phonemes"].groupby(plain).nunique()
    ends = ("s", "es", "d", "ed", "er", "ers", "ly", "ing")
    related = sum(any(word + end in words for end in ends) for word in words)
    kinds = set(" ".join(plain).split())
    total = sum(map(len, spoken))
    says(
        name,
        f"{len(data):,} words, each once, in alphabetical order",
        f"{min(map(len, spoken))} to {max(map(len, spoken))} phonemes a word, "
        f"{total:,} in all, of {len(kinds)} kinds",
        f"{counts.sum():,} vowels: {share[0]} unstressed, {share[1]} primary, "
        f"{share[2]} secondary",
        f"{related:,} of the words",
        f"in {(ambiguous > 1).sum()} cases ({len(ambiguous):,} different",
        f"{sum('1' not in s for s in stress)} words have no primary stress and "
        f"{sum(s.count('1') > 1 for s in stress)} have several",
    )


def test_surnames():
    name = "surnames_us1990_top20k.txt"
    names = (DATA / name).read_text(encoding="ascii").splitlines()
    assert len(set(names)) == len(names) == 20_000
    assert all(re.fullmatch("[a-z]+", n) for n in names)
    assert {"null", "na", "obrien"} < set(names)
    tail = list(itertools.takewhile(lambda n: n[0] >= "r", reversed(names)))
    tied = 1 + sum(
        1 for _ in itertools.takewhile(lambda p: p[0] < p[1], itertools.pairwise(tail))
    )
    says(
        name,
        f"({', '.join(names[:3])}, …)",
        f"{len(names):,} different names of {min(map(len, names))} to "
        f"{max(map(len, names))} letters",
        f"the last {tied} names begin with r to z",
    )


def test_first_names():
    name = "first_names_us1990.csv"
    data = table(name)
    assert list(data) == ["name", "sex"]
    assert data["name"].is_unique and data["name"].is_monotonic_increasing
    assert all(re.fullmatch("[a-z]+", n) for n in data["name"])
    length, sex = data["name"].str.len(), data["sex"].value_counts()
    label = dict(zip(data["name"], data["sex"], strict=True))
    assert label["john"] == label["mary"] == "both" and {"nan", "na"} < set(label)
    guess = 100 * sex["f"] / (sex["f"] + sex["m"])
    says(
        name,
        f"{len(data):,} different names of {length.min()} to {length.max()} letters",
        f"order: {sex['f']:,} f, {sex['m']} m, {sex['both']} both",
        f"({sex['f'] + sex['both']:,} names)",
        f"({sex['m'] + sex['both']:,})",
        f'a guess "f" is right for {guess:.1f} %',
    )


def test_vowels():
    name = "japanese_vowels.npz"
    with np.load(DATA / name, allow_pickle=False) as file:
        data = dict(file)
    parts = {}
    for part in ("train", "test"):
        x, length, speaker = (data.pop(f"{part}_{key}") for key in ("x", "len", "y"))
        assert x.dtype == np.float32 and np.isfinite(x).all()
        assert length.dtype == speaker.dtype == np.int64
        assert x.shape == (length.sum(), 12) and length.shape == speaker.shape
        assert (np.diff(speaker) >= 0).all(), "sorted by speaker, says the card"
        says(name, f"| {part}_x | ({len(x)}, 12) float32 |")
        says(name, f"| {part}_len | ({len(length)},) int64 |")
        says(name, f"| {part}_y | ({len(length)},) int64 |")
        parts[part] = x, length, np.bincount(speaker)
    assert not data
    (x, length, train), (other_x, other_length, test) = parts["train"], parts["test"]
    assert (train == 30).all() and len(test) == 9
    says(
        name,
        f"{len(length)} training and {len(other_length)} test utterances",
        f"of {length.min()} to {length.max()} and {other_length.min()} to "
        f"{other_length.max()} frames",
        f"Values from {min(x.min(), other_x.min()):.2f} to "
        f"{max(x.max(), other_x.max()):.2f}",
        f"Training: 30 a speaker. Test: {', '.join(map(str, test))}.",
        f"({test.max()} of {test.sum()} from one speaker)",
    )


def chorales():
    with np.load(DATA / "bach_chorales.npz", allow_pickle=False) as file:
        return dict(file)


def test_chorales():
    name = "bach_chorales.npz"
    data = chorales()
    assert list(data) == ["pitch", "onset", "length", "name"]
    pitch, onset, length = data["pitch"], data["onset"], data["length"]
    assert pitch.dtype == np.uint8 and onset.dtype == bool and length.dtype == np.int64
    assert pitch.shape == onset.shape == (length.sum(), 4)
    assert data["name"].dtype.kind == "U" and len(set(data["name"])) == len(length)
    assert not set(data["name"]) & set(build_data.SAME_AS_ANOTHER)
    assert not (onset & (pitch == 0)).any(), "a rest has no onset"
    slips = []
    for piece, grid, starts in zip(
        data["name"], pieces(pitch, length), pieces(onset, length), strict=True
    ):
        assert starts[0][grid[0] > 0].all()
        changed = (grid[1:] != grid[:-1]) & (grid[1:] > 0) & ~starts[1:]
        slips += [f"{piece}, step {t + 1}, {v}" for t, v in np.argwhere(changed)]
    assert slips == ["bwv362, step 296, 2"]  # 2: tenor
    low = [pitch[pitch[:, v] > 0, v].min() for v in range(4)]
    top = pitch.max(axis=0)
    says(
        name,
        f"({len(pitch)}, 4) uint8",
        f"({len(length)},) int64",
        "bwv362, step 296 (counted from 0), tenor",
        f"{len(length)} pieces of {length.min()} to {length.max()} steps, "
        f"{len(pitch):,} in all; {onset.sum():,} onsets",
        f"Soprano {low[0]} to {top[0]}, alto {low[1]} to {top[1]}, "
        f"tenor {low[2]} to {top[2]}, bass {low[3]} to {top[3]}",
        f"{100 * (pitch == 0).mean():.1f} % of the entries are rests",
    )


def test_chorales_that_are_nearly_the_same_are_all_named():
    data = chorales()
    names = data["name"].tolist()
    grids = [g.astype(int) for g in pieces(data["pitch"], data["length"])]
    close = {}
    for a, b in itertools.combinations(range(len(grids)), 2):
        n = min(len(grids[a]), len(grids[b]))
        interval = grids[a][:n] - grids[b][:n]
        parallel = interval[(interval == interval[:, :1]).all(axis=1), 0]
        count = np.bincount(parallel + 128)  # of each transposition
        if count.max(initial=0) > 0.6 * n:
            close[names[a], names[b]] = abs(count.argmax() - 128), count.max() / n
    text = card("bach_chorales.npz")
    assert all(f"{a} and {b}" in text for a, b in close), close
    near = {pair for pair, (_, same) in close.items() if same > 0.75}
    assert near == {
        ("bwv18.5-lz", "bwv18.5-w"),
        ("bwv158.4", "bwv279"),
        ("bwv253", "bwv414"),
    }
    assert close["bwv18.5-lz", "bwv18.5-w"] == (2, 1)
    assert close["bwv253", "bwv414"][0] == 2
    assert close["bwv166.6", "bwv84.5"][0] == 4
    says(
        "bach_chorales.npz",
        f"bwv279 agree in {100 * close['bwv158.4', 'bwv279'][1]:.0f} %",
        f"apart, in {100 * close['bwv253', 'bwv414'][1]:.0f} %",
    )
    rest = [same for pair, (_, same) in close.items() if pair not in near]
    assert min(rest) > 0.6 and max(rest) < 0.73 and len(rest) == 6


# --- the script -----------------------------------------------------------------------


def test_array_file_survives_the_round_trip():
    arrays = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.array(["x", "yz"])}
    content = build_data.npz_bytes(arrays)
    with np.load(io.BytesIO(content), allow_pickle=False) as back:
        assert back["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert back["a"].dtype.str == "<i4" and back["b"].tolist() == ["x", "yz"]


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """A package `fake` whose archive, with one file, is what the download delivers."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("fake/data.txt", "hello")
    content = archive.getvalue()
    package = build_data.Package("fake==1", "fake-1.whl", build_data.sha256(content))
    monkeypatch.setitem(build_data.PACKAGES, "fake", package)
    monkeypatch.setattr(build_data, "ARCHIVES", tmp_path)
    monkeypatch.setattr(build_data, "download", lambda package: content)
    yield tmp_path / "fake-1.whl"
    build_data.archive_bytes.cache_clear()
    build_data.opened.cache_clear()


def test_archive_is_kept_and_a_damaged_one_is_replaced(fake_package):
    fake_package.write_bytes(b"damaged")
    assert build_data.read_text("fake", "fake/data.txt") == "hello"
    assert zipfile.is_zipfile(fake_package)


def test_wrong_checksum_is_refused(fake_package, monkeypatch):
    monkeypatch.setattr(build_data, "download", lambda package: b"something else")
    with pytest.raises(build_data.Problem, match=r"fake-1\.whl: wrong checksum"):
        build_data.read("fake", "fake/data.txt")
    assert not fake_package.exists()


def test_missing_member_is_named(fake_package):
    with pytest.raises(build_data.Problem, match=r"fake==1: there is no file 'fake/x'"):
        build_data.read("fake", "fake/x")


@pytest.mark.parametrize(
    "log,why",
    [
        ("Temporary failure in name resolution", "is there a network"),
        ("ERROR: no such version (from versions: none)", "is there a network"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "another checksum"),
        ("python: No module named pip", "pip is missing"),
        ("something new", "pip did not deliver fake-1.whl"),
    ],
)
def test_failed_download_says_why(log, why):
    package = build_data.Package("fake==1", "fake-1.whl", "0")
    assert why in build_data.download_problem(package, log)


def test_unknown_file_is_refused(capsys):
    with pytest.raises(SystemExit):
        build_data.main(["nothing.csv"])
    assert "no such file: nothing.csv" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("COURSE_REBUILD_DATA"),
    reason="downloads 49 MB; COURSE_REBUILD_DATA=1 turns it on",
)
def test_rebuild_gives_the_same_bytes(tmp_path):
    command = [sys.executable, "tools/build_data.py", f"--output={tmp_path}"]
    subprocess.run(command, cwd=ROOT, check=True)
    for name in [*build_data.FILES, "SHA256SUMS"]:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
