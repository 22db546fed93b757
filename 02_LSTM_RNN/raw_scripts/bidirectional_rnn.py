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
# **You will be able to**
#
# - write a bidirectional layer from two ordinary ones, and prove that it is PyTorch's;
# - say which part of its output has read what, and avoid its best-known bug;
# - put words of different lengths into one batch so that the padding changes nothing;
# - measure what a look at the future is worth, at an equal number of parameters;
# - find out whether relatives of the test words in training lift the score;
# - recognise a forecaster that cheats.
#
# You need lessons 02.1 (`fit`, validation, test) and 02.2 (the LSTM). Reading and
# running takes about an hour. Where it says **Predict before you run**, decide on an
# answer first.

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
import json
from collections import Counter, defaultdict
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from utils import set_up
from utils.comparing import item_interval, judge, seed_interval
from utils.data import Standardiser, chronological_split, load_stress, load_sunspots
from utils.data import windows
from utils.exercises import bidirectional_rnn as checks
from utils.forecasting import rmse
from utils.plotting import BLUE, GREEN, GREY, ORANGE, PALE
from utils.plotting import show, show_slide
from utils.training import fit, predict

set_up(seed=0)
HERE = "02_LSTM_RNN"

# %% [markdown]
# ## 1 · One layer reads forwards, one backwards
#
# Every layer so far read from left to right. Its state at step $t$ knows the inputs
# $x_1$ to $x_t$ and nothing of what follows. For a forecast that is how it must be. But
# often the whole sequence lies before you: a written sentence, a recording, a word in a
# dictionary. Then what comes *after* a step may say what happens *at* it.
#
# A **bidirectional** layer (Schuster and Paliwal, 1997) is two layers with weights of
# their own. One reads forwards, the other reads the reversed sequence. Their states are
# written $\overrightarrow{h}_t$ and $\overleftarrow{h}_t$, and the output at step $t$
# is both, side by side.
#
# To see this idea and nothing else, take the simplest cell, the tanh RNN of lesson 01.
# $B$ is the number of sequences in a batch, $T$ their length, $I$ the count of numbers
# in one input and $H$ the count of units. Our inputs have the shape $(B, T, I)$, which
# PyTorch calls `batch_first`. The function `read` is that RNN. Look closely at
# `read_both_ways`, and at the proof below it: the same outputs as `nn.RNN`, the same
# last states, and the same gradients, with 64 bits.
#
# **Predict before you run.** The second layer needs a `flip`, which reverses the steps,
# before it reads. Why is there another one after it?


# %%
def read(x, W_x, W_h, b_x, b_h):
    """States (B, T, H) of a tanh layer that reads x (B, T, I) from left to right."""
    h, states = x.new_zeros(len(x), len(W_h)), []
    for x_t in x.unbind(dim=1):
        h = torch.tanh(x_t @ W_x.T + b_x + h @ W_h.T + b_h)
        states.append(h)
    return torch.stack(states, dim=1)


def read_both_ways(x, *weights):
    """Outputs (B, T, 2H) and last states (2, B, H); four arrays for each direction."""
    forward = read(x, *weights[:4])
    backward = read(x.flip(1), *weights[4:]).flip(1)
    h_n = torch.stack([forward[:, -1], backward[:, 0]])
    return torch.cat([forward, backward], dim=2), h_n


rnn = nn.RNN(input_size=3, hidden_size=5, batch_first=True, bidirectional=True).double()
x, factors = torch.randn(4, 3, 3).double().requires_grad_(), torch.randn(4, 3, 10)
results = []
for out, h_n in (rnn(x), read_both_ways(x, *rnn.parameters())):
    loss = (factors * out).sum() + h_n.square().sum()  # errors cannot cancel out
    results.append([out, h_n, *torch.autograd.grad(loss, [*rnn.parameters(), x])])
gaps = [abs(a - b).max().item() for a, b in zip(*results)]
print(len(gaps), "arrays compared; all equal within 1e-10:", max(gaps) < 1e-10)

# %% tags=["claims"]
assert max(gaps) < 1e-10, f"all arrays are those of nn.RNN, not {max(gaps):.1e} off"
assert len(gaps) == 11, f"outputs, last states and nine gradients, not {len(gaps)}"

# %% [markdown]
# The backward layer meets $x_T$ first, so its states come out in reverse. The second
# `flip` turns them round, and then both halves of an output belong to the same step.
#
# Everything agrees: outputs, last states, and nine gradients, which are four for each
# direction and one for the input. With one layer and its usual settings, there is no
# more in `bidirectional=True` than a second layer and two flips.
#
# ## 2 · The usual bug
#
# Often one vector should sum up a whole sequence. With a forward layer you take the
# last output, `out[:, -1]`. Many programs do the same here. The alternative is `h_n`:
# it holds the state of each direction after its own last step.
#
# **Predict before you run.** We change the first input, $x_1$, of every sequence. Below
# are the forward half of `out[:, -1]`, its backward half, and `h_n[1]`. Which of the
# three does not notice?

# %%
changed = torch.cat([x[:, :1] + 1, x[:, 1:]], dim=1)
out, h_n = (abs(new - old) for new, old in zip(rnn(changed), rnn(x)))
moved = {"forward": out[:, -1, :5], "backward": out[:, -1, 5:], "h_n[1]": h_n[1]}
print({name: f"moved by {change.max():.2f}" for name, change in moved.items()})
show_slide(HERE, 13)

