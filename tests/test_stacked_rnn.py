"""Lesson 02.4: every model is scored on the same events, no state and no name leaks."""

import math
import re

import numpy as np
import pytest
import torch
from lesson_functions import ROOT, load_lesson
from torch import nn

from utils.data import load_surnames
from utils.exercises import stacked_rnn as checks

SETTINGS = {"LETTERS", "names", "train"}
GARBAGE = ["qqqqq", "zx", "jjjj"]


def lesson():
    return load_lesson("02_LSTM_RNN/raw_scripts/stacked_rnn.py", SETTINGS)


@pytest.fixture(scope="module")
def here():
    return lesson()


@pytest.fixture(scope="module")
def deep():
    path = "02_LSTM_RNN/going_deeper/raw_scripts/copies_and_hits.py"
    return load_lesson(path, {"LETTERS"})


def test_dropout_acts_between_all_layers_and_nowhere_else(deep):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 5, num_layers=3, dropout=0.4).double()
    x, start = torch.randn(6, 2, 3).double(), torch.randn(2, 3, 2, 5).double()
    torch.manual_seed(1)
    theirs, (h_n, _) = lstm(x, tuple(start))
    torch.manual_seed(1)
    ours, h, _ = deep.stacked(x, *start, lstm.all_weights, p=0.4)
    assert (ours - theirs).abs().max() < 1e-10 and (h - h_n).abs().max() < 1e-10
    quiet, _, _ = deep.stacked(x, *start, lstm.all_weights)
    assert (quiet - theirs).abs().max() > 0.01
    assert (quiet - lstm.eval()(x, tuple(start))[0]).abs().max() < 1e-10


def test_the_split_is_the_one_in_the_text(here):
    order = np.random.default_rng(0).permutation(20_000)
    names, parts = load_surnames(), (here.train, here.validation, here.test)
    for part, rows in zip(parts, np.split(order, [16_000, 18_000]), strict=True):
        assert part == [names[k] for k in rows]
    assert len(set(names)) == 20_000  # so no name is in two parts


@pytest.mark.parametrize("c", [1, 5])
def test_witten_bell_by_hand(deep, c):
    counts = deep.count(["ab", "ab", "b"], longest=2)
    p_0 = (3 + c * 3 / 27) / (8 + c * 3)  # of 8 characters 3 are dots; 3 kinds
    p_1 = (3 + c * p_0) / (3 + c)  # a b stands before a dot 3 times, 1 kind
    p_2 = (2 + c * p_1) / (2 + c)  # ab twice
    assert deep.forecast("ab", deep.witten_bell, counts, c=c)[0] == pytest.approx(p_2)


def test_kneser_ney_by_hand(deep):
    def forecast(context, longest):
        kinds = deep.count_kinds(deep.count(["ab", "ab", "b"], longest), longest)
        return deep.forecast(context, deep.kneser_ney, kinds)

    # Letters in front: one of a (the dot), two of b (dot and a), one of a dot (b).
    p_0 = (1 - 0.85 + (0.85 + 1.2 + 0.85) / 27) / 4
    p_1 = (2 - 1.2 + 1.2 * p_0) / 2  # in front of "b." stand a and a dot: two
    p_2 = (2 - 1.2 + 1.2 * p_1) / 2  # the longest context is counted: "ab." twice
    assert forecast("ab", 2)[0] == pytest.approx(p_2)
    assert forecast("b", 1)[0] == pytest.approx((3 - 1.5 + 1.5 * p_0) / 3)
    # So is one that begins a name, with a twice and b once.
    assert forecast(".", 2)[1] == pytest.approx((2 - 1.2 + (1.2 + 0.85) * p_0) / 3)


def test_what_is_measured_for_all_lengths_is_what_the_notebooks_show(here, deep):
    names = ["anna", "hanna", "nan", "an", "bob", "banana", "oanna"]
    others = ["banana", "hann", "zz", "bo"]
    places = [f".{name}"[: t + 1] for name in others for t in range(len(name) + 1)]
    tables, shown = here.count_tables(names, longest=4), deep.count(names, longest=5)
    counts = here.look_up(tables, others)
    kinds = here.look_up(here.count_kinds(tables), others)

    def check(mix, shorter, module, plain_mix, plain_tables, **options):
        p = here.forecasts(counts, shorter, lambda n, below: mix(n, below, **options))
        assert p.sum(axis=2) == pytest.approx(np.ones((5, len(places)))) and p.min() > 0
        for k in range(1, 5):
            for place, before in enumerate(places):
                table = plain_tables[k]
                alone = module.forecast(before[-k:], plain_mix, table, **options)
                assert alone == pytest.approx(p[k, place])

    check(here.mix_witten_bell, counts, here, here.witten_bell, [shown] * 5)
    check(here.mix_witten_bell, counts, deep, deep.witten_bell, [shown] * 5, c=5)
    same = [deep.count_kinds(shown, longest=k) for k in range(5)]
    options = {"discounts": (0.75, 1.2, 1.5)}
    check(here.mix_kneser_ney, kinds, deep, deep.kneser_ney, same, **options)


