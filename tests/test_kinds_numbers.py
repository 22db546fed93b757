"""A number in prose, titles or alt texts was computed: by output, code or claim."""

import ast
import json
import re

import numpy as np
import pytest
from lesson_functions import ROOT

LESSONS = sorted(ROOT.glob("[0-9][0-9]_*/*.ipynb"))
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
# What counts places in the course, not things: headings, lists, links, years, lessons.
PLACES = re.compile(
    r"^#+ [^\n]*$|^\d\. |\]\(.*?\)|<img.*?>|```.*?```"
    r"|\b(?:[Ss]ections?|[Ss]lides?|[Ll]essons?|[Ee]xercises?|[Ss]eed) [\d.]+"
    r"(?:(?: to | and |, )[\d.]+)*|\b0\d(?:\.\d)?\b"
    r"|\b(?:1[6-9]|20)\d\d\b(?=[);:,.]|\))|About \d+\s+minutes|\$?\([BNT], [^)]*\)",
    re.MULTILINE | re.DOTALL,
)
NEAR = 3  # code cells before and after
SUM = re.compile(r"(\d[\d.]*(?:\s(?:\\cdot|[·+−/])\s\d[\d.]*)+)\s=\s(\d[\d.]*\d|\d)")
# Neither computed near nor claimed there, with the reason.
KNOWN = {
    "PyTorch_in_Ten_Minutes": dict.fromkeys((5, 7), "a shape to think about"),
    "RNN_Introduction": {
        4: "nn.RNN(1, 4), whose weights are added up in the answer",
        28: "4 + 16 + 8",
        120: "a wrong answer to choose",
        700: "an example",
        6e-5: "a hint about rounding",
        100: "measured in Why_Gates, whose claims hold it",
        500: "measured in Why_Gates",
        0.17: "claimed in 02.2, 4",
    },
    "1_Simple_RNN": {
        70: "what 10 and 20 % leave",
        119: "45 + 2 · 37",
        0.4: "about twice the noise of 0.18, which the cell adds",
        4: "printed by the cell at the beginning of section 5",
        100: "an example",
        2000: "claimed as batches: 16 of 128",
        960: "16 times 60",
        21.7: "printed in section 5",
    },
    "2_LSTM": {
        5: "the half-life with bias 2, printed in section 3",
        100: "claimed (103), and the length in exercise 4.1",
    },
    "3_GRU": {
        0.81: "0.9 · 0.9",
        350: "an example",
        180: "an example",
        23: "the last hour of a day",
        30: "a wrong answer to choose",
        250: "days of the training part: 70 % of 365",
    },
    "4_Stacked_RNN": {
        **dict.fromkeys((2, 3, 4, 8), "parts of the sum that is checked"),
        4.75: "the logarithm of 27",
        6: "worked out in the text",
        2.7: "e",
        7.4: "e squared",
        87000: "claimed: 86,000 to 88,000",
    },
    "5_Bidirectional_RNN": {
        13: "measured once: the commonest letter of each place",
        40: "the units of the folded solution",
        28000: "claimed: 27,881 and 28,029",
    },
    "6_Choosing_a_Model": {
        24: "twelve orders with and without roots, in Choosing_Further",
        5000: "the default of item_interval",
        38: "39 sounds, counted from 0",
        4: "of five words, and the epochs of the folded solution",
        95: "of the level 0.05",
        **dict.fromkeys((3.2, 3.7), "sums of the five differences above"),
    },
}


def holds(sum_):
    """Whether a sum written out in prose is right, at the digits of its result."""
    left, right = (
        sum_[1].replace("\\cdot", "*").translate({183: "*", 8722: "-"}),
        sum_[2],
    )
    return round(eval(left), len(right.partition(".")[2])) == float(right)


def numbers(text):
    """(number, digits after the point, whether of a hundred) in a text."""
    text = SUM.sub(lambda sum_: " " if holds(sum_) else sum_[0], PLACES.sub(" ", text))
    for found in NUMBER.finditer(text):
        told = found[0].replace(",", "")
        share = re.match(r" ?(%|of (a|100)|vowels|in a hundred)", text[found.end() :])
        yield float(told), len(told.partition(".")[2]), bool(share)


def is_title(node):
    return isinstance(node, ast.keyword) and node.arg in ("title", "suptitle", "label")


def constants(node):
    """The numbers that code computes with, and the texts of titles."""
    values, titles = [], []
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and type(part.value) in (int, float):
            values.append(abs(part.value))
        titled = is_title(part) or (
            isinstance(part, ast.Call)
            and getattr(part.func, "attr", "") in ("suptitle", "set_title", "annotate")
        )
        if titled:
            titles += [
                leaf.value
                for leaf in ast.walk(part)
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            ]
    return values, titles


def parse(code):
    """A cell's code as a tree; lines for IPython alone are left out."""
    return ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE))


def read(path):
    """(text, values): what a lesson says, and the numbers computed near it.

    What the checks of its exercises and its script compute with is near everywhere, if
    it is not small.
    """
    alts, texts, values, everywhere = {}, [], [[]], []
    for file in path.parent.glob("raw_scripts/*.alt.json"):
        alts |= json.loads(file.read_text(encoding="utf-8"))
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            texts += [(len(values), source)]
            continue
        claims = cell["metadata"].get("claims", "")
        if found := re.search(r"utils.exercises import (\w+)", source):
            for folder in ("utils/exercises", path.parent / "raw_scripts"):
                text = (ROOT / folder / f"{found[1]}.py").read_text(encoding="utf-8")
                everywhere += constants(parse(text))[0]
        code, titles = constants(parse(source))
        said = [*titles, *(alts[name] for name in alts if f'"{name}"' in source)]
        texts += [(len(values), text) for text in said]
        printed = [claims]  # their messages tell numbers, too
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "text/html" not in data:
                printed.append("".join(output.get("text", data.get("text/plain", ""))))
        found = NUMBER.findall(" ".join(printed))
        values += [[*code, *constants(parse(claims))[0]]]
        values[-1] += [float(x.replace(",", "")) for x in found]
    for place, text in texts:
        near = values[max(place - NEAR, 0) : place + NEAR]
        near = [value for cell in near for value in cell]
        yield text, np.array([0.0, *near, *(v for v in everywhere if v >= 6 or v % 1)])


def unknown(text, values):
    """The numbers in a text to which no value rounds; before a % also times 100."""
    for number, digits, unit in numbers(text):
        half = 0.5001 * 10.0**-digits
        found = [np.abs(values * by - number).min() <= half for by in (1, 100)]
        if not found[0] and not (unit and found[1]):
            yield number


def test_decimals_of_a_topics_readme_stand_in_its_lessons():
    for readme in ROOT.glob("[0-9][0-9]_*/README.md"):
        prose = re.sub(r"^\|.*$", "", readme.read_text(encoding="utf-8"), flags=re.M)
        lessons = [p.read_text(encoding="utf-8") for p in readme.parent.glob("*.ipynb")]
        for number in re.findall(r"(?<![\w./])\d\.\d+(?![\d/])", prose):
            assert any(number in lesson for lesson in lessons), number


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_number_was_computed(path):
    lost = [
        (n, text[:60]) for text, values in read(path) for n in unknown(text, values)
    ]
    assert not [one for one in lost if one[0] not in KNOWN.get(path.stem, {})]
