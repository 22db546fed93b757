# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02.5 · Two directions, and sequences of unequal length
#
# About 60 minutes.
#
# **You will be able to**
#
# - use a layer that reads in both directions, and avoid its best-known bug;
# - put words of unequal length into one batch;
# - say when a look at what follows helps, and when it is cheating.
#
# You need lessons 02.1 and 02.2, and you can write a class. At **Predict before you
# run**, decide first.

# %%
# @title Set-up: finds the course around this notebook, or fetches it. Run it.
import pathlib, shutil, subprocess, sys

REPOSITORY = ""  # `python3 start.py build --repository OWNER/NAME` writes it
here = pathlib.Path.cwd()
places = [here, *here.parents, *here.glob("*/")]
root = next((p for p in places if (p / "data/SHA256SUMS").is_file()), None)
if root is None and REPOSITORY and shutil.which("git"):
    subprocess.run(["git", "clone", "-q", "--depth", "1", REPOSITORY, "course"])
    root = here / "course"
if root is None or not root.is_dir():
    raise RuntimeError("Unpack the course beside this notebook; run this cell again.")
sys.path.insert(0, str(root))

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from utils import data, plotting, set_up, training
from utils.exercises import bidirectional_rnn as checks

set_up(seed=0)
HERE = "02_LSTM_RNN"

# %% [markdown]
# ## 1 · What comes later can matter now
#
# Say *person* and *personalities* aloud. Where your voice is strongest, a word has its
# **main stress**, the bar below. The words are written in **phonemes**, their sounds;
# ER is one.

# %%
words = data.load_stress()  # columns: word, phonemes, stress
row_of = {word: row for row, word in enumerate(words["word"])}


def draw_word(word, ax):
    spoken, marks = words["phonemes"][row_of[word]], words["stress"][row_of[word]]
    ax.bar(range(len(spoken)), [mark == 1 for mark in marks], color=plotting.PALE)
    ax.set_xticks(range(len(spoken)), spoken)
    ax.set(title=word, yticks=[0, 1], ylabel="main stress")


fig, axes = plt.subplots(1, 2, figsize=(9, 1.8), width_ratios=[1, 2], sharey=True)
draw_word("person", axes[0])
draw_word("personalities", axes[1])
plotting.show(fig, "bidirectional_two_words")

# %% tags=["claims"]
_one, _two = (row_of[word] for word in ("person", "personalities"))
assert words["phonemes"][_one] == words["phonemes"][_two][:5], "five sounds alike"
assert words["stress"][_one].index(1) == 1, "person: main stress on the first vowel"
assert words["stress"][_two].index(1) == 5, "personalities: on the third vowel"

# %% [markdown]
# The first five sounds are the same; the stress is not. Whoever has heard only these
# five cannot know, nor can the layers so far.
#
# But a written word lies before you as a whole. A **bidirectional** layer (Schuster and
# Paliwal, 1997) is two layers, one reading forwards, one backwards. The output at each
# step is both states, side by side.
#
# ### By hand
#
# The simplest memory is a sum. The input is 2, 1, 3, 1. Read from the left, the sums
# are 2, 3, 6, 7. Now read from the right. Write each sum below the number added last.
#
# **Predict before you run.** What stands below the 3?

# %%
x = torch.tensor([2, 1, 3, 1])
backward = x.flip(0).cumsum(dim=0).flip(0)  # turn round, running sums, turn back
print(backward.tolist())

# %% tags=["claims"]
assert backward.tolist() == [7, 5, 4, 1], "below the 3: the 3 and what follows"
assert x.cumsum(dim=0).tolist() == [2, 3, 6, 7], "from the left"
assert x.flip(0).cumsum(dim=0).tolist() == [1, 4, 5, 7], "before the second flip"

# %% [markdown]
# A 4: the 3 and the 1 that follows. Reading from the right gives 1, 4, 5, 7, the last
# step first. So the second `flip` puts each sum back at its own step.
#
# ### The same in PyTorch
#
# A bidirectional `nn.RNN` has a second set of weights, whose names end in `_reverse`.
# Copy them into an ordinary layer, `back`, and compare with the backward half of the
# output.