# %% tags=["claims"]
_by = {name: change.max().item() for name, change in moved.items()}
assert _by["backward"] == 0, f"the backward half of out[:, -1] does not notice: {_by}"
assert 0.05 < _by["forward"] < _by["h_n[1]"], f"the other two do, h_n[1] most: {_by}"
with torch.random.fork_rng():  # or the lesson would go on with other numbers
    _stack = nn.RNN(3, 5, num_layers=2, batch_first=True, bidirectional=True).double()
_moved = (_stack(changed)[0] - _stack(x)[0])[:, -1, 5:].abs().max().item()
assert _moved > 0, "in a stack of two, the backward half of out[:, -1] does notice"

# %% [markdown]
# The backward half does not notice. It stands at the step where the backward layer
# *begins*, so in a single layer like this one it has read one input only, $x_T$. No
# error message tells you. (With `num_layers=2` it hears of the others from the layer
# below, but it is still its first state, not its last.)
#
# What has read everything is `h_n[0]`, the end of the forward half, and `h_n[1]`, the
# backward half at step 1. (The proof above contains that: look at how `read_both_ways`
# makes `h_n`.) Join these two. And to find such a bug in any program, do what we did:
# change one input and see what moves.
#
# ### Exercise 2.1 · Sum up a sequence
#
# Write `sum_up(out)`: from the outputs of a bidirectional layer $(B, T, 2H)$ make one
# vector $(B, 2H)$ for each sequence, in which each direction has read everything. There
# is no padding, and you get `out` only, without `h_n`. The forward half comes first.
# $H$ is half of the last axis, and not the same in every call.


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
# The forward half has read everything at the last step, the backward half at the first.
# `out[:, -1]` would take the backward half at the step where it begins.
#
# </details>
#
# ## 3 · Words of unequal length
#
# Now a task where the future matters. The **vowels** of an English word carry different
# **stress**: *PHO-to-graph*, but *pho-TOG-ra-phy*. We get the sounds of a word, its
# **phonemes**, and have to say for each vowel whether it is unstressed (0), has the
# main stress (1) or a weaker one (2). The data are 30,000 words of the Carnegie Mellon
# Pronouncing Dictionary. To give a label to every step is called **tagging**.
# Consonants carry no stress; they have the label −1, "nothing asked".

# %%
words = load_stress()
symbols = sorted({phoneme for word in words["phonemes"] for phoneme in word})
code = {phoneme: number for number, phoneme in enumerate(symbols, start=1)}
coded = [torch.tensor([code[p] for p in word]) for word in words["phonemes"]]
labels = [torch.tensor(word) for word in words["stress"]]
print(words["word"][1], words["phonemes"][1], coded[1].tolist(), labels[1].tolist())

# %% [markdown]
# A batch is one array, so all words in it need one length. Short words are filled up
# with 0, which stands for no phoneme: this is **padding**. Their labels are filled up
# with −1, because nothing is asked there either.
#
# **Predict before you run.** A lazy model answers 0, "unstressed", everywhere. How good
# does it look if you count vowels only? And if someone has labelled consonants and
# padding 0 and counts every place in the array?

# %%
lengths = torch.tensor([len(word) for word in coded])
sounds = pad_sequence(coded, batch_first=True)  # (30000, 17)
stress = pad_sequence(labels, batch_first=True, padding_value=-1)
lazy = [(stress[stress >= 0] == 0).float().mean()]  # vowels only
lazy += [(stress.clamp(0) == 0).float().mean()]  # and now every place
print(f"always 0: {lazy[0]:.0%} of the vowels right, {lazy[1]:.0%} of all places")

# %% tags=["claims"]
assert sounds.shape == (30_000, 17), f"30,000 words of up to 17: {sounds.shape}"
assert lazy[0] < 0.55, f"always 0 is poor if vowels count, not {lazy[0]:.0%} right"
assert lazy[1] > 0.9, f"and looks excellent if all places count, not {lazy[1]:.0%}"
_padding = (sounds == 0).float().mean()
assert _padding > 0.6, f"over six tenths of the array are padding, not {_padding:.0%}"

# %% [markdown]
# A useless model would look excellent. Over 60 % of the array is padding, and counting
# it flatters any model. Padding can do harm in two places.
#
# **In the loss and the score.** Padding must not count, and nor must consonants. A
# **mask** is 1 where something is asked and 0 elsewhere. Ours is in the labels: the
# cross-entropy leaves out all places with the label −1 (`ignore_index`) and takes the
# mean over the rest. (It is minus the logarithm of the probability that the model gives
# to the right answer: 0 if it is sure and right.)
#
# **In the layer.** The backward layer starts at the right end. Left alone, it would
# read the padding *first* and reach the last sound of the word in a state full of it.
# `pack_padded_sequence` takes the true lengths and leaves the padding out, so each word
# is read from its own end. `pad_packed_sequence` undoes the packing.


# %%
show_slide(HERE, 15)


# %%
class Tagger(nn.Module):
    """Phonemes (B, T) and lengths (B,) -> three scores for each step, (B, T, 3)."""

    def __init__(self, both, units):
        super().__init__()
        self.embed = nn.Embedding(40, 32)  # a learned vector for each phoneme
        self.rnn = nn.LSTM(32, units, batch_first=True, bidirectional=both)
        self.score = nn.Linear(2 * units if both else units, 3)

    def forward(self, x, lengths):
        options = {"batch_first": True, "enforce_sorted": False}
        packed = pack_padded_sequence(self.embed(x), lengths, **options)
        options = {"batch_first": True, "total_length": x.shape[1]}
        states, _ = pad_packed_sequence(self.rnn(packed)[0], **options)
        return self.score(states)


