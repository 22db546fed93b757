"""Figures in the prose of lessons and guides are those of RESULTS.json.

nbval compares what cells print, not what the text around them says. Each row here
finds a sentence, and says what its figures must be. A figure that is changed in the
text is then either wrong or not found. What a cell asserts is not repeated here.
"""

import json
import re
import statistics

import pytest

from tools import report, report_text
from tools.build_notebooks import ROOT

GUIDE = "01_Introduction_to_RNN/README.md"
SCRIPTS = "02_LSTM_RNN/raw_scripts"
LESSON_01 = "01_Introduction_to_RNN/raw_scripts/rnn_intro.py"


class Scores:
    """Shorthands for what the sentences are about."""

    def __init__(self, results):
        self.results, self.scores = results, results["scores"]

    def seeds(self, section, key, what):
        return report_text.of_seeds(self.scores[section], key, what)

    def mean(self, section, key, what):
        return statistics.mean(self.seeds(section, key, what))

    def kept(self, name):
        return self.scores["memory"][name]["kept"]

    def order(self, look):
        return self.seeds("order", look, "right")

    def updates(self, start):
        return statistics.median(self.seeds("adding 200", start, "steps"))

    def ar132(self):
        return self.scores["sunspots 12"]["baselines"]["AR(132)"][1]

    def year(self, step):
        return self.mean("sunspots 12", step, "mean")

    def stored_year(self, step):
        """Of a step on the way: the file that the lesson reads."""
        return statistics.mean(report.stored("simple_rnn")["steps"][step]["test"])

    def degrees(self, net, horizon):
        return self.mean("weather", f"{net}, {horizon}", "test")

    def ridge(self, horizon):
        return self.scores["weather"]["baselines"]["ridge, all"][horizon]

    def vowels(self, network):
        return self.mean("stress", f"{network}, random", "vowels")

    def to_lstm(self, task):
        return report_text.to_lstm(self.results, task)


def two(number):
    return f"{number:.2f}"


def percent(ratio):
    return f"{100 * ratio:.0f}"


