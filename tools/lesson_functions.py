"""The functions and settings of a lesson's script, without its experiments.

What a lesson cannot measure in a minute is measured by a tools/measure_*.py with the
lesson's own functions, so that the lesson's text and the committed results are about
the same code.
"""

import ast
import os
import pathlib
import platform
import signal
import types

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]


def load_lesson(script, settings=()):
    """A module with the imports, functions and classes of a lesson's script.

    script    path of the script, from the root of the course
    settings  names of the assignments to run as well, because functions build on them

    Raises ValueError for a setting that the script does not assign.
    """
    path = ROOT / script
    kept, found = [], set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            targets = {
                n.id for t in node.targets for n in ast.walk(t) if hasattr(n, "id")
            }
            if not targets & set(settings):
                continue
            found |= targets
        elif not isinstance(
            node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
        ):
            continue
        kept.append(node)
    if missing := set(settings) - found:
        raise ValueError(f"{script} does not assign {', '.join(sorted(missing))}")
    torch.set_num_threads(1)
    module = types.ModuleType(path.stem)
    exec(compile(ast.Module(kept, []), str(path), "exec"), module.__dict__)
    return module


def versions():
    """What the scores of a file of results were measured with."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def stop_at_ctrl_c(message):
    """Let Ctrl-C end this program at once, with a message and exit status 130.

    Without it `fit` takes the interruption for the reader's wish to stop training, and
    the score of a half-trained network would be written down.
    """

    def stop(*_):
        print(f"\n{message}", flush=True)
        os._exit(130)

    signal.signal(signal.SIGINT, stop)
