# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Introduction to recurrent neural networks
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
# You need some Python, and high-school calculus: functions, slopes, vectors. Reading
# and running takes about an hour. Run each cell with Shift + Enter, from top to
# bottom. Where it says **Predict before you run**, decide on an answer first: that is
# how surprises stay with you.

# %%
# Set-up: finds the course around this notebook, or fetches it if the notebook is alone.
import os, pathlib, subprocess, sys, tempfile

REPOSITORY = ""  # the address of the course, written here by tools/set_repository.py
here = pathlib.Path.cwd()
places = [here, *here.parents, *here.glob("*/")]
root = next((p for p in places if (p / "data/SHA256SUMS").is_file()), None)
if root is None:
    try:
        with tempfile.TemporaryDirectory(dir=here) as folder:
            clone = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "course"]
            quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
            options = {"check": True, "capture_output": True, "timeout": 300}
            subprocess.run(clone, cwd=folder, env=quiet, **options)
            root = pathlib.Path(folder, "course").rename(here / "course")
    except (OSError, subprocess.SubprocessError):
        raise RuntimeError(
            "The course is not around this notebook and could not be fetched. Download "
            "it as a zip, unpack it beside this notebook, and run this cell again."
        ) from None
sys.path.insert(0, str(root))

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from utils import data, forecasting, set_up
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
# Our first sequence: since 1749, astronomers have counted the dark spots on the sun.

# %%
show_slide(HERE, 1)
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
# fall?* We make series of eight noisy steps. A rising one and its mirror image hold
# the same numbers, so their means are equal, and so is everything else that ignores
# the order.


# %%
def rising_or_falling(n):
    """n series of 8 noisy steps, and 1 for each that rises, 0 for each that falls."""
    rises = torch.randint(2, (n,))
    trend = torch.linspace(-1, 1, 8)
    return (2 * rises[:, None] - 1) * trend + 0.5 * torch.randn(n, 8), rises


series, rises = rising_or_falling(4000)
up, mirror = series[rises == 1][0], series[rises == 1][0].flip(0)
print("means equal:", torch.isclose(up.mean(), mirror.mean(), atol=1e-6).item())
print("sorted, the same numbers:", up.sort().values.equal(mirror.sort().values))

# %% [markdown]
# **Predict before you run.** We train two networks to tell rising from falling. One has
# 354 weights and sees each series *sorted*. The other is an RNN with four numbers of
# memory, 38 weights in all, and sees it *in order*. How often will each be right?


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


def share_right(model, look):
    (x, y), (x_val, y_val), (x_test, y_test) = map(rising_or_falling, (2000, 500, 4000))
    loss = nn.functional.cross_entropy
    fit(model, (look(x), y), (look(x_val), y_val), epochs=5, lr=0.02, loss=loss)
    return (predict(model, look(x_test)).argmax(dim=1) == y_test).double().mean().item()


# %%
in_order, without = [], []
for seed in range(5):
    torch.manual_seed(seed)
    blind = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    without.append(share_right(blind, look=lambda x: x.sort(dim=1).values))
    in_order.append(share_right(Reader(), look=lambda x: x))
print("sorted:  ", ", ".join(f"{share:.0%}" for share in without))
print("in order:", ", ".join(f"{share:.0%}" for share in in_order))
assert max(without) < 0.54 and min(in_order) > 0.95

# %% [markdown]
# Five random starts each. Without the order, the larger network is a coin. The RNN is
# right nearly always, because it reads one step after the other and *remembers*.
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
rnn = nn.RNN(input_size=3, hidden_size=5)  # I = 3, H = 5
x = torch.randn(7, 2, 3)  # (T, B, I): 7 steps, 2 sequences, 3 numbers a step
states, last = rnn(x)
assert states.shape == (7, 2, 5)  # (T, B, H): the state after every step
assert last.shape == (1, 2, 5)  # (layers, B, H): the state after the last step
assert states[-1].equal(last[0])
longer, _ = rnn(torch.randn(700, 2, 3))
print("weights:", sum(p.numel() for p in rnn.parameters()), "for 7 steps or for 700")

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
# The number of weights does not depend on the length: the cell is shared by all
# steps. So one network can read sequences of any length, and what it learns at one
# place holds at every place. What differs between tasks is only *where inputs enter
# and outputs leave*.

