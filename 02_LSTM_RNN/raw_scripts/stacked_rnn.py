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
# **You will be able to**
#
# - build two stacked layers by hand, and prove that they are `nn.LSTM(num_layers=2)`;
# - say what `out`, `h_n` and `c_n` hold, and where dropout acts and where it does not;
# - train a character model with a carried state and truncated backpropagation, and
#   measure whether carrying helps;
# - measure in bits how well a model knows names, beside models that count;
# - compare depth with width at an equal number of parameters;
# - draw new names, and find out how many of them are copied.
#
# You need lesson 02.2 (the LSTM layer). Reading and running takes about an hour. Where
# it says **Predict before you run**, decide on an answer first.

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
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from utils import set_up
from utils.data import load_surnames
from utils.exercises import stacked_rnn as checks
from utils.plotting import BLUE, GREY, ORANGE, plot_training, show, show_slide
from utils.training import History

set_up(seed=0)
HERE, LETTERS = "02_LSTM_RNN", ".abcdefghijklmnopqrstuvwxyz"

# %% [markdown]
# ## 1 · A layer that reads states
#
# An LSTM layer reads a sequence and gives a sequence: for each step $t$ an input $x_t$
# goes in and a state $h_t$ comes out. So a second layer can read the states of the
# first, as if they were data. Write $h_t^{(1)}$ for the state of the first layer at
# step $t$, and $h_t^{(2)}$ for that of the second. Then
#
# $$\text{layer 1 reads } x_1, \dots, x_T \qquad
# \text{layer 2 reads } h_1^{(1)}, \dots, h_T^{(1)}$$
#
# That is all of **stacking**. Each layer has its own weights, its own first state $h_0$
# and its own cell state $c$. Time runs in every layer: the second one remembers as
# well.
#
# The next cell writes it down. `lstm_layer` is the layer of lesson 02.2, a little
# shorter. `stacked` runs several of them, each on the states of the one below.
# `with_gradients` serves the proof: it adds the gradients of a loss that weighs every
# output differently, so that no error can hide behind another.


# %%
def lstm_layer(x, h, c, W_x, W_h, b_x, b_h):
    """x (T, B, I), first h and c (B, H) -> all states (T, B, H), last h and c."""
    states = []
    for from_x in x @ W_x.T + b_x + b_h:
        i, f, g, o = (from_x + h @ W_h.T).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states), h, c


def stacked(x, h_0, c_0, weights, p=0.0):
    """h_0 and c_0 (layers, B, H) -> states of the top layer, h_n, c_n."""
    ends = []
    for h, c, own in zip(h_0, c_0, weights):
        x = dropout(x, p) if ends else x  # for section 2: not before the first layer
        x, *end = lstm_layer(x, h, c, *own)  # what comes out is what the next reads
        ends.append(end)
    return x, *(torch.stack(end) for end in zip(*ends))


def with_gradients(outputs, inputs):
    loss = sum((y * torch.linspace(-1, 2, y.numel()).view_as(y)).sum() for y in outputs)
    return [*outputs, *torch.autograd.grad(loss, inputs, retain_graph=True)]


lstm = nn.LSTM(input_size=3, hidden_size=5, num_layers=2).double()
x = torch.randn(7, 4, 3).double().requires_grad_()
start = torch.randn(2, 2, 4, 5).double().requires_grad_()  # (h and c, layers, B, H)


# %% [markdown]
# The last lines made the case for the proof: an `nn.LSTM(num_layers=2)` with three
# inputs ($I$) and five units in each layer ($H$), and seven steps ($T$) of four
# sequences side by side ($B$). We compute with 64 bits, so that rounding stays far
# below $10^{-10}$.
#
# **Predict before you run.** How many arrays of weights and biases do the two layers
# have? And what is the shape of the second layer's input weights, when the first
# layer's are (20, 3)?

# %%
inputs = [*lstm.parameters(), x, start]
out, (h_n, c_n) = lstm(x, tuple(start))
ours = with_gradients(stacked(x, *start, lstm.all_weights), inputs)
theirs = with_gradients((out, h_n, c_n), inputs)
gaps = [(a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)]
equal = sum(gap < 1e-10 for gap in gaps)
print(equal, "arrays equal within 1e-10;", lstm.weight_ih_l1.shape)

# %% tags=["claims"]
assert max(gaps) < 1e-10, f"all arrays are those of nn.LSTM, not {max(gaps):.1e} off"

# %% [markdown]
# Thirteen arrays agree: three outputs, the gradients of eight arrays of weights, of the
# inputs and of the first states. The second layer reads five states instead of three
# inputs, so its matrix is (20, 5).
#
# The slide shows what comes back. `out` holds the *top* layer at *all* steps. `h_n`
# holds *all* layers at the *last* step, and `c_n` their cell states.

# %%
show_slide(HERE, 12)
swapped = nn.LSTM(3, 5, num_layers=2, batch_first=True).double()
swapped.load_state_dict(lstm.state_dict())
out_2, (h_2, c_2) = swapped(x.transpose(0, 1), tuple(start))
print("out", *out.shape, "or", *out_2.shape, "  h_n", *h_n.shape, "or", *h_2.shape)

# %% tags=["claims"]
assert torch.equal(h_n[1], out[-1]), "the last entry of h_n is the last step of out"
assert torch.equal(h_2[1], out_2[:, -1]), "and with batch_first=True as well"
_nearest = (out - h_n[0]).abs().amax(dim=(1, 2)).min()
assert _nearest > 0.01, f"h_n[0] appears in out nowhere, yet {_nearest:.1e} is near"

