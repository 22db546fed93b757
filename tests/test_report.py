"""What is quoted about scores is what RESULTS.json says, and RESULTS.md says it too."""

import json
import re
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tools import report, report_text
from tools.build_notebooks import ROOT

OVERVIEW = ROOT / "02_LSTM_RNN" / "README.md"


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "RESULTS.json").read_text(encoding="utf-8"))


def test_results_are_complete(results):
    for section, some in report.jobs().items():
        kind = "times" if section in ("layers", "fit") else "scores"
        assert set(results[kind][section]) == set(some), section


def test_the_results_were_measured_with_this_code(results):
    """If not: run `python3 start.py report` and commit what it writes."""
    changed = {
        section: report.code_behind(section) for section in results["code"]
    }.items() ^ results["code"].items()
    assert not changed, f"to be measured again: {sorted({s for s, _ in changed})}"


def test_prose_and_an_address_change_no_measurement(tmp_path):
    folder = tmp_path / "raw_scripts"
    folder.mkdir()
    script = folder / "lesson.py"
    script.write_text(
        'REPOSITORY = ""\n# %%\ndef f(x):\n    """Old."""\n    return x\n'
    )
    before = report.code_of(script)
    script.write_text(
        'REPOSITORY = "https"\n# Text.\ndef f(x):\n    """New."""\n    return x\n'
        "print(f(1))\n"
    )
    assert report.code_of(script) == before
    script.write_text("def f(x):\n    return 2 * x\n")
    assert report.code_of(script) != before


def test_a_learning_rate_is_part_of_what_is_measured(monkeypatch):
    before = report.code_behind("weather")
    file = report.stored("gru")
    file["networks"]["GRU"]["lr"] *= 2
    monkeypatch.setattr(report, "stored", lambda name: file)
    monkeypatch.setattr(report, "jobs", lambda: {"weather": {}})
    plain = report.code_behind("weather")
    file["networks"]["GRU"]["lr"] /= 2
    assert len({before, plain, report.code_behind("weather")}) == 3


def test_the_picture_is_what_the_scores_give(results, tmp_path):
    report.report_figure.draw(results, tmp_path / "again.png")
    ours, theirs = (
        np.asarray(Image.open(path).convert("L"), dtype=float)
        for path in (tmp_path / "again.png", ROOT / "RESULTS.png")
    )
    assert ours.shape == theirs.shape
    # Fonts are drawn a little differently on other systems.
    assert np.abs(ours - theirs).mean() < 1


REPEATED = """
import json, sys
from tools import report
found = {f"{section} | {name}": report.jobs()[section][name] for section, name in (
    ("order", "in order | seed 1"),
    ("memory", "tanh, 1.0, 1.0"),
    ("memory", "GRU, 3, 1.0"),
    ("sunspots 12", "baselines"),
    ("sunspots 12", "twelve | seed 3"),
    ("stress", "baselines"),
)}
print(json.dumps({key: job(*some) for key, (job, some) in found.items()}))
"""


def test_two_runs_agree_in_every_printed_digit(results):
    outputs = []
    for _ in range(2):
        command = [sys.executable, "-c", REPEATED]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        outputs.append(run.stdout.splitlines()[-1])
    assert outputs[0] == outputs[1]
    for key, found in json.loads(outputs[0]).items():
        section, name = key.split(" | ", 1)
        kept = results["scores"][section][name]
        assert found.keys() == kept.keys()
        for what, value in found.items():  # another processor may round differently
            assert value == pytest.approx(kept[what], rel=0.05), key


def test_the_page_is_what_the_scores_give(results):
    claims = report_text.claims(results)
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert page == report_text.markdown(results, claims)


def test_every_claim_of_a_lesson_holds(results):
    claims = [c for c in report_text.claims(results) if c.said]
    assert len(claims) >= 20
    assert all(c.holds for c in claims), [c.text for c in claims if not c.holds]


