# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04.2 · Attention: look where you need
#
# About 60 minutes. **You will be able to**
#
# - compute attention with a pencil, and in six lines;
# - use PyTorch's own, and its masks, without their traps;
# - build it into a decoder, see where it looks, and say who wins.
#
# You need lesson 04.1.

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

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from utils import plotting, set_up
from utils.exercises import attention as checks
from utils.spelling import START, Words, speak, train

# %% [markdown]
# ## 1 · Looking up, softly
#
# The decoder of lesson 04.1 had one vector for a whole word. When you read a word
# aloud, you look at its letters again, one after the other. So may the decoder, from
# here on.
#
# Think of a table, as a `dict` of Python: you come with a key, and get the value that
# stands there. **Attention** (Bahdanau and others, 2015) asks softly. You come with a
# **query**, it is compared with every **key**, and you get a mixture of all **values**,
# most of those whose keys fit best ([slide 6](concepts/README.md#slide-6)).
#
# ### With a pencil
#
# Three letters have the keys (1, 0), (0, 1) and (1, 1), and the values 10, 20 and 30.
# The query is (2, 0). A **score** is the sum of the products of query and key: the
# first is 2 · 1 + 0 · 0 = 2. The softmax makes weights of the scores.
#
# **Predict before you run.** What are the other scores? Will the answer be nearest to
# 10, 20 or 30?

# %%
set_up(seed=0)
HERE = "04_Beyond_RNN"
keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # (T, D)
values = torch.tensor([10.0, 20.0, 30.0])
scores = keys @ torch.tensor([2.0, 0.0])  # (T,)
weights = scores.softmax(dim=0)
print("scores", scores.tolist(), "weights", *[f"{w:.2f}" for w in weights])
print(f"answer {weights @ values:.1f}")

# %% tags=["claims"]
assert scores.tolist() == [2, 0, 2], "two keys fit equally"
assert abs(weights @ values - 20) < 0.01, f"half of 10, half of 30: {weights @ values}"

# %% [markdown]
# The first and the third key fit equally well, so the answer lies between their values,
# at 20, though the second letter, whose value is 20, has hardly any weight.
#
# ### Exercise 1.1 · One query
#
# Write `look_up(q, K, V)`: a query $(D,)$, keys $(T, D)$, and values $(T, E)$, a vector
# for each letter. Return the mixture $(E,)$.


# %%
def look_up(q, K, V):
    """The values, mixed by how well their keys fit the query."""
    ...  # your code


# %%
checks.look_up(look_up)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def look_up(q, K, V):
#     weights = (K @ q).softmax(dim=0)
#     return weights @ V
# ```
#
# One weight for each letter; `weights @ V` adds up the rows of V, each times its
# weight.
#
# </details>
#
# ## 2 · Six lines
#
# Now many queries at once, one for each step of the decoder, in a batch. Two things are
# new. The scores are divided by $\sqrt{D}$: sums of many products lie far apart, and
# their softmax looks at one key only (you will see it below). And a **mask** says where
# a query may look: not at padding. `masked_fill(~mask, …)` fills in where the mask is
# False; to the softmax, minus infinity is no weight at all. A mask is made by comparing
# places with lengths: `torch.arange(5) < 3` is True, True, True, False, False. With
# lengths of the shape $(B, 1, 1)$ there is such a row for each word, $(B, 1, T)$;
# `[:, None]` gives a tensor one more axis.


# %%
def attend(q, k, v, mask=None):
    """Queries (B, S, D), keys (B, T, D), values (B, T, E) -> (B, S, E), (B, S, T)."""
    scores = q @ k.transpose(1, 2) / k.shape[2] ** 0.5  # (B, S, T)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)  # where it is False: never
    weights = scores.softmax(dim=2)
    return weights @ v, weights


# %%
q, k, v = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 4)
mask = torch.arange(5) < torch.tensor([[[5]], [[3]]])  # (B, 1, T): 5 letters and 3
ours, weights = attend(q, k, v, mask)
theirs = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
print(f"largest difference: {(ours - theirs).abs().max():.5f}")