# %% [markdown]
# The first numbers of each pair are PyTorch's ordinary order, the second are with
# `batch_first=True`. That option turns `out` to $(B, T, H)$ and leaves `h_n` alone: it
# stays (layers, $B$, $H$). A test of this lesson checks the place where both overlap:
# the last entry of `h_n` is the last step of `out`. The other entry, `h_n[0]`, appears
# in `out` nowhere.
#
# ### Exercise 1.1 · Count the weights of a stack
#
# Write `weights_of_stack(inputs, units, layers)`: how many numbers does
# `nn.LSTM(inputs, units, num_layers=layers)` learn? PyTorch keeps two biases for each
# block of weights. **Predict first:** with `inputs` equal to `units`, does a second
# layer double the number?


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
#     total = 0
#     for k in range(layers):
#         reads = inputs if k == 0 else units
#         total += 4 * units * (reads + units + 2)
#     return total
# ```
#
# The first layer reads the inputs, every other layer reads the states of the layer
# below it. With `inputs` equal to `units` all layers are of one size, so a second layer
# does double the number.
#
# </details>
#
# ## 2 · Dropout, and where it is not
#
# **Dropout** (Srivastava et al., 2014) is a brake on learning by heart. In training it
# sets each number to zero with probability $p$, at random, and divides the others by
# $1-p$, so that their mean stays. The network can then rely on no single number.
# `nn.LSTM(dropout=p)` has it built in.
#
# **Predict before you run.** There are three places: between the layers, behind the
# last layer, and on the way from one step to the next. Slide 12 says: only the first.
# If that is true, which of `out`, `h_n[0]` and `h_n[1]` change when dropout is switched
# on?
#
# We write down our guess, *between the layers and nowhere else*, and hand it the same
# random numbers. If anything were dropped anywhere else, the results could not agree.

# %%
lstm.dropout = 0.5  # as if made with nn.LSTM(..., dropout=0.5)
torch.manual_seed(1)
theirs, (h_3, _) = lstm(x, tuple(start))
torch.manual_seed(1)  # the same random numbers once more
ours, _, _ = stacked(x, *start, lstm.all_weights, p=0.5)
print("equal to dropping between layers:", bool((ours - theirs).abs().max() < 1e-10))

# %% tags=["claims"]
_gap = (ours - theirs).abs().max()
assert _gap < 1e-10, f"dropout acts between the layers only, not {_gap:.1e} off"

# %% [markdown]
# The guess is exact. The next cell takes it apart:
#
# - dropout was on: `out`, whose last step is `h_n[1]`, is not the one of section 1;
# - `h_n[0]` is still what it was, so nothing is dropped *between the steps* of the
#   first layer; and no number of `out` is 0, so nothing is dropped *behind the last
#   layer*;
# - after `eval()` nothing is dropped at all.

# %%
top, first = (theirs - out).abs().max(), (h_3[0] - h_n[0]).abs().max()
print(f"with dropout, out moved by {top:.2f}, h_n[0] by {first:.2f}")
print("numbers of out that are 0:", (theirs == 0).sum().item())
rested, _ = lstm.eval()(x, tuple(start))
print(f"after eval(), out differs from section 1 by {(rested - out).abs().max():.2f}")

# %% tags=["claims"]
assert top > 0.01, f"dropout was on: out moved, not by {top:.1e} only"
assert first < 1e-10, f"none is dropped between steps, but h_n[0] moved by {first:.1e}"
assert (theirs != 0).all(), "none is dropped behind the last layer: no output is 0"
_gap = (rested - out).abs().max()
assert _gap < 1e-10, f"none is dropped after eval(), but out moved by {_gap:.1e}"

# %% [markdown]
# So `dropout=0.5` does nothing in a single layer, and PyTorch warns you about it. If
# you want dropout on the inputs or behind the last layer, add `nn.Dropout` there
# yourself. And call `eval()` before you measure.
#
# ## 3 · How well do you know names?
#
# A **character model** reads a text letter by letter and says, at each place, how
# probable each next letter is. Our text is the 20,000 commonest surnames of the US
# census of 1990. We learn from 16,000 of them, drawn at random, choose on 2,000 and
# test on 2,000. No name is on the list twice, so every name of the test is new. A dot
# stands between names: it ends one, and starts the next.

# %%
names = load_surnames()
order = np.random.default_rng(0).permutation(len(names))
parts = np.split(order, [16_000, 18_000])
train, validation, test = ([names[i] for i in part] for part in parts)
print("to learn from:", *train[:5], "…   to test:", *test[:5], "…")

# %% tags=["claims"]
assert len(set(names)) == len(names), "no name is on the list twice"
assert len(train + validation + test) == len(names), "the three parts hold every name"

# %% [markdown]
# How do you score a model that gives probabilities? Let $p$ be the probability that it
# gave to the letter that really came. It pays $-\log_2 p$ **bits**: nothing if it was
# sure and right, 1 if it gave one half, 3 if it gave one eighth. The score is the mean,
# in **bits per character**. Lower is better. If you know nothing, you give 1/27 to each
# of the 27 characters and pay $\log_2 27 = 4.75$ bits.
#
# The simple models count. A **unigram** model knows how frequent each letter is. A
# model with $k$ letters of **context** looks up what came after the last $k$ letters in
# training. The longer the context, the sharper the forecast, but the fewer the examples
# behind it. So we mix. Let $n$ count what followed a context, and let $d$ be how many
# *different* letters did. Then
#
# $$p_k(\text{letter}) = \frac{n(\text{letter}) + d \cdot p_{k-1}(\text{letter})}
# {n(\text{all letters}) + d}$$
#
# where $p_{k-1}$ is the same for a context shorter by one letter. It ends at no
# context, and below that at 1/27. A context that was followed by many different letters
# trusts itself less. This is **interpolated Witten-Bell** smoothing (Witten and Bell,
# 1991). `count` fills one table for each length of context, `witten_bell` mixes them,
# and `ngram_bits` adds up what a name costs.