def vowel_loss(scores, y):
    return nn.functional.cross_entropy(scores.transpose(1, 2), y, ignore_index=-1)


def tag(model, rows):
    """The likeliest label at each step of the words in `rows`, (N, 17)."""
    return predict(model, sounds[rows], lengths[rows]).argmax(dim=2)


def score(guess, rows):
    """Percent of vowels and of whole words right, for labels (N, 17) of some words."""
    asked, right = stress[rows] >= 0, guess == stress[rows]
    whole = (right | ~asked).all(dim=1)
    return [100 * share.float().mean().item() for share in (right[asked], whole)]


# %% [markdown]
# **Predict before you run.** An untrained tagger reads 50 words, in an array just as
# wide as the longest of them, and in one that is padded to 17 columns. What becomes of
# the scores of the real sounds? And if it is told that every word has 17 sounds?

# %%
tagger, x, n = Tagger(both=True, units=8), sounds[:50], lengths[:50]
longest = n.max()
tight = tagger(x[:, :longest], n)
wide = tagger(x, n)[:, :longest]
untold = tagger(x, torch.full((50,), 17))[:, :longest]
real = x[:, :longest] > 0
moved = [(scores - tight)[real].abs().max().item() for scores in (wide, untold)]
print(f"scores moved by {moved[0]:.2f} with the true lengths, {moved[1]:.2f} without")

# %% tags=["claims"]
_y = stress[:50]
_losses = vowel_loss(tagger(x, n), _y), vowel_loss(tight, _y[:, :longest])
assert torch.isclose(*_losses), f"with the true lengths the loss stays: {_losses}"
assert moved[0] < 1e-6, f"with the true lengths no score moves, not by {moved[0]:.1e}"
assert moved[1] > 0.01, f"without them the scores move, not by {moved[1]:.1e} only"
assert longest < 17, f"17 columns pad every one of the 50 words: {longest}"

# %% [markdown]
# With the true lengths nothing moves, and a test of this lesson says the same of the
# loss. This is the property to test in every program that pads: *more padding makes no
# difference*. Without the lengths the scores move. Section 5 shows what that costs.
#
# ### Exercise 3.1 · A mean without padding
#
# Write `mean_loss(losses, lengths)`: `losses` $(B, T)$ holds a loss for every place of
# a padded batch, `lengths` $(B,)$ the true lengths. Return the mean over all real steps
# of the batch. Every real step counts the same. A real loss may be 0, and what stands
# in the padding may be anything.


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
#     real = torch.arange(losses.shape[1]) < lengths[:, None]
#     return losses[real].mean()
# ```
#
# The mask is true where the step is smaller than the length. It must leave out the
# padding twice: in the sum, and in the number you divide by.
#
# </details>
#
# ### Exercise 3.2 · Read back, but not the padding
#
# Write `read_back(x, lengths)`: turn each row of `x` $(B, T)$ round within its own
# length and leave the padding (0) at the end, as a packed backward layer reads it: the
# row `[5, 6, 7, 0]` of length 3 becomes `[7, 6, 5, 0]`. A real step may be 0, too: go
# by `lengths`. (A tensor is turned round with `flip`.)


# %%
def read_back(x, lengths):
    """Rows of x (B, T), reversed within their lengths."""
    ...  # your code


# %%
checks.read_back(read_back)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def read_back(x, lengths):
#     back = torch.zeros_like(x)
#     for row, n in enumerate(lengths):
#         back[row, :n] = x[row, :n].flip(0)
#     return back
# ```
#
# `x.flip(1)` would put the padding in front, and the backward layer would begin with
# it. Packing does for you what this loop does.
#
# </details>
#
# ## 4 · What a network has to beat
#
# We train on 80 % of the words, choose on 10 % and test on 10 %. The rivals need no
# network, only counting. A rule looks at something, its **key**, and answers with the
# stress that was commonest in the training part for the same key. A key never met in
# training falls back on a simpler one.
#
# To be fair, a rule must see what its rival sees. Two of the rules below know only what
# a forward network knows, the sounds up to the vowel they are asked about. The other
# two may look at the whole word. In each pair, we keep the one that gets more vowels of
# the *validation* words.

# %%
order = np.random.default_rng(0).permutation(len(words))
parts = [np.sort(some) for some in np.split(order, [24_000, 27_000])]
rows = dict(zip(("train", "validation", "test"), parts))
spoken, marked = words["phonemes"].tolist(), words["stress"].tolist()

# %%
# What a key holds: of the phonemes p, at the k-th of the vowels, which stand at v
KEYS = {
    "the vowel": lambda p, v, k: p[v[k]],
    "vowels so far": lambda p, v, k: [p[i] for i in v[: k + 1]],
    "last two sounds": lambda p, v, k: (k, p[: v[k] + 1][-2:]),
    "last three sounds": lambda p, v, k: (k, p[: v[k] + 1][-3:]),
    "sounds so far": lambda p, v, k: p[: v[k] + 1],
    "number, place": lambda p, v, k: (len(v), k),
    "vowel, number, place": lambda p, v, k: (p[v[k]], len(v), k),
    "all vowels": lambda p, v, k: (k, [p[i] for i in v]),
    "vowel to the end": lambda p, v, k: (k, p[v[k] :]),
}
THREE, PLACED = ["last two sounds", "last three sounds"], "vowel, number, place"
RULES = {  # from the simplest key to the one that is asked first
    "vowels so far": ["the vowel", "vowels so far"],
    "sounds so far": ["the vowel", *THREE, "sounds so far"],
    "all vowels": ["number, place", PLACED, "all vowels"],
    "vowel to the end": ["number, place", PLACED, "all vowels", "vowel to the end"],
}


