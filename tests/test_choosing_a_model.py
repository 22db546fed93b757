"""Lesson 02.6: the race is fair, no model sees its answer unless the lesson says so,
and the file of scores is what the lesson's own functions give.
"""

import itertools
import json
import math

import numpy as np
import pytest
import torch

from tools import measure_choosing_a_model as measure
from utils.data import load_sunspots

STORED = json.loads(measure.RESULT.read_text(encoding="utf-8"))
ONE_WAY = ("RNN", "LSTM", "GRU", "stacked")


@pytest.fixture(scope="module")
def lesson():
    threads = torch.get_num_threads()
    yield measure.lesson()  # sets one thread
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shared(lesson):
    """The data of both sequence tasks: task -> (training, validation, test)."""
    return {"names": lesson.names, "stress": lesson.words}


def awake(lesson, model, task, seed=0):
    """A network whose head is not zero, or no difference could show."""
    net = lesson.Network(model, task, seed)
    with torch.no_grad():
        net.head.weight.normal_()
    return net


def test_all_models_have_equal_parameters(lesson):
    for task, entries in STORED["tasks"].items():
        sizes = [entry["parameters"] for entry in entries.values()]
        assert max(sizes) < 1.02 * min(sizes)
        for model, entry in entries.items():
            weights = lesson.Network(model, task).parameters()
            assert sum(w.numel() for w in weights) == entry["parameters"]


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
def test_step_by_step_is_the_whole_sequence(lesson, model):
    net, state, steps = awake(lesson, model, "names"), None, []
    x = torch.randint(0, 27, (4, 9))
    for t in range(9):
        states, state = net.rnn(net.embed(x[:, t : t + 1]), state)
        steps.append(net.head(states))
    assert torch.allclose(torch.cat(steps, dim=1), net(x), atol=1e-5)


def test_a_forecast_reads_where_both_directions_end(lesson):
    net, x = awake(lesson, "both ways", "forecast"), torch.randn(3, 12, 12)
    _, (h_n, _) = net.rnn(x)
    assert torch.allclose(net(x), net.head(torch.cat([h_n[0], h_n[1]], dim=1)))


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
    parts = lesson.split(list(range(20_000)))
    assert [len(part) for part in parts] == [16_000, 2_000, 2_000]
    assert sorted(itertools.chain(*parts)) == list(range(20_000))
    # The same rows as in lessons 02.4 and 02.5.
    order = np.random.default_rng(0).permutation(20_000)
    assert parts[2] == order[18_000:].tolist()


def test_groups_hold_every_example_at_its_own_length(lesson):
    groups, wanted = lesson.names[2], lesson.split(lesson.codes)[2]
    back = [
        [*x.tolist(), y[-1].item()]
        for xs, ys in groups
        for x, y in zip(xs, ys, strict=True)
    ]
    assert sorted(back) == sorted(wanted)
    lengths = [x.shape[1] for x, _ in groups]
    assert lengths == sorted(set(lengths))
    for x, y in groups:  # what is asked for at a place is read at the next
        assert (
            x[:, 1:].equal(y[:, :-1]) and (x[:, 0] == 0).all() and (y[:, -1] == 0).all()
        )


def test_consonants_are_neither_asked_for_nor_scored(lesson, shared):
    vowels = sum((y >= 0).sum().item() for part in shared["stress"] for _, y in part)
    assert vowels == 80_359  # data/README.md

    def always_one(x):
        return torch.nn.functional.one_hot(torch.ones_like(x), 3).float()

    group = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[1, -1, 1], [0, -1, 1]])
    assert lesson.right(always_one, [group]) == [75, 50]
    nats = -math.log(math.e / (math.e + 2)), -math.log(1 / (math.e + 2))
    wanted = (3 * nats[0] + nats[1]) / 4
    assert lesson.bits(always_one, [group]) == pytest.approx(wanted / math.log(2))


def test_bits_do_not_depend_on_the_batch(lesson, shared):
    net, groups = awake(lesson, "GRU", "names"), shared["names"][2][:2]
    alone = [(x[k : k + 1], y[k : k + 1]) for x, y in groups for k in range(len(x))]
    assert lesson.bits(net, groups) == pytest.approx(lesson.bits(net, alone), abs=1e-4)


def test_prefixes_hide_the_rest_and_nothing_else(lesson, shared):
    groups = shared["names"][2][:4]
    cut = [*lesson.prefixes(groups)]
    assert sum((y >= 0).sum() for _, y in cut) == sum(y.numel() for _, y in groups)
    for model, same in (("stacked", True), ("both ways", False)):
        net = awake(lesson, model, "names")
        gap = abs(lesson.bits(net, groups) - lesson.bits(net, cut))
        assert (gap < 1e-3) == same


