"""my_course/: nothing of a learner's is lost; every link in a copy leads somewhere."""

import errno
import json
import os
import pkgutil
import re
import subprocess
import sys
from unittest import mock

import nbformat
import pytest
from lesson_functions import ROOT

import conftest
import start
from tools import own_copies
from utils.exercises import Challenge, Exercise, progress

GLOSSARY = "01_Introduction_to_RNN/GLOSSARY.md"
TOPIC = "01_Topic"
IMPORT = "from utils.exercises import one as checks"


def notebook(source):
    output = nbformat.v4.new_output("stream", text="told")
    cell = nbformat.v4.new_code_cell(source, metadata={"claims": "0"}, outputs=[output])
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two lessons and a guide, in a folder with a space."""
    root = tmp_path / "the course"
    (root / TOPIC / "concepts").mkdir(parents=True)
    (root / TOPIC / "1_One.ipynb").write_text(notebook("print(1)"))
    (root / TOPIC / "2_Two.ipynb").write_text(notebook("[slide](concepts/1.PNG)"))
    (root / TOPIC / "concepts" / "1.PNG").write_text("a slide")
    (root / "README.md").write_text(f"[one]({TOPIC}/1_One.ipynb#start) [two](x.md)")
    monkeypatch.setattr(start, "ROOT", root)
    monkeypatch.setattr(start, "FIRST_LESSON", f"{TOPIC}/1_One.ipynb")
    return root


def prose(name, text):
    """What is read as Markdown: in a notebook not the code, where x[i](y) calls."""
    if not name.endswith(".ipynb"):
        return text
    cells = json.loads(text)["cells"]
    return "\n".join(
        "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
    )


def test_every_link_in_the_copies_leads_somewhere_and_no_output_is_left():
    names = own_copies.own_copies(ROOT)
    copies = {f"my_course/{name}" for name in names}
    assert len(names) > 20 and {"README.md", GLOSSARY} <= {*names}
    for name in names:
        text = own_copies.text_of(ROOT, name, set(names)).decode()
        for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", prose(name, text)):
            there = os.path.normpath(f"my_course/{name}/../{target}").replace("\\", "/")
            own = there.startswith("my_course/")
            assert there in copies if own else (ROOT / there).exists(), (name, target)
        for cell in json.loads(text)["cells"] if name.endswith(".ipynb") else []:
            assert not cell.get("outputs") and not cell["metadata"].get("claims")
            assert "Outputs are stored" not in "".join(cell["source"])


def test_what_the_learner_changed_stays_and_the_rest_follows_the_course(course, capsys):
    mine = course / "my_course" / TOPIC
    assert start.own_copy() == f"my_course/{TOPIC}/1_One.ipynb"
    assert "../../01_Topic/concepts/1.PNG" in (mine / "2_Two.ipynb").read_text()
    assert "told" not in (mine / "2_Two.ipynb").read_text()
    (mine / "1_One.ipynb").write_text("my answer")
    start.own_copy()
    assert not capsys.readouterr().out  # nothing has changed in the course
    for number in "12":
        path = next((course / TOPIC).glob(f"{number}_*.ipynb"))
        path.write_text(notebook("new"))
    (course / "my_course" / "README.md").unlink()
    start.own_copy()
    said = capsys.readouterr().out
    assert "--fresh 1_One" in said and "2_Two" not in said
    assert (mine / "1_One.ipynb").read_text() == "my answer"
    assert "new" in (mine / "2_Two.ipynb").read_text()
    assert (course / "my_course" / "README.md").is_file()
    (course / "my_course" / own_copies.MANIFEST).write_text("[broken")
    (course / TOPIC / "2_Two.ipynb").write_text("<<<<<<< a conflict")
    start.own_copy()
    assert (mine / "1_One.ipynb").read_text() == "my answer"


def test_a_fresh_copy_keeps_the_old_one_under_a_dated_name(course, capsys):
    mine = course / "my_course" / TOPIC
    start.own_copy()
    for answer in ("first", "second"):
        (mine / "2_Two.ipynb").write_text(answer)
        with mock.patch("tools.own_copies.datetime") as clock:  # it stands still
            clock.datetime.now().strftime.return_value = "2026-11-26 12.00"
            assert start.own_copy("two") == f"my_course/{TOPIC}/2_Two.ipynb"
    kept = {path.read_text(): path.name for path in mine.glob("2_Two (20*.ipynb")}
    assert sorted(kept) == ["first", "second"]
    assert kept["second"] in capsys.readouterr().out
    start.own_copy()
    assert not capsys.readouterr().out
    for name in ("", "_", "three", "README"):
        with pytest.raises(start.Problem, match="1_One, 2_Two"):
            start.own_copy(name)
    assert start.take_fresh(["--fresh", "two", "-y"]) == (["-y"], "two")
    assert start.take_fresh(["--fresh=two"]) == ([], "two")


CALLS = ["os.fsync", "os.replace", "os.chmod", "tempfile.mkstemp", "pathlib.Path.mkdir"]


def kill_at(call, number):
    """From now on this process is killed in its `number`-th call of this function."""
    real, left = pkgutil.resolve_name(call), [number]

    def kill(*args, **options):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), 9)
        return real(*args, **options)

    mock.patch(call, kill).start()
    sys.stdout = None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("lesson", [None, "one"])
def test_killed_at_any_moment_it_has_lost_nothing(course, call, lesson):
    mine = course / "my_course" / TOPIC / "1_One.ipynb"
    for number in range(1, 9):
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("my answer")
        (course / TOPIC / "2_Two.ipynb").write_text(notebook(f"version {number}"))
        child = os.fork()
        if not child:  # whatever happens, the copy of pytest ends here
            try:
                kill_at(call, number)
                start.own_copy(lesson)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        texts = [path.read_text() for path in mine.parent.glob("1_One*")]
        assert "my answer" in texts, (call, number, texts)
        for path in mine.parent.glob("[12]_???.ipynb"):
            assert path.read_text() == "my answer" or json.loads(path.read_text())
        start.own_copy()
        assert not list(course.rglob(".new-*"))
        assert f"version {number}" in (mine.parent / "2_Two.ipynb").read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_written_the_course_opens_itself(course, capsys, number):
    error = OSError(number, os.strerror(number))
    with mock.patch("tempfile.mkstemp", side_effect=error):
        assert start.own_copy() == f"{TOPIC}/1_One.ipynb"
        assert os.strerror(number) in capsys.readouterr().out
    start.own_copy()
    mine = course / "my_course" / TOPIC / "1_One.ipynb"
    mine.write_text("my answer")
    with mock.patch("os.fsync", side_effect=error):
        (course / TOPIC / "2_Two.ipynb").write_text(notebook("new"))
        assert start.own_copy() == f"my_course/{TOPIC}/1_One.ipynb"
    assert mine.read_text() == "my answer" and not list(course.rglob(".new-*"))


@pytest.mark.parametrize("kind", ["a file", "a dangling link"])
def test_a_my_course_that_is_no_folder_is_left_alone(course, kind):
    place = course / "my_course"
    place.symlink_to("nowhere") if kind != "a file" else place.write_text("mine")
    with pytest.raises(start.Problem, match="not a folder"):
        start.own_copy()


def test_two_at_once_wait_for_each_other(course):
    code = "import start, sys, pathlib; start.ROOT = pathlib.Path(sys.argv[1]); "
    command = [sys.executable, "-c", code + "start.own_copy('one')", course]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [run.wait(60) for run in both] == [0, 0]
    assert len(list((course / "my_course" / TOPIC).glob("1_One (*"))) == 2


def test_tests_never_see_the_copies():
    config = mock.Mock(args=["."])
    for folder, ignored in (("my_course/", True), ("", None)):
        lesson = ROOT / f"{folder}{start.FIRST_LESSON}"
        assert conftest.pytest_ignore_collect(lesson, config) is ignored


def test_what_is_solved_is_noted_in_my_course_alone(course, monkeypatch, capsys):
    monkeypatch.setattr(progress, "ROOT", course)
    (course / TOPIC / "1_One.ipynb").write_text(notebook(IMPORT))
    (course / "utils" / "exercises").mkdir(parents=True)
    (course / "utils" / "exercises" / "one.py").write_text(
        "twice = Exercise(\n)\nbest = Challenge(\n)\n"
    )
    draw, module = (lambda rng: {"x": rng.normal()}), type(sys)("utils.exercises.one")
    module.twice = Exercise(draw, lambda x: 2 * x, "All is well.", [])
    module.best = Challenge(lambda answer: answer(1), 3, "{score}, {goal}", [])
    monkeypatch.setitem(sys.modules, "utils.exercises.one", module)
    start.own_copy()
    folder = course / "my_course"

    def answer(x):
        return 2 * x

    def greeting():
        progress.greet(module)
        return capsys.readouterr().out

    monkeypatch.chdir(course / TOPIC)
    module.twice(answer)
    assert "Solved" not in greeting() and not (folder / ".solved").exists()
    monkeypatch.chdir(folder / TOPIC)
    module.twice(lambda x: 3 * x)
    assert "Solved here: 0 of 2" in greeting()
    with mock.patch("pathlib.Path.mkdir", side_effect=PermissionError):
        module.twice(answer)
    assert "All is well." in capsys.readouterr().out
    module.twice(answer)
    assert "Solved here: 1 of 2" in greeting()
    module.best(answer)
    (folder / ".solved" / "one.no_more").touch()  # of an older version
    progress.greet(3)
    assert greeting().count("2 of 2") == 1
    page = (folder / "PROGRESS.md").read_text(encoding="utf-8")
    assert f"| [1 One]({TOPIC}/1_One.ipynb) | 2 of 2 ✔ |" in page
