# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02.4 · Stacked RNN: layers on layers, and a model of names
#
# About 60 minutes. **You will be able to**
#
# - stack LSTM layers, and say what `out` and `h_n` hold and where dropout acts;
# - measure in bits how well a model knows names, beside models that count;
# - train on one long text, see which letters a network looks at, invent names.
#
# You need lessons 02.1 to 02.3 and can write a class.

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
from utils import comparing, data, plotting, set_up, training
from utils.exercises import stacked_rnn as checks

# %% [markdown]
# ## 1 · A layer that reads states
#
# An LSTM layer returns one state for each step. A second layer can read these states as
# if they were data: that is **stacking**.

# %%
set_up(seed=0)
HERE, LETTERS = "02_LSTM_RNN", ".abcdefghijklmnopqrstuvwxyz"
plotting.show_slide(HERE, 13)

# %% [markdown]
# Compare PyTorch's stack with two single layers.

# %%
torch.manual_seed(1)
stack = nn.LSTM(input_size=3, hidden_size=5, num_layers=2)
torch.manual_seed(1)  # the same random weights once more
first, second = nn.LSTM(3, 5), nn.LSTM(5, 5)
# 7 steps, 4 sequences, 3 inputs. (The slide has batch_first=True: B before T.)
x = torch.randn(7, 4, 3)  # (T, B, I)
ours, _ = second(first(x)[0])  # the second layer reads the states of the first
out, (h_n, c_n) = stack(x)
print(f"largest difference: {(ours - out).abs().max().item():.4f}")

# %% tags=["claims"]
assert (ours - out).abs().max() < 1e-5, "two layers are nn.LSTM(num_layers=2)"
assert torch.equal(h_n[1], out[-1]), "the last entry of h_n is the last step of out"
assert (first(x)[0][-1] - h_n[0]).abs().max() < 1e-5, "h_n[0] is the first layer's last"

# %% [markdown]
# The same numbers. On the slide, `out` holds the *top* layer at *all* steps, `h_n`
# *all* layers at the *last* step.
#
# **Dropout** (Srivastava et al., 2014) sits on the dotted arrows. In training it sets
# each number to zero with probability $p$. The network can rely on none of them, so it
# **overfits** less: it memorises less. `nn.LSTM(dropout=p)` drops *between* layers only
# ([proof](going_deeper/Copies_and_Hits.ipynb)); `eval()` switches it off.
#
# ### Exercise 1.1 · Count the weights of a stack
#
# Write `weights_of_stack(inputs, units, layers)`: how many numbers does such an
# `nn.LSTM` learn? Each of the blocks i, f, g, o has a row for every unit, and each row
# has two biases.


# %%
def weights_of_stack(inputs, units, layers):
    """The number of weights and biases of a stacked LSTM."""
    ...  # your code


# %%
checks.weights_of_stack(weights_of_stack)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def weights_of_stack(inputs, units, layers):
#     first = 4 * units * (inputs + units + 2)
#     other = 4 * units * (units + units + 2)
#     return first + (layers - 1) * other
# ```
#
# The first layer reads the inputs, every other layer the states below it.
#
# </details>
#
# ## 2 · How well do you know names?
#
# A **character model** says after each letter how probable each next letter is. Ours
# read surnames: the 20,000 commonest of the US census of 1990.

# %%
names = np.random.default_rng(0).permutation(data.load_surnames()).tolist()
train, validation, test = names[:16_000], names[16_000:18_000], names[18_000:]
print("to learn from:", *train[:5], "…   to test:", *test[:5], "…")

# %% tags=["claims"]
assert "pendergrast" in train and "pendergrass" in test, "relatives on both sides"
assert len(set(names)) == len(names) == 20_000, "no name is on the list twice"
assert [len(train), len(validation), len(test)] == [16_000, 2000, 2000], "the parts"


