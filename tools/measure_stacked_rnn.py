"""Train the networks of lesson 02.4 with five seeds each, and write their scores.

    python tools/measure_stacked_rnn.py

Writes 02_LSTM_RNN/results/stacked_rnn.json (half an hour on one thread):

selection  mean bits per character on the validation part, for each learning rate tried
           (doubled or halved until the best is not at the edge)
networks   for each seed, with the learning rate that was best: bits per character on
           the validation and the test part; parameters; CPU-seconds of one training;
           and which share of the training names and of the held-out names is among
           10,000 names that the network draws
as_stream  for two of them: bits per character on the test part when its names are read
           as one stream, with the state carried from name to name

Functions and settings are those of the lesson's script itself: this file only runs them
more often.
"""

import functools
import json
import os
import pathlib
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np

from tools.lesson_functions import load_lesson, stop_at_ctrl_c, versions

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/stacked_rnn.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "stacked_rnn.json"
SEEDS, RATES, DRAWN = range(5), (0.01, 0.02), 10_000
# The assignments of the lesson that its functions build on.
NEEDED = {"LETTERS", "names", "order", "parts", "train", "EPOCHS"}

# Equal parameters: the units of one, two and three layers. They choose their rate.
RACE = {
    "1 layer": {"layers": 1, "units": 128},
    "2 layers": {"layers": 2, "units": 78},
    "3 layers": {"layers": 3, "units": 61},
}
# The two layers of the race, at their rate, with one or two things changed. "batches"
# names a function below.
CHANGED = {
    "2 layers, dropout": {"p": 0.2},
    "not carried": {"carry": False},
    "whole names": {"carry": False, "batches": "whole_names"},
    "5 letters": {"batches": "short_chunks"},
    "5 letters, not carried": {"batches": "short_chunks", "carry": False},
}

OPTIONS = "layers", "units", "lr", "carry"


def lesson():
    """The lesson's imports, functions and data, without its experiments."""
    return load_lesson(SCRIPT, NEEDED)


def whole_names(here, rng, size=214):
    """Batches of names, padded, about as many letters in each as in a chunk."""
    order = rng.permutation(len(here.train))
    rows = np.array_split(order, -(-len(order) // size))
    return [here.padded([here.train[i] for i in part]) for part in rows]


def short_chunks(here, rng):
    """Chunks that are shorter than most names."""
    return here.chunks(rng, length=5)


def found(drawn, names):
    """The share of `names` that are among those drawn."""
    return len(set(drawn) & set(names)) / len(names)


def train_one(here, seed, options):
    """Scores of one network, and what it draws."""
    options = dict(options)
    if "batches" in options:
        function = {"whole_names": whole_names, "short_chunks": short_chunks}
        options["batches"] = functools.partial(function[options["batches"]], here)
    started = time.process_time()
    model, _ = here.train_network(seed=seed, **options)
    seconds = time.process_time() - started
    score = {
        part: here.per_character(here.name_bits(model, names), names).item()
        for part, names in (("validation", here.validation), ("test", here.test))
    }
    drawn = here.sample(model, DRAWN)
    return score | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "cpu_seconds": seconds,
        "drawn_of_training": found(drawn, here.train),
        "drawn_of_held_out": found(drawn, here.validation + here.test),
    }


def entry(here, options):
    """One entry of `networks`: all seeds."""
    runs = [train_one(here, seed, options) for seed in SEEDS]

    def of_all(key):
        return [round(run[key], 4) for run in runs]

    keys = "validation", "test", "drawn_of_training", "drawn_of_held_out"
    return {
        **options,
        "parameters": runs[0]["parameters"],
        **{key: of_all(key) for key in keys},
        "cpu_seconds": round(statistics.median(run["cpu_seconds"] for run in runs)),
    }


def as_stream(here, network):
    """Test scores for each seed, trained once more, of all test names as one stream."""
    options = {key: network[key] for key in OPTIONS if key in network}
    models = (here.train_network(seed=seed, **options)[0] for seed in SEEDS)
    return [round(here.stream_score(model, here.test), 4) for model in models]


def mean_validation(network):
    return round(statistics.mean(network["validation"]), 4)


def search(here, options):
    """The entry with the best learning rate, and what each rate gave. Rates are doubled
    or halved until the best is not at the edge of those tried.
    """
    tried, waiting = {}, RATES
    while waiting:
        tried |= {lr: entry(here, {**options, "lr": lr}) for lr in waiting}
        scores = {lr: mean_validation(tried[lr]) for lr in sorted(tried)}
        best = min(scores, key=scores.get)
        waiting = [lr for lr in (best / 2, best * 2) if lr not in tried]
    return tried[best], {str(lr): score for lr, score in scores.items()}


def main():
    here = lesson()
    networks, selection, streamed = {}, {}, {}

    def write():
        result = {
            "versions": versions(),
            "settings": {
                "seeds": list(SEEDS),
                "first_learning_rates": list(RATES),
                "epochs": here.EPOCHS,
                "drawn": DRAWN,
                "unit": "bits per character",
            },
            "selection": selection,
            "networks": networks,
            "as_stream": streamed,
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    for name, options in RACE.items():
        networks[name], selection[name] = search(here, options)
        print(name, selection[name], networks[name], flush=True)
        write()
    base = {**RACE["2 layers"], "lr": networks["2 layers"]["lr"]}
    for name, options in CHANGED.items():
        networks[name] = entry(here, base | options)
        print(name, networks[name], flush=True)
        write()
    for name in ("2 layers", "not carried"):
        streamed[name] = as_stream(here, networks[name])
        print(name, "as a stream:", streamed[name], flush=True)
        write()


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Finished parts are written.")
    main()
