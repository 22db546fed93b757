"""Train what the lessons quote over five seeds, and write their files of results.

    python tools/measure.py [LESSON ...]            measure; write the READMEs' tables
    python tools/measure.py [LESSON ...] --resume   keep what is measured already
    python tools/measure.py [LESSON ...] --check    train one seed again and compare
    python tools/measure.py --render                only write the tables

LESSON is the name of a script, for instance gru. All of them take more than an hour.
What to measure stands in the last cell of a lesson's script, tagged "measure":

measure(seed, **options)  trains once with the lesson's own functions; returns a dict of
                          scores: numbers, lists of numbers, or dicts of these
MEASURE                   name -> options, JSON values only. If an option is a list, its
                          values are tried; that with the lowest mean of "validation",
                          over all seeds or the first "choose_seeds", is kept
baselines()               scores without a seed    (these four may be left out)
times()                   times, which differ from run to run
luck(items)               what follows from single test items, "_items" of measure: not
                          stored, but here as name -> array, the mean over the seeds
overview(results)         rows of the table in the topic's README

Then results/LESSON.json in the topic's folder holds "versions", "settings", "scores"
(for each name its options, the values chosen, their selection, and each score as a list
over the seeds), "baselines", "times", "luck" and "overview".
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
import torch

from tools.build import notebooks

SEEDS = [0, 1, 2, 3, 4]
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
BEGIN, END = "<!-- results -->", "<!-- /results -->"
HEADER = ["Task", "Simple forecasts", "Networks", "Lesson"]
NO_SCORES = "options", "chosen", "selection"  # of an entry of "scores"


def lessons():
    """(script, notebook) of every lesson that has something to measure."""
    return [(s, p) for s, p in notebooks() if '"measure"' in s.read_text("utf-8")]


def result_path(script):
    """Where the results of a lesson are kept."""
    return script.parents[1] / "results" / f"{script.stem}.json"


def read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(path, result):
    """Write JSON, a flat list or dict in one line: all of it, or nothing."""

    def one_line(found):
        return json.dumps(json.loads(found[0]), ensure_ascii=False)

    text = json.dumps(result, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[^][{}]*\]|\{[^][{}]*\}", one_line, text)
    half = path.with_suffix(".half")
    half.write_text(text + "\n", encoding="utf-8", newline="\n")
    half.replace(path)


def load(script):
    """The names that a lesson's script defines.

    Claims are left out, and so is, with a message, a cell that fails: they may speak of
    results that are still to be measured.
    """
    names = {"__name__": "__main__", "baselines": dict, "times": dict}
    names["overview"] = lambda results: []
    _, *parts = CELL.split(script.read_text(encoding="utf-8"))
    with contextlib.chdir(script.parents[1]):
        for head, code in zip(parts[::2], parts[1::2], strict=True):
            if "[markdown]" in head or '"claims"' in head:
                continue
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(code, script.name, "exec"), names)
            except Exception as error:
                print(f"{script.name}: left out, {error!r}:\n{code}", file=sys.stderr)
    if missing := {"measure", "MEASURE"} - names.keys():
        sys.exit(f"{script.name} does not define {' and '.join(sorted(missing))}")
    return names


def call(function, *arguments, **options):
    """What a function returns, as JSON holds it, and its CPU-seconds.

    Every measurement starts alike, whatever was measured before it.
    """
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        found = function(*arguments, **options)
    return json.loads(json.dumps(found)), round(time.process_time() - started, 1)


def over_seeds(runs):
    """One dict of scores for several: each score a list over the runs."""
    found = {key: [run[key] for run in runs] for key in runs[0]}
    return {k: over_seeds(v) if isinstance(v[0], dict) else v for k, v in found.items()}


def measure_item(measure, options):
    """(entry of "scores", CPU-seconds of each seed) for the options of one name."""
    given = {key: v for key, v in options.items() if key != "choose_seeds"}
    lists = {key: v for key, v in given.items() if isinstance(v, list)}
    first = options.get("choose_seeds", len(SEEDS))

    def train(chosen, seeds):
        return [call(measure, seed, **{**given, **chosen}) for seed in seeds]

    tried = itertools.product(*lists.values())  # nothing to choose: one empty choice
    tried = [dict(zip(lists, values, strict=True)) for values in tried]
    runs, best = [train(chosen, SEEDS[:first]) for chosen in tried], 0
    entry = {"options": options}
    if lists:
        validation = [[scores["validation"] for scores, _ in some] for some in runs]
        means = [round(statistics.mean(some), 4) for some in validation]
        best = means.index(min(means))
        entry["chosen"], entry["selection"] = tried[best], []
        for chosen, mean in zip(tried, means, strict=True):
            entry["selection"].append({**chosen, "validation": mean})
    scores, seconds = zip(*runs[best], *train(tried[best], SEEDS[first:]), strict=True)
    entry |= over_seeds(scores)
    if "_items" in entry:
        entry["_items"] = np.mean(entry["_items"], axis=0).tolist()
    return entry, seconds


def measure_lesson(script, resume=False):
    """Measure everything of a lesson, and write its file of results."""
    names, path = load(script), result_path(script)
    part = path.with_suffix(".part")  # what is finished, until all is
    old = (read(part) or read(path)) if resume else {}
    old_times = old.get("times", {})
    old_seconds = old_times.pop("cpu_seconds", {})
    result = {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        "settings": {"seeds": SEEDS},
        "scores": {},
        "baselines": call(names["baselines"])[0],
        "times": {"cpu_seconds": {}},
    }
    path.parent.mkdir(exist_ok=True)
    kept, asked = old.get("scores", {}), names["MEASURE"]
    same = {name: entry["options"] for name, entry in kept.items()} == asked
    if "luck" in names and not (same or part.is_file()):
        kept = {}  # the file of results has no items any more
    for name, options in asked.items():
        entry, seconds = kept.get(name, {}), old_seconds.get(name)
        if entry.get("options") != options:
            entry, seconds = measure_item(names["measure"], options)
            print(f"{script.stem}: {name}, CPU-seconds {seconds}", flush=True)
        result["scores"][name], result["times"]["cpu_seconds"][name] = entry, seconds
        write(part, result)
    result["times"] |= old_times or call(names["times"])[0]
    found = {name: entry.pop("_items", []) for name, entry in result["scores"].items()}
    items = {name: np.array(values) for name, values in found.items() if values}
    result["luck"] = call(names["luck"], items)[0] if items else old.get("luck", {})
    result["overview"] = call(names["overview"], result)[0]
    write(path, result)
    part.unlink()


def differences(old, new, tolerance, where):
    """Where JSON values differ. With a tolerance counts may, and scores a little."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from differences(old[key], new[key], tolerance, f"{where}, {key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for a, b in zip(old, new, strict=True):
            yield from differences(a, b, tolerance, where)
    elif old != new:
        numbers = isinstance(old, (int, float)) and isinstance(new, (int, float))
        if not (tolerance and numbers) or (
            isinstance(old, float) and abs(new - old) > tolerance * abs(old)
        ):
            yield f"{where}: {new} now, {old} in the file"


def first_seed(scores):
    if isinstance(scores, dict):
        return {key: first_seed(values) for key, values in scores.items()}
    return scores[0]


def check_lesson(script, tolerance=0.0):
    """What differs from the file when its first seed is trained again, as texts."""
    names, stored = load(script), read(result_path(script))
    asked = {name: entry["options"] for name, entry in stored["scores"].items()}
    if asked != names["MEASURE"]:
        return ["other names or options in MEASURE than in the file: measure again"]
    name, entry = next(iter(stored["scores"].items()))
    options = entry["options"] | entry.get("chosen", {})
    options.pop("choose_seeds", None)
    again, _ = call(names["measure"], SEEDS[0], **options)
    again.pop("_items", None)
    lists = {key: v for key, v in entry.items() if key not in NO_SCORES}
    simple, _ = call(names["baselines"])
    rows, _ = call(names["overview"], stored)
    return [
        *differences(first_seed(lists), again, tolerance, name),
        *differences(stored["baselines"], simple, tolerance, "baselines"),
        *differences(stored["overview"], rows, 0, "overview"),
    ]


def with_table(text, rows):
    """The text of a README with these rows as the table between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"a README for results must have the marks {BEGIN} and {END}")
    head, *lines = ("| " + " | ".join(map(str, row)) + " |" for row in [HEADER, *rows])
    table = "\n".join([head, "|" + "---|" * len(HEADER), *lines])
    return f"{before}{begin}\n{table}\n{end}{after}"


def render():
    """Write the table of each topic's README from its files of results."""
    tables = {}
    for script, _ in lessons():
        rows = tables.setdefault(script.parents[1] / "README.md", [])
        rows += read(result_path(script)).get("overview", [])
    for readme, rows in tables.items():
        if rows:
            text = with_table(readme.read_text(encoding="utf-8"), rows)
            readme.write_text(text, encoding="utf-8", newline="\n")


def stop_at_ctrl_c():
    """Let Ctrl-C end the program. `fit` takes it for the wish to stop training, and the
    score of a half-trained network would be kept.
    """

    def stop(*_):
        told = "\nStopped. What is finished is kept: --resume goes on."
        print(told, file=sys.__stdout__, flush=True)
        os._exit(130)

    signal.signal(signal.SIGINT, stop)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("lesson", nargs="*", help="a script, for instance gru; left out: all of them")
    add("--resume", action="store_true", help="keep what is measured already")
    add("--check", action="store_true", help="train one seed again and compare")
    add("--render", action="store_true", help="only write the tables in the READMEs")
    told = "of --check, for another processor, which rounds differently"
    add("--tolerance", type=float, default=0.0, metavar="SHARE", help=told)
    options = parser.parse_args(arguments)
    scripts = {script.stem: script for script, _ in lessons()}
    if unknown := set(options.lesson) - scripts.keys():
        parser.error(f"no lesson {', '.join(unknown)}; there are {', '.join(scripts)}")
    chosen = [] if options.render else options.lesson or list(scripts)
    stop_at_ctrl_c()
    if options.check:
        problems = {
            name: check_lesson(scripts[name], options.tolerance) for name in chosen
        }
        for name, found in problems.items():
            told = f"{name} differs:" if found else f"{name}: as in the file"
            print(told, *found, sep="\n  ")
        return int(any(problems.values()))
    for name in chosen:
        measure_lesson(scripts[name], options.resume)
    render()
    return 0


if __name__ == "__main__":
    sys.exit(main())
