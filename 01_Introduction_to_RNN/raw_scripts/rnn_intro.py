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
# **You will be able to**
#
# - say what a sequence is, and why the order of its parts carries information;
# - write the cell of a recurrent neural network (RNN) in one line, unroll it over a
#   series, and show that this is what `torch.nn.RNN` computes;
# - compute its gradients by hand, backwards through time, and check them;
# - measure how gradients vanish and explode, and say under which conditions;
# - explain what the gates of LSTM and GRU are for, with a number for each claim.
#
# You need some Python (functions, lists, a little NumPy) and high-school mathematics:
# functions, slopes, and how a matrix is multiplied with a vector. Reading and running
# takes about an hour. Choose *Kernel → Restart Kernel and Clear Outputs of All
# Cells*, and run each cell with Shift + Enter, from top to bottom. Where it says
# **Predict before you run**, decide on an answer first: that is how surprises stay
# with you.
#
# Six words that this lesson takes for granted:
#
# - A **neural network** is a function with many adjustable numbers, its **weights**.
# - A **loss** is one number that says how wrong its answers are.
# - The **gradient** lists, for each weight, the slope of the loss: how it changes
#   when that weight moves a little.
# - **Training** moves all weights a small step downhill, again and again. The
#   **optimizer** does the moving, and the **learning rate** says how far.
# - An **epoch** is one pass over all training examples.
# - A **tensor** is PyTorch's array; **autograd** is how it computes gradients by
#   itself.
#
# (The next cell only finds the files of the course. You need not read it.)

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
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from utils import data, forecasting, set_up
from utils.exercises import rnn_intro as checks
from utils.plotting import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE
from utils.plotting import (
    explore,
    plot_band,
    plot_forecast,
    plot_heatmap,
    plot_training,
)
from utils.plotting import show, show_slide
from utils.training import fit, predict

set_up(seed=0)
HERE = "01_Introduction_to_RNN"

# %% [markdown]
# ## 1 · What is an RNN?
#
# A **recurrent neural network** reads a sequence one step at a time and keeps a
# memory of what it has read. It exists because in a **sequence** the order of the
# values carries information. We write $x_t$ for the value at step $t$, and $T$ for
# the number of steps.
#
# Our first sequence: for every month since 1749, the sunspot number, which measures how
# many spots the sun showed.

# %%
sunspots = data.load_sunspots()
fig, ax = plt.subplots()
ax.plot(sunspots.index.to_timestamp(), sunspots, linewidth=0.8)
ax.set(title="The sun has a rhythm of about eleven years", ylabel="sunspot number")
show(
    fig,
    "Line plot of the monthly sunspot number from 1749 to 2009. It rises and falls "
    "between 0 and 250 in 24 waves of about eleven years, of different heights.",
)

# %% [markdown]
# A high month follows another high month, and waves follow one another. None of that
# is in the numbers alone; it is in their *order*. Shuffle the months and the rhythm
# is gone, although not one number has changed.
#
# Here is the smallest question that only order can answer: *does a series rise or
# fall?* We make series of eight noisy steps that start at a random level. A rising
# one and its mirror image hold the same numbers, so their means are equal, and so is
# everything else that ignores the order.


# %%
def rising_or_falling(n):
    """n series of 8 noisy steps, and 1 for each that rises, 0 for each that falls."""
    rises = torch.randint(2, (n,))
    sign, level = 2 * rises[:, None] - 1, torch.randn(n, 1)
    return level + sign * torch.linspace(-1, 1, 8) + 0.5 * torch.randn(n, 8), rises


series, rises = rising_or_falling(4000)
one, mirror = series[0], series[0].flip(0)
print(
    "sorted, a series equals its mirror:", one.sort().values.equal(mirror.sort().values)
)
fig, ax = plt.subplots(figsize=(6, 2.4))
for answer, colour in ((1, GREEN), (0, PURPLE)):
    ax.plot(range(1, 9), series[rises == answer][:3].T, color=colour)
ax.set(title="Three that rise (green), three that fall (purple)", xlabel="step $t$")
show(
    fig,
    "Six noisy series of eight steps: three green ones rise, three purple ones fall.",
)

# %% [markdown]
# **Predict before you run.** An RNN with four numbers of memory learns to answer. It
# gets the series in order, or only their last step. A network with nine times as many
# weights gets all the values, *sorted*. How often will each be right?


