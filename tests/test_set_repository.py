"""tools/set_repository.py: everywhere or nowhere, twice is once, only for GitHub."""

import json
import re
import shutil

import nbformat
import pytest

from tools import build_notebooks, course_copy, lesson_links, set_repository
from tools.build_notebooks import NAMES, from_script, lessons, parts
from tools.set_repository import Problem, parse

# Owners below are pages of GitHub itself (github.com/settings, /login): nobody can have
# such an account, so no address in here leads to a stranger's code.
README = """# A course

<!-- colab -->
Something.
<!-- /colab -->

The end.
"""
SCRIPT = """# %% [markdown]
# # A lesson
#
# Words.

# %%
REPOSITORY = ""  # the address of the course
print("found")

# %% [markdown]
# The last words.
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of three tiny lessons in two topics, built, with an output each."""
    monkeypatch.setattr(build_notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(set_repository, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    places = {"01_First": ["rnn_intro"], "02_Second": ["simple_rnn", "lstm"]}
    for topic, stems in places.items():
        (tmp_path / topic / "raw_scripts").mkdir(parents=True)
        for stem in stems:
            script = tmp_path / topic / "raw_scripts" / f"{stem}.py"
            script.write_text(SCRIPT, encoding="utf-8")
            notebook = from_script(script)
            notebook.cells[1].execution_count = 1
            stream = nbformat.v4.new_output("stream", name="stdout", text="found\n")
            notebook.cells[1].outputs = [stream]
            nbformat.write(notebook, tmp_path / topic / f"{NAMES[stem]}.ipynb")
    return tmp_path


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "text",
    [
        "settings/rnn-course",
        "https://github.com/settings/rnn-course",
        "https://github.com/settings/rnn-course/",
        "https://github.com/settings/rnn-course.git",
    ],
)
def test_forms_that_are_understood(text):
    assert parse(text) == "settings/rnn-course"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "settings",
        "settings/",
        "/course",
        "settings/rnn/course",
        "-settings/course",
        "settings-/course",
        "set--tings/course",
        "a" * 40 + "/course",
        "settings/" + "c" * 101,
        "settings/..",
        "settings/.git",
        "settings/my course",
        'settings/c"; import os',
        "settings/course\n",
        "git@github.com:settings/course.git",
        "http://github.com/settings/course",
        "https://github.com.example.org/settings/course",
        "https://gitlab.com/settings/course",
        "https://github.com/settings/course/tree/main",
    ],
)
def test_anything_else_is_refused(text, course):
    before = files(course)
    with pytest.raises(Problem, match="not a repository on GitHub"):
        set_repository.main(["--", text])
    assert files(course) == before


def test_the_address_is_written_everywhere_and_outputs_stay(course, capsys):
    set_repository.main(["settings/rnn-course"])
    assert capsys.readouterr().out.count("changed") == 7
    address = "https://github.com/settings/rnn-course.git"
    for script, path in lessons():
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        assert parts(notebook) == parts(from_script(script))
        assert f'REPOSITORY = "{address}"' in notebook.cells[1].source
        assert notebook.cells[1].outputs[0].text == "found\n"
        assert notebook.cells[1].execution_count == 1
        colab = lesson_links.colab(path, "settings/rnn-course")
        for text in (notebook.cells[0].source, notebook.cells[2].source):
            assert text.count(f"[open in Colab]({colab})") == 1
        assert colab in (course / "README.md").read_text(encoding="utf-8")
    assert not list(course.rglob("*.new"))


def test_twice_is_once_and_another_replaces_the_first(course):
    set_repository.main(["settings/rnn-course"])
    once = files(course)
    set_repository.main(["https://github.com/settings/rnn-course"])
    set_repository.main([])
    assert files(course) == once
    set_repository.main(["login/lessons.2"])
    other = files(course)
    assert not [path for path, text in other.items() if b"settings/rnn-course" in text]
    set_repository.main(["settings/rnn-course"])
    assert files(course) == once


def test_without_an_address_nothing_points_to_colab(course):
    set_repository.main([])
    assert not [path for path, text in files(course).items() if b"/github/" in text]
    assert "!unzip" in (course / "README.md").read_text(encoding="utf-8")


def test_a_stale_notebook_changes_nothing(course):
    script = lessons()[2][0]
    script.write_text(SCRIPT.replace("found", "lost"), encoding="utf-8")
    before = files(course)
    with pytest.raises(Problem, match=r"2_LSTM.ipynb .*build_notebooks.py lstm"):
        set_repository.main(["settings/rnn-course"])
    assert files(course) == before


@pytest.mark.parametrize("lost", ["<!-- colab -->", "<!-- /colab -->"])
def test_a_readme_without_its_marks_changes_nothing(course, lost):
    readme = course / "README.md"
    readme.write_text(README.replace(lost, ""), encoding="utf-8")
    before = files(course)
    with pytest.raises(Problem, match="marks"):
        set_repository.main(["settings/rnn-course"])
    assert files(course) == before


@pytest.mark.parametrize("step", range(7))
def test_a_full_disk_changes_nothing(course, monkeypatch, step):
    before, replace, calls = files(course), set_repository.os.replace, []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > step:
            raise OSError(28, "No space left on device")
        replace(*arguments)

    monkeypatch.setattr(set_repository.os, "replace", full)
    with pytest.raises(OSError):
        set_repository.main(["settings/rnn-course"])
    assert files(course) == before


def test_the_course_itself_takes_an_address(tmp_path, monkeypatch):
    """The real lessons, in a copy; those whose notebook is not built are left out."""
    copy = course_copy.copy_course(tmp_path / "course")
    monkeypatch.setattr(build_notebooks, "ROOT", copy)
    monkeypatch.setattr(set_repository, "ROOT", copy)
    for script, path in lessons():
        if not build_notebooks.is_current(script, path):
            script.unlink()
    set_repository.main(["settings/rnn-course"])
    once = files(copy)
    set_repository.main(["settings/rnn-course"])
    assert files(copy) == once
    for script, path in lessons():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        first = next(c for c in notebook["cells"] if c["cell_type"] == "code")
        assert '"https://github.com/settings/rnn-course.git"' in "".join(
            first["source"]
        )
        assert re.search(r"\[open in Colab\]", script.read_text(encoding="utf-8"))
    shutil.rmtree(copy)