# %%
def keys(row, name):
    """For each vowel of a word: its place, and what a rule looks at there."""
    v = [i for i, mark in enumerate(marked[row]) if mark >= 0]
    return [(i, str(KEYS[name](spoken[row], v, k))) for k, i in enumerate(v)]


def count(train):
    """How often each stress was met with each key: counts[name, key][stress]."""
    counts = defaultdict(Counter)
    for row in train:
        for name in KEYS:
            for i, key in keys(row, name):
                counts[name, key][marked[row][i]] += 1
    return counts


# %%
def by_rule(rule, counts, some):
    """The labels (N, 17) that a rule gives to the vowels of some words."""
    guess = torch.full((len(some), 17), -1)
    for n, row in enumerate(some):
        for name in RULES[rule]:  # the last key that was met decides
            for i, key in keys(row, name):
                met = counts.get((name, key))
                if met:
                    guess[n, i] = max(sorted(met), key=met.get)
    return guess


# %% [markdown]
# **Predict before you run.** How far does counting get: 70 % of the vowels, or 80 %?


# %%
def choose_rules(counts, some):
    """The better rule of each pair, by the vowels of some words; and all scores."""
    scores = {r: score(by_rule(r, counts, some), some) for r in RULES}
    pairs = {"forward only": [*RULES][:2], "both directions": [*RULES][2:]}
    best = {k: max(two, key=lambda r: scores[r][0]) for k, two in pairs.items()}
    return best, scores


counts = count(rows["train"])
BARS, tried = choose_rules(counts, rows["validation"])
for rule, (of_vowels, of_words) in tried.items():
    print(f"{rule:16} {of_vowels:.1f} % of vowels, {of_words:.1f} % of words right")
print("kept:", BARS)

# %% tags=["claims"]
_far, _whole = (tried[rule][0] for rule in BARS.values())
assert BARS["forward only"] == "sounds so far", f"consonants help too: {BARS}"
assert 83 < _whole < 88, f"counting gets well over 80 % of the vowels: {_whole:.1f}"
assert _far < _whole - 4, f"what is known so far is clearly worth less: {_far:.1f}"

# %% [markdown]
# More than four vowels in five, from counting alone. And the two views differ: with
# only the sounds so far, counting is clearly worse. The future counts, even for someone
# who only counts.
#
# ## 5 · Forward only against both directions
#
# For a fair race both networks have the same number of parameters. Two directions of 43
# units each are as large as one direction of 66.


# %%
def train_tagger(both, train, lr, seed=0):
    """A network and its history; `train` are the rows of the words to learn from."""
    torch.manual_seed(seed)
    model = Tagger(both, units=43 if both else 66)
    some = train, rows["validation"]
    parts = [[a[part] for a in (sounds, lengths, stress)] for part in some]
    options = {"epochs": 7, "batch_size": 256, "lr": lr, "seed": seed}
    return model, fit(model, *parts, loss=vowel_loss, **options)


# %% [markdown]
# **Predict before you run.** What is a look at the future worth, in vowels out of a
# hundred? And does the forward network beat the rule that sees as much as it does?

# %%
RATES = {"forward only": 0.005, "both directions": 0.01}  # chosen on validation words
models, live = {}, {}
for name, lr in RATES.items():
    model, _ = train_tagger(name == "both directions", rows["train"], lr)
    models[name], live[name] = model, score(tag(model, rows["test"]), rows["test"])
    size = sum(p.numel() for p in model.parameters())
    print(f"{name:15} {size:,} parameters, {live[name][0]:.0f} % of vowels right")

# %% [markdown]
# One seed is an anecdote. `tools/measure.py` has trained five of each kind. (One seed
# chose the learning rates, by the vowels of the validation words: among 0.0025, 0.005,
# 0.01 and 0.02 for forward only, and without the first for both directions.) Two kinds
# of luck are left in a score: other seeds give other networks, and other test words
# another score. So each difference gets two intervals: over the five seeds
# (Student's), and over the test words (a bootstrap, for your two networks). Both are
# widened, as we look at six differences. A difference is **clear** if 0 lies outside
# both, and else **undecided**.

# %%
file = root / HERE / "results" / "bidirectional_rnn.json"
results = json.loads(file.read_text(encoding="utf-8"))
tests = {name: results["scores"][name]["test"] for name in BARS}
tests |= {rule: results["baselines"][rule] for rule in BARS.values()}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for i, (ax, of) in enumerate(zip(axes, ("vowels", "whole words"))):
    for row, (name, rule) in enumerate(BARS.items()):
        y, ring = 2 * row + 1, {"c": BLUE, "markersize": 11, "fillstyle": "none"}
        ax.plot(tests[rule][i], y - 1, "s", c=GREY, label="counting, same view")
        five = np.array(tests[name])[:, i]
        ax.plot(five, [y] * 5, "o", c=ORANGE, alpha=0.6, label="five networks")
        ax.plot(live[name][i], y, "o", label="your network", **ring)
    one, two = (np.mean(tests[name], axis=0)[i] for name in BARS)
    ax.set(title=f"{of}: {one:.0f} %, both ways {two:.0f} %")
    ax.set(xlabel=f"{of} right (%)", ylim=(3.5, -0.5), yticks=range(4))
