"""The course's texts, as tests read them."""

import re

import nbformat
from markdown_it import MarkdownIt

from tools.build import ROOT, notebooks

NOTEBOOKS = [path for _, path in notebooks() if path.is_file()]
GUIDES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    and path.relative_to(ROOT).parts[0] not in ("artifacts", "my_course")
]


def short(path):
    """A path as it is called in the course, for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def markdown(path):
    """All the Markdown of a guide or a notebook."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, 4).cells
        return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return path.read_text(encoding="utf-8")


def with_address(cell, repository):
    """The set-up cell of a lesson with another address of the course."""
    new = f'REPOSITORY = "{repository}"'
    changed, found = re.subn('^REPOSITORY = ".*?"', new, cell, flags=re.MULTILINE)
    assert found == 1, "the first code cell must say REPOSITORY = ..."
    return changed


def contents(folder):
    """The bytes of all files in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page(source):
    """A Markdown text as HTML."""
    return MarkdownIt("commonmark").enable("table").render(source)