# %%
# 2 numbers per step, H = 5 units
two_way = nn.RNN(2, 5, batch_first=True, bidirectional=True)
back = nn.RNN(2, 5, batch_first=True)
weights = two_way.state_dict()  # name -> tensor
back.load_state_dict({name: weights[name + "_reverse"] for name in back.state_dict()})
x = torch.randn(4, 3, 2)  # B = 4 sequences, T = 3 steps, 2 numbers per step
out, h_n = two_way(x)  # (B, T, 2H) and (2, B, H)
by_hand = back(x.flip(1))[0].flip(1)  # (B, T, H)
print(f"largest difference: {(out[:, :, 5:] - by_hand).abs().max():.5f}")

# %% tags=["claims"]
assert torch.allclose(out[:, :, 5:], by_hand, atol=1e-6), "an ordinary layer, flipped"
_ahead = nn.RNNCell(2, 5)  # and so is the forward half
_ahead.load_state_dict({n: weights[f"{n}_l0"] for n in _ahead.state_dict()})
_h = torch.zeros(4, 5)
for _t in range(3):
    _h = _ahead(x[:, _t], _h)
    assert torch.allclose(out[:, _t, :5], _h, atol=1e-6), "the forward half"
assert out.shape == (4, 3, 10) and h_n.shape == (2, 4, 5), "shapes as told"

# %% [markdown]
# No difference: `bidirectional=True` adds a second layer and two flips.
#
# ## 2 · The usual bug
#
# Often one vector should sum up a sequence. With a one-way layer you take `out[:, -1]`,
# the last output. What has it read here?
#
# **Predict before you run.** We change the input of step 1. Which halves of the three
# outputs do not notice?


# %%
def change(step):
    """How far does each half of the outputs move if the input of one step changes?"""
    changed = x.clone()
    changed[:, step - 1] += 1
    moved = (two_way(changed)[0] - out).detach().abs().amax(dim=0)  # (T, 2H)
    print("forward halves: ", moved[:, :5].amax(dim=1).numpy().round(2))
    print("backward halves:", moved[:, 5:].amax(dim=1).numpy().round(2))


change(step=1)
plotting.show_slide(HERE, 15)

# %% tags=["claims"]
_new = x.clone()
_new[:, 0] += 1
moved = (two_way(_new)[0] - out).abs().amax(dim=0)
assert (moved[1:, 5:] == 0).all(), "the backward half of steps 2 and 3 does not notice"
assert (moved[:, :5].amax(dim=1) > 0.05).all(), "the forward half does"
assert moved[0, 5:].max() > 0.05, "the backward half at the first step does"
assert torch.equal(h_n[0], out[:, -1, :5]), "h_n[0] is the forward half at the end"
assert torch.equal(h_n[1], out[:, 0, 5:]), "h_n[1] is the backward half at step 1"
with torch.random.fork_rng():  # weights are drawn
    _stack = nn.RNN(2, 5, 2, batch_first=True, bidirectional=True)
_out, _last = _stack(x)
assert torch.equal(_last[-2], _out[:, -1, :5]), "in a stack h_n[-2] is the forward half"
assert torch.equal(_last[-1], _out[:, 0, 5:]), "and h_n[-1] is the backward half"

# %% [markdown]
# The backward halves of steps 2 and 3. At the last step the backward layer has read one
# step only. What has read everything is `h_n[0]`, the forward half at the last step,
# and `h_n[1]`, the backward half at the first. (The slide's `h_n[-2]` and `h_n[-1]` are
# the same here, and right in a stack too.)
#
# ### Exercise 2.1 · Sum up a sequence
#
# Write `sum_up(out)`. From outputs $(B, T, 2H)$ make one vector for each sequence,
# $(B, 2H)$, in which each direction has read everything, the forward half first. $H$
# differs from call to call: halve `out.shape[2]` with `//`. Use `out` alone; the `h_n`
# above belongs to other sequences.


# %%
def sum_up(out):
    """One vector (B, 2H) for each sequence, from outputs (B, T, 2H)."""
    ...  # your code