# %%
def count(names, longest):
    """A table for each length of context: context -> how often what followed (27,)."""
    tables = [defaultdict(lambda: np.zeros(27)) for _ in range(longest + 1)]
    for text in (f".{name}." for name in names):
        for t in range(1, len(text)):
            for k in range(min(longest, t) + 1):
                tables[k][text[t - k : t]][LETTERS.index(text[t])] += 1
    return tables


def witten_bell(tables, before):
    """Probabilities of what follows the text `before`, (lengths of context, 27)."""
    p, rows = np.full(27, 1 / 27), []
    for k, table in enumerate(tables):
        n = table.get(before[len(before) - k :])
        if n is not None:  # an unknown context changes nothing
            d = np.count_nonzero(n)
            p = (n + d * p) / (n.sum() + d)
        rows.append(p)
    return np.stack(rows)


def ngram_bits(tables, names):
    """What each name costs with each length of context, (N, lengths), its end too."""

    def cost(text):
        p = [witten_bell(tables, text[:t]) for t in range(1, len(text))]
        return -np.log2([q[:, LETTERS.index(c)] for q, c in zip(p, text[1:])]).sum(0)

    return np.stack([cost(f".{name}.") for name in names])


# %% [markdown]
# Every model in this lesson is scored on the same events: each letter of each name, and
# the dot at its end. Every name starts anew. The model sees the dot before it, and
# nothing of any other name. `per_character` turns the costs of many names into the
# score.
#
# **Predict before you run.** Which length of context is best: 1, 3 or 5 letters?


# %%
def per_character(bits, names):
    """Mean over all letters and end marks; `bits` holds a sum for each name."""
    return np.sum(bits, axis=0) / sum(len(name) + 1 for name in names)


tables = count(train, longest=5)
counts_val, counts_test = ngram_bits(tables, validation), ngram_bits(tables, test)
level, ngrams = per_character(counts_val, validation), per_character(counts_test, test)
print("bits per character with 0 to 5 letters:", ngrams.round(2))

# %% tags=["claims"]
_best = level.argmin(), ngrams.argmin()
assert _best == (3, 3), f"three letters are best on validation and test, not {_best}"
assert 3.1 < ngrams[3] < 3.15, f"the best counts pay 3.12 bits, not {ngrams[3]:.3f}"

# %% [markdown]
# Three letters of context are best, on the validation part and on the test. Longer
# contexts are too rare to help this way of smoothing. The best of these models pays
# 3.12 bits. That is the score to beat here, and not the best that counting can do:
# stronger smoothing (Kneser and Ney 1995) is not tried in this lesson.
#
# ### Exercise 3.1 · Score in bits
#
# Write `bits_of(scores, came)`: the mean cost in bits of the letters that came.
# `scores` $(T, K)$ holds, for each of $T$ places, one score for each of $K$ letters.
# Their softmax $e^{s_j} / \sum_i e^{s_i}$ is the probability of letter $j$. `came`
# $(T,)$ holds the positions, counted from 0, of the right letters.


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
# Each letter pays for its own probability, and only then comes the mean. PyTorch's
# `cross_entropy` does the same with the natural logarithm: divide its result by $\log
# 2$ to get bits.
#
# </details>
#
# ## 4 · Streams, chunks and a carried state
#
# Now the network. An **embedding** is a table with one row for each character: the
# letter picks its row, 32 numbers that are learned. Stacked LSTM layers read these
# rows. A linear layer makes 27 scores out of each top state, the **logits** $s$. Their
# **softmax** $e^{s_j} / \sum_i e^{s_i}$ gives the probability of character $j$. So one
# pass gives a forecast at every step.
#
# How do we feed it? Names have different lengths. `streams` avoids all padding: it
# shuffles the names, joins them to one long text, and cuts it into 64 **streams** of
# equal length that are read side by side, as the rows of a batch.


# %%
class Letters(nn.Module):
    def __init__(self, layers, units, p=0.0):
        super().__init__()
        self.embed = nn.Embedding(27, 32)
        self.lstm = nn.LSTM(32, units, layers, dropout=p, batch_first=True)
        self.out = nn.Linear(units, 27)

    def forward(self, letters, state=None):
        """Letters (B, T) -> logits (B, T, 27) and the state, to be carried on."""
        states, state = self.lstm(self.embed(letters), state)
        return self.out(states), state


def encode(text):
    return torch.tensor([LETTERS.index(letter) for letter in text])


def streams(names, rng, rows=64):
    """What is read and what follows it, both (rows, T): the names shuffled, joined."""
    text = encode("." + ".".join(rng.permutation(names)) + ".")
    T = (len(text) - 1) // rows  # what is left over, at most 63 letters, is not used
    return text[: rows * T].view(rows, T), text[1 : rows * T + 1].view(rows, T)


def read_in_chunks(model, letters, length):
    """Logits for letters (B, T) that are read piece by piece, the state carried."""
    state, logits = None, []
    for chunk in letters.split(length, dim=1):
        forecast, state = model(chunk, state)
        logits.append(forecast)
    return torch.cat(logits, dim=1)


# %% [markdown]
# A stream has nearly two thousand steps. Going back through all of them for one update
# of the weights would be slow. So we cut the streams into **chunks** of 25 steps, and
# after each chunk we update. Two things must be settled at the cut.
#
# - *Forwards*, the state is **carried**: the next chunk starts with the state that the
#   last one ended with. A name that is cut in two is still read as one.
# - *Backwards*, the gradient stops. `detach()` keeps the numbers of a state and forgets
#   where they came from. This is **truncated** backpropagation through time (lesson
#   01).
#
# **Predict before you run.** We read 50 letters at once, then in two chunks of 25, then
# letter by letter, always with the state carried. How much do the forecasts differ? And
# what if the second chunk starts with an empty state?

