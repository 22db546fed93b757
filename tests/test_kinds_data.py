"""What each loader returns, in numbers: known rows in their units, and every value.

The rows were read in the files and turned into the course's units by hand; a digest of
each table sees any other value, and any other order.
"""

import io
import zlib

import numpy as np
import pandas as pd
import pytest
import torch

from utils import data


def table(loaded):
    """Each column below its name."""
    return [[name, *loaded[name]] for name in loaded]


def steps(pieces, *columns):
    """A row for each step of a piece: its place, what the columns say, the numbers."""
    place = [f"{key}, {n}" for key, piece in pieces.items() for n in range(len(piece))]
    return [place, *columns, *np.concatenate([*pieces.values()]).T]


def vowels(loaded):
    recordings, speakers = loaded
    sizes = [len(recording) for recording in recordings]
    return steps(dict(enumerate(recordings)), np.repeat(speakers, sizes))


def speech(loaded):
    """A row for each frame, with the sound in its middle and when that one ends."""
    recordings, sounds, ends = loaded
    columns = [], []
    for frames, said, end in zip(*loaded, strict=True):
        middles = (np.arange(len(frames)) + 0.5) / 25
        at = np.searchsorted(end, middles, side="right").clip(max=len(said) - 1)
        columns[0].extend(np.array(said)[at])
        columns[1].extend(end[at])
    assert list(map(len, sounds)) == list(map(len, ends))
    return steps(dict(enumerate(recordings)), *columns)


COLUMNS = {
    "load_sunspots": lambda series: table(series.reset_index()),
    "load_weather": lambda frame: table(frame.reset_index()),
    "load_stress": table,
    "load_surnames": lambda names: [names, range(len(names))],
    "load_first_names": table,
    "load_vowels": vowels,
    "load_chorales": steps,
    "load_speech": speech,
}
# Loader and argument: the digest of its rows; then some of them.
# The weather is in °C, °C, %, degrees, m/s, mm, hPa and km. In the file stand 46.4 °F,
# 44.6 °F, 93.4 %, 160°, 13.81 mph, 0.1 in, no pressure, 7 miles; then 33.98 °F, 15.98
# °F, 47.25 %, 330°, 19.56 mph, 0 in, 1019.5 mbar, 10 miles; then the wrong report.
# The chorales' voices are soprano, alto, tenor, bass: C sharp 5, E 4, A 3, A 3.
KNOWN = """
load_sunspots: 71103552
month; sunspots
1749-01; 58.000
1824-02; 10.800
1957-10; 253.800
2009-05; 2.900
2009-06; 2.600

load_weather: 673425311
hour; temperature; dew_point; humidity; wind_direction; wind_speed; rain; pressure; \
visibility
2013-01-11 23:00:00; 8.000; 7.000; 93.400; 160.000; 6.174; 2.540; -; 11.265
2013-12-30 21:00:00; 1.100; -8.900; 47.250; 330.000; 8.744; 0.000; 1019.500; 16.093
2013-05-09 02:00:00; -; -; 95.340; 80.000; 3.603; 0.000; 1016.900; 16.093

load_stress: 2685702315
word; phonemes; stress
aalto; ['AA', 'L', 'T', 'OW']; [1, -1, -1, 2]
aaron; ['EH', 'R', 'AH', 'N']; [1, -1, 0, -1]

load_surnames: 288331833
smith; 0
johnson; 1
obrien; 280
null; 4508
na; 13204

load_first_names: 1404248509
name; sex
aaron; both
na; f
nan; f

load_vowels train: 1282254382
0, 0; 0; 1.861; -0.207; 0.262; -0.215; -0.171; -0.118; \
-0.278; 0.026; 0.127; -0.307; -0.213; 0.089

load_vowels test: 3611955455
369, 10; 8; 1.177; -0.404; 0.052; -0.285; 0.430; -0.203; \
-0.072; -0.081; -0.244; -0.002; -0.017; 0.225

load_chorales: 1638028039
bwv66.6, 0; 73; 64; 57; 57
bwv362, 296; 74; 62; 58; 55

load_speech train: 1604673706
0, 40; v; 1.650; -16.552; 4.989; -1.953; 4.568; -2.014; 0.553; -0.480; -0.587; -0.243; \
-1.837; -0.239; 1.700; -1.054; -0.454; -0.937; -1.021; -0.893; -0.889; -0.485; -0.916

load_speech validation: 1566046862

load_speech test: 3117169710
0, 0; pau; 0.230; -39.937; -0.351; -0.024; 0.004; -0.124; -0.052; -0.068; -0.081; \
0.011; 0.072; -0.007; -0.016; -0.050; -0.068; 0.051; 0.036; -0.053; 0.014; 0.012; -0.012
"""
CASES = [block.partition(": ")[::2] for block in KNOWN.strip().split("\n\n")]


