"""Train the networks of lesson 02.1 with five seeds each, and write their scores.

    python tools/measure_simple_rnn.py

Writes 02_LSTM_RNN/results/simple_rnn.json (about ten minutes on one thread):

settings   what all runs share
selection  24 ways to build and scale the network, scored on the validation part only
chosen     the one with the lowest mean score among them
steps      the four steps of the lesson and one more, scored on the test part as well

A score is the mean of the RMSE over 1 to 12 months ahead, in sunspots; a list holds one
number for each seed. The networks and their training are those of the lesson's script
itself: this file only runs them more often.
"""

import inspect
import itertools
import json
import os
import pathlib
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn

from tools.lesson_functions import load_lesson, stop_at_ctrl_c, versions
from utils import set_up
from utils.data import Standardiser, chronological_split, load_sunspots, windows
from utils.forecasting import rmse
from utils.training import predict

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/simple_rnn.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "simple_rnn.json"
SEEDS = range(5)
PAST, AHEAD = 144, 12


def lesson():
    """The lesson's networks, windows and training, without its experiments."""
    return load_lesson(SCRIPT)


HERE = lesson()


class WithDropout(nn.Module):
    """The same network with dropout in front of its last layer."""

    def __init__(self, model, share):
        super().__init__()
        self.model = model
        model.head = nn.Sequential(nn.Dropout(share), model.head)

    def forward(self, x):
        return self.model(x)


class Task:
    """Windows of the sunspot record on one scale, and the way back to sunspots."""

    def __init__(self, scale="standardised"):
        series = load_sunspots()
        parts = chronological_split(len(series), validation=0.1, test=0.2)
        self.roots = scale == "square roots"
        scaled = np.sqrt(series) if self.roots else series
        self.standardiser = None
        if scale != "raw":
            self.standardiser = Standardiser.fit(scaled[parts[0]])
            scaled = self.standardiser(scaled)
        self.pairs = HERE.pairs_of(scaled, PAST, AHEAD)
        self.actual = [windows(series, PAST, AHEAD, part=part)[1] for part in parts]

    def sunspots(self, forecast):
        forecast = forecast.numpy().astype(float)
        if self.standardiser:
            forecast = self.standardiser.undo(forecast)
        return np.maximum(forecast, 0) ** 2 if self.roots else forecast

    def score(self, model, part):
        """RMSE at each of the 12 months ahead; part 1 is validation, 2 is test."""
        forecast = self.sunspots(predict(model, self.pairs[part][0]))
        columns = zip(forecast.T, self.actual[part].T, strict=True)
        return [rmse(ours, theirs) for ours, theirs in columns]


def run(task, make_model, seed):
    """(model, history, CPU-seconds of training) for one seed."""
    torch.manual_seed(seed)
    model, started = make_model(), time.process_time()
    history = HERE.trained(model, task.pairs, seed)
    return model, history, time.process_time() - started


STEPS = {  # name -> (scale, network)
    "raw": ("raw", HERE.Forecaster),
    "standardised": ("standardised", HERE.Forecaster),
    "change": ("standardised", HERE.ChangeForecaster),
    "twelve": ("standardised", lambda: HERE.ChangeForecaster(per_step=12)),
    "twelve, no change": ("standardised", lambda: HERE.Forecaster(per_step=12)),
}


def measure_step(name, seeds=SEEDS):
    scale, make_model = STEPS[name]
    task, result = Task(scale), {"validation": [], "test": [], "by_month": []}
    result |= {"kept_epoch": [], "cpu_seconds": []}
    for seed in seeds:
        model, history, seconds = run(task, make_model, seed)
        by_month = task.score(model, 2)
        result["validation"].append(round(np.mean(task.score(model, 1)), 3))
        result["test"].append(round(np.mean(by_month), 3))
        result["by_month"].append([round(score, 3) for score in by_month])
        result["kept_epoch"].append(history.best_epoch)
        result["cpu_seconds"].append(round(seconds, 1))
    print(f"{name:20} test {np.mean(result['test']):6.2f}", flush=True)
    return result


def select():
    """Validation scores only: the test part is not looked at here."""
    found = []
    options = itertools.product(
        ("standardised", "square roots"), (True, False), (16, 32, 64), (0.0, 0.1)
    )
    for scale, change, units, dropout in options:
        network = HERE.ChangeForecaster if change else HERE.Forecaster
        task, scores = Task(scale), []
        for seed in SEEDS:

            def make_model(network=network, units=units, dropout=dropout):
                model = network(per_step=12, units=units)
                return WithDropout(model, dropout) if dropout else model

            model, _, _ = run(task, make_model, seed)
            scores.append(round(np.mean(task.score(model, 1)), 3))
        setting = {"scale": scale, "change": change, "units": units, "dropout": dropout}
        found.append({**setting, "validation": scores})
        print(setting, f"validation {np.mean(scores):.2f}", flush=True)
    return found


def main():
    set_up()
    parameters = inspect.signature(HERE.trained).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    del defaults["seed"]
    selection = select()
    result = {
        "settings": {"past": PAST, "ahead": AHEAD, "optimizer": "Adam", **defaults},
        "versions": versions(),
        "chosen": min(selection, key=lambda entry: np.mean(entry["validation"])),
        "selection": selection,
        "steps": {name: measure_step(name) for name in STEPS},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Nothing is written.")
    main()