# %%
checks.sum_up(sum_up)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def sum_up(out):
#     H = out.shape[2] // 2
#     return torch.cat([out[:, -1, :H], out[:, 0, H:]], dim=1)
# ```
#
# Each half is taken where it has read everything.
#
# </details>
#
# ## 3 · Words of unequal length
#
# Now let a network find the stress, in 30,000 words of the Carnegie Mellon Pronouncing
# Dictionary. Labelling every step is called **tagging**. A vowel has the label 0 (no
# stress), 1 (main stress) or 2 (a weaker one), a consonant −1.
#
# A batch is one array, so short words are filled up. This is **padding**: 0 for the
# sounds, −1 for the labels.
#
# **Predict before you run.** A lazy model answers 0 everywhere. How good does it look
# if only vowels count? If consonants and padding count too, as if their label were 0?

# %%
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

symbols = sorted({phoneme for word in words["phonemes"] for phoneme in word})
code = {phoneme: number for number, phoneme in enumerate(symbols, start=1)}
coded = [torch.tensor([code[p] for p in word]) for word in words["phonemes"]]
lengths = torch.tensor([len(word) for word in coded])

# %%
sounds = pad_sequence(coded, batch_first=True)  # (30000, 17)
stress = [torch.tensor(marks) for marks in words["stress"]]
stress = pad_sequence(stress, batch_first=True, padding_value=-1)
print(f"only vowels: {(stress[stress >= 0] == 0).float().mean():.0%} right")
print(f"all places:  {(stress <= 0).float().mean():.0%} right")

# %% tags=["claims"]
assert sounds.shape == (30_000, 17), f"30,000 words of up to 17: {sounds.shape}"
assert (stress[stress >= 0] == 0).float().mean() < 0.55, "poor if vowels count"
assert (stress <= 0).float().mean() > 0.9, "and looks excellent if all places count"

# %% [markdown]
# A useless model would look excellent. So padding must not count, neither in the loss
# nor in the score. A **mask** says which places count. Ours is in the labels:
# `cross_entropy` leaves out what has the label `ignore_index`.
#
# The layer must not read it either, and the backward layer would read it first.
# **Packing** takes the true lengths and leaves the padding out ([slide
# 17](concepts/17.PNG)).


# %%
class Tagger(nn.Module):
    """Phonemes (B, T) and lengths (B,) -> three scores for each step, (B, T, 3)."""

    def __init__(self, both, units):
        super().__init__()
        # A learned vector for each of 39 phonemes, and for padding.
        self.embed = nn.Embedding(len(symbols) + 1, 32)
        self.rnn = nn.LSTM(32, units, batch_first=True, bidirectional=both)
        self.score = nn.Linear(2 * units if both else units, 3)

    def forward(self, x, lengths):
        options = {"batch_first": True, "enforce_sorted": False}  # lengths in any order
        packed, _ = self.rnn(pack_padded_sequence(self.embed(x), lengths, **options))
        # Unpacked, it is filled up to T steps again; [1] would be the lengths.
        options = {"batch_first": True, "total_length": x.shape[1]}
        return self.score(pad_packed_sequence(packed, **options)[0])


def vowel_loss(scores, y):  # cross_entropy wants (B, classes, T)
    return nn.functional.cross_entropy(scores.transpose(1, 2), y, ignore_index=-1)


# %% [markdown]
# Test this in every program that pads: *more padding makes no difference*. We read
# *person* without padding, then with it.
#
# **Predict before you run.** Do the scores move if we give the layer the true length,
# 5? And if we give it 17?

# %%
tagger = Tagger(both=True, units=8)  # not trained
person = sounds[[row_of["person"]]]  # (1, 17): 5 sounds and 12 times 0
alone = tagger(person[:, :5], torch.tensor([5]))
for length in (5, 17):
    padded = tagger(person, torch.tensor([length]))[:, :5]
    print(f"length {length}: scores moved by {(padded - alone).abs().max():.2f}")

# %% tags=["claims"]
_told = tagger(person, torch.tensor([5]))[:, :5]
assert (_told - alone).abs().max() < 1e-6, "with the true length no score moves"
assert (padded - alone).abs().max() > 0.01, "without it the scores move"
_options = {"batch_first": True, "enforce_sorted": False}
_packed = pack_padded_sequence(tagger.embed(person), torch.tensor([5]), **_options)
_packed, (_ends, _) = tagger.rnn(_packed)
_steps = pad_packed_sequence(_packed, batch_first=True, total_length=17)[0]
assert (_steps[:, 5:] == 0).all(), "unpacked, the outputs at the padding are zeros"
assert torch.equal(_ends[-2], _steps[:, 4, :8]), "h_n has the forward half at the end"
assert torch.equal(_ends[-1], _steps[:, 0, 8:]), "and the backward half at step 1"