# %%
for D in (4, 64, 1024):
    products = torch.randn(500, 20, D) @ torch.randn(500, D, 1)  # of 20 keys
    largest = [
        s.softmax(dim=1).amax(dim=1).mean() for s in (products, products / D**0.5)
    ]
    print(f"D = {D:4}: largest weight {largest[0]:.2f}, divided {largest[1]:.2f}")

# %% tags=["claims"]
assert torch.allclose(ours, theirs, atol=1e-6), "the same"
assert (weights[1, :, 3:] == 0).all(), "nothing of the padding"
assert largest[0] > 0.9 and largest[1] < 0.3, f"one key only, undivided: {largest}"

# %% [markdown]
# The same as PyTorch's. And undivided, one key of 20 has nearly all the weight when $D$
# is large.
#
# **Two traps.** In `scaled_dot_product_attention` True means *may look*. In
# `nn.MultiheadAttention`, below, True means *leave out*. And what if a query may look
# at nothing at all? Ours gives NaN (0 divided by 0), PyTorch's function gives 0.
#
# ### Exercise 2.1 · A mask
#
# A decoder may also look at its own earlier steps, but not at later ones: they would be
# the answer. Write `may_look(lengths)`: the lengths $(B,)$ of sequences in a padded
# batch; $T$ is the largest of them. Return $(B, T, T)$: True where step $s$ (the second
# axis) may look at step $t$ (the third): if $t$ is not later than $s$, and no padding.
# (Rows of padding, where $s$ is too large, are treated like the others.)


# %%
def may_look(lengths):
    """True where step s may look at step t, (B, T, T)."""
    ...  # your code


# %%
checks.may_look(may_look)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def may_look(lengths):
#     t = torch.arange(int(lengths.max()))
#     earlier = t <= t[:, None]  # (T, T)
#     real = t < lengths[:, None]  # (B, T)
#     return earlier & real[:, None]
# ```
#
# A table for all sequences, a row for each of them; `[:, None]` gives the row an axis
# to be repeated along.
#
# </details>
#
# **Many heads.** One softmax gives one mixture. **Multi-head attention**
# (Vaswani and others, 2017) does several small ones side by side. Each sees the vectors
# through layers of its own, and a last layer mixes their answers.

# %%
layer = nn.MultiheadAttention(8, num_heads=2, bias=False, batch_first=True)
x = torch.randn(2, 5, 8)  # it looks at itself: queries, keys and values from x
q, k, v = (x @ layer.in_proj_weight.T).chunk(3, dim=2)  # each (B, T, 8)
heads = []
for part in (slice(0, 4), slice(4, 8)):
    answer, _ = attend(q[:, :, part], k[:, :, part], v[:, :, part], mask)
    heads.append(answer)
by_hand = torch.cat(heads, dim=2) @ layer.out_proj.weight.T
theirs, _ = layer(x, x, x, key_padding_mask=~mask[:, 0])  # True: leave out
print(f"largest difference: {(by_hand - theirs).abs().max():.5f}")

# %% tags=["claims"]
assert torch.allclose(by_hand, theirs, atol=1e-6), "two heads by hand"
_none = torch.zeros(1, 1, 5, dtype=torch.bool)
assert attend(q, k, v, _none)[0].isnan().all(), "nothing to look at: NaN"
_theirs = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=_none)
assert (_theirs == 0).all(), "0 in PyTorch"

# %% [markdown]
# ## 3 · A decoder that looks back
#
# Same task, same words, trained as long as in lesson 04.1. What is new: the memory of
# the encoder is not one vector but its states at all letters, $(B, T, 2H)$. After each
# of its steps the decoder looks there. Its state makes the query, the encoder's states
# are values, and make the keys (after Luong and others, 2015).

# %%
plotting.show_slide(HERE, 7)


