"""The functions of 03.3: CTC is nn.CTCLoss and the sum over paths; simple models."""

import itertools

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson
from torch import nn

from utils.text import edit_distance

SETTINGS = ["HERE", "RATE", "t", "tones", "edges", "bands", "cosines", "recordings"]
SETTINGS += ["sounds", "ends", "labels", "frames", "mean", "std", "x", "y", "marked"]
SETTINGS += ["validation", "x_validation", "y_validation", "test", "x_test", "y_test"]
SETTINGS += ["PARTS", "K", "PAUSE", "COMPARED", "GRID", "SIMPLE", "FACTORS", "VOICES"]


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("03_RNN_in_Use/raw_scripts/speech_recognition.py", SETTINGS)


def by_all_paths(log_p, target):
    """The chance of a target: the sum over every path that reads so."""
    total = torch.zeros((), dtype=log_p.dtype)
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        reads = [k for k, _ in itertools.groupby(path) if k > 0]
        if reads == target.tolist():
            total = total + log_p[range(len(path)), path].sum().exp()
    return -total.log()


def random_case(seed, spare):
    draw = torch.Generator().manual_seed(seed)
    L = int(torch.randint(0, 5, (), generator=draw))
    target = torch.randint(1, 4, (L,), generator=draw)
    least = max(1, L + int((target[1:] == target[:-1]).sum()))  # frames that it takes
    scores = 3 * torch.randn(least + spare, 4, generator=draw, dtype=torch.float64)
    return scores, target


def theirs(log_p, target):
    sizes = torch.tensor(len(log_p)), torch.tensor(len(target))
    return nn.functional.ctc_loss(log_p, target, *sizes, reduction="sum")


