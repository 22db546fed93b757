"""Every notebook is its script, ran once from top to bottom, and its figures have a
text alternative. (nbval re-runs the notebooks and compares what they print.)
"""

import re

import nbformat
import pytest

from tools.build_notebooks import ROOT, from_script, lessons, parts

NOTEBOOKS = pytest.mark.parametrize(
    "script,path", lessons(), ids=[path.stem for _, path in lessons()]
)
FIRST_SCRIPT = lessons()[0][0]


def code_cells(path):
    cells = nbformat.read(path, 4).cells
    return [c for c in cells if c.cell_type == "code" and c.source.strip()]


@NOTEBOOKS
def test_notebook_is_its_script(script, path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert parts(notebook) == parts(from_script(script)), (
        f"run: python tools/build_notebooks.py {script.stem}"
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
def test_set_up_cell_is_the_same_everywhere(script, path):
    assert code_cells(path)[0].source == code_cells(lessons()[0][1])[0].source


def test_no_notebook_without_a_script():
    assert sorted(ROOT.glob("[0-9]*/*.ipynb")) == sorted(path for _, path in lessons())


def test_an_edited_script_is_noticed(tmp_path):
    script = tmp_path / "edited.py"
    text = FIRST_SCRIPT.read_text(encoding="utf-8")
    script.write_text(text.replace("# %%\n", "# %%\nedited = 1\n", 1), encoding="utf-8")
    assert parts(from_script(script)) != parts(from_script(FIRST_SCRIPT))