def test_the_overview_quotes_these_results(results):
    text = OVERVIEW.read_text(encoding="utf-8")
    assert report_text.with_overview(text, results) == text


def test_a_changed_figure_in_the_overview_is_noticed(results):
    text = OVERVIEW.read_text(encoding="utf-8")
    table = report_text.overview(results)
    number = re.search(r"simple RNN (\d+\.\d)", table)[1]
    wrong = text.replace(f"simple RNN {number}", "simple RNN 0.1")
    assert wrong != text and report_text.with_overview(wrong, results) == text


def slides(topic):
    path = ROOT / topic / "concepts" / "measurements.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_slides_on_gradients_agree_with_these_results(results):
    drawn = slides("01_Introduction_to_RNN")["gradients"]
    for name, entry in results["scores"]["memory"].items():
        cell, value, size = name.split(", ")
        slide = f"tanh {value} inputs {size}" if cell == "tanh" else f"{cell} {value}"
        factor = drawn[slide.replace("LSTM", "lstm").replace("GRU", "gru")]["factor"]
        assert abs(factor - entry["kept"]) <= 0.01, name  # one unit of its last digit


def test_the_slide_on_choosing_quotes_these_results(results):
    quoted, scores = slides("02_LSTM_RNN")["lessons"], results["scores"]
    bars = scores["sunspots 12"]["baselines"]
    near = report_text.of_seeds(scores["sunspots 12"], "twelve", "month 1")
    assert quoted["next_month"]["ar24"] == round(bars["AR(24)"][0], 1)
    assert quoted["next_month"]["rnn"] == [round(min(near), 1), round(max(near), 1)]
    models = report_text.five_scores(results, "forecast").values()
    means = [round(statistics.mean(values), 1) for values in models]
    assert quoted["one_year"]["ar132"] == round(bars["AR(132)"][1], 1)
    assert quoted["one_year"]["models"] == [min(means), max(means)]
    for key, network in (("forward", "forward only"), ("both", "both directions")):
        vowels = report_text.of_seeds(scores["stress"], f"{network}, random", "vowels")
        assert quoted["vowels"][key] == round(statistics.mean(vowels), 1)


# Scores over five seeds that lessons read from their own files: the same networks.
STORED = {
    "simple_rnn": lambda f: {
        ("sunspots 12", step, what): values
        for step in ("raw", "twelve")
        for what, values in {
            "mean": f["steps"][step]["test"],
            "month 1": [months[0] for months in f["steps"][step]["by_month"]],
        }.items()
    },
    "lstm": lambda f: (
        {
            ("sunspots 24", way, "rmse"): [
                run["rmse"] for run in f["sunspots"]["runs"][way]
            ]
            for way in ("direct, 12 months a step", "closed loop")
        }
        | {
            ("adding 200", start, "steps"): [
                run["steps"] for run in f["adding"]["runs"][start]
            ]
            for start in ("forget bias 0", "forget bias 1", "chrono")
        }
    ),
    "gru": lambda f: {
        ("weather", f"{net}, {i}", "test"): f["networks"][net]["test"][i]
        for net, i in (
            *(("GRU", i) for i in range(3)),
            *((net, i) for net in ("RNN", "LSTM") for i in (1, 2)),
            ("ridge + GRU", 2),
        )
    },
    "stacked_rnn": lambda f: {
        ("names", depth, "test"): f["networks"][depth]["test"]
        for depth in ("1 layer", "2 layers", "3 layers")
    },
    "bidirectional_rnn": lambda f: {
        ("stress", f"{net}, {split}", what): f["networks"][net][split]["test"][i]
        for net, split in (
            ("forward only", "random"),
            ("both directions", "random"),
            ("both directions", "stem"),
        )
        for i, what in enumerate(("vowels", "words"))
    },
    "choosing_a_model": lambda f: {
        ("five models", f"{task}, {model}", what): entry[what]
        for task, models in f["tasks"].items()
        for model, entry in models.items()
        for what in ("test", "words")
        if what in entry
    },
}