# %% [markdown]
# With the true length nothing moves. Without it the scores do, and no error tells you.
# Another silent trap: unpacked, the last outputs of a short word are zeros. There use
# `h_n`, not `sum_up`.
#
# ### Exercise 3.1 · A mean without padding
#
# Write `mean_loss(losses, lengths)`: the mean of the losses $(B, T)$ of a padded batch
# over all its real steps, each counting the same. `lengths` $(B,)$ are the true ones. A
# real loss may be 0, and padding may hold any finite number.


# %%
def mean_loss(losses, lengths):
    """Mean over the real steps of losses (B, T)."""
    ...  # your code


# %%
checks.mean_loss(mean_loss)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mean_loss(losses, lengths):
#     mask = torch.arange(losses.shape[1]) < lengths[:, None]  # (B, T)
#     return losses[mask].mean()
# ```
#
# The padding is left out twice: in the sum, and in the number you divide by.
#
# </details>
#
# ## 4 · What a network has to beat
#
# The rival only counts: how was this vowel stressed in the training words, in the same
# surroundings? Of all EY, as in *day*, 65 % have the main stress. Of those before a
# final SH AH N, as in *station*, 98 % have it.
#
# A fair rule sees as much as the network, so we use two. One knows the sounds so far,
# like the one-way network. The other knows all vowels, and the sounds from its own
# vowel to the end of the word; two directions read the consonants before it too. Each
# goes by the longest part that it met in training ([going
# deeper](going_deeper/A_Clean_Leak_Test.ipynb), section 3).

# %%
order = np.random.default_rng(0).permutation(len(words))
train, validation, test = [np.sort(p) for p in np.split(order, [24_000, 27_000])]

# %% tags=["claims"]
_ey = stress[train][sounds[train] == code["EY"]]
_share = (_ey == 1).float().mean().item()
assert round(100 * _share) == 65, f"of all EY, 65 % have the main stress: {_share}"
_end = ["EY", "SH", "AH", "N"]
_spoken, _marks = words["phonemes"], words["stress"]
_before = [_marks[row][-4] for row in train if _spoken[row][-4:] == _end]
_share = _before.count(1) / len(_before)
assert round(100 * _share) == 98, f"before a final SH AH N, 98 %: {_share}"

# %% [markdown]
# ## 5 · One direction against two
#
# For a fair race, both have about as many parameters: 66 units one way make 27,881, and
# 43 each way 28,029.


# %%
def train_tagger(both, learn, lr, seed=0):
    """A network trained on these rows of words, and the history of its training."""
    torch.manual_seed(seed)
    model = Tagger(both, units=43 if both else 66)
    parts = [(sounds[p], lengths[p], stress[p]) for p in (learn, validation)]
    options = {"epochs": 7, "batch_size": 256, "lr": lr, "seed": seed}
    return model, training.fit(model, *parts, loss=vowel_loss, **options)


def tag(model, rows):
    """The likeliest label at each step of some words, (N, 17)."""
    return training.predict(model, sounds[rows], lengths[rows]).argmax(dim=2)


# %% [markdown]
# **Predict before you run.** Of a hundred vowels, how many more does the second network
# get right? (Training takes about half a minute.)

# %%
RATES = {"forward only": 0.005, "both directions": 0.01}  # chosen on validation words
models, histories = {}, {}
for name, lr in RATES.items():
    models[name], histories[name] = train_tagger(name == "both directions", train, lr)
    right = (tag(models[name], test) == stress[test])[stress[test] >= 0]
    print(f"{name:15} {right.float().mean():.0%} of the test vowels right")

# %% tags=["claims"]
_sizes = [sum(p.numel() for p in model.parameters()) for model in models.values()]
assert _sizes == [27_881, 28_029], f"about as many parameters: {_sizes}"

# %%
fig, (left, right) = plt.subplots(1, 2, sharey=True)
plotting.plot_training(histories["forward only"], left, unit="loss, forward only")
plotting.plot_training(histories["both directions"], right, unit="loss, both ways")
plotting.show(fig, "bidirectional_training")

