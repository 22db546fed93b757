"""Figures show what they are given, to those who see them and to those who do not.

What a plotting function puts into an axes is written down here as plain values: data,
places, colours, names and their order. A function without a case is told.
"""

import base64
import inspect
import io
import json
import re
from types import SimpleNamespace

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from utils import plotting

# What each colour means in every figure and slide is written in utils/plotting.py.
COLOURS = {"#0433c9": "blue", "#a2310a": "orange", "#127456": "green"}
COLOURS |= {"#8e2083": "purple", "#4a5563": "grey", "#c9d1da": "pale"}


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    yield ax
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would display: pictures, and those that replace one in place."""
    seen = SimpleNamespace(new=[], again=[])

    def display(bundle, raw, display_id=None):
        seen.new.append(bundle)
        handle = SimpleNamespace(update=lambda bundle, raw: seen.again.append(bundle))
        return handle if display_id else None

    monkeypatch.setattr(plotting, "get_ipython", lambda: "a notebook")
    monkeypatch.setattr(plotting, "display", display)
    return seen


def alts(bundles):
    return [bundle["text/plain"] for bundle in bundles]


def words(bundle):
    return re.search('data-words="([^"]*)"', bundle["text/html"])[1]


def corner(bundle):
    """The colour in the upper left corner of a picture."""
    encoded = re.search('base64,([^"]*)', bundle["text/html"])[1]
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    return picture.convert("RGB").getpixel((0, 0))


# --------------------------------------------------------------- what stands in an axes
def colour(artist):
    found = artist.get_facecolor() if hasattr(artist, "get_facecolor") else None
    return COLOURS[to_hex(artist.get_color() if found is None else found)]


def points(pairs):
    return ", ".join(f"{x:g} {y:g}" for x, y in pairs)


def described(ax):
    """All that an axes shows, one artist a line."""
    yield f"labels: {[ax.get_title('left'), ax.get_xlabel(), ax.get_ylabel()]}"
    for line in ax.lines:
        mark = "" if line.get_marker() == "None" else line.get_marker() + " "
        yield f"line {mark}{colour(line)}: {points(line.get_xydata())}"
    for band in ax.collections:
        corners = np.unique(band.get_paths()[0].vertices, axis=0)
        yield f"band {colour(band)}: {points(corners)}"
    for text in ax.texts:
        yield f"{text.get_text()} {colour(text)}: {points([text.xy, text.xyann])}"
    if legend := ax.get_legend():
        pairs = zip(legend.get_texts(), legend.legend_handles, strict=True)
        names = (f"{text.get_text()} {colour(line)}" for text, line in pairs)
        yield f"legend: {', '.join(names)}"


HISTORY = {"train": [3, 2, 1], "validation": [5, 4, 6]}
FORECASTS = {"d": [1, 3], "c": [2, 4], "b": [3, 5], "a": [4, 6]}
RUNS = [[1, 9], [2, 2], [9, 10]]
# Arguments of each function, and what the axes shows then.
DRAWN = {
    "plot_training": (
        {"history": SimpleNamespace(**HISTORY, best_epoch=2), "unit": "RMSE"},
        """labels: ['', 'epoch', 'RMSE']
line blue: 1 3, 2 2, 3 1
line orange: 1 5, 2 4, 3 6
line o orange: 2 4
legend: training blue, validation orange, kept orange""",
    ),
    "plot_forecast": (
        {"time": [7, 9], "actual": [1, 2], "forecasts": FORECASTS, "unit": "°C"},
        """labels: ['', '', '°C']
line pale: 7 1, 9 2
line orange: 7 1, 9 3
line blue: 7 2, 9 4
line purple: 7 3, 9 5
line green: 7 4, 9 6
legend: actual pale, d orange, c blue, b purple, a green""",
    ),
    "plot_band": (  # the medians are 2 and 9, the means 4 and 7
        {"x": [5, 8], "runs": RUNS, "label": "three runs", "colour": "#127456"},
        """labels: ['', '', '']