# %%
show_slide(HERE, 3)
print("many to one reads the last state:      ", tuple(states[-1].shape))
print("many to many, aligned, reads all states:", tuple(states.shape))

# %% [markdown]
# Forecasting and classification are many to one. Tagging every word is many to many.
# One to many feeds each output back as the next input, as when a network writes
# music. An encoder and a decoder are two RNNs: the second starts from the last state
# of the first.
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
rnn = nn.RNN(input_size=1, hidden_size=4)
W_x = rnn.weight_ih_l0.detach().numpy()
W_h = rnn.weight_hh_l0.detach().numpy()
b = (rnn.bias_ih_l0 + rnn.bias_hh_l0).detach().numpy()  # PyTorch keeps b in two parts
x = np.array(sunspots, dtype=np.float32)[:264, None] / 100  # 22 years: (T, I)

h = np.zeros(4, dtype=np.float32)  # before the first step nothing is remembered
states = []
for x_t in x:
    h = np.tanh(W_x @ x_t + W_h @ h + b)
    states.append(h)
states = np.array(states)

# %% [markdown]
# **Predict before you run.** `nn.RNN` has the same weights. How far is its answer
# from that of our loop? And if both compute with 64 bits instead of 32?

# %%
theirs, _ = rnn(torch.tensor(x))
print("32 bits, within 1e-6:", np.abs(states - theirs.detach().numpy()).max() < 1e-6)

rnn64 = rnn.double()
W_x, W_h = rnn64.weight_ih_l0.detach().numpy(), rnn64.weight_hh_l0.detach().numpy()
b = (rnn64.bias_ih_l0 + rnn64.bias_hh_l0).detach().numpy()
h, x64 = np.zeros(4), x.astype(float)
for x_t in x64:
    h = np.tanh(W_x @ x_t + W_h @ h + b)
_, last = rnn64(torch.tensor(x64))
print("64 bits, within 1e-12:", np.abs(h - last[0].detach().numpy()).max() < 1e-12)
assert np.abs(states - theirs.detach().numpy()).max() < 1e-6
assert np.abs(h - last[0].detach().numpy()).max() < 1e-12

# %% [markdown]
# They differ only by rounding. There is no more in `nn.RNN` than in our loop. Here
# are the four numbers of the state while the network reads 22 years. It has learned
# nothing yet.

# %%
fig, (top, bottom) = plt.subplots(2, sharex=True, figsize=(8, 4))
top.plot(x * 100)
top.set(title="What comes in: 22 years of sunspots", ylabel="sunspot number")
plot_heatmap(states.T, bottom)
bottom.set(title="What is kept: four numbers", xlabel="month since January 1749")
bottom.set(ylabel="unit", yticks=range(4))
show(
    fig,
    "Above, the sunspot number over 264 months: two waves. Below, a heat map of the "
    "four numbers of the hidden state over the same months. Their colours follow "
    "the waves, each in its own direction and strength.",
)

# %% [markdown]
# Each row follows the waves in its own way. How long does such a memory last? Take
# the smallest cell, one unit, $h_t = \tanh(x_t + w\,h_{t-1})$, give it a single 1 at
# step 0 and nothing after, and move the recurrent weight $w$.
#
# **Predict before you move.** For which $w$ is the 1 forgotten, for which is it kept?


# %%
def impulse_response(w, steps=40):
    h, states = 0.0, []
    for t in range(steps):
        h = np.tanh((t == 0) + w * h)
        states.append(h)
    return states


