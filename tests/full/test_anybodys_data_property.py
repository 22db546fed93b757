"""Whatever comes in: the right number, or an error in the course's own words."""

import contextlib
import pathlib
import traceback

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import comparing, data, forecasting

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6, width=32), st.integers(-1000, 1000), st.booleans()
)
ODD = st.sampled_from([None, float("nan"), float("inf"), "1,5", "x", 1j, 10**400, b"1"])
ROWS = st.lists(st.one_of(NUMBERS, ODD) | NUMBERS, max_size=12)
COUNTS = st.one_of(st.integers(-2, 6), st.floats(-2, 6), st.sampled_from([None, "2"]))
KINDS = (
    lambda x: x,
    np.array,
    pd.Series,
    lambda x: pd.Series(x, dtype="Float64"),
    lambda x: np.array(x)[:, None],
    lambda x: np.ma.masked_array(x, mask=[True] + [False] * (len(x) - 1)),
    lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True),
    lambda x: np.array(x, dtype=np.int16),
    lambda x: pd.DataFrame({"a": x, "b": x}),
)


def zeros(x):
    """Of the same kind, where that is possible."""
    with contextlib.suppress(TypeError):
        return x * 0
    return x


CALLS = (
    lambda x, n, m: data.windows(x, n, m),
    lambda x, n, m: data.windows(x, n, part=slice(n, m)),
    lambda x, n, m: data.Standardiser.fit(x)(x),
    lambda x, n, m: data.chronological_split(n, m),
    lambda x, n, m: forecasting.persistence([x, x], n),
    lambda x, n, m: forecasting.seasonal_naive([x, x], n, m),
    lambda x, n, m: forecasting.rmse(x, zeros(x)),
    lambda x, n, m: forecasting.autoregression([x] * 9, [x] * 9, n)([x]),
    lambda x, n, m: comparing.seed_interval(x, n),
    lambda x, n, m: comparing.item_interval(x, n, m, draws=20),
)


def flat(result):
    """The numbers of a result, whatever holds them."""
    if isinstance(result, slice):
        return [result.start, result.stop]
    if isinstance(result, tuple):
        return [number for part in result for number in flat(part)]
    if isinstance(result, torch.Tensor):
        result = result.detach()
    return np.asarray(result, dtype=float).ravel().tolist()


@settings(max_examples=1500, deadline=None)
@given(ROWS, COUNTS, COUNTS, st.sampled_from(KINDS), st.sampled_from(CALLS))
def test_it_is_right_or_refused_in_our_words(numbers, n, m, kind, call):
    try:
        held = kind(numbers)
    except (TypeError, ValueError, OverflowError, IndexError, RuntimeError):
        return  # no such thing can be made
    try:
        result = call(held, n, m)
    except (ValueError, TypeError) as error:
        file = pathlib.Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        assert file.parent.name == "utils", f"{file.name}: {error}"
        return
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        seen = held.detach() if isinstance(held, torch.Tensor) else held
        expected = [float(x) for x in np.asarray(seen, dtype=object).flat]
        same = np.array(expected, dtype=float).reshape(np.shape(seen))
        right = pytest.approx(flat(call(same, n, m)), rel=1e-5, abs=1e-8, nan_ok=True)
        assert flat(result) == right
