"""Every exercise, in a kernel that has run its lesson up to there: the stub is "not
attempted yet", the solution that the learner unfolds is right, and each usual wrong
answer gets its own hint.
"""

import inspect
import re

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from wrong_answers import WRONG

from tools.build_notebooks import ROOT
from utils import checks

NOTEBOOKS = sorted(ROOT.glob("0*/*.ipynb"))
CHECK = re.compile(r"checks\.(\w+)\((\w+)\)")
SOLUTION = re.compile(
    r"<details><summary>Solution</summary>\n\n```python\n(.*?)\n```\n\n(.*?)\n\n</details>",
    re.DOTALL,
)


def exercises(notebook):
    """(position of the check cell, check, name of the function, solution, why)."""
    found = []
    for position, cell in enumerate(notebook.cells):
        match = CHECK.fullmatch(cell.source.strip())
        if cell.cell_type != "code" or match is None:
            continue
        after = notebook.cells[position + 1]
        solution = SOLUTION.search(after.source)
        assert solution, f"no folded solution after {cell.source}"
        found.append((position, *match.groups(), *solution.groups()))
    return found


def read(path):
    return nbformat.read(path, as_version=4)


def all_exercises():
    return [(path, *found) for path in NOTEBOOKS for found in exercises(read(path))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_has_two_to_four_exercises_and_three_questions(path):
    notebook = read(path)
    assert 2 <= len(exercises(notebook)) <= 4
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert text.count("<summary>Answer</summary>") == 3
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_exercise_is_task_stub_check_solution(path):
    notebook = read(path)
    for position, check, name, solution, why in exercises(notebook):
        task, stub = notebook.cells[position - 2 : position]
        assert task.cell_type == "markdown" and stub.cell_type == "code"
        assert re.search(r"^### Exercise \d+\.\d+ · ", task.source, re.M), check
        assert f"`{name}(" in task.source
        first = stub.source.splitlines()[0]
        assert first.startswith(f"def {name}(") and first in solution
        assert len(why.split()) >= 8  # the sentence on why


def test_every_check_belongs_to_one_exercise_with_three_wrong_answers():
    used = [check for _, _, check, *_ in all_exercises()]
    public = [
        name
        for name, function in inspect.getmembers(checks, inspect.isfunction)
        if function.__module__ == "utils.checks" and not name.startswith("_")
    ]
    assert sorted(used) == sorted(public) == sorted(WRONG)
    for name, answers in WRONG.items():
        hints = [hint for _, hint in answers]
        assert len(set(hints)) == len(hints) >= 3, name


class Kernel:
    """A kernel in which cells can be run one at a time, for their printed text."""

    def __init__(self, path):
        self.client = NotebookClient(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()]),
            timeout=600,
            resources={"metadata": {"path": path.parent}},
        )

    def run(self, source):
        cell = nbformat.v4.new_code_cell(source)
        self.client.execute_cell(cell, 0)
        return "".join(
            output.text for output in cell.outputs if output.output_type == "stream"
        )


CHEAT = """
_solution = {name}
_memory = []
def {name}(*arguments):
    if not _memory:
        _memory.append(_solution(*arguments))
    return _memory[0]
"""
BROKEN = """
def {name}(*arguments):
    return 1 / 0
"""
ENDLESS = """
def {name}(*arguments):
    while True: pass
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_answer_back(path):
    notebook = read(path)
    todo = {position: rest for position, *rest in exercises(notebook)}
    kernel = Kernel(path)
    with kernel.client.setup_kernel():
        for position, cell in enumerate(notebook.cells):
            if cell.cell_type != "code" or position > max(todo, default=-1):
                continue
            printed = kernel.run(cell.source)
            if position in todo:
                assert "not attempted yet" in printed
                *exercise, _ = todo[position]
                _try_out(kernel, notebook.cells[position - 1].source, *exercise)


def _try_out(kernel, stub, check, name, solution):
    def answer(source):
        kernel.run(source)
        return kernel.run(f"checks.{check}({name})")

    right = answer(solution)
    assert right.startswith("✔") and "Hint" not in right, right
    memory = answer(CHEAT.format(name=name))
    assert memory.startswith("✘"), f"{check}: a memorised result passed"
    for source, hint in WRONG[check]:
        printed = answer(source)
        assert printed.startswith("✘") and "expected" in printed, printed
        said = printed.partition("Hint: ")[2]
        assert hint in said, f"{check}: no hint “{hint}” for\n{source}\n{printed}"
        # The hints of one exercise tell its mistakes apart.
        assert sum(other in said for _, other in WRONG[check]) == 1, printed
    assert "ZeroDivisionError" in answer(BROKEN.format(name=name))
    assert "no answer in time" in answer(ENDLESS.format(name=name))
    kernel.run(stub)


SHAPES = "Two shapes do not fit"


@pytest.mark.parametrize(
    "mistake, about_shapes",
    [
        (lambda x, W_x, W_h, b: x @ W_x, True),
        (lambda x, W_x, W_h, b: x.reshape(7, 11, 13), True),
        (lambda x, W_x, W_h, b: (3).shape, False),  # AttributeError
        (lambda x, W_x, W_h, b: len(x, size=3), False),  # TypeError
        (lambda x, W_x, W_h, b: sizes, False),  # noqa: F821  NameError
        (lambda x, W_x, W_h, b: x[99], False),  # IndexError: out of bounds
    ],
)
def test_only_errors_about_shapes_get_the_hint_about_shapes(
    mistake, about_shapes, capsys
):
    checks.last_state(mistake)
    printed = capsys.readouterr().out
    assert printed.startswith("✘") and "got      an error: " in printed
    assert (SHAPES in printed) == about_shapes, printed


@pytest.mark.parametrize("result", [3, None, "h", torch.zeros(2, 3)])
def test_a_result_in_place_of_the_function_is_told(result, capsys):
    checks.last_state(result)
    printed = capsys.readouterr().out
    assert printed.startswith(f"✘ {type(result).__name__} is no function")
    assert "pass your function itself, not called" in printed