# %% [markdown]
# A model pays $-\log_2 p$ **bits** if it gave probability $p$ to the letter that came:
# 1 bit for one half, 3 for one eighth. With pencil and paper: *ng* is three events,
# *n*, *g*, and the dot that ends it. For 1/4, 1/2 and 1/8 a model pays 2 + 1 + 3 = 6
# bits, 2 **bits per character** (a **perplexity** of $2^2 = 4$). 1/27 for each letter
# and the dot costs $\log_2 27 = 4.75$ bits each.
#
# ### Exercise 2.1 · Score in bits
#
# A network gives **logits**, any numbers. The softmax $e^{s_j} / \sum_i e^{s_i}$ turns
# them into probabilities. Write `bits_of(scores, came)`, the mean cost in bits:
# `scores` $(T, K)$ is a tensor with the logits of $K$ letters at $T$ places, `came`
# $(T,)$ has the positions of the letters that came.


# %%
def bits_of(scores, came):
    """Mean of -log2 p of the letters that came."""
    ...  # your code


# %%
checks.bits_of(bits_of)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def bits_of(scores, came):
#     p = torch.softmax(scores, dim=1)
#     right = p[torch.arange(len(came)), came]
#     return -torch.log2(right).mean()
# ```
#
# Each letter pays for itself. `cross_entropy` is this with the natural logarithm.
#
# </details>
#
# ## 3 · Models that only count
#
# A **baseline** is a simple model to beat. Ours counts what
# followed each **context** of 0 to 5 letters.

# %%
counts = {}  # context -> how often each character followed it, (27,)
for text in [f".{name}." for name in train]:  # dots: where a name begins and ends
    for t in range(1, len(text)):
        for start in range(max(0, t - 5), t + 1):
            n = counts.setdefault(text[start:t], np.zeros(27))  # zeros if it is new
            n[LETTERS.index(text[t])] += 1

# %% tags=["claims"]
assert counts["perk"].sum() == 1 == counts["perk"][LETTERS.index("i")], "perkins alone"

# %% [markdown]
# After *perk* it has seen one letter, the *i* of *perkins*.
# Bet everything on *i*? Long contexts are sharp but rare. **Smoothing** mixes them with
# shorter ones. If a letter came $n$ times after a context, all letters together $N$
# times, $d$ *different* letters, and the context one letter shorter says $p'$, Witten
# and Bell (1991) take
#
# $$p = \frac{n + d \cdot p'}{N + d}$$
#
# *erk* gives *i* 0.16, so *perk* gives it $(1 + 0.16)/(1 + 1) = 0.58$.


# %%
def witten_bell(n, shorter):
    """Counts (27,) and the forecast of the shorter context (27,) -> probabilities."""
    d = np.count_nonzero(n)
    return (n + d * shorter) / (n.sum() + d)


# %%
def forecast(context, mix, table):
    shorter = np.full(27, 1 / 27)
    if context != "":
        shorter = forecast(context[1:], mix, table)  # it calls itself
    if context not in table:
        return shorter
    return mix(table[context], shorter)


# %% tags=["claims"]
_p = forecast("perk", witten_bell, counts)
assert abs(_p.sum() - 1) < 1e-9 and _p.min() > 0, "probabilities of all 27 characters"
assert abs(_p[LETTERS.index("i")] - 0.58) < 0.005, "the pencil's 0.58"
assert abs(forecast("erk", witten_bell, counts)[9] - 0.16) < 0.005, "and 0.16 before"

# %% [markdown]
# **Predict before you run.** Which is best: one, three or five letters of context?


# %%
def counting_bits(mix, table, names, longest=5):
    """Bits per character of a model that counts."""
    bits = []
    for text in [f".{name}." for name in names]:
        for t in range(1, len(text)):
            p = forecast(text[max(0, t - longest) : t], mix, table)
            bits.append(-np.log2(p[LETTERS.index(text[t])]))
    return np.mean(bits)


for k in (1, 3, 5):
    print(k, "letters:", round(counting_bits(witten_bell, counts, validation, k), 2))

# %% tags=["claims"]
_wb = [counting_bits(witten_bell, counts, validation, k) for k in (2, 3, 4, 5)]
assert _wb[1] == min(_wb), f"three letters are best: {_wb}"
assert _wb[3] - _wb[1] > 0.05, f"five are worse: {_wb}"

# %% [markdown]
# Five are *worse* than three, perhaps because Witten-Bell trusts what it saw only once
# too much ([Going deeper](going_deeper/Copies_and_Hits.ipynb) takes this apart).
#
# ### Exercise 3.1 · Challenge: a better mix
#
# Write `my_mix(n, shorter)`, like `witten_bell`. With five letters of context it must
# reach 3.03 bits on the *validation* names. (Never tune on the test names.)


