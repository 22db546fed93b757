# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Introduction to recurrent neural networks
#
# About 60 minutes. **You will be able to**
#
# - write the cell of a recurrent neural network (RNN), and build a small one;
# - say why gradients vanish or explode, and what gates are for.
#
# You can write a class in Python and have worked through
# [PyTorch in Ten Minutes](PyTorch_in_Ten_Minutes.ipynb).
#
# Choose *Kernel → Restart Kernel and Clear Outputs of All Cells*. At **Predict
# before you run**, decide first.

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
import torch, ipywidgets as widgets, matplotlib.pyplot as plt, numpy as np
from torch import nn
from utils import data, set_up
from utils.exercises import rnn_intro as checks
from utils.plotting import GREEN, explore, show_slide

set_up(seed=0)  # the same random numbers in every run
HERE = "01_Introduction_to_RNN"

# %% [markdown]
# ## 1 · What is an RNN?
#
# In a **sequence** the order carries information. **Predict before you run.** Eight
# noisy values rise, or fall, from a random level. Three networks learned to tell which.
# One saw the values *sorted*, one only the last, one read all in order. How often is
# each right?

# %%
show_slide(HERE, 1)

# %% tags=["claims"]
import json

_order = json.loads((root / HERE / "concepts/measurements.json").read_text())["order"]
assert max(_order["unordered"]) < 54, f"without order they tell nothing: {_order}"
assert min(_order["four_units"]) > 95, f"in order, nearly always right: {_order}"

# %% [markdown]
# (The bars on the slide are drawn without the noise.) Without order the values say
# nothing. The third network is a **recurrent** one: it reads step by step and keeps a
# memory.
#
# The next one reads 20,000 American surnames and learns to *invent names*. You need not
# understand each line yet.

# %%
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # a dot stands between two names


