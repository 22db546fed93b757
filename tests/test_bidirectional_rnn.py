"""Lesson 02.5: two flips are nn.RNN, padding changes nothing, the splits do not leak,
and the file of scores is what the lesson's own functions give.
"""

import inspect
import json
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from torch import nn

from tools import measure_bidirectional_rnn as measure

SIZES = [(1, 1, 1, 1), (4, 1, 3, 5), (1, 7, 2, 3), (6, 20, 10, 8)]  # B, T, I, H


@pytest.fixture(scope="module")
def lesson():
    return measure.lesson()


@pytest.fixture(scope="module")
def words(lesson):
    """Row of each word."""
    return {word: row for row, word in enumerate(lesson.words["word"])}


def results():
    return json.loads(measure.RESULT.read_text(encoding="utf-8"))


def tagger(lesson, both, units=6):
    torch.manual_seed(0)
    return lesson.Tagger(both, units).double()


@pytest.mark.parametrize("sizes", SIZES)
def test_two_flips_are_the_bidirectional_layer(lesson, sizes):
    torch.manual_seed(sum(sizes))
    batch, steps, inputs, units = sizes
    rnn = nn.RNN(inputs, units, batch_first=True, bidirectional=True).double()
    x = torch.randn(batch, steps, inputs).double().requires_grad_()
    theirs = rnn(x)
    ours = lesson.read_both_ways(x, *rnn.parameters())
    weigh = [torch.randn_like(part) for part in theirs]
    gradients = []
    for parts in (ours, theirs):
        L = sum((w * part).sum() for w, part in zip(weigh, parts, strict=True))
        gradients.append(torch.autograd.grad(L, [*rnn.parameters(), x]))
    pairs = [*zip(ours, theirs, strict=True), *zip(*gradients, strict=True)]
    assert len(pairs) == 11
    for a, b in pairs:
        assert a.shape == b.shape and (a - b).abs().max() < 1e-10


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
        assert set(order[:24_000]) == set(rows["train"])
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
        pairs = [(p, s) for p, s in zip(spoken[row], marked[row], strict=True)]
        return zip(*[(p, s) for p, s in pairs if s >= 0], strict=True)

    counts = defaultdict(Counter)
    for row in rows["train"]:
        v, stresses = vowels(row)
        for k, stress in enumerate(stresses):
            for key in keys:
                counts[key(v, k)][stress] += 1
    found = lesson.rule_scores(rows)
    for level, scores in enumerate(found.values(), start=1):
        right = []
        for row in rows["test"]:
            v, stresses = vowels(row)
            answers = []
            for k in range(len(v)):
                met = next(
                    counts[key(v, k)]
                    for key in keys[level - 1 :: -1]
                    if key(v, k) in counts
                )
                answers.append(min(met, key=lambda s: (-met[s], s)))
            right.append(np.array(answers) == np.array(stresses))
        naive = [np.concatenate(right).mean(), np.mean([word.all() for word in right])]
        assert scores == pytest.approx(100 * np.array(naive), abs=1e-3)


def test_the_bidirectional_forecaster_reads_the_answer(lesson):
    x = torch.randn(2, 9, 1)
    later = x.clone()
    later[:, 5] += 1
    for both in (False, True):
        torch.manual_seed(0)
        model = lesson.NextMonth(both, 4)
        moved = (model(later) - model(x)).abs().amax(dim=(0, 2))
        assert moved[5] > 0 and (moved[4] > 0) == both


def test_the_file_has_both_networks_at_equal_size():
    networks = results()["networks"]
    assert set(networks) == set(measure.NETWORKS)
    sizes = [network["parameters"] for network in networks.values()]
    assert max(sizes) / min(sizes) < 1.01
    for network in networks.values():
        for split in ("random", "stem"):
            for part in ("validation", "test", "family", "single"):
                assert np.shape(network[split][part]) == (2, 5)


def test_the_learning_rate_was_chosen_on_validation():
    tried, used = results()["selection"], results()["settings"]["learning_rate"]
    assert tried[str(used)] == max(tried.values()) and len(tried) > 1
    mean = np.mean(
        [n["random"]["validation"][0] for n in results()["networks"].values()]
    )
    assert tried[str(used)] == pytest.approx(mean, abs=0.01)


def test_the_lesson_trains_with_that_rate(lesson):
    default = inspect.signature(lesson.train_tagger).parameters["lr"].default
    assert default == results()["settings"]["learning_rate"]


def test_a_family_is_a_stem_of_several_words(lesson):
    rows = lesson.splits["stem"]["test"]
    family, single = measure.by_family(lesson, rows)
    count = Counter(lesson.stems)
    assert sorted([*family, *single]) == sorted(rows)
    assert all(count[stem] > 1 for stem in lesson.stems[family])
    assert all(count[stem] == 1 for stem in lesson.stems[single])


def test_the_future_is_worth_what_the_lesson_says():
    both, forward = (
        results()["networks"][name] for name in ("both directions", "forward only")
    )
    vowels, whole = np.mean(both["random"]["test"], axis=1)
    assert vowels >= 88 and whole >= 76 and both["cpu_seconds"] <= 40
    for split in ("random", "stem"):
        lead = np.min(both[split]["test"], axis=1) - np.max(
            forward[split]["test"], axis=1
        )
        assert lead[0] > 7 and lead[1] > 13


@pytest.mark.slow
def test_one_entry_of_the_file_comes_out_again(lesson):
    stored = results()["networks"]["forward only"]
    lr = results()["settings"]["learning_rate"]
    again = measure.train_one(lesson, "forward only", "stem", 3, lr)
    for i in (0, 1):
        assert again["test"][i] == pytest.approx(stored["stem"]["test"][i][3], abs=1.0)
    assert again["parameters"] == stored["parameters"]
