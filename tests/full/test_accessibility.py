"""Lessons, guides and galleries can be read by everyone.

axe-core, in a real browser, judges each lesson's page by WCAG 2.2, levels A and AA.
What holds for any text is tested without a browser.
"""

import pathlib
import re

import axe_playwright_python
import nbconvert
import nbformat
import pytest
from course_texts import GUIDES, MARKDOWN, NOTEBOOKS, markdown, short, tokens

AXE = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js")
pytest_plugins = "chromium"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=short)
each_text = pytest.mark.parametrize("path", NOTEBOOKS + GUIDES, ids=short)


# ------------------------------------------------------------------------- in a browser
def page(path, cells=None):
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
    assert len(found["passes"]) > 10  # it did look at the page
    return {
        rule["id"]: [node["html"][:200] for node in rule["nodes"]]
        for rule in found["violations"]
    }


@each_notebook
def test_axe_finds_nothing(chromium, path, tmp_path):
    assert judge(chromium, page(path), tmp_path) == {}


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
    broken, times = re.subn(old, new, page(NOTEBOOKS[1], 15), flags=re.DOTALL)
    assert times
    assert rule in judge(chromium, broken, tmp_path)


# ----------------------------------------------------------------------- in any reader
def headings(source):
    """The levels of the headings, in order."""
    return [int(t.tag[1]) for t in MARKDOWN.parse(source) if t.type == "heading_open"]


def skipped(levels):
    """Where the levels go down by more than one, or do not begin with 1."""
    pairs = zip([0, *levels], levels, strict=False)
    return [pair for pair in pairs if pair[1] > pair[0] + 1]


def pictures_without_alt(source):
    """Pictures in Markdown or HTML whose alt text is missing or says little."""
    poor = []
    for token in tokens(source):
        if token.type == "image" and len(token.content) < 20:
            poor.append(token.attrs["src"])
        if token.type in ("html_block", "html_inline"):
            for tag in re.findall(r"<img[^>]*>", token.content):
                if not re.search(r'alt="[^"]{20,}"', tag):
                    poor.append(tag)
    return poor


def tables_without_header(source):
    """Header rows of tables in which a column has no name."""
    poor, row = [], None
    for token in tokens(source):
        if token.type == "thead_open":
            row = []
        elif token.type == "thead_close":
            if sum(not name for name in row[1:]):  # a corner may be empty
                poor.append(row)
            row = None
        elif token.type == "inline" and row is not None:
            row.append(token.content.strip())
    return poor


@each_text
def test_heading_levels_are_consecutive_under_one_title(path):
    levels = headings(markdown(path))
    assert levels.count(1) == 1 and levels[0] == 1
    assert not skipped(levels)


@each_text
def test_every_picture_has_an_alt_text(path):
    assert not pictures_without_alt(markdown(path))


@each_text
def test_every_column_of_a_table_has_a_name(path):
    assert not tables_without_header(markdown(path))


@each_notebook
def test_tables_in_outputs_have_header_cells(path):
    for cell in nbformat.read(path, 4).cells:
        for output in cell.get("outputs", []):
            markup = "".join(output.get("data", {}).get("text/html", ""))
            for table in re.findall(r"<table.*?</table>", markup, re.DOTALL):
                assert "<th" in table


def test_what_is_broken_is_found():
    assert skipped(headings("# A\n\n### B")) and skipped(headings("## A"))
    assert not skipped(headings("# A\n\n## B\n\n### C\n\n## D"))
    assert not headings("```\n# a comment\n```")
    assert pictures_without_alt("![](a.png)") and pictures_without_alt("<img src='a'>")
    assert tables_without_header("| a | |\n|---|---|\n| 1 | 2 |")
    assert not tables_without_header("| | b |\n|---|---|\n| 1 | 2 |")
