"""Build the notebooks from their scripts, with outputs.

    python tools/build_notebooks.py             all of them
    python tools/build_notebooks.py lstm        those with "lstm" in the script's path
    python tools/build_notebooks.py --check     build nothing; name the stale ones

The scripts (raw_scripts/*.py, jupytext's percent format) are the source. A notebook is
its script, run from top to bottom. Two builds give the same bytes: the cells' ids are
hashes of their text and the metadata are fixed.
"""

import argparse
import hashlib
import os
import pathlib
import sys
import time

import jupytext
import nbclient
import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = {  # script -> notebook, in the order of the course
    "rnn_intro": "RNN_Introduction",
    "simple_rnn": "1_Simple_RNN",
    "lstm": "2_LSTM",
    "gru": "3_GRU",
    "stacked_rnn": "4_Stacked_RNN",
    "bidirectional_rnn": "5_Bidirectional_RNN",
    "choosing_a_model": "6_Choosing_a_Model",
}
# JupyterLab marks a notebook as modified on opening if the display name is another one.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"


def lessons():
    """(script, notebook) of every lesson, in order."""
    order = list(NAMES)
    scripts = sorted(
        ROOT.glob("[0-9]*/raw_scripts/*.py"),
        key=lambda script: (script.parts[-3], order.index(script.stem)),
    )
    return [(s, s.parents[1] / f"{NAMES[s.stem]}.ipynb") for s in scripts]


def from_script(script):
    """The notebook that a script stands for, without outputs."""
    return from_text(script.read_text(encoding="utf-8"))


def from_text(text):
    """The notebook that the text of a script stands for, without outputs."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        repeats = seen[digest]
        cell.id = digest if repeats == 1 else f"{digest}-{repeats}"
    return notebook


def run(notebook, folder):
    """Execute in place, as a reader's kernel in `folder`, without progress bars."""
    os.environ["TQDM_DISABLE"] = "1"
    nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # how prints are cut into messages depends on the clock
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # A stored widget is dead without its kernel; its text stays.
            output.get("data", {}).pop(WIDGET, None)


def parts(notebook):
    """What script and notebook must share."""
    return [(c.cell_type, c.id, c.source, c.metadata) for c in notebook.cells]


def is_current(script, path):
    if not path.is_file():
        return False
    return parts(nbformat.read(path, 4)) == parts(from_script(script))


def main(arguments=None):
    description, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", nargs="*", help="only scripts with this in their path")
    parser.add_argument("--check", action="store_true", help="only name stale ones")
    options = parser.parse_args(arguments)
    chosen = [
        (script, path)
        for script, path in lessons()
        if not options.name
        or any(n in str(script.relative_to(ROOT)) for n in options.name)
    ]
    if not chosen:
        known = ", ".join(script.stem for script, _ in lessons())
        sys.exit(f"No script matches {', '.join(options.name)}. There are: {known}")
    stale = [path for script, path in chosen if not is_current(script, path)]
    if options.check:
        for path in stale:
            print("stale:", path.relative_to(ROOT))
        return bool(stale)
    for script, path in chosen:
        started = time.perf_counter()
        notebook = from_script(script)
        run(notebook, path.parent)
        nbformat.write(notebook, path)
        seconds = time.perf_counter() - started
        print(f"built {path.relative_to(ROOT)} in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
