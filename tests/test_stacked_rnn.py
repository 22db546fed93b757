"""Lesson 02.4: every model is scored on the same events, no state and no name leaks."""

import math

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson
from torch import nn

SETTINGS = {"LETTERS", "names", "order", "parts", "train", "EPOCHS"}


def lesson():
    return load_lesson("02_LSTM_RNN/raw_scripts/stacked_rnn.py", SETTINGS)


@pytest.fixture(scope="module")
def here():
    return lesson()


def test_dropout_acts_between_all_layers_and_nowhere_else(here):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 5, num_layers=3, dropout=0.4).double()
    x, start = torch.randn(6, 2, 3).double(), torch.randn(2, 3, 2, 5).double()
    torch.manual_seed(1)
    theirs, (h_n, _) = lstm(x, tuple(start))
    torch.manual_seed(1)
    ours, h, _ = here.stacked(x, *start, lstm.all_weights, p=0.4)
    assert (ours - theirs).abs().max() < 1e-10 and (h - h_n).abs().max() < 1e-10
    quiet, _, _ = here.stacked(x, *start, lstm.all_weights)
    assert (quiet - theirs).abs().max() > 0.01
    assert (quiet - lstm.eval()(x, tuple(start))[0]).abs().max() < 1e-10


def test_dropout_does_nothing_in_a_single_layer_and_pytorch_says_so():
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        lstm = nn.LSTM(3, 5, dropout=0.5)
    x = torch.randn(6, 2, 3)
    assert torch.equal(lstm(x)[0], lstm.eval()(x)[0])


def test_the_split_is_the_one_in_the_text(here):
    order = np.random.default_rng(0).permutation(20_000)
    parts = here.train, here.validation, here.test
    for part, rows in zip(parts, np.split(order, [16_000, 18_000]), strict=True):
        assert part == [here.names[k] for k in rows]
    assert len(set(here.names)) == 20_000  # so no name is in two parts


def slow_witten_bell(names, before, letter, k):
    """The formula of the text, read off the names themselves."""
    if k < 0:
        return 1 / 27
    shorter = slow_witten_bell(names, before, letter, k - 1)
    if k > len(before):
        return shorter
    context, followed = before[len(before) - k :], []
    for text in (f".{name}." for name in names):
        places = range(max(k, 1), len(text))
        followed += [text[t] for t in places if text[t - k : t] == context]
    if not followed:
        return shorter
    different = len(set(followed))
    return (followed.count(letter) + different * shorter) / (len(followed) + different)


def test_witten_bell_is_its_formula_and_adds_up_to_one(here):
    names = ["anna", "hanna", "nan", "an", "bob", "banana", "oanna"]
    tables = here.count(names, longest=4)
    for before in (".", ".a", ".an", ".han", ".anna", ".banan", ".zz", ".bo", "qan"):
        p = here.witten_bell(tables, before)
        assert p.shape == (5, 27) and p.sum(axis=1) == pytest.approx(1) and p.min() > 0
        for k in range(5):
            for letter in ".anbz":
                slow = slow_witten_bell(names, before, letter, k)
                assert p[k, here.LETTERS.index(letter)] == pytest.approx(slow, rel=1e-9)


def test_ngram_bits_are_the_name_and_its_end(here):
    tables = here.count(["ab", "b"], longest=2)
    p = [
        here.witten_bell(tables, t)[:, i] for t, i in ((".", 1), (".a", 2), (".ab", 0))
    ]
    assert here.ngram_bits(tables, ["ab"])[0] == pytest.approx(-np.log2(p).sum(axis=0))


class Known(nn.Module):
    """Says the next letter of one text with certainty, or nothing (all equal)."""

    def __init__(self, text=None):
        super().__init__()
        self.text = text

    def forward(self, letters, state=None):
        first = state or 0
        logits = torch.zeros(*letters.shape, 27)
        for t in range(letters.shape[1]):
            if self.text:
                letter = self.text[min(first + t, len(self.text) - 1)]
                logits[:, t, ".abcdefghijklmnopqrstuvwxyz".index(letter)] = 100.0
        return logits, first + letters.shape[1]


def test_every_model_is_scored_on_the_same_events(here):
    bits = here.name_bits(Known(), here.test)
    events = [len(name) + 1 for name in here.test]
    assert bits == pytest.approx(np.log2(27) * np.array(events), rel=1e-5)
    assert here.per_character(bits, here.test) == pytest.approx(np.log2(27), rel=1e-5)
    empty = here.count([], longest=3)
    counted = here.ngram_bits(empty, here.test)
    assert counted == pytest.approx(np.log2(27) * np.array(events)[:, None] @ [[1] * 4])
    _, follows = here.padded(here.test)
    assert (follows != -100).sum() == sum(events)
    assert (follows == 0).sum() == len(here.test)
    assert here.name_bits(Known("abel."), ["abel"]).item() == pytest.approx(0, abs=1e-5)


def test_padding_and_neighbours_change_no_score(here):
    torch.manual_seed(0)
    model = here.Letters(2, 12, p=0.5).train()
    names = ["lee", "featherstone", "ng", "smith"]
    together = here.name_bits(model, names)
    assert not model.training
    alone = np.concatenate([here.name_bits(model, [name]) for name in names])
    assert together == pytest.approx(alone, abs=1e-4)
    assert here.name_bits(model, names[::-1]) == pytest.approx(together[::-1], abs=1e-4)


