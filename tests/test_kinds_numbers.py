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
        500: "measured in Why_Gates, whose claims hold it",
        0.17: "claimed in 02.2, 4",
    },
    "1_Simple_RNN": {
        70: "what 10 and 20 % leave",
        119: "45 + 2 · 37",
        0.4: "about twice the noise of 0.18, which the cell adds",
        100: "an example",
        2000: "claimed as batches: 16 of 128",
        960: "16 times 60",
    },
    "3_GRU": {
        0.81: "0.9 · 0.9",
        **dict.fromkeys((180, 350), "an example"),
        23: "the last hour of a day",
        250: "days of the training part: 70 % of 365",
    },
    "4_Stacked_RNN": {
        4: "part of the sum that is checked",
        4.75: "the logarithm of 27",
        2.7: "e",
        7.4: "e squared",
        87000: "claimed: 86,000 to 88,000",
    },
    "5_Bidirectional_RNN": {
        13: "measured once: the commonest letter of each place",
        40: "the units of the folded solution",
    },
    "6_Choosing_a_Model": {
        24: "twelve orders with and without roots, in Choosing_Further",
        5000: "the default of item_interval",
        38: "39 sounds, counted from 0",
        95: "of the level 0.05",
        3.7: "a sum of the five differences above",
    },
    "1_Next_Word": {
        **dict.fromkeys((3, 2.1, 0.45), "worked out in the text"),
        35000: "claimed: 33,000 to 40,000",
        20000: "the least that utils.text takes",
        69: "the logarithm of 2 over that of 0.99",
        1539: "printed at the beginning",
    },
    "2_Who_Speaks": {
        **dict.fromkeys((70, 95), "wrong or coarse answers to choose"),
        **dict.fromkeys((25.6, 6.4), "of the data card"),
        4: "the check's budget",
        1000: "new names: what 3,163 and 1,000 of 5,163 leave",
    },
    "3_Speech_Recognition": {
        57: "measured once: the classifier of the check, merged",
        27: "the paths of three frames with three labels",
        2880: "6 times 480",
    },
    "4_Music": {
        66.6: "a name",
        **dict.fromkeys((64, 4.2, 16.4), "worked out in the text"),
        30: "the first pitch that has a symbol",
        1.98: "measured once: the last note alone",
    },
    "1_Encoder_Decoder": {
        **dict.fromkeys((31, 4072), "an example"),
        **dict.fromkeys((0.6, 0.4, 0.9, 0.18, 0.36), "worked out in the text"),
        **dict.fromkeys((14, 500), "a width to print; the numbers of the check"),
        90: "nine of ten symbols",
    },
    "2_Attention": {
        **dict.fromkeys((14, 45), "a width to print; CPU-seconds in the results"),
        34: "drawn: the last value of one vector",
        128000: "rounded, of the largest, 128,130",
    },
}


def holds(sum_):
    """Whether a sum written out in prose is right, at the digits of its result."""
    left = sum_[1].replace("\\cdot", "*").replace("·", "*").replace("−", "-")
    return round(eval(left), len(sum_[2].partition(".")[2])) == float(sum_[2])


def numbers(text):
    """(number, digits after the point, whether of a hundred) in a text."""
    text = SUM.sub(lambda sum_: " " if holds(sum_) else sum_[0], PLACES.sub(" ", text))
    for found in NUMBER.finditer(text):
        told = found[0].replace(",", "")
        share = re.match(r" ?(%|of (a|100)|vowels|in a hundred)", text[found.end() :])
        yield float(told), len(told.partition(".")[2]), bool(share)


def constants(code):
    """The numbers that code computes with, and its texts, such as titles."""
    # Lines for IPython alone are left out.
    tree = ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE))
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    computed = [abs(value) for value in values if type(value) in (int, float)]
    return computed, [x for x in values if isinstance(x, str) and not x.isdigit()]


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
                everywhere += constants(text)[0]
        code, said = constants(source)
        said += [*(alts[name] for name in alts if f'"{name}"' in source)]
        texts += [(len(values), text) for text in said]
        printed = [claims]  # their messages tell numbers, too
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "text/html" not in data:
                printed.append("".join(output.get("text", data.get("text/plain", ""))))
        found = [float(x.replace(",", "")) for x in NUMBER.findall(" ".join(printed))]
        values += [[*code, *constants(claims)[0], *found]]
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
def test_each_number_was_computed_or_is_known(path):
    lost = {n: text[:60] for text, values in read(path) for n in unknown(text, values)}
    assert lost.keys() == KNOWN.get(path.stem, {}).keys(), lost
