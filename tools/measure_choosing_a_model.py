"""Train all models of lesson 02.6 on its three tasks, five seeds each.

    python tools/measure_choosing_a_model.py             everything
    python tools/measure_choosing_a_model.py inference   that part only

Writes 02_LSTM_RNN/results/choosing_a_model.json (fifteen CPU-minutes on one thread):

tasks      task -> model -> parameters; selection (mean validation score of the first
           seeds at each learning rate) and the rate chosen by it; then, for each seed
           with that rate, the validation and test score and CPU-seconds of training
baselines  names: bits a character of an interpolated Witten-Bell model on the test
           part, by letters of context (0 to 5), and the context chosen on the
           validation part; stress: two counting rules, percentage of vowels and of
           words right on the test part
inference  task -> model -> microseconds for one example alone: the whole sequence
           (of `steps` steps), and one step from a carried state, where that is possible

Scores: forecast, RMSE in sunspots, mean of 12 months ahead; names, bits a character;
stress, on validation bits a vowel, on test the percentage of vowels that are right and,
as `words`, of words with all vowels right. Lower is better but for percentages.
Times belong to the machine that wrote the file.

Networks and training are those of the lesson's script: this file only runs them more
often.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import torch

from tools import measure_bidirectional_rnn, measure_stacked_rnn
from tools.lesson_functions import load_lesson, stop_at_ctrl_c, versions

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = "02_LSTM_RNN/raw_scripts/choosing_a_model.py"
RESULT = ROOT / "02_LSTM_RNN" / "results" / "choosing_a_model.json"
SEEDS = range(5)
# Seeds to choose the learning rate on. Forecasts scatter more, and take less time.
CHOOSING = {"forecast": range(5), "names": range(2), "stress": range(2)}
RATES = {
    "forecast": (0.001, 0.003, 0.01),
    "names": (0.01, 0.017, 0.03, 0.05),
    "stress": (0.005, 0.01, 0.02, 0.04),
}
EPOCHS = {"forecast": 60, "names": 10, "stress": 5}
# A bidirectional character model reads the letter that it is asked for.
NOT_APPLICABLE = {("names", "both ways")}
# The assignments of the lesson that its functions build on.
NEEDED = {"MODELS", "SIZES", "sunspots", "parts", "scale", "cuts", "pairs"}
NEEDED |= {"codes", "names", "table", "sounds", "spoken", "words"}


def lesson():
    """The lesson's networks, data and training, without its experiments."""
    return load_lesson(SCRIPT, NEEDED)


def train_one(here, task, model, seed, lr):
    """Scores and CPU-seconds of one network."""
    net, started = here.Network(model, task, seed), time.process_time()
    if task == "forecast":
        options = {"epochs": EPOCHS[task], "batch_size": 128, "lr": lr, "seed": seed}
        here.fit(net, here.pairs[0], here.pairs[1], **options)
    else:
        train, validation, test = getattr(here, task if task == "names" else "words")
        here.train(net, train, validation, lr, EPOCHS[task], seed)
    seconds = time.process_time() - started
    if task == "forecast":
        scores = [here.mean_rmse(here.forecast(net, part), part) for part in (1, 2)]
        result = {"validation": scores[0], "test": scores[1]}
    elif task == "names":
        result = {
            "validation": here.bits(net, validation),
            "test": here.bits(net, test),
        }
    else:
        vowels, whole = here.right(net, test)
        result = {
            "validation": here.bits(net, validation),
            "test": vowels,
            "words": whole,
        }
    result = {key: round(float(value), 4) for key, value in result.items()}
    return result | {"cpu_seconds": round(seconds, 1)}


def measure(here, task, model):
    """The entry of one model: choose a learning rate, then train with all seeds."""
    runs = {
        lr: [train_one(here, task, model, seed, lr) for seed in CHOOSING[task]]
        for lr in RATES[task]
    }
    selection = {
        str(lr): round(statistics.mean(run["validation"] for run in found), 4)
        for lr, found in runs.items()
    }
    lr = float(min(selection, key=selection.get))
    rest = [seed for seed in SEEDS if seed not in CHOOSING[task]]
    kept = runs[lr] + [train_one(here, task, model, seed, lr) for seed in rest]
    weights = here.Network(model, task).parameters()
    entry = {"parameters": sum(w.numel() for w in weights)}
    entry |= {"selection": selection, "lr": lr}
    entry |= {key: [run[key] for run in kept] for key in kept[0]}
    seconds = time.process_time()
    print(f"{task} {model}: {selection}, {seconds:.0f} CPU-s so far", flush=True)
    return entry