# %% tags=["claims"]
_loss = {name: np.array(history.validation) for name, history in histories.items()}
_one, _two = _loss.values()
assert all(_two < _one), f"two directions are better in each epoch: {_loss}"
_ends = [_one[0], _one.min(), _two[0], _two.min()]
assert np.allclose(_ends, [0.55, 0.51, 0.36, 0.30], atol=0.02), f"as drawn: {_ends}"
assert _two.argmin() < 6 and np.ptp(_one[-2:]) < 0.01, f"only they overfit: {_loss}"

# %% [markdown]
# Two directions are better from the first epoch on, and begin to overfit at the end.
# `fit` keeps the lowest point. Is that luck? Here are five **seeds**.

# %%
import json

results = json.loads((root / HERE / "results/bidirectional_rnn.json").read_text())
BARS = {"forward only": "sounds so far", "both directions": "vowel to the end"}
for name, rule in BARS.items():
    # Column 0 is about vowels, column 1 about whole words.
    five = np.array(results["scores"][name]["test"])[:, 0]
    print(f"{name:15} {min(five):.1f} to {max(five):.1f} % of the vowels;", end=" ")
    print(f"counting, {rule}: {results['baselines'][rule][0]:.1f} %")

# %% tags=["claims"]
_tests = {n: np.array(results["scores"][n]["test"])[:, 0] for n in BARS}
for _name, _five in _tests.items():
    _guess, _asked = tag(models[_name], test), stress[test] >= 0
    _live = 100 * (_guess == stress[test])[_asked].float().mean().item()
    assert abs(_live - _five.mean()) < 1.5, f"{_name}: you {_live:.1f}, stored {_five}"
    _rate = results["scores"][_name]["chosen"]["lr"]
    assert RATES[_name] == _rate, f"{_name}: {_rate} was chosen on validation"
_one, _two = _tests.values()
_so_far, _whole = (results["baselines"][rule][0] for rule in BARS.values())
assert 8.9 < _two.mean() - _one.mean() < 10.1, "two directions: 9 to 10 vowels more"
assert abs(_one.mean() - _so_far) < 0.5, "one-way network and its rule: half a point"
assert _two.min() > _whole + 2, "every two-way network beats the rule by two points"
assert _whole - _one.max() > 5, "the rule to the end: five ahead of one way"
_leak = results["scores"]["leak, both directions"]
_worth = np.subtract(*[_leak[out]["all"] for out in ("strangers", "relatives")])
assert 0.3 < _worth.mean() < 1.5, f"the leak: about one word in a hundred: {_worth}"
assert row_of["awarded"] in test and row_of["award"] in train, "awarded and award"

# %% [markdown]
# Nine vowels in ten with a look at what follows, eight without. The two-way networks
# beat their rule, which sees a little less. In vowels the one-way networks are hardly
# better than theirs, and far behind the other. *What* a model may see can matter more
# than how clever it is.
#
# ### Exercise 5.1 · Fill the gap
#
# In a surname of six letters one is hidden, anywhere, as in `mil_er`. Write the class
# `GapFiller`, whose `forward(x)` gets letters $(B, 6)$ (0 is the gap, 1 to 26 are a to
# z) and returns a score for each of these 27 numbers at each place, $(B, 6, 27)$. 0 is
# never the answer, and only the gap counts. 40 units each way are plenty. The check
# makes a `GapFiller()`, without arguments, trains it and scores 600 unseen names. The
# commonest letter alone gets 13 % right, a one-way network less than 30 %. The goal is
# 32 %.


# %%
class GapFiller(nn.Module):
    """Letters (B, 6), the gap is 0 -> scores for each place, (B, 6, 27)."""

    ...  # your code


# %%
checks.GapFiller(GapFiller)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# class GapFiller(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.embed = nn.Embedding(27, 16)
#         self.rnn = nn.LSTM(16, 40, batch_first=True, bidirectional=True)
#         self.score = nn.Linear(2 * 40, 27)
#
#     def forward(self, x):
#         states, _ = self.rnn(self.embed(x))
#         return self.score(states)
# ```
#
# At the gap, one half knows the letters before it, the other those after it.
#
# </details>
#
# ## 6 · Words in which the future decides
#
# Back to pairs like *person* and *personalities*: test words that begin with the same
# four sounds, stressed differently.
#
# **Predict before you run.** In what share of the pairs does each network stress both
# beginnings correctly?