def test_the_challenge_counts_what_the_lesson_counts(here):
    counts, names = checks._counts()
    assert names == here.validation and len(counts) > 50_000
    assert counts["perk"].sum() == 1 and counts["perk"][9] == 1
    shown = checks._bits(here.witten_bell)
    assert shown == pytest.approx(here.counting_bits(here.witten_bell, counts, names))


@pytest.mark.parametrize("bad", [np.ones(27), np.eye(27)[0], np.full(3, 1 / 3)])
def test_the_challenge_wants_probabilities(bad):
    with pytest.raises(ValueError, match="probabilit"):
        checks._bits(lambda n, shorter: bad)


def test_ngram_bits_are_the_name_and_its_end(here):
    p = np.random.default_rng(0).dirichlet(np.ones(27), size=(2, 5))  # ab. and b.
    a, b, dot = (here.LETTERS.index(letter) for letter in "ab.")
    ab = -np.log2(p[:, 0, a] * p[:, 1, b] * p[:, 2, dot])
    only_b = -np.log2(p[:, 3, b] * p[:, 4, dot])
    assert here.ngram_bits(p, ["ab", "b"]) == pytest.approx(np.array([ab, only_b]))


def test_a_setting_is_chosen_by_its_best_length(here):
    good, flat = np.full((2, 3, 27), 1e-3), np.full((2, 3, 27), 1 / 27)
    good[1] = 0.5  # of these forecasts only the longer context is good
    found = {"flat": flat, "good": good}
    here = lesson()
    here.forecasts = lambda counts, shorter, mix: found[mix(None, None)]
    setting, level = here.choose(lambda n, p, s: s, ["flat", "good"], 0, 0, ["ab"])
    assert setting == "good" and level == pytest.approx(-np.log2([1e-3, 0.5]))


def test_no_choice_looks_at_the_test_names():
    chosen = []
    for spoil in (False, True):
        here = lesson()
        here.train, here.validation = here.train[:600], here.validation[:60]
        if spoil:
            here.test, here.names = GARBAGE, here.train + here.validation + GARBAGE
        tuned = here.tune(here.count_tables(here.train, longest=3), here.validation)
        model, history = here.train_network(1, 8, epochs=2)
        chosen.append([tuned, history, [w.tolist() for w in model.parameters()]])
    (a, *network), (b, *other) = chosen
    assert network == other
    for name in a:
        assert a[name][0] == b[name][0] and np.array_equal(a[name][1], b[name][1])


def test_the_weights_of_the_best_epoch_on_validation_are_kept():
    here = lesson()
    here.train, here.validation = here.train[:300], here.validation[:30]
    bits, weights = iter([5.0, 3.0, 4.0]), []

    def name_bits(model, names):
        weights.append([w.tolist() for w in model.parameters()])
        return [next(bits) * sum(len(name) + 1 for name in names)]

    here.name_bits = name_bits
    model, history = here.train_network(1, 6, epochs=3)
    assert history.best_epoch == 2
    assert [w.tolist() for w in model.parameters()] == weights[1] != weights[2]


class Known(nn.Module):
    """Says the next letter of one text with certainty, or nothing (all equal)."""

    def __init__(self, text=None, logit=100.0):
        super().__init__()
        self.text, self.logit = text, logit

    def forward(self, letters, state=None):
        first = state or 0
        logits = torch.zeros(*letters.shape, 27)
        for t in range(letters.shape[1]):
            if self.text:
                letter = self.text[min(first + t, len(self.text) - 1)]
                logits[:, t, ".abcdefghijklmnopqrstuvwxyz".index(letter)] = self.logit
        return logits, first + letters.shape[1]


def test_every_model_is_scored_on_the_same_events(here):
    bits = here.name_bits(Known(), here.test)
    events = [len(name) + 1 for name in here.test]
    assert bits == pytest.approx(np.log2(27) * np.array(events), rel=1e-5)
    assert here.per_character(bits, here.test) == pytest.approx(np.log2(27), rel=1e-5)
    assert here.network_bits(Known(), here.test) == pytest.approx(np.log2(27), rel=1e-5)
    nothing = here.look_up(here.count_tables([], longest=3), here.test)
    counted = here.ngram_bits(
        here.forecasts(nothing, nothing, here.mix_witten_bell), here.test
    )
    assert counted == pytest.approx(np.log2(27) * np.array(events)[:, None] @ [[1] * 4])
    plain = here.counting_bits(here.witten_bell, {}, here.test[:50])
    assert plain == pytest.approx(np.log2(27))
    assert here.name_bits(Known("abel."), ["abel"]).item() == pytest.approx(0, abs=1e-5)


