"""Turn the scores of RESULTS.json into claims that hold or not, and into RESULTS.md."""

import json
import pathlib
import statistics
from dataclasses import dataclass

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Half the width of a 95 % interval for the mean of five values, in standard errors:
# Student's t (Student 1908), for 4 degrees of freedom.
STUDENT = 2.776

WEATHER = "RNN", "LSTM", "GRU", "ridge + GRU"

# What RESULTS.png shows, for those who cannot see it.
FIGURE_ALT = (
    "Four panels of scores, a point for each of five seeds with its 95 % interval, and "
    "the simple forecasts as dashed lines: sunspots, temperature in 24 hours, surnames "
    "and word stress. The tables below hold the same numbers."
)


@dataclass(frozen=True)
class Claim:
    text: str
    where: str
    holds: bool
    measured: str
    target: bool = False  # an aim of the course
    said: bool = True  # a lesson says it; an aim that is missed is not said


def half_width(values):
    if len(values) != 5:
        raise ValueError(f"values must be those of five seeds, not {len(values)}")
    return STUDENT * statistics.stdev(values) / len(values) ** 0.5


def difference(a, b):
    """Mean of a - b over equal seeds, and half the width of its 95 % interval."""
    values = np.subtract(a, b).tolist()
    return statistics.mean(values), half_width(values)


def interval(values, digits=2):
    return f"{statistics.mean(values):.{digits}f} ± {half_width(values):.{digits}f}"


def of_seeds(section, key, what):
    """The values of all seeds of one job."""
    return [
        result[what]
        for name, result in section.items()
        if name.startswith(f"{key} | seed ")
    ]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, r)) + " |" for r in rows])


def claims(results):
    found = []
    for part in (
        order_claims,
        memory_claims,
        sunspot_claims,
        lstm_claims,
        weather_claims,
        names_claims,
        stress_claims,
        five_claims,
        time_claims,
        house_claims,
    ):
        found += part(results)
    return found


def order_claims(results):
    part = results["scores"]["order"]
    looks = ("sorted", "last step only", "in order")
    coin, last, whole = (of_seeds(part, look, "right") for look in looks)
    ranges = (f"{min(v):.0f}–{max(v):.0f}" for v in (coin, last, whole))
    return [
        Claim(
            "Rising or falling? All values without their order are a coin, the last "
            "one alone is not enough, in order an RNN is nearly always right",
            "01, section 1",
            max(coin) < 54 and min(last) > 75 and max(last) < 86 and min(whole) > 95,
            ", ".join(ranges) + " %",
        )
    ]


def memory_claims(results):
    kept = {k: v["kept"] for k, v in results["scores"]["memory"].items()}
    adding = results["scores"]["adding 100"]
    open_, others = (
        [error for model in models for error in of_seeds(adding, model, "error")]
        for models in (["LSTM, open gates"], ["RNN", "LSTM"])
    )
    return [
        Claim(
            "The gradient of a tanh RNN vanishes at spectral radius 1",
            "01, section 5",
            kept["tanh, 1.0, 1.0"] < 0.7,
            f"one step back keeps {kept['tanh, 1.0, 1.0']:.2f}",
        ),
        Claim(
            "With inputs ten times smaller the same cell keeps most of it",
            "01, section 5",
            kept["tanh, 1.0, 0.1"] > 0.9,
            f"{kept['tanh, 1.0, 0.1']:.2f}",
        ),
        Claim(
            "Without squashing, radius 1.2 explodes",
            "01, section 6",
            kept["linear, 1.2, 1.0"] > 1.1,
            f"{kept['linear, 1.2, 1.0']:.2f} a step",
        ),
        Claim(
            "A forget bias of 1 still loses gradient at every step, one of 3 does not",
            "01, section 7",
            kept["LSTM, 1, 1.0"] < 0.92 and 0.97 < kept["LSTM, 3, 1.0"] < 1.05,
            f"{kept['LSTM, 1, 1.0']:.2f} and {kept['LSTM, 3, 1.0']:.2f}",
        ),
        Claim(
            "Adding problem, 100 steps: after 500 updates the LSTM with open gates has "
            "learned it in every run; the plain RNN and the LSTM of PyTorch are still "
            "guessing",
            "01, section 7",
            max(open_) < 0.03 < 0.1 < min(others),
            f"error ≤ {max(open_):.3f} against ≥ {min(others):.2f}",
        ),
    ]