# %%
class Reader(nn.Module):
    """Reads a series step by step into 4 numbers, then answers from them."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=4, batch_first=True)
        self.answer = nn.Linear(4, 2)

    def forward(self, x):
        states, _ = self.rnn(x.unsqueeze(-1))
        return self.answer(states[:, -1])


# %%
def share_right(model, look):
    """Train on new series, of which the model sees only `look(series)`, and test it."""
    parts = [rising_or_falling(n) for n in (2000, 500, 4000)]
    train, validation, test = [(look(x), y) for x, y in parts]
    loss = nn.functional.cross_entropy  # small when the right answer is thought likely
    fit(model, train, validation, epochs=8, lr=0.02, loss=loss)
    return (predict(model, test[0]).argmax(dim=1) == test[1]).double().mean().item()


right = {"sorted": [], "last step only": [], "in order": []}
for seed in range(5):
    torch.manual_seed(seed)
    large = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    right["sorted"].append(share_right(large, look=lambda x: x.sort(dim=1).values))
    right["last step only"].append(share_right(Reader(), look=lambda x: x[:, -1:]))
    right["in order"].append(share_right(Reader(), look=lambda x: x))

# %%
for look, shares in right.items():
    print(f"{look:15}", ", ".join(f"{share:.0%}" for share in shares))
show_slide(HERE, 1)

# %% tags=["claims"]
_shares = {look: [round(100 * s) for s in shares] for look, shares in right.items()}
assert max(_shares["sorted"]) < 54, f"sorted values tell nothing: {_shares}"
assert set(_shares["sorted"]) <= {50, 51}, f"sorted, 50 or 51 % are right: {_shares}"
assert max(_shares["last step only"]) < 86, f"one value is not enough: {_shares}"
assert min(_shares["last step only"]) > 75, f"one value tells something: {_shares}"
assert min(_shares["in order"]) > 95, f"in order, nearly all are right: {_shares}"
with torch.random.fork_rng():
    _weights = [
        sum(w.numel() for w in model.parameters()) for model in (Reader(), large)
    ]
assert _weights == [38, 354], f"38 weights against 354, nine times as many: {_weights}"

# %% [markdown]
# Five random starts each. Given all the values but not their order, the network does no
# better than a coin toss. One value is
# not enough. Only the RNN that reads step after step, and *remembers* the earlier
# ones, is right nearly always. (The slide shows the same task. Its networks met new
# series in each batch, so its shares differ a little.)
#
# ## 2 · The architecture: one cell, used at every step
#
# An RNN is a **cell** and a loop. The cell takes the input $x_t$ and the memory of
# the step before, $h_{t-1}$, and makes the new memory $h_t$, the **hidden state**.
# Drawn out step by step, the loop is called the **unrolled** network: many copies of
# one cell, all with the same weights.
#
# PyTorch's `nn.RNN` is such a loop. Its arrays have three axes: $T$ steps, $B$
# sequences read side by side (a **batch**), and $I$ numbers a step that come in. The
# state has $H$ numbers, which are called **units**.

# %%
show_slide(HERE, 2)

# %%
rnn = nn.RNN(input_size=3, hidden_size=5)  # I = 3, H = 5
x = torch.randn(7, 2, 3)  # (T, B, I): 7 steps, 2 sequences, 3 numbers a step
states, last = rnn(x)
print("states:", tuple(states.shape))  # (T, B, H): the state after every step
print("last:  ", tuple(last.shape))  # (layers, B, H): the state after the last step

longer, _ = rnn(torch.randn(700, 2, 3))
print("longer:", tuple(longer.shape))
print("7 steps or 700, the same", sum(p.numel() for p in rnn.parameters()), "weights")

# %% tags=["claims"]
assert states.shape == (7, 2, 5), f"all states are (T, B, H), not {states.shape}"
assert last.shape == (1, 2, 5), f"the last is (layers, B, H), not {last.shape}"
assert states[-1].equal(last[0]), "`last` is the state after the last step"
assert longer.shape == (700, 2, 5), f"700 steps give 700 states, not {longer.shape}"

# %% [markdown]
# | Array | Shape | Here |
# |---|---|---|
# | input `x` | (T, B, I) | (7, 2, 3) |
# | all states `states` | (T, B, H) | (7, 2, 5) |
# | last state `last` | (layers, B, H) | (1, 2, 5) |
#
# With `batch_first=True`, as in the model above, the batch comes first: (B, T, I) and
# (B, T, H). The last state stays (layers, B, H).
#
# (Networks can be stacked in **layers**; this one has a single layer. Its weights are
# 15 for the input, 25 for the state and two biases of 5, which PyTorch adds up.)
#
# The number of weights does not depend on the length: the cell is shared by all steps.
# So one network can read sequences of any length, and the same rule is applied at every
# step. What differs between tasks is only *where inputs enter
# and outputs leave*.

# %%
show_slide(HERE, 3)
print("many to one reads the last state:      ", tuple(states[-1].shape))
print("many to many, aligned, reads all states:", tuple(states.shape))

# %% [markdown]
# Forecasting is often many to one, and so is classification. Tagging every word is many
# to many. One to many starts from a single input, as when a network writes a melody.
# An encoder and a decoder are two RNNs: the second starts from the last state of the
# first.
#
# ### Exercise 2.1 · Count the weights
#
# **Predict:** how many weights has the `Reader` of section 1, with one input, four
# units and two answers? Then write `number_of_weights(inputs, units, outputs)`: how
# many weights, biases included, an `nn.RNN` and an `nn.Linear` that reads its last
# state have together. (A linear layer has a matrix of shape (outputs, units) and a bias
# of shape (outputs,).)


# %%
def number_of_weights(inputs, units, outputs):
    """All weights of an RNN and of the linear layer that reads it."""
    ...  # your code


# %%
checks.number_of_weights(number_of_weights)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def number_of_weights(inputs, units, outputs):
#     rnn = units * inputs + units * units + 2 * units
#     return rnn + outputs * units + outputs
# ```
#
# The number of steps occurs nowhere, because all steps share one cell. The `Reader`
# has 28 + 10 = 38 weights. The network that saw the values sorted had 354, nine times
# as many.
#
# </details>
#
# ## 3 · The cell and its hidden state
#
# The cell is one line. It mixes the new input with the old state and squashes the
# result:
#
# $$h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$$
#
# - $W_x$, of shape $(H, I)$, says how the input enters.
# - $W_h$, of shape $(H, H)$, says how the old state is carried over.
# - $b$ is one constant for each unit, the **bias**.
# - $\tanh$ squashes every number into the range from −1 to 1.
#
# We let PyTorch draw random weights for four units, copy them out, and write the loop.

# %%
show_slide(HERE, 4)


# %%
def weights_of(rnn):
    W_x, W_h = rnn.weight_ih_l0, rnn.weight_hh_l0
    b = rnn.bias_ih_l0 + rnn.bias_hh_l0  # PyTorch keeps b in two parts
    return [tensor.detach().numpy() for tensor in (W_x, W_h, b)]


def unroll(x, W_x, W_h, b):
    """All states (T, H) of the cell for inputs x (T, I)."""
    h = np.zeros_like(b)  # before the first step nothing is remembered
    states = []
    for x_t in x:
        h = np.tanh(W_x @ x_t + W_h @ h + b)
        states.append(h)
    return np.array(states)


# %% [markdown]
# **Predict before you run.** `nn.RNN` has the same weights. How far is its answer
# from that of our loop over 22 years of sunspots? And if both compute with 64 bits
# instead of 32?

# %%
months = sunspots.to_numpy()[:264, None] / 100  # (T, I)
distances = []
for bits, limit in ((32, 1e-6), (64, 1e-12)):
    rnn = nn.RNN(input_size=1, hidden_size=4, dtype=getattr(torch, f"float{bits}"))
    x = months.astype(f"float{bits}")
    states = unroll(x, *weights_of(rnn))
    theirs, _ = rnn(torch.tensor(x))
    distance = np.abs(states - theirs.detach().numpy()).max()
    distances.append(distance)
    print(f"{bits} bits: no state differs by more than {limit}:", distance < limit)

# %% tags=["claims"]
assert distances[0] < 1e-6, f"32 bits: our loop is nn.RNN, but for {distances[0]:.0e}"
assert distances[1] < 1e-12, f"64 bits: our loop is nn.RNN, but for {distances[1]:.0e}"

# %% [markdown]
# They differ only by rounding. With one layer and its usual settings, `nn.RNN`
# computes this loop. Here are the four numbers of the state while the network reads.
# It has learned nothing yet.

# %%
fig, (top, bottom) = plt.subplots(2, sharex=True, figsize=(8, 4))
top.plot(months * 100)
top.set(title="What comes in: 22 years of sunspots", ylabel="sunspot number")
plot_heatmap(states.T, bottom)
bottom.set(title="What is kept: four numbers", xlabel="month since January 1749")
bottom.set(ylabel="unit", yticks=range(4))
show(
    fig,
    "Above, the sunspot number over 264 months: three humps. Below, a heat map of the "
    "four numbers of the hidden state over the same months. Their colours follow "
    "the waves, each in its own direction and strength.",
)

# %% [markdown]
# Each row follows the waves in its own way. How long does such a memory last? Take
# the smallest cell, one unit, $h_t = \tanh(x_t + w\,h_{t-1})$, give it a single 1 at
# step 1 and nothing after, and move the recurrent weight $w$.
#
# **Predict before you move.** For which $w$ is the 1 forgotten, for which is it kept?


# %%
def impulse_response(w, steps=40):
    h, states = 0.0, []
    for t in range(1, steps + 1):
        h = np.tanh((t == 1) + w * h)
        states.append(h)
    return states


def memory_figure(w):
    fig, ax = plt.subplots(figsize=(8, 2.8))
    for other in (0.5, 1.0, 1.2):
        states = impulse_response(other)
        ax.plot(range(1, 41), states, color=PALE)
        ax.text(40.5, states[-1], f"w = {other}", color=GREY, va="center")
    states = impulse_response(w)
    ax.plot(range(1, 41), states, color=GREEN, linewidth=3)
    title = f"w = {w:.2f}: {states[0]:.2f} at step 1, {states[-1]:.2f} at step 40"
    ax.set(title=title, xlabel="step $t$", ylabel="state $h_t$")
    ax.set_ylim(min(states[1], 0) * 1.2, 0.85)
    return fig, f"State of one unit over 40 steps after an impulse at step 1. {title}."


explore(
    memory_figure,
    w=widgets.FloatSlider(0.9, min=-1.2, max=1.5, step=0.05, description="weight w"),
)

# %% tags=["claims"]
assert impulse_response(0.9)[-1] < 0.02, "with w = 0.9 the memory fades"
assert impulse_response(1.2)[-1] > 0.5, "with w = 1.2 the unit latches"
_before, _last = impulse_response(-1.2)[-2:]
assert _last * _before < -0.2, f"with w = -1.2 it flips: {_before:.2f}, {_last:.2f}"

# %% [markdown]
# Between −1 and 1 the memory fades, faster the nearer $w$ is to 0. Above 1 the unit
# latches: it stays at a fixed level for ever, which remembers *that* something came
# but not when or how much. Below −1 it flips between two levels. Keep this picture:
# most of what is hard about RNNs is in it.
#
# Now a network learns. The task: read 24 months, forecast the next. We train on the
# first 70 % of the record, decide when to stop on the next 10 %, and judge on the
# last 20 %, which the network never saw. (`fit` is the training loop that you will
# write yourself in lesson 02.1.)


# %%
class Forecaster(nn.Module):
    def __init__(self, units=32):
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=units, batch_first=True)
        self.forecast = nn.Linear(units, 1)

    def forward(self, x):
        states, _ = self.rnn(x.unsqueeze(-1))  # (B, 24) -> (B, 24, 1) -> (B, 24, 32)
        return self.forecast(states[:, -1])  # (B, 1)


# %%
train, validation, test = data.chronological_split(len(sunspots))
scale = data.Standardiser.fit(sunspots[train])  # makes mean 0, standard deviation 1


def pairs(part):
    """Tensors (N, 24) of known months and (N, 1) of the months that came next."""
    known, following = data.windows(scale(sunspots), length=24, part=part)
    return torch.tensor(known).float(), torch.tensor(following).float()


forecasts = []
for seed in range(5):
    torch.manual_seed(seed)
    model = Forecaster()
    history = fit(
        model, pairs(train), pairs(validation), epochs=30, lr=0.003, patience=6
    )
    forecasts.append(scale.undo(predict(model, pairs(test)[0]).numpy()))

# %% [markdown]
# Is the result good? A number alone cannot say. Two simple forecasts can:
# **persistence**, next month will be as this one; and **AR(24)**, a weighted sum of
# the last 24 months with the weights by least squares. RMSE is the root of the mean
# squared error, in sunspots.

# %%
known, actual = data.windows(sunspots, length=24, part=test)
ar = forecasting.autoregression(*data.windows(sunspots, 24, part=train), order=24)
rmse = {"persistence": [forecasting.rmse(forecasting.persistence(known), actual)]}
rmse["AR(24)"] = [forecasting.rmse(ar(known), actual)]
rmse["RNN, five seeds"] = [forecasting.rmse(f, actual) for f in forecasts]
for name, errors in rmse.items():
    print(f"{name:16}", "  ".join(f"{error:.1f}" for error in errors))

# %% tags=["claims"]
_persistence, _linear, _network = rmse.values()
assert _linear[0] < min(_network), f"AR(24) beats every RNN one month ahead: {rmse}"
assert max(_network) < _persistence[0], f"every RNN beats persistence: {rmse}"

# %%
fig, (left, right) = plt.subplots(1, 2, width_ratios=(1, 2), figsize=(9, 3.2))
plot_training(history, left, unit="mean squared error")
left.set(title="It learns in a few epochs")
dates = sunspots[test].index.to_timestamp()[-120:]
plot_forecast(dates, actual[-120:, 0], {"RNN": forecasts[-1][-120:, 0]}, right)
right.set(title="One month ahead, on unseen months", ylabel="sunspot number")
show(
    fig,
    "Left: training loss falls steeply and levels off, validation loss falls a little "
    "and wavers. Right: ten years of sunspots as a wide grey line, the forecasts of "
    "the RNN along it, a little late at every turn.",
)

# %% [markdown]
# Both pictures are of the last of the five. `fit` kept the weights of the epoch with
# the lowest validation loss. The RNN beats persistence; the linear AR(24) beats the
# RNN. One month ahead, a weighted sum is hard to beat. Lesson 02.1 asks for twelve
# months.
#
# ### Exercise 3.1 · Write the loop for a batch
#
# `unroll` reads one sequence. Write `last_state(x, W_x, W_h, b)`, which reads a batch
# `x` of shape (T, B, I) and returns the state after the last step, of shape (B, H).
# The weights have the shapes (H, I), (H, H) and (H,); before the first step, all
# states are 0. In a batch each *row* is one sequence, so a matrix $W$ stands on the
# right and transposed: `rows @ W.T`. (Here and in all exercises: write with NumPy or
# with PyTorch, with a loop or without. The check tries both kinds of arrays.)


# %%
def last_state(x, W_x, W_h, b):
    """The state (B, H) after the last step of x (T, B, I)."""
    ...  # your code


# %%
checks.last_state(last_state)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def last_state(x, W_x, W_h, b):
#     h = np.zeros((x.shape[1], len(b)))
#     for x_t in x:
#         h = np.tanh(x_t @ W_x.T + h @ W_h.T + b)
#     return h
# ```
#
# The first axis of `x` is time, so a plain loop over `x` takes one step after the
# other. All sequences of the batch take it together, in one matrix product. No state
# mixes with that of another sequence, because each keeps its own row.
#
# </details>
#
# ## 4 · Backpropagation through time
#
# How did `fit` know in which direction to move the weights? By the gradient. Autograd
# computed it. Here you do it by hand, once, so that it is no magic.
#
# The network reads forwards. Errors travel backwards, from the last step to the first,
# hence **backpropagation through time (BPTT)**.

# %%
show_slide(HERE, 6)

# %% [markdown]
# (On the slide only the last state enters the loss. In our code every step has a
# forecast and an error.) Let the output be $y_t = W_y h_t + b_y$, the target $d_t$,
# and the loss $L = \frac12 \sum_t (y_t - d_t)^2$. Write $\partial L/\partial h_t$ for
# the list of slopes of $L$ with respect to the numbers of $h_t$. Then, from the last
# step back:
#
# 1. The output's slope is $y_t - d_t$. It reaches the state through $W_y$, and joins
#    what comes back from step $t+1$. Together they are $\partial L/\partial h_t$.
# 2. Through the tanh, whose slope is $1 - h_t^2$: $\;\delta_t = (1 - h_t^2)\,\partial
#    L/\partial h_t$.
# 3. The weights are used at every step, so their slopes are *sums* over the steps.
# 4. $W_h^\top \delta_t$ goes on to step $t-1$. ($W_h^\top$ is $W_h$ with rows and
#    columns swapped.)
#
# Python counts from 0: `h[0]` is $h_0$, so `h[t + 1]` belongs to input `x[t]`.


# %%
def forward(p, x, tanh=np.tanh):
    """States h_0 ... h_T and outputs y_1 ... y_T of the network with weights p."""
    h, y = [p["h_0"]], []
    for x_t in x:
        h.append(tanh(p["W_x"] @ x_t + p["W_h"] @ h[-1] + p["b"]))
        y.append(p["W_y"] @ h[-1] + p["b_y"])
    return h, y


def total_loss(p, x, d, tanh=np.tanh):
    _, y = forward(p, x, tanh)
    return sum(((y_t - d_t) ** 2).sum() for y_t, d_t in zip(y, d)) / 2


# %%
def bptt(p, x, d, cut=None):
    """The slope of the loss for every weight and for h_0; `cut` comes later."""
    h, y = forward(p, x)
    slope = {name: np.zeros_like(weight) for name, weight in p.items()}
    later = np.zeros_like(p["h_0"])  # what comes back from step t + 1
    for t in reversed(range(len(x))):
        error = y[t] - d[t]
        slope["W_y"] += np.outer(error, h[t + 1])
        slope["b_y"] += error
        delta = (1 - h[t + 1] ** 2) * (p["W_y"].T @ error + later)
        slope["W_x"] += np.outer(delta, x[t])
        slope["W_h"] += np.outer(delta, h[t])
        slope["b"] += delta
        later = p["W_h"].T @ delta
        if cut and t % cut == 0:
            later = np.zeros_like(later)
    slope["h_0"] = later
    return slope


# %% [markdown]
# Is it right? Two judges. **Autograd**, on the same forward pass. And **finite
# differences**, which know no calculus at all: move one weight a little up and a
# little down, and see how much the loss changes.


# %%
def finite_differences(p, x, d, eps=1e-5):
    slope = {name: np.zeros_like(weight) for name, weight in p.items()}
    for name, weight in p.items():
        for i in np.ndindex(weight.shape):
            middle = weight[i]
            weight[i] = middle + eps
            above = total_loss(p, x, d)
            weight[i] = middle - eps
            slope[name][i] = (above - total_loss(p, x, d)) / (2 * eps)
            weight[i] = middle
    return slope


# %%
rng = np.random.default_rng(0)
shapes = {"W_x": (4, 1), "W_h": (4, 4), "b": 4, "W_y": (1, 4), "b_y": 1, "h_0": 4}
p = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
z = scale(sunspots.to_numpy())[:, None]
x, d = z[:24], z[1:25]  # at each of 24 months, forecast the next
torch_p = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
total_loss(torch_p, torch.tensor(x), torch.tensor(d), torch.tanh).backward()

# %%
by_hand, numeric = bptt(p, x, d), finite_differences(p, x, d)
for name in p:
    auto, size = torch_p[name].grad.numpy(), np.abs(by_hand[name]).max()
    to_autograd = np.abs(by_hand[name] - auto).max() / size
    to_numeric = np.abs(by_hand[name] - numeric[name]).max() / size
    verdict = "agree" if to_autograd < 1e-10 and to_numeric < 1e-7 else "disagree"
    print(f"{name:4} {by_hand[name].size:3} slopes {verdict} with both judges")

# %% tags=["claims"]
for _name, _ours in by_hand.items():
    _size = np.abs(_ours).max()
    _auto = np.abs(_ours - torch_p[_name].grad.numpy()).max() / _size
    _numeric = np.abs(_ours - numeric[_name]).max() / _size
    assert _auto < 1e-10, f"{_name}: ten digits of autograd, but differs by {_auto:.0e}"
    assert _numeric < 1e-7, (
        f"{_name}: seven digits of finite differences, but differs by {_numeric:.0e}"
    )

# %% [markdown]
# All of them agree: with autograd to ten digits, with finite differences to seven.
# PyTorch's `backward()` gives the numbers of these few lines.
#
# On long sequences people cut the way back, to save memory and time. In **truncated
# BPTT** the sequence is read in pieces of `cut` steps. The state crosses from piece to
# piece, so the forward pass and the loss are the same; but no error crosses, so the
# gradient is not. How far off is it?

# %%
true = by_hand["W_h"]
for cut in (1, 2, 4, 8, 24):
    dropped = np.linalg.norm(bptt(p, x, d, cut)["W_h"] - true) / np.linalg.norm(true)
    print(f"pieces of {cut:2} steps: dL/dW_h is off by {dropped:4.0%} of its length")
show_slide(HERE, 7)

# %% tags=["claims"]
assert np.allclose(bptt(p, x, d, 24)["W_h"], true), "one piece drops nothing"
_dropped = np.linalg.norm(bptt(p, x, d, 1)["W_h"] - true) / np.linalg.norm(true)
assert 0.45 < _dropped < 0.55, f"pieces of one step drop half, not {_dropped:.0%}"

# %% [markdown]
# (One untrained network, all 24 steps in one piece is the whole gradient. The slide
# measures another case: a loss at step 100 only.) What is dropped is the influence of
# early steps on late errors. No gradient tells the network to keep what lies further
# back than its piece, although the state may still carry it.
#
# ### Exercise 4.1 · One step back
#
# Write `back_one_step(grad_h, h, W_h)`. You get `grad_h`, which is
# $\partial L/\partial h_{t+1}$, the *later* state `h`, which is $h_{t+1}$, both of
# shape (H,), and $W_h$ of shape (H, H). Return $\partial L/\partial h_t$, of shape
# (H,), when no error enters at step $t$ itself.


# %%
def back_one_step(grad_h, h, W_h):
    """The slope of the loss at h_t, from the one at h_(t+1)."""
    ...  # your code


# %%
checks.back_one_step(back_one_step)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def back_one_step(grad_h, h, W_h):
#     delta = (1 - h**2) * grad_h
#     return W_h.T @ delta
# ```
#
# Forwards the state passes the matrix first and tanh last, so the way back meets tanh
# first. The matrix is transposed, because each old number has entered all new ones,
# and now collects its share of the slope from each.
#
# </details>
#
# ## 5 · The vanishing gradient
#
# Items 2 and 4 of BPTT send the error one step back. Together they are a product with
# the matrix
#
# $$\frac{\partial h_{t+1}}{\partial h_t} = \operatorname{diag}(1 - h_{t+1}^2)\, W_h ,$$
#
# where $\operatorname{diag}$ puts the list of slopes on the diagonal of a matrix. It is
# called the **Jacobian**: the table of all slopes of the new state with respect to
# the old. Going back 50 steps multiplies fifty of them. If each shrinks a vector a
# little, fifty erase it, and the network cannot learn from what happened 50 steps
# ago.

# %%
torch.set_default_dtype(torch.float64)  # 64 bits from here on: gradients get very small
W_h, h, states = torch.randn(8, 8) / 8**0.5, torch.zeros(8, requires_grad=True), []
for x_t in torch.randn(50, 8):
    h = torch.tanh(x_t + W_h @ h)
    states.append(h)
autograd = torch.autograd.grad(h.sum(), states)  # of a loss that adds up the last state

gradient = torch.ones(8)  # its slope at the last state
equal = 0
for t in reversed(range(49)):
    gradient = gradient @ (torch.diag(1 - states[t + 1] ** 2) @ W_h)  # one Jacobian
    equal += torch.allclose(gradient, autograd[t], rtol=1e-8, atol=0)
print(equal, "Jacobians, multiplied one by one, give autograd's gradient at every step")

# %% tags=["claims"]
assert equal == 49, f"only {equal} of 49 products of Jacobians are autograd's gradient"

# %% [markdown]
# We measure $\lVert\partial L/\partial h_t\rVert$, the length of that vector, at
# every step, for a loss that looks at the last state only. The **spectral radius** of
# $W_h$ is the size of its largest eigenvalue: the factor by which $W_h$ alone would
# stretch a vector in the long run.

# %%
STEPS, BATCH, INPUTS, UNITS = 100, 32, 16, 64


def tanh_cell(radius, squash=torch.tanh):
    """A cell with random weights; `radius` is the spectral radius of W_h."""
    W_h = torch.randn(UNITS, UNITS)
    W_h *= radius / torch.linalg.eigvals(W_h).abs().max()
    W_x = torch.randn(INPUTS, UNITS) / INPUTS**0.5
    # Each row is one sequence, so the matrices stand on the right.
    return lambda x_t, state: (squash(x_t @ W_x + state[0] @ W_h),)


# %% [markdown]
# The next function runs any cell over random inputs. A cell's state is a tuple, because
# the LSTM of section 7 has two parts: the loss looks at the first, and the gradient is
# measured at the last. For a plain RNN they are the same, $h_t$.


# %%
def gradient_norms(make_cell, input_scale=1.0, seed=0):
    """Size of dL/ds_t for t = 1 ... STEPS; s is the last part of the cell's state."""
    torch.manual_seed(seed)
    x, look = torch.randn(STEPS, BATCH, INPUTS), torch.randn(UNITS)
    cell, states = make_cell(), []
    zeros = torch.zeros(BATCH, UNITS, requires_grad=True)
    state = (zeros, zeros)
    for x_t in input_scale * x:
        state = cell(x_t, state)
        states.append(state[-1])
    loss = (state[0] @ look).square().mean()
    return torch.stack([g.norm() for g in torch.autograd.grad(loss, states)])


