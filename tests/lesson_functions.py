"""A lesson's functions and settings without its experiments, for tests of these."""

import ast
import pathlib
import types

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFINITIONS = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef


def load_lesson(script, settings=()):
    """A module with the imports, functions and classes of a lesson's script, and those
    assignments, `settings`, on which functions build.
    """
    path = ROOT / script
    kept, missing = [], set(settings)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            parts = [part for target in node.targets for part in ast.walk(target)]
            names = {part.id for part in parts if isinstance(part, ast.Name)}
            if names.isdisjoint(settings):
                continue
            missing -= names
        elif not isinstance(node, DEFINITIONS):
            continue
        kept.append(node)
    if missing:
        raise ValueError(f"{script} does not assign {', '.join(sorted(missing))}")
    torch.set_num_threads(1)
    module = types.ModuleType(path.stem)
    exec(compile(ast.Module(kept, []), str(path), "exec"), module.__dict__)
    return module