def sunspot_claims(results):
    part = results["scores"]["sunspots 12"]
    bars, rnn = part["baselines"], of_seeds(part, "twelve", "mean")
    ar, first = bars["AR(132)"][1], of_seeds(part, "twelve", "month 1")
    raw = of_seeds(part, "raw", "mean")
    gain = 100 * (1 - statistics.mean(rnn) / ar)
    return [
        Claim(
            "Sunspots, 1 to 12 months: the RNN is at least 4 % below AR(132)",
            "02.1, section 9",
            gain >= 4,
            f"{gain:.1f} % below",
            target=True,
        ),
        Claim(
            "Sunspots, 1 to 12 months: every one of five seeds is below AR(132)",
            "02.1, section 9",
            max(rnn) < ar,
            f"at most {max(rnn):.1f} against {ar:.1f}",
        ),
        Claim(
            "Sunspots, 1 month: the RNN is level with AR(132)",
            "02.1, section 9",
            abs(statistics.mean(first) / bars["AR(132)"][0] - 1) < 0.03,
            f"{statistics.mean(first):.1f} against {bars['AR(132)'][0]:.1f}",
        ),
        Claim(
            "Sunspots, not standardised: the network is worse than persistence",
            "02.1, section 8",
            min(raw) > 1.5 * bars["persistence"][1],
            f"at least {min(raw):.0f} against {bars['persistence'][1]:.1f}",
        ),
    ]


def lstm_claims(results):
    part, adding = (results["scores"][k] for k in ("sunspots 24", "adding 200"))
    ar = part["baselines"]["AR(132)"]
    direct = of_seeds(part, "direct, 12 months a step", "rmse")
    closed = of_seeds(part, "closed loop", "rmse")
    chrono, bias, none = (
        statistics.median(of_seeds(adding, start, "steps"))
        for start in ("chrono", "forget bias 1", "forget bias 0")
    )
    return [
        Claim(
            "Sunspots, 24 months: the direct LSTM is below AR(132) in every seed",
            "02.2, section 6",
            max(direct) < ar,
            f"at most {max(direct):.1f} against {ar:.1f}",
        ),
        Claim(
            "Sunspots, 24 months: the closed loop of the LSTM is a tie with AR(132)",
            "02.2, section 6",
            abs(statistics.mean(closed) - ar) < half_width(closed),
            f"{interval(closed, 1)} against {ar:.1f}",
        ),
        Claim(
            "Adding problem, 200 steps: started the chrono way, the LSTM gets below "
            "0.01 in every run, with at most a third of the updates",
            "02.2, section 5",
            all(of_seeds(adding, "chrono", "solved")) and 3 * chrono <= bias,
            f"median {chrono:.0f} updates against {bias:.0f} with forget bias 1",
            target=True,
        ),
        Claim(
            "Adding problem, 200 steps: forget bias 1 gains nothing over bias 0 that "
            "would matter",
            "02.2, section 5",
            bias > 0.6 * none,
            f"median {bias:.0f} updates against {none:.0f}",
        ),
    ]


