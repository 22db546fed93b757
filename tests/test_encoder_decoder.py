"""04.1 and its words: splits, training, search; EM and pairs of letter and sounds."""

import itertools
import math
import types
from collections import Counter

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson

from utils import spelling
from utils.exercises import encoder_decoder as checks
from utils.spelling import END, START, Words

SETTINGS = ["HERE", "words", "UNKNOWN", "WINDOWS", "ORDERS", "COMPARED"]


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("04_Beyond_RNN/raw_scripts/encoder_decoder.py", SETTINGS)


@pytest.fixture(scope="module")
def words(lesson):
    return lesson.words


class Table:
    """A decoder whose scores depend on the last symbol alone."""

    def __init__(self, p):
        self.log_p = torch.tensor(p).double().log()  # (42, 42)

    def encode(self, x):
        return None, 0

    def decode(self, given, memory, state):
        return self.log_p[given], state + given.shape[1]


# --- the words ------------------------------------------------------------------------
def test_words_as_numbers(words):
    row = words.spelling.index("island")
    assert words.letters[row, :7].tolist() == [9, 19, 12, 1, 14, 4, 0]
    assert words.lengths[row] == 6 and words.spoken[row] == ["AY", "L", "AH", "N", "D"]
    numbers = [words.symbols.index(sound) + 1 for sound in words.spoken[row]]
    assert words.given[row, :7].tolist() == [START, *numbers, 0]
    assert words.wanted[row, :7].tolist() == [*numbers, END, 0]
    assert words.to_sounds([*numbers, END, 5]) == words.spoken[row]
    assert words.to_sounds(torch.tensor([START, 0])) == ["?", "?"]
    assert words.to_letters("Az").tolist() == [[1, 26]]
    for wrong in ("", "don't", "é", 3):
        with pytest.raises(ValueError, match="letters a to z"):
            words.to_letters(wrong)


@pytest.mark.parametrize("by_stem", [False, True])
def test_parts_hold_each_word_once_and_by_stem_each_family(by_stem):
    own = Words(by_stem)
    parts = own.train, own.validation, own.test
    assert torch.cat(parts).sort().values.tolist() == list(range(30_000))
    assert [round(len(part) / 3000) for part in parts] == [8, 1, 1]
    stems = [spelling.stem(word) for word in own.spoken]
    families = [{stems[row] for row in part.tolist()} for part in parts]
    shared = [a & b for a, b in itertools.combinations(families, 2)]
    assert (not any(shared)) == by_stem


def test_the_split_is_that_of_lesson_02_5(words):
    order = np.random.default_rng(0).permutation(30_000)
    for part, rows in zip(
        (words.train, words.validation, words.test),
        np.split(order, [24_000, 27_000]),
        strict=True,
    ):
        assert part.tolist() == sorted(rows)


def test_batches_have_words_of_one_length_and_all_of_them(words):
    rows = words.validation[:500]
    found = words.batches(rows, size=32)
    assert sorted(torch.cat(found).tolist()) == rows.tolist()
    assert max(map(len, found)) == 32
    for some in found:
        x, given, wanted = words.tensors(some)
        assert len(words.lengths[some].unique()) == 1 and (x > 0).all()
        assert given.shape == wanted.shape and (wanted == END).any(dim=1).all()
        assert (wanted[:, -1] > 0).any()  # no longer than the longest
    lengths = [int(words.lengths[some[0]]) for some in found]
    assert lengths != sorted(lengths)  # in random order


def test_errors_by_hand(words):
    rows = torch.tensor([words.spelling.index(word) for word in ("island", "xerox")])
    said = words.write(lambda x: [words.wanted[row] for row in rows[:0]], rows[:0])
    assert said == []
    said = [["AY", "L", "AH", "N"], list(words.spoken[rows[1]])]
    wrong = words.wrong(said, rows)
    assert wrong.tolist() == [1, 0]
    many = len(words.spoken[rows[0]]) + len(words.spoken[rows[1]])
    assert words.rates(wrong, rows) == (100 / many, 50)


def test_what_is_written_stands_in_the_order_of_the_rows(words):
    rows = words.validation[[5, 900, 3, 40]]
    table = {tuple(words.letters[row].tolist()): row for row in rows.tolist()}

    def speak(x):
        padded = [tuple(one + [0] * (20 - len(one))) for one in x.tolist()]
        return [words.wanted[table[one]] for one in padded]

    assert words.write(speak, rows) == [words.spoken[row] for row in rows.tolist()]