# %%
class Looking(nn.Module):
    def __init__(self, units=47, decoder=93, size=48):
        super().__init__()
        self.read = nn.Embedding(27, 32)
        self.encoder = nn.LSTM(32, units, batch_first=True, bidirectional=True)
        self.begin, self.embed = nn.Linear(2 * units, 2 * decoder), nn.Embedding(42, 32)
        self.lstm = nn.LSTM(32, decoder, batch_first=True)
        self.query, self.key = nn.Linear(decoder, size), nn.Linear(2 * units, size)
        self.mix = nn.Linear(decoder + 2 * units, decoder)
        self.out = nn.Linear(decoder, 42)

    # Letters (B, T) -> the states at all letters (B, T, 2H); the decoder's first state.
    def encode(self, x):
        memory, (h_n, _) = self.encoder(self.read(x))
        h, c = self.begin(torch.cat([h_n[0], h_n[1]], 1)).tanh().chunk(2, dim=1)
        return memory, (h[None].contiguous(), c[None].contiguous())

    # Symbols (B, S) -> scores for the next one (B, S, symbols), and the state.
    def decode(self, given, memory, state):
        steps, state = self.lstm(self.embed(given), state)  # (B, S, decoder)
        seen, self.weights = attend(self.query(steps), self.key(memory), memory)
        return self.out(self.mix(torch.cat([steps, seen], 2)).tanh()), state

    def forward(self, x, given):
        return self.decode(given, *self.encode(x))[0]


# %% [markdown]
# No mask: in a batch all words have the same number of letters.
#
# **Predict before you run.** The network with one vector got 19 % of the sounds wrong,
# at the same size and in the same time (settings chosen for each on the validation
# words). And this one?

# %% tags=["nbval-ignore-output"]
words = Words()
torch.manual_seed(0)
options = {"epochs": 12, "lr": 0.013, "size": 128, "warm": 0.1}
model = train(Looking(), words, words.train, **options)  # about 45 seconds
said = words.write(lambda x: speak(model, x), words.validation)
wrong = words.wrong(said, words.validation)
sounds, whole = words.rates(wrong, words.validation)
print(f"validation: {sounds:.1f} % of sounds, {whole:.1f} % of words wrong")

# %% [markdown]
# ## 4 · Where does it look?
#
# Each row is a sound that it says, each column a letter; the darker, the more weight.


# %%
def show_looks(word, ax):
    """Say a word, and draw the weights of each step."""
    memory, state = model.encode(words.to_letters(word))
    symbols = speak(model, words.to_letters(word))
    said = words.to_sounds(symbols[0])
    given = torch.cat([torch.tensor([[START]]), symbols[:, : len(said)]], dim=1)
    model.decode(given, memory, state)
    ax.imshow(model.weights[0].detach(), cmap="Greys", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(word)), word)
    ax.set_yticks(range(len(said) + 1), [*said, "END"])
    ax.grid(False)


# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), width_ratios=[9, 10, 5])
for word, ax in zip(("phonology", "thoroughly", "xerox"), axes):
    show_looks(word, ax)
plotting.show(fig, "attention_maps")

# %% tags=["claims"]
_back = _steps = 0
with torch.random.fork_rng():  # the order of batches is drawn
    _batches = words.batches(words.validation, size=256)
for _some in _batches:
    _x, _, _ = words.tensors(_some)
    _said = speak(model, _x)
    _given = torch.cat([torch.full((len(_x), 1), START), _said[:, :-1]], dim=1)
    model.decode(_given, *model.encode(_x))
    for _places, _one in zip(model.weights.argmax(dim=2), _said):
        _places = _places[: len(words.to_sounds(_one))]
        _back += (_places.diff() < 0).sum().item()
        _steps += len(_places) - 1
assert _back < 0.01 * _steps, f"it hardly ever goes back: {_back} of {_steps}"
assert words.spelling.index("thoroughly") in words.validation, "new to it"
assert "phonology" not in words.spelling, "not in the data at all"