def test_padding_and_neighbours_change_no_score(here):
    torch.manual_seed(0)
    model = here.Letters(2, 12, p=0.5).train()
    names = ["lee", "featherstone", "ng", "smith"]
    together = here.name_bits(model, names)
    assert not model.training
    mean = together.sum() / sum(len(name) + 1 for name in names)
    assert here.network_bits(model.train(), names) == pytest.approx(mean, rel=1e-5)
    assert not model.training
    alone = np.concatenate([here.name_bits(model, [name]) for name in names])
    assert together == pytest.approx(alone, abs=1e-4)


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
    assert set(whole) <= set(names) and len(whole) > 480
    assert whole != names[: len(whole)]
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
    here, given, made = lesson(), [], []
    here.train, here.validation = here.train[:900], here.validation[:20]

    class Spy(here.Letters):
        def forward(self, letters, state=None):
            logits, new = super().forward(letters, state)
            if self.training:
                given.append(state)
                made.append(new)
            return logits, new

    here.Letters = Spy
    here.train_network(2, 6, seed=1, carry=carry, epochs=2)
    epoch = len(given) // 2
    assert epoch > 2
    for step, state in enumerate(given):
        if not carry or step % epoch == 0:
            assert state is None
            continue
        for part, last in zip(state, made[step - 1], strict=True):
            assert torch.equal(part, last) and not part.requires_grad


def test_an_epoch_clips_its_gradient_and_tells_its_bits(here):
    class Steep(nn.Linear):
        def forward(self, x, state):
            return 1000 * super().forward(torch.ones(*x.shape, 1)), ()

    model, x = Steep(1, 3, bias=False), torch.zeros(2, 4, dtype=torch.long)
    nn.init.zeros_(model.weight)
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    plan = torch.optim.lr_scheduler.ConstantLR(sgd, 1.0)
    bits = here.train_epoch(model, [(x, x)], sgd, plan, carry=False)
    assert bits == pytest.approx(np.log2(3))
    assert model.weight.norm().item() == pytest.approx(1, abs=1e-4)  # instead of 800


def test_chunks_with_a_carried_state_are_one_pass(here, deep):
    torch.manual_seed(0)
    model = here.Letters(3, 7, p=0.3).double().eval()
    letters = torch.randint(27, (5, 23))
    at_once, _ = model(letters)
    for length in (1, 4, 23):
        pieces = deep.read_in_chunks(model, letters, length)
        assert (pieces - at_once).abs().max() < 1e-10


def test_the_connection_is_the_share_of_the_gradient_of_the_likeliest(here):
    torch.manual_seed(0)
    model = here.Letters(1, 8).eval()
    shares = here.connection(model, ".smit")
    assert shares.shape == (5,) and shares.sum() == pytest.approx(1)
    rows = model.embed(here.encode(".smit")).detach()

    def highest(rows):
        return model.out(model.lstm(rows)[0][-1]).softmax(dim=0).max().log()

    lengths = torch.autograd.functional.jacobian(highest, rows).pow(2).sum(1).sqrt()
    assert shares == pytest.approx((lengths / lengths.sum()).numpy(), abs=1e-5)


def test_the_loop_of_the_lesson_trains_what_was_measured():
    here = lesson()
    here.train, here.validation = here.train[:300], here.validation[:30]
    source = (ROOT / "02_LSTM_RNN/raw_scripts/stacked_rnn.py").read_text("utf-8")
    code = re.search(
        r"^torch.manual_seed\(0\)\nmodel, .*?(?=\n\n)", source, re.M | re.S
    )
    steps = len(here.chunks(np.random.default_rng(0)))
    code = code[0].replace("16 * 75", f"2 * {steps}").replace("range(16)", "range(2)")
    exec(code, vars(here))
    model, history = here.train_network(1, 128, lr=0.01, seed=0, epochs=2)
    shown = here.network_bits(model, here.train)
    assert here.history.train[-1] == pytest.approx(shown, rel=1e-6)
    assert here.history.validation == pytest.approx(history.validation, rel=1e-6)
    assert history.best_epoch == 2
    for a, b in zip(here.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_sampling_spells_what_the_model_says(here):
    assert here.sample(Known("abel."), 3) == ["abel"] * 3
    drawn = here.sample(Known(), 50)
    assert drawn == here.sample(Known(), 50) and max(map(len, drawn)) <= 20


def test_temperature_sharpens_and_flattens(here):
    for temperature in (0.5, 1.0, 2.0):
        drawn = here.sample(Known("a", math.log(26)), 6000, temperature)
        odds = 26 ** (1 / temperature)  # of an a, against each of the 26 others
        begins = np.mean([name.startswith("a") for name in drawn])
        assert begins == pytest.approx(odds / (odds + 26), abs=0.02)


def test_as_many_names_are_drawn_as_their_bits_promise(deep):
    # Scoring and drawing must tell the same story: 2**-bits is how often a name comes.
    here = lesson()
    model, _ = here.train_network(1, 32, epochs=1)
    drawn = here.sample(model, 20_000)
    bits = here.name_bits(model, here.train)
    chance = 1 - (1 - 2.0**-bits) ** 20_000
    assert deep.hits(bits, 20_000) == pytest.approx(chance.mean())
    noise = np.sqrt((chance * (1 - chance)).sum()) / len(bits)
    assert abs(np.isin(here.train, drawn).mean() - chance.mean()) < 4 * noise
    assert chance.mean() > 20 * noise
    assert deep.hits(np.array([0.0, 1.0, 60.0]), 1) == pytest.approx(0.5)
