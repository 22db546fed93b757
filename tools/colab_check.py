"""Run the lessons as Colab would: alone in an empty folder, with Colab's packages.

    python tools/colab_check.py            every lesson
    python tools/colab_check.py gru        those with "gru" in the notebook's path

Each notebook is run by itself in an empty folder, so its first cell has to fetch the
course. A local repository stands in for the one on the internet. The first time, an
environment with the versions of Colab's packages (PINS) is made in .cache/ (about 500
MB). Only torch and Python itself are the course's own.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import site
import subprocess
import sys
import tempfile
import time

import nbclient
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tools.build_notebooks import ROOT, lessons
from tools.course_copy import bare_repository

# Colab's image of August 2026, as far as lessons can meet it. Pillow saves the figures;
# notebook and traitlets are what ipywidgets 7.7.1 lives with there.
PINS = [
    "numpy==2.1.3",
    "pandas==2.2.3",
    "matplotlib==3.10.0",
    "tqdm==4.67.3",
    "pillow==11.3.0",
    "ipywidgets==7.7.1",
    "ipython==7.34.0",
    "ipykernel==6.17.1",
    "notebook==6.5.7",
    "traitlets==5.7.1",
]
VENV = ROOT / ".cache" / "colab"
STATE = VENV / ".course-state"  # the fingerprint of a finished installation
# torch is large: the course's own is taken. Only these modules are let in, and only if
# Colab's environment has none.
SHARED = "torch torchgen functorch triton nvidia sympy mpmath networkx fsspec filelock "
SHARED += "jinja2 markupsafe typing_extensions"
FINDER = '''"""Lets torch, and nothing else, come from the course's own environment."""
import importlib.machinery
import sys


class Shared:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in {names!r} and path is None:
            return importlib.machinery.PathFinder.find_spec(name, [{folder!r}])
        return None


sys.meta_path.append(Shared)
'''


def python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint():
    """What an installation depends on: the versions, this file, and the Python."""
    text = sys.version + sys.prefix + pathlib.Path(__file__).read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def install():
    """Make the environment with Colab's versions, unless it is there and complete."""
    if STATE.is_file() and STATE.read_text(encoding="utf-8") == fingerprint():
        return
    print(f"Making an environment with {' '.join(PINS)} ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PINS], check=True)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = pathlib.Path(
        subprocess.check_output([python(), "-c", where], text=True).strip()
    )
    ours = next(p for p in site.getsitepackages() if pathlib.Path(p, "torch").is_dir())
    finder = FINDER.format(names=set(SHARED.split()), folder=ours)
    (packages / "shared_torch.py").write_text(finder, encoding="utf-8")
    (packages / "shared_torch.pth").write_text("import shared_torch\n")
    STATE.write_text(fingerprint(), encoding="utf-8")


def installed():
    """The packages of Colab's environment, with versions."""
    return sorted(path.name for path in VENV.rglob("*.dist-info"))


def kernel(folder):
    """A manager for kernels that run in Colab's environment."""
    spec = pathlib.Path(folder, "kernels", "colab")
    spec.mkdir(parents=True, exist_ok=True)
    argv = [str(python()), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": argv, "display_name": "Colab", "language": "python"})
    (spec / "kernel.json").write_text(text, encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(spec.parent)])
    return AsyncKernelManager(kernel_name="colab", kernel_spec_manager=specs)


def run(path, repository, folder):
    """Run the notebook at `path`, alone in the empty `folder`; return it, with outputs.

    Only the address of the course is changed. A cell that fails raises.
    """
    notebook = nbformat.read(path, 4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source, found = re.subn(
        r'^REPOSITORY = ".*?"', f'REPOSITORY = "{repository}"', cell.source, flags=re.M
    )
    if not found:
        raise ValueError(f"{path.name}: the first code cell names no REPOSITORY")
    folder = pathlib.Path(folder)
    folder.mkdir()
    nbformat.write(notebook, folder / path.name)
    ours = ("TQDM_DISABLE", "PYTHONPATH", "JUPYTER_CONFIG_PATH")
    with tempfile.TemporaryDirectory() as specs:
        nbclient.NotebookClient(
            notebook,
            km=kernel(specs),
            timeout=600,
            resources={"metadata": {"path": str(folder)}},
        ).execute(env={k: v for k, v in os.environ.items() if k not in ours})
    return notebook


def main(arguments=None):
    description, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", nargs="*", help="only notebooks with this in the path")
    names = [name.lower() for name in parser.parse_args(arguments).name]
    paths = [path for _, path in lessons() if path.is_file()]
    if names:
        paths = [
            path
            for path in paths
            if any(name in str(path.relative_to(ROOT)).lower() for name in names)
        ]
    if not paths:
        sys.exit(f"No notebook matches {', '.join(names)}.")
    install()
    with tempfile.TemporaryDirectory() as folder:
        repository = bare_repository(folder)
        for path in paths:
            started = time.perf_counter()
            run(path, repository, pathlib.Path(folder, path.stem))
            seconds = time.perf_counter() - started
            print(f"{path.relative_to(ROOT)} runs, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
