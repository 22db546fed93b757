"""Every notebook is its script, ran once from top to bottom, and can be seen by all: on
GitHub, in Colab, and by those who cannot see pictures. (nbval compares the outputs.)
"""

import re

import nbformat
import pytest

from tools.build import DEEPER, LESSONS, ROOT, from_script, notebooks, parts
from tools.course_copy import git

MB = 1_000_000
# GitHub and Colab show these; whatever else a notebook holds is lost there. Pictures
# are in the HTML that utils.plotting.show writes, with their alt texts.
SHOWN = {"text/plain", "text/html", "text/latex", "text/markdown"}
# Tags and attributes that GitHub takes out of a notebook.
STRIPPED = re.compile(r"<(script|style|iframe|object|embed|form)\b|\son\w+=", re.I)

each_notebook = pytest.mark.parametrize(
    "script, path", notebooks(), ids=[path.stem for _, path in notebooks()]
)


def code_cells(path):
    cells = nbformat.read(path, 4).cells
    return [c for c in cells if c.cell_type == "code" and c.source.strip()]


@each_notebook
def test_notebook_is_its_script(script, path):
    told = f"run: python3 start.py build {script.stem}"
    assert parts(nbformat.read(path, 4)) == parts(from_script(script)), told


@each_notebook
def test_every_cell_ran_in_order_and_quietly(script, path):
    cells = code_cells(path)
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    # A semicolon at the end silences a value in Jupyter, but not when tested.
    assert not [c for c in cells if c.source.rstrip().endswith(";")]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]


@each_notebook
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


def lost(notebook):
    """What of a notebook GitHub does not show, or says nothing to the blind."""
    yield from (f"metadata: {key}" for key in notebook.metadata if key == "widgets")
    for cell in notebook.cells:
        if cell.get("attachments"):
            yield f"{cell.cell_type} attachment"
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        yield from (kind for data in outputs for kind in data if kind not in SHOWN)
        text = "\n".join("".join(data.get("text/html", "")) for data in outputs)
        for picture in re.findall(r"<img[^>]*>", text):
            if not re.search(r'alt="[^"]{30,}"', picture):
                yield picture
        for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
            if "<th" not in table:
                yield table
        if cell.cell_type == "markdown":
            text = cell.source
        yield from (found[0] for found in STRIPPED.finditer(text))


@each_notebook
def test_github_and_colab_show_the_whole_notebook(script, path):
    assert path.stat().st_size <= 2.5 * MB
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert not list(lost(notebook))


@pytest.mark.parametrize(
    "data, told",
    [
        ({"application/vnd.jupyter.widget-view+json": {}}, "application/vnd"),
        ({"text/html": "<p><script>alert(1)</script>"}, "<script"),
        ({"text/html": f'<img alt="{"b" * 30}" onload="c">'}, "onload="),
        ({"text/html": f'<img alt="{"b" * 29}">'}, "<img"),
        ({"text/html": "<table><tr><td>1</td></tr></table>"}, "<td>1"),
    ],
)
def test_what_is_lost_is_found(data, told):
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert told in next(lost(notebook))
    notebook.metadata["widgets"] = {"state": {}}
    assert "metadata: widgets" in lost(notebook)


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_is_fetched_is_small(tmp_path):
    """The set-up cell in Colab fetches the newest state alone, as a zip holds it. Those
    who change the course fetch every notebook that was ever built.
    """
    try:
        git("rev-parse", "HEAD", cwd=ROOT)
    except (RuntimeError, FileNotFoundError):
        pytest.skip("this copy of the course is not a git repository")
    newest, whole = tmp_path / "newest", tmp_path / "whole"
    git("clone", "--quiet", "--depth", "1", ROOT.as_uri(), newest)
    git("clone", "--quiet", "--no-local", ROOT.as_uri(), whole)
    fetched = size(newest / ".git")
    assert 0 < fetched <= 25 * MB
    assert 0 < size(newest) - fetched <= 28 * MB  # what is then in the folder
    assert 0 < size(whole / ".git") <= 50 * MB
