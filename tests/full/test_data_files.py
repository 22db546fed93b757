"""The files of data/ are what their checksums and their cards in data/README.md say.

What a card says of a file is measured here and looked up in the card, so neither the
file nor the text can change alone. Nothing here needs a network, except the rebuild of
all files, which runs only with COURSE_REBUILD_DATA=1 in the environment.
"""

import hashlib
import io
import itertools
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from tools import build_data
from tools.build_data import DATA, FILES
from utils import data as loaders

README = (DATA / "README.md").read_text(encoding="utf-8")
SETS = [name for name in FILES if "/" not in name]
PARTS = ("train", "test")


def checksums():
    lines = (DATA / "SHA256SUMS").read_bytes().decode("ascii").split("\n")
    assert lines.pop() == "" and lines == sorted(lines, key=lambda line: line[66:])
    return {line[66:]: line[:64] for line in lines}


def card(name):
    """The text of one card, without line breaks and Markdown's ticks."""
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    assert found, f"data/README.md has no card '## {name}'"
    return " ".join(found[1].replace("`", "").split())


def table(name):
    return pd.read_csv(DATA / name, keep_default_na=False)  # "nan" is a name


def arrays(name):
    with np.load(DATA / name, allow_pickle=False) as file:
        return dict(file)


# --- checksums and licences -----------------------------------------------------------
def test_every_file_is_listed_and_every_listed_file_is_there():
    here = {path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file()}
    names = {p.as_posix() for p in here if not any(s.startswith(".") for s in p.parts)}
    assert names - {"README.md", "SHA256SUMS"} == set(checksums()) == set(FILES)
    assert sum((DATA / name).stat().st_size for name in names) <= 4_500_000


