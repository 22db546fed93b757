"""Lesson 02.5: padding changes nothing, relatives are left out, rules only count."""

from collections import Counter

import numpy as np
import pytest
import torch
from layers_by_hand import assert_same
from lesson_functions import ROOT, load_lesson
from torch import nn

SETTINGS = {"words", "symbols", "code", "coded", "sounds", "stress", "lengths", "order"}
SETTINGS |= {"train", "spoken", "RULES", "ENDINGS", "stems", "related", "relatives"}
SETTINGS |= {"size", "family", "others"}
FOLDER = ROOT / "02_LSTM_RNN"
SCRIPT = FOLDER / "raw_scripts/bidirectional_rnn.py"
DEEPER = FOLDER / "going_deeper/raw_scripts/a_clean_leak_test.py"


@pytest.fixture(scope="module")
def lesson():
    """What the notebook of going_deeper/ shows: the lesson's functions, and more."""
    return load_lesson(DEEPER.relative_to(ROOT), SETTINGS | {"PAIRS"})


@pytest.fixture(scope="module")
def words(lesson):
    """Row of each word."""
    return {word: row for row, word in enumerate(lesson.words["word"])}


def tagger(lesson, both, units=6):
    torch.manual_seed(0)
    return lesson.Tagger(both, units).double()


@pytest.mark.parametrize("both", [False, True])
def test_padding_and_neighbours_change_no_score_no_loss_and_no_gradient(lesson, both):
    model, rows, pad = tagger(lesson, both), slice(100, 140), nn.functional.pad
    x, y, n = lesson.sounds[rows], lesson.stress[rows], lesson.lengths[rows]
    alone = [model(word[None, :k], k[None])[0] for word, k in zip(x, n, strict=True)]
    alone, marks = torch.cat(alone), y[x > 0]
    loss = nn.functional.cross_entropy(alone, marks, ignore_index=-1)
    wider, labels = pad(x, (0, 9)), pad(y, (0, 9), value=-1)
    real = wider > 0
    noise = torch.where(real, wider, torch.randint_like(wider, 1, 40))
    together = model(noise, n)
    ours = together[real], lesson.vowel_loss(together, labels)
    assert_same((alone, loss), ours, [*model.parameters()], 1e-12)
    # The test can fail: told a wrong length, the backward layer reads the padding.
    untold = model(wider, torch.full_like(n, 26))[real]
    assert ((untold - alone).abs().max() > 1e-3) == both


def test_only_the_bidirectional_tagger_sees_what_follows(lesson, words):
    row = words["abandoned"]
    x, n = lesson.sounds[[row]], lesson.lengths[[row]]
    other = x.clone()
    other[0, 5] = x[0, 5] % 39 + 1
    for both in (False, True):
        model = tagger(lesson, both)
        moved = (model(other, n) - model(x, n)).abs().amax(dim=2)[0]
        assert moved[5] > 0 and (moved[:5].max() > 0) == both


def test_the_bidirectional_forecaster_reads_the_answer(lesson):
    x = torch.randn(2, 9, 1)
    later = x.clone()
    later[:, 5] += 1
    for both in (False, True):
        torch.manual_seed(0)
        model = lesson.NextMonth(both, 4)
        moved = (model(later) - model(x)).abs().amax(dim=(0, 2))
        assert moved[5] > 0 and (moved[4] > 0) == both


def test_the_score_counts_vowels_and_whole_words(lesson, words):
    rows = np.array([words["aaron"], words["abandoned"]])  # two and three vowels
    guess = lesson.stress[rows].clone()
    guess[guess < 0] = 2  # consonants and padding: whatever is said there
    assert lesson.score(guess, rows) == [100, 100]
    vowel = np.flatnonzero(lesson.stress[rows[1]] >= 0)[-1]
    guess[1, vowel] = (guess[1, vowel] + 1) % 3
    assert lesson.score(guess, rows) == pytest.approx([80, 50])
    assert lesson.per_word(guess, rows).mean(axis=1) == pytest.approx([80, 50])


def test_labels_stand_at_vowels_and_nowhere_else(lesson):
    assert lesson.sounds.shape == lesson.stress.shape == (30_000, 17)
    script = load_lesson(SCRIPT.relative_to(ROOT), SETTINGS)
    for name in ("sounds", "stress", "lengths"):
        assert torch.equal(getattr(script, name), getattr(lesson, name))
    names = np.array(["", *lesson.symbols])[lesson.sounds]
    vowel = np.isin(names.astype("U1"), list("AEIOU"))
    assert np.array_equal(vowel, (lesson.stress >= 0).numpy())
    assert ((lesson.sounds > 0).sum(dim=1) == lesson.lengths).all()


def test_the_split_has_every_word_once_and_is_that_of_lesson_02_6(lesson):
    order = np.random.default_rng(0).permutation(30_000)
    drawn = np.split(order, [24_000, 27_000])
    parts = lesson.train, lesson.validation, lesson.test
    for part, wanted in zip(parts, drawn, strict=True):
        assert part.tolist() == sorted(wanted)