line green: 5 2, 8 9
band green: 5 1, 5 9, 8 2, 8 10
three runs green: 8 9, 5 0""",
    ),
}


def test_every_function_has_a_case():
    functions = inspect.getmembers(plotting, inspect.isfunction)
    own = [name for name, f in functions if f.__module__ == plotting.__name__]
    for name in own:
        tested = any(test.startswith(f"test_{name}_") for test in globals())
        assert tested or name in DRAWN or name[0] == "_", name


@pytest.mark.parametrize("name", DRAWN)
def test_an_axes_shows_what_it_is_given(name, ax):
    arguments, expected = DRAWN[name]
    getattr(plotting, name)(**arguments, ax=ax)
    assert "\n".join(described(ax)) == expected


def test_plot_training_marks_no_epoch_where_none_was_kept(ax):
    plotting.plot_training(SimpleNamespace(**HISTORY, best_epoch=0), ax)
    assert len(ax.lines) == 2


def test_plot_forecast_refuses_more_than_its_colours(ax):
    forecasts = dict.fromkeys("abcde", np.zeros(3))
    with pytest.raises(ValueError, match=r"forecasts may hold at most 4.* not 5"):
        plotting.plot_forecast(range(3), np.zeros(3), forecasts, ax)
    assert not ax.lines


def test_use_style_sets_the_colours_of_the_course(ax):
    with plt.rc_context():
        plotting.use_style()
        _, ax = plt.subplots()
        lines = [ax.plot([0, 1])[0] for _ in range(5)]
        ax.set_title("T")
    assert [colour(x) for x in lines] == ["blue", "orange", "green", "purple", "grey"]
    assert next(described(ax)) == "labels: ['T', '', '']"


# ---------------------------------------------------------------- what a notebook shows
def test_show_closes_the_figure_and_escapes_its_alt(shown):
    fig = plt.figure(figsize=(6.4, 4.8), facecolor="#c80000")
    fig.add_artist(plt.Rectangle((0.5, 0), 0.5, 1, color="black"))  # the right half
    assert plotting.show(fig, 'a < b, "c"') is None and not plt.get_fignums()
    html = shown.new[0]["text/html"]
    assert '<img alt="a &lt; b, &quot;c&quot;"' in html and "width: 640px" in html
    assert alts(shown.new) == ['a < b, "c"'] and corner(shown.new[0]) == (200, 0, 0)


def test_show_writes_the_words_of_a_figure_in_order(ax, shown):
    ax.plot([1, 9], label='"b"')
    ax.plot([2, 5], label="a")
    ax.set(title="T", xlabel="x in °C", ylabel="<y>", xticks=[0, 1])
    ax.set_yticks([1, 5, 9], ["GRU", "LSTM", "$10^2$"])
    ax.legend()
    ax.annotate("3.5", (0, 2))
    plotting.show(ax.figure, "two lines")
    told = "3.5 | x in °C | &lt;y&gt; | GRU | LSTM | T | &quot;b&quot; | a"
    assert words(shown.new[0]) == told


def test_show_finds_the_text_of_a_name_beside_a_script(shown, monkeypatch, tmp_path):
    monkeypatch.setattr(plotting, "ROOT", tmp_path)
    for folder, texts in {
        "01/raw_scripts": '{"fades": "It fades from {start}."}',
        "02/going_deeper/raw_scripts": '{"grows": "It grows."}',
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.alt.json").write_text(texts)
    plotting.show(plt.figure(), "fades", start=0.5)
    plotting.show(plt.figure(), "grows")
    plotting.show(plt.figure(), "a set {1, 2}")
    assert alts(shown.new) == ["It fades from 0.5.", "It grows.", "a set {1, 2}"]


@pytest.mark.parametrize("alt", ["", "  ", "no_such_name"])
def test_show_refuses_a_figure_without_alt(ax, alt, shown):
    with pytest.raises(ValueError, match="alt must say"):
        plotting.show(ax.figure, alt)
    assert not shown.new


def test_show_slide_shows_that_slide(shown, monkeypatch, tmp_path):
    monkeypatch.setattr(plotting, "ROOT", tmp_path)
    (tmp_path / "01/concepts").mkdir(parents=True)
    slides = [{"title": title, "alt": f"about {title}"} for title in "AB"]
    (tmp_path / "01/concepts/alt.json").write_text(json.dumps(slides))
    for number, colour in enumerate([(255, 0, 0), (0, 0, 255)], 1):
        Image.new("RGB", (32, 18), colour).save(tmp_path / f"01/concepts/{number}.PNG")
    plotting.show_slide("01", 2)
    assert alts(shown.new) == ["Slide 2: B. about B"]
    assert corner(shown.new[0]) == (0, 0, 255)
    for number in (0, 3):
        with pytest.raises(ValueError, match=f"must be from 1 to 2, not {number}"):
            plotting.show_slide("01", number)


def test_explore_draws_again_in_place_when_a_slider_moves(shown):
    def draw(k, n):
        fig, ax = plt.subplots()
        ax.set_title(f"{k} of {n}")
        return fig, f"step {k} of {n}"

    sliders = {"k": widgets.IntSlider(2), "n": widgets.IntSlider(5, description="N")}
    plotting.explore(draw, **sliders)
    sliders["k"].value, sliders["n"].value = 4, 7
    told = ["step 2 of 5", "Sliders (, N): run this notebook to move them."]
    assert alts(shown.new) == told and not plt.get_fignums()
    assert alts(shown.again) == ["step 4 of 5", "step 4 of 7"]
    assert [words(bundle) for bundle in shown.again] == ["4 of 5", "4 of 7"]
    box = shown.new[1]["application/vnd.jupyter.widget-view+json"]
    assert box["model_id"] and not sliders["k"].continuous_update


def test_explore_prints_the_first_alt_in_a_plain_script(capsys):
    plotting.explore(lambda k: (plt.figure(), f"step {k}"), k=widgets.IntSlider(2))
    assert capsys.readouterr().out == "[figure: step 2]\n" and not plt.get_fignums()