# %%
read = streams(train, np.random.default_rng(0))[0][:, :50]  # (64, 50)
model = Letters(layers=2, units=78).double()
at_once, (h_n, _) = model(read)
gaps = [(read_in_chunks(model, read, n) - at_once).abs().max() for n in (25, 1)]
print("chunks of 25 and of 1 equal one pass within 1e-10:", bool(max(gaps) < 1e-10))

# %% tags=["claims"]
assert max(gaps) < 1e-10, f"chunks are one pass with the state carried: {max(gaps):.1e}"
_empty = (model(read[:, 25:])[0] - at_once[:, 25:]).abs().max()
assert _empty > 0.01, f"an empty state gives other forecasts, not {_empty:.1e} off only"
assert h_n.requires_grad, "a state remembers where it came from"
assert not h_n.detach().requires_grad, "detach cuts the way back"
_steps = streams(train, np.random.default_rng(0))[0].shape[1]
assert 1800 < _steps < 2000, f"a stream has nearly two thousand steps, not {_steps}"

# %% [markdown]
# With the state carried, chunks *are* one pass, down to chunks of one letter. That will
# be useful: in section 7 the network draws names letter by letter, and the check says
# that it is then the same model as in training. Without the state, the network must
# guess in the middle of a name, as if one had just begun. A test of this lesson checks
# that `detach` cuts the way back.
#
# But there is a catch. Names are independent: nothing in one tells you about the next.
# The carried state is useful *within* a name, and ballast at the end of it. The network
# has to learn that a dot wipes the slate. When we score, every name starts from an
# empty state, and all models are treated alike.

# %%
EPOCHS = 12


def padded(names):
    """Names below each other, (N, longest + 1): what is read, and what follows."""
    read = [encode("." + name) for name in names]
    follows = [encode(name + ".") for name in names]
    return pad_sequence(read, True), pad_sequence(follows, True, padding_value=-100)


def name_bits(model, names):
    """What each name costs in bits, (N,), its end included, from an empty state."""
    read, follows = padded(names)
    with torch.no_grad():
        logits, _ = model.eval()(read)
    nats = cross_entropy(logits.transpose(1, 2), follows, reduction="none")
    return nats.sum(dim=1).numpy() / np.log(2)


def stream_score(model, names):
    """Bits per character of names that are read as one stream, the state carried."""
    text = encode("." + ".".join(names) + ".")
    with torch.no_grad():
        logits, _ = model.eval()(text[None, :-1])
    return cross_entropy(logits[0], text[1:]).item() / np.log(2)


# %% [markdown]
# `cross_entropy` is $-\log p$ with the natural logarithm; dividing by $\log 2$ makes
# bits of it. Shorter names are padded to the length of the longest. The padding comes
# *after* the end of a name, where it cannot reach back, and a target of −100 costs
# nothing. (`stream_score` is for a question in section 6.)
#
# The training loop is that of lesson 02.1 with three additions: chunks in their order,
# the carried state, and a learning rate that first rises and then falls to almost zero
# (**one cycle**, Smith 2018). Names are shuffled anew for each **epoch**, one pass
# through all of them.


# %%
def chunks(rng, length=25):
    """One epoch: pairs (what is read, what follows), each (64, length), in order."""
    return list(zip(*(half.split(length, dim=1) for half in streams(train, rng))))


def train_network(layers, units, p=0, lr=0.02, seed=0, batches=chunks, carry=True):
    torch.manual_seed(seed)
    model, history = Letters(layers, units, p), History()
    rng, adam = np.random.default_rng(seed), torch.optim.Adam(model.parameters())
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, lr, EPOCHS * len(batches(rng)))
    for _ in tqdm(range(EPOCHS), desc="training", unit="epoch", leave=False):
        state, losses = None, []
        model.train()
        for x, y in batches(rng):
            logits, state = model(x, state)
            state = tuple(s.detach() for s in state) if carry else None
            loss = cross_entropy(logits.flatten(0, 1), y.flatten())
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            plan.step()
            losses.append(loss.item() / np.log(2))
        history.train.append(np.mean(losses))
        bits = name_bits(model, validation)
        history.validation.append(per_character(bits, validation))
    return model, history


# %% [markdown]
# ## 5 · Two layers against the counts
#
# **Predict before you run.** Two layers of 78 units, twelve epochs, 87,000 numbers to
# learn. Will they beat three letters of context? From which epoch on?
#
# The figure shows training and validation, and on the right what the network expects
# along a name that it has never seen, the first of the test part.

# %%
model, history = train_network(layers=2, units=78, lr=0.02)
read, follows = padded(test[:1])
p = model(read)[0].softmax(dim=2)[0].T.detach().numpy()  # (27, T)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), width_ratios=(1, 1.3))
plot_training(history, left, unit="bits per character")
left.axhline(level.min(), color=GREY, linestyle="--", label="counts, validation")
left.set(title="Soon it passes the counts", ylim=(2.6, 4.2))
left.legend()
image = right.imshow(p, cmap="Oranges", vmin=0, vmax=0.6, aspect="auto")
fig.colorbar(image, ax=right, pad=0.01, label="probability")
right.grid(False)
right.plot(follows[0], "o", color=BLUE, fillstyle="none", markersize=9)
right.set(xticks=range(p.shape[1]), xticklabels="." + test[0], xlabel="letter read")
right.set(yticks=range(27), yticklabels=LETTERS, title="What it expects, what came")
right.tick_params(axis="y", labelsize=8)
show(
    fig,
    "Left: training and validation fall over 12 epochs, validation below the dashed "
    "line of the counts. Right: probabilities of 27 characters along a test name; most "
    "spread thinly at its start, and a ring around the letter that came.",
)

