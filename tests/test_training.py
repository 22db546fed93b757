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


def error(model, pair):
    with torch.no_grad():
        return nn.functional.mse_loss(model.eval()(pair[0]), pair[1]).item()


def test_fit_equals_the_loop_written_out():
    train, validation = task(), task(40, seed=1)
    theirs, ours = line(), line()
    history = fit(theirs, train, validation, epochs=6, batch_size=20, lr=0.02, clip=0.5)

    optimizer = torch.optim.Adam(ours.parameters(), lr=0.02)
    order = torch.Generator().manual_seed(0)
    for epoch in range(6):
        total = 0.0
        for rows in torch.randperm(96, generator=order).split(20):
            loss = nn.functional.mse_loss(ours(train[0][rows]), train[1][rows])
            total += loss.item() * len(rows)  # the last batch is smaller
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(ours.parameters(), 0.5)
            optimizer.step()
        assert history.train[epoch] == total / 96
        assert history.validation[epoch] == error(ours, validation)
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
    assert error(model, validation) == min(history.validation)
    assert "4 epochs" in history.stopped


class Trips(nn.Module):
    """A line with an accident in each training step after the first so many."""

    def __init__(self, steps, accident):
        super().__init__()
        self.inner, self.left, self.accident = line(), steps, accident

    def forward(self, x):
        self.left -= self.training
        accident = self.training and self.left < 0
        return self.accident(self.inner(x)) if accident else self.inner(x)


def test_ctrl_c_keeps_the_best_model_so_far(capsys):
    def pressed(answer):
        raise KeyboardInterrupt

    model, validation = Trips(8, pressed), task(40, 1)
    # 5 batches an epoch: in the second epoch
    history = fit(model, task(), validation, epochs=9, batch_size=20)
    assert len(history.train) == 1 and history.best_epoch == 1
    assert history.stopped == "by you"
    assert "Stopped in epoch 2" in capsys.readouterr().out
    assert error(model, validation) == history.validation[0]


def test_a_loss_that_is_not_finite_is_reported_and_the_weights_are_kept():
    model, validation = Trips(8, lambda answer: answer / 0.0), task(40, 1)
    with pytest.raises(FloatingPointError, match=r"epoch 2.*weights of epoch 1"):
        fit(model, task(), validation, epochs=9, batch_size=20)
    assert math.isfinite(error(model, validation))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_loss_that_is_not_finite_in_one_part_is_reported(part):
    def loss(y, target):
        broken = y.requires_grad == (part == "training")
        return nn.functional.l1_loss(y, target) + (math.inf if broken else 0.0)

    told = f"{'inf' if part == 'training' else '[0-9.]+'} in training and"
    with pytest.raises(FloatingPointError, match=told):
        fit(line(), task(), task(), loss=loss)


def test_of_equal_epochs_the_first_is_kept():
    history = fit(line(), task(), task(), epochs=3, loss=lambda y, t: 1 + 0 * y.mean())
    assert history.best_epoch == 1


def test_what_is_left_out_has_its_usual_value():
    usual = {"epochs": 50, "batch_size": 64, "lr": 0.001, "clip": 1.0, "seed": 0}
    usual["loss"] = nn.functional.mse_loss
    history = fit(line(), task(), task())
    assert history == fit(line(), task(), task(), **usual) and len(history.train) == 50


def test_several_inputs_and_another_loss():
    x, y = task()
    data = (x, torch.ones(96, 1), (y[:, 0] > 0).long())
    loss = nn.functional.cross_entropy
    history = fit(nn.Bilinear(3, 1, 2), data, data, epochs=20, lr=0.05, loss=loss)
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


ONES, NAN = torch.ones(2, 1), torch.tensor([[1.0], [math.nan]])
WRONG = [
    ({"train": torch.zeros(3)}, TypeError, "tuple of tensors"),
    ({"train": ([1.0], ONES)}, TypeError, r"train\[0\] must be a tensor, not list"),
    ({"train": (torch.zeros(3, 3), ONES)}, ValueError, "equal first sizes"),
    ({"train": (torch.zeros(0, 3), ONES[:0])}, ValueError, "empty"),
    ({"train": (torch.zeros(2, 3), NAN)}, ValueError, "NaN"),
    ({"epochs": 0}, ValueError, "epochs must be at least 1"),
    ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
]


@pytest.mark.parametrize("wrong, error, message", WRONG)
def test_fit_says_what_is_wrong(wrong, error, message):
    with pytest.raises(error, match=message):
        fit(line(), **{"train": task(), "validation": task(), **wrong})


def test_set_up_makes_a_lesson_repeatable_in_one_thread_and_in_one_style():
    def drawn(seed):
        set_up(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    torch.set_num_threads(2)
    with plt.rc_context({"axes.grid": False}):
        assert drawn(3) == drawn(3)
        assert not {*drawn(3)} & {*drawn(4)}
        assert torch.get_num_threads() == 1 and plt.rcParams["axes.grid"]