def weather_claims(results):
    part = results["scores"]["weather"]
    ridge = part["baselines"]["ridge, all"]
    by_hours = [of_seeds(part, f"GRU, {i}", "test") for i in range(3)]
    tests = {
        net: [of_seeds(part, f"{net}, {i}", "test") for i in range(3)]
        for net in WEATHER
    }
    day = {net: statistics.mean(found[2]) for net, found in tests.items()}
    best = min(day, key=day.get)
    behind = difference(tests["RNN"][1], tests["GRU"][1])
    ahead = [difference(tests[net][2], tests["GRU"][2]) for net in ("RNN", "LSTM")]
    return [
        Claim(
            "Temperature in 1 hour: every GRU beats ridge regression on all variables",
            "02.3, section 5",
            max(by_hours[0]) < ridge[0],
            f"at most {max(by_hours[0]):.3f} against {ridge[0]:.3f} °C",
            target=True,
        ),
        Claim(
            "Temperature in 6 hours: the GRU is level with ridge",
            "02.3, section 5",
            statistics.mean(by_hours[1]) < 1.01 * ridge[1],
            f"{statistics.mean(by_hours[1]):.3f} against {ridge[1]:.3f} °C",
            target=True,
        ),
        Claim(
            "Temperature in 6 hours: the plain RNN falls behind the GRU",
            "02.3, section 6",
            behind[0] > behind[1],
            f"by {behind[0]:.3f} ± {behind[1]:.3f} °C",
        ),
        Claim(
            "Temperature in 24 hours: the GRU is ahead of RNN and LSTM",
            "02.3, section 6",
            all(mean > half for mean, half in ahead),
            " and ".join(f"by {mean:.3f} ± {half:.3f}" for mean, half in ahead) + " °C",
        ),
        Claim(
            "Temperature in 24 hours: ridge beats the GRU in every seed, and no "
            "network beats ridge on average",
            "02.3, section 5",
            min(tests["GRU"][2]) > ridge[2] and day[best] > ridge[2],
            f"{ridge[2]:.3f} against {day['GRU']:.3f} °C (GRU) and {day[best]:.3f} "
            f"({best})",
        ),
        Claim(
            "Temperature in 24 hours: a network beats ridge regression",
            "an aim; 02.3 says that it is missed",
            day[best] < ridge[2],
            f"{100 * (day[best] / ridge[2] - 1):.1f} % above ridge",
            target=True,
            said=False,
        ),
    ]


def names_claims(results):
    part = results["scores"]["names"]
    ngram = part["baselines"]["test"]
    by_depth = {
        depth: of_seeds(part, depth, "test")
        for depth in ("1 layer", "2 layers", "3 layers")
    }
    deeper = [
        difference(by_depth[depth], by_depth["1 layer"])
        for depth in ("2 layers", "3 layers")
    ]
    worst = max(max(values) for values in by_depth.values())
    one = statistics.mean(by_depth["1 layer"])
    return [
        Claim(
            "Surnames: one layer of 128 units needs at most 3.00 bits a character",
            "02.4",
            one <= 3.0,
            f"{interval(by_depth['1 layer'], 3)}",
            target=True,
        ),
        Claim(
            "Every network of five seeds and three depths is below the best n-gram",
            "02.4",
            worst < ngram,
            f"at most {worst:.3f} against {ngram:.3f}",
            target=True,
        ),
        Claim(
            "At equal size, depth does not pay: two and three layers need more bits "
            "than one",
            "02.4",
            all(mean > half for mean, half in deeper),
            " and ".join(f"{mean:.3f} ± {half:.3f}" for mean, half in deeper) + " more",
        ),
    ]


def stress_claims(results):
    part = results["scores"]["stress"]

    def mean(network, split, what):
        return statistics.mean(of_seeds(part, f"{network}, {split}", what))

    both = [mean("both directions", "random", what) for what in ("vowels", "words")]
    one = [mean("forward only", "random", what) for what in ("vowels", "words")]
    apart = [mean("both directions", "stem", what) for what in ("vowels", "words")]
    counted = part["baselines"]["all vowels"][0]
    five = five_scores(results, "stress")
    one_way = of_seeds(part, "forward only, random", "vowels")
    one_way = one_way + [v for m in five if m != "both ways" for v in five[m]]
    return [
        Claim(
            "Stress: both directions get at least 88 % of vowels and 76 % of words",
            "02.5, section 5",
            both[0] >= 88 and both[1] >= 76,
            f"{both[0]:.1f} % and {both[1]:.1f} %",
            target=True,
        ),
        Claim(
            "Stress: counting, which sees all vowels, beats every network that reads "
            "in one direction, by more than three vowels in a hundred",
            "02.5, section 5, and 02.6",
            max(one_way) < counted - 3,
            f"{counted:.1f} % against at most {max(one_way):.1f} %",
        ),
        Claim(
            "Stress: one direction only, at equal size, falls far behind",
            "02.5, section 5",
            one[0] < both[0] - 5 and one[1] < both[1] - 10,
            f"{one[0]:.1f} % and {one[1]:.1f} %",
        ),
        Claim(
            "Stress: keeping relatives of test words out of training makes no "
            "difference that could be measured here",
            "02.5, section 5",
            max(abs(x - y) for x, y in zip(apart, both, strict=True)) < 1.5,
            f"{apart[0]:.1f} % and {apart[1]:.1f} %",
        ),
    ]