def test_the_same_seed_gives_both_models_the_same_order(lesson, shared, monkeypatch):
    """What makes the comparison a paired one."""
    nats, seen = lesson.nats, []

    def spy(net, x, y, reduction="mean"):
        seen.append((reduction, x))
        return nats(net, x, y, reduction)

    monkeypatch.setattr(lesson, "nats", spy)
    runs = []
    for model, seed in (("RNN", 1), ("GRU", 1), ("GRU", 2)):
        seen.clear()
        few = [(x[:300], y[:300]) for x, y in shared["names"][0][:3]]
        lesson.train(lesson.Network(model, "names"), few, few[:1], 0.01, 2, seed)
        runs.append([x for reduction, x in seen if reduction == "mean"])
    assert sum(len(x) for x in runs[0]) == 2 * sum(len(x) for x, _ in few)
    assert all(a.equal(b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not all(a.equal(b) for a, b in zip(runs[1], runs[2], strict=False))


def test_the_rules_are_asked_about_the_same_words(lesson):
    """The counting rules are those of lesson 02.5, on the test words of this one."""
    tagging = measure.measure_bidirectional_rnn.lesson()
    words = list(lesson.table["word"])
    for part, name in zip(lesson.split(words), tagging.splits["random"], strict=True):
        rows = tagging.splits["random"][name]
        assert sorted(part) == sorted(tagging.words["word"].iloc[rows]), name


def test_the_baselines_come_out_again(lesson):
    names, stress = measure.names_baselines(lesson), measure.stress_baselines()
    assert names["by_context"] == pytest.approx(
        STORED["baselines"]["names"]["by_context"]
    )
    assert names["context"] == STORED["baselines"]["names"]["context"]
    for rule, scores in stress.items():
        assert scores == pytest.approx(STORED["baselines"]["stress"][rule])


def test_the_file_is_complete_and_silent_where_a_model_does_not_apply():
    assert STORED["settings"]["epochs"] == measure.EPOCHS
    for task, entries in STORED["tasks"].items():
        assert ("both ways" in entries) == (task != "names")
        assert set(ONE_WAY) < {*entries, "both ways"}
        for entry in entries.values():
            runs = [entry[key] for key in ("validation", "test", "cpu_seconds")]
            assert {len(run) for run in runs} == {5}
    for task, timing in STORED["inference"].items():
        assert set(timing["models"]) == set(STORED["tasks"][task])
        for model, times in timing["models"].items():
            assert ("step_us" in times) == (model != "both ways")


def test_the_learning_rate_was_chosen_on_validation():
    for task, entries in STORED["tasks"].items():
        for entry in entries.values():
            tried = entry["selection"]
            assert {float(lr) for lr in tried} == set(measure.RATES[task])
            assert tried[str(entry["lr"])] == min(tried.values())
            seeds = list(measure.CHOOSING[task])
            found = np.mean([entry["validation"][seed] for seed in seeds])
            assert found == pytest.approx(min(tried.values()), abs=2e-4)


@pytest.mark.parametrize("task,model", [("forecast", "RNN"), ("stress", "both ways")])
def test_one_entry_of_the_file_comes_out_again(lesson, task, model):
    stored = STORED["tasks"][task][model]
    again = measure.train_one(lesson, task, model, 3, stored["lr"])
    for key in set(again) - {"cpu_seconds"}:
        assert again[key] == pytest.approx(stored[key][3], rel=0.05)


def test_what_the_text_says_about_the_file():
    tasks, simple = STORED["tasks"], STORED["baselines"]

    def half(values):
        return 2.776 * np.std(values, ddof=1) / 5**0.5

    for task, entries in tasks.items():
        mean = {model: np.mean(entry["test"]) for model, entry in entries.items()}
        gaps = {
            model: np.subtract(entry["test"], entries["LSTM"]["test"])
            for model, entry in entries.items()
            if model != "LSTM"
        }
        gap = {model: g.mean() for model, g in gaps.items()}
        clear = {model for model, g in gaps.items() if abs(g.mean()) > half(g)}
        better = gap["stacked"] if task == "stress" else -gap["stacked"]
        assert "stacked" not in clear or better < 0
        if task == "forecast":
            assert not clear and max(mean.values()) - min(mean.values()) < 1
            assert max(half(g) for g in gaps.values()) == pytest.approx(1.5, abs=0.05)
        elif task == "names":
            assert clear == set(gaps) and 0.02 < max(gap.values()) < 0.035
            assert max(mean.values()) < simple["names"]["test"]
        else:
            assert clear == {"both ways", "RNN"} and 9 < gap["both ways"] < 10
            one_way = [mean[model] for model in ONE_WAY]
            assert max(one_way) - min(one_way) < 1
            assert max(one_way) < simple["stress"]["all vowels"][0] - 3
    chosen = [
        entry["lr"] == max(measure.RATES[task])
        for task, entries in tasks.items()
        for entry in entries.values()
    ]
    assert sum(chosen) == 5 and len(chosen) == 14  # "five of the fourteen choices"
    seconds = [e["cpu_seconds"] for run in tasks.values() for e in run.values()]
    assert np.max(seconds) < 35


def test_one_of_ten_pairs_of_forecasts_leaves_out_zero():
    """What the lesson says in a bracket, beyond its table."""
    runs = STORED["tasks"]["forecast"]
    clear = []
    for a, b in itertools.combinations(runs, 2):
        gaps = np.subtract(runs[a]["test"], runs[b]["test"])
        if abs(gaps.mean()) > 2.776 * gaps.std(ddof=1) / 5**0.5:
            clear.append({a, b})
    assert clear == [{"GRU", "both ways"}]
