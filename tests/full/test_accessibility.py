"""Everyone can read lessons and guides: axe-core judges by WCAG 2.2, A and AA."""

import pathlib
import re

import axe_playwright_python
import nbconvert
import nbformat
import pytest
from course_texts import GUIDES, NOTEBOOKS, markdown, page, short

AXE = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js")
pytest_plugins = "chromium"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


# ------------------------------------------------------------------------- in a browser
def as_page(path, cells=None):
    """A notebook, or its first cells, as a page to read without Jupyter."""
    notebook = nbformat.read(path, 4)
    notebook.cells = notebook.cells[:cells]
    title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
    exporter = nbconvert.HTMLExporter(template_name="classic")
    return exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0]


def judge(chromium, text, tmp_path):
    """What axe finds wrong with a page: rule -> the places."""
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    tab = chromium.new_page()
    tab.route(re.compile("^http"), lambda route: route.abort())  # nothing is fetched
    tab.goto(file.as_uri())
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    options = {"runOnly": {"type": "tag", "values": LEVELS}}
    # Code is coloured by nbconvert, not by us, and would take most of the time.
    places = "{exclude: [['.input']]}"
    found = tab.evaluate(f"options => axe.run({places}, options)", options)
    tab.close()
    assert len(found["passes"]) > 5  # it did look at the page
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"]]
        for rule in found["violations"]
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=short)
def test_axe_finds_nothing(chromium, path, tmp_path):
    assert judge(chromium, as_page(path), tmp_path) == {}


@pytest.mark.parametrize(
    "old, new, rule",
    [
        (r'<img alt="[^"]*"', "<img", "image-alt"),
        ("</style>", "p, li { color: #999999; }</style>", "color-contrast"),
        (r'<html lang="en">', "<html>", "html-has-lang"),
        (r"<title>.*?</title>", "", "document-title"),
    ],
)
def test_axe_finds_what_is_broken(chromium, old, new, rule, tmp_path):
    broken, times = re.subn(old, new, as_page(NOTEBOOKS[1], 15), flags=re.DOTALL)
    assert times
    assert rule in judge(chromium, broken, tmp_path)


# ----------------------------------------------------------------------- in any reader
def problems(text):
    """What is wrong with a page, for those who cannot see it."""
    levels = [int(level) for level in re.findall(r"<h(\d)>", text)]
    if levels.count(1) != 1:
        yield "not one title"
    for above, level in zip([0, *levels], levels, strict=False):
        if level > above + 1:
            yield f"a heading of level {level} after one of {above}"
    for picture in re.findall(r"<img[^>]*>", text):
        if not re.search(r'alt="[^"]{20,}"', picture):
            yield f"no alt text: {picture}"
    for head in re.findall(r"<thead>.*?</thead>", text, re.DOTALL):
        if "" in re.findall(r"<th.*?>(.*)</th>", head)[1:]:  # a corner may be empty
            yield f"a column without a name: {head}"


@pytest.mark.parametrize("path", NOTEBOOKS + GUIDES, ids=short)
def test_a_text_has_levels_and_names_of_pictures_and_columns(path):
    assert not list(problems(page(markdown(path))))


@pytest.mark.parametrize(
    "source, problem",
    [
        ("# A\n\n## B\n\n### C\n\n## D\n\n```\n# a comment\n```", None),
        ("# A\n\n### B", "level 3 after one of 1"),
        ("## A", "level 2 after one of 0"),
        ("# A\n\n# B", "not one title"),
        ("# A\n\n![](a.png)", "no alt text"),
        ("# A\n\n<img src='a'>", "no alt text"),
        ("# A\n\n| | b |\n|---|---|\n| 1 | 2 |", None),
        ("# A\n\n| a | |\n|---|---|\n| 1 | 2 |", "without a name"),
    ],
)
def test_what_is_broken_is_found(source, problem):
    found = " ".join(problems(page(source)))
    assert problem in found if problem else not found