# %% tags=["claims"]
_curve, _counts = np.array(history.validation), level.min()
assert _curve[5] < _counts, f"it is past the counts by the sixth epoch: {_curve[5]:.3f}"
assert _curve[2] > _counts, f"but not by the third: {_curve[2]:.3f}"
assert _curve[11] < 3, f"it ends below 3 bits, not at {_curve[11]:.3f}"
_heart = _curve[11] - history.train[11]
assert _heart > 0.1, f"it does much better on the names it trains on, not {_heart:.3f}"
assert test[0] == "pendergrass", f"the figure shows pendergrass, not {test[0]}"
assert "pendergrast" in train, "pendergrass has a twin among the training names"

# %% [markdown]
# The network passes the dashed line after four or five of the twelve epochs. At the end
# it does much better on the names it trains on than on others: it has begun to learn
# them by heart. On the right, each column is a forecast: what may come after the
# letters up to there. A dark cell under a ring means that it saw the letter coming, a
# pale one that it was surprised. Mostly several letters share the probability. The
# score is the mean over all columns of all 2,000 names. (A warning: *pendergrass* has a
# twin among the training names, *pendergrast*. We come back to that in section 8.)
#
# One network is an anecdote. `tools/measure.py` has trained five of each
# kind and written their scores to a file. Yours must lie among them.

# %%
path = root / HERE / "results" / "stacked_rnn.json"
file = json.loads(path.read_text(encoding="utf-8"))
nets = file["scores"]
tests = {name: np.array(net["test"]) for name, net in nets.items()}  # five seeds each
bits = name_bits(model, test)
print("five seeds:", tests["2 layers"].round(2), " counts:", ngrams[3].round(2))

# %% tags=["claims"]
_gap = per_character(bits, test) - tests["2 layers"].mean()
assert abs(_gap) < 0.03, f"yours lies among the five, not {_gap:+.3f} bits away"

# %% [markdown]
# Seeds tell what the random start does. The names of the test are random too: other
# names would have given another gain. To see how much, we draw 2,000 of them anew, with
# repetition, five thousand times (the **bootstrap**; Efron, 1979).

# %%
lengths = np.array([len(name) + 1 for name in test])
draws = np.random.default_rng(0).integers(len(test), size=(5000, len(test)))
gain = (counts_test[:, 3] - bits)[draws].sum(axis=1) / lengths[draws].sum(axis=1)
low, high = np.percentile(gain, [2.5, 97.5])
print(f"gain over the counts, 95 % of the draws: {low:.2f} to {high:.2f} bits")

# %% tags=["claims"]
assert low > 0.1, f"with other test names the gain would still be there: {low:.3f}"
_worst = max(tests["2 layers"])
assert _worst < 3, f"all five seeds stay below 3.00 bits, not {_worst:.3f}"
_worst = max(tests[depth].max() for depth in ("1 layer", "2 layers", "3 layers"))
assert _worst < ngrams[3], f"every seed of every depth beats counting: {_worst:.3f}"
_saved = counts_test[:, 3] - bits  # by each name
assert _saved.mean() > 1, f"a whole name costs over a bit less, not {_saved.mean():.2f}"
_middle = np.median(_saved)
assert _middle > 1, f"typically a name is twice as probable: {_middle:.2f} bits"
_gain = _saved.sum() / lengths.sum()
assert abs(_gain - 1 / 6) < 0.03, f"the gain is a sixth of a bit, not {_gain:.3f}"

# %% [markdown]
# All five seeds stay below 3.00 bits, and with other test names of this kind the gain
# would still be there. A sixth of a bit sounds small, but it adds up: a test of this
# lesson checks that a whole name costs over one bit less. So the network typically
# gives a new name more than twice the probability that the counts give it.
#
# ## 6 · Depth or width?
#
# Does the second layer pay? With equal *units* a deeper network is larger, and larger
# is usually better. A fair question holds the number of parameters fixed: one layer of
# 128 units, two of 78, or three of 61 all have about 87,000. Each could choose among
# three learning rates on the *validation* part, and chose the middle one. The table
# gives the mean on the test over five seeds, and the difference from one layer with its
# 95 % interval (Student's t, pairs of equal seeds: they read the same names in the same
# order). The last row has two layers and dropout of 0.2 between them.
#
# **Predict before you run.** Which is best?

# %%
gaps = {name: scores - tests["1 layer"] for name, scores in tests.items()}
half = {name: 2.776 * gap.std(ddof=1) / np.sqrt(5) for name, gap in gaps.items()}
depths = ["1 layer", "2 layers", "3 layers", "2 layers, dropout"]
for name in depths:
    score = f"{tests[name].mean():.3f}  {gaps[name].mean():+.3f} ± {half[name]:.3f}"
    print(f"{name:17}  {nets[name]['parameters'][0]:,} parameters  {score}")

# %% tags=["claims"]
for _name in ("2 layers", "3 layers"):
    _gap = gaps[_name].mean()
    assert _gap > half[_name], f"{_name} are worse, beyond the interval: {_gap:+.3f}"
_gap = gaps["3 layers"].min()
assert _gap > 0.03, f"the third layer makes it much worse in each seed, not {_gap:+.3f}"
_gap, _half = gaps["2 layers, dropout"].mean(), half["2 layers, dropout"]
assert abs(_gap) < _half, f"with dropout it is undecided: {_gap:+.3f} ± {_half:.3f}"
_sizes = [nets[name]["parameters"][0] for name in depths]
assert max(_sizes) < 1.02 * min(_sizes), f"all have about 87,000 parameters: {_sizes}"
_rates = [(nets[k]["chosen"]["lr"], nets[k]["options"]["lr"]) for k in depths[:3]]
for _rate, _tried in _rates:
    assert _tried.index(_rate) == 1, f"each chose the middle of three: {_rates}"