# %%
def five_seeds(make_cell, input_scale=1.0):
    """Gradient sizes relative to the last step, (seeds, steps back from the loss)."""
    runs = [gradient_norms(make_cell, input_scale, seed) for seed in range(5)]
    return torch.stack([(run / run[-1]).flip(0) for run in runs])


def factor(runs):
    """What one step back keeps, on average from 10 to 60 steps before the loss.

    The first steps back depend on the loss; after ten the trend is steady.
    """
    return ((runs[:, 60] / runs[:, 10]) ** (1 / 50)).mean().item()


# %% [markdown]
# **Predict before you run.** With spectral radius 1, will the gradient survive?


# %%
kept = factor(five_seeds(lambda: tanh_cell(1.0)))
print(f"one step back keeps {kept:.2f} of the gradient, 50 steps {kept**50:.0e}")

# %% tags=["claims"]
assert kept < 0.7, f"with radius 1 the gradient vanishes, but a step keeps {kept:.2f}"
assert 3e10 < kept**-50 < 7e10, f"a part in 50 billion is left, not in {kept**-50:.0e}"

# %% [markdown]
# It does not survive. The other factor, $1 - h^2$, takes its share at every step. Can
# we predict how much? $W_h$ stretches different vectors by different factors; for a
# random matrix the typical one is the root mean square of them, $\lVert W_h
# \rVert/\sqrt{H}$, where $\lVert W_h \rVert$ is the root of the sum of all its
# squared numbers. Then the diagonal shrinks the vector by the root mean square of $1
# - h^2$. So one step back should keep
#
# $$\frac{\lVert W_h \rVert}{\sqrt H} \cdot \sqrt{\operatorname{mean}\,(1 - h^2)^2} .$$


