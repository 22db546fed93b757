"""Measure the headline figures of the course again, over five seeds.

    python3 start.py report            or: .venv/bin/python tools/report.py
    ... report --only weather names    some sections; the others come from .report/

Writes RESULTS.md, RESULTS.json and RESULTS.png in the root of the course and the table
of results in 02_LSTM_RNN/README.md, and fails (exit status 1) if a claim of the lessons
is not supported by what was measured now. Every single measurement is kept in .report/
when it is done: an interrupted run goes on where it stopped, and a measurement is
repeated when the code, data, settings or versions behind it have changed. `--fresh`
forgets all of them first.

Networks, training and scoring are those of the lessons' own scripts. Settings that
were chosen on validation parts (learning rates) are taken from 02_LSTM_RNN/results/;
choosing them again is the work of the tools/measure_*.py.
"""

import argparse
import ast
import functools
import hashlib
import inspect
import json
import os
import pathlib
import platform
import shutil
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from tools import benchmark_fit, benchmark_layers, report_figure, report_text
from tools import measure_bidirectional_rnn as bidirectional
from tools import measure_choosing_a_model as choosing
from tools import measure_gru as gru
from tools import measure_lstm as lstm
from tools import measure_simple_rnn as simple
from tools import measure_stacked_rnn as stacked
from tools.lesson_functions import load_lesson, stop_at_ctrl_c

ROOT = pathlib.Path(__file__).resolve().parents[1]
STORE = ROOT / ".report"
SEEDS = range(5)
INTRODUCTION = "01_Introduction_to_RNN/raw_scripts/rnn_intro.py"


@functools.cache
def lesson(name):
    """The functions of a lesson, loaded once."""
    if name == "introduction":
        settings = "STEPS", "BATCH", "INPUTS", "UNITS", "LENGTH", "clip"
        return load_lesson(INTRODUCTION, settings)
    return {
        "lstm": lstm,
        "gru": gru,
        "stacked": stacked,
        "bidirectional": bidirectional,
        "choosing": choosing,
    }[name].lesson()


def stored(name):
    """A file of results that a tools/measure_*.py has written."""
    path = ROOT / "02_LSTM_RNN" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


# --- one function for each kind of measurement: each returns a dict for JSON ---


def order(look, seed):
    """Share of series, rising or falling, that a network tells apart."""
    here = lesson("introduction")
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(seed)
    model = here.Reader()
    if look == "sorted":  # as the lesson does it: a network nine times as large
        nn = torch.nn
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    shown = {
        "sorted": lambda x: x.sort(dim=1).values,
        "last step only": lambda x: x[:, -1:],
        "in order": lambda x: x,
    }[look]
    return {"right": round(100 * here.share_right(model, shown), 2)}


def gradient_factor(cell, value, input_scale):
    """What one step back keeps of the gradient: mean over five networks."""
    here = lesson("introduction")
    make = {
        "tanh": lambda: here.tanh_cell(value),
        "linear": lambda: here.tanh_cell(value, squash=lambda a: a),
        "LSTM": lambda: here.lstm_cell(value),
        "GRU": lambda: here.gru_cell(value),
    }[cell]
    torch.set_default_dtype(torch.float64)
    try:
        runs = here.five_seeds(make, input_scale)
    finally:
        torch.set_default_dtype(torch.float32)
    return {"kept": round(here.factor(runs), 4)}


def adding_100(model, seed):
    here = lesson("introduction")
    layer, start = {
        "RNN": (torch.nn.RNN, None),
        "LSTM": (torch.nn.LSTM, None),
        "LSTM, open gates": (torch.nn.LSTM, here.open_gates),
    }[model]
    torch.set_default_dtype(torch.float32)
    return {"error": float(f"{here.learning_curve(layer, seed, start)[-1]:.3g}")}


def sunspot_baselines():
    """RMSE of the simple forecasts over 1 to 12 months: at one month, and the mean."""
    here = simple.HERE
    series = here.load_sunspots()
    train, _, test = here.chronological_split(len(series))
    past, future = here.windows(series, 144, 12, part=train)
    known, actual = here.windows(series, 144, 12, part=test)
    forecasts = {
        "persistence": here.persistence(known, horizon=12),
        "seasonal naive": here.seasonal_naive(known, period=132, horizon=12),
        "AR(24)": here.autoregression(past, future, order=24)(known),
        "AR(132)": here.autoregression(past, future, order=132)(known),
    }
    found = {}
    for name, made in forecasts.items():
        months = [here.rmse(a, b) for a, b in zip(made.T, actual.T, strict=True)]
        found[name] = [round(months[0], 2), round(float(np.mean(months)), 2)]
    return found