# (file, sentence with its figures in groups, what must hold for the groups)
QUOTED = [
    (
        GUIDE,
        r"sees the last value only is right about (\d+) times in 100",
        lambda s, n: abs(statistics.mean(s.order("last step only")) - int(n)) <= 1,
    ),
    (
        GUIDE,
        r"in order, it is right more than (\d+) times in 100, from all five",
        lambda s, n: min(s.order("in order")) > int(n) == 95,
    ),
    (
        GUIDE,
        r"keeps only ([\d.]+\d) of the gradient: after 50 steps, about one part in "
        r"(\d+) billion",
        lambda s, kept, n: (
            kept == two(s.kept("tanh, 1.0, 1.0"))
            and 0.7 < s.kept("tanh, 1.0, 1.0") ** -50 / (int(n) * 1e9) < 1.4
        ),
    ),
    (
        GUIDE,
        r"ten times smaller a step keeps ([\d.]+\d)",
        lambda s, kept: kept == two(s.kept("tanh, 1.0, 0.1")),
    ),
    (
        GUIDE,
        r"one step back multiplies by ([\d.]+\d), a hundred steps by tens of millions",
        lambda s, grows: (
            grows == two(s.kept("linear, 1.2, 1.0"))
            and 1e7 < s.kept("linear, 1.2, 1.0") ** 100 < 1e8
        ),
    ),
    (
        GUIDE,
        r"(0\.\d+), (0\.\d+) or (0\.\d+) for a bias of 0, 1 or 3",
        lambda s, *gates: gates == ("0.50", "0.73", "0.95"),  # sigma(0), (1), (3)
    ),
    (
        GUIDE,
        r"one step keeps ([\d.]+), ([\d.]+) and all of the gradient",
        lambda s, none, one: (
            none == two(s.kept("LSTM, 0, 1.0"))
            and one == two(s.kept("LSTM, 1, 1.0"))
            and s.kept("LSTM, 3, 1.0") > 0.99
        ),
    ),
    (
        GUIDE,
        r"([\d.]+) to the fiftieth power is less than a thousandth",
        lambda s, one: one == two(s.kept("LSTM, 1, 1.0")) and float(one) ** 50 < 1e-3,
    ),
    (
        GUIDE,
        r"start open solve it within (\d+) training steps",
        lambda s, n: (
            n == "500"
            and max(s.seeds("adding 100", "LSTM, open gates", "error")) < 0.01
        ),
    ),
    (
        LESSON_01,
        r"radius 1 keeps ([\d.]+) a step: after 50 steps some (\d+) % are left",
        lambda s, kept, left: (
            kept == two(s.kept("tanh, 1.0, 0.1"))
            and left == percent(s.kept("tanh, 1.0, 0.1") ** 50)
        ),
    ),
    (
        LESSON_01,
        r"Bias 1 still loses about (\d+) % a step",
        lambda s, n: n == percent(1 - s.kept("LSTM, 1, 1.0")),
    ),
    (
        LESSON_01,
        r"with bias 3 a tenth is left after 50 steps",
        lambda s: 0.08 < s.kept("GRU, 3, 1.0") ** 50 < 0.12,
    ),
    (
        LESSON_01,
        r"With tanh one step back keeps ([\d.]+) \(.*?multiplies by ([\d.]+\d) \(",
        lambda s, squashed, free: (
            squashed == two(s.kept("tanh, 1.2, 1.0"))
            and free == two(s.kept("linear, 1.2, 1.0"))
        ),
    ),
    (
        f"{SCRIPTS}/simple_rnn.py",
        r"The network makes errors (\d) to (\d) % smaller than",
        lambda s, low, high: (
            int(low) < 100 * (1 - s.year("twelve") / s.ar132()) < int(high)
        ),
    ),
    (
        f"{SCRIPTS}/simple_rnn.py",
        r"The third gains about (\d) % more",
        lambda s, n: n == percent(1 - s.year("twelve") / s.stored_year("change")),
    ),
    (
        f"{SCRIPTS}/lstm.py",
        r"Chrono takes about a fifth of the steps that bias 1 takes",
        lambda s: 0.16 < s.updates("chrono") / s.updates("forget bias 1") < 0.24,
    ),
    (
        f"{SCRIPTS}/lstm.py",
        r"by about (\d+) % over all months",
        lambda s, n: (
            n
            == percent(
                1
                - s.mean("sunspots 24", "direct, 12 months a step", "rmse")
                / s.scores["sunspots 24"]["baselines"]["AR(132)"]
            )
        ),
    ),
    (
        f"{SCRIPTS}/gru.py",
        r"beats the straight line, by some (\d+) %",
        lambda s, n: n == percent(1 - s.degrees("GRU", 0) / s.ridge(0)),
    ),
    (
        f"{SCRIPTS}/gru.py",
        r"ridge regression wins\. The GRU alone is worse by about (\d+) %",
        lambda s, n: n == percent(s.degrees("GRU", 2) / s.ridge(2) - 1),
    ),
    (
        f"{SCRIPTS}/gru.py",
        r"above it on the test \(([\d.]+) to ([\d.]+) against ([\d.]+) °C\)",
        lambda s, low, high, line: (
            low == two(s.degrees("ridge + GRU", 2))
            and high == two(s.degrees("LSTM", 2))
            and line == two(s.ridge(2))
        ),
    ),
    (
        f"{SCRIPTS}/stacked_rnn.py",
        r"The best simple model pays ([\d.]+) bits",
        lambda s, bits: bits == two(s.scores["names"]["baselines"]["test"]),
    ),
    (
        f"{SCRIPTS}/stacked_rnn.py",
        r"All five seeds stay below ([\d.]+) bits",
        lambda s, bits: max(s.seeds("names", "2 layers", "test")) < float(bits) == 3,
    ),
    (
        f"{SCRIPTS}/bidirectional_rnn.py",
        r"Nine vowels in ten are right with a look at the future, eight in ten without",
        lambda s: (
            round(s.vowels("both directions") / 10) == 9
            and round(s.vowels("forward only") / 10) == 8
        ),
    ),
    (
        f"{SCRIPTS}/bidirectional_rnn.py",
        r"the future is worth nine to ten vowels in a hundred",
        lambda s: 9 < s.vowels("both directions") - s.vowels("forward only") < 10,
    ),
    (
        f"{SCRIPTS}/choosing_a_model.py",
        r"of the differences from the LSTM are up to ([\d.]+) wide on either side",
        lambda s, n: n == f"{max(h for _, h in s.to_lstm('forecast').values()):.1f}",
    ),
    (
        f"{SCRIPTS}/choosing_a_model.py",
        r"([\d.]+) bits, a hundredth of the score",
        lambda s, n: n == two(max(m for m, _ in s.to_lstm("names").values())),
    ),
    (
        f"{SCRIPTS}/choosing_a_model.py",
        r"Reading both ways wins almost ten vowels in a hundred",
        lambda s: 9 < s.to_lstm("stress")["both ways"][0] < 10,
    ),
]


def prose(file):
    """The text of a guide, or of a script's Markdown cells, in one line."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".py"):
        lines = [line for line in text.splitlines() if re.match(r"#( |$)", line)]
        text = "\n".join(line[2:] for line in lines)
    return " ".join(text.split())


@pytest.fixture(scope="module")
def scores():
    return Scores(json.loads((ROOT / "RESULTS.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("file, sentence, holds", QUOTED, ids=range(len(QUOTED)))
def test_what_is_quoted_was_measured(scores, file, sentence, holds):
    found = list(re.finditer(sentence, prose(file)))
    assert len(found) == 1, f"{file} has changed; change this row with it: {sentence}"
    assert holds(scores, *found[0].groups()), (file, found[0][0])


@pytest.mark.parametrize("row", [k for k, row in enumerate(QUOTED) if "(" in row[1]])
def test_another_figure_would_be_noticed(scores, row):
    file, sentence, holds = QUOTED[row]
    groups = re.search(sentence, prose(file)).groups()
    other = [re.sub(r"\d", lambda d: str((int(d[0]) + 3) % 10), g) for g in groups]
    assert not holds(scores, *other)
