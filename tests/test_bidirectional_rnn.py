"""Lesson 02.5: padding changes nothing, the splits do not leak, rules only count."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson
from torch import nn

SETTINGS = {"words", "symbols", "code", "coded", "labels", "sounds", "stress", "STEM"}
SETTINGS |= {"lengths", "stems", "splits", "related", "RULES", "table", "of_word"}


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("02_LSTM_RNN/raw_scripts/bidirectional_rnn.py", SETTINGS)


@pytest.fixture(scope="module")
def words(lesson):
    """Row of each word."""
    return {word: row for row, word in enumerate(lesson.words["word"])}


def tagger(lesson, both, units=6):
    torch.manual_seed(0)
    return lesson.Tagger(both, units).double()


@pytest.mark.parametrize("both", [False, True])
def test_padding_changes_no_score_no_loss_and_no_gradient(lesson, both):
    model, rows = tagger(lesson, both), slice(0, 40)
    x, y, n = lesson.sounds[rows], lesson.stress[rows], lesson.lengths[rows]
    real = x > 0
    wider = nn.functional.pad(x, (0, 9))
    noise = torch.where(wider > 0, wider, torch.randint_like(wider, 1, 40))
    labels = nn.functional.pad(y, (0, 9), value=-1)
    found = []
    for sounds, stress in ((x, y), (wider, labels), (noise, labels)):
        scores = model(sounds, n)
        loss = lesson.vowel_loss(scores, stress)
        gradients = torch.autograd.grad(loss, [*model.parameters()])
        found.append([scores[:, :17][real], loss, *gradients])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert (a - b).abs().max() < 1e-12
    # The test can fail: told a wrong length, the backward layer reads the padding.
    untold = model(wider, torch.full_like(n, 26))[:, :17][real]
    assert ((untold - found[0][0]).abs().max() > 1e-3) == both


def test_a_word_in_a_batch_is_tagged_as_it_is_alone(lesson):
    model = tagger(lesson, both=True)
    x, n = lesson.sounds[100:120], lesson.lengths[100:120]
    together = model(x, n)
    for row in range(20):
        alone = model(x[[row], : n[row]], n[[row]])
        assert (together[row, : n[row]] - alone[0]).abs().max() < 1e-12


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


def test_labels_stand_at_vowels_and_nowhere_else(lesson):
    assert lesson.sounds.shape == lesson.stress.shape == (30_000, 17)
    names = np.array(["", *lesson.symbols])[lesson.sounds]
    vowel = np.isin(names.astype("U1"), list("AEIOU"))
    assert np.array_equal(vowel, (lesson.stress >= 0).numpy())
    assert ((lesson.sounds > 0).sum(dim=1) == lesson.lengths).all()


@pytest.mark.parametrize("kind", ["random", "stem"])
def test_a_split_has_every_word_once_and_keeps_groups_together(lesson, kind):
    rows = lesson.splits[kind]
    assert sorted(np.concatenate([*rows.values()])) == list(range(30_000))
    for part, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert len(rows[part]) == pytest.approx(30_000 * share, rel=0.02)
    if kind == "stem":
        sides = [set(lesson.stems[some]) for some in rows.values()]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert not lesson.related[kind].any()
    else:
        order = np.random.default_rng(0).permutation(30_000)
        for part, drawn in zip(rows, np.split(order, [24_000, 27_000]), strict=True):
            assert set(rows[part]) == set(drawn)  # as in lesson 02.6
        known = set(lesson.stems[rows["train"]])
        found = np.mean([stem in known for stem in lesson.stems[rows["test"]]])
        assert lesson.related[kind].mean() == found > 0.15


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
    assert lesson.STEM.sub(r"\1", spoken) == stem


def test_the_rules_are_counts_of_the_training_part(lesson):
    # The same rules, written without pandas.
    keys = [
        lambda v, k: v[k],
        lambda v, k: v[: k + 1],
        lambda v, k: (len(v), k),
        lambda v, k: (v[k], len(v), k),
        lambda v, k: (v, k),
    ]
    rows = {"train": lesson.splits["stem"]["train"][:4000]}
    rows["test"] = lesson.splits["stem"]["test"][:800]
    spoken, marked = lesson.words["phonemes"], lesson.words["stress"]

    def vowels(row):
        pairs = zip(spoken[row], marked[row], strict=True)
        return zip(*[(p, s) for p, s in pairs if s >= 0], strict=True)

    counts = defaultdict(Counter)
    for row in rows["train"]:
        v, stresses = vowels(row)
        for k, stress in enumerate(stresses):
            for key in keys:
                counts[key(v, k)][stress] += 1
    for level, scores in enumerate(lesson.rule_scores(rows).values(), start=1):
        right = []
        for row in rows["test"]:
            v, stresses = vowels(row)
            answers = []
            for k in range(len(v)):
                tried = [key(v, k) for key in keys[level - 1 :: -1]]
                met = counts[next(key for key in tried if key in counts)]
                answers.append(min(met, key=lambda s: (-met[s], s)))
            right.append(np.array(answers) == np.array(stresses))
        naive = [np.concatenate(right).mean(), np.mean([word.all() for word in right])]
        assert scores == pytest.approx(100 * np.array(naive), abs=1e-3)