axes[0].set_yticklabels([label for pair in zip(BARS.values(), BARS) for label in pair])
marks, names = ax.get_legend_handles_labels()
fig.legend(marks[:3], names[:3], loc="outside lower center", ncols=3)
show(
    fig,
    "Scores of two rules and two networks. Forward only lies close to the rule with "
    "the same view, both directions lie to the right of all others.",
)


# %%
def per_word(guess, some):
    """(2, N): vowels right, and whether all are, so that the means are the scores."""
    asked = stress[some] >= 0
    right, number = ((guess == stress[some]) & asked).sum(dim=1), asked.sum(dim=1)
    share, whole = right / number.float().mean(), right == number
    return 100 * np.array([share.tolist(), whole.tolist()])


def verdict(five, over_words, comparisons):
    """The mean of five seeds, its two intervals, and what they say together."""
    ends = [seed_interval(five, comparisons), over_words]
    seeds, drawn = (f"{low:+.1f} to {high:+.1f}" for low, high in ends)
    return f"{np.mean(five):+5.1f} (seeds {seeds}, words {drawn}): {judge(*ends)}"


guesses = {name: tag(model, rows["test"]) for name, model in models.items()}
guesses |= {rule: by_rule(rule, counts, rows["test"]) for rule in BARS.values()}
each = {name: per_word(guess, rows["test"]) for name, guess in guesses.items()}
verdicts = {}
for a, b in [*BARS.items(), ("both directions", "forward only")]:
    print(f"{a} against {b}:")
    for i, of in enumerate(("vowels", "whole words")):
        over_words = item_interval((each[a] - each[b])[i], comparisons=6)
        five = np.subtract(tests[a], tests[b])[:, i]
        verdicts[a, b, of] = verdict(five, over_words, 6)
        print(f"  {of:11} {verdicts[a, b, of]}")

# %% tags=["claims"]
for _name, _five in tests.items():
    if _name in live:
        _gap = np.abs(live[_name] - np.mean(_five, axis=0)).max()
        assert _gap < 1.5, f"{_name}: your ring lies with the dots, not {_gap:.2f} away"
_mean = {name: np.mean(tests[name], axis=0) for name in BARS}
_gain = _mean["both directions"] - _mean["forward only"]
assert 8.9 < _gain[0] < 10.1, f"the future is worth 9 to 10 vowels: {_gain}"
assert _gain[1] > 15, f"and far more whole words: {_gain}"
assert _mean["both directions"][0] > 88, f"nine vowels in ten are right: {_mean}"
assert 79 < _mean["forward only"][0] < 81, f"without a look ahead eight: {_mean}"
for _name, _rate in RATES.items():
    _chosen = results["scores"][_name]["chosen"]["lr"]
    assert _rate == _chosen, f"{_name}: {_chosen} was chosen, not {_rate}"
_bar = results["baselines"][BARS["both directions"]][0]
_ahead = _bar - _mean["forward only"][0]
assert 5 < _ahead < 7, f"the rule with the whole word is six vowels ahead: {_ahead:.1f}"
for (_a, _b, _of), _said in verdicts.items():
    if _a == "both directions":
        assert _said.strip()[0] == "+", f"{_a} wins against {_b} in {_of}: {_said}"
        assert _said.endswith("clear"), f"{_a} against {_b} in {_of}: {_said}"
    else:
        _word = "undecided" if _of == "vowels" else "clear"
        assert _said.endswith(f": {_word}"), f"{_a} against {_b} in {_of}: {_said}"

# %% [markdown]
# Nine vowels in ten are right with a look at the future, eight in ten without: clear.
# Both directions also clearly beat the rule that sees the whole word. The forward
# network and the rule that sees as much as it does, the sounds so far, are undecided in
# vowels; only in whole words is the network clearly ahead. And the other rule, which
# can do nothing but count, gets nearly six vowels in a hundred more than that network.
# *What* a model may see can count for more than how clever it is.
#
# ### Do relatives in training help?
#
# Look at *abandon*, *abandoned*, *abandons*: whoever has learned one of them knows the
# stress of the others. If they lie on both sides of the split, the test measures in
# part what was *remembered*. That is **leakage**. To find relatives, we cut endings off
# the sounds as long as there are any, but leave at least three sounds. What remains is
# a **stem**. The rule is not perfect: it does not know that *navigate* and *navigation*
# belong together.
#
# **Predict before you run.** How many of a hundred test words have a relative, a word
# with the same stem, in the training part?


# %%
def stem(p):
    """The phonemes of a word without its endings, as text; at least three remain."""
    for ending in ENDINGS:
        if len(p) >= len(ending) + 3 and p[-len(ending) :] == ending:
            return stem(p[: -len(ending)])
    return " ".join(p)


# abandons, abandoned, baked; the same with a vowel before; and -ing, -er, -ly
ENDINGS = "L IY", "IH NG", "AH Z", "AH D", "IH Z", "IH D", "ER", "Z", "S", "D", "T"
ENDINGS = [ending.split() for ending in ENDINGS]
stems = np.array([stem(p) for p in spoken])
related = np.isin(stems[rows["test"]], stems[rows["train"]])
print(f"{related.mean():.0%} of the test words have a relative in the training part")

# %% tags=["claims"]
_share = related.mean()
assert 0.15 < _share < 0.25, f"about every fifth has a relative, not {_share:.0%}"