# %%
from itertools import combinations

begins = [str(words["phonemes"][row][:4]) for row in test]  # the first four sounds
asked = stress[test][:, :4]
pairs = []
for a, b in combinations(range(len(test)), 2):  # every two test words
    if begins[a] == begins[b] and (asked[a] != asked[b]).any():
        pairs.append((a, b))

# %%
for name, model in models.items():
    wrong = (tag(model, test)[:, :4] != asked) & (asked >= 0)
    fine = ~wrong.any(dim=1)  # for each word: is its beginning right?
    share = np.mean([bool(fine[a] and fine[b]) for a, b in pairs])
    print(f"{name:15} both right: {10 * share:.0f} in ten of {len(pairs)} pairs")

# %% tags=["claims"]
assert len(pairs) > 100, f"there are many such pairs: {len(pairs)}"
assert 0.35 < share < 0.5, f"two directions: about four of ten, not {share:.2f}"
_wrong = (tag(models["forward only"], test)[:, :4] != asked) & (asked >= 0)
_fine = ~_wrong.any(dim=1)
assert not any(_fine[a] and _fine[b] for a, b in pairs), "one-way: never right in both"

# %% [markdown]
# None, against four in ten. The zero is not bad luck. A one-way network has read the
# same in both words, so it answers the same, and in one of them that is wrong.
# In three pairs, two directions succeed.

# %%
fig, axes = plt.subplots(2, 3, figsize=(10, 4.6), sharey=True)
shown = "person personalities artistry artistically subordinated subordination"
for ax, word in zip(axes.T.flat, shown.split()):  # column by column
    draw_word(word, ax)
    ax.set_ylabel("probability of\nmain stress")
    row = row_of[word]
    places = np.flatnonzero(stress[row] >= 0)  # of the vowels
    for model, colour in zip(models.values(), [plotting.GREEN, plotting.ORANGE]):
        scores = training.predict(model, sounds[[row]], lengths[[row]])[0]
        ax.plot(places, scores[places].softmax(dim=1)[:, 1], "o-", color=colour)
fig.suptitle("With both directions, the peak stands at the bar")
fig.legend([*models, "dictionary"], loc="outside lower center", ncols=3)
plotting.show(fig, "bidirectional_pairs")

# %% tags=["claims"]
for _a, _b in (
    ("person", "personalities"),
    ("artistry", "artistically"),
    ("subordinated", "subordination"),
):
    _rows = [row_of[_a], row_of[_b]]
    for _name, _model in models.items():
        _chance = training.predict(_model, sounds[_rows], lengths[_rows]).softmax(dim=2)
        _main = _chance[:, :, 1].masked_fill(stress[_rows] < 0, -1)
        _gap = (_main[0] - _main[1])[:4].abs().max()
        _right = stress[_rows].gather(1, _main.argmax(dim=1)[:, None]) == 1
        if _name == "forward only":
            assert _gap < 1e-5, f"one-way values of {_a}, {_b} are equal: {_gap:.1e}"
        else:
            assert _right.all(), f"two directions find the main stress of {_a}, {_b}"

# %% [markdown]
# Forward only draws the same line as far as both words sound alike.
#
# ## 7 · A forecaster that cheats
#
# Let a network read 24 months of sunspot numbers, and at *every* month forecast the
# next one. Persistence, "as this month", is off by about 20.
#
# **Predict before you run.** With two directions, by how much will the error inside the
# window fall below persistence, and what happens at month 24? (The slide shows it.)

# %%
change(step=3)  # in our layer of section 1: what moves at step 2?
plotting.show_slide(HERE, 16)

# %% tags=["claims"]
_new = x.clone()
_new[:, 2] += 1
moved = (two_way(_new)[0] - out).abs().amax(dim=0)
assert moved[1, :5].max() == 0, "the forward half does not know step 3"
assert moved[1, 5:].max() > 0.05, "the backward half does"
_slides = json.loads((root / HERE / "concepts/measurements.json").read_text())
_slide = _slides["cheating"]
assert 19 < _slide["persistence"] < 20.5, "persistence is off by about 20"
assert min(_slide["both"]["low"]) > 0.5, "at least about 1"
assert max(_slide["both"]["high"][:22]) < 2.5, "and 2 at most, up to month 22"
assert _slide["both"]["low"][22] > 3, "more near the end, at month 23"
assert _slide["both"]["low"][23] > _slide["persistence"], "the cheat fails at month 24"

