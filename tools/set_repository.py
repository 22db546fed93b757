"""Write the repository's address on GitHub into the course, wherever it is needed.

    python tools/set_repository.py OWNER/NAME
    python tools/set_repository.py https://github.com/OWNER/NAME
    python tools/set_repository.py            renew the links, with the address as it is

Afterwards each lesson fetches the course if it finds itself alone, and each lesson and
the README have links that open lessons in Colab. Scripts and notebooks are changed
together, outputs stay, nothing has to be built again. Either all files are changed or
none; a second run changes nothing.
"""

import argparse
import os
import pathlib
import re
import sys

import nbformat

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tools import build_notebooks, lesson_links
from tools.build_notebooks import ROOT, lessons

# GitHub's rules for names.
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
NAME = r"[A-Za-z0-9._-]{1,100}"
FORM = re.compile(rf"(?:https://github\.com/)?({OWNER})/({NAME}?)(?:\.git)?/?")
LINE = re.compile(r'^REPOSITORY = "([^"]*)"', re.MULTILINE)
PART = re.compile(r"(<!-- colab -->\n).*(<!-- /colab -->\n)", re.DOTALL)
ALONE = """\
Upload the lesson's `.ipynb` file at colab.research.google.com (*File → Upload
notebook*). Then click the folder on the left, drop a zip of this course there, and run
`!unzip -q *.zip` in a new cell at the top. Now run the lesson's cells.
"""


class Problem(Exception):
    """Something the author can mend; the text says what and how."""


def parse(text):
    """OWNER/NAME, from that or from the repository's address on GitHub."""
    match = FORM.fullmatch(text)
    if not match or match[2] in (".", "..", ".git"):
        raise Problem(
            f"'{text}' is not a repository on GitHub. Give OWNER/NAME, or the address "
            "https://github.com/OWNER/NAME as the browser shows it."
        )
    return f"{match[1]}/{match[2]}"


def current():
    """OWNER/NAME as it stands in the lessons now; empty if there is none yet."""
    text = lessons()[0][0].read_text(encoding="utf-8")
    address = LINE.search(text)[1]
    return parse(address) if address else ""


def new_script(script, repository):
    """The script's text with the address in its set-up cell, and its links."""
    text = script.read_text(encoding="utf-8")
    address = f"https://github.com/{repository}.git" if repository else ""
    text, found = LINE.subn(lambda _: f'REPOSITORY = "{address}"', text)
    if found != 1:
        raise Problem(f"{script.name}: expected one line REPOSITORY = ..., not {found}")
    return lesson_links.with_links(text, script, repository)


def new_notebook(script, path, text):
    """The notebook of a changed script: its cells, with the outputs they had."""
    if not build_notebooks.is_current(script, path):
        raise Problem(
            f"{path.name} is not what its script says. First run: "
            f"python tools/build_notebooks.py {script.stem}"
        )
    old, new = nbformat.read(path, 4), build_notebooks.from_text(text)
    for before, after in zip(old.cells, new.cells, strict=True):
        if after.cell_type == "code":
            after.outputs = before.outputs
            after.execution_count = before.execution_count
    return nbformat.writes(new).rstrip("\n") + "\n"


def new_readme(text, repository):
    """The README's text, its part on Colab written for this repository."""
    if len(PART.findall(text)) != 1:
        raise Problem("README.md needs the marks <!-- colab --> and <!-- /colab -->")
    said = ALONE
    if repository:
        links = [
            f"[{lesson_links.label(script)}]({lesson_links.colab(path, repository)})"
            for script, path in lessons()
        ]
        said = "Click a lesson: " + "\n· ".join(links) + "\n"
    return PART.sub(lambda match: match[1] + said + match[2], text)


def changes(repository):
    """Path -> new text, of all files that have to change."""
    texts = {}
    for script, path in lessons():
        texts[script] = new_script(script, repository)
        texts[path] = new_notebook(script, path, texts[script])
    readme = ROOT / "README.md"
    texts[readme] = new_readme(readme.read_text(encoding="utf-8"), repository)
    return {
        path: text
        for path, text in texts.items()
        if path.read_text(encoding="utf-8") != text
    }


def write(texts):
    """Replace all files, or none: everything is written beside them first."""
    staged, done = {}, {}
    try:
        for path, text in texts.items():
            staged[path] = path.with_name(path.name + ".new")
            staged[path].write_text(text, encoding="utf-8", newline="\n")
        for path, new in staged.items():
            before = path.read_bytes()
            os.replace(new, path)
            done[path] = before
    except BaseException:
        for path, before in done.items():
            path.write_bytes(before)
        for new in staged.values():
            new.unlink(missing_ok=True)
        raise


def main(arguments=None):
    description, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("repository", nargs="?", help="OWNER/NAME on GitHub")
    options = parser.parse_args(arguments)
    given = options.repository
    repository = current() if given is None else parse(given)
    texts = changes(repository)
    write(texts)
    for path in texts:
        print("changed", path.relative_to(ROOT).as_posix())
    print(f"The repository is {repository or 'not known yet'}.")


if __name__ == "__main__":
    try:
        main()
    except (Problem, OSError) as problem:
        sys.exit(f"set_repository.py: nothing was changed. {problem}")