# %%
def my_mix(n, shorter):
    """Counts (27,) and the forecast of the shorter context (27,) -> probabilities."""
    ...  # your code


# %%
checks.my_mix(my_mix)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_mix(n, shorter):
#     d = 5 * np.count_nonzero(n)
#     return (n + d * shorter) / (n.sum() + d)
# ```
#
# What was seen once now gets 1/6, not 1/2. The 5 is a **hyperparameter**: not learned,
# but chosen on validation names.
#
# </details>
#
# The classic (Kneser and Ney, 1995; Chen and Goodman, 1999) takes a **discount** $D$
# off each count and hands it to the shorter context. And shorter contexts count
# *kinds*: how many different letters stood *in front*. *e* came after *erk* in four
# names (*berke*, *berkeley*, *gerken*, *bjerke*): three kinds, *b*, *g* and *j*, so it
# counts 3, not 4. Going deeper builds it. Its score with five letters:

# %%
file = json.loads((root / HERE / "results/stacked_rnn.json").read_text("utf-8"))
kn = file["baselines"]["Kneser-Ney"]["test"]
print(f"Kneser-Ney, test names: {kn:.2f} bits")

# %% tags=["claims"]
_simple = file["baselines"]
_gap = counting_bits(witten_bell, counts, test, 3) - _simple["Witten-Bell"]["test"]
assert abs(_gap) < 1e-4, f"Witten-Bell is the one of the file, not {_gap:.1e} off"
assert _simple["Kneser-Ney"]["context"] == 5, "five letters were chosen"
assert _simple["Witten-Bell"]["context"] == 3, "and three for Witten-Bell"
_e = [name for name in train if "erke" in name]
assert sorted(_e) == ["berke", "berkeley", "bjerke", "gerken"], f"with erke: {_e}"
assert counts["erk"][LETTERS.index("e")] == 4, "four times"
_front = {name[name.index("erke") - 1] for name in _e}
assert _front == {"b", "g", "j"}, f"three kinds: {_front}"


# %% [markdown]
# **2.99 bits is the score to beat.**
#
# ## 4 · One long text, in streams and chunks
#
# Join all names into one text. Cut it into 64 **streams**, the rows of a batch, and
# these into **chunks** of 25 steps, with an update of the weights after each.


# %%
def encode(text):
    return torch.tensor([LETTERS.index(letter) for letter in text])


def streams(names, rng, rows=64):
    """What is read and what follows it, both (rows, T): the names shuffled, joined."""
    text = encode("." + ".".join(rng.permutation(names)) + ".")
    T = (len(text) - 1) // rows  # a few letters are left over
    return text[: rows * T].view(rows, T), text[1 : rows * T + 1].view(rows, T)


plotting.show_slide(HERE, 14)

# %% [markdown]
# At a cut, the state can be **carried** forwards: *smi·th* is read as one name. Ours
# will not be (section 6).
# Backwards the gradient stops: **truncated backpropagation through time**.
#
# An **embedding** is a table with 32 learned numbers for each character. The LSTM reads
# these, and a linear layer makes logits of its states.


# %%
class Letters(nn.Module):
    def __init__(self, layers, units, p=0.2):
        super().__init__()
        self.embed = nn.Embedding(27, 32)
        p_1 = p if layers > 1 else 0.0  # PyTorch warns about dropout in one layer
        self.lstm = nn.LSTM(32, units, layers, dropout=p_1, batch_first=True)
        self.out = nn.Sequential(nn.Dropout(p), nn.Linear(units, 27))

    def forward(self, letters, state=None):
        states, state = self.lstm(self.embed(letters), state)  # (B, T, H)
        return self.out(states), state  # logits (B, T, 27)


# %% [markdown]
# The score counts the same events as before.


# %%
def network_bits(model, names):
    pad = nn.utils.rnn.pad_sequence  # fills shorter names up at their end
    read = pad([encode("." + name) for name in names], True)  # (N, longest + 1)
    # A target of -100 costs nothing: it is PyTorch's default for "ignore".
    follows = pad([encode(name + ".") for name in names], True, -100)
    with torch.no_grad():
        logits, _ = model.eval()(read)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), follows.flatten())
    return loss.item() / np.log(2)


