"""The exercises: how they stand in the lessons, what each answer is told, the engine.

No lesson is run. Stubs and solutions are read from the scripts; they and the learner's
wordings get the imports of their lesson, as if they were typed into one of its cells.
"""

import importlib
import pathlib
import random
import re
import textwrap

import numpy as np
import pytest
import torch
from IPython.core.compilerop import CachingCompiler

from utils.exercises import (
    ARRAYS_FIRST,
    Challenge,
    Exercise,
    Miss,
    bidirectional_rnn,
    draw_arrays,
    rnn_intro,
)

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = sorted(ROOT.glob("0*/raw_scripts/*.py"))
SCRIPTS = [path for path in SCRIPTS if path.stem != "pytorch_in_ten_minutes"]
CELL = re.compile(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", re.MULTILINE)
FOLDED = re.compile(r"<summary>Solution.*?\n```python\n(.*?)```\n(.*?)</details>", re.S)
# What an answer finds in its lesson: imports, and what one solution takes over.
NAMES = re.compile(
    r"^(?:import |from (?!utils(?!\.spelling))|squared_error = ).*", re.MULTILINE
)
as_in_a_cell = CachingCompiler().cache  # so that errors know the lines that were typed


def exercises_in(script):
    """(name, Exercise, task, stub, solution, reason, names) of each, in order."""
    module = importlib.import_module(f"utils.exercises.{script.stem}")
    source, names = script.read_text(encoding="utf-8"), {}
    exec("\n".join(NAMES.findall(source)), names)
    cells = [cell.strip() for kind, cell in CELL.findall(source) if "tags" not in kind]
    text = [re.sub("^# ?", "", cell, flags=re.MULTILINE) for cell in cells]
    for i, cell in enumerate(cells):
        if match := re.fullmatch(r"checks\.(\w+)\(\1\)", cell):
            folded = FOLDED.search(text[i + 1])
            assert folded, f"no folded solution after {cell}"
            exercise = getattr(module, match[1])
            yield match[1], exercise, text[i - 2], cells[i - 1], *folded.groups(), names


def typed(source, name, names):  # the function of this name in a learner's cell
    names = dict(names)
    exec(compile(source, as_in_a_cell(source), "exec"), names)
    return names[name]


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def default_dtype(request):
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def told(capsys):  # told(exercise, answer) is what is printed
    def ask(exercise, answer):
        exercise(answer)
        return capsys.readouterr().out

    return ask


# --- in the lessons -------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_lesson_has_the_exercises_of_its_module_and_its_questions(script):
    module = importlib.import_module(f"utils.exercises.{script.stem}")
    made = [n for n, v in vars(module).items() if isinstance(v, Exercise | Challenge)]
    assert [name for name, *_ in exercises_in(script)] == made
    assert 2 <= len(made) <= 4
    source = script.read_text(encoding="utf-8")
    assert f"\nfrom utils.exercises import {script.stem} as checks\n" in source
    assert source.count("\nchecks.") == len(made)
    assert source.count("<summary>Answer</summary>") in (2, 3)
    assert source.count("<details>") == source.count("</details>")
    modules = {path.stem for path in (ROOT / "utils/exercises").glob("*.py")}
    assert modules - {"__init__", "engine", "progress"} == {
        script.stem for script in SCRIPTS
    }


FOUND = [found for script in SCRIPTS for found in exercises_in(script)]
FOUND = [found for found in FOUND if isinstance(found[1], Exercise)]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found[0])
def test_an_exercise_and_what_each_answer_is_told(found, told, default_dtype):
    name, exercise, task, stub, solution, reason, names = found
    assert re.search(r"^### Exercise \d+\.\d+ · \w", task, re.MULTILINE)
    first = stub.splitlines()[0]
    assert first.startswith(f"def {name}(") and first in solution
    assert f"`{name}(" in task
    assert len(reason.split()) >= 8  # the sentence on why
    hints = {mistake.hint for mistake in exercise.mistakes}
    assert len(hints) == len(exercise.mistakes) >= 3

    not_yet = f"{name}: not attempted yet. Replace the dots, then run both cells.\n"
    assert told(exercise, typed(stub, name, names)) == not_yet
    right, kept = typed(solution, name, names), {}
    assert told(exercise, right) == f"✔ {name} is right. {exercise.verified}\n"
    for mistake in exercise.mistakes:
        wording = textwrap.dedent(mistake.wording)
        printed = told(exercise, typed(wording, name, names))
        assert printed.startswith(f"✘ {name} is not right yet."), wording
        hints = re.findall("^Hint: (.*)$", printed, re.MULTILINE)
        assert hints == [mistake.hint], wording
    memorised = told(exercise, lambda *given: kept.setdefault(0, right(*given)))
    assert memorised.startswith("✘")
    broken = told(exercise, lambda *given: 1 / 0)
    assert "ZeroDivisionError" in broken and "Hint" not in broken