# %% [markdown]
# About one in five. Does that lift the score? Two splits would not tell us, as their
# test parts hold different words, and some words are easier. A clean test keeps the
# test words and takes the cause away. We train once without the relatives of all test
# words, and once without as many *strangers*: words that have relatives in training,
# too, but none in the test part.


# %%
relatives = rows["train"][np.isin(stems[rows["train"]], stems[rows["test"]])]
size = Counter(stems[rows["train"]])
family = [row for row in rows["train"] if size[stems[row]] > 1]
others = np.setdiff1d(family, relatives)


def leave_out(out, seed=0):
    """Rows of training words without "relatives", or without as many "strangers"."""
    left = relatives
    if out == "strangers":
        left = np.random.default_rng(seed).choice(others, len(relatives), replace=False)
    return np.setdiff1d(rows["train"], left)


remain = len(leave_out("relatives"))
print(f"{len(relatives)} training words are left out, {remain:,} remain")

# %% [markdown]
# **Predict before you run.** Two networks with both directions for each of five seeds
# were trained like this. How many more of a hundred related test words does the first
# get right, thanks to the relatives in its training part?

# %%
leak = results["scores"]["leak, both directions"]
for kind in ("related", "others", "all"):
    known, new = (np.array(leak[out][kind]) for out in ("strangers", "relatives"))
    print(f"{kind:8} with relatives {known.mean():.1f} %, without {new.mean():.1f} %:")
    if kind == "related":
        print("        ", verdict(known - new, results["luck"]["leak"], 1))
    else:
        low, high = seed_interval(known - new)
        worth = (known - new).mean()
        print(f"         {worth:+5.1f} (seeds {low:+.1f} to {high:+.1f})")

# %% tags=["claims"]
_worth = {}
for _kind in ("related", "others", "all"):
    _sides = [np.array(leak[_out][_kind]) for _out in ("strangers", "relatives")]
    _worth[_kind] = (_sides[0] - _sides[1]).mean()
    if _kind == "related":
        assert (_sides[0] > _sides[1]).all(), f"relatives help every seed: {_sides}"
assert 2 < _worth["related"] < 5, f"about three words in a hundred: {_worth}"
assert 0.3 < _worth["all"] < 1.5, f"about one, of all test words: {_worth}"
assert results["luck"]["leak"][0] > 0, "clear over words"

# %% [markdown]
# They do, and it is clear: of a hundred related words, about three are right only
# because of relatives in training. Over all test words, the leak lifts the score by
# about one word in a hundred. All scores above contain it. The cure costs nothing: take
# the relatives of test words out of training, as we did, or deal out whole families
# when you split (a **group split**).
#
# And the padding? We tell the trained networks that all words have 17 sounds.
#
# **Predict before you run.** Which of the two networks will notice?

# %%
kept = {}
for name, model in models.items():
    untold = predict(model, sounds[rows["test"]], torch.full((3000,), 17))
    kept[name] = score(untold.argmax(dim=2), rows["test"])[0]
    print(f"{name:15} with padding read as sounds: {kept[name]:.0f} % of vowels right")

# %% tags=["claims"]
_lost = {name: live[name][0] - kept[name] for name in kept}
assert _lost["forward only"] == 0, f"the forward network cannot notice: {_lost}"
assert _lost["both directions"] > 20, f"both directions are spoilt: {_lost}"
_more = kept["both directions"] - 100 * lazy[0]
assert _more < 5, f"they are hardly better than the lazy model, not by {_more:.1f} %"

# %% [markdown]
# With both directions it is hardly better than the lazy model of section 3. The forward
# network cannot notice. Padding stands at the end, and it never looks ahead. (Its *last
# state* would be spoilt, as slide 15 shows. Tagging does not use it.) The backward half
# reads the padding first. So a program that forgets to pack can look right for a long
# time, until someone makes it bidirectional.
#
# ## 6 · Words in which the future decides
#
# Where does the gain come from? Take two words that begin with the same sounds but are
# stressed differently there. Up to the sound where they part, a forward network has
# read the same, so it gives the same answers. It *cannot* be right in both. We look for
# all such pairs in the test part, with at least four sounds in common, among the words
# without a relative in the training part.
#
# **Predict before you run.** In what share of the pairs is the bidirectional network
# right in both words, as far as they sound alike?


# %%
def in_common(a, b):
    """How many sounds two words have in common, from the first on."""
    for n, (one, other) in enumerate(zip(spoken[a], spoken[b])):
        if one != other:
            return n
    return min(len(spoken[a]), len(spoken[b]))


begins, pairs = defaultdict(list), []
for row in rows["test"][~related]:
    begins[str(spoken[row][:4])].append(row)
for group in begins.values():
    for a, b in combinations(group, 2):
        n = in_common(a, b)
        if spoken[a] != spoken[b] and marked[a][:n] != marked[b][:n]:
            pairs.append((n, a, b))
pairs.sort(key=lambda pair: -pair[0])  # the longest beginning first

# %%
twice = {}
for name, model in models.items():
    twice[name] = 0
    for n, a, b in pairs:
        guess, truth = tag(model, [a, b]), stress[[a, b]]
        fine = (guess == truth) | (truth < 0)  # at a consonant nothing is asked
        twice[name] += fine[:, :n].all().item() / len(pairs)
    print(f"{name:15} right in both words: {twice[name]:.0%} of {len(pairs)} pairs")