def five_scores(results, task):
    part = results["scores"]["five models"]
    models = {name.split(", ")[1].split(" | ")[0]: 0 for name in part}
    found = {m: of_seeds(part, f"{task}, {m}", "test") for m in models}
    return {model: values for model, values in found.items() if values}


def to_lstm(results, task):
    """model -> difference to the LSTM on the same seeds: mean, half an interval."""
    scores = five_scores(results, task)
    return {
        model: difference(values, scores["LSTM"])
        for model, values in scores.items()
        if model != "LSTM"
    }


def five_claims(results):
    mean, half = to_lstm(results, "stress")["both ways"]
    letters = to_lstm(results, "names")
    months = to_lstm(results, "forecast")
    # Lower is better for two of the tasks, higher for the third.
    deeper = [to_lstm(results, task)["stacked"] for task in ("forecast", "names")]
    deeper += [tuple(np.multiply(to_lstm(results, "stress")["stacked"], (-1, 1)))]
    bar = results["scores"]["sunspots 12"]["baselines"]["AR(132)"][1]
    forecast = five_scores(results, "forecast")
    highest = max(statistics.mean(values) for values in forecast.values())
    names = five_scores(results, "names")
    ngram = results["scores"]["names"]["baselines"]["test"]
    return [
        Claim(
            "Five models of one size: for tagging, both directions beat one",
            "02.6",
            mean - half > 0,
            f"{mean:.1f} ± {half:.1f} points of vowels",
        ),
        Claim(
            "On sunspots no model differs from the LSTM by more than its interval",
            "02.6",
            all(abs(m) < h for m, h in months.values()),
            "differences "
            + ", ".join(f"{m:+.2f} ± {h:.2f}" for m, h in months.values()),
        ),
        Claim(
            "On names the LSTM is ahead of each other model, clearly, but by 0.03 bits "
            "at most",
            "02.6",
            all(h < m < 0.035 for m, h in letters.values()),
            "by " + ", ".join(f"{m:.3f} ± {h:.3f}" for m, h in letters.values()),
        ),
        Claim(
            "Two layers are on no task clearly better than one",
            "02.6",
            all(m + h > 0 for m, h in deeper),
            "worse by " + ", ".join(f"{m:.2f} ± {h:.2f}" for m, h in deeper),
        ),
        Claim(
            "All five forecast sunspots better than AR(132) on average",
            "02.6",
            highest < bar,
            f"at most {highest:.2f} against {bar:.2f}",
        ),
        Claim(
            "Every model that may read names is below the best n-gram on average",
            "02.6",
            max(statistics.mean(v) for v in names.values()) < ngram,
            f"at most {max(statistics.mean(v) for v in names.values()):.3f} against "
            f"{ngram:.3f}",
        ),
    ]


def layer_rows(results):
    return [
        row for entry in results["times"]["layers"].values() for row in entry["rows"]
    ]