def memory_figure(w):
    fig, ax = plt.subplots(figsize=(8, 2.8))
    for other in (0.5, 1.0, 1.2):
        ax.plot(impulse_response(other), color=PALE)
        ax.text(39.3, impulse_response(other)[-1], f"{other}", color=GREY, va="center")
    ax.plot(impulse_response(w), color=GREEN, linewidth=3)
    ax.set(xlabel="steps after the impulse", ylabel="state $h_t$", ylim=(-1, 1))
    ax.set(title=f"After 39 steps, w = {w:.2f} keeps {impulse_response(w)[-1]:.2f}")
    alt = f"State of one unit over 40 steps after an impulse, recurrent weight {w:.2f}"
    return fig, alt + ", in green; in grey for 0.5, 1.0 and 1.2."


slider = widgets.FloatSlider(0.9, min=-1.2, max=1.5, step=0.05, description="weight w")
explore(memory_figure, w=slider)
assert impulse_response(0.9)[-1] < 0.02 and impulse_response(1.2)[-1] > 0.5

# %% [markdown]
# Below 1 the memory fades, the faster the smaller $w$. Above 1 the unit latches: it
# stays at a fixed level for ever, which remembers *that* something came but not when
# or how much. At exactly 1 it fades slowly. Keep this picture: most of what is hard
# about RNNs is in it.
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


train, validation, test = data.chronological_split(len(sunspots))
scale = data.Standardiser.fit(sunspots[train])  # mean 0, standard deviation 1
pairs = [data.windows(scale(sunspots), 24, part=p) for p in (train, validation, test)]
pairs = [tuple(torch.tensor(array).float() for array in pair) for pair in pairs]
known, actual = data.windows(sunspots, 24, part=test)
forecasts = []
for seed in range(5):
    torch.manual_seed(seed)
    model = Forecaster()
    history = fit(model, pairs[0], pairs[1], epochs=30, lr=0.003, patience=6)
    forecasts.append(scale.undo(predict(model, pairs[2][0]).numpy()))

# %% [markdown]
# Is the result good? A number alone cannot say. Two simple forecasts can:
# **persistence**, next month will be as this one; and **AR(24)**, a weighted sum of
# the last 24 months with the weights by least squares. RMSE is the root of the mean
# squared error, in sunspots.

# %%
scores = [forecasting.rmse(forecast, actual) for forecast in forecasts]
linear = forecasting.autoregression(*data.windows(sunspots, 24, part=train), order=24)
naive = forecasting.rmse(forecasting.persistence(known), actual)
ar = forecasting.rmse(linear(known), actual)
print(f"persistence {naive:.1f}   AR(24) {ar:.1f}   RNN {np.mean(scores):.1f}", end="")
print(f"   (five seeds: {min(scores):.1f} to {max(scores):.1f})")
assert ar < min(scores) and max(scores) < naive

fig, (left, right) = plt.subplots(1, 2, width_ratios=(1, 2), figsize=(9, 3.2))
plot_training(history, left, unit="mean squared error")
left.set(title="It learns in a few epochs")
dates = sunspots[test].index.to_timestamp()[-120:]
plot_forecast(dates, actual[-120:, 0], {"RNN": forecasts[-1][-120:, 0]}, right)
right.set(title="One month ahead, on unseen months", ylabel="sunspot number")
show(
    fig,
    "Left: training and validation loss fall steeply and level off. Right: the last "
    "ten years of the record as a wide grey line, and the forecasts of the RNN "
    "along it.",
)

# %% [markdown]
# An **epoch** is one pass over the training months. The RNN beats persistence; the
# linear AR(24) beats the RNN. One month ahead, a weighted sum is hard to beat. Lesson
# 02.1 asks for twelve months, where that changes.
#
# ## 4 · Backpropagation through time
#
# How did `fit` know in which direction to move the weights? By the **gradient**: for
# each weight, the slope of the loss $L$ when that weight moves. Autograd computed it.
# Here you do it by hand, once, so that it is no magic.
#
# The network reads forwards. Errors travel backwards, from the last step to the
# first, hence **backpropagation through time (BPTT)**. Let the output be $y_t = W_y
# h_t + b_y$, the target $d_t$, and $L = \frac12 \sum_t (y_t - d_t)^2$. Then, from the
# last step back:
#
# 1. The output's slope is $y_t - d_t$. It reaches the state through $W_y$, and joins
#    what comes back from step $t+1$. Together they are $\partial L/\partial h_t$.
# 2. Through the tanh, whose slope is $1 - h_t^2$: $\;a_t = (1 - h_t^2)\,\partial
#    L/\partial h_t$.
# 3. $W_x$, $W_h$ and $b$ were used at every step, so their slopes are *sums* over the
#    steps.
# 4. $W_h^\top a_t$ goes on to step $t-1$.

