"""One look for all figures, and figures that can be read without seeing them.

The colours mean the same in every figure and slide: input blue, state green, output and
predictions orange, candidate purple, baselines and the rest grey.
"""

import base64
import html
import io
import json
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.axis import Tick
from PIL import Image

from utils.inputs import demand

BLUE, GREEN, ORANGE, PURPLE = "#0433C9", "#127456", "#A2310A", "#8E2083"
INK, GREY, PALE = "#17202B", "#4A5563", "#C9D1DA"
ROOT = pathlib.Path(__file__).resolve().parents[1]


def use_style():
    """Set matplotlib's defaults: this palette, a light grid, no box."""
    plt.style.use(ROOT / "utils" / "course.mplstyle")


def show(fig, alt, updates=None, **values):
    """Display a figure with a text alternative, and close it.

    `alt` says what the picture shows to someone who cannot see it: a text, or the name
    of one in a file raw_scripts/*.alt.json of the course, with {places} for `values`.
    Returns nothing, or, with `updates="new"`, a handle: `show(other, alt,
    updates=handle)` then replaces the picture in place. In a plain Python script it
    prints the alternative.

    Raises ValueError for an empty text and for a name that no file has.
    """
    alt = _alternative(alt).format(**values)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=fig.dpi * 1.5)
    plt.close(fig)
    width, words = fig.get_figwidth() * 100, " | ".join(_words(fig))
    return _show_image(Image.open(buffer), alt, updates, width, words)


def _words(artist, tick=False):
    """The texts in a figure, without the numbers that matplotlib writes at ticks."""
    if isinstance(artist, plt.Text):
        text = artist.get_text()
        number = "$" in text or text.upper() == text.lower()  # there is no letter in it
        shown = text.strip() and artist.get_visible() and not (tick and number)
        return [text] if shown else []
    tick = tick or isinstance(artist, Tick)
    return [word for child in artist.get_children() for word in _words(child, tick)]


def _alternative(name):
    """The text of this name; a text of several words stands for itself."""
    if " " in name.strip() or not name.strip():
        return name.replace("{", "{{").replace("}", "}}")
    for path in ROOT.glob("[0-9]*/**/raw_scripts/*.alt.json"):
        texts = json.loads(path.read_text(encoding="utf-8"))
        if name in texts:
            return texts[name]
    raise ValueError(
        f"alt must say in words what the figure shows, or be the name of a text in "
        f"raw_scripts/*.alt.json; {name!r} is neither"
    )


def show_slide(topic, number):
    """Display slide `number` of the deck in `topic`'s concepts folder, with its alt."""
    folder = ROOT / topic / "concepts"
    slides = json.loads((folder / "alt.json").read_text(encoding="utf-8"))
    there = number in range(1, len(slides) + 1)
    demand(there, f"number must be from 1 to {len(slides)}, not {number}")
    slide = Image.open(folder / f"{number}.PNG").resize((1280, 720), Image.LANCZOS)
    text = slides[number - 1]
    _show_image(slide, f"Slide {number}: {text['title']}. {text['alt']}", width=860)


def _show_image(image, alt, updates=None, width=800, words=""):
    demand(alt.strip(), "alt must say what the figure shows")
    if get_ipython() is None:
        print(f"[figure: {alt}]")
        return None
    # 256 colours are enough for lines and text, and less than half the size.
    small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, format="png", optimize=True)
    source = base64.b64encode(buffer.getvalue()).decode()
    # Tests compare the words: a picture with another title has nearly the same ink.
    picture = (
        f'<img alt="{html.escape(alt)}" data-words="{html.escape(words)}" '
        f'src="data:image/png;base64,{source}" style="max-width: 100%; '
        f'width: {width:.0f}px; background: white">'
    )
    bundle = {"text/html": picture, "text/plain": alt}
    if updates is None:
        display(bundle, raw=True)
        return None
    if updates == "new":
        return display(bundle, raw=True, display_id=True)
    updates.update(bundle, raw=True)
    return updates


def explore(draw, **sliders):
    """Show the figure of `draw` and draw it again whenever a slider moves.

    `draw` takes the sliders' values by name and returns (figure, alt), alt as for
    `show`; its {places} get the sliders' values. The first figure stays in the saved
    notebook, where sliders are dead.
    """
    import ipywidgets as widgets

    def values():
        return {name: slider.value for name, slider in sliders.items()}

    def draw_again(updates):
        return show(*draw(**values()), updates=updates, **values())

    handle = draw_again("new")
    if handle is None:  # a plain script: nobody can move a slider
        return
    for slider in sliders.values():
        slider.continuous_update = False  # draw once it is let go
        slider.style.description_width = "initial"
        slider.observe(lambda change: draw_again(handle), names="value")
    box = widgets.HBox([*sliders.values()])
    names = ", ".join(slider.description for slider in sliders.values())
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    text = f"Sliders ({names}): run this notebook to move them."
    bundle = {"application/vnd.jupyter.widget-view+json": view, "text/plain": text}
    display(bundle, raw=True)


def plot_training(history, ax, unit="loss"):
    """Training and validation loss over epochs, the kept epoch marked."""
    epochs = range(1, len(history.train) + 1)
    ax.plot(epochs, history.train, color=BLUE, label="training")
    ax.plot(epochs, history.validation, color=ORANGE, label="validation")
    if history.best_epoch:
        lowest = history.validation[history.best_epoch - 1]
        ax.plot(history.best_epoch, lowest, "o", color=ORANGE, label="kept")
    ax.set(xlabel="epoch", ylabel=unit)
    ax.legend()


def plot_forecast(time, actual, forecasts, ax, unit=""):
    """Actual values as a grey band of a line, each forecast in its own colour.

    `forecasts` maps a name to values on the same `time`; there are colours for four.
    """
    colours = [ORANGE, BLUE, PURPLE, GREEN]
    many = len(forecasts)
    demand(many <= 4, f"forecasts may hold at most 4, one for each colour, not {many}")
    ax.plot(time, actual, color=PALE, linewidth=5, label="actual")
    for (name, values), colour in zip(forecasts.items(), colours, strict=False):
        ax.plot(time, values, color=colour, linewidth=1.4, label=name)
    ax.set(ylabel=unit)
    ax.legend(ncols=len(forecasts) + 1)


def plot_band(x, runs, ax, label, colour):
    """Median and range of several runs (seeds, steps), the label at the right end."""
    low, middle, high = np.quantile(runs, [0, 0.5, 1], axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(x, middle, color=colour)
    end, shift = (x[-1], middle[-1]), {"xytext": (5, 0), "textcoords": "offset points"}
    ax.annotate(label, end, color=colour, va="center", **shift)
