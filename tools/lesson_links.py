"""The links of a lesson to its neighbours, and to Colab: one form, made from the order.

They stand below the title and at the end of each lesson. tools/set_repository.py writes
them; a test says when they are missing or old.
"""

import re

from tools.build_notebooks import NAMES, lessons

CONTENTS = "../README.md#the-lessons-in-order"
# In a script: an empty line of a markdown cell, the first link, more links.
BLOCK = re.compile(r"#\n# \[All lessons\]\([^\n]*\n(?:# · [^\n]*\n)*")
TITLE = re.compile(r"^# %% \[markdown\]\n# # [^\n]*\n", re.MULTILINE)


def label(script):
    """What a lesson is called in links: 01 Introduction to RNN, 02.1 Simple RNN."""
    topic, _, title = script.parts[-3].partition("_")
    number, _, rest = NAMES[script.stem].partition("_")
    if number.isdigit():
        return f"{topic}.{number} {rest}".replace("_", " ")
    return f"{topic} {title}".replace("_", " ")


def colab(path, repository):
    """The address that opens a notebook of the repository OWNER/NAME in Colab."""
    place = "/".join(path.parts[-2:])
    return f"https://colab.research.google.com/github/{repository}/blob/main/{place}"


def navigation(script, repository=""):
    """The lines of links of a lesson, as they stand in its script.

    `repository` is OWNER/NAME; without it there is no link to Colab.
    """
    order = lessons()
    place = [other for other, _ in order].index(script)
    lines = [f"[All lessons]({CONTENTS})"]
    if place > 0:
        lines.append(link("before", script, *order[place - 1]))
    if place + 1 < len(order):
        lines.append(link("next", script, *order[place + 1]))
    if repository:
        lines.append(f"[open in Colab]({colab(order[place][1], repository)})")
    return "#\n# " + "\n# · ".join(lines) + "\n"


def link(word, script, other, path):
    """A link to another lesson, from the folder of this one."""
    same = other.parents[1] == script.parents[1]
    place = path.name if same else f"../{path.parent.name}/{path.name}"
    return f"{word}: [{label(other)}]({place})"


def with_links(text, script, repository=""):
    """The text of a script with the links below its title and at its end."""
    text, block = BLOCK.sub("", text), navigation(script, repository)
    title = TITLE.search(text)
    last = text.rindex("\n# %%")
    if not title:
        raise ValueError(f"{script.name}: the first markdown cell has no title")
    if not text.startswith("\n# %% [markdown]", last):
        raise ValueError(f"{script.name}: the last cell must be Markdown")
    return text[: title.end()] + block + text[title.end() :] + block