# %% [markdown]
# Nobody told it which letter makes which sound, or that one reads from left to right.
# Of all its steps on the validation words, less than one in a hundred goes back. The
# *ph* of *phonology* is one sound, the last *x* of *xerox*, a word it was trained on,
# two. *Thoroughly* (TH ER OW L IY) it says wrong, and after *o* its weights are spread;
# of *xerox* (Z IH R AA K S) it gets one vowel wrong. (A map shows *where* it looked,
# not *why* it said so.)
#
# **It finds its way back.** In lesson 04.1 we told a decoder one false sound. Told the
# same lie, the decoder that looks is nearly as good as without it after three steps;
# the one with one vector still makes twice as many mistakes as without.

# %%
plotting.show_slide(HERE, 5)

# %% tags=["claims"]
_slide = json.loads((root / HERE / "concepts/measurements.json").read_text("utf-8"))
for _name, _lie in _slide["lie"].items():
    _last = _lie["lie"][3] / _lie["truth"][3]
    assert (_last < 1.35) == (_name == "attention"), f"{_name}: {_last}"
    assert _name == "attention" or 1.7 < _last < 2.4, f"{_name}: {_last}"

# %% [markdown]
# ## 5 · Who wins?
#
# Three more networks, as large (126,000 to 128,000 weights) and trained as long (about
# 45 seconds). For each, learning rates, batches and plans were tried on the validation
# words. And counting, whose size is not limited.
#
# - **Additive attention**, the older form: the score is a small network of query and
#   key, $v \cdot \tanh(W q + U k)$ (Bahdanau and others, 2015).
# - **CTC** of lesson 03.3, with two outputs for each letter, so that a word may have
#   more sounds than letters. No decoder at all.
# - A **Transformer** (after Vaswani and others, 2017): no recurrence. Twice, each
#   letter attends to all letters (*self-attention*); then, twice, each sound attends to
#   the sounds before it and to all letters. Order is told by vectors, one for each
#   place, that are learned and added.
# - The **joint n-gram** of lesson 04.1, which counts.

# %%
plotting.show_slide(HERE, 9)

# %% [markdown]
# **Predict before you run.** Who has the fewest wrong sounds? Who the fewest wrong
# words?

# %%
first = json.loads((root / HERE / "results/encoder_decoder.json").read_text("utf-8"))
file = json.loads((root / HERE / "results/attention.json").read_text("utf-8"))
tests = {"joint n-gram": first["baselines"]["joint n-gram"]["test"]}
for name, net in file["scores"].items():
    if "by stem" not in name:
        tests[name] = np.mean(net["test"], axis=0)
print("wrong:    sounds  words")
for name in sorted(tests, key=lambda name: tests[name][0]):
    print(f"{tests[name][0]:14.1f} {tests[name][1]:6.1f}  {name}")

# %% tags=["claims"]
from utils import comparing as _comparing

_all = {name: np.array(net["test"]) for name, net in file["scores"].items()}
_all["joint n-gram"] = np.array([first["baselines"]["joint n-gram"]["test"]] * 5)
_own, _five = sounds, np.mean(file["scores"]["attention"]["validation"])
assert abs(_own - _five) < 0.8, f"like the five of the file: {_own:.1f}, {_five:.1f}"
_clear = {}
for _pair, _items in file["luck"].items():
    _names, _, _what = _pair.partition(", ")
    _a, _b = _names.split(" - ")
    _gap = (_all[_a] - _all[_b])[:, int(_what == "words")]
    _seeds = _comparing.seed_interval(_gap, len(file["luck"]))
    _clear[_pair] = _comparing.judge(_seeds, _items) == "clear" and _gap.mean()
_undecided = {pair for pair, clear in _clear.items() if not clear}
assert _undecided == {
    "attention - additive attention, sounds",
    "attention - additive attention, words",
    "CTC - attention, words",
    "CTC - joint n-gram, sounds",
}, f"{_undecided}"
for _pair in _clear.keys() - _undecided:  # the first is better, but for counting
    assert (_clear[_pair] < 0) != ("joint" in _pair), f"{_pair}: {_clear[_pair]}"