def house_claims(results):
    """Aims for the course as a whole; what is counted is counted in its files."""
    minutes = sum(results["cpu_seconds"].values()) / 60
    median = results["median_cpu_seconds"]
    taken = [
        median["sunspots 12"]["twelve"],
        median["adding 200"]["chrono"],
        median["names"]["1 layer"],
    ]
    helpers = {
        path.stem: len(path.read_text(encoding="utf-8").splitlines())
        for path in ROOT.glob("utils/*.py")
    }
    total, checks = sum(helpers.values()), helpers["checks"]
    shapes = {path: lesson_shape(path) for path in sorted(ROOT.glob("0*/*.ipynb"))}
    outside = {
        path: shape
        for path, shape in shapes.items()
        if not (15 <= shape[0] <= 25 and shape[1] <= 6 and shape[2] <= 25)
    }
    return [
        Claim(
            "This report takes at most 30 CPU-minutes",
            "tools/report.py",
            minutes <= 30,
            f"{minutes:.1f}",
            target=True,
            said=False,
        ),
        Claim(
            "One training takes at most 15 CPU-seconds (sunspots, 02.1), 6 (adding "
            "problem with the chrono start, 02.2) and 40 (surnames, one layer, 02.4)",
            "all lessons",
            taken[0] <= 15 and taken[1] <= 6 and taken[2] <= 40,
            ", ".join(f"{seconds:.1f}" for seconds in taken),
            target=True,
            said=False,
        ),
        Claim(
            "`utils/` has at most 600 lines",
            "utils/",
            total <= 600,
            f"{total:,}, of which the checks of the exercises {checks:,}",
            target=True,
            said=False,
        ),
        Claim(
            "A lesson has 15 to 25 code cells, of at most 25 lines, half of them of at "
            "most 6",
            "all lessons",
            not outside,
            f"{len(shapes) - len(outside)} of {len(shapes)} lessons; cells, median and "
            "longest of the others: "
            + "; ".join(
                f"{path.stem} {cells}, {median:g}, {longest}"
                for path, (cells, median, longest) in outside.items()
            ),
            target=True,
            said=False,
        ),
    ]


def lesson_shape(path):
    """Number of code cells of a notebook, their median lines and their most lines."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    counts = []
    for cell in cells:
        lines = [line.strip() for line in "".join(cell["source"]).splitlines()]
        code = [line for line in lines if line and not line.startswith("#")]
        if cell["cell_type"] == "code" and code:
            counts.append(len(code))
    return len(counts), statistics.median(counts), max(counts)


def time_claims(results):
    rows, ratio = layer_rows(results), results["times"]["fit"]["ratio"]["ratio"]
    slow = max(row["lesson"] for row in rows if row["kind"] == "LSTM")
    small = {
        kind: max(r["lesson"] for r in rows if (r["kind"], r["units"]) == (kind, 32))
        for kind in ("RNN", "GRU")
    }
    gated = [row for row in rows if row["kind"] != "RNN"]
    return [
        Claim(
            "The lessons' LSTM and GRU are faster than the textbooks' loop at every "
            "size",
            "tools/benchmark_layers.py",
            all(row["lesson"] < row["textbook"] for row in gated),
            "ratios of "
            f"{min(r['textbook'] / r['lesson'] for r in gated):.1f} to "
            f"{max(r['textbook'] / r['lesson'] for r in gated):.1f}",
        ),
        Claim(
            "The hand-written LSTM takes at most 4 times as long as nn.LSTM",
            "tools/benchmark_layers.py",
            slow <= 4,
            f"up to {slow:.1f} times, depending on size",
            target=True,
            said=False,
        ),
        Claim(
            "At 32 units the hand-written RNN takes no longer than nn.RNN, and the GRU "
            "at most 1.2 times as long as nn.GRU",
            "tools/benchmark_layers.py",
            small["RNN"] <= 1 and small["GRU"] <= 1.2,
            f"up to {small['RNN']:.2f} and {small['GRU']:.2f} times",
            target=True,
            said=False,
        ),
        Claim(
            "fit costs at most 5 % more than the loop by hand",
            "tools/benchmark_fit.py",
            ratio <= 1.05,
            f"{100 * (ratio - 1):.1f} %",
            target=True,
            said=False,
        ),
    ]


# --- the table in 02_LSTM_RNN/README.md ---

BEGIN, END = "<!-- results: written by start.py report -->", "<!-- /results -->"


def with_overview(text, results):
    """The text of the overview, with its table of results made from these results."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"02_LSTM_RNN/README.md has no marks {BEGIN} … {END}")
    return f"{before}{begin}\n{overview(results)}\n{end}{after}"


