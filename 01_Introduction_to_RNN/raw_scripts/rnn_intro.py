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
# - write the cell of a recurrent neural network (RNN) in one line, and unroll it over a
#   series;
# - show that your loop computes exactly what `torch.nn.RNN` computes;
# - train an RNN to forecast real data, and judge it against simple forecasts.
#
# You need Python, and the mathematics of a first course: functions, slopes, vectors.
# Run each cell with Shift + Enter, from top to bottom. Where a line says **Predict
# before you run**, decide on an answer first: that is how the surprises stay with
# you.

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
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from utils import set_up
from utils.data import Standardiser, chronological_split, load_sunspots, windows
from utils.forecasting import autoregression, persistence, rmse
from utils.plotting import plot_forecast, plot_heatmap, plot_training, show
from utils.training import fit, predict

set_up(seed=0)

# %% [markdown]
# ## 1 · A sequence is data in which order matters
#
# Since 1749, astronomers have counted the dark spots on the sun. Here is every month.

# %%
sunspots = load_sunspots()
fig, ax = plt.subplots()
ax.plot(sunspots.index.to_timestamp(), sunspots, linewidth=0.8)
ax.set(title="The sun has a rhythm of about eleven years", ylabel="sunspot number")
show(
    fig,
    "Line plot of the monthly sunspot number from 1749 to 2009. It rises and falls "
    "between 0 and 250 in 24 waves of about eleven years, of different heights.",
)

# %% [markdown]
# Each wave climbs faster than it falls, and a high month is followed by another high
# month. None of that is in the numbers alone; it is in their *order*. Shuffle the
# months and the rhythm is gone, although not one number has changed.
#
# A **sequence** is data of this kind: a first value, a second, a third. We write $x_t$
# for the value at step $t$, and $T$ for the number of steps.
#
# Here is the smallest question that only order can answer: *does this stretch of 24
# months rise or fall?* We take every stretch whose second year differs from its first
# by more than 10 sunspots, and beside it the same stretch read backwards. If one
# rises, its mirror image falls.

# %%
train, validation, test = chronological_split(len(sunspots), validation=0.1, test=0.2)


def stretches(part):
    """Stretches of 24 months with their mirror images, and 1 for each that rises."""
    months, _ = windows(sunspots / 100, length=24, part=part)
    both = torch.tensor(np.concatenate([months, months[:, ::-1]])).float()
    change = both[:, 12:].mean(dim=1) - both[:, :12].mean(dim=1)
    clear = change.abs() > 0.1
    return both[clear], (change[clear] > 0).float()


x, rises = stretches(test)
half = len(x) // 2
print(f"{len(x)} stretches to test on, {rises.mean():.0%} of them rise")
print("sorted, a stretch equals its mirror:", x[0].msort().equal(x[half].msort()))

# %% [markdown]
# The last line is the point. Sorting keeps every value and forgets the order, and
# then the two are the same. Whatever a model computes from the sorted values, it must
# answer the same for both, so it is right about one and wrong about the other.
#
# **Predict before you run.** We train two models: one with 1,665 numbers to adjust,
# which sees the months sorted; and an RNN with 33, which sees them in order. How
# often will each be right?


