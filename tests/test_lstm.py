"""Lesson 02.2: the adding problem is what it says, and no forecast sees the future."""

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson
from torch import nn

import utils.data
from utils.exercises.lstm import memory_task

LESSON = "02_LSTM_RNN/raw_scripts/lstm.py"
SETTINGS = {"T", "AHEAD", "HELD_OUT", "sunspots", "train", "scale"}


def lesson():
    return load_lesson(LESSON, SETTINGS)


@pytest.fixture(scope="module")
def here():
    return lesson()


@pytest.mark.parametrize("steps, marks", [(200, 2), (100, 1), (3, 2)])
def test_the_memory_task_marks_numbers_and_asks_for_their_sum(steps, marks):
    x, y = memory_task(500, 1, steps, marks)
    numbers, marked = x.unbind(dim=2)
    assert x.shape == (500, steps, 2) and y.shape == (500, 1)
    assert (marked.sum(dim=1) == marks).all()
    assert set(marked.unique().tolist()) == {0, 1}
    assert torch.allclose((numbers * marked).sum(dim=1), y[:, 0])
    assert not memory_task(500, 2, steps, marks)[0].equal(x)
    with pytest.raises(ValueError, match="1 or 2 marks"):
        memory_task(5, 1, steps, marks=3)


def test_chrono_sets_the_rows_of_input_and_forget_gate(here):
    torch.manual_seed(0)
    lstm = here.Adder(*here.chrono()).lstm
    i, f, g, o = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
    assert torch.equal(i, -f) and (f >= 0).all() and f.max() <= np.log(here.T - 1)
    assert (g == 0).all() and (o == 0).all()
    assert max(here.chrono(3)[1]) <= np.log(2) < f.max()


def test_each_month_is_paired_with_the_next(here):
    x, target = here.every_month(here.train)
    assert x.shape == (len(x), 264) and target.shape == (len(x), 240)
    assert target[:, :-1].equal(x[:, 25:])  # after month 25 comes month 26
    assert target[:-1, -1].equal(x[1:, -1])
    y = torch.tensor([[9.0, 9, 1, 2]])
    assert here.last_forecasts(y, torch.tensor([[1.0, 4]])) == 2


def test_a_closed_loop_fed_with_the_truth_is_one_pass_over_it(here):
    torch.manual_seed(0)
    model = here.NextMonth().double()
    nn.init.normal_(model.out.weight)
    months = torch.randn(3, 50).double()
    with torch.no_grad():
        at_once = model(months)
        state, steps = None, []
        for month in months.split(1, dim=1):
            forecast, state = model.read(month, state)
            steps.append(forecast)
    assert (torch.cat(steps, dim=1) - at_once).abs().max() < 1e-12
    path = here.closed_loop(model, months[:, :40], torch.zeros(3, 10).double())
    surprises = torch.zeros(3, 10).double()
    surprises[:, 0] = 1.0
    other = here.closed_loop(model, months[:, :40], surprises)
    assert torch.allclose(path[:, 0], at_once[:, 39])
    assert torch.allclose(other[:, 0], path[:, 0] + 1)
    assert (other[:, 1] - path[:, 1]).abs().min() > 1e-6


def test_no_forecast_and_no_training_sees_the_future(here, monkeypatch):
    def forecasts(course):
        torch.manual_seed(0)
        direct, _ = course.train_direct(0, epochs=1)
        following = course.NextMonth()
        months = course.every_month(course.train)
        check = course.pairs(course.validation, 264, 1)
        few = [[array[::24] for array in part] for part in (months, check)]
        course.fit(following, *few, epochs=1, loss=course.last_forecasts)
        recent = course.pairs(course.test, length=264)[0]
        path = course.closed_loop(following, recent, torch.zeros(len(recent), 24))
        return torch.stack([course.predict(direct, recent[:, -144:]), path])

    before = forecasts(here)
    known = 300  # months of the test part that are left alone
    shuffled, first = here.sunspots.copy(), here.test.start + known
    later = np.random.default_rng(0).permutation(shuffled.iloc[first:])
    shuffled.iloc[first:] = 2 * later  # the scale as well
    monkeypatch.setattr(utils.data, "load_sunspots", lambda: shuffled)
    after = forecasts(lesson())
    assert torch.equal(before[:, : known + 1], after[:, : known + 1])
    assert (before[:, known + 1] != after[:, known + 1]).all()


def test_networks_choose_their_epoch_on_the_validation_part(here, monkeypatch):
    seen = []
    monkeypatch.setattr(here, "fit", lambda net, *parts, **settings: seen.append(parts))
    here.train_direct(0), here.train_next_month(0)
    for (_, (x, y)), options in zip(seen, [(144, 24), (264, 1)], strict=True):
        wanted = here.pairs(here.validation, *options)
        assert x.equal(wanted[0]) and y.equal(wanted[1])


def test_the_linear_model_in_a_closed_loop_reads_its_own_forecasts(here):
    known, _ = utils.data.windows(here.sunspots, 144, 1, part=here.validation)
    pairs = utils.data.windows(here.sunspots, 144, 1, part=here.train)
    next_month = here.autoregression(*pairs, 24, roots=True)
    path = here.ar_forecast(known, 24, True)
    assert path.shape == (len(known), here.AHEAD)
    first = next_month(known)
    assert np.allclose(path[:, :1], first)
    second = next_month(np.column_stack([known[:, 1:], first]))
    assert np.allclose(path[:, 1:2], second)


def test_the_choice_of_the_linear_models_does_not_see_the_test_part(here, monkeypatch):
    def choices(course):
        return list(map(course.choose_ar, (course.ar_direct, course.ar_forecast)))

    spoiled = here.sunspots.copy()
    spoiled.iloc[here.test] = 3 * spoiled.iloc[here.test][::-1] + 7
    monkeypatch.setattr(utils.data, "load_sunspots", lambda: spoiled)
    assert choices(here) == choices(lesson())


def test_the_race_opens_and_shuts_the_gates_that_it_names(here, monkeypatch):
    def gates(start):  # bias of the input gate and of the forget gate
        made = []
        monkeypatch.setattr(here, "learn", lambda s, b, n: made.append(b()) or (0, [1]))
        torch.manual_seed(0)
        here.race_run(0, start)
        return made[0]

    input_gate, forget_gate = gates("chrono")
    shut, opened = gates("chrono, forget gate only")
    assert shut == 0 and torch.equal(opened, forget_gate)
    opened, shut = gates("chrono, input gate only")
    assert shut == 0 and torch.equal(opened, input_gate)
