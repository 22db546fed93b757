"""Train the taggers of lesson 02.5 with five seeds each, and write their scores.

    python tools/measure_bidirectional_rnn.py

Writes 02_LSTM_RNN/results/bidirectional_rnn.json (ten minutes on one thread):

selection  mean percent of vowels right on the validation part of the random split, over
           both kinds and five seeds, for each learning rate; the highest one is used
networks   with that learning rate, for both splits: percent right of vowels and of
           whole words, five seeds each, on the validation part, on the test part, and
           on its words that have a relative anywhere in the data (family) or none
           (single); parameters; median CPU-seconds of one training

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

from tools.lesson_functions import load_lesson, stop_at_ctrl_c, versions

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/bidirectional_rnn.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "bidirectional_rnn.json"
SEEDS, RATES = range(5), (0.005, 0.01)
NETWORKS = {"forward only": False, "both directions": True}
# The assignments of the lesson that its functions build on.
NEEDED = {"words", "symbols", "code", "coded", "labels", "sounds", "stress", "lengths"}
NEEDED |= {"STEM", "stems", "splits", "related", "RULES", "table", "of_word"}


def lesson():
    """The lesson's imports, functions and data, without its experiments."""
    return load_lesson(SCRIPT, NEEDED)


def train_one(here, name, split, seed, lr):
    """Scores [percent of vowels, percent of words] by part; size and CPU-seconds."""
    rows = here.splits[split]
    started = time.process_time()
    model, history = here.train_tagger(NETWORKS[name], rows, lr=lr, seed=seed)
    result = {
        "cpu_seconds": time.process_time() - started,
        "kept_epoch": history.best_epoch,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    parts = {"validation": rows["validation"], "test": rows["test"]}
    parts["family"], parts["single"] = by_family(here, rows["test"])
    for part, some in parts.items():
        result[part] = here.score(here.tag(model, some), some)
    return result


def by_family(here, rows):
    """Those of the words that share their stem with any other word, and the others."""
    _, stem, size = np.unique(here.stems, return_inverse=True, return_counts=True)
    family = size[stem[rows]] > 1
    return rows[family], rows[~family]


def gathered(runs):
    """One entry for a split: a list over seeds for vowels and one for words."""
    entry = {
        part: np.transpose([run[part] for run in runs]).round(2).tolist()
        for part in ("validation", "test", "family", "single")
    }
    return entry | {"kept_epoch": [run["kept_epoch"] for run in runs]}


def main():
    here = lesson()
    runs = {
        (name, lr): [train_one(here, name, "random", seed, lr) for seed in SEEDS]
        for lr in RATES
        for name in NETWORKS
    }
    selection = {
        lr: statistics.mean(
            run["validation"][0] for name in NETWORKS for run in runs[name, lr]
        )
        for lr in RATES
    }
    lr = max(RATES, key=selection.get)
    networks = {}
    for name in NETWORKS:
        kept = {"random": runs[name, lr]}
        kept["stem"] = [train_one(here, name, "stem", seed, lr) for seed in SEEDS]
        seconds = [run["cpu_seconds"] for some in kept.values() for run in some]
        networks[name] = {
            "parameters": runs[name, lr][0]["parameters"],
            "cpu_seconds": round(statistics.median(seconds), 1),
            **{split: gathered(some) for split, some in kept.items()},
        }
    result = {
        "versions": versions(),
        "settings": {
            "seeds": list(SEEDS),
            "learning_rate": lr,
            "unit": "percent right: [of vowels, of whole words]",
        },
        "selection": {str(rate): round(found, 3) for rate, found in selection.items()},
        "networks": networks,
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Nothing is written.")
    main()