# %% [markdown]
# It falls to 1 or 2, except near the end. But nothing is forecast there. The 0.34 is
# the backward half of step 2: it has read step 3, and hands over the answer. At month
# 24 there is no answer to read, and the cheat is no better than persistence. (Going
# deeper, section 5.)
#
# A bidirectional layer is for sequences that are *complete* when you ask. If a forecast
# looks too good, change an input that should not be known yet, and see if it moves.
#
# ### Questions
#
# 1. Why must padding not count in a tagger's score?
#
# <details><summary>Answer</summary>
#
# A model that always answers 0 would get nine places in ten right.
#
# </details>
#
# 2. Would a one-way network ten times as large be right in more pairs of section 6?
#
# <details><summary>Answer</summary>
#
# No. Whatever its size, it has read the same in both words.
#
# </details>
#
# ## Summary
#
# - A bidirectional layer is two. Sum a sequence up with `h_n[-2]` and `h_n[-1]`,
#   joined, not with `out[:, -1]`.
# - Pack padded words, and mask loss and score.
# - If *every* step is asked for a forecast, a second direction reads the answers. If
#   all answers lie after the input, it cannot.
#
# The stress results come from one American dictionary and small networks. *Awarded* in
# the test part is easier, as *award* was in training. This **leakage** lifts the
# two-way score by about one in a hundred (going deeper, section 4).
#
# **Next:** a race of all layers, then
# [speech](../03_RNN_in_Use/3_Speech_Recognition.ipynb).

# %% tags=["measure"]
# The rules and the leak are shown in going_deeper/A_Clean_Leak_Test.ipynb.
from collections import Counter, defaultdict
from utils.comparing import item_interval

spoken, marked = words["phonemes"].tolist(), words["stress"].tolist()


# What a rule looks at, simplest first: p are the sounds of a word, v the places of its
# vowels, k says which of them is asked for.
def vowels_so_far(p, v, k):
    return [p[v[k]], [p[i] for i in v[: k + 1]]]


def sounds_so_far(p, v, k):
    heard = p[: v[k] + 1]
    return [p[v[k]], (k, heard[-2:]), (k, heard[-3:]), heard]


def all_vowels(p, v, k):
    place = (len(v), k)
    return [place, (p[v[k]], place), (k, [p[i] for i in v])]


def vowel_to_the_end(p, v, k):
    return [*all_vowels(p, v, k), (k, p[v[k] :])]


RULES = {
    "vowels so far": vowels_so_far,
    "sounds so far": sounds_so_far,
    "all vowels": all_vowels,
    "vowel to the end": vowel_to_the_end,
}


def keys(rule, row):
    """For each vowel of a word: its place, and what a rule looks at there, as texts."""
    v = [i for i, mark in enumerate(marked[row]) if mark >= 0]
    found = []
    for k, place in enumerate(v):
        views = RULES[rule](spoken[row], v, k)
        found.append((place, [f"{n}: {view}" for n, view in enumerate(views)]))
    return found


def count(rule, learn):
    """How often each stress was met with each key: counts[key][stress]."""
    counts = defaultdict(Counter)  # a new key starts with an empty Counter
    for row in learn:
        for place, texts in keys(rule, row):
            for text in texts:
                counts[text][marked[row][place]] += 1
    return counts


def by_rule(rule, counts, some):
    """The labels (N, 17) that a rule gives to the vowels of some words."""
    guess = torch.full((len(some), 17), -1)
    for n, row in enumerate(some):
        for place, texts in keys(rule, row):
            met = [counts[text] for text in texts if text in counts]
            if met:  # the longest surroundings that were met decide
                guess[n, place] = max(sorted(met[-1]), key=met[-1].get)
    return guess


def score(guess, some):
    """Percent of vowels and of whole words right, for labels (N, 17) of some words."""
    asked, right = stress[some] >= 0, guess == stress[some]
    whole = (right | ~asked).all(dim=1)
    return [100 * share.float().mean().item() for share in (right[asked], whole)]


