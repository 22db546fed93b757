"""Lesson 02.6: the race is fair, no model sees its answer unless the lesson says so."""

import itertools
import math

import numpy as np
import pytest
import torch
from lesson_functions import ROOT, load_lesson

from utils.data import load_sunspots, load_surnames
from utils.exercises import choosing_a_model as tasks

ONE_WAY = ("RNN", "LSTM", "GRU", "stacked")
PATH = "02_LSTM_RNN/raw_scripts/choosing_a_model.py"
DEEPER = "02_LSTM_RNN/going_deeper/raw_scripts/choosing_further.py"
SETTINGS = {"UNITS", "SYMBOLS", "INPUTS", "OUTPUTS", "CELLS", "sunspots", "parts"}
SETTINGS |= {"scale", "cuts", "pairs", "names", "words", "tries", "chosen"}
SETTINGS |= {"HERE", "SO_FAR", "TO_THE_END"}


@pytest.fixture(scope="module")
def lesson():
    return load_lesson(PATH, SETTINGS)


def awake(lesson, model, task, seed=0):
    """A network whose head is not zero, or no difference could show."""
    net = lesson.Network(model, task, seed)
    with torch.no_grad():
        net.head.weight.normal_()
    return net


@pytest.mark.parametrize("task", ["forecast", "names", "stress"])
def test_all_models_have_equal_parameters(lesson, task):
    nets = [lesson.Network(model, task) for model in lesson.UNITS[task]]
    sizes = [sum(weights.numel() for weights in net.parameters()) for net in nets]
    assert max(sizes) < 1.02 * min(sizes)


def test_the_seed_fixes_the_start(lesson):
    first, again, other = (
        lesson.Network("GRU", "names", seed).rnn.weight_hh_l0 for seed in (3, 3, 4)
    )
    assert first.equal(again) and not first.equal(other)


@pytest.mark.parametrize("model", [*ONE_WAY, "both ways"])
@pytest.mark.parametrize("task", ["names", "stress"])
def test_only_two_directions_look_ahead(lesson, task, model):
    net = awake(lesson, model, task)
    x = torch.arange(8)[None]
    later = x.clone()
    later[0, 5] = 20
    before, after = net(x)[0, :5], net(later)[0, :5]
    assert before.equal(after) == (model != "both ways")


@pytest.mark.parametrize("model", ONE_WAY)
def test_two_pieces_are_the_whole_sequence(lesson, model):
    net, x = awake(lesson, model, "names"), torch.randint(0, 27, (4, 9))
    first, state = net.rnn(net.embed(x[:, :4]))
    rest, _ = net.rnn(net.embed(x[:, 4:]), state)
    assert torch.allclose(net.head(torch.cat([first, rest], dim=1)), net(x), atol=1e-5)


@pytest.mark.parametrize("model", ["LSTM", "both ways"])
def test_the_last_states_have_read_everything(lesson, model):
    net, x = awake(lesson, model, "forecast"), torch.randn(3, 12, 12)
    states, (h_n, _) = net.rnn(x)
    last = torch.cat([*h_n], dim=1)
    assert torch.allclose(lesson.last_states(states, net.rnn), last)
    assert torch.allclose(net(x), net.head(last))


def test_forecasts_are_changes_from_the_last_known_month(lesson):
    months = load_sunspots().to_numpy()
    for part, (known, future), (steps, change) in zip(
        lesson.parts, lesson.cuts, lesson.pairs, strict=True
    ):
        assert np.array_equal(future[0], months[max(part.start, 144) :][:12])
        assert np.array_equal(known[-1], months[part.stop - 156 : part.stop - 12])
        again = known[:, -1:] + lesson.scale.std * change.numpy()
        assert np.allclose(again, future, atol=1e-3)
        assert np.allclose(steps[5, 2], lesson.scale(known[5, 24:36]), atol=1e-5)
    assert np.isclose(lesson.scale.mean, months[lesson.parts[0]].mean())


