"""What lesson 02.2 cannot measure in a minute: writes 02_LSTM_RNN/results/lstm.json.

    python tools/measure_lstm.py

The functions and settings are those of the lesson's script itself: this file only runs
them more often. Takes five to ten minutes on one core. Prints CPU-seconds as well,
which stay out of the file, because they differ from run to run.
"""

import json
import os
import pathlib
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn

from tools.lesson_functions import load_lesson, stop_at_ctrl_c, versions

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/lstm.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "lstm.json"
SEEDS, LIMIT = range(5), 4000
# The simple assignments of the lesson that its functions build on.
SETTINGS = {"T", "UNITS", "AHEAD", "HELD_OUT", "sunspots", "train", "scale"}


def lesson():
    """The lesson's imports, functions, classes and settings, not its experiments."""
    return load_lesson(SCRIPT, SETTINGS)


def starts(here):
    """The races' starts: functions that give the biases of input and forget gate."""
    long = float(np.log(here.T - 1))
    return {
        "forget bias 0": lambda: (0.0, 0.0),
        "forget bias 1": lambda: (0.0, 1.0),
        "chrono": here.chrono,
        "chrono, forget gate only": lambda: (0.0, here.chrono()[1]),
        "both at log 199": lambda: (-long, long),
    }


def gates(here, model):
    """Mean input and forget gate of the unit that tells marks apart best."""
    x = here.HELD_OUT[0].transpose(0, 1)
    h = c = torch.zeros(x.shape[1], here.UNITS)
    weights, seen = here.by_gate(model.lstm), {"i": [], "f": []}
    with torch.no_grad():
        for x_t in x:
            h, c, now = here.lstm_cell(x_t, h, c, *weights)
            for name, values in seen.items():
                values.append(now[name])
    seen = {name: torch.stack(values) for name, values in seen.items()}
    marked = x[:, :, 1] == 1
    unit = (seen["i"][marked].mean(0) - seen["i"][~marked].mean(0)).argmax()
    return {
        where: {name: mean(gate[which][:, unit]) for name, gate in seen.items()}
        for where, which in (("marked", marked), ("unmarked", ~marked))
    }


def mean(values):
    return round(values.mean().item(), 3)


def adding_run(here, name, seed, limit=LIMIT):
    """One run: held-out error every 50 steps, until it is below 0.01 or `limit`."""
    model, errors = here.learn(seed, starts(here)[name], limit)
    solved = errors[-1] < 0.01
    run = {"solved": solved, "steps": 50 * len(errors)}
    run["errors"] = [float(f"{error:.3g}") for error in errors]
    return {**run, **(gates(here, model) if solved else {})}


def sunspot_ways(here):
    """For each way: seed -> RMSE over 24 months of the test part, validation loss."""
    _, actual = here.windows(here.sunspots, 264, here.AHEAD, part=here.test)
    recent = here.pairs(264, here.AHEAD, here.test)[0]
    nothing = torch.zeros(len(recent), here.AHEAD)

    def scored(forecasts, history):
        score = here.rmse(here.scale.undo(forecasts.numpy()), actual)
        lowest = min(history.validation)
        return {"rmse": round(score, 2), "validation": round(lowest, 3)}

    def direct(**options):
        def run(seed):
            model, history = here.train_direct(seed, **options)
            return scored(here.predict(model, recent[:, -144:]), history)

        return run

    def closed(seed):
        model, history = here.train_next_month(seed)
        return scored(here.closed_loop(model, recent, nothing), history)

    longer = {"months_per_step": 1, "epochs": 120, "patience": 40}
    return {
        "closed loop": closed,
        "direct, 12 months a step": direct(),
        "direct, 1 month a step": direct(months_per_step=1),
        "the same, trained for longer": direct(**longer),
    }


def sunspot_runs(here):
    runs = {}
    for name, run in sunspot_ways(here).items():
        started = time.process_time()
        runs[name] = [run(seed) for seed in SEEDS]
        seconds = (time.process_time() - started) / len(SEEDS)
        scores = [run["rmse"] for run in runs[name]]
        print(f"{name:28} RMSE {scores}  {seconds:.1f} CPU-s each", flush=True)
    return runs


def speed(here, T=100, B=64, H=32, rounds=25):
    """CPU-time of lstm_layer over that of nn.LSTM, forward and backward: a median."""
    lstm, x = nn.LSTM(1, H), torch.randn(T, B, 1)
    zero = torch.zeros(B, H)
    W_x, W_h, b_x, b_h = lstm.parameters()

    def seconds(run):
        started = time.process_time()
        run().sum().backward()
        return time.process_time() - started

    def ours():
        return here.lstm_layer(x, zero, zero, W_x, W_h, b_x + b_h)[0]

    pairs = [(seconds(ours), seconds(lambda: lstm(x)[0])) for _ in range(rounds)]
    return statistics.median(a / b for a, b in pairs[1:])


def text(result):
    """JSON with one line for each run."""
    lines = json.dumps(result, indent=1)
    for part in ("adding", "sunspots"):
        for runs in result[part]["runs"].values():
            for run in runs:
                long = json.dumps(run, indent=1).replace("\n", "\n    ")
                lines = lines.replace(long, json.dumps(run), 1)
    return lines + "\n"


def main():
    torch.set_num_threads(1)
    here = lesson()
    runs = {}
    for name in starts(here):
        started = time.process_time()
        runs[name] = [adding_run(here, name, seed) for seed in SEEDS]
        seconds = (time.process_time() - started) / len(SEEDS)
        steps = [run["steps"] for run in runs[name]]
        solved = sum(run["solved"] for run in runs[name])
        print(
            f"{name:26} solved {solved}/5, steps {steps}  {seconds:.1f} CPU-s",
            flush=True,
        )
    settings = {"T": here.T, "units": here.UNITS, "batch": 64, "rate": 0.01}
    result = {
        "made_by": "tools/measure_lstm.py",
        "versions": versions(),
        "adding": {"settings": {**settings, "limit": LIMIT}, "runs": runs},
        "sunspots": {"months_ahead": here.AHEAD, "runs": sunspot_runs(here)},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text(result), encoding="utf-8")
    print(f"lstm_layer takes {speed(here):.1f} times as long as nn.LSTM")


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Nothing is written.")
    main()
