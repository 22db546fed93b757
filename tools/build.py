"""Build the notebooks from their scripts, with outputs.

    python tools/build.py                 all of them
    python tools/build.py lstm            those with "lstm" in the script's path
    python tools/build.py --text lstm     only prose or claims changed: keep the outputs
    python tools/build.py --check         build nothing; name the stale ones
    python tools/build.py --repository OWNER/NAME
                                          write the address of your copy on GitHub

The scripts (raw_scripts/*.py, jupytext's percent format) are the source. A notebook is
its script, run from top to bottom, with two differences. Cells tagged "claims" are left
out: they are run after the code cell before them, and stored in its metadata, where
strict nbval finds them. Cells tagged "measure" are for tools/measure.py. The builder
adds the links between lessons. Two builds give the same bytes.
"""

import argparse
import hashlib
import os
import pathlib
import re
import sys
import time

import jupytext
import nbclient
import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Every lesson, in the order of the course: script -> notebook, in the topic's folder.
LESSONS = {
    "01_Introduction_to_RNN/raw_scripts/pytorch_in_ten_minutes.py": (
        "PyTorch_in_Ten_Minutes"
    ),
    "01_Introduction_to_RNN/raw_scripts/rnn_intro.py": "RNN_Introduction",
    "02_LSTM_RNN/raw_scripts/simple_rnn.py": "1_Simple_RNN",
    "02_LSTM_RNN/raw_scripts/lstm.py": "2_LSTM",
    "02_LSTM_RNN/raw_scripts/gru.py": "3_GRU",
    "02_LSTM_RNN/raw_scripts/stacked_rnn.py": "4_Stacked_RNN",
    "02_LSTM_RNN/raw_scripts/bidirectional_rnn.py": "5_Bidirectional_RNN",
    "02_LSTM_RNN/raw_scripts/choosing_a_model.py": "6_Choosing_a_Model",
    "03_RNN_in_Use/raw_scripts/next_word.py": "1_Next_Word",
    "03_RNN_in_Use/raw_scripts/who_speaks.py": "2_Who_Speaks",
    "03_RNN_in_Use/raw_scripts/speech_recognition.py": "3_Speech_Recognition",
    "03_RNN_in_Use/raw_scripts/music.py": "4_Music",
    "04_Beyond_RNN/raw_scripts/encoder_decoder.py": "1_Encoder_Decoder",
    "04_Beyond_RNN/raw_scripts/attention.py": "2_Attention",
}
# What is beside the path: script -> notebook, and the script of the lesson it deepens.
DEEPER = {
    "01_Introduction_to_RNN/going_deeper/raw_scripts/gradients_through_time.py": (
        "Gradients_Through_Time",
        "01_Introduction_to_RNN/raw_scripts/rnn_intro.py",
    ),
    "01_Introduction_to_RNN/going_deeper/raw_scripts/why_gates.py": (
        "Why_Gates",
        "01_Introduction_to_RNN/raw_scripts/rnn_intro.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/sunspots_further.py": (
        "Sunspots_Further",
        "02_LSTM_RNN/raw_scripts/simple_rnn.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/lstm_further.py": (
        "LSTM_Further",
        "02_LSTM_RNN/raw_scripts/lstm.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/a_clean_leak_test.py": (
        "A_Clean_Leak_Test",
        "02_LSTM_RNN/raw_scripts/bidirectional_rnn.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/choosing_further.py": (
        "Choosing_Further",
        "02_LSTM_RNN/raw_scripts/choosing_a_model.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/gru_further.py": (
        "GRU_Further",
        "02_LSTM_RNN/raw_scripts/gru.py",
    ),
    "02_LSTM_RNN/going_deeper/raw_scripts/copies_and_hits.py": (
        "Copies_and_Hits",
        "02_LSTM_RNN/raw_scripts/stacked_rnn.py",
    ),
    "03_RNN_in_Use/going_deeper/raw_scripts/words_further.py": (
        "Words_Further",
        "03_RNN_in_Use/raw_scripts/next_word.py",
    ),
    "03_RNN_in_Use/going_deeper/raw_scripts/speech_further.py": (
        "Speech_Further",
        "03_RNN_in_Use/raw_scripts/speech_recognition.py",
    ),
    "04_Beyond_RNN/going_deeper/raw_scripts/letters_and_sounds.py": (
        "Letters_and_Sounds",
        "04_Beyond_RNN/raw_scripts/encoder_decoder.py",
    ),
    "04_Beyond_RNN/going_deeper/raw_scripts/rivals_of_attention.py": (
        "Rivals_of_Attention",
        "04_Beyond_RNN/raw_scripts/attention.py",
    ),
}
# Where the course lives on GitHub, OWNER/NAME. `--repository` writes it here.
REPOSITORY = ""
CONTENTS = "README.md#the-lessons-in-order"
# JupyterLab marks a notebook as modified on opening if the display name is another one.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
# Learners need not read the set-up cell: JupyterLab and Colab show it folded.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
WIDGET = "application/vnd.jupyter.widget-view+json"
COLAB = "https://colab.research.google.com/github"
# GitHub's rules for names.
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
ADDRESS = re.compile(
    rf"(?:https://github\.com/)?({OWNER}/[A-Za-z0-9._-]{{1,100}}?)(?:\.git)?/?"
)


class Problem(Exception):
    """Something the author can mend; the text says what and how."""


# How to meet a notebook without its answers. Lessons that say it in other words do not
# need it.
CLEAR = (
    "Outputs are stored. To see none, *Edit → Clear Outputs of All Cells* (in Colab\n"
    "*Clear all outputs*)."
)


def lessons():
    """(script, notebook) of every lesson, in order."""
    paths = []
    for name, notebook in LESSONS.items():
        script = ROOT / name
        paths.append((script, script.parents[1] / f"{notebook}.ipynb"))
    return paths


def deeper():
    """(script, notebook) of every notebook of going_deeper/."""
    scripts = {ROOT / name: notebook for name, (notebook, _) in DEEPER.items()}
    return [(s, s.parents[1] / f"{notebook}.ipynb") for s, notebook in scripts.items()]


def notebooks():
    """(script, notebook) of everything that is built."""
    return lessons() + deeper()


def label(path):
    """What a lesson is called in links: 01 RNN Introduction, 02.1 Simple RNN."""
    topic = path.parent.name.partition("_")[0]
    number, _, rest = path.stem.partition("_")
    name = f"{topic}.{number} {rest}" if number.isdigit() else f"{topic} {path.stem}"
    return name.replace("_", " ")


def colab(path, repository):
    """The address that opens a notebook of the repository OWNER/NAME in Colab."""
    return f"{COLAB}/{repository}/blob/main/{path.relative_to(ROOT).as_posix()}"


def navigation(script, repository):
    """The links of a notebook to its neighbours and to Colab, as Markdown."""
    order, here = lessons(), dict(notebooks())[script]

    def to(path):
        return os.path.relpath(path, here.parent).replace(os.sep, "/")

    lines = [f"[All lessons]({to(ROOT / CONTENTS)})"]
    if (script, here) in order:
        place = order.index((script, here))
        near = {"before": place - 1, "next": place + 1}
    else:
        lesson = ROOT / DEEPER[script.relative_to(ROOT).as_posix()][1]
        near = {"belongs to": [other for other, _ in order].index(lesson)}
    for word, position in near.items():
        if 0 <= position < len(order):
            path = order[position][1]
            lines.append(f"{word}: [{label(path)}]({to(path)})")
    if repository:
        lines.append(f"[open in Colab]({colab(here, repository)})")
    return "\n· ".join(lines)


def from_script(script, repository=None):
    """The notebook that a script stands for, without outputs."""
    repository = REPOSITORY if repository is None else repository
    notebook = from_text(script.read_text(encoding="utf-8"))
    if script in dict(notebooks()):
        add_links(notebook, script, repository)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "\nREPOSITORY = " in cell.source:
            address = f"https://github.com/{repository}.git" if repository else ""
            line = f'\nREPOSITORY = "{address}"'
            cell.source = re.sub(r'\nREPOSITORY = ".*?"', line, cell.source)
            cell.metadata.update(FOLDED)
    seen = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def from_text(text):
    """The cells of a script's text, claims beside their cells, measuring left out."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "claims" in tags:
            if (
                not kept
                or kept[-1].cell_type != "code"
                or "claims" in kept[-1].metadata
            ):
                raise Problem(
                    "a claims cell must stand right after the code cell that it speaks "
                    f"about, not here:\n{cell.source}"
                )
            kept[-1].metadata["claims"] = cell.source
        elif "measure" not in tags:
            kept.append(cell)
    notebook.cells = kept
    return notebook


def add_links(notebook, script, repository):
    """Put the links below the title; those onwards end the last cell as well."""
    links = navigation(script, repository)
    onwards = "\n· ".join(
        link for link in links.split("\n· ") if not link.startswith("before")
    )
    first, last = notebook.cells[0], notebook.cells[-1]
    title, _, rest = first.source.partition("\n")
    if first.cell_type != "markdown" or not title.startswith("# "):
        raise Problem(f"{script.name}: the first cell must begin with a title, '# ...'")
    if last.cell_type != "markdown":
        raise Problem(f"{script.name}: the last cell must be Markdown")
    told = "" if "Clear Outputs" in rest else f"\n{CLEAR}\n"
    first.source = f"{title}\n\n{links}\n{told}{rest}"
    last.source = f"{last.source}\n\n{onwards}"


def run(notebook, folder):
    """Execute in place, as a reader's kernel in `folder`, without progress bars.

    Each cell's claims are run after it, in the same kernel. What fails raises.
    """
    os.environ["TQDM_DISABLE"] = "1"
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # how prints are cut into messages depends on the clock
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
            if "claims" in cell.metadata:
                claims = nbformat.v4.new_code_cell(cell.metadata["claims"])
                client.execute_cell(claims, index, store_history=False)
                notebook.cells[index] = cell  # nbclient has put the claims there
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # A stored widget is dead without its kernel; its text stays.
            output.get("data", {}).pop(WIDGET, None)


def parts(notebook):
    """What script and notebook must share."""
    return [(c.cell_type, c.id, c.source, dict(c.metadata)) for c in notebook.cells]


def is_current(script, path):
    if not path.is_file():
        return False
    return parts(nbformat.read(path, 4)) == parts(from_script(script))


def with_old_outputs(script, path, repository=None):
    """The script's notebook with the stored outputs; the code must not differ."""
    old, new = nbformat.read(path, 4), from_script(script, repository)
    before, after = (
        [cell for cell in notebook.cells if cell.cell_type == "code"]
        for notebook in (old, new)
    )
    # The set-up cell, which prints nothing, may have got another address.
    if [c.source for c in before][1:] != [c.source for c in after][1:]:
        raise Problem(
            f"the code of {path.name} differs from its script. First run: "
            f"python3 start.py build {script.stem}"
        )
    for stored, cell in zip(before, after, strict=True):
        cell.outputs, cell.execution_count = stored.outputs, stored.execution_count
    return new


def with_colab(text, repository):
    """The README's text with its part on Colab written for this repository."""
    links = [f"[{label(path)}]({colab(path, repository)})" for _, path in lessons()]
    told = "Click a lesson: " + "\n· ".join(links)
    text, found = re.subn(
        r"(<!-- colab -->\n).*(\n<!-- /colab -->)",
        lambda match: match[1] + told + match[2],
        text,
        flags=re.DOTALL,
    )
    if found != 1:
        raise Problem("README.md needs the marks <!-- colab --> and <!-- /colab -->")
    return text


def set_repository(address):
    """Write the address into this file, the notebooks and the README."""
    match = ADDRESS.fullmatch(address)
    if not match or match[1].endswith(("/.", "/..", "/.git")):
        raise Problem(
            f"'{address}' is not a repository on GitHub. Give OWNER/NAME, or the "
            "address https://github.com/OWNER/NAME as the browser shows it."
        )
    name, texts = match[1], {}
    for script, path in notebooks():
        texts[path] = nbformat.writes(with_old_outputs(script, path, name)) + "\n"
    readme, here = ROOT / "README.md", pathlib.Path(__file__)
    texts[readme] = with_colab(readme.read_text(encoding="utf-8"), name)
    line = re.compile(r'^REPOSITORY = ".*"$', re.MULTILINE)
    texts[here] = line.sub(f'REPOSITORY = "{name}"', here.read_text(encoding="utf-8"))
    for path, text in texts.items():  # nothing is written before all texts are there
        path.write_text(text, encoding="utf-8", newline="\n")
    print(f"The repository is {name}.")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help="only scripts with this in their path")
    parser.add_argument("--check", action="store_true", help="only name stale ones")
    parser.add_argument("--text", action="store_true", help="keep the outputs")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="address on GitHub")
    options = parser.parse_args(arguments)
    if options.repository is not None:
        return set_repository(options.repository)
    chosen = [
        (script, path)
        for script, path in notebooks()
        if not options.name
        or any(n in str(script.relative_to(ROOT)) for n in options.name)
    ]
    if not chosen:
        known = ", ".join(script.stem for script, _ in notebooks())
        raise Problem(f"no script matches {', '.join(options.name)}. Known: {known}")
    if options.check:
        stale = [path for script, path in chosen if not is_current(script, path)]
        for path in stale:
            print("stale:", path.relative_to(ROOT))
        return bool(stale)
    for script, path in chosen:
        started = time.perf_counter()
        if options.text:
            notebook = with_old_outputs(script, path)
        else:
            notebook = from_script(script)
            run(notebook, path.parent)
        nbformat.write(notebook, path)
        seconds = time.perf_counter() - started
        print(f"built {path.relative_to(ROOT)} in {seconds:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Problem, OSError) as problem:
        sys.exit(f"build.py: {problem}")
