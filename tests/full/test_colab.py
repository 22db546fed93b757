"""Every lesson runs in Colab: alone in an empty folder, with the versions found there.

    python -m pytest tests/full/test_colab.py -k GRU

A local repository stands in for the one on the internet, from which the first cell
fetches the course. The first time, an environment with the versions of Colab's packages
(PINS) is made in .cache/ (about 500 MB). Only torch and Python are the course's own.
"""

import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from course_texts import with_address
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError
from running import python

from tools.build import ROOT, lessons
from tools.course_copy import bare_repository

# Colab's image of August 2026, as far as lessons can meet it. Pillow saves the figures;
# notebook and traitlets are what ipywidgets 7.7.1 lives with there.
PINS = ["numpy==2.1.3", "pandas==2.2.3", "matplotlib==3.10.0", "tqdm==4.67.3"]
PINS += ["pillow==11.3.0", "ipywidgets==7.7.1", "ipython==7.34.0", "ipykernel==6.17.1"]
PINS += ["notebook==6.5.7", "traitlets==5.7.1"]
VENV = ROOT / ".cache" / "colab"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# torch is large: the course's own is taken. Only these modules are let in, and only if
# Colab's environment has none.
SHARED = "torch torchgen functorch triton nvidia sympy mpmath networkx fsspec filelock "
SHARED += "jinja2 markupsafe typing_extensions"
FINDER = """import importlib.machinery
import sys


class Shared:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in {names!r} and path is None:
            return importlib.machinery.PathFinder.find_spec(name, [{folder!r}])
        return None


sys.meta_path.append(Shared)
"""


class Colab(KernelSpecManager):
    """Every kernel is that of Colab's environment."""

    def get_kernel_spec(self, kernel_name):
        argv = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Colab", language="python")


def installed():
    """The packages of Colab's environment, with versions."""
    return sorted(path.name.lower() for path in VENV.rglob("*.dist-info"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The address of a repository with the course; Colab's environment is there."""
    state = VENV / ".course-state"
    text = sys.version + sys.prefix + Path(__file__).read_text(encoding="utf-8")
    if not state.is_file() or state.read_text(encoding="utf-8") != text:
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *PINS], check=True)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        place = subprocess.check_output([PYTHON, "-c", where], text=True)
        packages = Path(place.strip())
        ours = next(p for p in site.getsitepackages() if Path(p, "torch").is_dir())
        finder = FINDER.format(names=set(SHARED.split()), folder=ours)
        (packages / "shared_torch.py").write_text(finder, encoding="utf-8")
        (packages / "shared_torch.pth").write_text("import shared_torch\n")
        state.write_text(text, encoding="utf-8")
    return bare_repository(tmp_path_factory.mktemp("repository"))


def run(notebook, repository, folder):
    """Run a notebook, alone in the empty `folder`.

    The address of the course is changed, and trainings take one epoch: scores are not
    compared here. A cell that fails raises.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = with_address(code[0].source, repository)
    sources = [re.sub(r"(epochs=|\"epochs\": )\d+", r"\g<1>1", c.source) for c in code]
    alone = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    folder.mkdir()
    ours = ("TQDM_DISABLE", "PYTHONPATH", "JUPYTER_CONFIG_PATH")
    variables = {k: v for k, v in os.environ.items() if k not in ours}
    manager = AsyncKernelManager(kernel_spec_manager=Colab())
    place = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(alone, km=manager, timeout=600, resources=place)
    client.execute(env=variables)
    return alone


def test_the_environment_has_colabs_versions(repository):
    for pin in PINS:
        assert f"{pin.replace('==', '-')}.dist-info" in installed()
    assert not [name for name in installed() if name.startswith("torch")]


@pytest.mark.parametrize("path", [p for _, p in lessons()], ids=lambda path: path.stem)
def test_a_lesson_alone_runs_and_installs_nothing(path, repository, tmp_path):
    before, folder = installed(), tmp_path / "content"
    notebook = run(nbformat.read(path, 4), repository, folder)
    assert [cell for cell in notebook.cells if cell.outputs]
    assert [p.name for p in folder.iterdir()] == ["course"]
    assert installed() == before


SUITE = ["data", "forecasting", "training", "layers", "exercises", "simple_rnn", "lstm"]
SUITE += ["gru", "stacked_rnn", "bidirectional_rnn", "choosing_a_model", "kinds_data"]
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
    suite = RUN_SUITE.format(packages=site.getsitepackages()[0])
    usual = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TQDM_DISABLE": "1"}
    answer = python("-c", suite, *files, program=PYTHON, **usual)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-2000:]


@pytest.mark.parametrize(
    "source, why",
    [
        ("assert 1 == 2, 'a claim that fails'", "a claim that fails"),
        ("import jupytext", "No module named 'jupytext'"),  # the course has it
        ("import torch, numpy\nassert numpy.__version__ != '2.1.3'", "AssertionError"),
    ],
)
def test_what_does_not_work_in_colab_is_found(source, why, repository, tmp_path):
    notebook = nbformat.read(lessons()[0][1], 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].source = source
    notebook.cells = code[:2]
    with pytest.raises(CellExecutionError, match=why):
        run(notebook, repository, tmp_path / "content")
