"""The first code cell of a lesson finds the course, or fetches it, or says what to do.

That it is the same in all notebooks is tested in test_notebooks.py.
"""

import nbformat
import pytest
from course_texts import with_address
from running import python

from tools.build import ROOT, lessons
from tools.course_copy import bare_repository, copy_course


def cell(repository):
    """The set-up cell with another address, and a line that says what it found."""
    cells = nbformat.read(lessons()[0][1], 4).cells
    source = next(cell.source for cell in cells if cell.cell_type == "code")
    tell = "import utils\nprint(sys.path[0], utils.__file__, sep='\\n')"
    return f"{with_address(source, repository)}\n{tell}"


def run(folder, repository="", **environment):
    """Run the cell in `folder`; its exit status, and what it printed."""
    return python("-X", "utf8", "-c", cell(repository), cwd=folder, **environment)


def found(answer):
    """The course that the cell found; `utils` must come from there, without a word."""
    assert answer.returncode == 0 and not answer.stderr, answer.stderr
    root, module = answer.stdout.splitlines()
    assert module.startswith(root)
    return root


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return bare_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(params=["content", "My courses, Übung 二"])
def folder(request, tmp_path):
    """An empty folder, also one with spaces and letters from elsewhere."""
    path = tmp_path / request.param
    path.mkdir()
    return path


@pytest.mark.parametrize("place", [".", "02_LSTM_RNN/raw_scripts", "data/licenses"])
def test_in_the_course_or_anywhere_below_it(place):
    assert found(run(ROOT / place)) == str(ROOT)


def test_alone_it_fetches_the_course_once(folder, repository):
    assert found(run(folder, repository)) == str(folder / "course")
    assert [path.name for path in folder.iterdir()] == ["course"]
    # Again, and without network: it is there.
    assert found(run(folder, "http://127.0.0.1:9/none.git")) == str(folder / "course")


@pytest.mark.parametrize("name", ["rnn-course-main", "course (1)"])
def test_beside_an_unpacked_zip(folder, name):
    copy_course(folder / name)
    assert found(run(folder)) == str(folder / name)


@pytest.mark.parametrize(
    "address, environment",
    [
        ("", {}),
        ("http://127.0.0.1:9/none.git", {}),  # no network
        ("http://127.0.0.1:9/none.git", {"PATH": ""}),  # no git
    ],
)
def test_where_nothing_is_found_it_says_what_to_do(folder, address, environment):
    answer = run(folder, address, **environment)
    assert answer.returncode and answer.stderr.count("Traceback") == 1
    assert "RuntimeError: Unpack the course beside this notebook" in answer.stderr
    assert not list(folder.iterdir())
