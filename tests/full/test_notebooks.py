"""Every notebook is its script, ran once from top to bottom, and its figures have a
text alternative. (nbval re-runs the notebooks and compares what they print.)
"""

import re

import nbformat
import pytest

from tools.build import DEEPER, LESSONS, ROOT, from_script, notebooks, parts

NOTEBOOKS = pytest.mark.parametrize(
    "script,path", notebooks(), ids=[path.stem for _, path in notebooks()]
)


def code_cells(path):
    cells = nbformat.read(path, 4).cells
    return [c for c in cells if c.cell_type == "code" and c.source.strip()]


@NOTEBOOKS
def test_notebook_is_its_script(script, path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert parts(notebook) == parts(from_script(script)), (
        f"run: python3 start.py build {script.stem}"
    )


@NOTEBOOKS
def test_every_cell_ran_in_order_and_quietly(script, path):
    cells = code_cells(path)
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]


@NOTEBOOKS
def test_every_picture_has_an_alt_text(script, path):
    for cell in code_cells(path):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "image/png" not in data, "use utils.plotting.show(fig, alt)"
            for tag in re.findall(r"<img[^>]*>", "".join(data.get("text/html", ""))):
                alt = re.search(r'alt="([^"]*)"', tag)
                assert alt and len(alt[1]) >= 30, tag[:100]


@NOTEBOOKS
def test_no_cell_hides_its_value(script, path):
    # A semicolon at the end silences a value in Jupyter, but not when tested.
    for cell in code_cells(path):
        assert not cell.source.rstrip().endswith(";")


@NOTEBOOKS
def test_set_up_cell_is_the_same_everywhere_short_and_folded(script, path):
    cell = code_cells(path)[0]
    assert cell.source == code_cells(notebooks()[0][1])[0].source
    assert len([line for line in cell.source.splitlines() if line.strip()]) <= 12
    assert cell.metadata["jupyter"] == {"source_hidden": True}  # for JupyterLab
    assert cell.metadata["cellView"] == "form"  # for Colab


def test_every_script_and_notebook_is_in_a_list_of_the_builder():
    scripts = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("[0-9]*/**/*.py")}
    scripts -= {name for name in scripts if "/concepts/" in name}
    assert scripts == {*LESSONS, *DEEPER}
    paths = set(ROOT.glob("[0-9]*/**/*.ipynb"))
    paths -= {path for path in paths if ".ipynb_checkpoints" in path.parts}
    assert paths == {path for _, path in notebooks()}