# %%
def predicted(radius, input_scale):
    """The factor by that formula, and the mean of 1 - h²."""
    torch.manual_seed(0)
    x, _ = input_scale * torch.randn(STEPS, BATCH, INPUTS), torch.randn(UNITS)
    W_h = torch.randn(UNITS, UNITS)
    W_h *= radius / torch.linalg.eigvals(W_h).abs().max()
    W_x, h, states = torch.randn(INPUTS, UNITS) / INPUTS**0.5, torch.zeros(UNITS), []
    for x_t in x:
        h = torch.tanh(x_t @ W_x + h @ W_h)
        states.append(h)
    slopes = 1 - torch.stack(states) ** 2
    return W_h.norm() / UNITS**0.5 * slopes.square().mean().sqrt(), slopes.mean()


# %%
table = {}
print("radius  input scale   mean of 1 - h²   predicted   measured, mean of five")
for input_scale in (1.0, 0.1):
    for radius in (0.9, 1.0, 1.2, 1.5):
        guess, slope = predicted(radius, input_scale)
        measured = factor(five_seeds(lambda: tanh_cell(radius), input_scale))
        print(
            f"{radius:6} {input_scale:12} {slope:16.2f} {guess:11.2f} {measured:10.2f}"
        )
        table[radius, input_scale] = guess, measured