def per_word(guess, some):
    """(2, N): vowels right, and whether all are, so that the means are the scores."""
    asked = stress[some] >= 0
    right, number = ((guess == stress[some]) & asked).sum(dim=1), asked.sum(dim=1)
    share, whole = right / number.float().mean(), right == number
    return 100 * np.array([share.tolist(), whole.tolist()])


# abandons, abandoned, baked; the same with a vowel before; and -ing, -er, -ly
ENDINGS = "L IY", "IH NG", "AH Z", "AH D", "IH Z", "IH D", "ER", "Z", "S", "D", "T"
ENDINGS = [ending.split() for ending in ENDINGS]


def stem(p):
    """The phonemes of a word without its endings, as text; at least three remain."""
    for ending in ENDINGS:
        if len(p) >= len(ending) + 3 and p[-len(ending) :] == ending:
            return stem(p[: -len(ending)])
    return " ".join(p)


stems = np.array([stem(p) for p in spoken])
related = np.isin(stems[test], stems[train])
relatives = train[np.isin(stems[train], stems[test])]
size = Counter(stems[train])
family = [row for row in train if size[stems[row]] > 1]
others = np.setdiff1d(family, relatives)


def leave_out(out, seed=0):
    """Rows of training words without "relatives", or without as many "strangers"."""
    left = relatives
    if out == "strangers":
        left = np.random.default_rng(seed).choice(others, len(relatives), replace=False)
    return np.setdiff1d(train, left)


def measure(seed, model, lr, leak=False):
    """Percent of vowels and of whole words right on the test part. With `leak`, whole
    words only, trained without strangers and without relatives. "validation", which
    chooses the learning rate, is the percent of vowels that are wrong there.
    """
    both, found = model == "both directions", {}
    if leak:
        right = {}
        for out in ("strangers", "relatives"):
            net, _ = train_tagger(both, leave_out(out, seed), lr, seed)
            right[out] = per_word(tag(net, test), test)[1]
            found[out] = {
                "related": round(right[out][related].mean(), 3),
                "others": round(right[out][~related].mean(), 3),
                "all": round(right[out].mean(), 3),
            }
        worth = right["strangers"] - right["relatives"]
        return found | {"_items": worth[related].tolist()}
    net, history = train_tagger(both, train, lr, seed)
    chosen_by = score(tag(net, validation), validation)
    return {
        "validation": round(100 - chosen_by[0], 2),
        "test": np.round(score(tag(net, test), test), 2).tolist(),
        "kept_epoch": history.best_epoch,
        "parameters": sum(p.numel() for p in net.parameters()),
    }


MEASURE = {
    "forward only": {
        "model": "forward only",
        "lr": [0.0025, 0.005, 0.01, 0.02],
        "choose_seeds": 1,
    },
    "both directions": {
        "model": "both directions",
        "lr": [0.005, 0.01, 0.02],
        "choose_seeds": 1,
    },
    "leak, both directions": {"model": "both directions", "lr": 0.01, "leak": True},
}


def baselines():
    """Percent of vowels and of whole words of the test part that rules get right."""
    guesses = {rule: by_rule(rule, count(rule, train), test) for rule in RULES}
    return {
        rule: np.round(score(guess, test), 2).tolist()
        for rule, guess in guesses.items()
    }


def luck(items):
    """What relatives are worth on related words: the interval over these words."""
    ends = item_interval(items["leak, both directions"])
    return {"leak": np.round(ends, 2).tolist()}


def times():
    """CPU-seconds of one training."""
    import time

    taken = {}
    for name in BARS:
        started = time.process_time()
        train_tagger(name == "both directions", train, RATES[name])
        taken[name] = round(time.process_time() - started, 1)
    return {"one training": taken}


def overview(results):
    texts = {name: [] for name in BARS}
    for name, rule in BARS.items():
        five = np.mean(results["scores"][name]["test"], axis=0)
        for found in (results["baselines"][rule], five):
            texts[name].append(f"{found[0]:.0f} / {found[1]:.0f}")
    return [
        [
            f"word stress, {view}: % of vowels / of whole words",
            f"counting {texts[name][0]}",
            f"{name} {texts[name][1]}",
            5,
        ]
        for name, view in zip(BARS, ("told at once", "after the whole word"))
    ]
