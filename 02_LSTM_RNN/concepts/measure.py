"""Measure every number and curve that the slides show; writes measurements.json.

    python 02_LSTM_RNN/concepts/measure.py

takes about half a minute on one core. All of it is seeded; values are rounded to what
the slides need, so that running it again gives the same file. It also checks, against
torch.nn, each equation and shape that a slide states.
"""

import functools
import json
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # utils/ lies at the root of the course

from utils import data, forecasting  # noqa: E402
from utils.training import fit, predict  # noqa: E402

SEEDS = range(5)


def rounded(value, digits=1):
    """Numbers, arrays and lists of them, rounded to `digits` decimals."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    return round(value, digits) + 0.0  # + 0.0 turns -0.0 into 0.0


def span(values, digits=1):
    """Lowest and highest of some numbers."""
    return rounded([min(values), max(values)], digits)


def tensor(array):
    return torch.tensor(array, dtype=torch.float32)


def weights(module):
    return sum(p.numel() for p in module.parameters())


# ---------------------------------------------------------------- windows and the split
class Record:
    """The monthly sunspot numbers, their three parts, and z: scaled on the first."""

    def __init__(self):
        self.series = data.load_sunspots()
        self.values = self.series.to_numpy()
        self.parts = data.chronological_split(len(self.values))
        self.scale = data.Standardiser.fit(self.values[self.parts[0]])
        self.z = self.scale(self.values)

    def windows(self, length, horizon, part):
        """Scaled windows and targets of part 0, 1 or 2: training, validation, test."""
        return data.windows(self.z, length, horizon, part=self.parts[part])

    def error(self, forecast, actual):
        """RMSE at each step ahead, back in sunspot numbers."""
        squares = (np.asarray(forecast) - np.asarray(actual)) ** 2
        return self.scale.std * np.sqrt(squares.mean(axis=0))


SUN = Record()


def windows_of_a_series(length=6, horizon=2):
    """One year, for windows small enough to read; how many pairs the record gives."""
    year = SUN.series["2002-01":"2002-12"]
    large = data.windows(SUN.values, 144, 12)  # as in lesson 02.1
    assert large[0].shape == (len(SUN.values) - 144 - 12 + 1, 144)
    return {
        "months": [str(month) for month in year.index],
        "values": rounded(year.to_numpy()),
        "length": length,
        "horizon": horizon,
        "record": len(SUN.values),
        "shapes": [list(a.shape) for a in large],
    }


def split():
    """The record by year, the months of its three parts, and what scaling sees."""
    months = SUN.series.index
    years = SUN.series.groupby(months.year).mean().loc[:2008]  # 2009: half a year
    described = []
    for k, name in enumerate(("training", "validation", "test")):
        values, dates = SUN.values[SUN.parts[k]], months[SUN.parts[k]]
        described.append(
            {
                "name": name,
                "months": len(dates),
                "first": str(dates[0]),
                "last": str(dates[-1]),
                "mean": rounded(values.mean()),
                "std": rounded(values.std()),
                "pairs": len(SUN.windows(144, 12, k)[0]),
            }
        )
    return {
        "years": [[int(y), rounded(float(v))] for y, v in years.items()],
        "parts": described,
        "whole": {
            "mean": rounded(SUN.values.mean()),
            "std": rounded(SUN.values.std()),
        },
    }


# ----------------------------------------------------------------- LSTM and GRU by hand
def lstm_by_hand(inputs=3, units=4, steps=7):
    """The equations on the slides are those of nn.LSTM, and its rows are i, f, g, o."""
    torch.manual_seed(0)
    layer = nn.LSTM(inputs, units)
    x = torch.randn(steps, 2, inputs)
    h = c = torch.zeros(2, units)
    out = []
    for x_t in x:
        rows = (
            x_t @ layer.weight_ih_l0.T
            + layer.bias_ih_l0
            + h @ layer.weight_hh_l0.T
            + layer.bias_hh_l0
        )
        i, f, g, o = rows.chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        out.append(h)
    theirs, (h_n, c_n) = layer(x)
    assert torch.allclose(torch.stack(out), theirs, atol=1e-6)
    assert torch.allclose(h, h_n[0], atol=1e-6)
    assert torch.allclose(c, c_n[0], atol=1e-6)
    assert layer.weight_ih_l0.shape == (4 * units, inputs)
    assert layer.weight_hh_l0.shape == (4 * units, units)
    return {"checked": "outputs, h_n, c_n; rows of the weights in the order i, f, g, o"}


def gru_by_hand(inputs=3, units=8, steps=30, batch=5):
    """How far apart the states of the two formulas are, with the same random weights.

    Sizes, seeds and 64 bits are those of lesson 02.3, which prints the same numbers.
    """
    gaps, check = [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        layer = nn.GRU(inputs, units).double()
        x = torch.randn(steps, batch, inputs).double()
        after = before = torch.zeros(batch, units).double()
        w_n, b_n = layer.weight_hh_l0.chunk(3)[2], layer.bias_hh_l0.chunk(3)[2]
        states = []
        with torch.no_grad():
            for x_t in x:
                into = x_t @ layer.weight_ih_l0.T + layer.bias_ih_l0
                ends = []
                for h, reset_first in ((after, False), (before, True)):
                    old = h @ layer.weight_hh_l0.T + layer.bias_hh_l0
                    r, z = (into + old)[:, : 2 * units].sigmoid().chunk(2, dim=1)
                    read = (r * h) @ w_n.T + b_n
                    if not reset_first:
                        read = r * (h @ w_n.T + b_n)
                    n = (into[:, 2 * units :] + read).tanh()
                    ends.append((1 - z) * n + z * h)
                after, before = ends
                states.append(torch.stack(ends))
            after, before = torch.stack(states, dim=1)  # each (steps, batch, units)
            check.append((after - layer(x)[0]).abs().max().item())
        gaps.append((after - before).abs().max().item())
    assert max(check) < 1e-10, "reset after the product is what nn.GRU computes"
    return {
        "inputs": inputs,
        "units": units,
        "steps": steps,
        "batch": batch,
        "seeds": len(SEEDS),
        "largest": span(gaps, 2),
        "torch": "below 1e-10",
    }


# --------------------------------------------------------------- direct and closed loop
class YearByYear(nn.Module):
    """Reads windows of months, a year at a step; forecasts the change from the last."""

    def __init__(self, layer, horizon, units=32):
        super().__init__()
        self.rnn = layer(12, units, batch_first=True)
        self.read = nn.Linear(units, horizon)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, known):
        out, _ = self.rnn(known.view(len(known), -1, 12))
        return known[:, -1:] + self.read(out[:, -1])


def closed_loop(step, known, horizon):
    """Forecast one step, take it for known, and go on."""
    window, forecast = known.copy(), []
    for _ in range(horizon):
        forecast.append(step(window))
        window = np.concatenate([window[:, 1:], forecast[-1]], axis=1)
    return np.concatenate(forecast, axis=1)


@functools.cache
def trained(layer, horizon, seed, length=132):
    """A function from windows (N, length) to forecasts (N, horizon), all scaled."""
    torch.manual_seed(seed)
    model = YearByYear(layer, horizon)
    train, validation = (
        tuple(map(tensor, SUN.windows(length, horizon, part))) for part in (0, 1)
    )
    fit(model, train, validation, epochs=20, batch_size=128, lr=3e-3, seed=seed)
    return lambda known: predict(model, tensor(known)).numpy()


def ar(order, horizon, length=132):
    """Linear regression on the last `order` months, on the same training windows."""
    return forecasting.autoregression(*SUN.windows(length, horizon, 0), order=order)


def forecasts(length=132, horizon=60):
    """Error at each step ahead on the test part, in sunspot numbers."""
    known, actual = SUN.windows(length, horizon, 2)
    direct = [
        SUN.error(trained(nn.LSTM, horizon, seed)(known), actual) for seed in SEEDS
    ]
    loop = [
        SUN.error(closed_loop(trained(nn.LSTM, 1, seed), known, horizon), actual)
        for seed in SEEDS
    ]
    simple = {
        "persistence": forecasting.persistence(known, horizon),
        "ar_direct": ar(132, horizon)(known),
        "ar_loop": closed_loop(ar(132, 1), known, horizon),
    }
    at = [1, 12, 24, 60]
    return {
        "length": length,
        "horizon": horizon,
        "pairs": len(known),
        "seeds": len(SEEDS),
        "units": 32,
        "epochs": 20,
        "direct": rounded(direct),
        "loop": rounded(loop),
        **{name: rounded(SUN.error(f, actual)) for name, f in simple.items()},
        "at": at,
        "direct_at": [span([curve[k - 1] for curve in direct]) for k in at],
        "loop_at": [span([curve[k - 1] for curve in loop]) for k in at],
    }


def lessons():
    """What the lessons measured over five seeds, beside the tuned linear model."""
    simple = baselines("simple_rnn")
    near = results("simple_rnn")["twelve"]["by_month"]
    year = results("choosing_a_model").items()
    models = [entry["test"] for name, entry in year if name.startswith("forecast")]
    nets = results("bidirectional_rnn")
    forward, both = nets["forward only"], nets["both directions"]
    vowels = [np.mean(net["test"], axis=0)[0] for net in (forward, both)]
    return {
        "seeds": len(near),
        "next_month": {
            "ar24": rounded(simple["AR(24)"][0]),
            "rnn": span([months[0] for months in near]),
        },
        "one_year": {
            "line": rounded(simple["tuned line"]["test"]),
            "models": span([np.mean(model) for model in models]),
        },
        "vowels": {
            "forward": rounded(vowels[0]),
            "both": rounded(vowels[1]),
            "parameters": [net["parameters"][0] for net in (forward, both)],
        },
    }


def results(name, part="scores"):
    """The scores that a lesson of this topic reads."""
    path = HERE.parent / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))[part]


def baselines(name):
    """Those of the simple models beside them."""
    return results(name, "baselines")


# ---------------------------------------------------------- layers, directions, padding
def stacked(inputs=3, units=4, layers=2, batch=5, steps=7):
    """What comes out of a stack, and where dropout is: between layers, nowhere else."""
    torch.manual_seed(0)
    x = torch.randn(batch, steps, inputs)
    stack = nn.GRU(inputs, units, num_layers=layers, batch_first=True)
    out, h_n = stack(x)
    assert out.shape == (batch, steps, units)
    assert h_n.shape == (layers, batch, units)
    assert torch.equal(h_n[-1], out[:, -1])
    # With dropout 1 the upper layer gets zeros only, in training; its own output stays.
    dropped = nn.GRU(inputs, units, num_layers=2, batch_first=True, dropout=1.0)
    first, second = dropped(x)[0], dropped(torch.zeros_like(x))[0]
    assert torch.allclose(first, second) and first.abs().min() > 0
    dropped.eval()
    assert not torch.allclose(dropped(x)[0], first)
    lstm = nn.LSTM(inputs, units, num_layers=layers, batch_first=True)
    out, (h_n, c_n) = lstm(x)
    assert h_n.shape == c_n.shape == (layers, batch, units)
    for layer in (nn.RNN, nn.GRU, nn.LSTM):  # shapes of the revision table
        both = layer(inputs, units, layers, batch_first=True, bidirectional=True)
        out, last = both(x)
        last = last[0] if layer is nn.LSTM else last
        assert out.shape == (batch, steps, 2 * units)
        assert last.shape == (2 * layers, batch, units)
    assert both.weight_ih_l1.shape == (4 * units, 2 * units)
    return {"checked": "shapes, h_n[-1] = out[:, -1], dropout between layers only"}


def streams(names=("smith", "lee", "ng", "brown", "king"), rows=3, length=4):
    """Names joined to one text, cut into rows and chunks; what crosses the cuts."""
    assert set(names) <= set(data.load_surnames())
    text = "." + ".".join(names) + "."
    steps = (len(text) - 1) // rows  # the last letter is only an answer
    assert rows * steps + 1 == len(text) and steps % length == 0
    torch.manual_seed(0)
    layer = nn.GRU(26 + 1, 8, batch_first=True).double()
    codes = torch.tensor([max(0, ord(c) - ord("a") + 1) for c in text[:-1]])
    x = nn.functional.one_hot(codes, 27).double().view(rows, steps, 27)
    x.requires_grad_()
    whole, state, out = layer(x)[0], None, []
    for chunk in x.split(length, dim=1):
        states, state = layer(chunk, state)
        out.append(states)
    assert torch.allclose(torch.cat(out, dim=1), whole, atol=1e-10)
    _, state = layer(x[:, :length])
    for start, crosses in ((state, True), (state.detach(), False)):
        last, _ = layer(x[:, length : 2 * length], start)
        (slope,) = torch.autograd.grad(last.sum(), x, retain_graph=True)
        assert bool(slope[:, :length].any()) is crosses
    return {
        "text": text,
        "rows": [text[k * steps : (k + 1) * steps] for k in range(rows)],
        "length": length,
    }


def directions(steps=5, units=4):
    """Which inputs each read-out of a bidirectional layer depends on."""
    torch.manual_seed(0)
    layer = nn.LSTM(2, units, batch_first=True, bidirectional=True)
    x = torch.randn(1, steps, 2, requires_grad=True)
    out, (h_n, _) = layer(x)
    assert torch.equal(h_n[0], out[:, -1, :units])  # forward: its last step is step T
    assert torch.equal(h_n[1], out[:, 0, units:])  # backward: its last step is step 1
    two = nn.LSTM(2, units, 2, batch_first=True, bidirectional=True)
    out2, (h_n2, _) = two(x)
    assert torch.equal(h_n2[-2], out2[:, -1, :units])
    assert torch.equal(h_n2[-1], out2[:, 0, units:])

    def seen(state):
        (gradient,) = torch.autograd.grad(state.sum(), x, retain_graph=True)
        return [int(g > 0) for g in gradient[0].norm(dim=1)]

    return {
        "steps": steps,
        "forward_half": seen(out[:, -1, :units]),
        "backward_half": seen(out[:, -1, units:]),
        "h_n": seen(torch.cat([h_n[0], h_n[1]], dim=1)),
    }


def padding(units=32):
    """Three names of unequal length: how padding moves the last state of the short."""
    names = ["smith", "lee", "ng"]
    assert set(names) <= set(data.load_surnames())
    lengths = torch.tensor([len(name) for name in names])
    codes = [torch.tensor([ord(c) - ord("a") + 1 for c in name]) for name in names]
    padded = nn.utils.rnn.pad_sequence(codes, batch_first=True)
    moved, packed_error = [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        embed, layer = nn.Embedding(27, 8), nn.LSTM(8, units, batch_first=True)
        with torch.no_grad():
            alone = torch.stack([layer(embed(c)[None])[1][0][0, 0] for c in codes])
            plain = layer(embed(padded))[1][0][0]
            packed = nn.utils.rnn.pack_padded_sequence(
                embed(padded), lengths, batch_first=True
            )
            tidy = layer(packed)[1][0][0]
        size = alone.norm(dim=1)
        moved.append(((plain - alone).norm(dim=1) / size).tolist())
        packed_error.append((tidy - alone).abs().max().item())
    assert max(packed_error) < 1e-6
    letters = nn.utils.rnn.pack_padded_sequence(padded, lengths, batch_first=True)
    return {
        "names": names,
        "lengths": lengths.tolist(),
        "batch_sizes": letters.batch_sizes.tolist(),
        "packed": "".join(chr(k + ord("a") - 1) for k in letters.data.tolist()),
        "moved_percent": [span([100 * m[k] for m in moved], 0) for k in range(3)],
        "units": units,
        "seeds": len(SEEDS),
    }


# ------------------------------------------------------------------- looking both ways
class NextMonth(nn.Module):
    """At each month of a window, forecasts the next: one or two directions."""

    def __init__(self, both, units):
        super().__init__()
        self.rnn = nn.LSTM(1, units, batch_first=True, bidirectional=both)
        self.read = nn.Linear(units * (1 + both), 1)

    def forward(self, x):
        return x[..., 0] + self.read(self.rnn(x)[0])[..., 0]


def cheating(steps=24, epochs=10, seeds=3):
    """Error of the next-month forecast at each place in a window of the test part."""
    sequences = []
    for part in range(3):
        known, following = SUN.windows(steps, 1, part)
        whole = np.concatenate([known, following], axis=1)
        sequences.append((tensor(whole[:, :-1, None]), tensor(whole[:, 1:])))
    train, validation, (x, y) = sequences
    curves, sizes = {}, {}
    for name, both, units in (("forward", False, 32), ("both", True, 22)):
        curves[name] = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            model = NextMonth(both, units)
            sizes[name] = weights(model)
            fit(model, train, validation, epochs=epochs, lr=5e-3, seed=seed)
            curves[name].append(SUN.error(predict(model, x), y))
    return {
        "steps": steps,
        "epochs": epochs,
        "seeds": seeds,
        "parameters": sizes,
        "persistence": rounded(SUN.error(x[..., 0], y)[-1]),
        **{
            name: {
                "mean": rounded(np.mean(c, axis=0)),
                "low": rounded(np.min(c, axis=0)),
                "high": rounded(np.max(c, axis=0)),
                "inside": span([np.sqrt(np.mean(k[:-1] ** 2)) for k in c]),
                "last": span([k[-1] for k in c]),
            }
            for name, c in curves.items()
        },
    }


def parameters(inputs=128, units=128):
    """Weights and biases of the three layers; PyTorch has two biases a gate."""
    counts = {}
    for name, layer, blocks in (
        ("rnn", nn.RNN, 1),
        ("gru", nn.GRU, 3),
        ("lstm", nn.LSTM, 4),
    ):
        counts[name] = weights(layer(inputs, units))
        assert counts[name] == blocks * units * (inputs + units + 2)
        both = weights(layer(inputs, units, bidirectional=True))
        assert both == 2 * counts[name]
        two = weights(layer(inputs, units, num_layers=2))
        assert two - counts[name] == blocks * units * (2 * units + 2)
    return {"inputs": inputs, "units": units, **counts}


# What training gave: another processor may round differently on the way there.
TRAINED = ("forecasts", "cheating")


def measure(trained=True):
    """Everything, as the dictionary that measurements.json holds."""
    torch.set_num_threads(1)
    parts = {
        "windows": windows_of_a_series,
        "split": split,
        "lstm": lstm_by_hand,
        "gru": gru_by_hand,
        "stacked": stacked,
        "streams": streams,
        "directions": directions,
        "padding": padding,
        "parameters": parameters,
        "forecasts": forecasts,
        "cheating": cheating,
        "lessons": lessons,
    }
    result = {}
    for name, part in parts.items():
        if trained or name not in TRAINED:
            start = time.process_time()
            result[name] = part()
            print(f"{name:12} {time.process_time() - start:5.1f} CPU-seconds")
    return result


def check(result):
    """What the words of the slides say about the numbers; slides.typ has both."""
    far = result["forecasts"]
    month = {k: i for i, k in enumerate(far["at"])}
    # "good for a year": no closed-loop run is worse than the worst direct one
    for k in (1, 12):
        assert far["loop_at"][month[k]][1] <= far["direct_at"][month[k]][1] + 0.5
    # "then some runs drift away", and the others do not
    ends = sorted(curve[-1] for curve in far["loop"])
    assert ends[-1] > 1.5 * far["direct_at"][month[60]][1] and ends[0] < 45
    assert far["direct_at"][month[60]][1] < 45 < far["persistence"][-1]
    # "AR(132) beats each direct LSTM" at 60 months
    assert far["ar_direct"][-1] < far["direct_at"][month[60]][0]
    lessons = result["lessons"]
    # "a simple model is enough" for the next month, and undecided for the year
    assert lessons["next_month"]["ar24"] < lessons["next_month"]["rnn"][0]
    low, high = lessons["one_year"]["models"]
    assert low < lessons["one_year"]["line"] < high
    both, forward = result["cheating"]["both"], result["cheating"]["forward"]
    assert max(both["high"][:22]) < 4 and both["inside"][1] < 3  # the answer is read
    assert both["last"][0] > forward["last"][1]  # and missed where there is none
    assert both["last"][0] > result["cheating"]["persistence"] - 1
    assert lessons["vowels"]["both"] > lessons["vowels"]["forward"] + 4
    assert max(result["padding"]["moved_percent"][0]) == 0
    assert result["directions"]["backward_half"] == [0, 0, 0, 0, 1]


def text(result):
    """One line for each inner entry: short, and a change is easy to see."""
    parts = []
    for name, entries in result.items():
        inner = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}"
            for key, value in entries.items()
        )
        parts.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    measured = measure()
    check(measured)
    (HERE / "measurements.json").write_text(text(measured), encoding="utf-8")
    print(f"{'all':12} {time.process_time():5.1f} CPU-seconds, imports included")