show_slide(HERE, 8)

# %% tags=["claims"]
for _case, (_guess, _measured) in table.items():
    _said = (
        f"radius and scale {_case}: predicted {_guess:.2f}, measured {_measured:.2f}"
    )
    assert abs(_guess - _measured) < 0.06, f"the rule is right to hundredths. {_said}"
    assert _measured < 1.03, f"no tanh cell explodes here. {_said}"
_large, _small, _wide = (table[case][1] for case in ((1.5, 1), (1, 0.1), (1.2, 1)))
assert _large < 0.9, f"inputs of size 1: even radius 1.5 vanishes, a step {_large:.2f}"
assert round(_small, 2) == 0.94, f"small inputs: radius 1 keeps 0.94, not {_small:.3f}"
assert round(_wide, 2) == 0.71, f"radius 1.2 keeps 0.71 a step, not {_wide:.3f}"

# %% [markdown]
# The rule is right to a few hundredths. Read the table from the top. With inputs of
# size 1 even radius 1.5 **vanishes**. Here many units are **saturated**: a state near
# ±1 sits where tanh is flat, and $1 - h^2$ is close to 0. At radius 1 it takes no
# saturation: the slopes of ordinary states are about a half on average, and that is
# enough. With inputs ten times smaller, radius 1 keeps 0.94 a step: after 50 steps some
# 5 % are left, not a part in 50 billion. So it is not the weights alone that decide.
#
# A popular cure is an **orthogonal** $W_h$, which turns vectors without stretching
# any of them. **Predict:** will the gradient survive now?


# %%
def orthogonal_cell():
    W_h = torch.linalg.qr(torch.randn(UNITS, UNITS))[0]
    W_x = torch.randn(INPUTS, UNITS) / INPUTS**0.5
    return lambda x_t, state: (torch.tanh(x_t @ W_x + state[0] @ W_h),)


# %%
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 3.6))
back = range(STEPS)
for ax, size in zip(axes, (1.0, 0.1)):
    for radius, colour in ((0.9, BLUE), (1.0, GREEN), (1.5, ORANGE)):
        runs = five_seeds(lambda: tanh_cell(radius), size)
        plot_band(back, runs, ax, f"radius {radius}", colour)
    ax.set(title=f"inputs of size {size}", xlabel="steps back", xlim=(0, 128))
orthogonal = five_seeds(orthogonal_cell)
plot_band(back, orthogonal, axes[0], "orthogonal", PURPLE)
axes[0].set(ylabel="gradient, relative to the last step", yscale="log")
show(
    fig,
    "Two log plots of gradient size against steps back, 0 to 99, five seeds. Inputs of "
    "size 1: all fall in straight lines, radius 0.9 to 1e-25, radius 1.5 to 1e-8, an "
    "orthogonal matrix like radius 1. Inputs of size 0.1: slower; radius 1.5 is level.",
)

# %% tags=["claims"]
_ends = runs[:, -1]  # radius 1.5, inputs of size 0.1
assert (_ends > 1).sum() == 4, f"four gradients grow, one shrinks: {_ends}"
assert 1e3 < _ends.max() < 1e4, f"one of them grows a few thousandfold: {_ends}"
assert factor(orthogonal) < 0.75, f"orthogonal vanishes too: {factor(orthogonal):.2f}"

# %% [markdown]
# Lines are medians of five random networks, bands their range. A straight line on a
# logarithmic axis is a constant factor per step. Left, everything vanishes; the
# orthogonal matrix hardly helps, since the slopes of tanh are still there. Right, at
# radius 1.5 the networks disagree: over 99 steps four gradients grow, one of them a few
# thousandfold, and one shrinks.
#
# Look for the place where memory is kept:


# %%
def decay_figure(radius, input_scale):
    runs = five_seeds(lambda: tanh_cell(radius), input_scale)
    fig, ax = plt.subplots(figsize=(7, 2.8))
    plot_band(range(STEPS), runs, ax, "", GREEN)
    ax.set(xlabel="steps back from the loss", ylabel="relative gradient")
    title = f"Radius {radius:.1f}, inputs {input_scale:.1f}: one step keeps "
    title += f"{factor(runs):.2f}"
    ax.set(yscale="log", ylim=(1e-30, 1e6), title=title)
    return fig, f"Size of the gradient against steps back, on a log axis. {title}."


