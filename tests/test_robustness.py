"""Accidents end in a sentence, or do not matter: damaged data, folders that cannot be
written, lessons run twice or in another order in one kernel.
"""

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


@pytest.mark.parametrize("name", ["a course", "Kürs 二 (1)"])
def test_a_read_only_course_works_in_any_folder(tmp_path, name):
    """A script runs, and leaves no file behind, where nothing can be written.

    A user who may write anywhere (root) can write to such a folder too; then the test
    still shows that the lesson does not.
    """
    root = tmp_path / name
    copy_course(root)
    before = contents(root)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(stat.S_IREAD | stat.S_IEXEC)
    begin = (
        "import sys, pathlib; sys.path.insert(0, str(pathlib.Path.cwd().parent))\n"
        "from utils import set_up, data\n"
        "from utils.plotting import show_slide\n"
        "set_up(); show_slide('02_LSTM_RNN', 1); print(len(data.load_surnames()))\n"
    )
    try:
        answer = subprocess.run(
            [sys.executable, "-c", begin],
            cwd=root / "02_LSTM_RNN",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    finally:
        for folder in folders:
            folder.chmod(stat.S_IRWXU)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "20000"
    made = {p for p in contents(root) if "__pycache__" not in p.parts}
    assert made == set(before)


def code_of(path):
    """The code cells of a lesson."""
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            yield cell.source


@pytest.mark.slow
def test_lessons_run_in_any_order_and_twice_in_one_kernel():
    """All of them from last to first, and the first one once more."""
    paths = [path for _, path in lessons()][::-1]
    paths.append(paths[-1])
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()]),
        timeout=900,
        resources={"metadata": {"path": paths[0].parent}},
    )
    with client.setup_kernel():
        for path in paths:
            for source in code_of(path):
                cell = nbformat.v4.new_code_cell(source)
                client.execute_cell(cell, 0)  # raises what a cell raises
                text = "".join(
                    output.text
                    for output in cell.outputs
                    if output.output_type == "stream" and output.name == "stderr"
                )
                assert not re.search(r"\w", text), f"{path.name}: {text}"
