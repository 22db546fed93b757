"""What is quoted about scores is what RESULTS.json says, and RESULTS.md says it too."""

import json
import re
import statistics

import pytest

from tools import report, report_text
from tools.build_notebooks import ROOT

OVERVIEW = ROOT / "02_LSTM_RNN" / "README.md"
GUIDE = ROOT / "01_Introduction_to_RNN" / "README.md"


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "RESULTS.json").read_text(encoding="utf-8"))


def test_results_are_complete(results):
    for section, some in report.jobs().items():
        kind = "times" if section in ("layers", "fit") else "scores"
        assert set(results[kind][section]) == set(some), section


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


# What the guide of topic 01 quotes: words before the number, and where it comes from.
QUOTED = [
    (r"keeps only ([\d.]+\d) of the gradient", "tanh, 1.0, 1.0"),
    (r"ten times smaller a step keeps ([\d.]+\d)", "tanh, 1.0, 0.1"),
    (r"one step back\s+multiplies by ([\d.]+\d)", "linear, 1.2, 1.0"),
    (r"one step keeps ([\d.]+), [\d.]+ and all", "LSTM, 0, 1.0"),
    (r"one step keeps [\d.]+, ([\d.]+) and all", "LSTM, 1, 1.0"),
]


@pytest.mark.parametrize("pattern, name", QUOTED)
def test_the_guide_quotes_these_results(results, pattern, name):
    quoted = re.search(pattern, GUIDE.read_text(encoding="utf-8"))[1]
    assert quoted == f"{results['scores']['memory'][name]['kept']:.2f}"


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
        ("sunspots 12", step, "mean"): f["steps"][step]["test"]
        for step in ("raw", "standardised", "change", "twelve")
    },
    "lstm": lambda f: {
        ("sunspots 24", way, "rmse"): [
            run["rmse"] for run in f["sunspots"]["runs"][way]
        ]
        for way in ("direct, 12 months a step", "closed loop")
    },
    "gru": lambda f: {
        ("weather", f"{net}, {i}", "test"): f["networks"][net]["test"][i]
        for net in ("RNN", "LSTM", "GRU", "ridge + GRU")
        for i in range(3)
    },
    "stacked_rnn": lambda f: {
        ("names", depth, "test"): f["networks"][depth]["test"]
        for depth in ("1 layer", "2 layers", "3 layers")
    },
    "bidirectional_rnn": lambda f: {
        ("stress", f"{net}, {split}", what): f["networks"][net][split]["test"][i]
        for net in ("forward only", "both directions")
        for split in ("random", "stem")
        for i, what in enumerate(("vowels", "words"))
    },
    "choosing_a_model": lambda f: {
        ("five models", f"{task}, {model}", "test"): entry["test"]
        for task, models in f["tasks"].items()
        for model, entry in models.items()
    },
}


@pytest.mark.parametrize("name", STORED)
def test_the_lessons_read_the_same_scores(results, name):
    for (section, key, what), values in STORED[name](report.stored(name)).items():
        measured = report_text.of_seeds(results["scores"][section], key, what)
        assert measured == pytest.approx(values, rel=0.01), (section, key)
        mean = statistics.mean(measured)
        assert mean == pytest.approx(statistics.mean(values), rel=0.003), (section, key)


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


def test_a_claim_without_support_fails_the_command(results, monkeypatch, capsys):
    doubtful = report_text.Claim("The moon is cheese", "nowhere", False, "rock")
    monkeypatch.setattr(report_text, "claims", lambda results: [doubtful])
    monkeypatch.setattr(report_text, "markdown", lambda *a: "")
    monkeypatch.setattr(report.report_figure, "draw", lambda *a: None)
    monkeypatch.setattr(report.pathlib.Path, "write_text", lambda *a, **k: 0)
    assert report.main(["--render"]) == 1
    assert "NOT SUPPORTED: The moon is cheese" in capsys.readouterr().out