explore(
    decay_figure,
    radius=widgets.FloatSlider(1.0, min=0.5, max=2.0, step=0.1, description="radius"),
    input_scale=widgets.FloatSlider(
        0.3, min=0.1, max=2.0, step=0.1, description="input scale"
    ),
)

# %% [markdown]
# The vanishing gradient was found by Sepp Hochreiter in his diploma thesis (1991),
# and by Bengio, Simard and Frasconi (1994).
#
# ## 6 · The exploding gradient
#
# Now take the tanh away. Nothing saturates, and a factor above 1 is multiplied with
# itself.
#
# **Predict before you run.** Radius 1.2: how much larger is the gradient after 100
# steps?

# %%
growth = five_seeds(lambda: tanh_cell(1.2, squash=lambda a: a))
print(f"one step back multiplies by {factor(growth):.2f}")
print(f"99 steps back: {growth[:, -1].median() / 1e6:.0f} million times as large")
show_slide(HERE, 10)

# %% tags=["claims"]
assert round(factor(growth), 2) == 1.19, f"without tanh, 1.19 a step: {factor(growth)}"
assert growth[:, -1].median() > 1e6, f"it explodes: {growth[:, -1]} times in 99 steps"

# %% [markdown]
# One step of plain gradient descent along such a gradient throws the weights far away.
# (Adam, the optimizer of the next lessons, limits the step by itself.) The usual
# protection is
# to **clip** it: if the length of the gradient is above a threshold, scale it down to
# the threshold and keep its direction (Pascanu, Mikolov and Bengio 2013). Here is
# the right way, and two ways to get it wrong.

# %%
clip = nn.utils.clip_grad_norm_


def steep():
    """A weight, and a loss with a gradient of length 180,000."""
    w = torch.ones(1, requires_grad=True)
    return w, (300 * w).square().sum()


w, loss = steep()
loss.backward()
clip([w], 1.0)
print(f"clipped after backward():   length {w.grad.norm():.2f}")

w, loss = steep()
clip([w], 1.0)  # there is no gradient yet
loss.backward()
print(f"clipped before backward():  length {w.grad.norm():.0f}")

# %% tags=["claims"]
assert w.grad.norm() > 100_000, f"clipped too early, all of {w.grad.norm()} is left"

# %%
w = torch.ones(1, requires_grad=True)
((3 * w) ** 3000).sum().backward()  # 3 to the 3000 is more than 64 bits can hold
print("the gradient overflowed:", w.grad.item())
clip([w], 1.0)
print("clipped to length 1:    ", w.grad.item())
torch.optim.SGD([w], lr=0.01).step()
print("the weight afterwards:  ", w.item())

# %% tags=["claims"]
assert w.isnan(), f"an infinite gradient, clipped, makes the weight NaN, not {w.item()}"

# %% [markdown]
# 1. Clipping belongs between `backward()` and the optimizer's step.
# 2. Before `backward()` there is nothing to clip, and no error tells you.
# 3. An infinite gradient has infinite length. The factor that should shorten it is 0,
#    and infinity times 0 is NaN, *not a number*: the weight becomes NaN too. All other
#    entries of the gradient become 0. (`clip_grad_norm_` has an option
#    `error_if_nonfinite=True`, which stops with an error instead.)
#
# Why is a large gradient dangerous? Look at the smallest case: $h_t = w\,h_{t-1}$
# from $h_0 = 1$, for 20 steps, with target 1, so $L(w) = \frac12 (w^{20} - 1)^2$.
# Left of 1 the loss is nearly flat, right of 1 it is a cliff. We start on the cliff,
# at $w = 1.15$, and descend with learning rate 0.01.


# %%
def descent(threshold, w=1.15, steps=40):
    path = [w]
    for _ in range(steps):
        slope = (w**20 - 1) * 20 * w**19
        w -= 0.01 * slope * min(1, threshold / max(abs(slope), 1e-12))
        path.append(w)
    return np.array(path)


def cliff_figure(threshold):
    path, w = descent(threshold), np.linspace(-0.8, 1.17, 400)
    loss = lambda w: (w**20 - 1) ** 2 / 2 + 1e-4  # the log axis cannot show 0
    fig, ax = plt.subplots(figsize=(7, 3))
    ax.semilogy(w, loss(w), color=GREY)
    ax.plot(path, loss(path), "o-", color=ORANGE, markersize=5)
    ax.set(xlabel="weight $w$", ylabel="loss $L(w)$", ylim=(5e-5, 500))
    title = f"Threshold {threshold:.3g}: the first step lands at w = {path[1]:.2f}"
    ax.set(title=title + f", the last at {path[-1]:.2f}")
    return (
        fig,
        f"A plain, a valley at w = 1, a cliff, and a path. {ax.get_title('left')}.",
    )


# %%
threshold = widgets.FloatLogSlider(
    1.0, min=-1, max=2.25, step=0.25, description="threshold", readout_format=".3g"
)
explore(cliff_figure, threshold=threshold)

# %% tags=["claims"]
_w = {threshold: descent(threshold) for threshold in (1, 100, 1e9)}
assert abs(_w[1][-1] - 1) < 0.02, f"threshold 1 ends in the valley at 1: {_w[1][-1]}"
assert abs(_w[100][-1] - _w[100][1]) < 0.01, (
    f"threshold 100 stays on the plain: {_w[100][1:3]}"
)
assert _w[1e9][1] < -40, f"without clipping it lands beyond -40: {_w[1e9][1]}"

# %% [markdown]
# Clipped to length 1, the descent walks down the cliff and stops in the valley at 1.
# With threshold 100 the first step lands on the plain to the left, where the slope is
# nearly nothing, and there it stays. Without clipping it would land beyond −40.
#
# ### Exercise 6.1 · Clip a gradient
#
# Write `clip_gradient(gradient, limit)`: a gradient (n,) whose length (the root of the
# sum of its squares) is at most `limit` comes back unchanged; a longer one comes back
# with length `limit` and the same direction.


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
#     return gradient if length <= limit else gradient * (limit / length)
# ```
#
# Every number is scaled by the same factor, so the direction stays. The `if` matters as
# much as the factor: a short gradient is no danger, and must not be made longer.
#
# </details>
#
# ## 7 · Why LSTM and GRU were invented
#
# Clipping helps against explosion. Against vanishing, scaling up does not help: it
# enlarges the share of the near steps as well, and that still drowns the far ones.
# The cell itself has to change.
#
# The **LSTM** (long short-term memory; Hochreiter and Schmidhuber 1997) keeps a
# second state, the **cell state** $c_t$, and changes it only by multiplying with a
# gate and adding:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t$$
#
# $\odot$ means number by number. $g_t$ is a candidate, made like the state of a plain
# RNN. The **forget gate** $f_t$ (Gers, Schmidhuber and Cummins 2000) says what to
# keep, the **input gate** $i_t$ what to write, and the **output gate** $o_t$ what to
# show: $h_t = o_t \odot \tanh(c_t)$. Each gate has weights of its own and reads the
# input and the old state, for instance
#
# $$f_t = \sigma(W_{xf}\, x_t + W_{hf}\, h_{t-1} + b_f),
# \qquad \sigma(a) = \frac{1}{1 + e^{-a}} ,$$
#
# and $\sigma$ lies between 0, closed, and 1, open. On the way back along $c$ stands
# no matrix and no tanh, only $f_t$. If the gate is open, the gradient passes.

# %%
show_slide(HERE, 12)
show_slide(HERE, 13)

