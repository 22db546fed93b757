"""Break the course in the ways of tools/mutants.tsv, one at a time: which test notices?

A line there: name, file, old text (⏎ is a line break), new text, tests, options, why.
The old text occurs exactly once. Options: a number (the second, ... of several), both
(the same in the script's notebook), sums (new checksum), npz (old is an element of an
array, new its value), copy (new is a file to put in its place). "why" explains what no
test sees. If its tests fail unchanged, a line is not tried. The status is 1 if less
than 95 % were seen, or one that was not has no explanation. Not for Windows: it forks.
"""

import argparse
import csv
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time

# Python would take two edits in one second for one.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np

from tools.build import ROOT, notebooks
from tools.course_copy import copy_course

WAYS = ROOT / "tools" / "mutants.tsv"
OPTIONS = "-x -q -rfE -n0 -p no:cacheprovider --basetemp={0}.tmp --rootdir={0}"
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
HEAD = "# What the tests notice\n\nWritten by `python tools/mutate.py --write`: "
COLUMNS = "\n\n| Way to break the course | File | Seen by |\n|---|---|---|\n"


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def apply(way, root):
    """Break the course in `root`; return what the files held before."""
    path, options = root / way["file"], way["options"].split()
    saved, old, new, others = {path: path.read_bytes()}, way["old"], way["new"], {}
    if "npz" in options:
        with np.load(path) as file:
            arrays = dict(file)
        exec(f"{old} = {new}", {}, arrays)
        np.savez_compressed(path, **arrays)
    elif "copy" in options:
        shutil.copyfile(root / new, path)
    else:
        parts = saved[path].decode().split(old.replace("⏎", "\n"))
        places = [int(word) for word in options if word.isdigit()]
        if max(places or [1]) >= len(parts) or (len(parts) > 2 and not places):
            raise ValueError(f"{way['name']}: {len(parts) - 1} times the old text")
        parts[(places or [1])[0] - 1] += new + parts.pop((places or [1])[0])
        path.write_bytes(old.join(parts).replace("⏎", "\n").encode())
    if "both" in options:
        notebook = dict(notebooks())[ROOT / way["file"]].relative_to(ROOT)
        others[notebook] = [json.dumps(t, ensure_ascii=False)[1:-1] for t in (old, new)]
    if "sums" in options:
        contents = saved[path], path.read_bytes()
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        others |= dict.fromkeys(["data/SHA256SUMS", "data/README.md"], digests)
    for name, (a, b) in others.items():
        saved[root / name] = (root / name).read_bytes()
        if a.encode() not in saved[root / name]:
            raise ValueError(f"{way['name']}: {name} does not have the old text")
        (root / name).write_bytes(saved[root / name].replace(a.encode(), b.encode()))
    return saved


def start(tests, copy):
    """Fork a process that runs tests in a copy of the course; return its number.

    It has torch and all the rest from its parent, but nothing of the course.
    """
    if number := os.fork():
        return number
    status = 70
    try:
        os.setsid()
        log = os.open(f"{copy}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # not a test's
        os.chdir(copy)
        for name in list(sys.modules):
            if name.partition(".")[0] in ("tools", "utils"):
                del sys.modules[name]
        sys.path[:] = [str(copy), *(place for place in sys.path if place != str(ROOT))]
        import pytest

        status = pytest.main(OPTIONS.format(copy).split() + shlex.split(tests))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def run(tasks, copies):
    """Yield (key, what saw it or "", seconds) for tasks (key, way, tests, limit)."""
    tasks, free, running = list(tasks), list(copies), {}
    while tasks or running:
        while tasks and free:
            (key, way, tests, limit), copy = tasks.pop(0), free.pop()
            saved = apply(way, copy) if way else {}
            running[start(tests, copy)] = key, copy, saved, limit, time.monotonic()
        time.sleep(0.02)
        for process, (key, copy, saved, limit, began) in list(running.items()):
            seconds = time.monotonic() - began
            done, status = os.waitpid(process, os.WNOHANG)
            if not done and seconds > limit:
                os.killpg(process, signal.SIGKILL)
                done, status = os.waitpid(process, 0)
            if done:
                for path, content in saved.items():
                    path.write_bytes(content)
                free.append(running.pop(process)[1])
                said = pathlib.Path(f"{copy}.log").read_text("utf-8", "replace")
                by = FAILED.search(said) or ["", f"{status}: {said.strip()[-200:]}"]
                yield key, by[1] if status else "", seconds


def main(arguments=None):
    sys.dont_write_bytecode = True
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="part of a name or file")
    parser.add_argument("--write", action="store_true", help="write tools/mutants.md")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    options = parser.parse_args(arguments)
    ways = [w for w in read(WAYS) if options.only in f"{w['name']} {w['file']}"]
    import matplotlib.pyplot, nbval.plugin, pandas, pytest, torch  # noqa: E401, F401, I001

    with tempfile.TemporaryDirectory() as folder:
        copies = [copy_course(f"{folder}/{k}") for k in range(options.jobs)]
        limits, seen = {}, {}
        checks = [(tests, None, tests, 900) for tests in {w["tests"] for w in ways}]
        for tests, failed, seconds in run(checks, copies):
            limits[tests] = 0 if failed else 60 + 4 * seconds
            if failed:
                print(f"fails unchanged: {tests}\n  {failed}", flush=True)
        tasks = [(way["name"], way, way["tests"], limits[way["tests"]]) for way in ways]
        for name, test, seconds in run([task for task in tasks if task[3]], copies):
            seen[name] = test
            print(f"{seconds:5.1f} s  {name}: {test or 'SURVIVED'}", flush=True)
    missed = [way for way in ways if seen.get(way["name"]) == ""]
    told = f"{len(seen) - len(missed)} ways seen, {len(missed)} not seen, "
    told += f"{len(ways) - len(seen)} not tried."
    for way in missed:
        print("SURVIVED", way["name"], way["why"] or "and nobody says why")
    print(told)
    if options.write and not options.only:
        text = HEAD + told + COLUMNS
        for way in ways:
            by = seen.get(way["name"], "not tried") or f"**nothing**: {way['why']}"
            row = (cell.replace("|", "\\|") for cell in (way["name"], way["file"], by))
            text += f"| {' | '.join(row)} |\n"
        WAYS.with_suffix(".md").write_text(text, encoding="utf-8", newline="\n")
    return int(len(missed) > 0.05 * len(seen) or not all(way["why"] for way in missed))


if __name__ == "__main__":
    sys.exit(main())
