"""Every claim of a lesson is in its notebook, out of sight, and says what it claims."""

import ast
import json
import re

import nbformat
import pytest
from lesson_functions import ROOT

SCRIPTS = sorted(ROOT.glob("[0-9]*/**/raw_scripts/*.py"))
CELL = re.compile(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", re.MULTILINE)


def cells(script, tag):
    """The code of a script's cells with this tag."""
    found = CELL.findall(script.read_text(encoding="utf-8") + "\n")
    return [code.strip() for head, code in found if f'"{tag}"' in head]


def asserts(code):
    return [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Assert)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_claim_has_a_message_and_stands_in_a_claims_cell(script):
    claims = [claim for code in cells(script, "claims") for claim in asserts(code)]
    assert len(claims) >= 3
    assert not [ast.unparse(claim) for claim in claims if claim.msg is None]
    everything = asserts(script.read_text(encoding="utf-8"))
    inside = len(claims) + sum(len(asserts(c)) for c in cells(script, "measure"))
    assert len(everything) == inside, "an assert stands where learners see it"


def test_no_claim_is_lost_between_script_and_notebook_and_none_is_seen():
    in_scripts = [code for script in SCRIPTS for code in cells(script, "claims")]
    in_notebooks = []
    for path in ROOT.glob("[0-9]*/**/*.ipynb"):
        if ".ipynb_checkpoints" not in path.parts:
            for cell in nbformat.read(path, 4).cells:
                in_notebooks.append(cell.metadata.get("claims", "").strip())
                seen = re.search(r"^\s*assert\b", cell.source, re.MULTILINE)
                assert cell.cell_type == "markdown" or not seen, path.name
    assert sorted(in_scripts) == sorted(filter(None, in_notebooks))


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