# %% [markdown]
# ## 5 · One layer against the counts
#
# We train one layer of 128 units for 16 epochs. The learning rate rises and then falls
# to almost zero: **one cycle** (Smith, 2018). Each chunk starts from an empty state, so
# a name cut in two is begun in its middle. Section 6 measures whether that costs
# anything. The three lines that carry the state are in Going deeper.
#
# **Predict before you run.** Will it overtake Kneser-Ney? In which epoch?

# %%
torch.manual_seed(0)
model, history = Letters(layers=1, units=128), training.History()
rng, adam = np.random.default_rng(0), torch.optim.Adam(model.parameters())
plan = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=16 * 75)
for _ in range(16):  # epochs
    read, follows = streams(train, rng)
    for x, y in zip(read.split(25, dim=1), follows.split(25, dim=1)):  # 75 chunks
        logits, _ = model.train()(x)  # train() switches dropout on, and x is read
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        plan.step()
    history.train.append(network_bits(model, train[:2000]))
    history.validation.append(network_bits(model, validation))

# %%
fig, ax = plt.subplots()
bar = file["baselines"]["Kneser-Ney"]["validation"]
ax.axhline(bar, color=plotting.GREY, linestyle="--", label="Kneser-Ney, validation")
plotting.plot_training(history, ax, unit="bits per character")
ax.set(title="One layer of 128 units")
plotting.show(fig, "stacked_rnn_training")
print(f"test names: {kn - network_bits(model, test):.2f} bits below Kneser-Ney")

# %% tags=["claims"]
assert len(read.split(25, dim=1)) == 75, "75 chunks in an epoch"
_first = int(np.argmax(np.array(history.validation) < bar)) + 1
assert 8 < _first < 15, f"it overtakes Kneser-Ney in the second half: epoch {_first}"
_own, _five = network_bits(model, test), file["scores"]["1 layer"]["test"]
assert abs(_own - np.mean(_five)) < 0.02, f"like the five of the file: {_own:.3f}"
assert _own < kn - 0.03, f"better than the counts: {_own:.3f}, {kn:.3f}"
_end = history.validation[-1] - history.train[-1]
assert 0.15 < _end < 0.25, f"it overfits, by about 0.2 bits: {_end:.3f}"

# %% [markdown]
# It overtakes Kneser-Ney in the second half. Training ends about 0.2 bits lower: it
# knows its training names better than new ones. It overfits a little.
#
# ## 6 · Depth or width?
#
# With equal *units* a deeper network is larger. So compare at equal *parameters*: one
# layer of 128 units, two of 78, three of 61, about 87,000 each. Each was trained from
# five random starts (**seeds**), learning rate and best epoch (**early stopping**)
# chosen on the validation names, dropout and 16 epochs set on one layer (which may
# favour one layer). *5 letters* means chunks of five, two layers, six epochs.
#
# **Clear** means, as in lesson 02.3: both intervals, over seeds and over test names,
# lie on the same side of 0, with room for eight comparisons.
#
# **Predict before you run.** Does depth pay? Does carrying the state? (Below zero, the
# first is better.)

# %%
bits = {name: np.array(net["test"]) for name, net in file["scores"].items()}
bits["Kneser-Ney"] = kn  # has no seed
for pair, over_names in file["luck"].items():
    a, b = pair.split(" - ")
    gap = bits[a] - bits[b]  # (5,), one for each seed
    verdict = comparing.judge(comparing.seed_interval(gap, 8), over_names)
    print(f"{pair:31} {bits[a].mean():.2f}  difference {gap.mean():+.3f}  {verdict}")

# %% tags=["claims"]
_verdicts = {}
for _pair, _items in file["luck"].items():
    _a, _b = _pair.split(" - ")
    _gap = bits[_a] - bits[_b]
    _seeds = comparing.seed_interval(_gap, comparisons=len(file["luck"]))
    _verdicts[_pair] = _gap.mean(), comparing.judge(_seeds, _items)
assert len(_verdicts) == 8, f"eight comparisons, not {len(_verdicts)}"
for _pair, _sign in {
    "1 layer - Kneser-Ney": -1,
    "2 layers - Kneser-Ney": -1,
    "3 layers - Kneser-Ney": 1,
    "2 layers - 1 layer": 1,
    "3 layers - 1 layer": 1,
    "5 letters, carried - 5 letters": -1,
}.items():
    _gap, _verdict = _verdicts[_pair]
    assert _verdict == "clear" and _gap * _sign > 0, f"{_pair}: {_gap:+.3f}, {_verdict}"