assert file["scores"]["attention"]["chosen"]["lr"] == options["lr"], "its own lr"
_means = {name: test.mean(axis=0).round(1).tolist() for name, test in _all.items()}
assert _means["one vector"] == [19.5, 60.4], "one vector"
assert _means["attention"] == [11.6, 47.2], "attention"
assert _means["CTC"] == [10.2, 45.7], "CTC"
assert _means["joint n-gram"] == [10.1, 42.5], "counting"
_sizes = [net["parameters"][0] for net in file["scores"].values()]
assert min(_sizes) > 126_000 and max(_sizes) < 128_200, f"as large: {_sizes}"
assert _means["Transformer"][0] == 14.6, "Transformer"
assert _means["Transformer, three times as long"][0] == 12, "three times as long"
assert _means["attention, by stem"][1] == 48.4, "by families"
assert _means["CTC, by stem"][1] == 47.1, "by families"
assert round(first["luck"]["joint n-gram, by stem"][1], 1) == 46.9, "by families"

# %% [markdown]
# - **Attention** has 11.6 % of the sounds wrong, one vector 19.5. Products of query and
#   key or the additive form: undecided.
# - **Counting** has the fewest wrong **words**, 42.5 %; CTC has 45.7, attention 47.2
#   (between these two: undecided).
# - **CTC and counting** have the fewest wrong **sounds**, 10.2 and 10.1 %: undecided.
#   In both, each answer belongs to one letter.
# - The **Transformer** has 14.6 % wrong. In these seconds it gets through its data four
#   times, the LSTM twelve times; in three times as long it comes to 12.0 %. It was made
#   for long sequences, much data and machines that compute many places at once.
#
# What is not called undecided is clear (lesson 02.3). A beam makes attention a little
# better. Counting gains most from relatives, as *award* in the training part when
# *awarded* is asked. With all forms of a word in the same part (lesson 02.5), 46.9 % of
# its words are wrong, against 47.1 for CTC and 48.4 for attention.

# %%
GROUPS = ["up to 4", "5", "6", "7", "8", "9", "10", "11, 12", "13 and more"]
fig, ax = plt.subplots(figsize=(9, 3.4))
looks = {"one vector": "o:", "attention": "o-", "CTC": "s-", "Transformer": "^--"}
for name, look in looks.items():
    ax.plot(
        GROUPS, np.mean(file["scores"][name]["by length"], axis=0), look, label=name
    )
counts = first["baselines"]["joint n-gram"]["by length"]
ax.plot(GROUPS, counts, "s-", color=plotting.GREY, label="joint n-gram")
ax.set(xlabel="letters of the test word", ylabel="sounds wrong, %", ylim=(0, None))
ax.legend()
plotting.show(fig, "attention_lengths")

# %% tags=["claims"]
_by = {n: np.mean(file["scores"][n]["by length"], axis=0) for n in looks}
assert np.ptp(_by["attention"][4:]) < 1, f"level: {_by['attention']}"
assert (np.diff(_by["one vector"][2:]) > 0).all(), "one vector rises"
assert _by["CTC"][-1] < 0.85 * _by["CTC"][2] and counts[-1] < 0.7 * counts[2], "fall"
assert _by["Transformer"][-1] > 1.2 * _by["Transformer"][4], "it rises at the end"

# %% [markdown]
# With attention the errors no longer grow with the word. CTC and counting get better,
# perhaps because long words are made of parts that they know. The Transformer, still
# short of training, gets worse, most of all at the very end.
#
# ### Exercise 5.1 · Challenge: a copier that looks
#
# The network with one vector could not copy long strings (lesson 04.1, section 4). Here
# the strings have gaps as well, zeros to be left out: of 3 0 7 0 0 5 the copy is 3 7 5.
# Write the class `Copier`, whose `forward(x, given)` gets strings $(B, T)$ of 0 and the
# symbols 1 to 10, and what is copied so far $(B, S)$, 11 for START; it returns scores
# for the next symbol $(B, S, 12)$; 0 is never right. In a batch all strings have
# equally many symbols and gaps, so nothing is padded, and there is no END. The check
# trains a `Copier()` on 2,000 batches with 5 to 20 symbols, then has it copy strings
# with 20, given the true symbols. With one vector more than a quarter is wrong. Get
# below 12 %. Use `attend`.


