"""Lesson 02.2: the layer is nn.LSTM, no forecast sees the future, the file is true."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import utils.data
from tools.measure_lstm import RESULT, adding_run, lesson, starts


@pytest.fixture(scope="module")
def here():
    torch.set_num_threads(1)
    return lesson()


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (1, 4, 3, 5), (7, 1, 2, 3), (60, 5, 1, 16), (12, 3, 8, 1)]
)
def test_the_layer_is_nn_lstm_in_outputs_and_gradients(here, sizes):
    torch.manual_seed(sum(sizes))
    theirs, ours = here.both_ways(*sizes)
    assert len(theirs) == len(ours) == 10
    for a, b in zip(theirs, ours, strict=True):
        assert a.shape == b.shape
        assert a.abs().max() > 1e-6 and (a - b).abs().max() < 1e-10


def test_the_cell_is_nn_lstm_cell(here):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 5).double()
    cell = nn.LSTMCell(3, 5).double()
    cell.load_state_dict(
        {k.removesuffix("_l0"): v for k, v in lstm.state_dict().items()}
    )
    x, h, c = (torch.randn(4, n).double() for n in (3, 5, 5))
    ours = here.lstm_cell(x, h, c, *here.by_gate(lstm))
    for a, b in zip(ours[:2], cell(x, (h, c)), strict=True):
        assert (a - b).abs().max() < 1e-12
    assert all(gate.min() > 0 and gate.max() < 1 for gate in map(ours[2].get, "ifo"))


def test_the_adding_problem_marks_two_numbers_and_asks_for_their_sum(here):
    x, y = here.adding_problem(500, torch.Generator().manual_seed(1))
    numbers, marks = x.unbind(dim=2)
    assert x.shape == (500, here.T, 2) and y.shape == (500, 1)
    assert (marks.sum(dim=1) == 2).all() and set(marks.unique().tolist()) == {0, 1}
    assert torch.allclose((numbers * marks).sum(dim=1), y[:, 0])


def test_chrono_sets_the_rows_of_input_and_forget_gate(here):
    torch.manual_seed(0)
    lstm = here.Adder(*starts(here)["chrono"]()).lstm
    i, f, g, o = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
    assert torch.equal(i, -f) and (f >= 0).all() and f.max() <= np.log(here.T - 1)
    assert (g == 0).all() and (o == 0).all()


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
        months = (
            course.every_month(course.train),
            course.pairs(264, 1, course.validation),
        )
        sparse = [[array[::24] for array in part] for part in months]
        course.fit(following, *sparse, epochs=1, loss=course.last_forecasts)
        recent = course.pairs(264, course.AHEAD, course.test)[0]
        path = course.closed_loop(following, recent, torch.zeros(len(recent), 24))
        return torch.stack([course.predict(direct, recent[:, -144:]), path])

    before = forecasts(here)
    known = 300  # months of the test part that are left alone
    shuffled, first = here.sunspots.copy(), here.test.start + known
    order = np.random.default_rng(0)
    shuffled.iloc[first:] = 2 * order.permutation(
        shuffled.iloc[first:]
    )  # scale as well
    monkeypatch.setattr(utils.data, "load_sunspots", lambda: shuffled)
    after = forecasts(lesson())
    assert torch.equal(before[:, : known + 1], after[:, : known + 1])
    assert (before[:, known + 1] != after[:, known + 1]).all()


def test_the_file_holds_five_runs_of_everything(here):
    file = json.loads(RESULT.read_text(encoding="utf-8"))
    assert list(file["adding"]["runs"]) == list(starts(here))
    for part in ("adding", "sunspots"):
        assert {len(runs) for runs in file[part]["runs"].values()} == {5}


@pytest.mark.slow
def test_one_run_of_the_file_is_reproduced(here):
    file = json.loads(RESULT.read_text(encoding="utf-8"))
    stored = file["adding"]["runs"]["chrono"][1]
    again = adding_run(here, "chrono", seed=1, limit=1000)
    assert again["solved"] and stored["solved"]
    assert abs(again["steps"] - stored["steps"]) <= 200  # equal on the same processor
    assert again["errors"][:3] == pytest.approx(stored["errors"][:3], rel=0.05)
    for where in ("marked", "unmarked"):
        assert again[where] == pytest.approx(stored[where], abs=0.2)

    stored = file["sunspots"]["runs"]["direct, 12 months a step"][1]
    model, history = here.train_direct(seed=1)
    _, actual = here.windows(here.sunspots, 144, here.AHEAD, part=here.test)
    forecast = here.predict(model, here.pairs(144, here.AHEAD, here.test)[0])
    score = here.rmse(here.scale.undo(forecast.numpy()), actual)
    assert score == pytest.approx(stored["rmse"], rel=0.03)
    assert min(history.validation) == pytest.approx(stored["validation"], rel=0.1)