def test_the_split_cuts_80_10_10_and_loses_nothing(lesson):
    parts = tasks.split(list(range(20_000)))
    assert [len(part) for part in parts] == [16_000, 2_000, 2_000]
    assert sorted(itertools.chain(*parts)) == list(range(20_000))
    # The same rows as in lessons 02.4 and 02.5, whose counts are the bars here.
    order = np.random.default_rng(0).permutation(20_000)
    assert parts[2] == order[18_000:].tolist()


def test_groups_hold_every_example_at_its_own_length(lesson):
    codes = [[0, *(ord(letter) - 96 for letter in name), 0] for name in load_surnames()]
    groups, wanted = lesson.names[2], tasks.split(codes)[2]
    back = []
    for xs, ys in groups:
        back += [[*x, y[-1]] for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
    assert sorted(back) == sorted(wanted)
    lengths = [x.shape[1] for x, _ in groups]
    assert lengths == sorted(set(lengths))
    for x, y in groups:  # what is asked for at a place is read at the next
        assert x[:, 1:].equal(y[:, :-1])
        assert (x[:, 0] == 0).all() and (y[:, -1] == 0).all()


def test_consonants_are_neither_asked_for_nor_scored(lesson):
    vowels = sum((y >= 0).sum().item() for part in lesson.words for _, y in part)
    assert vowels == 80_359  # data/README.md

    def always_one(x):
        return torch.nn.functional.one_hot(torch.ones_like(x), 3).float()

    group = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[1, -1, 1], [0, -1, 1]])
    assert tasks.right(always_one, [group]) == [75, 50]
    nats = -math.log(math.e / (math.e + 2)), -math.log(1 / (math.e + 2))
    wanted = (3 * nats[0] + nats[1]) / 4
    assert tasks.bits(always_one, [group]) == pytest.approx(wanted / math.log(2))


def test_a_network_must_answer_at_every_step(lesson):
    def last_only(x):
        return torch.nn.functional.one_hot(x, 39)[:, -1, :3].float()

    for score in (tasks.bits, tasks.right):
        with pytest.raises(ValueError, match="at every step"):
            score(last_only, lesson.words[2][3:4])


def test_bits_do_not_depend_on_the_batch(lesson):
    net, groups = awake(lesson, "GRU", "names"), lesson.names[2][:2]
    alone = [(x[k : k + 1], y[k : k + 1]) for x, y in groups for k in range(len(x))]
    assert tasks.bits(net, groups) == pytest.approx(tasks.bits(net, alone), abs=1e-4)


def test_prefixes_hide_the_rest_and_nothing_else(lesson):
    groups = lesson.names[2][:4]
    cut = [*load_lesson(DEEPER).prefixes(groups)]
    assert sum((y >= 0).sum() for _, y in cut) == sum(y.numel() for _, y in groups)
    for model, same in (("stacked", True), ("both ways", False)):
        net = awake(lesson, model, "names")
        gap = abs(tasks.bits(net, groups) - tasks.bits(net, cut))
        assert (gap < 1e-3) == same


def test_the_same_seed_gives_both_models_the_same_order(lesson, monkeypatch):
    """What makes the comparison a paired one."""
    nats, seen = tasks.nats, []

    def spy(net, x, y, reduction="mean"):
        seen.append((reduction, x))
        return nats(net, x, y, reduction)

    monkeypatch.setattr(tasks, "nats", spy)
    runs = []
    for model, seed in (("RNN", 1), ("GRU", 1), ("GRU", 2)):
        seen.clear()
        few = [(x[:300], y[:300]) for x, y in lesson.names[0][:3]]
        tasks.train(lesson.Network(model, "names"), few, few[:1], 0.01, 2, seed)
        runs.append([x.tolist() for reduction, x in seen if reduction == "mean"])
    assert sum(map(len, runs[0])) == 2 * sum(len(x) for x, _ in few)
    assert runs[0] == runs[1] != runs[2]