def sunspots_12(step, seed):
    found = simple.measure_step(step, [seed])
    return {"month 1": found["by_month"][0][0], "mean": found["test"][0]}


def sunspots_24_baselines():
    here = lesson("lstm")
    series, ahead = here.sunspots, here.AHEAD
    known, actual = here.windows(series, 264, ahead, part=here.test)
    line = here.autoregression(*here.windows(series, 144, ahead, part=here.train), 132)
    forecasts = {"persistence": here.persistence(known, ahead), "AR(132)": line(known)}
    return {name: round(here.rmse(y, actual), 2) for name, y in forecasts.items()}


def sunspots_24(way, seed):
    return lstm.sunspot_ways(lesson("lstm"))[way](seed)


def adding_200(start, seed):
    run = lstm.adding_run(lesson("lstm"), start, seed)
    return {"solved": run["solved"], "steps": run["steps"]}


def weather_baselines():
    here = lesson("gru")
    actual = here.sets["test"][1]
    alone = here.ridge_forecasts(here.sets, columns=[0])
    found = {
        "persistence": here.same["test"],
        "ridge, temperature": alone["test"],
        "ridge, all": here.linear["test"],
    }
    return {
        name: [round(e, 3) for e in here.errors(y, actual).tolist()]
        for name, y in found.items()
    }


def weather(network, horizon, seed):
    lr = stored("gru")["networks"][network]["lr"]
    found = gru.train_one(lesson("gru"), network, horizon, seed, lr)
    return {"test": round(found["test"], 3), "parameters": found["parameters"]}


def names_baselines():
    """Bits a character of the interpolated n-grams on the test names, by context."""
    found = choosing.names_baselines(lesson("choosing"))
    return {"by_context": found["by_context"], "test": found["test"]}


def names(depth, seed):
    lr = stored("stacked_rnn")["networks"][depth]["lr"]
    options = {**stacked.RACE[depth], "lr": lr}
    found = stacked.train_one(lesson("stacked"), seed, options)
    return {"test": round(found["test"], 3), "parameters": found["parameters"]}


def stress(network, split, seed):
    lr = stored("bidirectional_rnn")["settings"]["learning_rate"]
    found = bidirectional.train_one(lesson("bidirectional"), network, split, seed, lr)
    vowels, words = found["test"]
    return {
        "vowels": round(vowels, 2),
        "words": round(words, 2),
        "parameters": found["parameters"],
    }


def stress_baselines():
    return choosing.stress_baselines()


def five_models(task, model, seed):
    lr = stored("choosing_a_model")["tasks"][task][model]["lr"]
    found = choosing.train_one(lesson("choosing"), task, model, seed, lr)
    keys = [key for key in ("test", "words") if key in found]
    return {key: round(found[key], 4) for key in keys}


def layer_times(kind, units):
    rows = benchmark_layers.measure_kind(kind, units)
    return {"rows": rows, "two_threads": benchmark_layers.two_threads(kind, units)}


def fit_times():
    return {"ratio": round(benchmark_fit.measure(), 3)}


# --- what is measured ---