def overview(results):
    scores = results["scores"]

    def mean(section, key, what, digits=1):
        return f"{statistics.mean(of_seeds(scores[section], key, what)):.{digits}f}"

    month, year = (
        {k: f"{v[i]:.1f}" for k, v in scores["sunspots 12"]["baselines"].items()}
        for i in (0, 1)
    )
    far = {k: f"{v:.1f}" for k, v in scores["sunspots 24"]["baselines"].items()}
    ridge = " / ".join(f"{v:.2f}" for v in scores["weather"]["baselines"]["ridge, all"])
    gru = " / ".join(mean("weather", f"GRU, {i}", "test", 2) for i in range(3))
    adding = scores["adding 200"]
    updates = {
        start: f"{statistics.median(of_seeds(adding, start, 'steps')):,.0f}"
        for start in ("forget bias 0", "forget bias 1", "chrono")
    }
    counted = scores["stress"]["baselines"]["all vowels"]
    tagged = {
        network: " / ".join(
            mean("stress", f"{network}, random", what, 0)
            for what in ("vowels", "words")
        )
        for network in ("forward only", "both directions")
    }
    five = {
        task: ", ".join(
            f"{model} {statistics.mean(values):.{digits}f}"
            for model, values in five_scores(results, task).items()
        )
        for task, digits in (("forecast", 1), ("names", 2), ("stress", 0))
    }
    ngram = f"{scores['names']['baselines']['test']:.2f}"
    return table(
        ["Task", "Simple forecasts", "Networks", "Lesson"],
        [
            [
                "sunspots, 1 month ahead, RMSE",
                f"persistence {month['persistence']}, AR(132) {month['AR(132)']}, "
                f"AR(24) {month['AR(24)']}",
                f"simple RNN {mean('sunspots 12', 'twelve', 'month 1')}: a tie",
                1,
            ],
            [
                "sunspots, 1 to 12 months, mean RMSE",
                f"persistence {year['persistence']}, seasonal "
                f"{year['seasonal naive']}, AR(132) {year['AR(132)']}",
                f"simple RNN {mean('sunspots 12', 'twelve', 'mean')}",
                1,
            ],
            [
                "the same, careless (not standardised)",
                "",
                f"simple RNN {mean('sunspots 12', 'raw', 'mean', 0)}",
                1,
            ],
            [
                "adding problem, 200 steps: training steps to error 0.01, median",
                "",
                f"LSTM, forget bias 0: {updates['forget bias 0']}; bias 1: "
                f"{updates['forget bias 1']}; chrono start: {updates['chrono']}",
                2,
            ],
            [
                "sunspots, 24 months, RMSE",
                f"persistence {far['persistence']}, AR(132) {far['AR(132)']}",
                "LSTM direct "
                f"{mean('sunspots 24', 'direct, 12 months a step', 'rmse')}, closed "
                f"loop {mean('sunspots 24', 'closed loop', 'rmse')}: a tie",
                2,
            ],
            [
                "temperature, 1 h / 6 h / 24 h ahead, MAE in °C",
                f"ridge {ridge}",
                f"GRU {gru}",
                3,
            ],
            [
                "surnames, bits a character",
                f"Witten-Bell, best context {ngram}",
                ", ".join(
                    f"LSTM of {depth} {mean('names', depth, 'test', 2)}"
                    for depth in ("1 layer", "2 layers", "3 layers")
                ),
                4,
            ],
            [
                "word stress, % of vowels / of whole words",
                f"counting {counted[0]:.0f} / {counted[1]:.0f}",
                ", ".join(f"{network} {score}" for network, score in tagged.items()),
                5,
            ],
            [
                "five models of one size: sunspots, mean RMSE",
                f"AR(132) {year['AR(132)']}",
                five["forecast"],
                6,
            ],
            ["the same: surnames, bits", f"Witten-Bell {ngram}", five["names"], 6],
            [
                "the same: stress, % of vowels",
                f"counting {counted[0]:.0f}",
                five["stress"],
                6,
            ],
        ],
    )


# --- RESULTS.md ---


def markdown(results, claims):
    aims = [claim for claim in claims if claim.target]
    missed = [claim for claim in aims if not claim.holds]
    said = [claim for claim in claims if not claim.target]
    parts = [
        "# Results, measured by one command",
        "Written by `python3 start.py report`, which trains everything below anew, "
        "with the code of the lessons, five times each. Nothing here is typed by hand. "
        "Scores are repeated to the last printed digit by a second run on the same "
        "machine; times are not, and stand at the end.",
        table(
            ["What", "Version"],
            [*results["versions"].items(), ["machine", results["machine"]]],
        ),
        "An interval (±) is Student's 95 % interval for the mean over five seeds, if "
        "not said otherwise. It tells how far the luck of the start reaches, not what "
        "other data would give.",
        f"![{FIGURE_ALT}](RESULTS.png)",
        "## Claims of the lessons",
        claim_table(said),
        "## Aims",
        f"{len(aims) - len(missed)} of {len(aims)} are reached.",
        claim_table(aims),
        *scores_markdown(results),
        *not_here(),
        *times_markdown(results),
    ]
    return "\n\n".join(parts) + "\n"


