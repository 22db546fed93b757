"""The functions of 03.2 in tiny examples; padding and the test part stay out."""

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson
from torch import nn

SETTINGS = ["recordings", "speakers", "test_recordings", "test_speakers", "frames"]
SETTINGS += ["mean", "std", "x", "n", "x_test", "n_test", "y", "y_test", "names_table"]
SETTINGS += ["classes", "names", "FRAMES", "FOLD", "DECAYS", "TRAIN", "SUMMARIES"]
SETTINGS += ["VALIDATION", "TEST"]


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("03_RNN_in_Use/raw_scripts/who_speaks.py", SETTINGS)


def test_scaled_and_padded_with_zeros_the_training_part_alone_is_measured(lesson):
    every = torch.cat([row[:k] for row, k in zip(lesson.x, lesson.n, strict=True)])
    assert torch.allclose(every.mean(dim=0), torch.zeros(12), atol=1e-4)
    assert torch.allclose(every.std(dim=0, correction=0), torch.ones(12), atol=1e-4)
    x, n = lesson.pad([lesson.mean[None] + lesson.std, np.ones((3, 12), "float32")])
    assert n.tolist() == [1, 3] and x.shape == (2, 3, 12)
    assert torch.allclose(x[0, 0], torch.ones(12), atol=1e-5) and not x[0, 1:].any()


def test_summaries_by_hand(lesson):
    x = torch.tensor([[[1.0], [2.0], [6.0], [9.0], [9.0]], [[4.0]] * 5])
    n = torch.tensor([3, 5])
    assert lesson.mean_over_time(x, n).flatten().tolist() == [3, 4]
    assert lesson.last_of(x, n).flatten().tolist() == [6, 4]
    found = lesson.spread_over_time(x, n).flatten()
    assert found.tolist() == pytest.approx([np.std([1, 2, 6]), 0])
    assert lesson.first_step(x).flatten().tolist() == [1, 4]
    assert lesson.thirds(x, n).tolist() == [[1, 2, 6], [4, 4, 4]]
    assert lesson.thirds(x, torch.tensor([2, 1])).tolist() == [[1, 2, 0], [4, 0, 0]]
    together = lesson.SUMMARIES["mean, first, last"](x, n)
    assert together.tolist() == [[3, 1, 6], [4, 4, 4]]
    assert lesson.SUMMARIES["mean and thirds"](x, n).shape == (2, 4)


def test_scores_by_hand(lesson):
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    y = torch.tensor([0, 1, 1])
    assert lesson.right(logits, y) == pytest.approx(2 / 3)
    wanted = nn.functional.cross_entropy(logits, y).item()
    assert lesson.loss_of(logits, y) == pytest.approx(wanted)
    assert lesson.percent(np.array([1, 0, 0])) == 33.33


def test_logistic_regression_finds_the_closed_form_of_two_points(lesson):
    torch.manual_seed(0)
    features, y = (
        torch.tensor([[1.0], [1.0], [1.0], [-1.0]]),
        torch.tensor([0, 0, 1, 1]),
    )
    linear = lesson.logistic(features, y)
    strict = lesson.logistic(features, y, decay=0.5)
    p = linear(features).softmax(dim=1).detach()
    assert p[0, 0] == pytest.approx(2 / 3, abs=0.01) and p[3, 1] > 0.95
    assert strict.weight.abs().sum() < 0.5 * linear.weight.abs().sum()


@pytest.mark.parametrize("read", ["last", "mean", "max"])
def test_padding_never_counts(lesson, read):
    torch.manual_seed(0)
    model = lesson.Speaker(read, units=5).eval()
    x, n = torch.randn(3, 6, 12), torch.tensor([2, 6, 4])
    alone = torch.cat(
        [model(row[None, :k], k[None]) for row, k in zip(x, n, strict=True)]
    )
    spoiled = torch.cat([x, 99 * torch.ones(3, 2, 12)], dim=1)
    for row, k in zip(spoiled, n, strict=True):
        row[k:] = 99
    assert torch.allclose(model(spoiled, n), alone, atol=1e-5)
    assert lesson.ask(model, x, n).sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    out, _ = model.gru(x[:1, :2])
    wanted = {
        "last": torch.cat([out[0, -1, :5], out[0, 0, 5:]]),
        "mean": out[0].mean(dim=0),
        "max": out[0].amax(dim=0),
    }
    assert torch.allclose(model.out(wanted[read]), alone[0], atol=1e-5)


def test_only_in_training_a_recording_is_shifted_as_a_whole(lesson, monkeypatch):
    model, seen = lesson.Speaker(units=3), []
    model.drop.p = 0.0
    monkeypatch.setattr(
        model.gru,
        "forward",
        lambda packed: seen.append(packed.data) or model.real(packed),
    )
    model.real = nn.GRU.forward.__get__(model.gru)
    x, n = torch.zeros(1, 4, 12), torch.tensor([4])
    model.train()(x, n)
    model.eval()(x, n)
    assert seen[0].std(dim=0).max() == 0 and seen[0].std() > 0.1 and not seen[1].any()