# %%
show_slide(HERE, 6)


def forward(p, x, tanh=np.tanh):
    """States h_0 ... h_T and outputs y_1 ... y_T of the network with weights p."""
    h, y = [p["h_0"]], []
    for x_t in x:
        h.append(tanh(p["W_x"] @ x_t + p["W_h"] @ h[-1] + p["b"]))
        y.append(p["W_y"] @ h[-1] + p["b_y"])
    return h, y


def loss(p, x, d, tanh=np.tanh):
    _, y = forward(p, x, tanh)
    return sum(((y_t - d_t) ** 2).sum() for y_t, d_t in zip(y, d)) / 2


# %%
def bptt(p, x, d, cut=None):
    """The slope of the loss for every weight; `cut` comes up further down."""
    h, y = forward(p, x)
    slope = {name: np.zeros_like(weight) for name, weight in p.items()}
    later = np.zeros_like(p["h_0"])  # what comes back from step t + 1
    for t in reversed(range(len(x))):
        error = y[t] - d[t]
        slope["W_y"] += np.outer(error, h[t + 1])
        slope["b_y"] += error
        a = (1 - h[t + 1] ** 2) * (p["W_y"].T @ error + later)
        slope["W_x"] += np.outer(a, x[t])
        slope["W_h"] += np.outer(a, h[t])
        slope["b"] += a
        later = p["W_h"].T @ a
        if cut and t % cut == 0:
            later = np.zeros_like(later)
    slope["h_0"] = later
    return slope


# %% [markdown]
# (Python counts from 0: `h[0]` is $h_0$, so `h[t + 1]` belongs to input `x[t]`.)
#
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
            above = loss(p, x, d)
            weight[i] = middle - eps
            slope[name][i] = (above - loss(p, x, d)) / (2 * eps)
            weight[i] = middle
    return slope


rng = np.random.default_rng(0)
shapes = {"W_x": (4, 1), "W_h": (4, 4), "b": 4, "W_y": (1, 4), "b_y": 1, "h_0": 4}
p = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
z = scale(sunspots.to_numpy())[:, None]
x, d = z[:24], z[1:25]  # at each of 24 months, forecast the next
torch_p = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
loss(torch_p, torch.tensor(x), torch.tensor(d), torch.tanh).backward()

# %%
by_hand, numeric = bptt(p, x, d), finite_differences(p, x, d)
for name in p:
    auto, size = torch_p[name].grad.numpy(), np.abs(by_hand[name]).max()
    to_autograd = np.abs(by_hand[name] - auto).max() / size
    to_numeric = np.abs(by_hand[name] - numeric[name]).max() / size
    assert to_autograd < 1e-10 and to_numeric < 1e-7
    print(f"{name:4} {by_hand[name].size:3} slopes agree with both judges")

# %% [markdown]
# All of them agree: with autograd to ten digits, with finite differences to seven. What
# PyTorch does in `backward()` is these few lines.
#
# On long sequences people cut the way back, to save memory and time: **truncated
# BPTT** lets the error cross only `cut` steps. The forward pass is the same, and so
# is the loss; the gradient is not.

# %%
show_slide(HERE, 7)
for cut in (1, 2, 4, 8, 24):
    dropped = np.linalg.norm(bptt(p, x, d, cut)["W_h"] - by_hand["W_h"])
    print(
        f"cut every {cut:2} steps: {dropped / np.linalg.norm(by_hand['W_h']):4.0%} off"
    )