for _pair in ("1 layer, carried - 1 layer", "2 layers, carried - 2 layers"):
    assert _verdicts[_pair][1] == "undecided", f"{_pair}: {_verdicts[_pair]}"
assert abs(_verdicts["1 layer - Kneser-Ney"][0] + 0.057) < 0.0006, "0.057 bits below"
assert abs(_verdicts["2 layers - Kneser-Ney"][0] + 0.037) < 0.0006, "0.037 bits below"
_sizes = [net["parameters"][0] for net in file["scores"].values()]
assert min(_sizes) > 86_000 and max(_sizes) < 88_000, f"equal sizes: {_sizes}"


# %% [markdown]
# - **One layer wins**, clearly, 0.057 bits below Kneser-Ney. Two layers are clearly
#   below it too, by 0.037; three clearly *lose* to it.
# - **Depth does not pay here**: two and three layers are clearly worse than one.
# - **Carrying pays in chunks of five letters**. In chunks of 25 it is undecided.
#
# ## 7 · Which letters does it look at?
#
# Counts of five letters forget the sixth. In the network, how much would the
# log-probability of the likeliest next letter move if the embedding of an earlier
# letter moved a little? That is a gradient.


# %%
def connection(model, text):
    """How strongly each letter moves the forecast of the next, in shares of 1, (T,)."""
    rows = model.embed(encode(text)).detach().requires_grad_()  # (T, 32)
    states, _ = model.eval().lstm(rows)  # (T, H)
    model.out(states[-1]).log_softmax(dim=0).max().backward()
    return (rows.grad.norm(dim=1) / rows.grad.norm(dim=1).sum()).numpy()


# %%
texts = [".lichtenst", ".colangelo", ".threadgil", ".steinhaue", ".wojciecho"]
shares = np.array([connection(model, text) for text in texts])  # (5, 10)
fig, ax = plt.subplots()
picture = ax.imshow(shares, cmap="Oranges", vmin=0, vmax=0.3, aspect="auto")
fig.colorbar(picture, label="share", pad=0.01)
for row, t in np.ndindex(5, 10):  # all pairs
    ax.text(t, row, texts[row][t], ha="center", va="center", fontsize=14)
ax.set(title="Share of each letter in the next forecast", xticks=[], yticks=[])
plotting.show(fig, "stacked_rnn_connection")

# %% tags=["claims"]
_new = [any(name.startswith(text[1:]) for name in test) for text in texts]
assert all(_new), "the five are beginnings of test names"
_last, _far = shares[:, -1].mean(), shares[:, :5].sum(axis=1).mean()
assert 0.15 < _last < 0.3, f"about a fifth lies on the last letter: {_last:.2f}"
assert 0.19 < _far < 0.3, f"about a quarter on what counts forget: {_far:.2f}"
assert shares.max() < 0.3, f"the colour bar reaches to 0.3: {shares.max():.2f}"

# %% [markdown]
# About a fifth lies on the last letter, about a quarter on the first five characters,
# which counts of five have forgotten. (What moves a forecast need not improve it.)
#
# ## 8 · Invent names
#
# Start with a dot, draw a letter from the 27 probabilities, feed it back, until a dot
# comes. One knob is the **temperature**: divide the logits by it before the softmax.
# Logits 1 and 0 mean odds of $e^1 = 2.7$ to 1; at temperature 0.5, $e^2 = 7.4$ to 1.


