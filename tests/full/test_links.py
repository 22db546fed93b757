"""No dead link, no missing picture: in guides, galleries and notebooks."""

import collections
import functools
import html
import os
import pathlib
import re
import urllib.parse

import pytest
from course_texts import GUIDES, NOTEBOOKS, markdown, page, short

from tools.build import ROOT, lessons

SCHEMES = ("http:", "https:", "mailto:", "attachment:", "data:")


def targets(source):
    """Where the links and pictures of a text lead to."""
    return map(html.unescape, re.findall(r'(?:href|src)="([^"]*)"', page(source)))


@functools.cache
def anchors(path):
    """What can stand behind a # in a link to this file.

    GitHub and JupyterLab write a heading's anchor differently in notebooks: there,
    links must go without.
    """
    if path.suffix != ".md":
        return set()
    text, seen = page(markdown(path)), collections.Counter()
    found = set(re.findall(r'<a (?:id|name)="([^"]*)"', text))
    for heading in re.findall(r"<h\d>(.*)</h\d>", text):
        words = html.unescape(re.sub("<.*?>", "", heading)).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def exists(path):
    """Whether a path exists letter by letter, also where `1.png` is `1.PNG`."""
    folder = ROOT
    for part in path.relative_to(ROOT).parts:
        if part not in {entry.name for entry in folder.iterdir()}:
            return False
        folder = folder / part
    return True


def wrong(path, target):
    """Why a link does not work, or an empty string."""
    if target.startswith(SCHEMES):
        return "" if target.startswith(("https:", "mailto:")) else "not https"
    place, _, anchor = urllib.parse.unquote(target).partition("#")
    # Without its `..`, and links on the disk are not followed.
    to = pathlib.Path(os.path.normpath(path.parent / place)) if place else path
    if not to.is_relative_to(ROOT):
        return "outside of the course"
    if not exists(to):
        return "no such file"
    if anchor and anchor not in anchors(to):
        return f"no such heading in {short(to)}"
    return ""


@pytest.mark.parametrize("path", NOTEBOOKS + GUIDES, ids=short)
def test_every_link_and_picture_exists(path):
    problems = {(t, wrong(path, t)) for t in targets(markdown(path))}
    assert not [problem for problem in problems if problem[1]]


@pytest.mark.parametrize(
    "target, why",
    [
        ("nowhere.md", "no such file"),
        ("01_introduction_to_rnn/README.md", "no such file"),
        ("01_Introduction_to_RNN/concepts/1.png", "no such file"),
        ("#no-such-heading", "no such heading"),
        ("data/README.md#nothing", "no such heading"),
        ("02_LSTM_RNN/2_LSTM.ipynb#Summary", "no such heading"),
        ("../other/README.md", "outside"),
        ("http://example.org", "not https"),
    ],
)
def test_a_dead_link_is_found(target, why):
    assert why in wrong(ROOT / "README.md", target)


def test_a_link_is_found_wherever_it_stands():
    source = '[a](1.md) ![b](2.png)\n\n| c |\n|---|\n| [d](3.md) |\n\n<img src="4.png">'
    assert sorted(targets(source)) == ["1.md", "2.png", "3.md", "4.png"]
    assert not list(targets("```\n[a](1.md)\n```\n\n`[b](2.md)`"))


def test_every_lesson_is_in_the_readme_in_order():
    links = [t for t in targets(markdown(ROOT / "README.md")) if t.endswith(".ipynb")]
    local = [link for link in links if not link.startswith("https:")]
    assert local == [short(path) for _, path in lessons()]
