"""`fit` does what the loop written out does, and loses nothing when it is stopped."""

import math
import random

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from utils import set_up
from utils.training import fit, predict


def task(rows=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=generator)
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3


def line(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(3, 1)


def test_fit_equals_the_loop_written_out():
    train, validation = task(), task(40, seed=1)
    theirs, ours = line(), line()
    history = fit(theirs, train, validation, epochs=6, batch_size=20, lr=0.02, clip=0.5)

    optimizer = torch.optim.Adam(ours.parameters(), lr=0.02)
    order = torch.Generator().manual_seed(0)
    trains, validations = [], []
    for _ in range(6):
        total = 0.0
        for rows in torch.randperm(96, generator=order).split(20):
            loss = nn.functional.mse_loss(ours(train[0][rows]), train[1][rows])
            total += loss.item() * len(rows)  # the last batch is smaller
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(ours.parameters(), 0.5)
            optimizer.step()
        trains.append(total / 96)
        with torch.no_grad():
            validations.append(
                nn.functional.mse_loss(ours(validation[0]), validation[1])
            )
    assert history.train == trains
    assert history.validation == [loss.item() for loss in validations]
    assert history.best_epoch == 6  # still falling, so both end with the same weights
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(a, b)


def test_two_runs_are_equal_and_the_seed_matters():
    runs = [fit(line(), task(), task(40, 1), epochs=3, seed=s) for s in (5, 5, 6)]
    assert runs[0].train == runs[1].train != runs[2].train


def test_the_best_weights_are_kept_and_patience_ends_it():
    model, validation = line(), task(40, 1)
    rough = torch.optim.SGD(model.parameters(), lr=0.9)  # jumps around the minimum
    history = fit(
        model, task(), validation, epochs=200, optimizer=rough, patience=4, clip=None
    )
    assert history.best_epoch == len(history.train) - 4 < 196
    assert history.validation[history.best_epoch - 1] == min(history.validation)
    loss = nn.functional.mse_loss(predict(model, validation[0]), validation[1])
    assert loss.item() == min(history.validation)
    assert "4 epochs" in history.stopped


class StopsAfter(nn.Module):
    """A line whose user presses Ctrl-C in the given training step."""

    def __init__(self, step):
        super().__init__()
        self.inner, self.left = line(), step

    def forward(self, x):
        self.left -= self.training
        if self.training and self.left < 0:
            raise KeyboardInterrupt
        return self.inner(x)


def test_ctrl_c_keeps_the_best_model_so_far(capsys):
    train, validation = task(), task(40, 1)
    model = StopsAfter(8)  # 5 batches an epoch: in the second epoch
    history = fit(model, train, validation, epochs=9, batch_size=20)
    assert len(history.train) == 1 and history.best_epoch == 1
    assert history.stopped == "by you"
    assert "Stopped in epoch 2" in capsys.readouterr().out
    loss = nn.functional.mse_loss(predict(model, validation[0]), validation[1])
    assert loss.item() == history.validation[0]


def test_a_loss_that_is_not_finite_is_reported_and_the_weights_are_kept():
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.steps = line(), 0

        def forward(self, x):
            self.steps += self.training
            return self.inner(x) / (0.0 if self.steps > 8 else 1.0)

    model, validation = Breaks(), task(40, 1)
    with pytest.raises(FloatingPointError, match=r"epoch 2.*weights of epoch 1"):
        fit(model, task(), validation, epochs=9, batch_size=20)
    model.steps = 0
    assert math.isfinite(predict(model, validation[0]).sum())


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_loss_that_is_not_finite_in_one_part_is_reported(part):
    class Breaks(nn.Linear):
        def forward(self, x):
            broken = self.training == (part == "training")
            return super().forward(x) + (math.inf if broken else 0.0)

    told = f"{'inf' if part == 'training' else '[0-9.]+'} in training and"
    with pytest.raises(FloatingPointError, match=told):
        fit(Breaks(3, 1), task(), task(), loss=nn.functional.l1_loss)


def test_of_equal_epochs_the_first_is_kept():
    history = fit(line(), task(), task(), epochs=3, loss=lambda y, t: 1 + 0 * y.mean())
    assert history.best_epoch == 1


def test_what_is_left_out_has_its_usual_value():
    usual = {"epochs": 50, "batch_size": 64, "lr": 0.001, "clip": 1.0, "seed": 0}
    loss = nn.functional.mse_loss
    runs = [
        fit(line(), task(), task()),
        fit(line(), task(), task(), loss=loss, **usual),
    ]
    assert runs[0] == runs[1] and len(runs[0].train) == 50


def test_several_inputs_and_another_loss():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 2)

        def forward(self, x, weight):
            return self.inner(x) * weight

    x, y = task()
    data = (x, torch.ones(96, 1), (y[:, 0] > 0).long())
    history = fit(
        Product(), data, data, epochs=20, lr=0.05, loss=nn.functional.cross_entropy
    )
    assert history.validation[-1] < 0.3 < history.train[0]


def test_progress_leaves_nothing_in_tested_outputs(capsys):
    fit(line(), task(), task(40, 1), epochs=2)
    captured = capsys.readouterr()  # conftest.py sets TQDM_DISABLE
    assert captured.out == captured.err == ""


def test_predict_switches_dropout_off_and_needs_no_gradient():
    model = nn.Sequential(nn.Linear(3, 64), nn.Dropout(0.5), nn.Linear(64, 1))
    x = task(2500)[0]
    first = predict(model, x)
    assert first.equal(predict(model, x)) and not first.requires_grad
    assert torch.allclose(first, model.eval()(x), atol=1e-6)


@pytest.mark.parametrize(
    "train, error, message",
    [
        (torch.zeros(3), TypeError, "tuple of tensors"),
        (([1.0], torch.zeros(1)), TypeError, r"train\[0\] must be a tensor, not list"),
        ((torch.zeros(3, 3), torch.zeros(2, 1)), ValueError, "equal first sizes"),
        ((torch.zeros(0, 3), torch.zeros(0, 1)), ValueError, "empty"),
        ((torch.zeros(2, 3), torch.tensor([[1.0], [math.nan]])), ValueError, "NaN"),
    ],
)
def test_fit_says_what_is_wrong_with_the_data(train, error, message):
    with pytest.raises(error, match=message):
        fit(line(), train, task())


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_fit_says_what_is_wrong_with_the_numbers(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        fit(line(), task(), task(), **{name: 0})


def test_set_up_makes_a_lesson_repeatable_in_one_thread_and_in_one_style():
    def drawn(seed):
        set_up(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    torch.set_num_threads(2)
    with plt.rc_context({"axes.grid": False}):
        assert drawn(3) == drawn(3)
        assert not {*drawn(3)} & {*drawn(4)}
        assert torch.get_num_threads() == 1 and plt.rcParams["axes.grid"]
