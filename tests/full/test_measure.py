"""The files of results are what the lessons measure; the tool does what it says."""

import re
import signal
import statistics
import subprocess
import sys
import time

import pytest
from running import ROOT, python

from tools import measure

LESSONS = {script.stem: script for script, _ in measure.lessons()}
FILES = {name: measure.read(measure.result_path(p)) for name, p in LESSONS.items()}
TOY = """
# %% tags=["claims"]
assert False, "nothing is measured yet"

# %%
open("results/toy.json")

# %% tags=["measure"]
def measure(seed, x, y=0):
    if x < 9:
        found = {"validation": x + seed * 10 ** (1 - x), "net": {"test": [x + y, seed]}}
        return {**found, "_items": [x, seed]}
    import torch
    from utils.training import fit

    data = torch.zeros(9, 1), torch.zeros(9, 1)
    return fit(torch.nn.Linear(1, 1), data, data, epochs=10**9)

MEASURE = {"few": {"x": [3, 1, 2], "y": [5, 4], "choose_seeds": 1}, "one": {"x": 2}}
baselines = lambda: {"simple": 1.25}
luck = lambda items: {"gap": (items["one"] - items["few"]).tolist()}
overview = lambda results: [["toy", "", results["scores"]["one"]["validation"][0], 1]]
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The script of a lesson that measures in no time."""
    script = tmp_path / "raw_scripts" / "toy.py"
    script.parent.mkdir()
    script.write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(measure, "lessons", lambda: [(script, None)])
    return script


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_measures_what_is_in_its_file(name):
    """Another processor rounds differently, and training amplifies it."""
    run = python(measure.__file__, "--check", name, "--tolerance", "0.05")
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_five_seeds_and_chooses_on_validation(name):
    for entry in FILES[name]["scores"].values():
        scores = {k: v for k, v in entry.items() if k not in measure.NO_SCORES}
        assert {len(v) for v in scores.values() if isinstance(v, list)} <= {5}
        if "selection" in entry:
            best = min(entry["selection"], key=lambda some: some["validation"])
            kept = entry["validation"][: entry["options"].get("choose_seeds", 5)]
            mean = pytest.approx(statistics.mean(kept), abs=2e-4)
            assert best == {**entry["chosen"], "validation": mean}


def test_lessons_share_their_simple_forecasts():
    simple = FILES["choosing_a_model"]["baselines"]
    counts, rules = (
        FILES[name]["baselines"] for name in ("stacked_rnn", "bidirectional_rnn")
    )
    assert simple["names"] == {name: counts[name] for name in simple["names"]}
    assert simple["stress"] == {name: rules[name] for name in simple["stress"]}
    near = FILES["simple_rnn"]["baselines"]
    assert simple["forecast"]["persistence"] == near["persistence"][1]


def test_the_guide_of_01_gives_no_prediction_away():
    """Who reads it first can still predict: it has only the numbers of lessons."""
    guide = (ROOT / "01_Introduction_to_RNN/README.md").read_text("utf-8")
    assert not re.findall(r"\b(?!0\d\.\d\b)\d+\.\d+|\d ?%|\d\^\{?-?\d", guide)


@pytest.mark.parametrize("lesson, least", [("gru", 10), ("next_word", 4)])
def test_the_table_is_that_of_the_files(lesson, least):
    topic = LESSONS[lesson].parents[1]
    files = [FILES[name] for name, path in LESSONS.items() if path.parents[1] == topic]
    rows = [list(row) for file in files for row in file["overview"]]
    text = (topic / "README.md").read_text(encoding="utf-8")
    assert len(rows) >= least and measure.with_table(text, rows) == text
    rows[0][2] = "simple RNN 0.1"
    assert measure.with_table(text, rows) != text
    with pytest.raises(ValueError, match="<!-- results -->"):
        measure.with_table("no marks", rows)


def test_a_lesson_is_measured_chosen_shown_and_checked(toy, capsys):
    readme, path = toy.parents[1] / "README.md", measure.result_path(toy)
    readme.write_text("a\n<!-- results -->\nold\n<!-- /results -->\nz\n")
    assert measure.main(["toy"]) == 0 and list(path.parent.iterdir()) == [path]
    assert capsys.readouterr().err.count("left out") == 1  # the cell, not the claim
    assert "| toy |  | 2.0 | 1 |\n<!-- /results -->\nz" in readme.read_text()
    stored = measure.read(path)
    few = stored["scores"]["few"]
    assert "_items" not in few and stored["luck"] == {"gap": [1, 0]}
    assert few["chosen"] == {"x": 1, "y": 5}  # the first of two that are equally good
    assert [some["validation"] for some in few["selection"]] == [3, 3, 1, 1, 2, 2]
    assert few["validation"] == [1, 2, 3, 4, 5] and few["net"]["test"][4] == [6, 4]
    assert measure.main(["toy", "--check"]) == 0
    few["net"]["test"][0][0], stored["baselines"]["simple"] = 7, 1.3
    measure.write(path, stored)
    capsys.readouterr()
    assert measure.main(["toy", "--check"]) == 1
    assert capsys.readouterr().out.count(" now, ") == 2
    assert measure.main(["toy", "--check", "--tolerance", "0.03"]) == 1
    assert measure.main(["toy", "--check", "--tolerance", "0.05"]) == 0
    toy.write_text(TOY.replace('"one": {"x": 2}', '"one": {"x": 4}'), encoding="utf-8")
    assert measure.main(["toy", "--check"]) == 1
    assert "options in MEASURE" in capsys.readouterr().out
    assert measure.main(["toy", "--resume"]) == 0  # the items of the others are gone
    assert capsys.readouterr().out.count("CPU-seconds") == 2
    assert measure.read(path)["luck"] == {"gap": [3, 0]}
    for file in (path, path.with_suffix(".part")):
        stored = measure.read(path)
        if file != path:  # interrupted: items are still there, what is finished is kept
            del stored["scores"]["one"], stored["luck"]
            stored["scores"]["few"]["_items"] = [-9.0, 9.0]
        measure.write(file, stored)
        assert measure.main(["toy", "--resume"]) == 0
        assert capsys.readouterr().out.count("CPU-seconds") == (file != path)
    assert measure.read(path)["luck"] == {"gap": [13, -7]}


INTERRUPTED = """import pathlib, sys
sys.path.insert(0, sys.argv[2])
from tools import measure
measure.lessons = lambda: [(pathlib.Path(sys.argv[1]), None)]
measure.main([])"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT")
def test_ctrl_c_keeps_no_score_of_a_half_trained_network(toy):
    """`fit` itself would go on with what has been learned so far."""
    toy.write_text(TOY.replace('"one": {"x": 2}', '"one": {"x": 9}'), encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTED, str(toy), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "few" in process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert "Stopped" in process.communicate(timeout=60)[0]
    assert process.returncode == 130 and not measure.result_path(toy).exists()
    part = measure.read(measure.result_path(toy).with_suffix(".part"))
    assert list(part["scores"]) == ["few"]