def test_a_stream_is_scored_on_the_same_events_with_the_state_carried(here):
    torch.manual_seed(0)
    model = here.Letters(2, 12, p=0.5).train()
    alone = here.name_bits(model, ["smith", "lee"])
    model.train()
    one = here.stream_score(model, ["smith"])
    assert not model.training and one == pytest.approx(alone[0] / 6, rel=1e-4)
    both = here.stream_score(model, ["smith", "lee"])
    model.double()
    text = here.encode(".smith.lee.")[None]
    logits, _ = model(text[:, :-1])
    nats = nn.functional.cross_entropy(logits[0], text[0, 1:]).item()
    assert both == pytest.approx(nats / math.log(2), rel=1e-4)
    assert abs(both - alone.sum() / 10) > 1e-4


def test_streams_are_the_training_names_in_a_new_order(here):
    names = here.train[:500]
    rng = np.random.default_rng(3)
    (read, follows), (other, _) = here.streams(names, rng), here.streams(names, rng)
    assert read.shape == follows.shape == (64, read.shape[1])
    text = "".join(here.LETTERS[i] for i in read.flatten())
    after = "".join(here.LETTERS[i] for i in follows.flatten())
    assert text[1:] == after[:-1] and text[0] == "."
    assert sum(len(name) + 1 for name in names) - len(after) < 64
    whole = after.split(".")[:-1]  # the last name may be cut
    assert (
        set(whole) <= set(names) and len(whole) > 480 and whole != names[: len(whole)]
    )
    assert not torch.equal(read[:, :50], other[:, :50])


def test_chunks_follow_each_other_in_every_stream(here):
    pieces = here.chunks(np.random.default_rng(5), length=25)
    read, follows = here.streams(here.train, np.random.default_rng(5))
    for position, whole in enumerate((read, follows)):
        joined = torch.cat([piece[position] for piece in pieces], dim=1)
        assert torch.equal(joined, whole)
    assert {x.shape[1] for x, _ in pieces[:-1]} == {25}


@pytest.mark.parametrize("carry", [True, False])
def test_training_hands_the_state_on_and_cuts_the_gradient(carry):
    here = lesson()
    here.train, here.validation, here.EPOCHS = here.train[:900], here.validation[:20], 2
    given, made, rows = [], [], []
    real = here.Letters.forward

    def forward(self, letters, state=None):
        logits, new = real(self, letters, state)
        if self.training:
            given.append(state)
            made.append([part.detach().clone() for part in new])
            rows.append(letters)
        return logits, new

    here.Letters.forward = forward
    try:
        here.train_network(2, 6, seed=1, carry=carry)
    finally:
        here.Letters.forward = real
    epoch = len(given) // 2
    assert epoch > 2
    for step, state in enumerate(given):
        if not carry or step % epoch == 0:
            assert state is None
        else:
            assert not any(part.requires_grad for part in state)
            for part, last in zip(state, made[step - 1], strict=True):
                assert torch.equal(part, last)


def test_chunks_with_a_carried_state_are_one_pass_and_so_is_letter_by_letter(here):
    torch.manual_seed(0)
    model = here.Letters(3, 7, p=0.3).double().eval()
    letters = torch.randint(27, (5, 23))
    at_once, _ = model(letters)
    for length in (1, 4, 23):
        pieces = here.read_in_chunks(model, letters, length)
        assert (pieces - at_once).abs().max() < 1e-10


def test_no_forecast_sees_the_letter_it_is_about(here):
    torch.manual_seed(0)
    model = here.Letters(2, 9).eval()
    letters = torch.randint(27, (3, 12))
    changed = letters.clone()
    changed[:, 6] = (changed[:, 6] + 1) % 27
    a, b = model(letters)[0], model(changed)[0]
    assert torch.allclose(a[:, :6], b[:, :6], atol=1e-6)
    assert (a[:, 6:] - b[:, 6:]).abs().amax(dim=(0, 2)).min() > 0
    read, follows = here.padded(["smith", "lee"])
    assert read[0].tolist() == [0, *here.encode("smith").tolist()]
    assert follows[1].tolist() == [12, 5, 5, 0, -100, -100]


def test_sampling_spells_what_the_model_says(here):
    assert here.sample(Known("abel."), 3) == ["abel"] * 3
    flat = here.sample(Known(), 4000, seed=1)
    share = np.mean([name == "" for name in flat])  # the first draw was the dot
    assert share == pytest.approx(1 / 27, abs=0.01)
    assert max(len(name) for name in flat) <= 20
    assert here.sample(Known(), 50) == here.sample(Known(), 50)


def test_temperature_sharpens_and_flattens(here):
    class Fixed(nn.Module):
        def forward(self, letters, state=None):
            logits = torch.full((len(letters), 1, 27), -1e9)
            logits[:, :, 0], logits[:, :, 1] = 0.0, math.log(3)
            return logits, state

    for temperature in (0.5, 1.0, 2.0):
        drawn = here.sample(Fixed(), 6000, temperature)
        begins = np.mean([name.startswith("a") for name in drawn])
        odds = 3 ** (1 / temperature)
        assert begins == pytest.approx(odds / (1 + odds), abs=0.02)


def test_as_many_names_are_drawn_as_their_bits_promise():
    # Scoring and drawing must tell the same story: 2**-bits is how often a name comes.
    here = lesson()
    here.EPOCHS = 1
    model, _ = here.train_network(1, 32)
    drawn = here.sample(model, 20_000)
    bits = here.name_bits(model, here.train)
    chance = 1 - (1 - 2.0**-bits) ** 20_000
    assert here.hits(bits, 20_000) == pytest.approx(chance.mean())
    noise = np.sqrt((chance * (1 - chance)).sum()) / len(bits)
    assert abs(np.isin(here.train, drawn).mean() - chance.mean()) < 4 * noise
    assert chance.mean() > 20 * noise
    assert here.hits(np.array([0.0, 1.0, 60.0]), 1) == pytest.approx(0.5)