_others = {nets[k]["options"]["lr"] for k in nets if k not in depths[:3]}
assert _others == {_rates[1][0]}, f"what changes one thing keeps the rate: {_others}"

# %% [markdown]
# Depth does not pay here. At equal size, the second layer makes the score worse, the
# third much worse, and both intervals leave out zero. With dropout the interval holds
# zero: undecided, five seeds cannot tell two layers from one. So the best you can say
# for the second layer is that, with a brake, no harm is shown.
#
# Why? The table cannot tell. It may be that short words leave little for a second layer
# to do, while the wide layer has more units to remember with.
#
# Then the other question: was carrying the state of any use? The script has also
# trained the two layers
#
# - with an empty state at the start of each chunk ("not carried");
# - on whole names, padded, each from an empty state ("whole names");
# - in chunks of five letters, shorter than most names, with and without carrying.
#
# **Predict before you run.** Where does carrying help?


# %%
def draw_rows(ax, names):
    """A row for each network: a point for each seed, a bar at the mean."""
    for y, name in enumerate(names):
        ax.plot(tests[name], [y] * 5, "o", color=ORANGE, alpha=0.6)
        ax.plot([tests[name].mean()] * 2, [y - 0.3, y + 0.3], color=ORANGE)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set(xlabel="bits per character, test")


ways, short = ["2 layers", "not carried"], ["5 letters", "5 letters, not carried"]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
draw_rows(left, depths)
draw_rows(right, [*ways, "whole names", *short])
left.set(title="At equal size, one layer is enough")
right.set(title="Carrying pays only in short chunks")
show(
    fig,
    "Two panels of test scores, five points a row. Left: one layer is lowest, two with "
    "dropout about level, two higher, three far to the right. Right: not carried is a "
    "little below carried; with chunks of five letters it is far above carried.",
)

# %% tags=["claims"]
_cost = tests["2 layers"] - tests["not carried"]
assert _cost.min() > 0, f"chunks of 25: carrying costs something in every seed: {_cost}"
_mean = _cost.mean()
assert 0.005 < _mean < 0.015, f"it costs about a hundredth of a bit, not {_mean:.3f}"
_worth = tests["5 letters, not carried"] - tests["5 letters"]
assert _worth.min() > 0.02, f"chunks of 5: carrying is worth a lot in each: {_worth}"
_gap = tests["whole names"].mean() - tests["2 layers"].mean()
assert abs(_gap) < 0.01, f"whole names are level with carried streams: {_gap:+.3f}"
# The share of the places in a chunk where a name is not cut:
_whole = np.mean([1 - len(name) / 25 for name in train])
assert 0.7 < _whole < 0.8, f"three names in four stay whole, not {_whole:.2f}"

# %% [markdown]
# With chunks of five letters, carrying is worth a lot: without it, the network never
# sees how a long name goes on. That is what carrying is *for*: chunks that are shorter
# than what belongs together. With chunks of 25 letters about three names in four stay
# whole, and carrying does not help. It even costs about a hundredth of a bit, in every
# one of the five seeds. (On whole names the mean is the same as with carried streams,
# within the scatter of the seeds.)
#
# Why should it cost anything? A suspicion: we score each name from an *empty* state,
# and the carried network has hardly ever met one. The script has tested that, too. It
# let the networks read the 2,000 test names as one stream, with the state carried from
# name to name. The events are the same as before. The names are in random order, so the
# name before cannot help.
#
# **Predict before you run.** Which network will pay less than before, and which will
# not care?


# %%
change = {name: np.array(nets[name]["as_stream"]) - tests[name] for name in ways}
for name in ways:
    print(f"{name:11}  {change[name].mean():+.3f}  five seeds: {change[name].round(3)}")

# %% tags=["claims"]
_gap = stream_score(model, test) - np.mean(nets["2 layers"]["as_stream"])
assert abs(_gap) < 0.03, f"yours, as a stream, lies among the five: {_gap:+.3f}"
_most = change["2 layers"].max()
assert _most < 0, f"the carried network pays less with all five seeds: {_most:+.4f}"
_most = abs(change["not carried"]).max()
assert _most < 0.003, f"the other does not care, but moved by {_most:.4f}"
_cost = tests["2 layers"].mean() - tests["not carried"].mean()  # of carrying
_share = -change["2 layers"].mean() / _cost
assert 0.4 < _share < 0.7, f"about half of the cost is our scoring, not {_share:.2f}"

# %% [markdown]
# The network trained with a carried state pays less, with all five seeds (with the
# fourth by almost nothing), when it may carry on. The other does not care, as it
# should: the name before tells nothing. So a part of what carrying costs is our way of
# scoring; how large a part differs from seed to seed. We keep to the empty state, which
# treats all models alike.
#
# ## 7 · Drawing new names
#
# A model that gives probabilities can also *draw*. Start with a dot and an empty state.
# Draw a letter from the 27 probabilities, feed it back, draw the next, until a dot
# comes. One knob is usual: divide the logits by a **temperature** before the softmax.
# Below 1, likely letters become likelier still. Above 1, all come closer together.


# %%
def sample(model, count, temperature=1.0, seed=0):
    """Draw `count` names letter by letter, each from what was drawn so far."""
    generator = torch.Generator().manual_seed(seed)
    letter, state, drawn = torch.zeros(count, 1, dtype=torch.long), None, []
    for _ in range(20):
        with torch.no_grad():
            logits, state = model(letter, state)
        p = (logits[:, -1] / temperature).softmax(dim=-1)
        letter = torch.multinomial(p, 1, generator=generator)
        drawn.append(letter)
    rows = torch.cat(drawn, dim=1).tolist()
    return ["".join(LETTERS[i] for i in row).partition(".")[0] for row in rows]


