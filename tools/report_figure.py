"""The figure of RESULTS.md: every headline score beside the simple forecasts."""

import statistics

import matplotlib.pyplot as plt

from tools.report_text import WEATHER, five_scores, half_width, of_seeds
from utils.plotting import GREY, INK, ORANGE, use_style


def draw(results, path):
    """Write the figure to `path` as a PNG."""
    scores = results["scores"]
    sunspots, weather = scores["sunspots 12"], scores["weather"]
    names, stress = scores["names"], scores["stress"]
    panels = {
        "Sunspots, 1 to 12 months: RMSE": (
            {"RNN of 02.1": of_seeds(sunspots, "twelve", "mean")}
            | five_scores(results, "forecast"),
            {"AR(132)": sunspots["baselines"]["AR(132)"][1]},
        ),
        "Temperature in 24 hours: MAE in °C": (
            {net: of_seeds(weather, f"{net}, 2", "test") for net in WEATHER},
            {"ridge": weather["baselines"]["ridge, all"][2]},
        ),
        "Surnames: bits a character": (
            {
                depth: of_seeds(names, depth, "test")
                for depth in ("1 layer", "2 layers", "3 layers")
            },
            {"Witten-Bell": names["baselines"]["test"]},
        ),
        "Word stress: % of vowels": (
            {
                network: of_seeds(stress, f"{network}, random", "vowels")
                for network in ("forward only", "both directions")
            },
            {"counting": stress["baselines"]["all vowels"][0]},
        ),
    }
    use_style()
    fig, axes = plt.subplots(2, 2, figsize=(10, 5.2))
    for ax, (title, (models, bars)) in zip(axes.flat, panels.items(), strict=True):
        for y, values in enumerate(models.values()):
            ax.plot(values, [y] * len(values), "o", color=ORANGE, alpha=0.5)
            mean, half = statistics.mean(values), half_width(values)
            ax.errorbar(mean, y, xerr=half, color=INK, capsize=4, fmt="|")
        for name, value in bars.items():
            ax.axvline(value, color=GREY, linestyle="--", label=name)
        ax.set(title=title, yticks=range(len(models)), yticklabels=models)
        ax.set_ylim(len(models) - 0.5, -0.5)
        ax.legend()
    # No version of matplotlib in the file: the same scores give the same bytes.
    fig.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(fig)