def test_no_choice_looks_at_the_test_part():
    """The settings of the line, and what a network's learning rate is chosen by."""
    whole, spoiled = load_lesson(PATH, SETTINGS), load_lesson(PATH, SETTINGS)
    known, future = spoiled.cuts[2]
    spoiled.cuts[2] = known[::-1] + 50, future * 0 + 7
    spoiled.pairs[2] = tuple(torch.randn_like(part) for part in spoiled.pairs[2])
    for lesson in (whole, spoiled):
        for groups in (lesson.names, lesson.words):  # few are enough, and fast
            for part in range(3):
                groups[part] = [(x[:40], y[:40]) for x, y in groups[part][3:6]]
        lesson.pairs[0] = [part[:200] for part in lesson.pairs[0]]
    for groups, symbols in ((spoiled.names, 27), (spoiled.words, 3)):
        groups[2] = [(x, torch.randint_like(y, symbols)) for x, y in groups[2]]
    assert whole.chosen == (108, True)
    for lesson in (whole, spoiled):
        assert min(lesson.tries, key=lesson.on_validation) == whole.chosen
    assert not np.allclose(*(some.line_of(some.chosen, 2) for some in (whole, spoiled)))
    for task, model in (("forecast", "GRU"), ("names", "RNN"), ("stress", "both ways")):
        scores = [some.measure(0, task, model, 0.01) for some in (whole, spoiled)]
        assert scores[0]["validation"] == scores[1]["validation"]
        assert scores[0]["test"] != scores[1]["test"]


def test_items_have_the_score_as_their_mean(lesson):
    """`per_answer` makes it so where words and names are of unequal length."""
    net, groups = awake(lesson, "GRU", "names"), lesson.names[2]
    items = lesson.by_name(net)
    assert items.shape == (2000,)
    assert items.mean() == pytest.approx(tasks.bits(net, groups))
    net, groups = awake(lesson, "both ways", "stress"), lesson.words[2]
    items = lesson.by_word([net(x).argmax(dim=2) for x, _ in groups])
    assert items.shape == (3000,)
    assert items.mean() == pytest.approx(tasks.right(net, groups)[0], abs=1e-3)
    forecasts = lesson.line_of((24, False), 2)
    items = lesson.by_window(forecasts)
    assert items.shape == (len(forecasts),)
    assert items.mean() == pytest.approx(lesson.mean_rmse(forecasts, 2))
    forecasts[100] += 1  # the tangent: what a change of one window does to the score
    moved = lesson.by_window(forecasts)
    assert moved.mean() == pytest.approx(lesson.mean_rmse(forecasts, 2))
    change = len(items) * (moved.mean() - items.mean())
    assert moved[100] - items[100] == pytest.approx(change, rel=0.01)


def test_a_network_is_compared_with_the_model_of_the_same_view():
    line, counts = {"test": 20.0}, {"sounds so far": [80, 1], "vowel to the end": [85]}
    file = {"baselines": {"forecast": {"tuned line": line}, "stress": counts}}
    names = ("forecast, GRU", "stress, GRU", "stress, both ways")
    assert [tasks.simple_score(file, name) for name in names] == [20, 80, 85]


def test_simple_models_count_as_in_their_own_lessons(lesson):
    """Item by item here, as one score there."""
    lesson.root = ROOT
    stored = lesson.stored_in("bidirectional_rnn")
    rules = {"sounds so far": lesson.SO_FAR, "vowel to the end": lesson.TO_THE_END}
    for name, keys in rules.items():
        items = lesson.by_word(lesson.rule(*keys))
        assert items.mean() == pytest.approx(stored[name][0], abs=0.006)
    letters = lesson.stored_in("stacked_rnn")["Kneser-Ney"]
    items = lesson.kneser_ney(letters["discounts"], letters["context"])
    assert items.mean() == pytest.approx(letters["test"], abs=6e-5)
