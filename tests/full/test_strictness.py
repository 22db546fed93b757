"""The checks of conftest.py can fail: tiny notebooks, each spoiled in one way."""

import base64
import copy
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree

import nbformat
import numpy as np
import pytest
from PIL import Image
from running import python

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


def stored(old, new):
    """Other words are stored than the cells say."""

    def spoil(cells):
        for cell in cells:
            text = json.dumps(cell.outputs).replace(old, new)
            cell.outputs = nbformat.from_dict(json.loads(text))

    return spoil


def drawn(old, new):
    """The cell now draws another figure than the stored one."""

    def spoil(cells):
        assert old in cells[1].source
        cells[1].source = cells[1].source.replace(old, new)

    return spoil


def painted(paint):
    """Another picture is stored; `paint` changes an array of its colours."""

    def spoil(cells):
        html = cells[1].outputs[0]["data"]["text/html"]
        encoded = re.search(r"base64,([A-Za-z0-9+/=]+)", html)[1]
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
        Image.fromarray(paint(np.array(picture))).save(file := io.BytesIO(), "png")
        stored(encoded, base64.b64encode(file.getvalue()).decode())(cells)

    return spoil


def without_a_curve(colours):
    orange = np.abs(colours - np.array([162, 49, 10])).sum(axis=-1) < 200
    return np.where(orange[..., None], np.uint8(255), colours)


def red_for_blue(colours):
    return colours[..., ::-1]


def claimed(text):
    def spoil(cells):
        cells[1].metadata["claims"] = text

    return spoil


def remove_the_picture(cells):
    cells[1].outputs = []


def forget_to_run(cells):
    cells[0].execution_count, cells[0].outputs = None, []
    cells[0].source = cells[0].source.replace('print("RMSE 17.3")', "")


WORDS = "mismatch 'text/html'"  # the words of a figure: its pixels are left out there
SPOILED = {
    "untouched": (stored("", ""), None),
    "number": (stored("RMSE 17.3", "RMSE 17.2"), "17.2"),
    "curve": (painted(without_a_curve), "Picture 1 differs"),
    "channels": (painted(red_for_blue), "Picture 1 differs"),
    "exchanged": (drawn("first, second =", "second, first ="), "Picture 1"),
    "title": (drawn("They cross", "They meet"), WORDS),
    "label": (drawn('"step"', '"steps"'), WORDS),
    "legend": (drawn("legend()", "legend(handles=[*ax.lines][::-1])"), WORDS),
    "picture": (remove_the_picture, ""),
    "alt": (stored("Two zigzag", "Three zigzag"), "Three zigzag"),
    "unrun": (forget_to_run, "never run"),
    "claim": (claimed("assert ax is None, 'no axes'"), "AssertionError: no axes"),
    "unrunnable": (claimed("assert no_such_name, 'never reached'"), "NameError"),
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """Name of the notebook -> what pytest --nbval said about its failing cells."""
    folder = tmp_path_factory.mktemp("lessons")
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
        spoiled = copy.deepcopy(notebook)
        spoil(spoiled.cells)
        nbformat.write(spoiled, folder / f"{name}.ipynb")
    report = folder / "report.xml"
    options = ["--nbval", f"--junitxml={report}", "-p", "no:cacheprovider"]
    python("-m", "pytest", *options, folder, cwd=folder)
    told = dict.fromkeys(SPOILED, "")
    for case in ElementTree.parse(report).iter("testcase"):
        for failure in case.iter("failure"):
            name = next(n for n in SPOILED if f"{n}.ipynb" in case.get("classname"))
            told[name] += failure.text + failure.get("message", "")
    return told


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_notebook_fails(failures, name):
    _, message = SPOILED[name]
    assert bool(failures[name]) == (message is not None), failures[name]
    assert (message or "") in failures[name]
