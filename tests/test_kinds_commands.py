"""What the guides tell to type, and the files that they name, are there."""

import re

import pytest
from lesson_functions import ROOT

import start

NAMES = ("README.md", "CONTRIBUTING.md", "data/README.md", "tools/slides/README.md")
GUIDES = [ROOT / name for name in NAMES] + sorted(ROOT.glob("[0-9][0-9]_*/README.md"))
CODE = re.compile(r"`([^`\n]+)`|^    (\S.*)$", re.MULTILINE)
PATH = re.compile(r"^[\w./]+/[\w.]*$|^\w[\w.]*\.(?:py|md|txt|toml|ipynb|tsv|json)$")
MADE = {"PROGRESS.md"}  # written when it is needed
# Placeholders. (The data cards also name files in other people's packages.)
SKIP = r"0X|NAME|LESSON|TOPIC|my_course|venv|licenses/"
PROGRAMS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in [ROOT / "start.py", *(ROOT / "tools").glob("*.py")]
}


def codes(path):
    """What stands in code in a guide: commands, paths, names."""
    text = path.read_text(encoding="utf-8")
    return ["".join(found).strip() for found in CODE.findall(text)]


each_guide = pytest.mark.parametrize(
    "guide", GUIDES, ids=lambda p: p.parent.name + p.stem
)


@each_guide
def test_each_command_exists_with_its_options(guide):
    for code in codes(guide):
        words = code.split()
        if "start.py" in words:
            words = words[words.index("start.py") + 1 :]
            assert not words or words[0] in [*start.COMMANDS, "--help"], code
        for word in words:
            assert not word.startswith("tools/") or (ROOT / word).exists(), code
        programs = PROGRAMS.values()  # the text may speak of any of them
        if words and words[0] in start.COMMANDS:
            programs = [PROGRAMS["start"], PROGRAMS.get(words[0], "")]
        for word in words:
            if word.startswith("--") and word != "--upgrade":  # uv's
                assert any(word in program for program in programs), code


@each_guide
def test_each_path_exists(guide):
    near = [guide.parent, ROOT, *ROOT.glob("*/"), *ROOT.glob("*/*/")]
    for code in codes(guide):
        first = ROOT / code.partition("/")[0]
        package = guide.parent.name == "data" and "/" in code and not first.exists()
        if PATH.match(code) and not re.search(SKIP, code) and not package:
            assert any((place / code).exists() for place in near) or code in MADE, code


def test_statuses_are_handed_on(monkeypatch):
    monkeypatch.setattr(start, "install", lambda *_: None)
    monkeypatch.setattr(start, "own_copy", lambda *_: "here")
    monkeypatch.setattr(start, "run", lambda *_, **__: 7)
    for command in start.COMMANDS:
        assert start.main([command, "x"]) == 7


def test_jupyterlab_keeps_its_token():
    opened = r"token\s*=|password|disable_check_xsrf|allow_origin|0\.0\.0\.0|App\.ip"
    for path in (ROOT / ".jupyter").rglob("*.*"):
        assert not re.search(opened, path.read_text(encoding="utf-8"))
