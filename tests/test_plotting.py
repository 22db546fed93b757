"""Figures show what they are given, to those who see them and to those who do not."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils import plotting


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    yield ax
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would be given to display."""
    bundles = []

    def display(bundle, raw, display_id=None):
        bundles.append(bundle)
        return SimpleNamespace(update=display) if display_id else None

    monkeypatch.setattr(plotting, "get_ipython", lambda: "a notebook")
    monkeypatch.setattr(plotting, "display", display)
    return bundles


def test_a_figure_is_shown_with_its_alt_and_closed(ax, shown):
    plotting.show(ax.figure, 'a < b, "c"')
    assert not plt.get_fignums()
    assert (
        '<img alt="a &lt; b, &quot;c&quot;" src="data:image/png'
        in shown[0]["text/html"]
    )
    assert shown[0]["text/plain"] == 'a < b, "c"'


def test_a_name_stands_for_its_text_beside_a_script(ax, shown, monkeypatch, tmp_path):
    monkeypatch.setattr(plotting, "ROOT", tmp_path)
    for folder, texts in {
        "01/raw_scripts": '{"fades": "It fades from {start}."}',
        "02/going_deeper/raw_scripts": '{"grows": "It grows."}',
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.alt.json").write_text(texts)
    plotting.show(ax.figure, "fades", start=0.5)
    plotting.show(ax.figure, "grows")
    plotting.show(ax.figure, "a set {1, 2}")
    told = [bundle["text/plain"] for bundle in shown]
    assert told == ["It fades from 0.5.", "It grows.", "a set {1, 2}"]


@pytest.mark.parametrize("alt", ["", "  ", "no_such_name"])
def test_a_figure_without_alt_is_refused(ax, alt):
    with pytest.raises(ValueError, match="alt must say"):
        plotting.show(ax.figure, alt)


def test_a_slider_draws_the_figure_again(shown):
    import ipywidgets as widgets

    def draw(k):
        fig, ax = plt.subplots()
        ax.plot([0, k])
        return fig, f"a line to {k}"

    slider = widgets.IntSlider(2, max=5, description="k")
    plotting.explore(draw, k=slider)
    slider.value = 4
    alts = [bundle["text/plain"] for bundle in shown if "text/html" in bundle]
    assert alts == ["a line to 2", "a line to 4"] and not plt.get_fignums()


def test_the_kept_epoch_is_marked(ax):
    history = SimpleNamespace(train=[3, 2, 1], validation=[5, 4, 6], best_epoch=2)
    plotting.plot_training(history, ax)
    train, validation, kept = (line.get_xydata().tolist() for line in ax.lines)
    assert train == [[1, 3], [2, 2], [3, 1]]
    assert validation == [[1, 5], [2, 4], [3, 6]] and kept == [[2, 4]]


@pytest.mark.parametrize("count", [1, 4, 5])
def test_each_forecast_is_drawn_in_its_own_colour_or_refused(ax, count):
    forecasts = {f"model {k}": np.full(3, k) for k in range(count)}
    if count > 4:
        with pytest.raises(ValueError, match=r"forecasts may hold at most 4.* not 5"):
            plotting.plot_forecast(range(3), np.zeros(3), forecasts, ax)
        assert not ax.lines
    else:
        plotting.plot_forecast(range(3), np.zeros(3), forecasts, ax)
        assert len({line.get_color() for line in ax.lines}) == count + 1


def test_a_band_is_median_and_range(ax):
    plotting.plot_band([0, 1], [[1, 1], [2, 2], [9, 6]], ax, "three runs", "red")
    assert ax.lines[0].get_ydata().tolist() == [2, 2]
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 1 and [0, 9] in corners.tolist()
