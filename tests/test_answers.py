"""Every exercise without a kernel: the stub, the solution, the usual wrong answers.

test_exercises.py asks the same in the lesson itself, which takes minutes. This file
needs neither Jupyter nor a trained network, so test_colab.py runs it with the oldest
versions that learners meet.
"""

import re

import pytest
from wrong_answers import WRONG

from tools.lesson_functions import ROOT, load_lesson
from utils import checks

EXERCISE = re.compile(
    r"^checks\.(\w+)\((\w+)\)\n.*?^# ```python\n(.*?)^# ```\n", re.DOTALL | re.MULTILINE
)
EXERCISES = {  # check -> (script, name of the function, solution)
    check: (script, name, re.sub(r"^# ?", "", solution, flags=re.MULTILINE))
    for script in sorted(ROOT.glob("0*/raw_scripts/*.py"))
    for check, name, solution in EXERCISE.findall(script.read_text(encoding="utf-8"))
}
NEEDED = {"descend": ["squared_error"]}  # what solutions take over from their lesson


def test_all_exercises_are_found():
    assert sorted(EXERCISES) == sorted(WRONG)


@pytest.mark.parametrize("check", EXERCISES)
def test_every_answer_is_told_what_it_is(check, capsys):
    script, name, solution = EXERCISES[check]
    here = vars(load_lesson(script, NEEDED.get(check, ())))  # with the stub
    ask = getattr(checks, check)

    def answer(source=""):
        exec(source, here)
        ask(here[name])
        return capsys.readouterr().out

    assert "not attempted yet" in answer()
    assert answer(solution).startswith("✔")
    for source, hint in WRONG[check]:
        printed = answer(source)
        assert printed.startswith("✘"), f"{printed} for\n{source}"
        assert hint in printed.partition("Hint: ")[2], f"{printed} for\n{source}"
