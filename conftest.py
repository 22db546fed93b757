"""Make `pytest --nbval` strict: claims are run, pictures compared, no cell skipped.

nbval itself re-runs each cell and compares its text, that in figures included (`show`
writes it into their HTML). It skips pictures, it passes cells whose outputs were never
stored, and it knows nothing of the claims that the builder has put into a cell's
metadata. tests/full is left to CI=true, or to those who name it.
"""

import base64
import io
import os
import pathlib
import re

import numpy as np
import pytest
from PIL import Image, ImageFilter

ROOT = pathlib.Path(__file__).resolve().parent
# Share of the ink that moved. matplotlib 3.10 against 3.11: 0.01 to 0.16, and 0.21 with
# other ticks (only the pinned one is compared); half a curve missing: 0.21 to 0.25.
INK = 0.10
# Share of the coloured ink that has another hue. matplotlib 3.10 against 3.11: at most
# 0.02; red and blue swapped: 0.10 to 0.99; two curves exchanged: up to 0.87.
COLOUR = 0.04
FULL = re.compile(r"(^|/)(tests/full|going_deeper)(/|$)")


def pytest_configure(config):
    os.environ["TQDM_DISABLE"] = "1"  # progress bars would differ on every run
    options = config.option
    if getattr(options, "nbval", False) or getattr(options, "nbval_lax", False):
        options.nbval_current_env = not options.nbval_kernel_name
        options.nbval_cell_timeout = min(options.nbval_cell_timeout, 300)
        if not options.nbval_sanitize_with:
            options.nbval_sanitize_with = str(ROOT / "tests" / "nbval_sanitize.cfg")


def pytest_ignore_collect(collection_path, config):
    """Leave what takes long, or needs the authors' packages, to the full test."""
    everything = os.environ.get("CI", "").lower() not in ("", "0", "false")
    named = any(FULL.search(pathlib.Path(name).as_posix()) for name in config.args)
    place = os.path.relpath(collection_path, ROOT).replace(os.sep, "/")
    if place.partition("/")[0] == "my_course":  # the learner's own
        return True
    return True if FULL.search(place) and not (everything or named) else None


def pictures(outputs):
    """The PNG pictures of a cell's outputs, as image or inside HTML, in order."""
    for output in outputs:
        data = output.get("data", {})
        markup = "".join(data.get("text/html", ""))
        encoded = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", markup)
        if "image/png" in data:
            encoded.append("".join(data["image/png"]))
        for text in encoded:
            yield Image.open(io.BytesIO(base64.b64decode(text)))


def grid(image, mode, cells=96):
    """The picture on white, from 0 (white) to 1, on a blurred grid: close to what an
    eye compares. `mode` is "L" for grey, "RGB" for three colours.
    """
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    small = white.convert(mode).resize((cells, cells), Image.Resampling.BOX)
    return 1 - np.asarray(small.filter(ImageFilter.GaussianBlur(1.5)), float) / 255


def difference(stored, new):
    """0 for equal pictures, 1 for pictures that share no ink."""
    a, b = grid(stored, "L"), grid(new, "L")
    return np.abs(a - b).sum() / max((a + b).sum(), 1e-9)


def recoloured(stored, new):
    """0 where all that is coloured in both has the same hue, 1 for opposite hues."""
    a, b = grid(stored, "RGB"), grid(new, "RGB")
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    both = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (both - (a * b).sum(axis=-1)).sum() / max(2 * both.sum(), 1e-9)


def check_claims(item):
    """Run a cell's claims in the kernel that has just run the cell."""
    claims = item.cell.metadata.get("claims")
    if not claims:
        return
    answer = item.parent.kernel.kc.execute_interactive(
        claims,
        store_history=False,
        output_hook=lambda message: None,
        timeout=item.config.option.nbval_cell_timeout,
    )["content"]
    if answer["status"] != "ok":
        error = f"{answer.get('ename')}: {answer.get('evalue')}"
        item.raise_cell_error(f"A claim about this cell does not hold: {error}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if type(item).__name__ == "IPyNbCell" and item.options["check"]:
        cell = item.cell
        if cell.source.strip() and cell.execution_count is None:
            item.raise_cell_error("The stored cell was never run")
        stored, new = list(pictures(cell.outputs)), list(pictures(item.test_outputs))
        if len(stored) != len(new):
            item.raise_cell_error(f"{len(stored)} stored pictures, {len(new)} new ones")
        for number, (a, b) in enumerate(zip(stored, new, strict=True), 1):
            moved, changed = difference(a, b), recoloured(a, b)
            if moved > INK or changed > COLOUR:
                item.raise_cell_error(
                    f"Picture {number} differs: {moved:.2f} of the ink moved (limit "
                    f"{INK}), {changed:.2f} of the colour changed (limit {COLOUR})"
                )
        check_claims(item)
    return result