def jobs():
    """section -> job name -> (function, arguments); names are keys of the store."""

    def seeds(function, *arguments):
        key = ", ".join(map(str, arguments))
        return {
            f"{key} | seed {seed}": (function, (*arguments, seed)) for seed in SEEDS
        }

    cells = [("tanh", r, s) for s in (1.0, 0.1) for r in (0.9, 1.0, 1.2, 1.5)]
    cells += [("linear", 1.2, 1.0)]
    cells += [(cell, bias, 1.0) for cell in ("LSTM", "GRU") for bias in (0, 1, 3)]
    sections = {
        "order": {},
        "memory": {f"{c}, {v}, {s}": (gradient_factor, (c, v, s)) for c, v, s in cells},
        "adding 100": {},
        "sunspots 12": {"baselines": (sunspot_baselines, ())},
        "sunspots 24": {"baselines": (sunspots_24_baselines, ())},
        "adding 200": {},
        "weather": {"baselines": (weather_baselines, ())},
        "names": {"baselines": (names_baselines, ())},
        "stress": {"baselines": (stress_baselines, ())},
        "five models": {},
        "layers": {
            f"{kind}, {units}": (layer_times, (kind, units))
            for kind in benchmark_layers.KINDS
            for units in benchmark_layers.UNITS
        },
        "fit": {"ratio": (fit_times, ())},
    }
    for look in ("sorted", "last step only", "in order"):
        sections["order"] |= seeds(order, look)
    for model in ("RNN", "LSTM", "LSTM, open gates"):
        sections["adding 100"] |= seeds(adding_100, model)
    # Steps on the way and side questions are left out, to stay below half an hour.
    for step in ("raw", "twelve"):
        sections["sunspots 12"] |= seeds(sunspots_12, step)
    for way in ("direct, 12 months a step", "closed loop"):
        sections["sunspots 24"] |= seeds(sunspots_24, way)
    for start in ("forget bias 0", "forget bias 1", "chrono"):
        sections["adding 200"] |= seeds(adding_200, start)
    hours = {"RNN": (1, 2), "LSTM": (1, 2), "GRU": (0, 1, 2), "ridge + GRU": (2,)}
    for network, horizons in hours.items():
        for horizon in horizons:
            sections["weather"] |= seeds(weather, network, horizon)
    for depth in stacked.RACE:
        sections["names"] |= seeds(names, depth)
    for network in bidirectional.NETWORKS:
        sections["stress"] |= seeds(stress, network, "random")
    sections["stress"] |= seeds(stress, "both directions", "stem")
    for task, found in stored("choosing_a_model")["tasks"].items():
        for model in found:
            sections["five models"] |= seeds(five_models, task, model)
    return sections


# Whose change makes a measurement worthless, beside utils/, data/ and the versions:
# lessons and the scripts that measure with their functions.
SOURCES = {
    "order": ["introduction"],
    "memory": ["introduction"],
    "adding 100": ["introduction"],
    "sunspots 12": ["simple_rnn"],
    "sunspots 24": ["lstm"],
    "adding 200": ["lstm"],
    "weather": ["gru"],
    "names": ["stacked_rnn", "choosing_a_model"],
    "stress": ["bidirectional_rnn", "choosing_a_model"],
    "five models": ["choosing_a_model"],
    "layers": ["simple_rnn", "lstm", "gru", "benchmark_layers"],
    "fit": ["benchmark_fit"],
}


# The helpers that take part in a measurement; plots and checks do not.
UTILS = "__init__.py", "data.py", "forecasting.py", "training.py"


def sources(section):
    for name in SOURCES[section]:
        if name == "introduction":
            yield ROOT / INTRODUCTION
        elif name.startswith("benchmark"):
            yield ROOT / "tools" / f"{name}.py"
        else:
            yield ROOT / "02_LSTM_RNN" / "raw_scripts" / f"{name}.py"
            yield ROOT / "tools" / f"measure_{name}.py"


def versions():
    import pandas

    return {
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pandas": pandas.__version__,
    }


def fingerprint(section):
    """Changes with everything that a measurement of this section depends on."""
    return hashlib.sha256(
        json.dumps([code_behind(section), versions()]).encode()
    ).hexdigest()


def code_behind(section):
    """Fingerprint of the code, data and settings that a section is measured with."""
    files = [*sources(section), ROOT / "tools" / "lesson_functions.py"]
    files += [ROOT / "utils" / name for name in UTILS]
    functions = {function for function, _ in jobs()[section].values()}
    parts = [code_of(path) for path in files]
    parts += sorted(inspect.getsource(function) for function in functions)
    parts += [(ROOT / "data" / "SHA256SUMS").read_text(encoding="utf-8")]
    for name in SOURCES[section]:
        if (ROOT / "02_LSTM_RNN" / "results" / f"{name}.json").is_file():
            parts += chosen(stored(name))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def chosen(found, where=""):
    """The learning rates in a file of results, which measurements take from it."""
    for key, value in found.items() if isinstance(found, dict) else ():
        if key in ("lr", "learning_rate"):
            yield f"{where}: {value}"
        else:
            yield from chosen(value, f"{where}/{key}")


def code_of(path):
    """A file's code without comments and docstrings.

    Of a lesson only what measurements load from it: its imports, functions, classes and
    assignments. Its prose, prints, figures and asserts measure nothing here.
    """
    text = path.read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    nodes = tree.body
    if path.parent.name == "raw_scripts":
        loaded = ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign
        nodes = [node for node in nodes if isinstance(node, loaded)]
    used = {k for node in nodes for k in range(node.lineno, node.end_lineno + 1)}
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            used -= set(range(first.lineno, first.end_lineno + 1))
    code = [lines[k - 1].rstrip() for k in sorted(used)]
    # tools/set_repository.py writes an address into lessons, which measures nothing.
    unseen = "#", "REPOSITORY ="
    return "\n".join(line for line in code if not line.strip().startswith(unseen))


