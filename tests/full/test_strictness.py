"""The checks of conftest.py can fail: tiny notebooks, each spoiled in one way."""

import base64
import io
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
from PIL import Image

from tools.build import ROOT, run

LESSON = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import matplotlib.pyplot as plt
from utils import set_up
from utils.plotting import show
set_up()
print("RMSE 17.3")
---
fig, ax = plt.subplots()
first, second = [0, 2, 1], [2, 0, 2]
ax.plot(first, label="first")
ax.plot(second, label="second")
ax.set(title="They cross", xlabel="step")
ax.legend()
show(fig, "Two zigzag lines that cross twice")
"""


def change_a_number(cells):
    cells[0].outputs[0]["text"] = "RMSE 17.2\n"


def painted(paint):
    """Store another picture."""

    def spoil(cells):
        html = cells[1].outputs[0]["data"]["text/html"]
        encoded = re.search(r"base64,([A-Za-z0-9+/=]+)", html)[1]
        buffer = io.BytesIO(base64.b64decode(encoded))
        picture = paint(Image.open(buffer).convert("RGB"))
        picture.save(buffer := io.BytesIO(), "png")
        changed = html.replace(encoded, base64.b64encode(buffer.getvalue()).decode())
        cells[1].outputs[0]["data"]["text/html"] = changed

    return spoil


def without_a_curve(picture):
    orange = (162, 49, 10)
    for x in range(picture.width):
        for y in range(picture.height):
            colour = picture.getpixel((x, y))
            if sum(abs(a - b) for a, b in zip(colour, orange, strict=True)) < 200:
                picture.putpixel((x, y), (255, 255, 255))
    return picture


def red_for_blue(picture):
    return Image.merge("RGB", picture.split()[::-1])


def now_drawn_with(old, new):
    """The cell now draws another figure than the stored one."""

    def spoil(cells):
        assert old in cells[1].source
        cells[1].source = cells[1].source.replace(old, new)

    return spoil


def remove_the_picture(cells):
    cells[1].outputs = []


def change_the_alt(cells):
    data = cells[1].outputs[0]["data"]
    data["text/html"] = data["text/html"].replace("Two zigzag", "Three zigzag")


def spoil_a_claim(cells):
    cells[1].metadata["claims"] = (
        'assert ax.lines[0].get_ydata()[1] == 3, "a peak of 3"'
    )


def break_a_claim(cells):
    cells[0].metadata["claims"] = "assert no_such_name, 'never reached'"


def forget_to_run(cells):
    cells[0].execution_count = None
    cells[0].outputs = []
    cells[0].source = cells[0].source.replace('print("RMSE 17.3")\n', "")


WORDS = "mismatch 'text/html'"  # the words of a figure: its pixels are left out there
SPOILED = {
    "untouched": (None, ""),
    "number": (change_a_number, "17.2"),
    "curve": (painted(without_a_curve), "Picture 1 differs"),
    "channels": (painted(red_for_blue), "Picture 1 differs"),
    "exchanged": (now_drawn_with("first, second =", "second, first ="), "Picture 1"),
    "title": (now_drawn_with("They cross", "They meet"), WORDS),
    "label": (now_drawn_with('"step"', '"steps"'), WORDS),
    "legend": (now_drawn_with("legend()", "legend(handles=[*ax.lines][::-1])"), WORDS),
    "picture": (remove_the_picture, ""),
    "alt": (change_the_alt, "Three zigzag"),
    "unrun": (forget_to_run, "never run"),
    "claim": (spoil_a_claim, "does not hold: AssertionError: a peak of 3"),
    "unrunnable": (break_a_claim, "NameError"),
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """Name of the notebook -> what pytest --nbval said about its failing cells."""
    folder = pathlib.Path(tmp_path_factory.mktemp("lessons"))
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/nbval_sanitize.cfg", folder / "tests")
    sources = [source.strip() for source in LESSON.split("---\n")]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    notebook.cells[1].metadata["claims"] = "assert len(ax.lines) == 2, 'two lines'"
    run(notebook, folder)
    for name, (spoil, _) in SPOILED.items():
        copy = nbformat.from_dict(notebook)
        copy = nbformat.reads(nbformat.writes(copy), 4)
        if spoil:
            spoil(copy.cells)
        nbformat.write(copy, folder / f"{name}.ipynb")
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "--nbval", f"--junitxml={report}"]
    subprocess.run([*command, "-p", "no:cacheprovider", "-q", folder], cwd=folder)
    told = dict.fromkeys(SPOILED, "")
    for case in ElementTree.parse(report).iter("testcase"):
        for failure in case.iter("failure"):
            name = next(n for n in SPOILED if f"{n}.ipynb" in case.get("classname"))
            told[name] += failure.text + failure.get("message", "")
    return told


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_notebook_fails(failures, name):
    spoil, message = SPOILED[name]
    assert bool(failures[name]) == bool(spoil), failures[name]
    assert message in failures[name]