# %% [markdown]
# Are the names new, or learned by heart? We sort them into three kinds: **copied** from
# the 16,000 names of training; **real**, that is on the list, but never shown to the
# network (the 4,000 names of validation and test); and **invented**, on the list
# nowhere. Real ones are the interesting kind: the network has found them by itself.
#
# **Predict before you run.** What does a low temperature do to the share of copies?

# %% tags=["nbval-ignore-output"]
held_out, copied, real = validation + test, [], []
for temperature in (0.3, 0.7, 1.0, 1.5):
    drawn = sample(model, 2000, temperature)
    copied.append(np.isin(drawn, train).mean())
    real.append(np.isin(drawn, held_out).mean())
    print(f"{temperature}: copied {copied[-1]:.0%}, real {real[-1]:.0%}  ", *drawn[:8])

# %% tags=["claims"]
assert copied == sorted(copied)[::-1], f"the hotter, the fewer copies: {copied}"
assert copied[0] > 4 * copied[3], f"many more copies at 0.3 than at 1.5: {copied}"
assert max(real) < 0.1, f"real names are rare at every temperature: {real}"
assert copied[0] > 1 / 3, f"at 0.3 over a third are copies, not {copied[0]:.0%}"

# %% [markdown]
# At 0.3 the network plays safe: it repeats what it is surest of, and more than a third
# of that are copies. At 1.5 hardly anything is on the list, and much can hardly be
# spoken. Temperature 1 is what the network believes. Many of the invented names there
# look like names. Whether somebody bears them, our list cannot tell (section 8).
#
# Many copies: has the network learned by heart? Or is it only that the training part
# holds four times as many names as the rest? Compare *per name*. Of all training names,
# which share is found in 10,000 draws? And of all held-out names? A model that has
# learned rules finds both equally often. A model that has learned by heart finds
# training names more often.
#
# For the answer you need not draw. A name that costs $b$ bits has the probability
# $2^{-b}$ (that is what bits mean), so 10,000 draws miss it with probability
# $(1-2^{-b})^{10\,000}$. `hits` takes the mean. The counts are treated like the
# network.
#
# **Predict before you run.** With a longer context, counts find more training names.
# And held-out names?


# %%
def hits(bits, draws=10_000):
    """The share of names to be found in so many draws, from what each name costs."""
    return np.mean(1 - (1 - 2.0**-bits) ** draws, axis=0)


some = train[:4000]
shown = hits(ngram_bits(tables, some))  # (6,)
hidden = hits(np.concatenate([counts_val, counts_test]))
net = nets["2 layers"]
drawn = np.mean([net["drawn_of_training"], net["drawn_of_held_out"]], axis=1)
rows = {f"{k} letters": (shown[k], hidden[k]) for k in (2, 3, 5)} | {"network": drawn}
for name, (a, b) in rows.items():
    print(f"{name:9}  training {a:5.1%}  held out {b:.1%}  ratio {a / b:.1f}")

# %% tags=["claims"]
_live = np.array([hits(name_bits(model, some)), hits(name_bits(model, held_out))])
assert np.allclose(_live, drawn, rtol=0.2), f"by the formula, yours: {_live}; {drawn}"
_ratio = shown / hidden
assert _ratio[2] < 1.4, f"with two letters the ratio is near 1, not {_ratio[2]:.2f}"
assert _ratio[5] > 5, f"with five letters the counts recite, not {_ratio[5]:.2f}"
assert hidden[5] < hidden[3], f"and find fewer held-out names: {hidden[5]:.3f}"
assert 0.2 < shown[5] < 0.3, f"and a quarter of the training names: {shown[5]:.3f}"
_own = drawn[0] / drawn[1]
assert 1.4 < _own < 2, f"the network's ratio is close to three letters', not {_own:.2f}"
_more = drawn[1] / hidden[3] - 1
assert abs(_more) < 0.15, f"it finds no more held-out names than counts: {_more:+.0%}"
_easy = np.mean(bits < np.log2(10_000))
assert _easy < 0.1, f"nine of ten test names cost over 13 bits, {_easy:.1%} do not"

# %% [markdown]
# The network's row is counted in real draws, ten thousand from each of five seeds. A
# test of this lesson compares it with the formula for yours.
#
# A ratio of 1 would mean that training names are no easier to find than others. With
# two letters of context it is near that. With five letters, the counts find a quarter
# of all training names, and *fewer* held-out names than with three letters: they
# recite. If you only asked how many drawn names stand on the list, you would call them
# the best model. The network's ratio, 1.7, is close to that of three letters, 1.5, and
# far from that of five. It does know the names of training better than others, and it
# does not recite.
#
# One thing may surprise you: the network is far better in bits than the counts with
# three letters, but it finds no more held-out names. Hits are a coarse measure. In
# 10,000 draws you find what has a probability near one in 10,000 or more, that is, what
# costs up to $\log_2 10{,}000 = 13$ bits. A test of this lesson checks that nine of ten
# test names cost more than that. Bits weigh all names, hits only see the easy ones.
#
# ### Exercise 7.1 · Turn the knob
#
# Write `at_temperature(scores, temperature)`: the probabilities from which a letter is
# drawn, for one row of scores $(K,)$. They must be positive and sum to 1.


# %%
def at_temperature(scores, temperature):
    """Probabilities (K,) at a temperature above 0."""
    ...  # your code