# %%
class Copier(nn.Module):
    """Strings (B, T) and what is copied so far (B, S) -> scores (B, S, 12)."""

    ...  # your code


# %%
checks.Copier(Copier)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# class Copier(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.embed = nn.Embedding(12, 16)
#         self.encoder = nn.LSTM(16, 32, batch_first=True, bidirectional=True)
#         self.decoder = nn.LSTM(16, 64, batch_first=True)
#         self.out = nn.Linear(128, 12)
#
#     def forward(self, x, given):
#         memory, _ = self.encoder(self.embed(x))
#         steps, _ = self.decoder(self.embed(given))
#         seen, _ = attend(steps, memory, memory)
#         return self.out(torch.cat([steps, seen], dim=2))
# ```
#
# Each step of the decoder sees the symbol that it needs. (Given the encoder's last
# state to begin with, it learns still faster.)
#
# </details>
#
# ### Questions
#
# 1. All scores of a query are 0. What does it get?
#
# <details><summary>Answer</summary>
#
# The mean of all values: equal scores make equal weights.
#
# </details>
#
# 2. With attention, long words need no larger states. Why?
#
# <details><summary>Answer</summary>
#
# Its memory grows with the word: one state for each letter.
#
# </details>
#
# ## Summary
#
# - Attention: compare a query with all keys, mix the values by the softmax.
# - `scaled_dot_product_attention`: True may look; `nn.MultiheadAttention`: may not.
# - With attention, long words are no harder than others. Counting and CTC still make
#   fewer errors here.
#
# **Next:** [contents](../README.md#the-lessons-in-order).

# %% tags=["measure"]
# What takes longer than a lesson: five seeds, and the rivals, which
# going_deeper/Rivals_of_Attention.ipynb explains.
from utils import comparing
from utils.spelling import END

# Each was trained for about 45 CPU-seconds. By hand, on the validation part, seed 0:
# batches of 32 to 128, as many epochs as fit, a learning rate that rises for 0.05, 0.1
# and 0.3 of the time; about 30 runs.
COMPARED = [
    ("attention", "one vector"),
    ("attention", "additive attention"),
    ("CTC", "attention"),
    ("attention", "Transformer"),
    ("attention", "joint n-gram"),
    ("CTC", "joint n-gram"),
]


class Speaker(Looking):
    """The network of lesson 04.1: one vector, fed to every step."""

    def __init__(self, units=46, decoder=88):
        super().__init__(units=units, decoder=decoder)
        self.lstm = nn.LSTM(32 + 2 * units, decoder, batch_first=True)
        self.query = self.key = self.mix = None

    def encode(self, x):
        _, (h_n, _) = self.encoder(self.read(x))
        vector = torch.cat([h_n[0], h_n[1]], dim=1)
        h, c = self.begin(vector).tanh().chunk(2, dim=1)
        return vector, (h[None].contiguous(), c[None].contiguous())

    def decode(self, given, vector, state):
        repeated = vector[:, None].expand(-1, given.shape[1], -1)
        steps, state = self.lstm(torch.cat([self.embed(given), repeated], 2), state)
        return self.out(steps), state


class Additive(Looking):
    """The score is a small network of query and key."""

    def __init__(self):
        super().__init__()
        self.v = nn.Linear(48, 1, bias=False)

    def decode(self, given, memory, state):
        steps, state = self.lstm(self.embed(given), state)
        both = self.query(steps)[:, :, None] + self.key(memory)[:, None]  # (B, S, T, D)
        self.weights = self.v(both.tanh())[..., 0].softmax(dim=2)
        seen = self.weights @ memory
        return self.out(self.mix(torch.cat([steps, seen], 2)).tanh()), state


