"""Every claim of a lesson is in its notebook, out of sight, and says what it claims.

Nothing here is shared with the builder: a claim that it loses is found.
"""

import ast
import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = sorted(ROOT.glob("[0-9]*/**/raw_scripts/*.py"))
CELL = re.compile(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", re.MULTILINE)


def cells(script, tag):
    """The code of a script's cells with this tag."""
    found = CELL.findall(script.read_text(encoding="utf-8") + "\n")
    return [code.strip() for head, code in found if f'"{tag}"' in head]


def asserts(code):
    return [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Assert)]


def notebooks():
    """Stem of the script -> code cells of the notebook that is built from it."""
    found = {}
    for path in ROOT.glob("[0-9]*/**/*.ipynb"):
        if ".ipynb_checkpoints" not in path.parts:
            text = json.loads(path.read_text(encoding="utf-8"))
            code = [c for c in text["cells"] if c["cell_type"] == "code"]
            found[path] = code
    return found


NOTEBOOKS = notebooks()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_claim_has_a_message_and_stands_in_a_claims_cell(script):
    claims = [claim for code in cells(script, "claims") for claim in asserts(code)]
    assert len(claims) >= 3
    assert not [ast.unparse(claim) for claim in claims if claim.msg is None]
    everything = asserts(script.read_text(encoding="utf-8"))
    inside = len(claims) + sum(len(asserts(c)) for c in cells(script, "measure"))
    assert len(everything) == inside, "an assert stands where learners see it"


def test_no_claim_is_lost_between_script_and_notebook():
    in_scripts = [code for script in SCRIPTS for code in cells(script, "claims")]
    in_notebooks = [
        cell["metadata"]["claims"].strip()
        for code in NOTEBOOKS.values()
        for cell in code
        if "claims" in cell["metadata"]
    ]
    assert sorted(in_scripts) == sorted(in_notebooks)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_learner_sees_no_assert(path):
    for cell in NOTEBOOKS[path]:
        assert not re.search(r"^\s*assert\b", "".join(cell["source"]), re.MULTILINE)


def test_every_text_for_a_figure_has_a_name_of_its_own_and_is_used():
    named = {}
    for path in ROOT.glob("[0-9]*/**/raw_scripts/*.alt.json"):
        texts = json.loads(path.read_text(encoding="utf-8"))
        script = path.with_name(path.name.removesuffix(".alt.json") + ".py")
        source = script.read_text(encoding="utf-8")
        for name, text in texts.items():
            assert name not in named and not re.search(r"\s", name) and len(text) >= 30
            assert f'"{name}"' in source, f"{script.name} does not show {name}"
            named[name] = text
