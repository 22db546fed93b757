"""Each way to break the course can still be tried, and the tool tells what was seen."""

import pathlib
import shlex
import shutil

import pytest

from tools import mutate
from tools.build import ROOT
from tools.course_copy import copy_course


def test_every_way_has_its_own_name_and_tests_that_exist():
    ways = mutate.read(mutate.WAYS)
    assert len({way["name"] for way in ways}) == len(ways) >= 190
    for place in {word for way in ways for word in shlex.split(way["tests"])}:
        path, _, test = place.partition("::")
        if path.endswith((".py", ".ipynb")):
            text = (ROOT / path).read_text(encoding="utf-8")
            assert not test or f"def {test}(" in text, place


def test_every_way_breaks_something(tmp_path):
    copy = copy_course(tmp_path / "course")
    for way in mutate.read(mutate.WAYS):  # what cannot be applied raises
        saved = mutate.apply(way, copy)
        assert all(path.read_bytes() != old for path, old in saved.items()), way["name"]
        for path, content in saved.items():
            path.write_bytes(content)


SEEN = "minus {}\tsums.py\ta + b\ta - b - {}\ttest_sums.py\t\t"
MISSED = "plus 0\tsums.py\ta + b\ta + b + 0\ttest_sums.py\t\t"
UNTRIED = "untried\tsums.py\ta + b\ta - b\ttest_sums.py -k nothing\t\t"


@pytest.mark.skipif(not hasattr(mutate.os, "fork"), reason="Windows has no fork")
def test_the_status_says_whether_enough_was_seen(tmp_path, monkeypatch, capsys):
    def copy(target):
        return pathlib.Path(shutil.copytree(tmp_path / "tiny", target))

    def without_tests(tasks, copies):
        for name, way, *_ in tasks:
            yield name, "a test" if way and "minus" in name else "", 0.1

    def status(*ways):
        table.write_text("\n".join([head, *ways]), encoding="utf-8")
        return mutate.main(["--write"])

    (tmp_path / "tiny").mkdir()
    table, head = tmp_path / "tiny.tsv", "name\tfile\told\tnew\ttests\toptions\twhy"
    (tmp_path / "tiny/sums.py").write_text("def plus(a, b):\n    return a + b\n")
    (tmp_path / "tiny/test_sums.py").write_text(
        "from sums import plus\n\ndef test_plus():\n    assert plus(1, 2) == 3\n"
    )
    monkeypatch.setattr(mutate, "copy_course", copy)
    monkeypatch.setattr(mutate, "WAYS", table)
    few, many = ([SEEN.format(k, k) for k in range(n)] for n in (2, 19))
    assert status(*few, UNTRIED) == 0
    assert "2 ways seen, 0 not seen, 1 not tried" in capsys.readouterr().out
    assert status(*few, MISSED + "0 is nothing") == 1  # two of three
    told = table.with_suffix(".md").read_text(encoding="utf-8")
    assert "| minus 1 | sums.py | test_sums.py::test_plus |" in told
    assert "| plus 0 | sums.py | **nothing**: 0 is nothing |" in told
    monkeypatch.setattr(mutate, "run", without_tests)
    assert status(*many, MISSED) == 1  # nobody says why
    assert status(*many, MISSED + "0 is nothing") == 0