assert np.allclose(bptt(p, x, d, 24)["W_h"], by_hand["W_h"])

# %% [markdown]
# What is dropped is the influence of early steps on late errors. A network trained
# with a short cut cannot learn what happens over longer times, because it never feels
# it.
#
# ## 5 · The vanishing gradient
#
# Line 4 of BPTT sends the error one step back. Written for the whole state, one step
# is a product with the matrix
#
# $$\frac{\partial h_{t+1}}{\partial h_t} = \operatorname{diag}(1 - h_{t+1}^2)\, W_h ,$$
#
# a **Jacobian**: the table of all slopes of the new state with respect to the old.
# Going back 50 steps multiplies fifty of them. If each shrinks a vector a little,
# fifty erase it, and the network cannot learn from what happened 50 steps ago.
#
# We measure $\lVert\partial L/\partial h_t\rVert$, the length of that vector, at
# every step, for a loss that looks at the last state only. (64-bit numbers from here
# on: these gradients get very small.) The **spectral radius** of $W_h$ is the size of
# its largest eigenvalue: the factor by which $W_h$ alone would stretch a vector in
# the long run.

# %%
show_slide(HERE, 8)
torch.set_default_dtype(torch.float64)
STEPS, BATCH, INPUTS, UNITS = 100, 32, 16, 64


def tanh_cell(radius, squash=torch.tanh):
    """A cell with random weights; `radius` is the spectral radius of W_h."""
    W_h = torch.randn(UNITS, UNITS)
    W_h *= radius / torch.linalg.eigvals(W_h).abs().max()
    W_x = torch.randn(INPUTS, UNITS) / INPUTS**0.5
    return lambda x_t, state: (squash(x_t @ W_x + state[0] @ W_h),)


def gradient_norms(make_cell, input_scale=1.0, seed=0):
    """Size of dL/ds_t for t = 1 ... STEPS; s is the last part of the cell's state."""
    torch.manual_seed(seed)
    x, look = torch.randn(STEPS, BATCH, INPUTS), torch.randn(UNITS)
    cell, states = make_cell(), []
    state = (torch.zeros(BATCH, UNITS, requires_grad=True),) * 2
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
    """What one step back keeps, on average from 10 to 60 steps before the loss."""
    return ((runs[:, 60] / runs[:, 10]) ** (1 / 50)).mean().item()


# %% [markdown]
# **Predict before you run.** With spectral radius 1, will the gradient survive?


# %%
kept = factor(five_seeds(lambda: tanh_cell(1.0)))
print(f"one step back keeps {kept:.2f} of the gradient, 50 steps {kept**50:.0e}")
assert kept < 0.7

# %% [markdown]
# It does not survive. Radius 1 would keep it, but the other factor, $1 - h^2$, takes
# its share at every step. Can we predict how much? A random $W_h$ of radius $\rho$
# stretches a typical vector by $\rho$, and the diagonal shrinks it by the root mean
# square of $1 - h^2$. So the factor should be
#
# $$\rho \cdot \sqrt{\operatorname{mean}\left[(1 - h^2)^2\right]} .$$


# %%
def predicted(radius, input_scale):
    torch.manual_seed(0)
    x, cell = input_scale * torch.randn(STEPS, BATCH, INPUTS), tanh_cell(radius)
    state, squares = (torch.zeros(BATCH, UNITS),), []
    for x_t in x:
        state = cell(x_t, state)
        squares.append((1 - state[0] ** 2).square().mean())
    return radius * torch.stack(squares).mean().sqrt().item()


# %%
print("radius  input scale  predicted  measured")
for input_scale in (1.0, 0.1):
    for radius in (0.9, 1.0, 1.2, 1.5):
        guess = predicted(radius, input_scale)
        measured = factor(five_seeds(lambda: tanh_cell(radius), input_scale))
        print(f"{radius:6} {input_scale:12} {guess:10.2f} {measured:9.2f}")
        assert abs(guess - measured) < 0.1 and measured < 1.03