# %%
class Reader(nn.Module):
    """Reads a stretch month by month into 4 numbers, then says whether it rose."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=4, batch_first=True)
        self.answer = nn.Linear(4, 1)

    def forward(self, x):
        states, _ = self.rnn(x.unsqueeze(-1))
        return self.answer(states[:, -1]).squeeze(-1)


def blind():
    """Two layers that see a stretch with its months sorted."""
    return nn.Sequential(
        nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(start_dim=0)
    )


# %%
def train_and_test(make_model, look):
    """Share of right answers on the test months; the model sees `look(months)`."""
    data = [stretches(part) for part in (train, validation, test)]
    data = [(look(months), rises) for months, rises in data]
    model = make_model()
    loss = nn.functional.binary_cross_entropy_with_logits
    fit(model, data[0], data[1], epochs=20, lr=0.01, loss=loss)
    answers = predict(model, data[2][0]) > 0
    return (answers == data[2][1].bool()).double().mean().item()


in_order = [train_and_test(Reader, look=lambda months: months) for _ in range(3)]
sorted_ = [train_and_test(blind, look=lambda m: m.sort(dim=1).values) for _ in range(3)]
print("in order:", ", ".join(f"{share:.0%}" for share in in_order), "right")
print("sorted:  ", ", ".join(f"{share:.0%}" for share in sorted_), "right")
assert min(in_order) > 0.7 and set(sorted_) == {0.5}

# %% [markdown]
# Three random starts each. The large model is a coin. The small one is right most of
# the time, because it reads the months one after the other and *remembers*. How it
# does that is one line.

# %% [markdown]
# ## 2 · The cell
#
# An RNN carries a list of numbers along the sequence, its **hidden state** $h_t$. At
# each step the same **cell** mixes the new input $x_t$ into the old state $h_{t-1}$:
#
# $$h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$$
#
# - $W_x$ is a matrix that says how the input enters. With $H$ numbers in the state
#   and $I$ in the input, its shape is $(H, I)$.
# - $W_h$, of shape $(H, H)$, says how the old state is carried over.
# - $b$ is one constant for each of the $H$ numbers, the bias.
# - $\tanh$ squashes every number into the range from −1 to 1, so the state cannot run
#   away.
#
# In NumPy that is one line. We let PyTorch draw the first weights of a network with
# four numbers in its state, and copy them out.

# %%
rnn = nn.RNN(input_size=1, hidden_size=4)
W_x = rnn.weight_ih_l0.detach().numpy()
W_h = rnn.weight_hh_l0.detach().numpy()
b = (rnn.bias_ih_l0 + rnn.bias_hh_l0).detach().numpy()  # PyTorch keeps b in two parts


def cell(x_t, h):
    return np.tanh(W_x @ x_t + W_h @ h + b)


# %% [markdown]
# To read a sequence, call the cell once for each step and hand the state on. That is
# all that *recurrent* means. Drawn out step by step, the loop is called the
# **unrolled** network: many copies of one cell, all with the same weights.

# %%
months = np.array(sunspots, dtype=np.float32)[:264, None] / 100  # 22 years, (T, I)
h = np.zeros(4, dtype=np.float32)
states = []
for x_t in months:
    h = cell(x_t, h)
    states.append(h)
states = np.array(states)
print("inputs", months.shape, "-> states", states.shape)

# %% [markdown]
# **Predict before you run.** `nn.RNN` has the same weights. How far will its answer
# be from that of our loop?

# %%
theirs, last = rnn(torch.tensor(months))
distance = np.abs(states - theirs.detach().numpy()).max()
print("largest difference below one in a million:", distance < 1e-6)
assert distance < 1e-6
assert torch.equal(theirs[-1], last[0])

# %% [markdown]
# The two agree to the last digits of a 32-bit number. There is no more in `nn.RNN`
# than in our loop. It returns two things: all states, shape $(T, H)$, and the last
# one again.
#
# Here are the four numbers while the network reads. It has learned nothing yet.

# %%
fig, (top, bottom) = plt.subplots(2, sharex=True, figsize=(8, 4))
top.plot(months * 100)
top.set(title="What comes in: 22 years of sunspots", ylabel="sunspot number")
plot_heatmap(states.T, bottom)
bottom.set(
    title="What is kept: four numbers a month", xlabel="month since January 1749"
)
bottom.set(ylabel="state", yticks=range(4))
show(
    fig,
    "Above, the sunspot number over 264 months: two waves. Below, a heat map of the "
    "four numbers of the hidden state over the same months. Their colours follow the "
    "waves, each in its own direction and strength.",
)

# %% [markdown]
# Each row answers the input in its own way. Training will choose the weights so that
# these numbers are useful.

# %% [markdown]
# ## 3 · Train it to forecast
#
# The task: from 24 months, forecast the next. The network reads the months, and a last
# linear layer turns the final state into a forecast.


# %%
class Forecaster(nn.Module):
    def __init__(self, units=32):
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=units, batch_first=True)
        self.forecast = nn.Linear(units, 1)

    def forward(self, x):
        states, _ = self.rnn(x.unsqueeze(-1))  # (B, 24) -> (B, 24, 1) -> (B, 24, 32)
        return self.forecast(states[:, -1])  # (B, 1)


# %% [markdown]
# Two rules keep the comparison honest. The **split** follows time: we train on the
# first 70 %, choose when to stop on the next 10 %, and judge on the last 20 %, which
# the network never saw. And the **scale** (mean 0, standard deviation 1, which
# networks like) is measured on the training months alone.

# %%
scale = Standardiser.fit(sunspots[train])
parts = {}
for name, part in (("train", train), ("validation", validation), ("test", test)):
    pairs = windows(scale(sunspots), length=24, horizon=1, part=part)
    parts[name] = tuple(torch.tensor(array).float() for array in pairs)
    print(f"{name:10} inputs {tuple(pairs[0].shape)}  targets {tuple(pairs[1].shape)}")

# %% [markdown]
# `fit` shows the pairs to the network in small batches, again and again, and each time
# moves the weights a little downhill. (You will write it yourself in lesson 02.1.) We
# train five networks that differ only in their random start, to see how much is luck.

# %%
known, actual = windows(sunspots, length=24, horizon=1, part=test)
forecasts, scores = [], []
for seed in range(5):
    torch.manual_seed(seed)
    model = Forecaster()
    history = fit(
        model, parts["train"], parts["validation"], epochs=40, lr=0.003, patience=8
    )
    forecasts.append(scale.undo(predict(model, parts["test"][0]).numpy()))
    scores.append(rmse(forecasts[-1], actual))
print("RMSE of the five networks:", ", ".join(f"{score:.1f}" for score in scores))

# %%
fig, ax = plt.subplots()
plot_training(history, ax, unit="mean squared error")
ax.set(title="Both losses fall, then learning slows down")
show(
    fig,
    "Training curve of the last network: training and validation loss by epoch. Both "
    "fall steeply in the first epochs and then level off; the kept epoch is marked.",
)

# %% [markdown]
# Is an error of 18 or 19 good? A number alone cannot say. Two simple forecasts can:
#
# - **persistence**: next month will be as this one;
# - **AR(24)**: a weighted sum of the last 24 months, the weights by least squares. A
#   straight line in 24 dimensions, no network.

# %%
linear = autoregression(*windows(sunspots, 24, 1, part=train), order=24)
results = {
    "persistence": rmse(persistence(known), actual),
    "AR(24)": rmse(linear(known), actual),
    "RNN, mean of 5": np.mean(scores),
}
for name, error in results.items():
    print(f"{name:15} RMSE {error:5.1f}")
assert results["AR(24)"] < results["RNN, mean of 5"] < results["persistence"]

# %%
dates = sunspots[test].index.to_timestamp()[-180:]
fig, ax = plt.subplots()
lines = {"persistence": persistence(known), "RNN": forecasts[-1]}
plot_forecast(
    dates, actual[-180:, 0], {k: v[-180:, 0] for k, v in lines.items()}, ax, "sunspots"
)
ax.set(title="One month ahead, on months that the network never saw")
show(
    fig,
    "The last fifteen years of the record: actual sunspot numbers as a wide grey line, "
    "the forecasts of persistence and of the RNN over them. Both follow the wave; "
    "persistence jumps with every month, the RNN is smoother.",
)

# %% [markdown]
# The RNN beats persistence, and the linear AR(24) beats the RNN. One month
# ahead there is little to gain: most of the error is the month-to-month noise, which
# nobody can forecast. Lesson 02.1 asks for twelve months, where it is the other way
# round.
#
# ## Summary
#
# - A sequence is data in which order carries information. A model that ignores order
#   cannot tell a rise from a fall.
# - An RNN keeps a hidden state. One cell, $h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$,
#   is called at every step with the same weights.
# - `nn.RNN` is that loop: the outputs are equal.
# - A forecast is judged beside simple ones, on months that were never trained on.