# %% [markdown]
# The **GRU** (Cho et al. 2014) does the same with one state: $h_t = (1 - z_t) \odot
# n_t + z_t \odot h_{t-1}$, where the **update gate** $z_t$ says what to keep of the
# old state and $n_t$ is the candidate.
#
# How open is open enough? The bias $b_f$ decides where the gate starts: at $\sigma(0)
# = 0.5$, $\sigma(1) = 0.73$, $\sigma(3) = 0.95$. Common advice is to start with bias
# 1. **Predict:** how much of the gradient does one step keep then?


# %%
def lstm_cell(forget_bias):
    cell = nn.LSTMCell(INPUTS, UNITS)
    with torch.no_grad():
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.bias_ih[UNITS : 2 * UNITS] = forget_bias  # the rows are i, f, g, o
    return cell  # returns (h, c); the gradient is measured at c


def gru_cell(update_bias):
    cell = nn.GRUCell(INPUTS, UNITS)
    with torch.no_grad():
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.bias_ih[UNITS : 2 * UNITS] = update_bias  # the rows are r, z, n
    return lambda x_t, state: (cell(x_t, state[0]),)


# %%
fig, ax = plt.subplots(figsize=(8, 3.6))
kept = {}
for bias, colour in ((0, GREY), (1, ORANGE), (3, GREEN)):
    runs = five_seeds(lambda: lstm_cell(bias))
    plot_band(back, runs, ax, f"LSTM, bias {bias}", colour)
    kept[f"LSTM, forget bias {bias}"] = factor(runs)
    kept[f"GRU, update bias {bias}"] = factor(five_seeds(lambda: gru_cell(bias)))
ax.set(xlabel="steps back from the loss", ylabel="gradient, relative to the last step")
ax.set(title="A gate that starts open lets the gradient through", xlim=(0, 118))
ax.set_yscale("log")
show(
    fig,
    "Log plot of gradient size against steps back, five seeds. With forget bias 0 the "
    "gradient of an LSTM falls to 1e-21, with 1 to 1e-8; with 3 it grows a little.",
)

# %%
for name, value in kept.items():
    print(f"{name:20} one step keeps {value:.2f}, fifty keep {value**50:.0e}")

# %% tags=["claims"]
_lstm, _gru = list(kept.values())[::2], list(kept.values())[1::2]
assert _lstm[0] < 0.75 < _lstm[1] < 0.92 < _lstm[2] < 1.05, (
    f"the more open the forget gate starts, the more is kept, with 3 all: {_lstm}"
)
assert _gru[0] < 0.75 < _gru[1] < 0.9 < _gru[2] < 1.05, (
    f"the more open the update gate starts, the more is kept: {_gru}"
)
assert 0.84 < _lstm[1] < 0.86, f"bias 1 loses about 15 % a step: {_lstm}"
assert 0.08 < _gru[2] ** 50 < 0.15, f"with bias 3 a GRU keeps a tenth in 50: {_gru}"

# %% [markdown]
# An LSTM whose forget gate starts half closed (bias 0) is no better than a plain RNN.
# Bias 1 still loses about 15 % a step: after 50 steps, less than a thousandth is
# left. With bias 3 nothing is lost. (The factors are not just those of the gate,
# because $h$ offers side paths.) The GRU is alike: with bias 3 a tenth is left after
# 50 steps. So the structure makes long memory *possible*; where the gates start
# decides how soon training finds it.
#
# Does it matter? A variant of the **adding problem** (Hochreiter and Schmidhuber 1997):
# 100 random numbers, two of them marked; the answer is the sum of the marked two. A
# network that remembers nothing can do no better than answer 1, the mean, with a
# squared error of 1/6. Remembering the last ten steps would help only a little.

# %%
torch.set_default_dtype(torch.float32)
LENGTH = 100


def adding_problem(n):
    """Inputs (LENGTH, n, 2): a number and a mark; targets (n,)."""
    values, marks = torch.rand(LENGTH, n), torch.zeros(LENGTH, n)
    first, rows = torch.randint(LENGTH, (n,)), torch.arange(n)
    second = (first + torch.randint(1, LENGTH, (n,))) % LENGTH
    marks[first, rows] = marks[second, rows] = 1
    return torch.stack([values, marks], dim=2), (values * marks).sum(dim=0)


