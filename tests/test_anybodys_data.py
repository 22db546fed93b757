"""Bad input gets an error that names the argument, what is wrong and what to do."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from utils import comparing, data, forecasting, training
from utils.inputs import amount, array, number

NINE = np.arange(9.0)
X, Y = torch.arange(40.0).reshape(40, 1) / 40, torch.ones(40, 1)
DATES = pd.date_range("2026-01-01", periods=9)
FLAT = np.full(1000, 101.3)  # its standard deviation is 3e-14


class Pair(nn.Linear):
    def forward(self, x):
        return super().forward(x), x


def fit(model=None, train=(X, Y), validation=(X, Y), **options):
    model = model or nn.Linear(1, 1)
    return training.fit(model, train, validation, **{"epochs": 1, **options})


def frozen():
    return nn.Linear(1, 1).requires_grad_(False)


TOLD = {
    "text": (lambda: data.windows(["1,5"] * 9, 2), "series holds text.*decimal=','"),
    "mixed": (lambda: array([1, "a", 2], "x"), "x holds text"),
    "dates": (lambda: data.windows(DATES, 2), "series must hold numbers, not datetime"),
    "date objects": (
        lambda: array([datetime.date(2026, 1, 1)], "x"),
        "x must hold numbers in rows of equal length",
    ),
    "ragged": (lambda: array([[1], [1, 2]], "x"), "x must hold numbers in rows"),
    "huge": (lambda: array([10**400], "x"), "x must hold numbers"),
    "complex": (lambda: array([1j], "x"), "x must hold numbers, not complex"),
    "masked": (
        lambda: array(np.ma.masked_greater(NINE, 5), "x"),
        "x has masked values: fill or drop",
    ),
    "none": (lambda: array([1, None], "x"), "x holds 1 values that are NaN"),
    "one column": (lambda: data.windows(NINE[:, None], 2), r"take \[:, 0\]"),
    "half a step": (lambda: data.windows(NINE, 2.5), "length must be a whole number"),
    "length as text": (lambda: data.windows(NINE, "2"), "length must be a whole num"),
    "true": (lambda: data.windows(NINE, True), "length must be a whole number"),
    "step": (lambda: data.windows(NINE, 2, part=slice(0, 9, 2)), "slice of steps in a"),
    "part": (lambda: data.windows(NINE, 2, part=(0, 9)), "part must be a slice"),
    "float part": (lambda: data.windows(NINE, 2, part=slice(0, 8.5)), "part must be"),
    "split of data": (lambda: data.chronological_split(NINE), "length must be a whole"),
    "share": (lambda: data.chronological_split(9, "0.1"), "validation must be a num"),
    "no share": (lambda: data.chronological_split(9, 0.1, np.nan), "test must be a"),
    "flat": (lambda: data.Standardiser.fit(FLAT), "constant column"),
    "flat column": (
        lambda: data.Standardiser.fit(np.c_[FLAT, np.arange(1000)]),
        "constant column",
    ),
    "no columns": (lambda: data.Standardiser.fit(np.ones((5, 0))), "train is empty"),
    "scalar": (lambda: data.Standardiser.fit(3), "must be"),
    "horizon": (lambda: forecasting.persistence([[1, 2]], 0), "horizon must be at lea"),
    "period": (lambda: forecasting.seasonal_naive([[1, 2]], 1.5), "period must be a w"),
    "nothing to score": (lambda: forecasting.rmse([], []), "actual is empty"),
    "NaN in scores": (lambda: forecasting.rmse([np.nan], [1]), "forecast holds 1"),
    "rows": (
        lambda: forecasting.autoregression(np.ones((5, 2)), np.ones((4, 1)), 2),
        "known has 5 rows, actual 4",
    ),
    "few rows": (
        lambda: forecasting.autoregression(np.eye(3), np.ones((3, 1)), 3),
        "order must be below",
    ),
    "root of -1": (
        lambda: forecasting.autoregression(-np.eye(3), np.ones((3, 1)), 1, roots=True),
        "roots need known",
    ),
    "block": (lambda: comparing.item_interval(NINE, block=0), "block must be at least"),
    "epochs": (lambda: fit(epochs=2.5), "epochs must be a whole number"),
    "batch": (lambda: fit(batch_size=None), "batch_size must be a whole number"),
    "clip": (lambda: fit(clip=-1), "clip must be > 0"),
    "patience": (lambda: fit(patience=-1), "patience must be at least 1"),
    "lr": (lambda: fit(lr="a"), "lr must be a number"),
    "seed": (lambda: fit(seed=1.5), "seed must be a whole number"),
    "class": (lambda: fit(nn.Linear), "model must be an nn.Module"),
    "function": (lambda: fit(lambda x: x), "model must be an nn.Module"),
    "frozen": (lambda: fit(frozen()), "model has no weight to train"),
    "two answers": (lambda: fit(Pair(1, 1)), "must return one tensor, not a tuple"),
    "float64": (lambda: fit(train=(X.double(), Y)), r"cannot read train.*x\.float"),
    "integers": (lambda: fit(train=(X.long(), Y)), "cannot read train.*int64"),
    "NaN": (lambda: fit(train=(X.log(), Y)), r"train\[0\] holds NaN or infinite"),
    "target (N,)": (lambda: fit(train=(X, Y[:, 0])), "loss cannot compare prediction"),
    "wide target": (lambda: fit(train=(X, Y.repeat(1, 2))), "loss cannot compare"),
    "loss class": (lambda: fit(loss=nn.MSELoss), "loss must be made first"),
    "no mean": (lambda: fit(loss=nn.MSELoss(reduction="none")), "loss must return one"),
    "optimizer class": (
        lambda: fit(optimizer=torch.optim.Adam),
        "optimizer must be ma",
    ),
    "another's optimizer": (
        lambda: fit(optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters())),
        "weights of another model",
    ),
    "no gradients": (torch.no_grad()(lambda: fit()), "outside torch.no_grad"),
    "NumPy": (lambda: training.predict(nn.Linear(1, 1), X.numpy()), "must be a tensor"),
    "no inputs": (lambda: training.predict(nn.Linear(1, 1)), "predict needs inputs"),
    "empty batch": (
        lambda: training.predict(nn.Linear(1, 1), X, batch_size=0),
        "batch_size must be at least 1",
    ),
    "unequal": (
        lambda: training.predict(nn.Bilinear(1, 1, 1), X, X[1:]),
        "equal first",
    ),
    "two for one": (
        lambda: training.predict(nn.Linear(1, 1), X, X),
        "cannot read inpu",
    ),
}


@pytest.mark.parametrize("call, told", TOLD.values(), ids=TOLD.keys())
def test_what_is_wrong_is_told(call, told):
    with pytest.raises((ValueError, TypeError), match=told) as found:
        call()
    assert found.traceback[-1].path.name == "inputs.py" or found.value.__cause__


def test_a_table_keeps_its_columns():
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": [10.0, 30, 20]})
    scale = data.Standardiser.fit(table)
    assert np.allclose(scale(table).std(ddof=0), 1)
    with pytest.raises(ValueError, match="values must have the columns of train"):
        scale(table[["b", "a"]])
    for wrong in (table["a"], np.ones((4, 3))):
        with pytest.raises(ValueError, match="must have 2 columns"):
            scale(wrong)


def test_whatever_holds_the_same_numbers_gives_the_same():
    x = torch.tensor([[1.0, 2, 3]], requires_grad=True)
    assert forecasting.persistence(x, 2.0).tolist() == [[3, 3]]
    wrap = np.array([[200]], dtype=np.uint8)  # 200 - 220 is 236 in 8 bits
    assert forecasting.rmse(wrap, wrap + 20) == 20
    assert array([2**53], "x").dtype == float and array([2**24 + 1], "x") == 2**24 + 1
    big = np.array([2**31 - 1], dtype=np.int32)
    assert forecasting.rmse(big, 0 * big) == 2**31 - 1
    scale = data.Standardiser.fit([1, 2, 3])
    assert scale.undo([0, 0]).tolist() == [2, 2] and scale.undo(scale(x)).grad_fn
    assert scale(x.detach()).dtype == torch.float32
    assert scale(torch.tensor([4097])).dtype == torch.float64
    assert amount(np.float64(3), "n") == 3 and number(0.5, "n") == 0.5
    assert len(training.predict(nn.Linear(1, 1), X[:0])) == 0


def test_of_equal_epochs_the_first_is_kept_and_rows_count_the_same():
    history = fit(lr=0, epochs=3)
    assert history.best_epoch == 1
    model = nn.Linear(1, 1)
    loss = fit(model, (X[:3], torch.zeros(3, 1)), batch_size=2, lr=0).train[0]
    assert loss == pytest.approx((model(X[:3]) ** 2).mean().item())