# %%
def sample(model, count, temperature=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    letter, state, drawn = torch.zeros(count, 1, dtype=torch.long), None, []
    for _ in range(20):
        with torch.no_grad():
            logits, state = model(letter, state)  # (count, 1, 27)
        p = (logits[:, -1] / temperature).softmax(dim=-1)
        letter = torch.multinomial(p, 1, generator=generator)  # (count, 1)
        drawn.append(letter)
    rows = torch.cat(drawn, dim=1).tolist()
    return ["".join(LETTERS[i] for i in row).partition(".")[0] for row in rows]


# %% [markdown]
# **Predict before you run.** Which temperature brings the most copies?

# %% tags=["nbval-ignore-output"]
for temperature in (0.3, 1.0, 1.5):
    drawn = sample(model, 1000, temperature)
    copied = np.mean([name in train for name in drawn])
    print(f"{temperature}: {copied:.0%} copied  ", *drawn[:8])

# %% tags=["claims"]
_copied = []
for _t in (0.3, 1.0, 1.5):
    _copied.append(np.mean([name in train for name in sample(model, 1000, _t)]))
assert _copied == sorted(_copied)[::-1], f"the hotter, the fewer copies: {_copied}"
assert 0.35 < _copied[0] < 0.5, f"at 0.3 about four in ten are copies: {_copied}"
assert _copied[2] < 0.1, f"at 1.5 few: {_copied}"

# %% [markdown]
# At 0.3 about four in ten are copies, at 1.5 few, and some are hard to say. Has it
# memorised names? Going deeper compares.
#
# ### Questions
#
# 1. Why would a second layer of 128 units have *more* weights than our first?
#
# <details><summary>Answer</summary>
#
# It reads 128 states at each step, the first layer only 32 numbers.
#
# </details>
#
# 2. What names come if the temperature goes towards 0?
#
# <details><summary>Answer</summary>
#
# The likeliest letter wins each time: all names are the same.
#
# </details>
#
# 3. Why not score the counts on *training* names?
#
# <details><summary>Answer</summary>
#
# What was counted is no surprise. Only new names tell whether a model **generalises**.
#
# </details>
#
# ## Summary
#
# - `out` holds the top layer at all steps, `h_n` all layers at the last.
# - Score in bits per character, beside a strong baseline.
# - At equal size, depth did not pay on these short words.
#
# **Next:** [lesson 02.5](5_Bidirectional_RNN.ipynb) reads in both directions.


# %% tags=["measure"]
# What takes longer than a lesson: the simple models for all lengths of context and
# settings at once, and networks of any depth, carried or not.
import copy
import itertools
from collections import defaultdict
from tqdm.auto import tqdm


def count_tables(names, longest):
    """A table for each length of context: context -> how often what followed (27,)."""
    tables = [defaultdict(lambda: np.zeros(27)) for _ in range(longest + 1)]
    for text in (f".{name}." for name in names):
        for t in range(1, len(text)):
            for k in range(min(longest, t) + 1):
                tables[k][text[t - k : t]][LETTERS.index(text[t])] += 1
    return tables


def count_kinds(tables):
    """The same tables, but after how many different letters each context stood so."""
    found = [defaultdict(lambda: np.zeros(27)) for _ in tables]
    for k, table in enumerate(tables):
        for context, n in table.items():
            if context.startswith("."):
                found[k][context] = n
            if k > 0:
                found[k - 1][context[1:]] += n > 0
    return found


def mix_witten_bell(n, p, c=1):
    """Counts n (places, 27) and the shorter context's p -> probabilities."""
    d = c * np.count_nonzero(n, axis=1, keepdims=True)
    d[d == 0] = 1
    return (n + d * p) / (n.sum(axis=1, keepdims=True) + d)


def mix_kneser_ney(n, p, discounts):
    D = np.array([0, *discounts])[np.minimum(n, 3).astype(int)]  # (places, 27)
    N, D_all = n.sum(axis=1, keepdims=True), D.sum(axis=1, keepdims=True)
    D_all[N == 0] = 1
    return (n - D + D_all * p) / np.maximum(N, 1)


def look_up(tables, names):
    """What followed each place's contexts in training, (lengths, places, 27)."""
    places = [f".{name}"[:t] for name in names for t in range(1, len(name) + 2)]
    nothing = np.zeros(27)
    found = [
        [table.get(text[len(text) - k :], nothing) for text in places]
        for k, table in enumerate(tables)
    ]
    return np.array(found)


def forecasts(counts, shorter, mix):
    """(lengths, places, 27): `counts` of the longest context, `shorter` of the rest."""
    below, rows = np.full(27, 1 / 27), []
    for k in range(len(counts)):
        rows.append(mix(counts[k], below))
        below = mix(shorter[k], below)
    return np.array(rows)


def ngram_bits(p, names):
    """What each name costs with each length of context, (N, lengths), its end too."""
    came = [LETTERS.index(letter) for name in names for letter in name + "."]
    bits = -np.log2(p[:, range(len(came)), came])  # (lengths, places)
    ends = np.cumsum([len(name) + 1 for name in names])
    return np.array([own.sum(axis=1) for own in np.split(bits, ends[:-1], axis=1)])


def per_character(bits, names):
    """Mean over all letters and end marks; `bits` holds a sum for each name."""
    return np.sum(bits, axis=0) / sum(len(name) + 1 for name in names)


def choose(mix, settings, counts, shorter, names):
    """The setting that is best at its best length, and its bits at all lengths."""
    tried = []
    for setting in settings:
        p = forecasts(counts, shorter, lambda n, below: mix(n, below, setting))
        tried.append(per_character(ngram_bits(p, names), names))
    best = int(np.argmin([bits.min() for bits in tried]))
    return settings[best], tried[best]


def tune(tables, names):
    """Three simple models, tuned on these names: name -> setting, bits by length."""
    counts, kinds = look_up(tables, names), look_up(count_kinds(tables), names)
    grid = [(0.75, 0.85, 0.95), (1.0, 1.2, 1.4), (1.2, 1.5, 1.8)]
    discounts = list(itertools.product(*grid))
    return {
        "Witten-Bell": choose(mix_witten_bell, [1], counts, counts, names),
        "Witten-Bell, c": choose(mix_witten_bell, range(1, 9), counts, counts, names),
        "Kneser-Ney": choose(mix_kneser_ney, discounts, counts, kinds, names),
    }


def score_counts(tables, names, tuned):
    """What each name costs: name of the simple model -> (N, lengths)."""
    counts, kinds = look_up(tables, names), look_up(count_kinds(tables), names)
    bits = {}
    for model, (setting, _) in tuned.items():
        mix, shorter = mix_witten_bell, counts
        if model == "Kneser-Ney":
            mix, shorter = mix_kneser_ney, kinds
        p = forecasts(counts, shorter, lambda n, below: mix(n, below, setting))
        bits[model] = ngram_bits(p, names)
    return bits


def chunks(rng, length=25):
    """One epoch: pairs (what is read, what follows), each (64, length), in order."""
    return list(zip(*(half.split(length, dim=1) for half in streams(train, rng))))


def train_epoch(model, pairs, adam, plan, carry):
    """Mean loss in bits per character, with an update after each chunk."""
    state, losses = None, []
    model.train()
    for x, y in pairs:
        logits, state = model(x, state)
        state = tuple(s.detach() for s in state) if carry else None
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        plan.step()
        losses.append(loss.item() / np.log(2))
    return np.mean(losses)


def name_bits(model, names):
    """What each name costs in bits, (N,), its end included, from an empty state."""
    pad = nn.utils.rnn.pad_sequence
    read = pad([encode("." + name) for name in names], True)
    follows = pad([encode(name + ".") for name in names], True, -100)
    with torch.no_grad():
        logits, _ = model.eval()(read)
    costs = nn.functional.cross_entropy(
        logits.transpose(1, 2), follows, reduction="none"
    )
    return costs.sum(dim=1).numpy() / np.log(2)


def train_network(
    layers, units, p=0.2, lr=0.02, seed=0, length=25, carry=False, epochs=16
):
    torch.manual_seed(seed)
    model, history = Letters(layers, units, p), training.History()
    rng, adam = np.random.default_rng(seed), torch.optim.Adam(model.parameters())
    updates = epochs * len(chunks(np.random.default_rng(seed), length))
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, lr, updates)
    for epoch in tqdm(range(1, epochs + 1), desc="training", leave=False):
        pairs = chunks(rng, length)
        history.train.append(train_epoch(model, pairs, adam, plan, carry))
        bits = per_character(name_bits(model, validation), validation)
        history.validation.append(bits)
        if bits == min(history.validation):
            history.best_epoch = epoch
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, history


