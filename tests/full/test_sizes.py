"""Small enough to fetch, and notebooks that GitHub and Colab show as they are."""

import re
import shutil
import subprocess

import nbformat
import pytest

from tools.build import ROOT, notebooks

MB = 1_000_000
PATHS = [path for _, path in notebooks() if path.is_file()]
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
# GitHub and Colab show these; whatever else a notebook holds is lost there.
SHOWN = {"text/plain", "text/html", "text/latex", "text/markdown", "image/png"}
# Tags and attributes that GitHub takes out of a notebook.
STRIPPED = re.compile(r"<(script|style|iframe|object|embed|form)\b|\son\w+=", re.I)


def git(*arguments):
    command = ["git", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@each_notebook
def test_a_notebook_has_at_most_two_and_a_half_megabytes(path):
    assert path.stat().st_size <= 2.5 * MB


def test_what_is_fetched_is_small(tmp_path):
    """The set-up cell in Colab fetches the newest state alone, as a zip holds it. Those
    who change the course fetch every notebook that was ever built.
    """
    if not shutil.which("git") or git("rev-parse", "HEAD").returncode:
        pytest.skip("this copy of the course is not a git repository")
    newest, whole = tmp_path / "newest", tmp_path / "whole"
    git("clone", "--quiet", "--depth", "1", ROOT.as_uri(), newest)
    git("clone", "--quiet", "--no-local", ROOT.as_uri(), whole)
    fetched = size(newest / ".git")
    assert 0 < fetched <= 25 * MB
    assert 0 < size(newest) - fetched <= 25 * MB  # what is then in the folder
    assert 0 < size(whole / ".git") <= 50 * MB


def what_github_loses(notebook):
    """The parts of a notebook that are not shown on GitHub."""
    lost = [f"metadata: {key}" for key in notebook.metadata if key == "widgets"]
    for cell in notebook.cells:
        texts = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            lost += [kind for kind in data if kind not in SHOWN]
            texts.append("".join(data.get("text/html", "")))
        lost += [found[0] for text in texts for found in STRIPPED.finditer(text)]
        lost += [f"{cell.cell_type} attachment"] * bool(cell.get("attachments"))
    return lost


@each_notebook
def test_github_and_colab_show_the_whole_notebook(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert not what_github_loses(notebook)


@pytest.mark.parametrize(
    "data, lost",
    [
        ({"application/vnd.jupyter.widget-view+json": {}}, "application/vnd"),
        ({"text/html": "<p><script>alert(1)</script>"}, "<script"),
        ({"text/html": '<img src="a" onload="b">'}, "onload="),
    ],
)
def test_what_is_lost_is_found(data, lost):
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert lost in what_github_loses(notebook)[0]
    notebook.metadata["widgets"] = {"state": {}}
    assert "metadata: widgets" in what_github_loses(notebook)