def claim_table(claims):
    return table(
        ["Claim", "Where", "Measured", "Holds"],
        [[c.text, c.where, c.measured, "yes" if c.holds else "**no**"] for c in claims],
    )


def scores_markdown(results):
    scores = results["scores"]
    yield "## Order (01)"
    yield "Share of 4,000 new series, rising or falling, that are told apart, in %:"
    yield table(
        ["The network sees", "Right"],
        [
            [look, interval(of_seeds(scores["order"], look, "right"), 1)]
            for look in ("sorted", "last step only", "in order")
        ],
    )
    yield "## Memory (01)"
    yield (
        "What one step back keeps of the gradient: mean of five random networks of 64 "
        "units, from 10 to 60 steps before the loss."
    )
    yield table(
        ["Cell", "Radius or bias", "Size of inputs", "One step keeps"],
        [
            [*name.split(", "), f"{v['kept']:.2f}"]
            for name, v in scores["memory"].items()
        ],
    )
    yield "Adding problem, 100 steps, error after 500 updates:"
    yield table(
        ["Network", "Errors"],
        [
            [
                m,
                ", ".join(
                    f"{e:.3f}" for e in of_seeds(scores["adding 100"], m, "error")
                ),
            ]
            for m in ("RNN", "LSTM", "LSTM, open gates")
        ],
    )
    yield "## Sunspots (02.1, 02.2)"
    part = scores["sunspots 12"]
    names = {
        "raw": "RNN, raw numbers, a month a step",
        "twelve": "RNN, standardised, forecasts the change, 12 months a step",
    }
    rows = [
        [name, f"{a:.1f}", f"{b:.1f}"] for name, (a, b) in part["baselines"].items()
    ]
    for name, label in names.items():
        months = [of_seeds(part, name, what) for what in ("month 1", "mean")]
        rows.append([label, *(interval(values, 2) for values in months)])
    yield table(["RMSE in sunspots", "1 month", "mean of 1 to 12 months"], rows)
    part = scores["sunspots 24"]
    rows = [[name, f"{value:.1f}"] for name, value in part["baselines"].items()]
    rows += [
        [f"LSTM, {way}", interval(of_seeds(part, way, "rmse"))]
        for way in ("direct, 12 months a step", "closed loop")
    ]
    yield table(["RMSE in sunspots", "24 months"], rows)
    part = scores["adding 200"]
    yield "## Adding problem, 200 steps (02.2)"
    yield table(
        ["Start of the LSTM", "Runs below 0.01", "Updates, median", "Each run"],
        [
            [
                start,
                f"{sum(of_seeds(part, start, 'solved'))} of 5",
                f"{statistics.median(of_seeds(part, start, 'steps')):.0f}",
                ", ".join(map(str, of_seeds(part, start, "steps"))),
            ]
            for start in ("forget bias 0", "forget bias 1", "chrono")
        ],
    )
    yield "## Temperature at JFK (02.3)"
    part = scores["weather"]
    rows = [
        [name, *(f"{error:.3f}" for error in errors)]
        for name, errors in part["baselines"].items()
    ]
    for net in WEATHER:
        found = (of_seeds(part, f"{net}, {i}", "test") for i in range(3))
        rows.append([net, *(interval(some, 3) if some else "–" for some in found)])
    yield table(["MAE in °C", "1 hour", "6 hours", "24 hours"], rows)
    yield "## Surnames (02.4)"
    part = scores["names"]
    rows = [
        [f"Witten-Bell, context of {k}", f"{bits:.3f}", ""]
        for k, bits in enumerate(part["baselines"]["by_context"])
    ]
    for depth in ("1 layer", "2 layers", "3 layers"):
        size = of_seeds(part, depth, "parameters")[0]
        rows.append(
            [f"LSTM, {depth}", interval(of_seeds(part, depth, "test"), 3), f"{size:,}"]
        )
    yield table(["Model", "Bits a character", "Parameters"], rows)
    yield "## Stress (02.5)"
    part = scores["stress"]
    rows = [
        [f"counting: {name}", "random", f"{v:.1f}", f"{w:.1f}", ""]
        for name, (v, w) in part["baselines"].items()
    ]
    for network, split in (
        ("forward only", "random"),
        ("both directions", "random"),
        ("both directions", "stem"),
    ):
        key = f"{network}, {split}"
        found = [of_seeds(part, key, what) for what in ("vowels", "words")]
        size = of_seeds(part, key, "parameters")[0]
        rows.append([network, split, *(interval(v, 1) for v in found), f"{size:,}"])
    yield table(
        ["Model", "Split", "% of vowels", "% of words", "Parameters"],
        rows,
    )
    yield "## Five models of one size (02.6)"
    yield (
        "The third column compares with the LSTM, seed by seed: the mean difference "
        "and its 95 % interval."
    )
    units = {
        "forecast": "sunspots, RMSE, mean of 12 months",
        "names": "surnames, bits a character",
        "stress": "stress, % of vowels",
    }
    for task, unit in units.items():
        rows = []
        differences = to_lstm(results, task)
        for model, values in five_scores(results, task).items():
            against = ""
            if model in differences:
                against = "{:+.3f} ± {:.3f}".format(*differences[model])
            rows.append([model, interval(values, 3), against])
        yield table([f"Model ({unit})", "Score", "Difference to the LSTM"], rows)