class Transformer(nn.Module):
    """Attention in place of recurrence: two layers read, two write."""

    def __init__(self, width=48, heads=4, inner=162, layers=2):
        super().__init__()
        self.read, self.embed = nn.Embedding(27, width), nn.Embedding(42, width)
        self.place = nn.Parameter(0.02 * torch.randn(24, width))
        options = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        options["activation"] = "gelu"
        reader = nn.TransformerEncoderLayer(width, heads, inner, **options)
        writer = nn.TransformerDecoderLayer(width, heads, inner, **options)
        norms = nn.LayerNorm(width), nn.LayerNorm(width)
        self.encoder = nn.TransformerEncoder(
            reader, layers, norms[0], enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(writer, layers, norms[1])
        for part in self.encoder, self.decoder:  # else both layers begin alike
            for weight in part.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)
        self.out = nn.Linear(width, 42)

    def encode(self, x):
        return self.encoder(self.read(x) + self.place[: x.shape[1]]), None

    def decode(self, given, memory, state):
        """The state is what was given before."""
        given = given if state is None else torch.cat([state, given], dim=1)
        S = given.shape[1]
        later = torch.ones(S, S, dtype=torch.bool).triu(1)  # True: leave out
        x = self.embed(given) + self.place[:S]
        return self.out(self.decoder(x, memory, tgt_mask=later)), given

    def forward(self, x, given):
        return self.decode(given, *self.encode(x))[0]


class Labels(nn.Module):
    """CTC: two answers for each letter, of 39 sounds or blank (0)."""

    def __init__(self, units=56):
        super().__init__()
        self.read = nn.Embedding(27, 32)
        options = {"batch_first": True, "bidirectional": True}
        self.lstm = nn.LSTM(32, units, num_layers=2, **options)
        self.out = nn.Linear(2 * units, 2 * START)

    def forward(self, x):
        scores = self.out(self.lstm(self.read(x))[0])  # (B, T, 80)
        return scores.unflatten(2, (2, START)).flatten(1, 2).log_softmax(dim=2)


def ctc_loss(model, words, rows):
    x, _, wanted = words.tensors(rows)
    sounds = wanted.where(wanted != END, 0)
    sizes = torch.full((len(x),), 2 * x.shape[1]), (sounds > 0).sum(dim=1)
    log_p = model(x).transpose(0, 1)  # (2T, B, 40)
    return nn.functional.ctc_loss(log_p, sounds, *sizes, zero_infinity=True)


@torch.no_grad()
def say_labels(model, x):
    """Greedy reading: merge equal neighbours, drop the blanks."""
    merged = [torch.unique_consecutive(one) for one in model(x).argmax(dim=2)]
    return [one[one > 0] for one in merged]


@torch.no_grad()
def beam_search(model, x, width=5):
    """The best symbols for letters (1, T), as in lesson 04.1."""
    memory, state = model.encode(x)
    beam = [(0.0, [START], state)]
    for _ in range(20):
        found = [one for one in beam if one[1][-1] == END]
        for total, said, state in beam:
            if said[-1] != END:
                scores, new = model.decode(torch.tensor([[said[-1]]]), memory, state)
                best = scores[0, -1].log_softmax(dim=0).topk(width)
                for log_p, k in zip(best.values.tolist(), best.indices.tolist()):
                    found.append((total + log_p, [*said, k], new))
        beam = sorted(found, key=lambda one: -one[0])[:width]
    return beam[0][1][1:]


def after_a_lie(model, rows):
    """Percent wrong at steps 4 to 7 of words of seven sounds and more: told the truth,
    and a random sound before step 4.
    """
    found = {}
    for name, lie in {"truth": False, "lie": True}.items():
        wrong = []
        for some in words.batches(rows):
            x, given, wanted = words.tensors(some)
            if lie:
                given[:, 3] = torch.randint(1, START, (len(some),))
            with torch.no_grad():
                said = model(x, given).argmax(dim=2)
            wrong.append((said != wanted)[:, 3:7])
        shares = 100 * torch.cat(wrong).double().mean(dim=0)
        found[name] = shares.numpy().round(1).tolist()
    return found


def group_of(rows):
    """(N,) the place in GROUPS of each word."""
    return np.digitize(words.lengths[rows], [5, 6, 7, 8, 9, 10, 11, 13])


KINDS = {one.__name__: one for one in (Looking, Additive, Labels, Transformer, Speaker)}