# %% [markdown]
# The rule predicts what is measured. Read the table from the top: with full-size
# inputs even radius 1.5 **vanishes**, because the units are **saturated**: a state
# near ±1 sits where tanh is flat, and $1 - h^2$ is close to 0. With inputs ten times
# smaller the same network keeps almost everything. So it is not the weights alone
# that decide.
#
# A popular cure is an **orthogonal** $W_h$, which turns vectors without stretching
# them at all. **Predict:** does it help against saturation? The figure shows it, and
# two sliders let you look for the place where memory is kept.


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
runs = five_seeds(orthogonal_cell)
plot_band(back, runs, axes[0], "orthogonal", PURPLE)
axes[0].set(ylabel="gradient, relative to the last step", yscale="log")
show(
    fig,
    "Two log plots of gradient size against steps back, 0 to 99, five seeds. Inputs of "
    "size 1: all fall in straight lines, radius 0.9 to 1e-25, radius 1.5 to 1e-8, an "
    "orthogonal matrix like radius 1. Inputs of size 0.1: slower; radius 1.5 is level.",
)
assert factor(runs) < 0.75

# %% [markdown]
# A straight line on a logarithmic axis is a constant factor a step. Left, everything
# vanishes; the orthogonal matrix hardly helps, because saturation is not its business.
# Right, gentle inputs keep the units out of saturation.


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
# This was found in 1991 by Sepp Hochreiter in his diploma thesis, and by Bengio,
# Simard and Frasconi (1994).
#
# ## 6 · The exploding gradient
#
# Now take the tanh away. Nothing saturates, and a factor above 1 is multiplied with
# itself.
#
# **Predict before you run.** Radius 1.2: how much larger is the gradient after 100
# steps?

# %%
show_slide(HERE, 10)
linear = five_seeds(lambda: tanh_cell(1.2, squash=lambda a: a))
print(f"one step back multiplies by {factor(linear):.2f}")
print(f"99 steps back: {linear[:, -1].median():.0e} times as large")
assert 1.1 < factor(linear) < 1.25

# %% [markdown]
# One step along such a gradient throws the weights far away. The usual protection is
# to **clip** it: if the length of the gradient is above a threshold, scale it down to
# the threshold and keep its direction (Pascanu, Mikolov and Bengio 2013). Three
# things can go wrong, and each takes one line to see.

# %%
w = torch.ones(2, requires_grad=True)
clip = nn.utils.clip_grad_norm_


def gradient_of(loss):
    w.grad = None
    loss.backward()


gradient_of((300 * w).square().sum())
clip([w], 1.0)
print(f"clipped after backward:   length {w.grad.norm():.2f}")

w.grad = None
clip([w], 1.0)  # nothing there yet
(300 * w).square().sum().backward()
print(f"clipped before backward:  length {w.grad.norm():.0f}")
assert w.grad.norm() > 1000

gradient_of(((3 * w) ** 3000).sum())  # more than 64 bits can hold
print(f"the gradient overflowed:  {w.grad.tolist()}")
clip([w], 1.0)
print(f"clipping it then gives:   {w.grad.tolist()}")
assert w.grad.isnan().all()

# %% [markdown]
# 1. Clipping belongs between `backward()` and the optimizer's step.
# 2. Before `backward()` there is nothing to clip, and no error tells you.
# 3. An infinite gradient has infinite length. Scaled down it is infinity divided by
#    infinity: NaN, *not a number*, and every weight it touches becomes NaN too. With
#    `error_if_nonfinite=True` PyTorch stops instead.
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


def cliff_figure(exponent):
    path, w = descent(10**exponent), np.linspace(0.5, 1.17, 200)
    inside = path[(path >= 0.5) & (path <= 1.17)]
    fig, ax = plt.subplots(figsize=(7, 3))
    ax.plot(w, (w**20 - 1) ** 2 / 2, color=GREY)
    ax.plot(inside, (inside**20 - 1) ** 2 / 2, "o-", color=ORANGE, markersize=5)
    ax.set(xlabel="weight $w$", ylabel="loss $L(w)$", ylim=(-5, 130))
    end = f"the first step lands at w = {path[1]:.2f}, the last at {path[-1]:.2f}"
    ax.set(title=f"Threshold {10**exponent:.3g}: {end}")
    return fig, f"A flat loss with a cliff right of 1, and the path of descent: {end}."