def as_text(value):
    """Numbers with three decimals; "nan" is a name, a number that is none is a gap."""
    if value != value:
        return "-"
    return f"{value:.3f}" if isinstance(value, float | np.floating) else str(value)


def test_every_loader_has_a_case():
    loaders = {name for name in vars(data) if name.startswith("load")}
    assert loaders == set(COLUMNS) == {case.split()[0] for case, _ in CASES}


@pytest.mark.parametrize("case, expected", CASES, ids=[case for case, _ in CASES])
def test_a_loader_returns_the_known_rows_and_nothing_else(case, expected):
    name, *arguments = case.split()
    digest, *known = expected.splitlines()
    columns = COLUMNS[name](getattr(data, name)(*arguments))
    rows = ["; ".join(map(as_text, row)) for row in zip(*columns, strict=True)]
    assert not set(known) - set(rows)
    assert zlib.crc32("\n".join(rows).encode()) == int(digest)


@pytest.mark.parametrize(
    "load", [data.load_vowels, data.load_chorales, data.load_speech]
)
def test_a_file_that_could_run_code_is_refused(load, monkeypatch):
    keys = ["train_len", "train_x", "train_y", "length", "pitch", "name"]
    keys += [
        "mfcc",
        "step",
        "mean",
        "phones",
        "frames",
        "symbol",
        "phone",
        "end",
        "part",
    ]
    file = io.BytesIO()
    np.savez(file, **dict.fromkeys(keys, np.array([print], dtype=object)))
    monkeypatch.setattr(data, "_read", lambda name: file.getvalue())
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load()


# ------------------------------------------------------------ small enough for a pencil
@pytest.mark.parametrize(
    "length, shares, ends",
    [
        (10, (0.1, 0.2), (7, 8)),
        (38, (0.1, 0.2), (26, 30)),  # 3.8 and 7.6 steps, rounded
        (10, (0.3, 0.1), (6, 9)),
        (10, (0, 0.5), (5, 5)),
    ],
)
def test_a_split_by_hand(length, shares, ends):
    expected = (slice(0, ends[0]), slice(*ends), slice(ends[1], length))
    assert data.chronological_split(length, *shares) == expected


@pytest.mark.parametrize(
    "part, inputs, targets",
    [
        (slice(3, 6), [[20, 30], [30, 40]], [[40, 50], [50, 60]]),
        (slice(0, 4), [[10, 20]], [[30, 40]]),
        (None, [[10, 20], [20, 30], [30, 40]], [[30, 40], [40, 50], [50, 60]]),
    ],
)
def test_windows_by_hand(part, inputs, targets):
    series = [10, 20, 30, 40, 50, 60]
    x, y = data.windows(series, 2, horizon=2, part=part)
    assert x.tolist() == inputs and y.tolist() == targets
    both = np.stack([series, np.negative(series)], axis=1)
    x, y = data.windows(both, 2, horizon=2, part=part, target=np.array(series) + 1)
    assert x[..., 0].tolist() == inputs and (x[..., 1] == -x[..., 0]).all()
    assert (y - 1).tolist() == targets


def test_a_standardiser_by_hand():
    table = pd.DataFrame([[1, 10], [3, 50]])
    scale = data.Standardiser.fit(table)  # the means are 2 and 30, the spreads 1 and 20
    assert scale(table).to_numpy().tolist() == [[-1, -1], [1, 1]]
    assert scale(np.array([[5, 20]])).tolist() == [[3, -0.5]]
    assert scale.undo(np.array([[3, -0.5]])).tolist() == [[5, 20]]
    assert scale(torch.tensor([[5, 4099]])).tolist() == [[3, 203.45]]
    assert data.Standardiser.fit([1, 3])([5]).tolist() == [3]