def stream_score(model, names):
    """Bits per character of names that are read as one stream, the state carried."""
    text = encode("." + ".".join(names) + ".")
    with torch.no_grad():
        logits, _ = model.eval()(text[None, :-1])
    loss = nn.functional.cross_entropy(logits[0], text[1:])
    return loss.item() / np.log(2)


def found_among(drawn, names):
    """The share of `names` that are among those drawn."""
    return round(len(set(drawn) & set(names)) / len(names), 4)


def measure(seed, as_stream=False, **options):
    """Bits per character, the epoch that was kept, the shares of names that are among
    10,000 drawn ones, and what each test name costs.
    """
    model, history = train_network(seed=seed, **options)
    costs = name_bits(model, test)
    found = {"validation": round(min(history.validation).item(), 4)}
    found["test"] = round(per_character(costs, test).item(), 4)
    found["epoch"] = history.best_epoch
    drawn = sample(model, 10_000)
    found["drawn_of_training"] = found_among(drawn, train)
    found["drawn_of_held_out"] = found_among(drawn, validation + test)
    found["parameters"] = sum(weight.numel() for weight in model.parameters())
    if as_stream:  # the test names as one stream, the state carried on
        found["as_stream"] = round(stream_score(model, test), 4)
    return found | {"_items": costs.tolist()}


