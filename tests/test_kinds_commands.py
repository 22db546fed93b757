"""What the guides tell to type, and the files that they name, are there."""

import re

import pytest
from lesson_functions import ROOT

import start

GUIDES = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "data/README.md",
        "tools/slides/README.md",
    )
] + sorted(ROOT.glob("[0-9][0-9]_*/README.md"))
CODE = re.compile(r"`([^`\n]+)`|^    (\S.*)$", re.MULTILINE)
PATH = re.compile(r"^[\w./]+/[\w.]*$|^\w[\w.]*\.(?:py|md|txt|toml|ipynb|tsv|json)$")
MADE = {"PROGRESS.md"}  # written when it is needed
# Placeholders. (The data cards also name files in other people's packages.)
SKIP = r"0X|NAME|LESSON|TOPIC|my_course|venv"
PLACES = ("", "tests", "tests/full", "tools", "utils", "data", "tools/slides")


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
        if code.startswith("--") and code != "--upgrade":  # of a command before (uv's)
            tools = [ROOT / "start.py", *(ROOT / "tools").glob("*.py")]
            texts = [path.read_text(encoding="utf-8") for path in tools]
            assert any(words[0] in text for text in texts), code
        if "start.py" in words:
            rest = words[words.index("start.py") + 1 :]
            known = [*start.COMMANDS, "--help"]
            assert not rest or rest[0] in known, code
            tool = ROOT / "tools" / f"{rest[0]}.py" if rest else None
            text = (ROOT / "start.py").read_text(encoding="utf-8")
            if tool is not None and tool.is_file():
                text += tool.read_text(encoding="utf-8")
            for option in rest:
                assert not option.startswith("--") or option in text, code
        for word in words if ".venv/bin/python" in code else []:
            assert not word.startswith("tools/") or (ROOT / word).is_file(), code
        if words[:1] in (["build"], ["measure"]):  # said for short
            text = (ROOT / "tools" / f"{words[0]}.py").read_text(encoding="utf-8")
            assert all(word in text for word in words if word.startswith("--")), code


@each_guide
def test_each_path_exists(guide):
    for code in codes(guide):
        first = ROOT / code.partition("/")[0]
        package = guide.parent.name == "data" and "/" in code and not first.exists()
        if (
            PATH.match(code)
            and not re.search(SKIP, code)
            and not package
            and "licenses/" not in code
        ):
            near = [guide.parent / code, *(ROOT / place / code for place in PLACES)]
            near += ROOT.glob(f"*/{code}")
            near += ROOT.glob(f"*/*/{code}")
            assert any(path.exists() for path in near) or code in MADE, code


def test_statuses_are_handed_on(monkeypatch):
    monkeypatch.setattr(start, "install", lambda *_: None)
    monkeypatch.setattr(start, "own_copy", lambda *_: "here")
    monkeypatch.setattr(start, "run", lambda *_, **__: 7)
    for command in start.COMMANDS:
        assert start.main([command, "x"]) == 7


def test_jupyterlab_keeps_its_token():
    for path in (ROOT / ".jupyter").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"token\s*=|password|disable_check_xsrf|allow_origin", text
        )
        assert "0.0.0.0" not in text and "ServerApp.ip" not in text