# --- the network ----------------------------------------------------------------------
def test_the_vector_is_all_that_the_decoder_knows(lesson):
    torch.manual_seed(0)
    model = lesson.Speaker(letters=9, symbols=7, units=3, decoder=5)
    x, given = torch.randint(1, 9, (2, 4)), torch.randint(1, 7, (2, 6))
    vector, (h, c) = model.encode(x)
    assert vector.shape == (2, 6) and h.shape == c.shape == (1, 2, 5)
    out, _ = model.encoder(model.read(x))
    assert torch.equal(vector, torch.cat([out[:, -1, :3], out[:, 0, 3:]], dim=1))
    both = model.begin(vector).tanh()
    assert torch.equal(h[0], both[:, :5]) and torch.equal(c[0], both[:, 5:])
    scores = model(x, given)
    later = given.clone()
    later[:, 4:] = 1
    assert scores.shape == (2, 6, 7)
    assert torch.equal(model(x, later)[:, :4], scores[:, :4])
    state, steps = (h, c), []
    for t in range(6):  # one step at a time is the same
        one, state = model.decode(given[:, t : t + 1], vector, state)
        steps.append(one)
    assert torch.allclose(torch.cat(steps, dim=1), scores, atol=1e-6)


def test_padding_has_no_loss(lesson):
    scores = torch.randn(2, 3, 42)
    wanted = torch.tensor([[4, 5, END], [7, END, 0]])
    picked = scores.log_softmax(2).gather(2, wanted[..., None])[..., 0][wanted > 0]
    assert torch.allclose(lesson.spelling_loss(scores, wanted), -picked.mean())


def test_utils_train_and_speak_as_the_lesson_does(lesson, words):
    found = []
    rows = words.train[::100]
    for teach in (lesson.train, lambda m, r, e, lr: spelling.train(m, words, r, e, lr)):
        torch.manual_seed(3)
        model = lesson.Speaker(units=4, decoder=6)
        model.out.weight.data *= 50  # so that gradients are clipped
        teach(model, rows, 2, 0.01)
        assert not model.training
        found.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(*found)
    x = words.letters[words.validation[:5], :4]
    assert torch.equal(lesson.speak(model, x), spelling.speak(model, x))


def test_greedy_takes_the_best_and_carries_the_state(lesson):
    p = np.full((42, 42), 0.01)
    for a, b in itertools.pairwise([START, 3, 9, 2, END, 7]):
        p[a, b] = 0.6
    p[7, 7] = 0.6
    said = lesson.speak(Table(p), torch.ones(2, 4, dtype=torch.long))
    assert said.shape == (2, 20)
    assert said[1, :6].tolist() == [3, 9, 2, END, 7, 7]


def test_a_beam_finds_what_greedy_misses_and_the_best_of_all(lesson):
    p = np.full((42, 42), 1e-12)
    p[START, [1, 2]] = 0.6, 0.4
    p[1, [3, 4, 5, 6]] = 0.3, 0.25, 0.25, 0.2
    p[2, [3, 4]] = 0.9, 0.1
    p[[3, 4, 5, 6], END] = 1
    (total, said), *_ = lesson.beam_search(Table(p), None, width=2)
    assert said == [2, 3, END] and math.exp(total) == pytest.approx(0.36)
    (total, said), *_ = lesson.beam_search(Table(p), None, width=1)
    assert said[:2] == [1, 3] and math.exp(total) == pytest.approx(0.18)
    rng = np.random.default_rng(0)
    p = np.full((42, 42), 1e-12)
    p[[START, 1, 2]] = 0
    for row in (START, 1, 2):
        p[row, [1, 2, END]] = rng.dirichlet(np.ones(3))
    p[p == 0] = 1e-12
    best = {}
    for length in range(6):
        for word in itertools.product((1, 2), repeat=length):
            path = [START, *word, END]
            best[(*word, END)] = math.prod(p[a, b] for a, b in itertools.pairwise(path))
    found = lesson.beam_search(Table(p), None, width=40)
    ranked = sorted(best, key=best.get)[::-1][:5]
    assert [tuple(said) for _, said in found[:5]] == ranked
    assert math.exp(found[0][0]) == pytest.approx(best[ranked[0]])


