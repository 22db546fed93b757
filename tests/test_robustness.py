"""Accidents end in a sentence, or do not matter: damaged data, folders that cannot be
written, lessons run twice or in another order in one kernel.
"""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from tools.build_notebooks import ROOT, lessons
from tools.course_copy import copy_course
from utils import data

LOADERS = {
    "sunspots_monthly.csv": data.load_sunspots,
    "jfk_weather_2013.csv": data.load_weather,
    "cmudict_stress_30k.csv": data.load_stress,
    "surnames_us1990_top20k.txt": data.load_surnames,
    "first_names_us1990.csv": data.load_first_names,
    "japanese_vowels.npz": data.load_vowels,
    "bach_chorales.npz": data.load_chorales,
}

LESSON = "02_LSTM_RNN/raw_scripts/gru.py"  # a short one


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A data folder that a test may damage."""
    shutil.copytree(data.DATA, tmp_path / "data")
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    return tmp_path / "data"


def test_all_data_files_are_tried():
    names = {path.name for path in data.DATA.iterdir() if path.is_file()}
    assert names - set(LOADERS) == {"README.md", "SHA256SUMS"}


@pytest.mark.parametrize("damage", ["truncated", "emptied", "missing"])
@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_file_is_named_with_its_cure(copied, name, damage):
    path = copied / name
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage[0] == "t" else b"")
    with pytest.raises((ValueError, FileNotFoundError)) as found:
        LOADERS[name]()
    assert name in str(found.value) and "git checkout" in str(found.value)


@pytest.mark.parametrize("name", LOADERS)
def test_loaders_only_read(copied, name):
    before = (copied / name).read_bytes()
    (copied / name).chmod(stat.S_IREAD)
    copied.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        LOADERS[name]()
    finally:
        copied.chmod(stat.S_IRWXU)
    assert (copied / name).read_bytes() == before
    assert {p.name for p in copied.iterdir()} == {p.name for p in ROOT.glob("data/*")}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def read_only(root):
    """Take the right to write away from everything in a folder, for a while."""
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        yield
    finally:
        for path in paths:
            path.chmod(stat.S_IRWXU)


# Root may write anywhere. What these lines start may not, on Linux: it is the same user
# (another one might not be allowed to read the virtual environment) without the rights
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which pass permissions by.
BOUND = """
import ctypes, os, subprocess, sys
if sys.platform == "linux" and os.geteuid() == 0:
    for right in (1, 2):
        ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


def run_bound(*arguments, cwd):
    """Run Python as a user who has to keep to permissions."""
    ours = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run(
        [sys.executable, "-c", BOUND, sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**environment, "PYTHONIOENCODING": "utf-8", "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture
def bound(tmp_path):
    """Skip where permissions bind nobody: a test of a read-only folder would be none.

    (Windows has no such folders; root in some containers may not give up its rights.)
    """
    folder = tmp_path / "probe"
    folder.mkdir()
    with read_only(folder):
        answer = run_bound("-c", "open('file', 'w')", cwd=folder)
    if answer.returncode == 0:
        pytest.skip("this user may write into a read-only folder")
    assert "PermissionError" in answer.stderr, answer.stderr


@pytest.mark.parametrize("name", ["a course", "Kürs 二 (1)"])
def test_a_read_only_course_works_in_any_folder(tmp_path, name):
    """What every lesson begins with runs, and leaves no file behind.

    Where permissions bind nobody, the test still shows that nothing is written.
    """
    root = copy_course(tmp_path / name)
    before = contents(root)
    begin = (
        "import sys, pathlib; sys.path.insert(0, str(pathlib.Path.cwd().parent))\n"
        "from utils import set_up, data\n"
        "from utils.plotting import show_slide\n"
        "set_up(); show_slide('02_LSTM_RNN', 1); print(len(data.load_surnames()))\n"
    )
    with read_only(root):
        answer = run_bound("-c", begin, cwd=root / "02_LSTM_RNN")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "20000"
    made = {p for p in contents(root) if "__pycache__" not in p.parts}
    assert made == set(before)


@pytest.mark.slow
def test_a_whole_lesson_runs_in_a_read_only_course(tmp_path, bound):
    """As a plain script, to its end. Forty seconds."""
    root = copy_course(tmp_path / "Kürs 二 (1)")
    before = contents(root)
    with read_only(root):
        answer = run_bound(LESSON, cwd=root)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) > 20
    changed = {path for path, _ in contents(root).items() ^ before.items()}
    assert not changed  # not even a __pycache__ is there


def code_of(path):
    """The code cells of a lesson."""
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            yield cell.source


@pytest.mark.slow
def test_lessons_run_in_any_order_and_twice_in_one_kernel():
    """All of them from last to first, then from first to last: whatever one leaves
    behind, every other meets it, and every lesson meets itself. Ten minutes.
    """
    backward = [path for _, path in lessons()][::-1]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()]),
        timeout=900,
        resources={"metadata": {"path": backward[0].parent}},
    )
    with client.setup_kernel():
        for path in backward + backward[::-1]:
            for source in code_of(path):
                cell = nbformat.v4.new_code_cell(source)
                client.execute_cell(cell, 0)  # raises what a cell raises
                text = "".join(
                    output.text
                    for output in cell.outputs
                    if output.output_type == "stream" and output.name == "stderr"
                )
                assert not re.search(r"\w", text), f"{path.name}: {text}"