def kept(section, name):
    """The file that keeps a measurement."""
    digest = hashlib.sha256(f"{section}|{name}".encode()).hexdigest()[:16]
    return STORE / f"{digest}.json"


def is_kept(section, name, mark):
    """Whether this was measured already, with the code, data and versions of today."""
    path = kept(section, name)
    return path.is_file() and json.loads(path.read_text("utf-8"))["mark"] == mark


def run_job(section, name, function, arguments, mark):
    """The result of one measurement with its CPU-seconds, from the store if it is."""
    path = kept(section, name)
    if is_kept(section, name, mark):
        return json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
    started = time.process_time()
    result = function(*arguments)
    seconds = round(time.process_time() - started, 2)
    entry = {"section": section, "name": name, "mark": mark}
    entry |= {"cpu_seconds": seconds, "result": result}
    half = path.with_suffix(".half")  # an interruption leaves no half-written result
    half.write_text(json.dumps(entry), encoding="utf-8")
    half.replace(path)
    return entry


def measure(only=None):
    """section -> name -> entry; says where it is."""
    STORE.mkdir(exist_ok=True)
    found, sections = {}, jobs()
    total = sum(len(some) for some in sections.values())
    done, spent = 0, 0.0
    for section, some in sections.items():
        mark, found[section] = fingerprint(section), {}
        for name, (function, arguments) in some.items():
            done += 1
            if only and section not in only and not is_kept(section, name, mark):
                continue
            if sys.stdout.isatty() or done % 10 == 1:
                print(f"{done:3} of {total}  {section}: {name}", flush=True)
            entry = run_job(section, name, function, arguments, mark)
            found[section][name] = entry
            spent += entry["cpu_seconds"]
    print(f"{spent / 60:.1f} CPU-minutes in all, earlier runs included")
    return found


def by_seed(entries):
    """What is measured -> CPU-seconds with each seed."""
    seconds = {}
    for name, entry in entries.items():
        seconds.setdefault(name.split(" | ")[0], []).append(entry["cpu_seconds"])
    return seconds


def collect(found):
    """What RESULTS.json holds: scores, and apart from them the times, which vary."""
    times = ("layers", "fit")
    scores = {
        section: {name: entry["result"] for name, entry in some.items()}
        for section, some in found.items()
    }
    seconds = {
        section: round(sum(entry["cpu_seconds"] for entry in some.values()))
        for section, some in found.items()
    }
    return {
        "scores": {key: value for key, value in scores.items() if key not in times},
        "times": {key: value for key, value in scores.items() if key in times},
        "cpu_seconds": seconds,
        "median_cpu_seconds": {
            section: {
                key: round(statistics.median(some_seconds), 2)
                for key, some_seconds in by_seed(some).items()
            }
            for section, some in found.items()
        },
        "code": {section: code_behind(section) for section in found},
        "versions": versions(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(SOURCES), metavar="SECTION")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, write from RESULTS.json"
    )
    options = parser.parse_args(arguments)
    path = ROOT / "RESULTS.json"
    if not options.render:
        stop_at_ctrl_c("Stopped. What is measured is kept; the same command goes on.")
        if options.fresh:
            shutil.rmtree(STORE, ignore_errors=True)
        found = measure(options.only)
        missing = [s for s, some in jobs().items() if set(some) - set(found[s])]
        if missing:
            print(
                "Not measured, or not with this code, data and versions: "
                f"{', '.join(missing)}. RESULTS.md is as it was."
            )
            return 0
        text = json.dumps(collect(found), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    results = json.loads(path.read_text(encoding="utf-8"))
    claims = report_text.claims(results)
    (ROOT / "RESULTS.md").write_text(
        report_text.markdown(results, claims), encoding="utf-8"
    )
    report_figure.draw(results, ROOT / "RESULTS.png")
    overview = ROOT / "02_LSTM_RNN" / "README.md"
    text = overview.read_text(encoding="utf-8")
    text = report_text.with_overview(text, results)
    overview.write_text(text, encoding="utf-8")
    # An aim may be missed, and RESULTS.md says so; what a lesson says must hold.
    failed = [claim for claim in claims if claim.said and not claim.holds]
    for claim in failed:
        print(f"NOT SUPPORTED: {claim.text} ({claim.where}): {claim.measured}")
    print(f"RESULTS.md is written. Claims not supported: {len(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