MEAN = Challenge(
    lambda answer: abs(answer([1, 2, 6]) - 3),
    0.5,
    "is {score:.1f} off, the goal is {goal}.",
    [Miss("Take the mean.", lambda score: score > 2 or score < 0.45, "")],
)
SCORED = {
    "is 0.4": (lambda x: 2.6, "✔ <lambda> is 0.4 off, the goal is 0.5.\n"),
    "too far": (lambda x: 2, "✘ <lambda> is 1.0 off, the goal is 0.5.\n"),
    "hinted": (max, "✘ max is 3.0 off, the goal is 0.5.\nHint: Take the mean.\n"),
    "not a number": (lambda x: float("nan"), "✘ <lambda> is nan off, the goal is 0.5."),
    "stub": (lambda x: ..., "<lambda>: not attempted yet. Replace the dots, then run "),
    "error": (lambda x: x[9], "✘ <lambda> cannot be scored yet: an error: IndexError"),
}


@pytest.mark.parametrize("case", SCORED)
def test_a_challenge_is_scored(case, told):
    answer, said = SCORED[case]
    printed = told(MEAN, answer)
    assert printed.startswith(said) and ("Hint" in printed) == ("Hint" in said)


def test_a_challenge_may_want_a_high_score(told):
    high = Challenge(lambda answer: answer(), 0.9, "{score}, {goal}", [], lower=False)
    assert told(high, lambda: 0.9)[0] + told(high, lambda: 0.8)[0] == "✔✘"


# --- the engine, on a small exercise --------------------------------------------------


def draw(rng):
    torch.manual_seed(3)
    return {"x": rng.normal(size=(2, 3)), "k": int(rng.integers(2, 9))}


pair = Exercise(draw, lambda x, k: (k * x, x.sum(axis=0)), "Both.", [])


def relies_on_scalars(x, k):  # x[0, 0] is a copy in NumPy, but not in torch
    first, total = x[0, 0], x.sum(0)
    x *= k
    x[0, 0] = k * first
    return x, total


class Net(torch.nn.Module):
    def forward(self, x, k):
        return k * x, x.sum(0)


RIGHT = [
    lambda x, k: [k * x, x.sum(0)],
    lambda x, k: (k * x.numpy(), tuple(x.sum(0).tolist())),
    lambda x, k: (k * x.astype(np.float32), list(x.sum(0))),
    lambda x, k: (k * torch.eye(2).mm(x), x.sum(0)),
    lambda x, k: (k * torch.eye(2, dtype=torch.float32).mm(x), x.sum(0)),
    lambda x, k: (k * torch.eye(2, dtype=torch.float64).mm(x), x.sum(0)),
    lambda x, k: (k * x.requires_grad_(), x.sum(0) + 1e-6),
    relies_on_scalars,
    Net(),
]


@pytest.mark.parametrize("answer", RIGHT)
def test_many_kinds_of_answers_are_right(answer, told, default_dtype):
    assert re.fullmatch(r"✔ \S+ is right\. Both\.\n", told(pair, answer))


WRONG, SHAPES = "^✘ <lambda> is not right yet", "Two shapes do not fit"
NO_SHAPES = f"(?s)got      an error(?!.*{SHAPES})"
TOLD = [
    (lambda x, k: (k * x, x.sum(0) + 1e-3), WRONG),
    (lambda x, k: (k * x, x.sum(0)[None]), WRONG),
    (lambda x, k: (k * x, x.sum(0), 0), WRONG),
    (lambda x, k: (k * x, float("nan")), WRONG),
    (lambda x, k: k * x, WRONG),
    (lambda x, k: print(end=""), "got      None. Is a `return` missing"),
    (lambda x, k: x @ x, SHAPES),
    (lambda x, k: x.reshape(7, 11), SHAPES),
    (lambda x, k: (3).shape, NO_SHAPES),
    (lambda x, k: len(x, size=3), NO_SHAPES),
    (lambda x, k: sizes, NO_SHAPES),  # noqa: F821
    (lambda x, k: x[99], NO_SHAPES),
    (lambda x, k: np.array([[1], [1, 2]]), NO_SHAPES),
    (lambda x, k: ..., "^<lambda>: not attempted yet"),
    (type("Stub", (), {"__call__": lambda self: ...}), "^Stub: not attempted yet"),
    (..., "not attempted yet"),
    (torch.zeros(3), "^✘ Tensor is no function: pass your function itself, not called"),
    (None, "^✘ NoneType is no function"),
]