threshold = widgets.FloatSlider(
    0.0, min=-1, max=4, step=0.25, description="threshold, power of ten"
)
explore(cliff_figure, exponent=threshold)
assert abs(descent(1)[-1] - 1) < 0.02 and descent(1e4)[1] < -10

# %% [markdown]
# Clipped to length 1, the descent walks down the cliff and stops in the valley at 1.
# Move the threshold up until it no longer holds: one step lands far out on the plain
# to the left, where the gradient is nothing and no way leads back.
#
# ## 7 · Why LSTM and GRU were invented
#
# Clipping helps against explosion. Nothing of the kind helps against vanishing: what is
# gone cannot be scaled up. The cell itself has to change.
#
# The **LSTM** (long short-term memory; Hochreiter and Schmidhuber 1997) keeps a
# second state, the **cell state** $c_t$, and changes it only by multiplying with a
# gate and adding:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t$$
#
# $\odot$ means number by number. The **forget gate** $f_t$ (Gers, Schmidhuber and
# Cummins 2000) lies between 0 and 1: what to keep. $i_t$ says what to write, $g_t$ is
# the candidate to write. On the way back from $c_t$ to $c_{t-1}$ along this line
# stands no matrix and no tanh: only $f_t$. If the gate is open, the gradient passes.

# %%
show_slide(HERE, 12)
show_slide(HERE, 13)

# %% [markdown]
# The **GRU** (Cho et al. 2014) does the same with one state: $h_t = (1 - z_t) \odot
# n_t + z_t \odot h_{t-1}$, where the **update gate** $z_t$ says what to keep of the
# old state and $n_t$ is the candidate.
#
# How open is open enough? The bias of the forget gate decides where it starts. Folk
# wisdom says: set it to 1. **Predict:** how much of the gradient does one step keep
# then?


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
    "gradient of an LSTM falls to 1e-20, with 1 to 1e-7; with bias 3 it stays level.",
)

# %%
for name, value in kept.items():
    print(f"{name:20} one step keeps {value:.2f}, fifty keep {value**50:.0e}")
lstm, gru = list(kept.values())[::2], list(kept.values())[1::2]
assert lstm[0] < 0.75 < lstm[1] < 0.92 < lstm[2] < 1.05
assert gru[0] < 0.75 < gru[1] < 0.9 < gru[2] < 1.05

# %% [markdown]
# An LSTM whose forget gate starts half closed (bias 0) is no better than a plain RNN.
# Bias 1 still loses about 15 % a step: after 50 steps, less than a thousandth is
# left. With bias 3 the gradient arrives whole. The structure makes long memory
# *possible*; the start decides whether training finds it. (Training can move the
# gates later.)
#
# Does it matter? The **adding problem** (Hochreiter and Schmidhuber 1997): 100 random
# numbers, two of them marked; the answer is the sum of the marked two. Whoever cannot
# remember for many steps can only guess 1, the mean, with an error of about 0.17.

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
# The LSTM's forget biases start between 0 and $\log 99$: some units remember a few
# steps, some all hundred (Tallec and Ollivier 2018). For the plain RNN there is no
# such choice.


# %%
def learning_curve(layer, seed, steps=500):
    """Held-out error every 25 steps of training on fresh batches."""
    torch.manual_seed(999)
    x_test, y_test = adding_problem(1000)
    torch.manual_seed(seed)
    model, errors = LastState(layer), []
    if layer is nn.LSTM:
        open_ = torch.empty(32).uniform_(1, LENGTH - 1).log()
        bias = torch.cat([-open_, open_, torch.zeros(64)])  # i, f, g and o
        model.layer.bias_ih_l0.data, model.layer.bias_hh_l0.data = bias, 0 * bias
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
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
fig, ax = plt.subplots()
last = {}
for name, layer, colour in (("tanh RNN", nn.RNN, BLUE), ("LSTM", nn.LSTM, GREEN)):
    curves = np.array([learning_curve(layer, seed) for seed in range(3)])
    plot_band(range(0, 501, 25), curves, ax, name, colour)
    last[name] = curves[:, -1]
