"""What is built or trained: a solution reaches the goal, a usual miss does not."""

import re
import textwrap

import pytest
from lesson_functions import load_lesson
from test_exercises import ROOT, SCRIPTS, as_in_a_cell, exercises_in

from utils.exercises import Challenge

CHALLENGES = {
    found[0]: (script, *found)
    for script in SCRIPTS
    for found in exercises_in(script)
    if isinstance(found[1], Challenge)
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_a_challenge_and_what_each_answer_is_told(name, capsys):
    script, _, challenge, task, stub, solution, reason, _ = CHALLENGES[name]
    assert re.search(r"^### Exercise \d+\.\d+ · \w", task, re.MULTILINE)
    assert stub.splitlines()[0].startswith((f"def {name}(", f"class {name}("))
    assert stub.splitlines()[0] in solution and f"`{name}" in task
    assert len(reason.split()) >= 8 and len(challenge.misses) >= 2

    def told(source):
        lesson = vars(load_lesson(script.relative_to(ROOT), challenge.needs))
        lesson["HERE"] = script.parents[1].name
        exec(compile(source, as_in_a_cell(source), "exec"), lesson)
        challenge(lesson[name])
        return capsys.readouterr().out

    assert told(stub).startswith(f"{name}: not attempted yet")
    assert told(solution).startswith(f"✔ {name} ")
    for miss in challenge.misses:
        printed = told(textwrap.dedent(miss.wording))
        assert printed.startswith(f"✘ {name} "), printed
        hints = re.findall("^Hint: (.*)$", printed, re.MULTILINE)
        assert hints == [miss.hint], printed
