"""Export the lessons as pages to read without Jupyter.

    python tools/export_html.py            all of them, into artifacts/html/
    python tools/export_html.py gru        those with "gru" in the notebook's path

Figures are inside the page; formulas are drawn with internet only.
"""

import argparse
import pathlib
import re
import sys

import nbconvert
import nbformat

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tools.build_notebooks import ROOT, lessons

TEMPLATES = ROOT / "tools" / "templates"
TARGET = ROOT / "artifacts" / "html"


def export(path):
    """The page of a notebook, with the course's own template."""
    notebook = nbformat.read(path, 4)
    title = re.match(r"# (.*)", notebook.cells[0].source)
    exporter = nbconvert.HTMLExporter(
        template_name="course", extra_template_basedirs=[str(TEMPLATES)]
    )
    name = title[1] if title else path.stem
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": name}})
    return page


def main(arguments=None):
    description, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", nargs="*", help="only notebooks with this in the path")
    names = [name.lower() for name in parser.parse_args(arguments).name]
    TARGET.mkdir(parents=True, exist_ok=True)
    for _, path in lessons():
        place = path.relative_to(ROOT)
        if names and not any(name in str(place).lower() for name in names):
            continue
        if path.is_file():
            page = TARGET / f"{path.parent.name[:2]}_{path.stem}.html"
            page.write_text(export(path), encoding="utf-8")
            print("wrote", page.relative_to(ROOT).as_posix())


if __name__ == "__main__":
    main()