def names_baselines(here):
    """Bits a character by letters of context, and the context that validation chose."""
    counts = measure_stacked_rnn.lesson()  # whose Witten-Bell counts these are
    train, validation, test = here.split(here.load_surnames())
    tables = counts.count(train, longest=5)

    def bits(names):  # for 0 to 5 letters of context
        return counts.per_character(counts.ngram_bits(tables, names), names)

    context = int(bits(validation).argmin())
    on_test = bits(test).round(4).tolist()
    return {"by_context": on_test, "context": context, "test": on_test[context]}


def stress_baselines():
    """Percentage of vowels and of words that two of lesson 02.5's rules get right."""
    here = measure_bidirectional_rnn.lesson()  # its random split has the same words
    rules = here.rule_scores(here.splits["random"])
    return {
        name: [round(float(share), 2) for share in rules[name]]
        for name in ("the vowel", "all vowels")
    }


def measure_inference(here, task, models, rounds=300):
    """Median time of one example, the models taken in turn."""
    steps = {"forecast": 12, "names": 8, "stress": 7}[task]
    shape = (1, steps, 12) if task == "forecast" else (1, steps)
    x = torch.randn(shape) if task == "forecast" else torch.randint(0, 27, shape)
    nets = {model: here.Network(model, task).eval() for model in models}
    states = {model: net.rnn(net.embed(x))[1] for model, net in nets.items()}

    def one_step(model):
        net = nets[model]
        out, _ = net.rnn(net.embed(x[:, :1]), states[model])
        return net.head(out)

    streaming = [model for model in models if not nets[model].rnn.bidirectional]
    jobs = {(model, "sequence"): lambda m=model: nets[m](x) for model in models}
    jobs |= {(model, "step"): lambda m=model: one_step(m) for model in streaming}
    taken = {key: [] for key in jobs}
    with torch.inference_mode():
        for _ in range(rounds + 20):  # the first twenty warm up
            for key, job in jobs.items():
                started = time.process_time_ns()
                job()
                taken[key].append(time.process_time_ns() - started)
    found = {key: statistics.median(times[20:]) / 1000 for key, times in taken.items()}
    result = {
        model: {"sequence_us": round(found[model, "sequence"])} for model in models
    }
    for model in streaming:
        result[model]["step_us"] = round(found[model, "step"])
    return {"steps": steps, "models": result}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    sections = (*RATES, "baselines", "inference")
    parser.add_argument("section", nargs="*", help=f"of {', '.join(sections)}")
    chosen = parser.parse_args(arguments).section or sections
    if unknown := set(chosen) - set(sections):
        parser.error(f"no such section: {', '.join(unknown)}")
    started, here, result = time.process_time(), lesson(), {}
    if set(chosen) != set(sections):  # keep the rest of the file
        result = json.loads(RESULT.read_text(encoding="utf-8"))
    result["versions"] = versions()
    result["settings"] = {
        "machine": f"{platform.machine()}, one thread",
        "seeds": list(SEEDS),
        "seeds_to_choose_lr": {task: len(seeds) for task, seeds in CHOOSING.items()},
        "epochs": EPOCHS,
        "batch_size": 128,
    }
    models = {
        task: [m for m in here.MODELS if (task, m) not in NOT_APPLICABLE]
        for task in RATES
    }
    tasks = result.setdefault("tasks", {})
    for task in RATES:
        if task in chosen:
            tasks[task] = {model: measure(here, task, model) for model in models[task]}
    if "baselines" in chosen:
        result["baselines"] = {
            "names": names_baselines(here),
            "stress": stress_baselines(),
        }
    if "inference" in chosen:
        result["inference"] = {
            task: measure_inference(here, task, models[task]) for task in RATES
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{(time.process_time() - started) / 60:.1f} CPU-minutes")


if __name__ == "__main__":
    stop_at_ctrl_c("Stopped. Nothing is written.")
    main()