@pytest.mark.parametrize("spare", [0, 1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_ctc_is_the_sum_over_all_paths(lesson, seed, spare):
    scores, target = random_case(seed, spare)
    if 4 ** len(scores) < 70_000:
        log_p = scores.log_softmax(dim=1)
        found = lesson.ctc_loss(log_p, target)
        assert torch.allclose(found, by_all_paths(log_p, target), atol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_ctc_and_its_gradient_are_those_of_torch(lesson, seed):
    scores, target = random_case(seed, spare=seed % 4 * 4)
    own, other = (scores.clone().requires_grad_() for _ in range(2))
    found, wanted = (
        loss(s.log_softmax(dim=1), target)
        for loss, s in ((lesson.ctc_loss, own), (theirs, other))
    )
    found.backward()
    wanted.backward()
    assert torch.allclose(found, wanted, atol=1e-10) and own.grad.isfinite().all()
    assert torch.allclose(own.grad, other.grad, atol=1e-10)


def test_a_wide_beam_finds_the_best_reading_and_its_chance(lesson):
    draw = np.random.default_rng(0)
    for _ in range(10):
        p, sums = draw.dirichlet(np.ones(3), size=5), {}
        for path in itertools.product(range(3), repeat=5):
            reads = tuple(k for k, _ in itertools.groupby(path) if k > 0)
            sums[reads] = sums.get(reads, 0) + p[range(5), path].prod()
        reading, log_chance = lesson.beam_search(p, width=500, least=0)
        best = max(sums, key=sums.get)
        assert tuple(reading) == best and np.exp(log_chance) == pytest.approx(
            sums[best]
        )
    p = np.array([[0.1, 0.5, 0.4], [0.1, 0.45, 0.45]])
    follows = np.array([[0, 0, 0], [0, 0.1, 0.9], [0, 0.9, 0.1]])
    assert lesson.beam_search(p)[0] == [1]
    told = lesson.beam_search(p, follows=follows, power=1, bonus=3)
    assert told[0] == [1, 2]  # 0.5 · 0.45 · 0.9 · 3 against 0.32
    assert np.exp(told[1]) == pytest.approx(0.5 * 0.45 * 0.9 * 3)


def test_too_few_frames_are_infinite_for_torch_and_beyond_all_bounds_here(lesson):
    log_p = torch.full((2, 3), 1 / 3, dtype=torch.float64).log()
    target = torch.tensor([1, 1])  # needs a blank between: three frames
    assert theirs(log_p, target) == torch.inf and lesson.ctc_loss(log_p, target) > 1e29


def test_reading_a_network(lesson):
    log_p = torch.full((7, 3), -9.0)
    for t, k in enumerate([0, 1, 1, 0, 1, 2, 2]):
        log_p[t, k] = -0.1
    p, read = lesson.listen(lambda recording: log_p, None)
    assert read == [1, 1, 2] and torch.equal(p, log_p.exp())


@pytest.mark.parametrize(
    "one, other, wanted",
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ab", "ba", 2)],
)
def test_edit_distance_by_hand(one, other, wanted):
    assert edit_distance(one, other) == wanted
    assert edit_distance([*one], [*other]) == wanted and edit_distance(one, one) == 0


def test_error_rates_by_hand(lesson, monkeypatch):
    said = [[1, 2, 3], [4]]
    assert lesson.error_rate([[1, 3], [5, 4]], said) == 50
    assert lesson.error_rate([[1, 3], [4]], said) == 25
    own = {"test": (None, [torch.tensor(one) for one in said])}
    monkeypatch.setattr(lesson, "PARTS", own)
    rate, each = lesson.rates([[1, 3], [5, 4]], "test")
    assert rate == 50 and each.tolist() == [50, 50]


def test_scaled_by_the_training_part_and_numbered_from_one(lesson):
    every = torch.cat(lesson.x)
    assert torch.allclose(every.mean(dim=0), torch.zeros(20), atol=1e-3)
    assert torch.allclose(every.std(dim=0), torch.ones(20), atol=1e-3)
    x, y = lesson.prepare([lesson.mean[None] + lesson.std], [["a", "zz", "pau"]])
    assert torch.allclose(x[0], torch.ones(1, 20), atol=1e-5)
    assert y[0].tolist() == [1, 51, lesson.PAUSE]


def test_it_reads_both_ways_and_one_way_forwards_only(lesson):
    torch.manual_seed(0)
    x = torch.randn(6, 20)
    later = x.clone()
    later[4:] += 1
    for model, sees in ((lesson.Listener(units=3), True), (lesson.OneWay(), False)):
        a, b = (model.eval()(one) for one in (x, later))
        assert a.shape == (6, 52)
        assert torch.allclose(a.exp().sum(dim=1), torch.ones(6), atol=1e-5)
        assert torch.equal(a[:4], b[:4]) != sees and not torch.equal(a[4:], b[4:])
    sizes = [
        sum(w.numel() for w in m().parameters())
        for m in (lesson.Listener, lesson.OneWay)
    ]
    assert abs(sizes[1] / sizes[0] - 1) < 0.02


def test_training_learns_two_sounds_without_times(lesson):
    torch.manual_seed(0)
    y = [torch.tensor([k % 3 + 1, (k + 1) % 3 + 1]) for k in range(60)]
    x = []
    for one in y:
        recording = 0.1 * torch.randn(8, 20)
        recording[1:3, one[0]] += 3
        recording[5:7, one[1]] += 3
        x.append(recording)
    model = lesson.train(lesson.Listener(units=8), x, y, epochs=8, lr=0.02)
    heard = [lesson.listen(model, one)[1] for one in x]
    assert lesson.error_rate(heard, [one.tolist() for one in y]) < 5
    assert not model.training


def test_batches_turn_within_each_recording_and_padding_does_not_count(lesson):
    x = torch.arange(10.0).view(2, 5, 1)
    found = lesson.turn(x, torch.tensor([3, 5])).squeeze(2)
    assert found.tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]
    torch.manual_seed(0)
    model, n = lesson.Batched().eval(), torch.tensor([3, 6])
    x = torch.randn(2, 6, 20)
    alone = model(x[0, :3])
    x[0, 3:] = 99
    assert torch.allclose(model(x, n)[0, :3], alone, atol=1e-5)
    both = lesson.Listener().eval()
    names = {"ahead": "", "back": "_reverse"}
    for name, end in names.items():
        for kind in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(both.lstm, kind + end).data = getattr(
                getattr(model, name), kind
            ).data
    both.out = model.out
    assert torch.allclose(both(x[1]), model(x, n)[1], atol=1e-5)


def test_each_frame_gets_the_sound_in_its_middle(lesson):
    found = lesson.labels_of_frames(
        np.zeros((5, 20)), ["a", "b", "pau"], np.array([0.06, 0.09, 0.21])
    )  # the middles are at 0.02, 0.06, 0.10, 0.14, 0.18 s
    a, b = (1 + lesson.labels.index(sound) for sound in "ab")
    assert found.tolist() == [a, b, *[lesson.PAUSE] * 3]


def test_viterbi_is_the_best_of_all_rows(lesson, monkeypatch):
    draw = np.random.default_rng(0)
    K = 4
    logs = [np.log(draw.dirichlet(np.ones(K), size=K)) for _ in range(2)]
    prior, stays, follows = logs[0][0], np.log(np.full(K, 0.6)), logs[1]
    ends = np.log(np.full(K, 0.4))
    monkeypatch.setattr(lesson, "K", K)
    monkeypatch.setattr(lesson, "PAUSE", 1)
    monkeypatch.setattr(lesson, "markov", lambda: (prior, stays, ends, follows))
    for _ in range(40):
        log_p = np.log(draw.dirichlet(np.ones(K), size=5))
        best = None
        for path in itertools.product(range(1, K), repeat=5):
            fits = 0.7 * (log_p - prior)[range(5), path].sum()
            fits -= 20 * (path[0] != 1)
            for a, b in itertools.pairwise(path):
                fits += stays[a] if a == b else ends[a] + 4 * follows[a, b] + 0.3
            if best is None or fits > best[0]:
                best = fits, [k for k, _ in itertools.groupby(path)]
        assert lesson.best_row(log_p, 0.7, 4, 0.3) == best[1]


def test_the_markov_model_counts_frames_and_neighbours(lesson):
    prior, stays, ends, follows = lesson.markov()
    assert np.exp(prior).sum() == pytest.approx(1)
    assert np.allclose(np.exp(stays) + np.exp(ends), 1)
    assert np.allclose(np.exp(follows).sum(axis=1), 1)
    every = np.concatenate(lesson.marked)
    pau = lesson.PAUSE
    assert np.exp(prior[pau]) == pytest.approx((every == pau).mean(), rel=0.01)
    times = sum(int((one == pau).sum()) for one in lesson.y)
    assert np.exp(ends[pau]) == pytest.approx(times / (every == pau).sum(), rel=0.01)
    a, n = (1 + lesson.labels.index(sound) for sound in "an")
    pairs = [(i, j) for one in lesson.y for i, j in itertools.pairwise(one.tolist())]
    share = pairs.count((a, n)) / sum(i == a for i, _ in pairs)
    assert np.exp(follows[a, n]) == pytest.approx(share, rel=0.02)
    assert lesson.of_bigrams(235)[0] == lesson.of_bigrams(235)[-1] == pau
    assert 80 < len(lesson.of_bigrams(235)) < 90


def test_neighbours_and_merging(lesson):
    one = torch.arange(4.0)[:, None].expand(4, 20)
    found = lesson.around(one, 1)
    assert found[:, ::20].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    p = torch.eye(3)[[2, 2, 1, 1, 2]].numpy()
    assert lesson.merged(p) == [2, 1, 2]


def test_settings_of_the_simple_models_do_not_see_the_test_part(lesson, monkeypatch):
    monkeypatch.setattr(lesson, "GRID", lesson.GRID[:3])
    few = {part: (x[:4], y[:4]) for part, (x, y) in lesson.PARTS.items()}
    monkeypatch.setattr(lesson, "PARTS", few)
    torch.manual_seed(0)
    model = nn.Linear(20, lesson.K)
    first = lesson.with_markov(lambda one: model(one).log_softmax(dim=1))
    few["test"] = few["test"][0], [0 * one for one in few["test"][1]]
    again = lesson.with_markov(lambda one: model(one).log_softmax(dim=1))
    assert first[0] == again[0] and first[4] == again[4] and first[1] != again[1]


def test_another_voice_moves_a_tone(lesson):
    mels = np.zeros((1, 32))
    mels[0, 10] = 5
    moved = lesson.other_voice((mels @ lesson.cosines.T).astype("float32"), 1.2)
    assert lesson.mel(1000) == pytest.approx(1000, abs=0.1)  # so the scale was made
    middle, found = lesson.edges[1:-1], (moved @ lesson.cosines)[0]
    assert middle[found.argmax()] == pytest.approx(1.2 * middle[10], rel=0.06)
    same = lesson.other_voice(lesson.recordings[0], 1.0)
    assert np.allclose(same, lesson.recordings[0], atol=1e-3)


def test_told_when_it_learns_the_label_of_each_frame(lesson, monkeypatch):
    torch.manual_seed(0)
    marked = [torch.arange(6) // 3 + 1 + k % 2 for k in range(40)]
    x = [nn.functional.one_hot(one, 20).float() for one in marked]
    monkeypatch.setattr(lesson, "x", x)
    monkeypatch.setattr(lesson, "marked", marked)
    model = lesson.train_told(lesson.Listener(units=8), 0.02, epochs=4)
    with torch.no_grad():
        right = [
            (model(a).argmax(dim=1) == b).all() for a, b in zip(x, marked, strict=True)
        ]
    assert all(right)


def test_batches_learn_too(lesson, monkeypatch):
    torch.manual_seed(0)
    y = [torch.tensor([k % 3 + 1]) for k in range(60)]
    x = [0.1 * torch.randn(3 + k % 4, 20) for k in range(60)]
    for recording, one in zip(x, y, strict=True):
        recording[1, one] += 3
    monkeypatch.setattr(lesson, "x", x)
    monkeypatch.setattr(lesson, "y", y)
    model = lesson.train_batches(lesson.Batched(), 0.01, epochs=12, batch=4)
    heard = [lesson.listen(model, one)[1] for one in x]
    assert lesson.error_rate(heard, [one.tolist() for one in y]) < 5
