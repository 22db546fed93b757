"""What a learner has solved, noted in my_course/ and nowhere else.

An exercise that is solved leaves an empty file, my_course/.solved/LESSON.EXERCISE: no
two kernels can get into each other's way. PROGRESS.md is written from these files.
Whatever goes wrong here, the exercise still says that the answer is right.
"""

import contextlib
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = "my_course"
LESSON = re.compile(r"from utils\.exercises import (\w+) as checks")


def _folder():
    """my_course/, or None if the notebook that is running does not lie in it."""
    with contextlib.suppress(OSError):  # the working folder may be gone
        folder = ROOT / FOLDER
        if pathlib.Path.cwd().resolve().is_relative_to(folder.resolve()):
            return folder
    return None


def _exercises(module):
    return [name for name, value in vars(module).items() if callable(value)]


def note(exercise):
    """Remember that this exercise is solved, if that is possible."""
    folder = _folder()
    if folder is None:
        return
    for path, module in list(sys.modules.items()):
        if not path.startswith("utils.exercises."):
            continue
        for name in _exercises(module):
            if vars(module)[name] is exercise:
                with contextlib.suppress(
                    OSError, ValueError
                ):  # full disk, a damaged file
                    (folder / ".solved").mkdir(exist_ok=True)
                    lesson = path.rpartition(".")[2]
                    (folder / ".solved" / f"{lesson}.{name}").touch()
                    _write_page(folder)


def _lessons():
    """(notebook, module) of each lesson with exercises, in order."""
    for path in sorted(ROOT.glob("[0-9][0-9]_*/*.ipynb")):
        if found := LESSON.search(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), found[1]


def _count(folder, lesson):
    """How many exercises of the lesson are solved, and how many it has."""
    text = (ROOT / "utils" / "exercises" / f"{lesson}.py").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+) = (?:Exercise|Challenge)\(", text, re.MULTILINE)
    solved = [(folder / ".solved" / f"{lesson}.{name}").exists() for name in names]
    return sum(solved), len(names)


def _write_page(folder):
    lines = ["# How far you are", "", "| Lesson | Exercises solved |", "|---|---|"]
    for path, lesson in _lessons():
        done, of = _count(folder, lesson)
        mark = " ✔" if done == of else ""
        link = f"[{path.stem.replace('_', ' ')}]({path.as_posix()})"
        lines.append(f"| {link} | {done} of {of}{mark} |")
    new = folder / f".progress-{os.getpid()}"
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(new, folder / "PROGRESS.md")


def greet(checks):
    """Print, in the learner's own copy of a lesson, how much of it is solved."""
    folder, name = _folder(), getattr(checks, "__name__", "")
    if folder is not None and name.startswith("utils.exercises."):
        done, of = _count(folder, name.rpartition(".")[2])
        print(f"Solved here: {done} of {of} exercises. PROGRESS.md shows all lessons.")
