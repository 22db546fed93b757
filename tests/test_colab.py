"""Every lesson runs in Colab: alone in an empty folder, with the versions found there.

It downloads an environment of its own, and so it runs in CI only (or with CI=true).
"""

import os
import shutil
import site
import subprocess

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tools import colab_check
from tools.build_notebooks import ROOT, lessons

PATHS = [path for _, path in lessons() if path.is_file()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CI", "").lower() in ("", "0", "false"),
        reason="needs a download of its own; set CI=true to run it",
    ),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    assert shutil.which("git"), "the set-up cell needs git, as Colab has it"
    colab_check.install()
    return colab_check.bare_repository(tmp_path_factory.mktemp("repository"))


def test_the_environment_has_colabs_versions(repository):
    installed = {name.lower() for name in colab_check.installed()}
    for pin in colab_check.PINS:
        assert f"{pin.replace('==', '-')}.dist-info" in installed
    assert not [name for name in installed if name.startswith("torch")]


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_lesson_alone_runs_to_its_end_and_installs_nothing(
    path, repository, tmp_path
):
    before = colab_check.installed()
    folder = tmp_path / "content"
    notebook = colab_check.run(path, repository, folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs and not [o for o in outputs if o.output_type == "error"]
    assert sorted(p.name for p in folder.iterdir()) == [path.name, "course"]
    assert colab_check.installed() == before


# Everything that lessons import from the course, the layers they write by hand, the
# exercises with their solutions and hints, and the rules about the files of data/.
SUITE = ["data", "forecasting", "training", "layers_property", "stacked_rnn"]
SUITE += ["simple_rnn", "lstm", "gru", "bidirectional_rnn", "choosing_a_model"]
SUITE += ["answers", "data_files"]
RUN_SUITE = """
import sys
sys.path.append({packages!r})  # at the end: pytest comes from there, NumPy does not
import numpy, pandas, pytest
assert (numpy.__version__, pandas.__version__) == ("2.1.3", "2.2.3")
options = ["-q", "--noconftest", "-o", "addopts=", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*options, *sys.argv[1:]]))
"""


def test_the_unit_tests_pass_with_colabs_versions(repository):
    files = [str(ROOT / "tests" / f"test_{name}.py") for name in SUITE]
    answer = subprocess.run(
        [
            str(colab_check.python()),
            "-c",
            RUN_SUITE.format(packages=site.getsitepackages()[0]),
            *files,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-2000:]
    assert " passed" in answer.stdout


@pytest.mark.parametrize(
    "source, why",
    [
        ("assert 1 == 2, 'a claim that fails'", "a claim that fails"),
        ("import jupytext", "No module named 'jupytext'"),  # the course has it
        ("import torch, numpy\nassert numpy.__version__ != '2.1.3'", "AssertionError"),
    ],
)
def test_what_does_not_work_in_colab_is_found(source, why, repository, tmp_path):
    notebook = nbformat.read(PATHS[0], 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].source = source
    spoiled = tmp_path / "spoiled.ipynb"
    nbformat.write(notebook, spoiled)
    with pytest.raises(CellExecutionError, match=why):
        colab_check.run(spoiled, repository, tmp_path / "content")
