"""The learner's own copies: `start.py lab` opens them in my_course/, which git ignores.

Lessons, READMEs and guides are copied, notebooks without outputs. A link to anything
else (slides, data, results) is written so that it leads into the course. What the
learner has changed is never written over. Standard library only: start.py runs this.
"""

import contextlib
import datetime
import hashlib
import itertools
import json
import os
import pathlib
import re
import tempfile

FOLDER = "my_course"
MANIFEST = ".copied.json"  # path -> fingerprint of what was written there
# What the builder writes in the head of a lesson: the copies have no outputs.
STORED = re.compile(r"\nOutputs are stored\. [^)]*\)\.\n")
# A target in Markdown or in an HTML attribute, without the part after #.
LINK = re.compile(r"""((?:\]\(|(?:src|href)=\\?"))([^()\s"#:\\]+)(?=[)#"\\])""")


class NotThere(Exception):
    """No lesson, or more than one, has such a name; the text says which there are."""


def own_copies(root):
    """Paths, relative to the course, of what learners get a copy of."""
    root = pathlib.Path(root)
    topics = sorted(path for path in root.glob("[0-9][0-9]_*") if path.is_dir())
    found = [root / "README.md"]
    for topic in topics:
        found += sorted(topic.glob("*.ipynb")) + sorted(topic.glob("*.md"))
        found += sorted(topic.glob("going_deeper/*.ipynb"))
        found += sorted(topic.glob("concepts/README.md"))
    return [path.relative_to(root).as_posix() for path in found if path.is_file()]


def text_of(root, name, copied):
    """What the copy of this file holds at first, as bytes."""
    source = pathlib.Path(root, name)
    text = source.read_text(encoding="utf-8")
    if name.endswith(".ipynb"):
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
                cell["metadata"].pop("claims", None)  # they give answers away
            source = "".join(cell["source"])
            cell["source"] = STORED.sub("", source).splitlines(keepends=True)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    here = pathlib.PurePosixPath(name).parent

    def lead(match):
        target = os.path.normpath(here / match[2]).replace(os.sep, "/")
        if target in copied or not pathlib.Path(root, target).exists():
            return match[0]
        up = "../" * len(pathlib.PurePosixPath(FOLDER, name).parts[:-1])
        return match[1] + up + target

    return LINK.sub(lead, text).encode()


def fingerprint(content):
    return hashlib.sha256(content).hexdigest()


def write(path, content):
    """Write all of it or nothing: what is there is whole at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def known(folder):
    """What the copies held when they were written; nothing if that cannot be read."""
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {name: str(print_) for name, print_ in told.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def update(root):
    """Bring the copies up to date; return (lessons that changed since, how many new).

    A copy as it was written is replaced when its lesson has changed. One that the
    learner has changed stays, and is named. The manifest is written last, so that
    whatever stops this, at worst a copy counts as the learner's own.
    """
    root = pathlib.Path(root)
    folder, names = root / FOLDER, own_copies(root)
    folder.mkdir(exist_ok=True)
    for left in folder.rglob(".new-*"):  # of a process that was killed
        left.unlink()
    before, told, new = known(folder), [], 0
    after = dict(before)
    for name in names:
        try:
            path, content = folder / name, text_of(root, name, set(names))
        except ValueError:  # the course's own file is damaged: its copy stays
            continue
        source = fingerprint(content)
        there = fingerprint(path.read_bytes()) if os.path.lexists(path) else None
        if there in (None, before.get(name)) and there != source:
            write(path, content)
            new += there is None
        elif there != source:  # the learner's
            told += [name] * (before.get(name) != source)
            continue
        after[name] = source
    if after != before:
        write(folder / MANIFEST, json.dumps(after, indent=1).encode())
    return told, new


def fresh(root, lesson):
    """Write one lesson's copy anew, keep the old one under a dated name; return both.

    `lesson` is its file's name or a part of it, in any case.
    """
    names = own_copies(root)
    lessons = [name for name in names if name.endswith(".ipynb")]
    wanted = lesson.replace("\\", "/").removeprefix(f"{FOLDER}/").lower()
    found = [name for name in lessons if wanted in name.lower()]
    whole = [n for n in found if wanted in (n.lower(), pathlib.Path(n).stem.lower())]
    found = whole or found
    if not wanted or len(found) != 1:
        which = ", ".join(pathlib.Path(name).stem for name in found or lessons)
        raise NotThere(f"--fresh needs the name of one lesson, not '{lesson}': {which}")
    path = pathlib.Path(root, FOLDER, found[0])
    content, kept = text_of(root, found[0], set(names)), None
    if os.path.lexists(path):
        now = datetime.datetime.now().strftime("%Y-%m-%d %H.%M.%S.%f")
        for number in itertools.count(1):  # a clock can be set back
            kept = path.with_name(
                f"{path.stem} ({now}){f' {number}' * (number > 1)}.ipynb"
            )
            if not os.path.lexists(kept):
                break
        write(kept, path.read_bytes())
    write(path, content)
    folder = pathlib.Path(root, FOLDER)
    after = known(folder) | {found[0]: fingerprint(content)}
    write(folder / MANIFEST, json.dumps(after, indent=1).encode())
    return path, kept