# %% tags=["claims"]
assert twice["forward only"] == 0, "no forward network is right in both words"
_both = twice["both directions"]
assert _both > 0.25, f"both directions are, in about four of ten, not {_both:.0%}"

# %% [markdown]
# Never, against about four in ten. The zero is not bad luck or a lack of training. It
# is a proof: no forward model that must answer at once, of whatever size, can do better
# on such pairs. (One that may wait for the end of the word can.) Here are the three
# pairs with the longest common beginning. Each vowel is judged by itself, so the
# probabilities of a word need not add up to 1.

# %%
fig, axes = plt.subplots(2, 3, figsize=(10, 5.2), sharey=True)
shown = [row for _, a, b in pairs[:3] for row in (a, b)]
for ax, row in zip(axes.T.flat, shown):
    vowel = stress[row] >= 0
    for (name, model), colour in zip(models.items(), (GREEN, ORANGE)):
        chance = predict(model, sounds[[row]], lengths[[row]]).softmax(dim=2)
        ax.plot(chance[0, vowel, 1], "o-", color=colour, label=name)
    for place in np.flatnonzero(stress[row][vowel] == 1):
        ax.axvspan(place - 0.3, place + 0.3, color=PALE, label="dictionary", zorder=0)
    ax.set(title=words["word"][row], xlabel="vowels", xlim=(-0.5, 5.5))
    ax.set_xticks(range(vowel.sum()), [p for p, v in zip(spoken[row], vowel) if v])
for ax in axes[:, 0]:
    ax.set(ylabel="P(main stress)")
title = "Words that begin alike and are stressed differently there"
fig.suptitle(title, fontweight="bold", fontsize=11.5, x=0.01, ha="left")
fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(
    fig,
    "Six words in three columns of pairs, with the probability of main stress that two "
    "networks give to each vowel. Forward only gives equal ones to the vowels both "
    "words share. Both directions move their peak to the right vowel in two of three.",
)

# %% tags=["claims"]
for _pair, (_n, *_rows) in enumerate(pairs[:3], start=1):
    for _name, _model in models.items():
        _chance = predict(_model, sounds[_rows], lengths[_rows]).softmax(dim=2)[:, :, 1]
        _gap = (_chance[0] - _chance[1])[:_n].abs().max()
        _peak = _chance.masked_fill(stress[_rows] < 0, -1).argmax(dim=1)
        _right = (stress[_rows, _peak] == 1).tolist()
        if _name == "forward only":
            assert _gap < 1e-5, f"green values are equal in pair {_pair}: {_gap:.1e}"
        elif _pair > 1:
            assert all(_right), f"both directions move the stress of pair {_pair}"
        else:
            assert not all(_right), "in the first pair both directions are no better"

# %% [markdown]
# The green values of two words in a column are equal as far as the words are, and so
# wrong in at least one of them. In the second and third pair, the orange network moves
# the main stress to the right vowel: it has read *-ation* or *-ically*. In the first
# pair it is no better. Whether *recognizable* really differs from *recognizably*, only
# those who wrote the dictionary know, and they say themselves that it has errors.
#
# ## 7 · A forecaster that cheats
#
# A look at the future is a gift if the future is there. In a forecast it is not, and
# then the same layer is a trap. Let a network read 24 months of sunspot numbers, and at
# *every* month forecast the next. That is a common way to train, with 24 forecasts from
# one window. **Persistence**, "the next month is like this one", is what it has to
# beat. The score is the root of the mean squared error, RMSE, in sunspot numbers.
#
# **Predict before you run.** Inside the window, what does the bidirectional network
# find at the month after $t$? And at the window's last month?


# %%
class NextMonth(nn.Module):
    def __init__(self, both, units):
        super().__init__()
        self.rnn = nn.LSTM(1, units, batch_first=True, bidirectional=both)
        self.change = nn.Linear(2 * units if both else units, 1)

    def forward(self, x):  # at each month (B, T, 1), the number of the next one
        return x + self.change(self.rnn(x)[0])


# %%
sunspots = load_sunspots().to_numpy()
periods = [sunspots[part] for part in chronological_split(len(sunspots))]
scale = Standardiser.fit(periods[0])
cuts = [torch.tensor(np.hstack(windows(scale(p), 24))).float() for p in periods]
# 25 months in a row: the network reads 24, and is asked for the last 24
train, validation, (x, y) = [(cut[:, :-1, None], cut[:, 1:, None]) for cut in cuts]


def errors(forecast):  # inside the window, and at its last month
    return [scale.std * rmse(forecast[:, k], y[:, k]) for k in (slice(0, 23), 23)]


scored = {"persistence": errors(x)}
for name, both, units in (("forward only", False, 32), ("both directions", True, 22)):
    torch.manual_seed(0)
    model = NextMonth(both, units)
    fit(model, train, validation, epochs=8, batch_size=128, lr=0.01)
    scored[name] = errors(predict(model, x))
for name, (inside, last) in scored.items():
    print(f"{name:15} inside {inside:4.1f}, last month {last:.1f}")
hidden, simple = predict(model, x[:, :12])[:, -1], x[:, 11]  # windows of 12 months
hidden, simple = (scale.std * rmse(guess, y[:, 11]) for guess in (hidden, simple))
print(f"month 12, rest hidden: both {hidden:.1f}, persistence {simple:.1f}")
show_slide(HERE, 14)