def test_training_learns_and_cuts_beginnings(lesson):
    torch.manual_seed(0)
    y = torch.arange(54) % 2
    x, n = torch.randn(54, 6, 12), torch.full((54,), 6)
    x[:, :, 0] += 3 * (2 * y[:, None] - 1)
    heard = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = lesson.Speaker(units=8)

        def forward(self, x, n):
            heard.append(n)
            return self.inner(x, n)

    model = lesson.train(Spy(), x, n, y, epochs=8)
    assert lesson.right(lesson.ask(model, x, n), y) > 0.95 and not model.training
    assert {k for some in heard for k in some.tolist()} == {6}
    heard.clear()
    lesson.train(Spy(), x, n, y, epochs=8, cut=True)
    assert {k for some in heard for k in some.tolist()} == {1, 2, 3, 4, 5, 6}


def test_ngrams_by_hand(lesson):
    assert lesson.ngrams(".al.", 2) == {".", "a", "l", ".a", "al", "l."}
    found = lesson.count_ngrams([".al.", ".b."], ["a", "al", "b"], longest=2)
    assert found.tolist() == [[1, 1, 0], [0, 0, 1]]


def test_the_three_parts_of_the_names(lesson):
    parts = [
        set(lesson.names[s]) for s in (lesson.TRAIN, lesson.VALIDATION, lesson.TEST)
    ]
    assert list(map(len, parts)) == [3163, 1000, 1000]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    by_name = dict(zip(lesson.names, lesson.classes.tolist(), strict=True))
    assert (by_name[".abbey."], by_name[".abdul."]) == (0, 1)
    assert by_name[".aaron."] == 2 and lesson.lengths_of(["ab", "c"]) == [2, 1]


def test_shuffled_recordings_keep_their_frames_and_padding(lesson):
    found = lesson.in_random_order(lesson.x[:9], lesson.n[:9], seed=0)
    moved = 0
    for old, new, k in zip(lesson.x[:9], found, lesson.n[:9], strict=True):
        assert torch.equal(old[k:], new[k:])
        assert torch.equal(old[:k].sort(dim=0)[0], new[:k].sort(dim=0)[0])
        moved += not torch.equal(old, new)
    assert moved == 9


def test_each_fold_has_six_recordings_of_each_speaker(lesson):
    for k in range(5):
        assert torch.bincount(lesson.y[k == lesson.FOLD]).tolist() == [6] * 9


def test_settings_do_not_see_the_test_part(lesson, monkeypatch):
    monkeypatch.setattr(lesson, "DECAYS", (0.0, 0.01))
    decay, loss, _ = lesson.summary_answers.__wrapped__("mean, first, last", 5)
    monkeypatch.setattr(lesson, "x_test", torch.zeros_like(lesson.x_test))
    monkeypatch.setattr(lesson, "y_test", torch.zeros_like(lesson.y_test))
    again = lesson.summary_answers.__wrapped__("mean, first, last", 5)
    assert again[:2] == (decay, loss)


def test_letters_leave_padding_out(lesson):
    torch.manual_seed(0)
    model = lesson.Letters(units=4).eval()
    x, n = torch.randint(27, (2, 5)), torch.tensor([3, 5])
    wanted = model(x[:1, :3], n[:1])
    x[0, 3:] = 7
    assert torch.allclose(model(x, n)[:1], wanted, atol=1e-6)


def test_the_decay_with_the_lowest_loss_on_folds_left_out(lesson):
    torch.manual_seed(0)
    noise = torch.randn(270, 30)
    decay, loss = lesson.cross_validated(noise)  # nothing to learn: the strictest wins
    assert decay == max(lesson.DECAYS) and loss > 2


def test_beginnings_grow_frame_by_frame(lesson):
    found = lesson.every_beginning(lesson.last_of, lesson.x[:4], lesson.n[:4])
    assert found.shape == (29, 4, 12) and torch.equal(found[2], lesson.x[:4, 2])
    assert torch.equal(found[28], lesson.last_of(lesson.x[:4], lesson.n[:4]))


def test_when_sure_by_hand(lesson):
    p = torch.full((2, 29, 2), 0.5)
    p[0, 3:, 1], p[0, 3:, 0] = 0.8, 0.2  # sure above 0.7 after four frames
    p[1, :, 0] = 0.6  # never sure: it hears all of its ten frames
    n, y = torch.tensor([20, 10]), torch.tensor([1, 1])
    found = lesson.when_sure(p, n, y)
    assert found == {"0.7": [7.0, 50.0], "0.9": [15.0, 50.0], "0.97": [15.0, 50.0]}


def test_one_model_for_all_beginnings_does_not_see_the_test_part(lesson, monkeypatch):
    monkeypatch.setattr(lesson, "DECAYS", (0.001,))
    monkeypatch.setattr(lesson, "logistic", lambda features, y, decay: spy(features, y))
    seen = []

    def spy(features, y):
        seen.append((len(features), len(y)))
        return nn.Linear(features.shape[1], 9)

    decay, p = lesson.one_for_all.__wrapped__()
    assert seen == [(29 * 216, 29 * 216)] * 5 + [(29 * 270, 29 * 270)]
    assert decay == 0.001 and p.shape == (370, 29, 9)
    assert torch.allclose(p.sum(dim=2), torch.ones(370, 29), atol=1e-5)


def test_names_are_scored_on_the_test_names_alone(lesson):
    found = lesson.measure_names(0, 0.01, epochs=1)
    assert len(found["_items"]) == 1000 and found["test"] > 76
    assert found["test"] == lesson.percent(found["_items"])