def test_told_the_truth_and_a_lie(lesson, words):
    rows = words.validation[:200]

    class Parrot:  # right if it is given the sound before; else wrong
        def __call__(self, x, given):
            scores = torch.zeros(*given.shape, 42)
            for row in rows.tolist():
                for b in range(len(x)):
                    if torch.equal(x[b], words.letters[row, : x.shape[1]]):
                        S = given.shape[1]
                        fine = given[b] == words.given[row, :S]
                        said = words.wanted[row, :S].where(fine, torch.tensor(0))
                        said[words.wanted[row, :S] == 0] = 5  # padding: no matter
                        scores[b, range(S), said] = 1
            return scores

    long = rows[(words.wanted[rows] > 0).sum(dim=1) > 7]
    assert not lesson.told(Parrot(), long).any()
    wrong = lesson.told(Parrot(), long, lie=True)
    assert wrong[:, 3].float().mean() > 0.9  # a random sound may be the true one
    wrong[:, 3] = False
    assert not wrong.any()


def test_copying_and_its_error(lesson):
    x, given, wanted = lesson.to_copy(6, many=50)
    assert x.shape == (50, 6) and set(x.unique().tolist()) == set(range(1, 11))
    assert torch.equal(x, wanted) and torch.equal(given[:, 1:], x[:, :-1])
    assert (given[:, 0] == 11).all()

    def one_is_right(x, given):
        return torch.nn.functional.one_hot(x.where(x == 1, torch.tensor(0)), 12).float()

    torch.manual_seed(0)
    assert lesson.copying_error(one_is_right, 20) == pytest.approx(90, abs=2)
    torch.manual_seed(0)
    model = lesson.Speaker(letters=11, symbols=12, units=16, decoder=32)
    before = lesson.copying_error(model, 5)
    lesson.learn_to_copy(model, updates=60)
    assert lesson.copying_error(model, 5) < before - 10


# --- counting -------------------------------------------------------------------------
def ways(word, sounds):
    """All ways to give each letter 0, 1 or 2 sounds."""
    for sizes in itertools.product(range(3), repeat=len(word)):
        if sum(sizes) == len(sounds):
            ends = np.cumsum((0, *sizes))
            parts = [tuple(sounds[a:b]) for a, b in itertools.pairwise(ends)]
            yield list(zip(word, parts, strict=True))


@pytest.mark.parametrize(
    "word, sounds",
    [("ax", "AE K S"), ("cage", "K EY JH"), ("oo", "UW"), ("abc", "A B C D E F")],
)
def test_expected_counts_are_those_over_all_ways(lesson, word, sounds):
    sounds, rng = sounds.split(), np.random.default_rng(0)
    pairs = {pair for way in ways(word, sounds) for pair in way}
    for p in (None, {pair: rng.uniform(0.1, 1) for pair in sorted(pairs)}):
        totals, total, best = Counter(), 0, (0, None)
        for way in ways(word, sounds):
            weights = [p[a] if p else lesson.UNKNOWN[len(a[1])] for a in way]
            total += math.prod(weights)
            best = max(best, (math.prod(weights), [part for _, part in way]))
            for pair in way:
                totals[pair] += math.prod(weights)
        found = lesson.expected(word, sounds, p)
        assert found.keys() == totals.keys()
        for pair in found:
            assert found[pair] == pytest.approx(totals[pair] / total)
        if p and word != "oo":  # there the two ways are equally probable
            assert lesson.align(word, sounds, p) == best[1]


def test_words_that_cannot_be_shared_out(lesson):
    assert lesson.align("a", ["B", "C", "D"], {}) is None
    assert not lesson.expected("a", ["B", "C", "D"], None)


def test_em_learns_from_other_words_who_is_silent(lesson, monkeypatch):
    few = types.SimpleNamespace(spelling=["ta", "te", "tea", "ate", "at", "eat"])
    few.spoken = [[*said] for said in ("TA", "T", "TA", "AT", "AT", "AT")]
    monkeypatch.setattr(lesson, "words", few)
    p = lesson.learn_pairs(range(6), rounds=8)
    assert p["e", ()] > 0.9 and p["a", ("A",)] > 0.9 and p["t", ("T",)] > 0.9
    for letter in "aet":
        assert sum(q for pair, q in p.items() if pair[0] == letter) <= 1 + 1e-9


ALIGNED = [
    [("a", ("A",)), ("b", ())],
    [("a", ("A",)), ("b", ("B",))],
    [("a", ("E",)), ("b", ("B",))],
    [("a", ("A",)), ("b", ("B",)), ("b", ())],
]


