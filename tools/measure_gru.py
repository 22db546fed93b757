"""Train the networks of lesson 02.3 with five seeds each, and write their scores.

    python tools/measure_gru.py

Writes 02_LSTM_RNN/results/gru.json (fifteen minutes on one thread):

selection  mean MAE on the validation part for each learning rate, relative to ridge
           regression, over three horizons and five seeds; the lowest one is used
networks   for each horizon and seed, with that learning rate: MAE in °C on the
           validation and the test part, and the epoch kept; parameters; CPU-seconds
layers     CPU-time of one forward and backward pass, relative to nn.LSTM, and how many
           nodes autograd records for it

Functions and settings are those of the lesson's script itself: this file only runs them
more often.
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
from utils.forecasting import mae

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/gru.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "gru.json"
SEEDS, RATES = range(5), (0.001, 0.003)


class NoLayer(nn.Module):
    """Stands where a recurrent layer would be, and passes all 48 x 10 inputs on. What
    is left of the lesson's network is a straight line, trained as the networks are.
    """

    def __init__(self, input_size, hidden_size, batch_first):
        super().__init__()

    def forward(self, x):
        return x.flatten(1)[:, None], None


# name -> (cell, units, what it corrects); the units make the parameters equal
NETWORKS = {
    "RNN": (nn.RNN, 59, "same"),
    "LSTM": (nn.LSTM, 27, "same"),
    "GRU": (nn.GRU, 32, "same"),
    "ridge + GRU": (nn.GRU, 32, "linear"),
    "straight line": (NoLayer, 480, "same"),
}
# The assignments of the lesson that its functions build on.
NEEDED = {"weather", "train", "table", "scale", "HOURS", "parts", "sets", "same"}
NEEDED.add("linear")


def lesson():
    """The lesson's imports, functions and data, without its experiments."""
    return load_lesson(SCRIPT, NEEDED)


def train_one(here, name, horizon, seed, lr):
    """Scores of one network: horizon is 0, 1 or 2, a position in the lesson's HOURS."""
    cell, units, base = NETWORKS[name]
    started = time.process_time()
    forecast, history, model = here.train_network(
        horizon, getattr(here, base), cell=cell, units=units, lr=lr, seed=seed
    )
    seconds = time.process_time() - started
    error = {
        part: mae(forecast[part], here.sets[part][1][:, horizon])
        for part in ("validation", "test")
    }
    return error | {
        "kept_epoch": history.best_epoch,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds_per_epoch": seconds / len(history.train),
    }


def measure_network(here, name):
    """(entry of `networks`, entry of `selection`) for one kind of network."""
    reference = here.errors(here.linear["validation"], here.sets["validation"][1])
    runs, selection = {}, {}
    for lr in RATES:
        runs[lr] = [
            [train_one(here, name, i, seed, lr) for seed in SEEDS] for i in range(3)
        ]
        found = np.array([[run["validation"] for run in row] for row in runs[lr]])
        selection[str(lr)] = round((found.mean(axis=1) / reference).mean(), 4)
        print(f"{name:12} lr {lr}: {selection[str(lr)]:.4f} of ridge", flush=True)
    lr = float(min(selection, key=selection.get))
    kept = runs[lr]

    def of_all(key, digits):
        return [[round(run[key], digits) for run in row] for row in kept]

    seconds = [run["seconds_per_epoch"] for row in kept for run in row]
    return {
        "units": NETWORKS[name][1],
        "parameters": kept[0][0]["parameters"],
        "lr": lr,
        "validation": of_all("validation", 4),
        "test": of_all("test", 4),
        "kept_epoch": of_all("kept_epoch", None),
        "cpu_seconds_per_epoch": round(statistics.median(seconds), 2),
    }, selection


def nodes(output):
    """How many nodes autograd has recorded behind a tensor, and their names."""
    seen, names, waiting = set(), set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.add(node.name())
            waiting += [parent for parent, _ in node.next_functions]
    return len(seen), names


def measure_layers(here, batch, steps=48, inputs=10, units=32, rounds=40):
    """CPU-time of one forward and backward pass, the layers taken in turn."""
    torch.manual_seed(0)
    x, h = torch.randn(steps, batch, inputs), torch.zeros(batch, units)
    built_in = {f"nn.{k.__name__}": k(inputs, units) for k in (nn.RNN, nn.GRU, nn.LSTM)}
    weights = list(built_in["nn.GRU"].parameters())
    layers = {name: lambda layer=layer: layer(x)[0] for name, layer in built_in.items()}
    layers["gru_layer"] = lambda: here.gru_layer(x, h, *weights, reset="after")
    layers["fast_gru_layer"] = lambda: here.fast_gru_layer(x, h, *weights)
    taken = {name: [] for name in layers}
    for _ in range(rounds + 3):  # the first three rounds warm up
        for name, layer in layers.items():
            started = time.process_time()
            layer().sum().backward()
            taken[name].append(time.process_time() - started)
    median = {name: statistics.median(values[3:]) for name, values in taken.items()}
    return {
        "batch": batch,
        "time_relative_to_lstm": {
            name: round(value / median["nn.LSTM"], 1) for name, value in median.items()
        },
        "fast_gru_layer_relative_to_gru": round(
            median["fast_gru_layer"] / median["nn.GRU"], 2
        ),
    }


def main():
    here = lesson()
    x = torch.randn(48, 64, 10)
    recorded = {k.__name__: nodes(k(10, 32)(x)[0]) for k in (nn.RNN, nn.GRU, nn.LSTM)}
    layers = {
        "steps": 48,
        "inputs": 10,
        "units": 32,
        "nodes": {f"nn.{name}": count for name, (count, _) in recorded.items()},
        "lstm_kernel": [n for n in recorded["LSTM"][1] if "mkldnn" in n.lower()],
        "times": [measure_layers(here, batch) for batch in (32, 128)],
    }
    print(json.dumps(layers, indent=1), flush=True)
    networks, selection = {}, {}
    for name in NETWORKS:
        networks[name], selection[name] = measure_network(here, name)
    result = {
        "versions": versions(),
        "settings": {
            "hours": here.HOURS.tolist(),
            "seeds": list(SEEDS),
            "learning_rates": list(RATES),
            "unit": "°C",
        },
        "selection": selection,
        "networks": networks,
        "layers": layers,
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Nothing is written.")
    main()