@pytest.mark.parametrize("answer, said", TOLD)
def test_what_wrong_answers_are_told(answer, said, told):
    assert re.search(said, told(pair, answer))


def test_the_first_input_that_differs_is_shown(told):
    count = Exercise(lambda rng: {"n": int(rng.integers(1000))}, lambda n: n, "", [])
    drawn = [count.draw(np.random.default_rng(seed))["n"] for seed in range(11, 17)]
    said = told(count, lambda n: n if n in drawn[:2] else -1)
    assert f"    n = {drawn[2]}\n  expected {drawn[2]}\n  got      -1" in said


def test_where_arrays_come_first_they_settle_the_matter(told):
    spread = Exercise(draw, lambda x, k: x.std(axis=0, ddof=1), "", [], ARRAYS_FIRST)
    assert told(spread, lambda x, k: x.std(0)).startswith("✘")  # right for tensors
    assert told(spread, lambda x, k: x.clone().std(0)).startswith("✔")


def test_an_answer_that_changes_its_input_does_not_change_what_is_shown(told):
    said = told(pair, lambda x, k: x.fill(9))  # a method of arrays
    assert said == told(pair, lambda x, k: print(end=""))


CELLS = {
    "def f(x, k):\n    return torch.stack(x, k)": "return torch.stack(x, k)",
    "def f(x, k):\n    y = g(x)\n    return y": "y = g(x)",
    "def h(x):\n    return 1 / 0\ndef f(x, k):\n    return h(x)": "return 1 / 0",
    "class F(torch.nn.Module):\n def forward(self, x, k):\n  1 / 0\nf = F()": "1 / 0",
    "def f(x, k):\n    return draw_arrays(x, k)": "return draw_arrays(x, k)",
}


@pytest.mark.parametrize("cell", CELLS)
def test_an_error_is_shown_with_the_learners_own_line(cell, told):
    names = {"torch": torch, "draw_arrays": draw_arrays}
    names["g"] = typed("def g(x):\n    return 1 / 0", "g", {})
    line = told(pair, typed(cell, "f", names)).partition("in the line: ")[2]
    assert line == CELLS[cell] + "\n"


FORWARD = {"1 / 0": "in the line: 1 / 0", "x": "yet: None", "return x": r"\(64, 8\)"}


@pytest.mark.parametrize("line", FORWARD)
def test_a_challenge_shows_no_line_of_the_check(line, told):
    cell = f"class F(nn.Module):\n def forward(self, x):\n  self.w = 1\n  {line}"
    net = typed(cell, "F", {"nn": torch.nn})
    net.parameters = lambda self: [torch.nn.Parameter(torch.ones(1))]
    said = told(rnn_intro.Reader, net)
    assert re.search(FORWARD[line], said) and "network" not in said


FILLER = bidirectional_rnn._FILLER
UNBUILT = {  # a change to the solution, and what is said
    "an argument": ("(self)", "(self, units)", "without arguments: choose the"),
    "no embedding": ("self.embed(x)", "x", r"nn\.Embedding first\.\nin the line: "),
    "both results": ("[0]", "", r"take the first, \[0\]\.\nin the line: return self"),
    "too few rows": ("27, 16", "26, 16", "a number from 0 to 26, so nn.Embedding"),
    "another error": ("(x))[0]", "(y))[0]", "NameError: name 'y' is not defined\nin "),
}


@pytest.mark.parametrize("case", UNBUILT)
def test_usual_errors_in_a_network_are_explained(case, told):
    old, new, said = UNBUILT[case]
    source = textwrap.dedent(FILLER.replace(old, new))
    net = typed(source, "GapFiller", {"nn": torch.nn})
    printed = told(bidirectional_rnn.GapFiller, net)
    assert re.search(said, printed) and printed.startswith("✘ GapFiller cannot be")


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_lesson_goes_on_as_if_nothing_had_run(error, told, default_dtype):
    def answer(x, k):
        for seed in random.seed, np.random.seed, torch.manual_seed:
            seed(1)
        torch.set_default_dtype(torch.float16)
        if error:
            raise error

    def states():
        numpy, numbers = str(np.random.get_state()), torch.get_rng_state().tolist()
        return random.getstate(), numpy, numbers, torch.get_default_dtype()

    before = states()
    printed = told(pair, answer)
    assert states() == before
    stopped = "✘ answer was stopped. Does a loop in it never end?\n"
    assert (printed == stopped) == (error is KeyboardInterrupt)