def test_the_joint_model_is_a_distribution_with_kneser_neys_discount(lesson):
    model = lesson.Joint(ALIGNED, 3)
    kinds = [*model.counts[0][()]]
    contexts = [(), ("<",), ("<", "<"), (("a", ("A",)), ("b", ("B",))), (("x", ()),)]
    for context in contexts:
        seen = sum(model.p(pair, context) for pair in kinds)
        rest = 1 / (len(kinds) + 1)  # what is left for a pair that never came
        assert 1 - rest - 1e-9 <= seen <= 1 + 1e-9
    # < a:A came three times of four at the start, and what is shorter counts kinds.
    first, D = ("a", ("A",)), model.discounts
    kept = (3 - D[2]) / 4
    shorter = (1 - D[1]) / 2 + D[1] * 2 / 2 * model.p(first, ())
    assert model.p(first, ("<", "<")) == pytest.approx(kept + D[2] * 2 / 4 * shorter)
    for counts, discount in zip(model.counts, D, strict=True):
        once, twice = (
            sum(n == k for one in counts.values() for n in one.values()) for k in (1, 2)
        )
        assert discount == (once / (once + 2 * twice) if once else 0.5)


def test_a_wide_beam_says_the_most_probable_sounds(lesson):
    model = lesson.Joint(ALIGNED, 3)
    for word in ("ab", "ba", "abb"):
        chances = Counter()
        for way in itertools.product(*(model.of_letter[letter] for letter in word)):
            context, chance = ("<", "<"), 1.0
            for pair in (*way, ">"):
                chance *= model.p(pair, context)
                context = (*context, pair)[1:]
            chances[tuple(s for _, sounds in way for s in sounds)] += chance
        assert tuple(model.say(word, width=99)) == max(chances, key=chances.get)
    assert model.say("ab", width=1) in (["A", "B"], ["A"])
    going_on = [[("a", ("A",)), ("b", ("B",)), ("c", ("C",))]] * 3
    silent = [[("a", ("A",)), ("b", ())]] * 2  # b B is commoner, but never at the end
    assert lesson.Joint([*going_on, *silent], 3).say("ab") == ["A"]


def test_windows_take_the_widest_that_was_met(lesson):
    wide = ((0, 0), (1, 1))
    tables = lesson.windows(ALIGNED, wide)
    assert tables[0] == {"a": ("A",), "b": ("B",)}
    assert tables[1]["bb "] == () and tables[1]["abb"] == ("B",)
    assert lesson.by_windows(tables, wide, "abb") == ["A", "B"]
    assert lesson.by_windows(tables, wide, "bab") == ["B", "A", "B"]


def test_scores_by_length_by_hand(lesson, words):
    rows = torch.tensor([words.spelling.index(w) for w in ("island", "xerox")])
    assert lesson.groups(rows).tolist() == [2, 1]
    by_size = [torch.nonzero(words.lengths == n)[0, 0] for n in (1, 4, 10, 11, 12, 13)]
    assert lesson.groups(torch.stack(by_size)).tolist() == [0, 0, 6, 7, 7, 8]
    wrong = np.zeros(3000, int)
    wrong[0] = 2
    total, shares = lesson.scores(wrong, words.test)
    group = lesson.groups(words.test)[0]
    assert total[1] == round(100 / 3000, 2)
    assert shares[group] > 0 and sum(share > 0 for share in shares) == 1
    each = lesson.per_word(wrong, words.test)
    assert np.allclose(each.mean(axis=1), words.rates(wrong, words.test))


def test_the_order_is_chosen_without_the_test_part(lesson, monkeypatch):
    asked = []

    class Silent:
        def __init__(self, aligned, order):
            self.order = order

        def say(self, word):
            asked.append(word)
            return ["T"] * self.order

    monkeypatch.setattr(lesson, "Joint", Silent)
    assert lesson.the_best((3, 9), ALIGNED) == 3
    tests = {lesson.words.spelling[row] for row in lesson.words.test.tolist()}
    assert asked and not tests & {*asked}


@pytest.mark.parametrize(
    "number, wanted",
    [
        (4072, "four thousand seventy two"),
        (1100, "one thousand one hundred"),
        (9019, "nine thousand nineteen"),
        (2580, "two thousand five hundred eighty"),
        (300, "three hundred"),
    ],
)
def test_numbers_in_words(number, wanted):
    assert checks.in_words(number) == wanted.split()
    assert {*wanted.split()} <= {*checks.SPOKEN}
