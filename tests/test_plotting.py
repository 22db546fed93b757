"""Figures say when they would leave something out."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils.plotting import plot_forecast


@pytest.mark.parametrize("count", [1, 4, 5])
def test_each_forecast_is_drawn_in_its_own_colour_or_refused(count):
    fig, ax = plt.subplots()
    forecasts = {f"model {k}": np.full(3, k) for k in range(count)}
    if count > 4:
        with pytest.raises(ValueError, match=r"forecasts may hold at most 4.* not 5"):
            plot_forecast(range(3), np.zeros(3), forecasts, ax)
        assert not ax.lines
    else:
        plot_forecast(range(3), np.zeros(3), forecasts, ax)
        assert len({line.get_color() for line in ax.lines}) == count + 1
    plt.close(fig)