# %% tags=["claims"]
_cheat, _honest = scored["both directions"], scored["forward only"]
_bar = scored["persistence"][1]
assert _cheat[0] < 4, f"inside, both directions read the answer: {_cheat[0]:.1f}"
_share = _cheat[0] / _honest[0]
assert 0.05 < _share < 0.2, f"a tenth of the honest network's error, not {_share:.2f}"
assert _honest[1] < 0.96 * _bar, f"at the last month forward wins: {_honest[1]:.1f}"
assert _cheat[1] > 0.9 * _bar, f"there both directions are not: {_cheat[1]:.1f}"
assert _cheat[1] > _honest[1], f"the cheat is the worse of the two: {_cheat[1]:.1f}"
assert hidden > 0.9 * simple, f"nor where the future is hidden: {hidden:.1f}"

# %% [markdown]
# Inside the window, the error of both directions is a fraction of that of persistence,
# far below anything you could hope for. Nothing was forecast there. The backward state
# at month $t$ has read month $t + 1$, and the network hands over what it has read. At
# the last month there is nothing to read, and it is no better than persistence, while
# the honest forward network is. Hide the future elsewhere, and the same happens, as the
# last line shows. (This is one network of each kind. Slide 14 has three, trained with
# other settings and scored on two years more, so its numbers differ.)
#
# Had you trusted the mean error over the window, you would have published a miracle.
# The rule is short. A bidirectional layer is for sequences that are *complete* when you
# ask. And if a forecast looks too good, do as in section 2: change an input that should
# not be known yet, and see if the forecast moves.
#
# ## 8 · What these numbers do not show
#
# - **Other words.** All words are from one dictionary of American English with many
#   names in it. The intervals speak about words like these.
# - **The best tagger.** It answers for each vowel alone. Nothing tells it that a word
#   has one main stress, as a rule. We did not try deeper networks or other sizes. The
#   seven epochs were set by hand (the best of them is kept), and cleverer rules than
#   our four may exist.
# - **That two directions are needed.** What matters is to see the whole word. There are
#   other ways than a layer that reads back: a forward layer could answer later.
# - **Equal cost.** The two networks have equal parameters, not equal work: the file
#   also has their CPU-seconds.
# - **Relatives that no ending shows.** Our rule knows endings. For another language, or
#   another task, you need another idea of what is related.
#
# ### Questions
#
# 1. What would happen to the score of the lazy model of section 3 if padding and
#    consonants were labelled 0 and counted?
#
# <details><summary>Answer</summary>
#
# A model that always answers 0 would be praised for nine places in ten. The second cell
# of section 3 prints both shares.
#
# </details>
#
# 2. What would happen to the pairs of section 6 if the forward network were ten times
#    as large?
#
# <details><summary>Answer</summary>
#
# Nothing, as long as it must answer at once: 0 % stays 0 %. Up to the sound where two
# words part it has read the same, so it answers the same in both. The cell of section 6
# shows the zero, and no size changes the argument.
#
# </details>
#
# 3. What would happen if you chose between the two forecasters of section 7 by their
#    mean error inside the window?
#
# <details><summary>Answer</summary>
#
# You would take the cheat. Inside, its error is a tenth of that of the honest network.
# At the last month, where there is no answer to read, it is the worse of the two: the
# cell of section 7 prints both.
#
# </details>
#
# ## Summary
#
# - A bidirectional layer is two layers. The second reads the flipped sequence, and its
#   states are flipped back.
# - Sum a sequence up with `h_n[0]` and `h_n[1]`, joined. In a single layer, the
#   backward half of `out[:, -1]` has read one input.
# - Pack padded words, and mask the loss and the score. Test that more padding changes
#   nothing.
# - For word stress the future is worth nine to ten vowels in a hundred, at an equal
#   number of parameters. A forward model that must answer at once cannot be right in
#   both words of a pair that begins alike and is stressed differently there.
# - Compare with rules that see as much as the network. To learn what a leak is worth,
#   keep the test words and take their relatives out of training.
# - In a forecast, a second direction reads the answer.
#
# **Before:** [stacked layers](4_Stacked_RNN.ipynb). **Next:** [choosing a
# model](6_Choosing_a_Model.ipynb), where all kinds of layers meet on the same tasks.


# %% tags=["measure"]
def measure(seed, model, lr, leak=False):
    """Percent of vowels and of whole words right on the test part. With `leak`, whole
    words only, trained without strangers and without relatives. "validation", which
    chooses the learning rate, is the percent of vowels that are wrong there.
    """
    both, some, found = model == "both directions", rows["test"], {}
    if leak:
        right = {}
        for out in ("strangers", "relatives"):
            net, _ = train_tagger(both, leave_out(out, seed), lr, seed)
            right[out] = per_word(tag(net, some), some)[1]
            found[out] = {
                "related": round(right[out][related].mean(), 3),
                "others": round(right[out][~related].mean(), 3),
                "all": round(right[out].mean(), 3),
            }
        worth = right["strangers"] - right["relatives"]
        return found | {"_items": worth[related].tolist()}
    net, history = train_tagger(both, rows["train"], lr, seed)
    chosen_by = score(tag(net, rows["validation"]), rows["validation"])
    return {
        "validation": round(100 - chosen_by[0], 2),
        "test": np.round(score(tag(net, some), some), 2).tolist(),
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
    guesses = {rule: by_rule(rule, counts, rows["test"]) for rule in RULES}
    scores = {rule: score(guess, rows["test"]) for rule, guess in guesses.items()}
    return {rule: np.round(found, 2).tolist() for rule, found in scores.items()}


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
        train_tagger(name == "both directions", rows["train"], RATES[name])
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