class LastState(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.answer = layer(2, 32), nn.Linear(32, 1)

    def forward(self, x):
        return self.answer(self.layer(x)[0][-1]).squeeze(-1)


# %% [markdown]
# We train three models: a plain RNN; an LSTM as PyTorch makes it; and an LSTM whose
# forget gates start open. Their biases lie between 0 and $\log 99$: a gate of
# $\sigma(\log u)$ forgets within about $u$ steps, so some units remember a few steps
# and some all hundred (Tallec and Ollivier 2018).


# %%
def open_gates(lstm):
    remember = torch.empty(32).uniform_(1, LENGTH - 1).log()
    with torch.no_grad():
        lstm.bias_hh_l0.zero_()
        lstm.bias_ih_l0.copy_(torch.cat([-remember, remember, torch.zeros(64)]))


def learning_curve(layer, seed, start=None, steps=500, lr=0.01):
    """Held-out error every 25 steps of training on fresh batches."""
    torch.manual_seed(999)
    x_test, y_test = adding_problem(1000)
    torch.manual_seed(seed)
    model, errors = LastState(layer), []
    if start:
        start(model.layer)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for step in range(steps + 1):
        if step % 25 == 0:
            with torch.no_grad():
                errors.append((model(x_test) - y_test).square().mean().item())
        x, y = adding_problem(64)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        clip(model.parameters(), 1.0)
        optimizer.step()
    return errors


# %%
models = {
    "plain RNN": (nn.RNN, None, BLUE),
    "LSTM": (nn.LSTM, None, PURPLE),
    "LSTM, open gates": (nn.LSTM, open_gates, GREEN),
}
curves = {name: np.zeros((3, 21)) for name in models}  # 3 seeds, steps 0, 25, ... 500
jobs = [(name, seed) for name in models for seed in range(3)]
for name, seed in tqdm(jobs, desc="learning to add", unit="network", leave=False):
    layer, start, _ = models[name]
    curves[name][seed] = learning_curve(layer, seed, start)
for name, errors in curves.items():
    print(
        f"{name:17} error after 500 steps:", np.array2string(errors[:, -1], precision=3)
    )

# %% tags=["claims"]
for _name in ("plain RNN", "LSTM"):
    _best = curves[_name].min()
    assert _best > 0.1, (
        f"{_name}: after 500 steps it still guesses, but has {_best:.3f}"
    )
_last = curves["LSTM, open gates"][:, -1]
assert _last.max() < 0.02, f"open gates learn to add in 500 steps: errors {_last}"
import json

_path = root / HERE / "results/rnn_intro.json"
_five = json.loads(_path.read_text(encoding="utf-8"))["scores"]
_errors = _five["plain RNN"]["test"] + _five["LSTM"]["test"]
assert min(_errors) > 0.1, f"with five seeds too, both still guess: {_errors}"
_errors = _five["LSTM, open gates"]["test"]
assert max(_errors) < 0.01, f"with five seeds too, open gates learn: {_errors}"
_errors = _five["RNN, identity start"]["test"]
_said = f"an RNN with the identity start gets to 0.01, the mean of {_errors}"
assert 0.005 < np.mean(_errors) < 0.015, _said

# %%
fig, ax = plt.subplots()
for (name, (_, _, colour)), nudge in zip(models.items(), (1.25, 0.8, 1)):
    plot_band(range(0, 501, 25), curves[name], ax, "", colour)
    ax.text(
        508, np.median(curves[name][:, -1]) * nudge, name, color=colour, va="center"
    )
ax.set(xlabel="training step", ylabel="mean squared error", xlim=(0, 640), yscale="log")
ax.set(title="In 500 steps only the LSTM with open gates learns to add")
show(
    fig,
    "Learning curves on the adding problem, three seeds, median and range, log axis. "
    "The plain RNN and the LSTM with its usual start stay at 1/6, which is guessing. "
    "The LSTM with open gates leaves it after about 250 steps and falls below 0.01.",
)

# %% [markdown]
# After 500 steps the plain RNN and the LSTM with the usual start still guess; the
# LSTM whose gates start open adds. That compares starts as much as cells, and only
# over 500 steps: lesson 02.2 trains other LSTM starts for longer, and most of them get
# there. A plain RNN can do it as well, if it starts by keeping what it has, with the
# identity as $W_h$ and ReLU in place of tanh (Le, Jaitly and Hinton 2015): after 1,500
# steps its error was 0.01, the mean of five seeds. To learn from the marked numbers,
# the gradient has to reach back to them.
#
# ## 8 · Where RNNs are used
#
# Wherever order matters. The slide shows five pieces of real data from this course,
# each with the wiring of section 2 that its task needs.

# %%
show_slide(HERE, 16)

# %% [markdown]
# All of them are in this course's data, so you can look for yourself. Here is a
# person speaking, as a computer hears it: 12 numbers for each short stretch of sound,
# a **frame**. And the four voices of a chorale by J. S. Bach, with a step for each
# sixteenth note.

# %%
frames, chorale = data.load_vowels()[0][0], data.load_chorales()["bwv10.7"][:64]
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
plot_heatmap(frames.T, left)
left.set(title="Two spoken vowels: who speaks?", xlabel="frame", ylabel="feature")
right.plot(np.where(chorale, chorale, np.nan), drawstyle="steps-post")
right.set(title="A chorale: what comes next?", xlabel="sixteenth note")
right.set(ylabel="pitch (MIDI number)")
show(
    fig,
    "Left: a heat map of twelve features of two vowels, spoken in 20 frames, the first "
    "far above the rest. Right: four voices as stepped lines between pitch 48 and 77.",
)

# %% [markdown]
# A forecast: what is the next letter of a name that begins with *sch*? And a label at
# every step: which vowels of a word are stressed (in brackets)?

# %%
names = data.load_surnames()
after = [name[3] for name in names if name.startswith("sch") and len(name) > 3]
shares = {letter: after.count(letter) / len(after) for letter in sorted(set(after))}
print("sch...", "  ".join(f"{letter} {share:.0%}" for letter, share in shares.items()))

words = data.load_stress().set_index("word")
for word in ("technic", "technician"):
    sounds = zip(words.loc[word, "phonemes"], words.loc[word, "stress"])
    print(f"{word:11}", " ".join(f"[{p}]" if mark > 0 else p for p, mark in sounds))

# %% tags=["claims"]
_sounds, _stress = words.loc["technic", "phonemes"], words.loc["technic", "stress"]
_longer, _other = words.loc["technician", "phonemes"], words.loc["technician", "stress"]
_same = list(_sounds[:5]) == list(_longer[:5]), list(_stress[:5]) == list(_other[:5])
assert _same == (True, False), f"the same five sounds, another stress: {_same}"

# %% [markdown]
# Both words begin with the same five sounds, and yet the stress differs, because of
# what comes after. For such tasks a network should read in both directions, as in
# [lesson 02.5](../02_LSTM_RNN/5_Bidirectional_RNN.ipynb).
#
# ### Questions
#
# 1. What would happen if, in section 1, you shuffled the eight steps of every
# series, each in an order of its own, in training and in the test?
#
# <details><summary>Answer</summary>
#
# It would be right about half of the time. Only the values would be left, without
# their order, and all that the values tell stands in the row *sorted* of section 1:
# 50 or 51 %, from a network with nine times as many weights.
#
# </details>
#
# 2. What would happen to the loss if the 24 steps of section 4 were read in pieces
# of one step, with the state carried on? And to the gradient?
#
# <details><summary>Answer</summary>
#
# The loss would be the same: the state still crosses from piece to piece. The
# gradient would not. The table of section 4 says that $\partial L/\partial W_h$ would
# be off by half of its length: what is missing is all that one step does to the errors
# of later ones.
#
# </details>
#
# 3. A tanh cell with spectral radius 1.2 reads inputs of size 1. What would happen
# to its gradient if you took the tanh away?
#
# <details><summary>Answer</summary>
#
# It would explode instead of vanishing. With tanh one step back keeps 0.71 (the table
# of section 5), without it one step multiplies by 1.19 (the first cell of section 6).
# The same squashing that makes gradients vanish protects from their explosion.
#
# </details>
#
# ## Summary
#
# - A sequence is data in which order carries information. An RNN reads it step by step
#   with one cell: $h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$. `nn.RNN` is that loop.
# - BPTT runs the loop backwards. Each step back multiplies by
#   $\operatorname{diag}(1 - h^2)\,W_h$.
# - The slope of tanh, or a small $W_h$, makes the gradient vanish: also at spectral
#   radius 1, also with an orthogonal matrix. Without squashing, a factor above 1
#   explodes; clip after `backward()`.
# - LSTM and GRU give the gradient a path whose factor is a gate. They learn long
#   memories sooner if that gate starts open.
#
# **Next:** in [lesson 02.1](../02_LSTM_RNN/1_Simple_RNN.ipynb) you write the training
# loop and forecast a year of sunspots.


# %% tags=["measure"]
def identity_start(rnn):
    """A plain RNN that keeps its state at first (Le, Jaitly and Hinton 2015)."""
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(torch.eye(32))
        rnn.bias_ih_l0.zero_()
        rnn.bias_hh_l0.zero_()


def measure(seed, look=None, adder=None, steps=500, lr=0.01):
    """Percent of the series told apart, or the error of an adder at its last step."""
    if adder == "RNN, identity start":
        layer = lambda inputs, units: nn.RNN(inputs, units, nonlinearity="relu")
        errors = learning_curve(layer, seed, identity_start, steps, lr)
        return {"test": float(f"{errors[-1]:.3g}")}
    if adder:
        layer, start, _ = models[adder]
        return {"test": float(f"{learning_curve(layer, seed, start)[-1]:.3g}")}
    torch.manual_seed(seed)
    model = Reader()
    if look == "sorted":
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    shown = {
        "in order": lambda x: x,
        "last step only": lambda x: x[:, -1:],
        "sorted": lambda x: x.sort(dim=1).values,
    }
    return {"test": round(100 * share_right(model, shown[look]), 2)}


MEASURE = {
    "in order": {"look": "in order"},
    "last step only": {"look": "last step only"},
    "sorted": {"look": "sorted"},
    "plain RNN": {"adder": "plain RNN"},
    "LSTM": {"adder": "LSTM"},
    "LSTM, open gates": {"adder": "LSTM, open gates"},
    "RNN, identity start": {"adder": "RNN, identity start", "steps": 1500, "lr": 0.001},
}


def baselines():
    """What one step back keeps of the gradient: the mean of five random networks."""
    torch.set_default_dtype(torch.float64)
    runs = {}
    for size in (1.0, 0.1):
        for radius in (0.9, 1.0, 1.2, 1.5):
            cell = lambda: tanh_cell(radius)
            runs[f"tanh {radius} inputs {size}"] = five_seeds(cell, size)
    runs["linear 1.2"] = five_seeds(lambda: tanh_cell(1.2, squash=lambda a: a))
    for bias in (0, 1, 3):
        runs[f"lstm {bias}"] = five_seeds(lambda: lstm_cell(bias))
        runs[f"gru {bias}"] = five_seeds(lambda: gru_cell(bias))
    torch.set_default_dtype(torch.float32)
    return {
        "one step keeps": {name: round(factor(run), 4) for name, run in runs.items()}
    }