def measure(seed, kind, epochs, lr, size=64, warm=0.1, beam=0, by_stem=False):
    """Percent of sounds and of words wrong, and by length."""
    torch.manual_seed(seed)
    own, model = Words(by_stem), KINDS[kind]()
    options = {"loss": ctc_loss} if kind == "Labels" else {}
    train(model, own, own.train, epochs, lr, size, warm, **options)

    def say(x):
        if beam:
            return [beam_search(model, one[None], beam) for one in x]
        return say_labels(model, x) if kind == "Labels" else speak(model, x)

    found = {"parameters": sum(p.numel() for p in model.parameters())}
    for part in ("validation", "test"):
        rows = getattr(own, part)
        wrong = own.wrong(own.write(say, rows), rows)
        found[part] = np.round(own.rates(wrong, rows), 2).tolist()
    sounds = np.array([len(own.spoken[row]) for row in rows])
    group = group_of(rows)
    shares = np.bincount(group, wrong) / np.bincount(group, sounds)
    found |= {"validation": found["validation"][0]}
    found["by length"] = (100 * shares).round(2).tolist()
    found["_items"] = (100 * np.stack([wrong / sounds.mean(), wrong > 0])).tolist()
    if kind != "Labels":
        many = (own.wanted > 0).sum(dim=1)[own.validation]
        found |= after_a_lie(model, own.validation[many > 7])
    return found


LOOKING = {"kind": "Looking", "epochs": 12, "size": 128}
CTC = {"kind": "Labels", "epochs": 11}
MEASURE = {
    "attention": LOOKING | {"lr": [0.009, 0.013, 0.018], "choose_seeds": 1},
    "additive attention": {
        "kind": "Additive",
        "epochs": 9,
        "lr": [0.007, 0.011, 0.016],
        "choose_seeds": 1,
    },
    "CTC": CTC | {"lr": [0.006, 0.009, 0.013], "choose_seeds": 1},
    "Transformer": {
        "kind": "Transformer",
        "epochs": 4,
        "size": 32,
        "lr": [0.004, 0.006, 0.009],
        "choose_seeds": 1,
    },
    "one vector": {"kind": "Speaker", "epochs": 12, "lr": 0.006, "warm": 0.3},
    "attention, beam of 5": LOOKING | {"lr": 0.013, "beam": 5},
    "attention, by stem": LOOKING | {"lr": 0.013, "by_stem": True},
    "CTC, by stem": CTC | {"lr": 0.009, "by_stem": True},
    "Transformer, three times as long": {
        "kind": "Transformer",
        "epochs": 12,
        "size": 32,
        "lr": 0.006,
    },
}


def counted():
    """(2, N): sounds and words wrong, in percent, of the joint n-gram of 04.1."""
    path = root / HERE / "results/encoder_decoder.json"
    joint = json.loads(path.read_text("utf-8"))["baselines"]["joint n-gram"]
    wrong = np.array([int(digit) for digit in joint["wrong in each word"]])
    sounds = np.array([len(words.spoken[row]) for row in words.test])
    return 100 * np.stack([wrong / sounds.mean(), wrong > 0])


def luck(items):
    """Of each pair of COMPARED: the intervals over words, of sounds and of words."""
    items, found = items | {"joint n-gram": counted()}, {}
    for a, b in COMPARED:
        for k, what in enumerate(("sounds", "words")):
            gap = items[a][k] - items[b][k]
            ends = comparing.item_interval(gap, comparisons=2 * len(COMPARED))
            found[f"{a} - {b}, {what}"] = np.round(ends, 2).tolist()
    return found


def overview(results):
    texts = {}
    for name, net in results["scores"].items():
        sounds, whole = np.mean(net["test"], axis=0)
        texts[name] = f"{name} {sounds:.1f} / {whole:.1f} %"
    names = "attention", "CTC", "Transformer"
    sounds, whole = counted().mean(axis=1)
    return [
        [
            "the same, as large and as long each",
            f"joint n-gram {sounds:.1f} / {whole:.1f} %",
            ", ".join(texts[name] for name in names),
            2,
        ]
    ]