# Tried by hand, one layer, seed 0, on the validation part: dropout and the number of
# epochs. The rates are chosen for each depth, so that the best is not at an edge;
# carrying keeps the rate of its depth.
RATES = {"lr": [0.01, 0.02, 0.04], "choose_seeds": 1}
ONE, TWO = {"layers": 1, "units": 128}, {"layers": 2, "units": 78}
SHORT = {**TWO, "lr": 0.02, "length": 5, "epochs": 6}
MEASURE = {
    "1 layer": {**ONE, **RATES, "lr": [0.005, 0.01, 0.02]},
    "2 layers": {**TWO, **RATES, "as_stream": True},
    "1 layer, carried": {**ONE, "lr": 0.01, "carry": True},
    "2 layers, carried": {**TWO, "lr": 0.02, "carry": True, "as_stream": True},
    "3 layers": {"layers": 3, "units": 61, **RATES},
    "5 letters": SHORT,
    "5 letters, carried": {**SHORT, "carry": True},
}

COMPARED = [
    ("1 layer", "Kneser-Ney"),
    ("2 layers", "Kneser-Ney"),
    ("3 layers", "Kneser-Ney"),
    ("2 layers", "1 layer"),
    ("3 layers", "1 layer"),
    ("1 layer, carried", "1 layer"),
    ("2 layers, carried", "2 layers"),
    ("5 letters, carried", "5 letters"),
]


def simple_models():
    """(setting and validation bits of each, what each test name costs)."""
    tables = count_tables(train, longest=7)
    tuned = tune(tables, validation)
    return tuned, score_counts(tables, test, tuned)


def baselines():
    """Of each simple model: bits per character on the test part with 0 to 7 letters of
    context, and what is best on the validation part: length, setting, scores.
    """
    found, (tuned, counts_test) = {}, simple_models()
    for model, (setting, level) in tuned.items():
        k, bits = int(level.argmin()), per_character(counts_test[model], test)
        own = {"by_context": bits.round(4).tolist(), "context": k}
        own["discounts" if model == "Kneser-Ney" else "c"] = setting
        own["validation"] = round(level[k].item(), 4)
        found[model] = own | {"test": own["by_context"][k]}
    return found


def luck(items):
    """Over the test names, for the mean of five seeds: the interval of each difference
    of COMPARED, in bits per character.
    """
    length = np.mean([len(name) + 1 for name in test])
    tuned, counts_test = simple_models()
    best = tuned["Kneser-Ney"][1].argmin()
    items = items | {"Kneser-Ney": counts_test["Kneser-Ney"][:, best]}
    found = {}
    for a, b in COMPARED:
        difference = (items[a] - items[b]) / length
        low, high = comparing.item_interval(difference, comparisons=len(COMPARED))
        found[f"{a} - {b}"] = [round(low, 4), round(high, 4)]
    return found


def overview(results):
    simple, nets = results["baselines"], results["scores"]
    depths = ("1 layer", "2 layers", "3 layers")
    networks = [f"{name} {np.mean(nets[name]['test']):.2f}" for name in depths]
    return [
        [
            "surnames, bits per character",
            f"Witten-Bell {simple['Witten-Bell']['test']:.2f}, "
            f"Kneser-Ney {simple['Kneser-Ney']['test']:.2f}",
            "LSTM of " + ", ".join(networks),
            4,
        ]
    ]