@pytest.mark.parametrize("name", STORED)
def test_the_lessons_read_the_same_scores(results, name):
    for (section, key, what), values in STORED[name](report.stored(name)).items():
        measured = report_text.of_seeds(results["scores"][section], key, what)
        # The same to the last digit that is kept; some are kept with three decimals.
        assert measured == pytest.approx(values, abs=0.00051), (section, key)


def test_the_lessons_read_the_same_simple_forecasts(results):
    baselines = report.stored("choosing_a_model")["baselines"]
    measured = {task: results["scores"][task]["baselines"] for task in baselines}
    assert measured["stress"] == baselines["stress"]
    assert measured["names"]["by_context"] == baselines["names"]["by_context"]


def test_an_interrupted_report_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "STORE", tmp_path)
    calls = []

    def job(value):
        calls.append(value)
        if value == 2 and len(calls) == 2:
            raise KeyboardInterrupt
        return {"value": value}

    monkeypatch.setattr(
        report, "jobs", lambda: {"fit": {"a": (job, (1,)), "b": (job, (2,))}}
    )
    with pytest.raises(KeyboardInterrupt):
        report.measure()
    found = report.measure()
    assert calls == [1, 2, 2]  # the first one was kept
    assert found["fit"]["b"]["result"] == {"value": 2}
    monkeypatch.setattr(report, "fingerprint", lambda section: "other code")
    report.measure()
    assert calls[3:] == [1, 2]  # the code has changed: everything anew


INTERRUPTED = """
import pathlib, sys, torch
from tools import report
from utils.training import fit

def job():
    x = torch.randn(100, 1)
    print("training", flush=True)
    fit(torch.nn.Linear(1, 1), (x, x), (x, x), epochs=10**9)
    return {"score": 1}

report.STORE = pathlib.Path(sys.argv[1])
report.fingerprint = lambda section: "of today"
report.jobs = lambda: {"fit": {"half-trained": (job, ()), "next": (job, ())}}
report.main([])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT")
def test_ctrl_c_keeps_no_score_of_a_half_trained_network(tmp_path):
    """`fit` itself would go on with what has been learned so far."""
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, text=True) as process:
        while "training" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "What is measured is kept" in said
    assert not list(tmp_path.iterdir())


def test_only_one_section_is_measured(tmp_path, monkeypatch, capsys):
    """Others come from the store if they are of today, and are not measured again."""
    monkeypatch.setattr(report, "STORE", tmp_path)
    calls = []

    def job(value):
        calls.append(value)
        return {"value": value}

    sections = {"fit": {"a": (job, (1,))}, "layers": {"b": (job, (2,))}}
    monkeypatch.setattr(report, "jobs", lambda: sections)
    report.measure()
    monkeypatch.setattr(report, "fingerprint", lambda section: "other code")
    assert calls == [1, 2]
    found = report.measure(["layers"])
    assert calls == [1, 2, 2] and not found["fit"]
    monkeypatch.setattr(report, "stop_at_ctrl_c", print)
    assert report.main(["--only", "layers"]) == 0
    assert "not with this code, data and versions: fit" in capsys.readouterr().out


def test_a_claim_without_support_fails_the_command(results, monkeypatch, capsys):
    doubtful = report_text.Claim("The moon is cheese", "nowhere", False, "rock")
    monkeypatch.setattr(report_text, "claims", lambda results: [doubtful])
    monkeypatch.setattr(report_text, "markdown", lambda *a: "")
    monkeypatch.setattr(report.report_figure, "draw", lambda *a: None)
    monkeypatch.setattr(report.pathlib.Path, "write_text", lambda *a, **k: 0)
    assert report.main(["--render"]) == 1
    assert "NOT SUPPORTED: The moon is cheese" in capsys.readouterr().out
