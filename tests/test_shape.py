"""Every lesson is one sitting, and README and lesson say how long it takes."""

import re
import statistics

import nbformat
import pytest
from lesson_functions import ROOT

LESSONS = sorted(ROOT.glob("[0-9]*/*.ipynb"))
EVERY = sorted(ROOT.glob("[0-9]*/**/*.ipynb"))
ROW = re.compile(r"\]\((\S+\.ipynb)\).* (\d+) min \|$", re.MULTILINE)
TIMES = dict(ROW.findall((ROOT / "README.md").read_text(encoding="utf-8")))
LINE_OF_TEXT = re.compile(r"\s*[fr]?[\"'].*[\"'],?\s*\)?$")


def code_lines(cell):
    return [
        x
        for x in cell.source.splitlines()
        if x.strip() and not x.strip().startswith("#")
    ]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_one_sitting(path):
    cells = nbformat.read(path, 4).cells
    code = [c for c in cells if c.cell_type == "code" and code_lines(c)][1:]
    sizes = [len(code_lines(cell)) for cell in code]
    texts = [c.source for c in cells if c.cell_type == "markdown"]
    words = len(re.findall(r"\w+", "\n".join(texts)))
    assert len(code) <= 25 and statistics.median(sizes) <= 6 and max(sizes) <= 20
    assert 8 <= words / sum(sizes) <= 15
    # 150 words and 5 lines of code a minute, 6 for an exercise, 1 for a figure.
    lines = [line for cell in code for line in code_lines(cell)]
    typed = [line for line in lines if not LINE_OF_TEXT.match(line)]
    exercises = sum("checks." in cell.source for cell in code)
    figures = sum("<img alt=" in str(out) for cell in code for out in cell.outputs)
    minutes = words / 150 + len(typed) / 5 + 6 * exercises + figures
    assert minutes < 60.5
    told = re.search(r"\b[Aa]bout (\d+)\s+minutes", texts[0])
    assert told, "the first cell must say: About ... minutes"
    assert abs(int(told[1]) - minutes) <= 3.5 and int(told[1]) % 5 == 0
    assert TIMES[path.relative_to(ROOT).as_posix()] == told[1]
    guide = dict(ROW.findall(path.with_name("README.md").read_text(encoding="utf-8")))
    assert guide.get(path.name, told[1]) == told[1]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_any_python_may_be_its_kernel(path):
    assert nbformat.read(path, 4).metadata.kernelspec.name == "python3"