def not_here():
    """What the lessons quote from files that this command does not write."""
    yield "## What is not measured here"
    yield (
        "Half an hour does not hold everything. Learning rates and epochs are those "
        "that the validation parts chose when `tools/measure_*.py` tried several. The "
        "lessons read further runs from the files that these scripts wrote, in "
        "`02_LSTM_RNN/results/`: the steps on the way to the network (02.1), other "
        "starts (02.2), what stands as a dash above and a network that is only a line "
        "(02.3), dropout, whole names and states that are not carried on (02.4), one "
        "direction on the split by stem and words with relatives (02.5), and the time "
        "of one step (02.6). The curves on slides come from `concepts/measure.py` of "
        "each topic. Tests repeat part of them."
    )


def times_markdown(results):
    yield "## Times"
    yield "CPU-seconds on one thread. These differ from machine to machine."
    rows = list(results["cpu_seconds"].items())
    total = sum(seconds for _, seconds in rows)
    yield table(
        ["Measuring", "CPU-seconds"], [*rows, ["together", f"{total / 60:.1f} minutes"]]
    )
    yield (
        "Each layer forward and backward, batch 32, as many inputs as units. *Lesson* "
        "is the layer written by hand in the course, *textbook* the loop with a "
        "product for each gate and input; both relative to `torch.nn`. Growth: time is "
        "proportional to T to this power, from 50 to 800 steps."
    )
    rows = []
    for entry in results["times"]["layers"].values():
        for row in entry["rows"]:
            growth = f"{row['exponent_nn']:.2f}" if "exponent_nn" in row else ""
            ours = f"{row['exponent_lesson']:.2f}" if "exponent_nn" in row else ""
            threads = f"{entry['two_threads']:.2f}" if row["steps"] == 200 else ""
            rows.append(
                [
                    row["kind"],
                    row["units"],
                    row["steps"],
                    f"{row['ms']:.1f}",
                    f"{row['lesson']:.2f}",
                    f"{row['textbook']:.2f}",
                    growth,
                    ours,
                    threads,
                ]
            )
    yield table(
        [
            "Layer",
            "Units",
            "Steps",
            "nn, ms",
            "lesson / nn",
            "textbook / nn",
            "growth, nn",
            "growth, lesson",
            "two threads / one",
        ],
        rows,
    )
    ratio = results["times"]["fit"]["ratio"]["ratio"]
    yield f"`fit` takes {ratio:.3f} times as long as the same loop written by hand."