class NameWriter(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(27, 16)  # for each of 26 letters and the dot
        self.rnn = nn.RNN(16, 64, batch_first=True)  # a memory of 64 numbers
        self.score = nn.Linear(64, 27)  # a score for each possible next letter

    def forward(self, letters, memory=None):
        states, memory = self.rnn(self.embed(letters), memory)
        return self.score(states), memory


# %% [markdown]
# To invent a name, draw a letter at random, the likely ones more often, feed it back
# in, and so on.


# %%
def invent(net):
    name, letter, memory = "", 0, None  # start as if a dot had just been read
    while len(name) < 12 and not name.endswith("."):
        scores, memory = net(torch.tensor([[letter]]), memory)
        chances = scores[0, 0].softmax(dim=0)  # 27 chances that add up to 1
        letter = torch.multinomial(chances, 1).item()  # draw one letter
        name += LETTERS[letter]
    return name.rstrip(".")


# %% [markdown]
# One pass over all names is an **epoch**. The loss, *cross-entropy*, is small when the
# letter that really came next had a high score.

# %%
text = "." + ".".join(data.load_surnames()) + "."  # .smith.johnson.williams. ...
codes = torch.tensor([LETTERS.index(letter) for letter in text])
rows = codes.unfold(0, 25, 24)  # cut the text into rows of 25 letters
net = NameWriter().double()  # 64 bits, so that rounding does not change your names
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(6):
    print(f"after {epoch} epochs:", *[invent(net) for _ in range(9)])  # nine names
    for batch in rows[torch.randperm(len(rows))].split(64):
        scores, _ = net(batch[:, :-1])  # at each of 24 letters, score the next one
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %% tags=["claims"]
assert loss < 2.4, f"it has learned which letters follow each other: {loss:.2f}"
assert len(data.load_surnames()) == 20_000, "20,000 surnames"
with torch.random.fork_rng():
    _names = [invent(net) for _ in range(200)]
_sung = np.mean([bool(set(name) & set("aeiouy")) for name in _names])
assert _sung > 0.95, f"it knows where vowels go: {_sung:.0%} of its names have one"

# %% [markdown]
# Soon it knows where vowels go, though no line of code says what a vowel is.
#
# ## 2 · The architecture
#
# An RNN is a **cell** in a loop. From the input $x_t$ of step $t$ and the old memory
# $h_{t-1}$ it makes the new memory $h_t$, the **hidden state**. Drawn step by step, the
# loop is the **unrolled** network (first slide). All copies share their weights, so it
# reads 7 steps or 700.
#
# Tasks differ in where inputs enter and outputs leave (second slide). While it learns,
# the name writer is *many to many*; rising or falling is *many to one*.

# %%
show_slide(HERE, 2)
show_slide(HERE, 3)

# %% [markdown]
# ## 3 · The cell and its hidden state
#
# The smallest cell has one number of memory, one **unit**:
#
# $$h_t = \tanh(w_x x_t + w_h h_{t-1} + b)$$
#
# $w_x$ lets the input in, $w_h$ carries the old state over, the **bias** $b$ is a
# constant, and tanh squashes the sum into the range from −1 to 1.
#
# **Predict before you run.** With $w_x = 1$, $w_h = 0.5$ and $b = 0$ we put in 1, 0, 0.
# The first state is $\tanh(1) = 0.76$. Is the 1 forgotten at step 2?

# %%
h = 0.0  # before the first step nothing is remembered
for x_t in (1, 0, 0):
    h = np.tanh(1 * x_t + 0.5 * h + 0)
    print(f"x = {x_t}   h = {h:.2f}")
show_slide(HERE, 4)

# %% [markdown]
# It fades: each step keeps about half. With more inputs and units only the shapes
# change (slide). Is this all there is to `nn.RNN`? We copy its weights.


# %%
def unroll(x, W_x, W_h, b):
    h = torch.zeros_like(b)
    states = []
    for x_t in x:
        h = torch.tanh(W_x @ x_t + W_h @ h + b)  # @ multiplies matrix and vector
        states.append(h)
    return torch.stack(states)  # (T, H)


rnn = nn.RNN(input_size=3, hidden_size=4)  # I = 3, H = 4
b = rnn.bias_ih_l0 + rnn.bias_hh_l0  # PyTorch keeps the bias in two parts
x = torch.randn(7, 3)  # (T, I): T = 7 steps
states, last = rnn(x)  # all states (T, H), and the last one (1, H)
difference = states - unroll(x, rnn.weight_ih_l0, rnn.weight_hh_l0, b)
print(f"largest difference: {difference.abs().max().item():.6f}")

# %% tags=["claims"]
assert difference.abs().max() < 1e-6, f"our loop is nn.RNN, but for {difference}"
assert last.shape == (1, 4) and last[0].equal(states[-1]), "last is the last state"

# %% [markdown]
# `nn.RNN` is this loop. With `batch_first=True` it reads a **batch** of $B$ sequences
# $(B, T, I)$ at once and returns states $(B, T, H)$.
#
# A unit reads a 1, then 39 zeros. **Predict before you move the slider:** what will a
# weight above 1 do, and one below −1?


# %%
def memory(w):
    h = [0.0]
    for x_t in [1] + 39 * [0]:
        h.append(np.tanh(x_t + w * h[-1]))  # h[-1] is the last state so far
    fig, ax = plt.subplots(figsize=(7, 2.6))
    ax.plot(h, color=GREEN)
    ax.set(title=f"Step 40: h = {h[40]:.2f}", xlabel="step", ylabel="h", ylim=(-1, 1))
    return fig, "rnn_intro_memory"


explore(memory, w=widgets.FloatSlider(0.9, min=-1.5, max=1.5, description="w"))


# %% tags=["claims"]
def _two_last(w, first=1, steps=40):
    states = [0.0]
    for x_t in [first] + (steps - 1) * [0]:
        states.append(np.tanh(x_t + w * states[-1]))
    return states[-2:]


assert max(map(abs, _two_last(0.9) + _two_last(-0.9))) < 0.02, (
    "between −1 and 1 it fades"
)
_settled = [_two_last(1.2, first, 100)[1] for first in (0.5, 1, 2, -1)]
assert np.ptp(np.abs(_settled)) < 1e-3 < _settled[0], f"w alone decides: {_settled}"
assert _settled[3] < 0, f"but the sign is that of the input: {_settled}"
assert f"{_two_last(1)[1]:.2f}" == "0.19", "with 1 it fades slowly"
assert np.prod(_two_last(-1.2)) < -0.2, "below −1 it flips"

# %% [markdown]
# Between −1 and 1 the memory fades; at 1 itself it fades slowly (0.19 is left). Above 1
# the unit settles at a value that $w$ alone decides; of the input only the sign is
# left. Below −1 it flips back and forth.
#
# ### Exercise 3.1 · Rising or falling?
#
# Write the class `Reader`, an RNN whose `forward` takes series $(B, 8)$ and returns
# $(B,)$ numbers. The check trains it to answer 1 for rising and 0 for falling. Reach 95
# % on unseen series. (It must read longer ones as well.)
#
# Let an `nn.Linear(4, 1)` read `states[:, -1]`, the last state of an
# `nn.RNN(1, 4, batch_first=True)`. `x.unsqueeze(-1)` turns $(B, 8)$ into $(B, 8, 1)$,
# and `.squeeze(-1)` undoes it.


# %%
class Reader(nn.Module):
    """Reads noisy series (B, 8) and returns a number for each, (B,)."""

    ...  # your code


# %%
checks.Reader(Reader)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# class Reader(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.rnn = nn.RNN(1, 4, batch_first=True)
#         self.answer = nn.Linear(4, 1)
#
#     def forward(self, x):
#         states, last = self.rnn(x.unsqueeze(-1))  # (B, 8, 4)
#         return self.answer(states[:, -1]).squeeze(-1)  # (B,)
# ```
#
# The last state is enough, because it remembers what the early steps showed.
#
# </details>
#
# ## 4 · Backpropagation through time
#
# Training needs slopes, and in an RNN they travel back through all the steps. Take one
# unit and a pencil. It has no input, starts at $h_0 = 0.5$ and takes three steps
# $h_t = \tanh(w\,h_{t-1})$ with $w = 0.8$. On its way to $h_3$ a small change in $h_2$
# is multiplied by $w$, and by the slope of tanh, $1 - h_3^2$:
#
# $$(1 - h_3^2) \cdot w .$$
#
# **Predict before you run.** How much of a change in $h_0$ is left at $h_3$: three
# quarters, four tenths, or a tenth?

# %%
w, h_0 = 0.8, 0.5
h_1 = np.tanh(w * h_0)
h_2 = np.tanh(w * h_1)
h_3 = np.tanh(w * h_2)
factors = [(1 - h**2) * w for h in (h_1, h_2, h_3)]
print(np.round(factors, 2), f"multiplied: {np.prod(factors):.2f}")

# %% [markdown]
# This is **backpropagation through time** (BPTT): multiply one factor for each step
# back. PyTorch's `backward()` does it.

# %%
start = torch.tensor(0.5, requires_grad=True)
end = torch.tanh(0.8 * torch.tanh(0.8 * torch.tanh(0.8 * start)))  # three steps
end.backward()
print(f"PyTorch: {start.grad.item():.2f}")
show_slide(HERE, 6)

# %% tags=["claims"]
assert abs(np.prod(factors) - start.grad.item()) < 1e-6, "by hand it is autograd's"
assert 0.35 < np.prod(factors) < 0.4, "about four tenths are left"

# %% [markdown]
# On the slide only the drawing matters here: the dashed arrows are the way back.
#
# ### Exercise 4.1 · What is kept
#
# Write `kept(w, steps)`, the product of the factors of so many steps from $h_0 = 0.5$.
# Then print it for 50 steps and w = 0.9, 1 and 1.1. Which keeps most?


# %%
def kept(w, steps):
    """The share of a small change in h_0 that is left after so many steps."""
    ...  # your code


# %%
checks.kept(kept)


# %% tags=["claims"]
def _kept(w):
    h, share = 0.5, 1.0
    for _ in range(50):
        h = np.tanh(w * h)
        share *= (1 - h**2) * w
    return share


_said = [f"{_kept(weight):.1g}" for weight in (0.9, 1, 1.1)]
assert _said == ["0.002", "0.03", "6e-05"], f"the weight 1 keeps most: {_said}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def kept(w, steps):
#     h, share = 0.5, 1.0
#     for _ in range(steps):
#         h = np.tanh(w * h)
#         share = share * (1 - h**2) * w
#     return share
# ```
#
# The slope is taken at the *new* state, after tanh, and at every step anew.
#
# </details>
#
# A weight of 1 keeps most, 0.03; 0.9 keeps 0.002, and 1.1 only 0.00006, because its
# state is larger, and there tanh is flatter.
#
# ## 5 · Fifty steps back
#
# Now our unit also reads 50 random inputs. **Predict before you run.** With $w = 1$ the
# weight itself loses nothing. How much of a change is left 50 steps back: a tenth, a
# thousandth, or less than a billionth?

# %%
inputs = np.random.default_rng(0).normal(size=50)  # random numbers around 0


def vanishing(w):
    h, factors = 0.0, []
    for x_t in inputs:
        h = np.tanh(x_t + w * h)
        factors.append((1 - h**2) * w)
    left = np.cumprod(factors[::-1])  # the products, from the last step back
    fig, ax = plt.subplots(figsize=(7, 2.8))
    ax.semilogy(range(1, 51), left, color=GREEN)
    ax.set(xlabel="steps back", ylabel="share left", ylim=(1e-70, 1))
    ax.set_title(f"Left after 50 steps: {left[-1]:.0e}")
    return fig, "rnn_intro_vanishing"


explore(vanishing, w=widgets.FloatSlider(1, min=0.1, max=2, step=0.1, description="w"))


# %% tags=["claims"]
def _left(w):
    h, share = 0.0, 1.0
    for x_t in inputs:
        h = np.tanh(x_t + w * h)
        share *= (1 - h**2) * w
    return share


_best = max(_left(weight) for weight in np.arange(0.1, 2.01, 0.1))
assert _best < 1e-9, f"less than a billionth, whatever the weight: {_best}"

# %% [markdown]
# Move the slider: here none of these weights saves the change. A small one shrinks it
# by itself. A large one drives the state away from 0, where tanh is flat and $1 - h^2$
# small; near ±1 the unit is **saturated**. This is the **vanishing gradient**. What it
# hardly reaches is learned late, or not at all. [Going
# deeper](going_deeper/Gradients_Through_Time.ipynb) measures it in a whole network.
#
# ## 6 · Without the tanh
#
# Near $h = 0$ tanh has the slope 1, as if it were not there. Then the weight alone
# decides; this can happen in a real RNN. **Predict before you run.** With $w = 1.2$,
# how many times larger is a change after 100 steps: 120, thousands, or millions?

# %%
print(f"{1.2**100:,.0f} times")
show_slide(HERE, 11)

# %% [markdown]
# This is the **exploding gradient**: one step down such a slope throws the weight far
# away (slide). **Clipping** scales a gradient that is too long down to a limit.
# `nn.utils.clip_grad_norm_` does it, *after* `backward()`.
#
# ### Exercise 6.1 · Clip a gradient
#
# Write `clip_gradient(gradient, limit)`. The gradient is a tensor of shape $(n,)$, its
# length the root of the sum of its squares. One longer than `limit` comes back with
# length `limit` and the same direction, any other unchanged.


# %%
def clip_gradient(gradient, limit):
    """The gradient, not longer than the limit."""
    ...  # your code


# %%
checks.clip_gradient(clip_gradient)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def clip_gradient(gradient, limit):
#     length = (gradient**2).sum() ** 0.5
#     if length <= limit:
#         return gradient
#     return gradient * (limit / length)
# ```
#
# One factor for all numbers keeps the direction.
#
# </details>
#
# ## 7 · Why LSTM and GRU were invented
#
# Against the vanishing gradient the **LSTM** has a second state, the **cell state**
# $c_t$:
#
# $$c_t = f_t \cdot c_{t-1} + i_t \cdot g_t$$
#
# $g_t$ is what could be written. $f_t$ and $i_t$ are **gates**, numbers between 0
# (closed) and 1 (open): how much is kept, and how much is written. Along $c$ there is
# no tanh; one step back multiplies by $f_t$. A third gate, $o_t$, says how much of
# $c_t$ is shown. Lesson 02.2 builds them all.
#
# **Predict before you run.** A gate of 0.9 sounds open. How much is left after 50
# steps: 0.9, a half, or less than a hundredth?

# %%
for gate in (0.9, 0.99, 0.999):
    print(f"gate {gate}: {gate**50:.3f} is left after 50 steps")

# %% [markdown]
# To remember for long, a gate must be *very* open. The **GRU** does it with fewer
# weights: one state and two gates.
#
# In the *adding problem* a network reads 100 numbers from 0 to 1 and adds the two that
# are marked. Their sum is 1 on average; always answering 1 has a squared error of about
# 0.17. **Predict:** will a plain RNN beat that in 500 training steps? Will an LSTM?

# %%
show_slide(HERE, 15)

# %% tags=["claims"]
_path = root / HERE / "going_deeper/results/why_gates.json"
_scores = json.loads(_path.read_text(encoding="utf-8"))["scores"]
_guess = _scores["plain RNN"]["test"] + _scores["LSTM"]["test"]
assert min(_guess) > 0.15, f"with the usual starts both still guess: {_guess}"
_open = _scores["LSTM, open gates"]["test"]
assert max(_open) < 0.01, f"open gates learn to add: {_open}"

# %% [markdown]
# The LSTM does, if its forget gates *start* open and its input gates shut. With the
# usual start it guesses (small print). [Why Gates](going_deeper/Why_Gates.ipynb) shows
# the race.
#
# ## 8 · Where RNNs are used
#
# Wherever order matters. Forecasting comes in lessons 02.1 to 02.3, tagging in 02.5,
# words, voices, speech and music in [03](../03_RNN_in_Use/README.md).

# %%
show_slide(HERE, 16)

# %% [markdown]
# ### Questions
#
# 1. How many weights does `nn.RNN(1, 4)` have, with two biases per unit? And if it
#    reads 700 steps?
#
# <details><summary>Answer</summary>
#
# 4 for the input, 16 for the state, 8 biases: 28. All steps share one cell.
#
# </details>
#
# 2. If the steps of each series are shuffled anew, even in training, what score will
#    your `Reader` reach?
#
# <details><summary>Answer</summary>
#
# About half: only the values are left, as for *sorted* on slide 1.
#
# </details>
#
# 3. Which keeps more over 50 steps with inputs: a plain unit, or a gate of 0.99?
#
# <details><summary>Answer</summary>
#
# The gate: 0.6 against less than a billionth.
#
# </details>
#
# ## Summary
#
# - An RNN is one cell in a loop; its state is its memory.
# - BPTT multiplies one factor per step back: small ones vanish, large ones explode.
# - An open gate lets the gradient pass.