@pytest.mark.parametrize("name", FILES)
def test_bytes_are_those_of_the_checksum(name):
    content = (DATA / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == checksums()[name]
    if name.endswith((".csv", "k.txt")):
        assert content.endswith(b"\n") and b"\r" not in content and b'"' not in content


@pytest.mark.parametrize("name", SETS)
def test_a_card_states_checksum_source_licence_and_flaws(name):
    assert re.findall(r"SHA-256:\*\* (\w+)", card(name)) == [checksums()[name]]
    assert any(p.requirement in card(name) for p in build_data.PACKAGES.values())
    for part in ("**Licence:**", "**Known flaws:**", "**Lessons:**"):
        assert part in card(name)


def test_every_package_and_licence_is_named():
    for package in build_data.PACKAGES.values():
        assert package.requirement in README
    named = set(re.findall(r"licenses/\w+\.txt", README))
    assert named == {name for name in FILES if name.startswith("licenses/")}


@pytest.mark.parametrize("missing", [*SETS, "SHA256SUMS"])
def test_what_a_loader_says_about_rebuilding_is_a_known_command(missing, monkeypatch):
    monkeypatch.setattr(loaders.pathlib.Path, "is_file", lambda p: p.name != missing)
    with pytest.raises(FileNotFoundError, match=f"data/{missing} is missing") as found:
        loaders._read("bach_chorales.npz" if missing == "SHA256SUMS" else missing)
    said = str(found.value).partition("build_data.py")[2].strip(" )")
    assert said == ("" if missing == "SHA256SUMS" else missing)


# --- what the cards say: each function measures the sentences of one card -------------
def sunspots():
    data = table("sunspots_monthly.csv")
    values, month = data["sunspots"], data["month"]
    months = pd.period_range("1749-01", "2009-06", freq="M")
    assert list(month) == list(months.astype(str)) and values.notna().all()
    around = values[month.isin(["1824-01", "1824-02", "1824-03"])].to_list()
    assert around[1] == pytest.approx((around[0] + around[2]) / 2, abs=0.06)
    yield f"{len(data):,} months without a gap, 1749-01 to 2009-06"
    yield f"Values from {values.min()} to {values.max()} ({month[values.idxmax()]})"
    yield f"{(values == 0).sum()} months are 0"
    early = (month < "1849").sum() / (len(data) - 313 - 625)  # 10 and 20 % are left
    yield f"The values before 1849, {100 * early:.0f} % of the lessons' training part"
    yield f"February 1824; its {around[1]} is interpolated"
    yield f"The last {(month > '2008-12').sum()} months (after 2008-12)"


def weather():
    data = pd.read_csv(DATA / "jfk_weather_2013.csv")
    assert list(data) == build_data.WEATHER_COLUMNS
    time = pd.to_datetime(data["time_hour"], format="%Y-%m-%dT%H:%M:%SZ")
    assert time.is_monotonic_increasing and time.is_unique
    hours = pd.date_range(time.iloc[0], time.iloc[-1], freq="h")
    holes = hours.difference(time)
    run = (pd.Series(holes).diff() != pd.Timedelta("1h")).cumsum().value_counts().max()
    late = (holes >= hours[len(hours) * 4 // 5].normalize()).sum()
    assert run == 5 and f"{hours[len(hours) * 4 // 5]:%m-%d}" == "10-19"
    no_pressure, rain = data["pressure"].isna(), data["precip"] > 0
    calm = data["wind_speed"] == 0
    assert (calm == (data["wind_dir"] == 0)).all() and data["wind_dir"].max() == 360
    odd = data[data["time_hour"] == "2013-05-09T02:00:00Z"].iloc[0]
    # Not more than one such jump: the card says that one report is wrong.
    assert (data["temp"].diff().abs() > 20).sum() == 2 and data["visib"].max() == 10
    by_hour = data["temp"].groupby(time.dt.hour).mean()
    for column, empty in data.isna().sum().items():
        unit = {"temp": "°F", "dewp": "°F", "humid": "%", "wind_dir": "degrees"}
        unit |= {"wind_speed": "miles per hour", "precip": "inches", "visib": "miles"}
        unit |= {"pressure": "millibar (= hPa)", "time_hour": "UTC"}
        found = re.search(rf"\| {column} \|[^|]*\|", card(SETS[1]))
        yield f"{found[0]} {unit[column]} | {empty} |"
    yield f"{len(data):,}, in order of time, from {data['time_hour'].iloc[0]} to "
    yield f"to {data['time_hour'].iloc[-1]}"
    yield f"Of the {len(hours):,} hours in that span {len(holes)} have no row, {late} "
    yield f"Pressure is missing in {100 * no_pressure.mean():.1f} % of the rows"
    yield f"in {100 * no_pressure[rain].mean():.1f} % of the hours with precipitation"
    yield f"in {100 * no_pressure[~rain].mean():.1f} % of the others"
    yield f"are {odd['temp']:.2f} and {odd['dewp']:.2f} °F"
    yield f"In all {calm.sum()} calm hours"
    yield f"highest at {by_hour.idxmax()} and lowest at 0{by_hour.idxmin()} UTC"


def stress():
    data = table("cmudict_stress_30k.csv")
    words = set(data["word"])
    assert data["word"].is_monotonic_increasing and len(words) == len(data)
    assert all(re.fullmatch("[a-z]+", word) for word in words)
    spoken = [text.split(" ") for text in data["phonemes"]]
    assert all(re.fullmatch("[A-Z]{1,2}[012]?", p) for word in spoken for p in word)
    marks = ["".join(p[-1] for p in word if p[-1].isdigit()) for word in spoken]
    assert min(map(len, marks)) >= 2
    all_marks = "".join(marks)
    share = [f"{100 * all_marks.count(d) / len(all_marks):.1f} %" for d in "012"]
    plain = data["phonemes"].str.replace(r"\d", "", regex=True)
    ambiguous = data["phonemes"].groupby(plain).nunique()
    ends = ("s", "es", "d", "ed", "er", "ers", "ly", "ing")
    related = sum(any(word + end in words for end in ends) for word in words)
    lengths = [len(word) for word in spoken]
    yield f"{len(data):,} words, each once, in alphabetical order"
    yield f"{min(lengths)} to {max(lengths)} phonemes a word, {sum(lengths):,} in all"
    yield f"in all, of {len(set(' '.join(plain).split()))} kinds"
    yield f"{len(all_marks):,} vowels: {share[0]} unstressed, {share[1]} primary, "
    yield f"primary, {share[2]} secondary"
    yield f"{related:,} of the words"
    yield f"in {(ambiguous > 1).sum()} cases ({len(ambiguous):,} different"
    yield f"{sum('1' not in m for m in marks)} words have no primary stress and "
    yield f"and {sum(m.count('1') > 1 for m in marks)} have several"


def surnames():
    names = loaders.load_surnames()
    assert all(re.fullmatch("[a-z]+", n) for n in names)
    assert {"null", "na", "obrien"} < set(names)
    tail = list(itertools.takewhile(lambda n: n[0] >= "r", reversed(names)))
    rising = itertools.takewhile(lambda p: p[0] < p[1], itertools.pairwise(tail))
    lengths = [len(name) for name in names]
    yield f"({', '.join(names[:3])}, …)"
    yield f"{len(set(names)):,} different names of {min(lengths)} to {max(lengths)} "
    yield f"the last {1 + len(list(rising))} names begin with r to z"


def first_names():
    data = table("first_names_us1990.csv")
    assert data["name"].is_unique and data["name"].is_monotonic_increasing
    length, sex = data["name"].str.len(), data["sex"].value_counts()
    yield f"{len(data):,} different names of {length.min()} to {length.max()} letters"
    yield f"order: {sex['f']:,} f, {sex['m']} m, {sex['both']} both"
    yield f"({sex['f'] + sex['both']:,} names)"
    yield f"({sex['m'] + sex['both']:,})"
    guess = 100 * sex["f"] / (sex["f"] + sex["m"])
    yield f'a guess "f" is right for {guess:.1f} %'


def vowels():
    data = arrays("japanese_vowels.npz")
    train, test = data["train_len"], data["test_len"]
    for name, array in data.items():
        shape = ", ".join(map(str, array.shape)) + "," * (array.ndim == 1)
        yield f"| {name} | ({shape}) {array.dtype} |"
    for part, length in (("train", train), ("test", test)):
        assert (np.diff(data[f"{part}_y"]) >= 0).all(), "sorted by speaker"
        assert len(data[f"{part}_x"]) == length.sum()
    values = np.concatenate([data["train_x"], data["test_x"]])
    each = np.bincount(data["test_y"])
    assert np.isfinite(values).all() and (np.bincount(data["train_y"]) == 30).all()
    yield f"{len(train)} training and {len(test)} test utterances"
    yield f"of {train.min()} to {train.max()} and {test.min()} to {test.max()} frames"
    yield f"Values from {values.min():.2f} to {values.max():.2f}"
    yield f"Training: 30 a speaker. Test: {', '.join(map(str, each))}."
    yield f"({each.max()} of {each.sum()} from one speaker)"


def chorales():
    data = arrays("bach_chorales.npz")
    pitch, onset, length = data["pitch"], data["onset"], data["length"]
    assert not set(data["name"]) & set(build_data.SAME_AS_ANOTHER)
    assert not (onset & (pitch == 0)).any(), "a rest has no onset"
    ends = length.cumsum()
    first = ends - length
    assert onset[first][pitch[first] > 0].all()
    changed = (pitch[1:] != pitch[:-1]) & (pitch[1:] > 0) & ~onset[1:]
    ((before, voice),) = np.argwhere(changed)  # there is one slip
    step = before + 1
    piece = np.searchsorted(ends, step, side="right")
    place = data["name"][piece], step - first[piece], voice
    assert place == ("bwv362", 296, 2)  # the tenor
    low = [pitch[pitch[:, v] > 0, v].min() for v in range(4)]
    s, a, t, b = zip(low, pitch.max(axis=0), strict=True)
    for name in ("pitch", "onset"):
        yield f"| {name} | ({len(pitch)}, 4) {data[name].dtype} |"
    yield f"({len(length)},) int64"
    yield "bwv362, step 296 (counted from 0), tenor"
    yield f"{len(set(data['name']))} pieces of {length.min()} to {length.max()} steps"
    yield f"{len(pitch):,} in all; {onset.sum():,} onsets"
    yield f"Soprano {s[0]} to {s[1]}, alto {a[0]} to {a[1]}, tenor {t[0]} to {t[1]}, "
    yield f"bass {b[0]} to {b[1]}"
    yield f"{100 * (pitch == 0).mean():.1f} % of the entries are rests"


def related_chorales():
    data = arrays("bach_chorales.npz")
    part = dict(zip(data["name"], data["part"], strict=True))
    grids = np.split(data["pitch"].astype(int), data["length"].cumsum()[:-1])
    named = zip(data["name"], grids, strict=True)
    close = {}
    for (a, x), (b, y) in itertools.combinations(named, 2):
        n = min(len(x), len(y))
        interval = x[:n] - y[:n]
        parallel = interval[np.ptp(interval, axis=1) == 0, 0]
        count = np.bincount(parallel + 128)  # of each transposition
        if count.max(initial=0) > 0.6 * n:
            close[f"{a} and {b}"] = abs(count.argmax() - 128), 100 * count.max() / n
    yield from close  # all of them are named
    assert all(len({part[name] for name in pair.split(" and ")}) == 1 for pair in close)
    families = build_data.families(grids)
    assert all(np.ptp(data["part"][family]) == 0 for family in families)
    n = np.bincount(data["part"])
    yield f"{n[0]} pieces for training, {n[1]} for validation, {n[2]} for the test"
    yield f"{len(families)} families, the largest of {max(map(len, families))} pieces"
    near = {pair: found for pair, found in close.items() if found[1] > 75}
    assert near.pop("bwv18.5-lz and bwv18.5-w") == (2, 100)
    (apart, first), (two, second) = near.values()  # of those in 98 %
    assert (apart, two, close["bwv166.6 and bwv84.5"][0]) == (0, 2, 4)
    yield f"bwv279 agree in {first:.0f} % of the steps; bwv253 and bwv414, two"
    yield f"semitones apart, in {second:.0f} %"
    rest = sorted(found for _, found in close.values() if found <= 75)
    assert len(rest) == 6 and rest[-1] < 73
    yield "These pairs agree in 60 to 73 %"


def speech():
    data = arrays("russian_speech.npz")
    frames, end, part = data["frames"], data["end"].astype(int), data["part"]
    after = np.cumsum(data["phones"], dtype=int)[:-1]
    sound = data["symbol"][data["phone"]]
    lasts = np.concatenate([np.diff(e, prepend=0) for e in np.split(end, after)])
    assert lasts.min() > 0, "each sound lasts"
    over = np.array([e[-1] for e in np.split(end, after)]) - 4 * frames.astype(int)
    assert over.min() >= -1 and over.max() < 4, "the last sound ends with the recording"
    assert (np.arange(600) % 10)[part == 1].tolist() == [4] * 60
    assert (np.arange(600) % 10)[part == 2].tolist() == [9] * 60
    train = np.repeat(part, frames) == 0
    steps = data["mfcc"][train].astype(float)
    assert np.allclose(steps.mean(axis=0), 0, atol=0.06)
    assert np.allclose(steps.std(axis=0), 5, atol=0.1)
    pause, learned = sound == "pau", sound[np.repeat(part, data["phones"]) == 0]
    same = [a == b for s in np.split(sound, after) for a, b in itertools.pairwise(s)]
    for name, array in data.items():
        shape = ", ".join(map(str, array.shape)) + "," * (array.ndim == 1)
        kind = "text" if array.dtype.kind == "U" else array.dtype
        yield f"| {name} | ({shape}) {kind} |"
    yield f"of {frames.min()} to {frames.max()} frames ({frames.min() / 25:.1f} to "
    yield f"to {frames.max() / 25:.1f} s), {frames.sum() / 25 / 60:.1f} minutes"
    yield "480 for training, 60 for validation, 60 for the test"
    most = data["phones"].max()
    yield f"{len(sound):,} sounds, {data['phones'].min()} to {most} a recording"
    yield f"{100 * pause.mean():.1f} % of them pauses"
    yield f"{100 * (lasts[~pause] < 4).mean():.0f} % of the sounds that are no pauses"
    yield f"{sum(same)} sounds follow an equal one"
    rare = [(learned == sound).sum() for sound in ("hh", "ff")]
    yield f"hh {rare[0]} times in training, ff {rare[1]}"
    yield f"its name in the source, {data['name'][0]}"
    told = card("russian_speech.npz")
    assert all(re.search(rf"\b{label}\b", told) for label in ("pau", "ay", "zh", "sch"))


CARDS = [sunspots, weather, stress, surnames, first_names, vowels, chorales, speech]
CARDS = [*zip(SETS, CARDS, strict=True), ("bach_chorales.npz", related_chorales)]


@pytest.mark.parametrize("name, measure", CARDS)
def test_a_card_says_what_is_in_the_file(name, measure):
    missing = [phrase for phrase in measure() if phrase not in card(name)]
    assert not missing, f"the files say {missing}, the card of {name} does not"


def test_the_table_at_the_top_says_how_large_the_sets_are():
    rows = {name: len(table(name)) for name in SETS if name.endswith(".csv")}
    rows["surnames_us1990_top20k.txt"] = len(loaders.load_surnames())
    rows["japanese_vowels.npz"] = sum(len(loaders.load_vowels(p)[1]) for p in PARTS)
    rows["bach_chorales.npz"] = len(loaders.load_chorales())
    rows["russian_speech.npz"] = len(arrays("russian_speech.npz")["name"])
    told = dict(re.findall(r"^\| \[`(.*?)`\].*\| ([\d,]+) \w+ \|$", README, re.M))
    assert told == {name: f"{count:,}" for name, count in rows.items()}


# --- the script -----------------------------------------------------------------------
def test_array_file_survives_the_round_trip_and_names_no_machine():
    arrays = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.array(["x", "yz"])}
    content = build_data.npz_bytes(arrays)
    with np.load(io.BytesIO(content), allow_pickle=False) as back:
        assert back["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert back["a"].dtype.str == "<i4" and back["b"].tolist() == ["x", "yz"]
    for entry in zipfile.ZipFile(io.BytesIO(content)).infolist():
        assert entry.date_time == (1980, 1, 1, 0, 0, 0) and entry.create_system == 3


def test_families_share_a_tune_in_any_key_directly_or_through_others():
    rng = np.random.default_rng(0)
    tune, other, third = (rng.integers(60, 80, size=20) for _ in range(3))

    def piece(notes):
        return np.repeat(notes, 4)[:, None].repeat(4, axis=1)

    pieces = [tune, other, third + 3, np.append(third, tune + 5), other[:11]]
    found = build_data.families([piece(np.array(notes)) for notes in pieces])
    assert sorted(map(sorted, found)) == [[0, 2, 3], [1], [4]]
    assert build_data.parts_of([piece(other)]).tolist() == [1]


def test_a_debian_package_is_read_file_by_file():
    def entry(name, content):
        head = f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        return head.encode() + content + b"\n" * (len(content) % 2)

    found = {"debian-binary": b"2.0\n", "odd": b"abc", "data.tar.xz": b"last"}
    package = b"!<arch>\n" + b"".join(entry(*one) for one in found.items())
    assert build_data.files_of_deb(package) == found


def test_without_apt_it_says_where_to_put_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(build_data.Problem, match="put it into"):
        build_data.download(build_data.PACKAGES["festvox-ru"])


def test_frames_of_a_tone_are_loud_in_the_band_of_the_tone():
    t = np.arange(8000) / 16000
    tone = np.sin(2 * np.pi * 1000 * t)
    frames = build_data.mfcc(tone)
    assert frames.shape == (12, 20)  # half a second, 25 a second
    bands, waves = build_data.mel_bands(), build_data.cosines()
    assert np.allclose(waves @ waves.T, np.eye(20), atol=1e-9)
    loudest = (frames @ waves).mean(axis=0).argmax()
    assert bands[loudest, 32] > 0.3  # 32 of 512 at 16,000 Hz are 1,000 Hz
    quiet = build_data.mfcc(0 * tone)
    assert np.allclose(quiet[:, 1:], 0, atol=1e-9) and quiet[0, 0] < frames[0, 0]


def test_an_archive_with_a_wrong_checksum_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(build_data, "ARCHIVES", tmp_path)
    monkeypatch.setattr(build_data, "download", lambda package: b"something else")
    (tmp_path / build_data.PACKAGES["names"].archive).write_bytes(b"damaged")
    with pytest.raises(build_data.Problem, match=r"names-0.3.0.tar.gz: wrong checksum"):
        build_data.read("names", "anything")


def test_unknown_file_is_refused(capsys):
    with pytest.raises(SystemExit):
        build_data.main(["nothing.csv"])
    assert "no such file: nothing.csv" in capsys.readouterr().err


@pytest.mark.skipif(
    not os.environ.get("COURSE_REBUILD_DATA"),
    reason="downloads 228 MB; COURSE_REBUILD_DATA=1 turns it on",
)
def test_rebuild_gives_the_same_bytes(tmp_path):
    command = [sys.executable, build_data.__file__, f"--output={tmp_path}"]
    subprocess.run(command, check=True)
    for name in [*FILES, "SHA256SUMS"]:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