def test_leaving_out_relatives_or_as_many_strangers(lesson):
    train, test = lesson.train, set(lesson.stems[lesson.test])
    without = {out: lesson.leave_out(out, 1) for out in ("relatives", "strangers")}
    left = {out: sorted({*train} - {*kept}) for out, kept in without.items()}
    assert len(left["relatives"]) == len(left["strangers"]) > 500
    assert {*without["relatives"], *without["strangers"]} <= {*train}
    assert not test & set(lesson.stems[without["relatives"]])  # no relative remains
    assert set(lesson.stems[left["relatives"]]) <= test
    assert not test & set(lesson.stems[left["strangers"]])  # all relatives remain
    count = Counter(lesson.stems[train])
    assert all(count[stem] > 1 for stem in lesson.stems[left["strangers"]])
    assert left["strangers"] != sorted({*train} - {*lesson.leave_out("strangers", 2)})
    known = set(lesson.stems[train])
    has = [stem in known for stem in lesson.stems[lesson.test]]
    assert lesson.related.tolist() == has


def test_the_chosen_rules_do_not_depend_on_the_test_part(lesson, monkeypatch):
    marked, stress = list(lesson.marked), lesson.stress.clone()
    monkeypatch.setattr(lesson, "marked", marked)
    monkeypatch.setattr(lesson, "stress", stress)
    learn, check = lesson.train[:3000], lesson.validation[:300]
    clean = lesson.choose_rules(learn, check)

    def spoil(rows):
        for row in rows:
            marked[row] = [mark if mark < 0 else 2 - mark for mark in marked[row]]
            stress[row] = torch.where(stress[row] < 0, stress[row], 2 - stress[row])

    spoil(lesson.test)
    assert lesson.choose_rules(learn, check) == clean
    spoil(learn)  # the test can fail
    assert lesson.choose_rules(learn, check) != clean


def test_no_learning_rate_and_no_network_is_chosen_by_the_test_part():
    here, scores = load_lesson(SCRIPT.relative_to(ROOT), SETTINGS), []
    here.train, here.validation = here.train[:300], here.validation[:300]
    for _ in range(2):
        scores.append(here.measure(0, "both directions", 0.01))
        y = here.stress[here.test]
        here.stress[here.test] = torch.where(y < 0, y, 2 - y)
    assert scores[0].pop("test") != scores[1].pop("test")
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    "spoken,stem",
    [
        ("AH B AE N D AH N D", "AH B AE N D AH N"),  # abandoned
        ("AH B AE N D AH N Z", "AH B AE N D AH N"),
        ("B EY K T", "B EY K"),  # baked
        ("B EY K ER Z", "B EY K"),  # two endings
        ("B EY K IH NG", "B EY K"),
        ("N EY SH AH N", "N EY SH AH N"),
        ("F IH N IH SH", "F IH N IH SH"),  # SH is not S
        ("B R IY DH", "B R IY DH"),
        ("IH T S", "IH T S"),  # three sounds stay
        ("AE D", "AE D"),
    ],
)
def test_stems(lesson, spoken, stem):
    assert lesson.stem(spoken.split()) == stem


# "station", and EY behind it: what each rule looks at for the vowel in the middle.
SOUNDS, VOWELS = ["S", "T", "EY", "SH", "AH", "N", "EY"], [2, 4, 6]
ALL_VOWELS = [(3, 1), ("AH", (3, 1)), (1, ["EY", "AH", "EY"])]
VIEWS = {
    "vowels_so_far": ["AH", ["EY", "AH"]],
    "sounds_so_far": ["AH", (1, ["SH", "AH"]), (1, ["EY", "SH", "AH"]), SOUNDS[:5]],
    "all_vowels": ALL_VOWELS,
    "vowel_to_the_end": [*ALL_VOWELS, (1, ["AH", "N", "EY"])],
}


def test_rules_see_what_their_names_say(lesson):
    assert len(lesson.RULES) == len(VIEWS)
    for name, view in VIEWS.items():
        rule = getattr(lesson, name)
        assert lesson.RULES[name.replace("_", " ")] is rule
        assert rule(SOUNDS, VOWELS, 1) == view


def test_the_longest_surroundings_that_were_counted_decide(lesson, monkeypatch):
    counted = {  # what is spoken, and how it is marked
        "AA N IY": [1, -1, 2],
        "AA IY": [1, 2],
        "AA T IY": [1, -1, 0],
        "IY": [0],
        "IY T": [0, -1],
        "UH AA": [0, 2],
        "UH": [1],
    }
    # Marks of 9: these are vowels.
    asked = {"AA IY UW": [9, 9, 9], "AA AA T": [9, 9, -1], "UH AA IY": [9, 9, 9]}
    words = counted | asked
    monkeypatch.setattr(lesson, "spoken", [word.split() for word in words])
    monkeypatch.setattr(lesson, "marked", [*words.values()])
    counts = lesson.count("vowels so far", range(7))
    assert counts["0: IY"] == {0: 3, 2: 2} and counts["0: AA"] == {1: 3, 2: 1}
    guess = lesson.by_rule("vowels so far", counts, range(7, 10))
    assert guess[0, :3].tolist() == [1, 2, -1]  # AA IY is 2, though IY is 0; UW is new
    assert guess[1, :3].tolist() == [1, 1, -1]  # AA AA is new, but AA is known
    assert guess[2, :3].tolist() == [0, 2, 0]  # UH was 0 and 1: the lower is taken