ax.axhline(1 / 6, xmax=0.87, color=GREY, linestyle="--", linewidth=1)
ax.set(xlabel="training step", ylabel="mean squared error", xlim=(0, 575))
ax.set_yscale("log")
ax.set(title="The LSTM learns to add over 100 steps, the plain RNN never starts")
show(
    fig,
    "Learning curves on the adding problem, three seeds each, log axis. The tanh "
    "RNN stays at the dashed line of guessing, 0.17, for all 500 training steps. "
    "The LSTM leaves it and falls below 0.01.",
)
assert last["tanh RNN"].min() > 0.1 and last["LSTM"].max() < 0.02

# %% [markdown]
# All three LSTMs solve it. None of the plain RNNs moves from the dashed line: the
# marks lie tens of steps before the loss, and the gradient that should tell about
# them has vanished on the way.
#
# ## 8 · Where RNNs are used
#
# Wherever order matters. Five pieces of real data from this course, each with the
# wiring of section 2 that its task needs:

# %%
show_slide(HERE, 16)
words = data.load_stress().set_index("word").loc[["technic", "technician"]]
chorale = data.load_chorales()["bwv10.7"][:64]
names = data.load_surnames()
follow = [name[3] for name in names if name.startswith("sch") and len(name) > 3]
letters, counts = np.unique(follow, return_counts=True)
fig, axes = plt.subplots(1, 4, figsize=(11, 2.9))
axes[0].plot(sunspots.to_numpy()[-264:], linewidth=1)
axes[0].set(title="Forecasting\nmany to one", xlabel="month", ylabel="sunspots")
axes[1].bar(letters, counts / counts.sum())
axes[1].set(title="Next letter after sch\naligned", ylabel="share of surnames")
axes[2].imshow(data.load_vowels()[0][0].T, aspect="auto", cmap="Blues")
axes[2].set(title="Speech: who speaks?\nmany to one", xlabel="frame", ylabel="feature")
axes[3].plot(np.where(chorale, chorale, np.nan), drawstyle="steps-post")
axes[3].set(title="Music: next chord\naligned", xlabel="16th note", ylabel="pitch")
for ax in axes[2:]:
    ax.grid(False)
show(
    fig,
    "Four small plots: the last 22 years of sunspots; shares of the letters that "
    "follow sch in surnames, e and u and n and o and a and r and m and l and w "
    "among them; a heat map of twelve features of a spoken vowel over time; the "
    "four voices of a chorale as stepped lines.",
)
for word, row in words.iterrows():
    sounds = zip(row["phonemes"], row["stress"])
    print(f"{word:11}", " ".join(f"[{p}]" if mark > 0 else p for p, mark in sounds))

# %% [markdown]
# The last two lines are a task for *every* step: which vowels of a word are stressed?
# (Stressed ones stand in brackets.) Both words begin with the same five sounds, and yet
# the stress differs, because of what comes after. Lesson 02.5 reads in both directions
# for that reason.
#
# ## Summary
#
# - A sequence is data in which order carries information. An RNN reads it step by step
#   with one cell: $h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$. `nn.RNN` is that loop.
# - BPTT runs the loop backwards. Each step back multiplies by $\operatorname{diag}(1
#   - h^2)\,W_h$.
# - Saturated units make the gradient vanish, also at spectral radius 1, also with an
#   orthogonal matrix. Without squashing, a factor above 1 explodes; clip after
#   `backward()`.
# - LSTM and GRU give the gradient a path whose factor is a gate. It has to start open.
#
# **Next:** in lesson 02.1 you write the training loop and forecast a year of sunspots.