# %%
checks.at_temperature(at_temperature)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def at_temperature(scores, temperature):
#     p = torch.exp(scores / temperature)
#     return p / p.sum()
# ```
#
# The division comes *before* the exponential, so it changes the distances between the
# scores. After it, dividing all by one number would change nothing once the sum is 1
# again.
#
# </details>
#
# ## 8 · What these numbers do not show
#
# - **That depth never pays.** One size, one task of short words, twelve epochs. With
#   more parameters, longer texts or more training the order could be another. What the
#   table shows is that a second layer is no free gain.
# - **That the network knows names it has never met.** The list was split at random, and
#   spellings of one name fall on both sides: *pendergrass* and *pendergrast*. A harder
#   test would keep relatives together.
# - **That it knows people.** Every name counts once, smith as much as the rarest. The
#   bits are about spelling.
# - **That invented names do not exist.** Invented means: not among the 20,000 commonest
#   of one census. The full list of that census is more than four times as long.
# - **How five other lists would turn out.** The intervals cover the random start, and
#   in section 5 the choice of test names. The list stays the same.
#
# ### Questions
#
# 1. What would happen if you asked `nn.LSTM` with *one* layer for `dropout=0.5`?
#
# <details><summary>Answer</summary>
#
# Nothing, but for a warning. Dropout acts between layers, as the cell of section 2
# shows, and in one layer there is no place between.
#
# </details>
#
# 2. What would happen to the drawn names if the temperature went towards 0?
#
# <details><summary>Answer</summary>
#
# The likeliest letter would win every time, and all names would be the same one. The
# list of section 7 shows only a first step: at 0.3 likely letters win more often, so
# there are more copies than at any higher temperature, but the names still differ.
#
# </details>
#
# 3. What would happen to the score of the counts with five letters of context if you
#    scored them on the names of *training*?
#
# <details><summary>Answer</summary>
#
# It would look far better than it is. The table in section 7, before the exercise,
# shows how many training names they find, and how few others: they recite. On new names
# they are worse than three letters, as the line before Exercise 3.1 shows.
#
# </details>
#
# ## Summary
#
# - A stacked layer reads the states of the layer below. `out` holds the top layer at
#   all steps, `h_n` all layers at the last step.
# - `nn.LSTM(dropout=p)` drops between layers: not behind the last, not between steps,
#   not after `eval()`.
# - Carry the state from chunk to chunk and `detach` it. Forwards, chunks are then one
#   pass; backwards, the gradient stops at the cut.
# - Score probabilities in bits per character, all models on the same events, beside
#   Witten-Bell counts with the best length of context.
# - At equal size, depth did not pay on these names. Measure it on yours.
# - Before you admire drawn names, count copies, and compare with held-out names per
#   name.
#
# **Before:** [lesson 02.3, the GRU](3_GRU.ipynb). **Next:** [lesson
# 02.5](5_Bidirectional_RNN.ipynb) reads in both directions, and asks when that is
# allowed.


# %% tags=["measure"]
def whole_names(rng, size=214):
    """Batches of names, padded, about as many letters in each as in a chunk."""
    rows = np.array_split(rng.permutation(len(train)), -(-len(train) // size))
    return [padded([train[i] for i in part]) for part in rows]


def short_chunks(rng):
    """Chunks that are shorter than most names."""
    return chunks(rng, length=5)


def found_among(drawn, names):
    """The share of `names` that are among those drawn."""
    return round(len(set(drawn) & set(names)) / len(names), 4)


def measure(seed, batches="chunks", as_stream=False, **options):
    """Bits per character, and the shares of names that are among 10,000 drawn ones."""
    ways = {"chunks": chunks, "whole_names": whole_names, "short_chunks": short_chunks}
    model, _ = train_network(seed=seed, batches=ways[batches], **options)
    parts = {"validation": validation, "test": test}
    found = {
        name: round(per_character(name_bits(model, part), part).item(), 4)
        for name, part in parts.items()
    }
    drawn = sample(model, 10_000)
    found["drawn_of_training"] = found_among(drawn, train)
    found["drawn_of_held_out"] = found_among(drawn, validation + test)
    found["parameters"] = sum(weight.numel() for weight in model.parameters())
    if as_stream:  # the test names as one stream, the state carried on
        found["as_stream"] = round(stream_score(model, test), 4)
    return found


# The rates were doubled or halved until the best was not at an edge. What changes one
# thing of the two layers is trained at the rate that these have chosen.
TWO = {"layers": 2, "units": 78, "lr": 0.02}
MEASURE = {
    "1 layer": {"layers": 1, "units": 128, "lr": [0.005, 0.01, 0.02]},
    "2 layers": {**TWO, "lr": [0.01, 0.02, 0.04], "as_stream": True},
    "3 layers": {"layers": 3, "units": 61, "lr": [0.01, 0.02, 0.04]},
    "2 layers, dropout": {**TWO, "p": 0.2},
    "not carried": {**TWO, "carry": False, "as_stream": True},
    "whole names": {**TWO, "carry": False, "batches": "whole_names"},
    "5 letters": {**TWO, "batches": "short_chunks"},
    "5 letters, not carried": {**TWO, "batches": "short_chunks", "carry": False},
}


def baselines():
    """Bits per character on the test part with 0 to 5 letters of context, and those of
    the context that is best on the validation part.
    """
    context, rounded = int(level.argmin()), ngrams.round(4).tolist()
    return {"by_context": rounded, "context": context, "test": rounded[context]}


def overview(results):
    networks = [
        f"LSTM of {depth} {np.mean(results['scores'][depth]['test']):.2f}"
        for depth in ("1 layer", "2 layers", "3 layers")
    ]
    return [
        [
            "surnames, bits a character",
            f"Witten-Bell, best context {results['baselines']['test']:.2f}",
            ", ".join(networks),
            4,
        ]
    ]
