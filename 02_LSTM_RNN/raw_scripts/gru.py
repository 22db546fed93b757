# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02.3 · The GRU, and a forecast from many variables
#
# **You will be able to**
#
# - write a GRU from its equations, and say which of the two published formulas
#   `nn.GRU` computes;
# - prepare real measurements for a network: angles, gaps, scales, without a look into
#   the future;
# - forecast temperature from eight variables, and judge the forecast against
#   persistence and ridge regression;
# - compare RNN, LSTM and GRU at an equal number of parameters, with intervals;
# - say what such a table does *not* show.
#
# You need lessons 02.1 (windows, splits, the training loop) and 02.2 (gates). Reading
# and running takes about an hour. Where it says **Predict before you run**, decide on
# an answer first.

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
import pandas as pd
import torch
from torch import nn

from utils import set_up
from utils.data import Standardiser, chronological_split, load_weather, windows
from utils.exercises import gru as checks
from utils.forecasting import mae, persistence
from utils.plotting import BLUE, GREEN, GREY, ORANGE
from utils.plotting import plot_forecast, plot_training, show, show_slide
from utils.training import fit, predict

set_up(seed=0)
HERE = "02_LSTM_RNN"

# %% [markdown]
# ## 1 · One state, two gates
#
# The LSTM of lesson 02.2 carries two states and has three gates. The **gated recurrent
# unit**, GRU (Cho et al., 2014), asks how much of that is needed. It has one state,
# $h_t$, and two gates. A gate is a number between 0 and 1 for each unit, made from the
# input and the old state:
#
# $$r_t = \sigma(W_{xr} x_t + b_{xr} + W_{hr} h_{t-1} + b_{hr})$$
#
# $$z_t = \sigma(W_{xz} x_t + b_{xz} + W_{hz} h_{t-1} + b_{hz})$$
#
# - $x_t$ is the input at step $t$ and $h_{t-1}$ the state of the step before.
# - Each $W$ is a matrix of weights and each $b$ a bias, as in the cells before. The
#   first index says what it acts on, the second which gate it belongs to.
# - $\sigma$ is the sigmoid, which squashes every number into the range from 0 to 1.
#
# The **update gate** $z_t$ decides what becomes of the state. It blends the old state
# with a fresh **candidate** $n_t$, where $\odot$ multiplies number by number:
#
# $$h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}$$
#
# One gate does the work of two. In the LSTM you may keep much *and* write much. Here,
# what you write pushes out what you kept: the two shares add up to 1.
#
# The **reset gate** $r_t$ sits inside the candidate: how much of the old state may help
# to make the new one? There are two ways to write that down, and section 2 is about
# them. First the update gate alone.
#
# **Predict before you run.** In the next cell we push the update gate shut or open
# with its bias, and read 50 random inputs. When does the state stay where it started:
# with $z_t$ near 0, or near 1?

# %%
gru = nn.GRU(input_size=3, hidden_size=4)  # I = 3, H = 4
start = torch.tensor([[[0.9, -0.9, 0.5, -0.5]]])  # (layers, B, H)
x = torch.randn(50, 1, 3)  # (T, B, I)
moved = {}
for bias in (-10, 0, 10):
    with torch.no_grad():
        gru.bias_ih_l0[4:8] = bias  # rows H to 2H belong to the update gate
    _, last = gru(x, start)
    moved[bias] = (last - start).abs().max().item()
    print(f"bias of the update gate {bias:3}: the state moved by {moved[bias]:.2f}")

# %% tags=["claims"]
assert moved[10] < 0.02, f"bias 10 keeps the state, but it moved by {moved[10]:.3f}"
assert min(moved[0], moved[-10]) > 0.2, f"bias 0 or -10 lets the state move: {moved}"
_quoted = [f"{moved[bias]:.2f}" for bias in (-10, 10)]
assert _quoted == ["1.10", "0.00"], f"question 1 says 1.10 and 0.00, not {_quoted}"

# %% [markdown]
# With $z_t$ near 1 the state is *kept*: after 50 inputs it has hardly moved. That is
# PyTorch's convention, and that of Cho et al. Be careful when you read further: Chung
# et al. (2014), and many texts after them, swap the two shares and write
# $(1 - z_t) \odot h_{t-1} + z_t \odot n_t$. Then $z_t$ near 1 *overwrites*. The network
# is equally good, but a gate that you print means the opposite.
#
# ## 2 · There are two GRUs
#
# Two formulas for the candidate were published:
#
# $$\text{before:}\quad n_t = \tanh(W_{xn} x_t + b_{xn} + W_{hn} (r_t \odot h_{t-1}) +
# b_{hn})$$
#
# $$\text{after:}\quad n_t = \tanh(W_{xn} x_t + b_{xn} + r_t \odot (W_{hn} h_{t-1} +
# b_{hn}))$$
#
# In the first, the reset gate acts *before* the matrix product (Cho et al., 2014, as
# printed at EMNLP). In the second it acts *after* it (their first preprint, and
# NVIDIA's library cuDNN). Here are both, in one function. It takes the weights as
# PyTorch stores them: the rows for r, z and n in one array, below each other.


# %%
def gru_layer(x, h, W_x, W_h, b_x, b_h, reset):
    """All states (T, B, H), for inputs x (T, B, I) and a first state h (B, H)."""
    W_xr, W_xz, W_xn = W_x.chunk(3)  # (3H, I) -> three of (H, I)
    W_hr, W_hz, W_hn = W_h.chunk(3)  # (3H, H) -> three of (H, H)
    b_xr, b_xz, b_xn = b_x.chunk(3)
    b_hr, b_hz, b_hn = b_h.chunk(3)
    states = []
    for x_t in x:
        r = torch.sigmoid(x_t @ W_xr.T + b_xr + h @ W_hr.T + b_hr)
        z = torch.sigmoid(x_t @ W_xz.T + b_xz + h @ W_hz.T + b_hz)
        if reset == "before":
            n = torch.tanh(x_t @ W_xn.T + b_xn + (r * h) @ W_hn.T + b_hn)
        else:
            n = torch.tanh(x_t @ W_xn.T + b_xn + r * (h @ W_hn.T + b_hn))
        h = (1 - z) * n + z * h
        states.append(h)
    return torch.stack(states)


# %% [markdown]
# **Predict before you run.** We hand both the weights of one `nn.GRU`. Which of them
# computes the same states? And how large will the difference of the other be: a
# rounding error, or visible?

# %%
gaps = []
for seed in range(5):
    torch.manual_seed(seed)
    gru = nn.GRU(input_size=3, hidden_size=8).double()  # 64 bits: rounding near 1e-16
    x = torch.randn(30, 5, 3).double().requires_grad_()
    start = torch.zeros(5, 8).double().requires_grad_()
    theirs, _ = gru(x, start[None])
    before = gru_layer(x, start, *gru.parameters(), reset="before")
    after = gru_layer(x, start, *gru.parameters(), reset="after")
    gaps.append([(ours - theirs).abs().max().item() for ours in (before, after)])
(smallest, _), (largest, rounding) = np.min(gaps, axis=0), np.max(gaps, axis=0)
print(f"reset before: differs from nn.GRU by {smallest:.2f} to {largest:.2f}")
print("reset after:  equal to nn.GRU within 1e-10:", rounding < 1e-10)
show_slide(HERE, 9)

# %% tags=["claims"]
assert rounding < 1e-10, f"reset after is nn.GRU up to rounding, not {rounding:.1e}"
assert smallest > 0.03, f"reset before is visibly off, not by {smallest:.3f} only"

# %% [markdown]
# `nn.GRU` resets *after* the product: the difference is rounding. The other formula is
# visibly off, with five random sets of weights, where states lie between −1 and 1.
#
# Equal states are not yet equal learning. What moves the weights is the gradient, so
# that must agree as well: for the four arrays of weights and biases, for the input, and
# for the first state.

# %%
direction = torch.randn_like(theirs)  # any loss will do; this one weighs all states
inputs = [*gru.parameters(), x, start]


def gradients(states):
    return torch.autograd.grad((direction * states).sum(), inputs, retain_graph=True)


def largest_gap(ours, theirs):
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))


wrong = largest_gap(gradients(before), gradients(theirs))
rounding = largest_gap(gradients(after), gradients(theirs))
print("reset before: all six gradients equal within 1e-10:", wrong < 1e-10)
print("reset after:  all six gradients equal within 1e-10:", rounding < 1e-10)

# %% tags=["claims"]
assert rounding < 1e-10, f"reset after has nn.GRU's gradients, not {rounding:.1e} off"
assert wrong > 0.1, f"reset before has other gradients, not {wrong:.3f} off only"

# %% [markdown]
# The second formula *is* `nn.GRU`, forwards and backwards. The first is another
# network, as good in principle, but weights trained with one are wrong in the other.
# If you copy weights between libraries, look first. (In Keras it is the option
# `reset_after`.) At the end of section 5 you see what a mix-up costs in degrees.
#
# The second form is also faster. When the reset comes after, nothing
# stands between $h_{t-1}$ and its three matrices, so one product serves all three:


# %%
def fast_gru_layer(x, h, W_x, W_h, b_x, b_h):
    """As gru_layer with the reset after the product, in fewer and larger steps."""
    H, W, states = h.shape[-1], W_h.T, []
    for from_x in x @ W_x.T + b_x:  # all steps and all gates at once: (T, B, 3H)
        x_rz, x_n = from_x.split([2 * H, H], dim=-1)
        h_rz, h_n = torch.addmm(b_h, h, W).split([2 * H, H], dim=-1)  # b_h + h @ W
        r, z = torch.sigmoid(x_rz + h_rz).chunk(2, dim=-1)
        n = torch.tanh(x_n + r * h_n)
        h = torch.lerp(n, h, z)  # (1 - z) * n + z * h
        states.append(h)
    return torch.stack(states)


# %% [markdown]
# The input needs no state, so `x @ W_x.T` is moved out of the loop: one large product
# for all steps. Inside, one product with `W_h` serves both gates and the candidate. Is
# it still the same layer?

# %%
fast = fast_gru_layer(x, start, *gru.parameters())
gap = largest_gap([fast, *gradients(fast)], [theirs, *gradients(theirs)])
print(f"the fast layer differs from nn.GRU by {gap:.10f}, gradients included")

# %% tags=["claims"]
assert gap < 1e-10, f"the fast layer is nn.GRU, gradients included, not {gap:.1e} off"

# %% [markdown]
# This loop of ten lines takes about as long as `nn.GRU` itself (section 6 has the
# numbers). With the reset before the product, $W_{hn}$ has to wait for $r_t$, and each
# step needs two products, one after the other.
#
# ### Exercise 2.1 · One step, reset after
#
# Write `one_gru_step(x_t, h, W_x, W_h, b_x, b_h)` from the equations, without a look at
# the cells above: one step of the GRU that `nn.GRU` computes, with the weights stacked
# in its order r, z, n. `x_t` is (B, I), `h` is (B, H), `W_x` is (3H, I), `W_h` is
# (3H, H), and both biases are (3H,). Return the new state, (B, H).


# %%
def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
    """The new state (B, H). Rows of the weights: r, z, n."""
    ...  # your code


# %%
checks.one_gru_step(one_gru_step)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):
#     x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)
#     h_r, h_z, h_n = (h @ W_h.T + b_h).chunk(3, dim=1)
#     r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
#     n = torch.tanh(x_n + r * h_n)
#     return (1 - z) * n + z * h
# ```
#
# The two biases of the candidate must stay apart: $b_{hn}$ is multiplied by the reset
# gate and $b_{xn}$ is not. In an LSTM one bias would do. Here the candidate needs both.
#
# </details>
#
# ## 3 · A year of weather, with gaps
#
# Now a real task. At New York's JFK airport, how warm will it be in 1, 6 and 24 hours?
# We may use all that the station measured in the last 48 hours: eight variables, every
# hour of 2013.

# %%
weather = load_weather()
train, validation, test = chronological_split(len(weather), validation=0.1, test=0.2)
parts = {"train": train, "validation": validation, "test": test}
print(weather.isna().mean().map("{:.1%} missing".format).to_string())

# %% tags=["claims"]
_days = len(weather.iloc[train]) / 24
assert 240 < _days < 260, f"there are about 250 days to learn from, not {_days:.0f}"

# %% [markdown]
# A tenth of the air pressures is missing; we come back to that. First the temperature,
# and how the year is cut: the network trains on the first 70 %, its best epoch is
# chosen on the next 10 %, and the last 20 % are the test.

# %%
fig, ax = plt.subplots(figsize=(8, 2.8))
for (name, part), colour in zip(parts.items(), (BLUE, GREEN, ORANGE)):
    temperature = weather["temperature"].iloc[part]
    first, last = temperature.index[[0, -1]]
    ax.plot(temperature, color=colour, linewidth=0.7, label=name)
    print(f"{name:10} {first:%d %b} to {last:%d %b}")
ax.set(title="The test part is the only late autumn", ylabel="temperature (°C)")
ax.legend(loc="upper left")
show(
    fig,
    "Hourly temperature at JFK in 2013, from about -11 °C in January to 37 °C in July. "
    "The training part reaches to mid-September, validation to mid-October, and the "
    "test part falls from mild October days to frost in December.",
)

# %% [markdown]
# Remember the colours, they limit everything below. There is one year only. The network
# learns from winter, spring and summer, is chosen in early autumn, and is tested on
# late autumn and the start of winter. It never sees another November.
#
# Then the gaps. A network cannot compute with "not a number", so we have to fill them.
# And one of the columns is not what it seems.
#
# **Predict before you run.** The wind comes from 350° in one hour and from 10° in the
# next, both nearly north. What is the mean of the two directions?

# %%
directions = np.radians([350.0, 10.0])  # where the wind comes from
u, v = -np.sin(directions), -np.cos(directions)  # where it blows: east, north
mean = np.degrees(np.arctan2(-u.mean(), -v.mean()))
print(f"mean of the two numbers: {np.degrees(directions).mean():.0f}°")
print(f"mean of the two arrows:  {abs(mean):.0f}°")

# %% tags=["claims"]
assert abs(mean) < 1e-6, f"the mean of the arrows points north, not to {mean}°"
_calm = weather["wind_speed"][weather["wind_direction"] == 0]
assert (_calm == 0).all(), f"where direction is 0 it is calm, not {_calm.max()} m/s"

# %% [markdown]
# The mean of the numbers is a wind from the south. An angle is the wrong number to
# average, to fill or to multiply by weights, because 359° and 1° are neighbours. So we
# turn wind into an arrow with two parts in metres a second: $u$ towards the east and
# $v$ towards the north. This has to come *before* the gaps are filled.
#
# It also mends a trap of this file. In a calm, direction is recorded as 0, which looks
# like north (north itself is 360). The speed is then 0, a test of this lesson checks
# that, and the arrow has length 0.
#
# The hour of the day is an angle as well: hour 23 lies next to hour 0. It enters as
# sine and cosine. Here are all ten columns:


# %%
def features(weather, fill=pd.DataFrame.ffill):
    """Ten columns without gaps: wind as an arrow, the hour as a point on a circle."""
    table = weather.drop(columns=["wind_direction", "wind_speed"])
    direction = np.radians(weather["wind_direction"])
    table["wind_u"] = -weather["wind_speed"] * np.sin(direction)
    table["wind_v"] = -weather["wind_speed"] * np.cos(direction)
    table = fill(table)
    angle = 2 * np.pi * table.index.hour / 24  # UTC; New York is 4 or 5 hours behind
    table["hour_sin"], table["hour_cos"] = np.sin(angle), np.cos(angle)
    return table


# %% [markdown]
# Now fill the gaps, and measure mean and spread for the scale. (A test of this lesson
# checks that no gap is left.)

# %%
table = features(weather)
scale = Standardiser.fit(table[train])
print(", ".join(table.columns))

# %% tags=["claims"]
assert table.notna().all(axis=None), f"no gap is left, not {table.isna().sum().sum()}"
assert table.columns[0] == "temperature", "`last_known` takes the first column"

# %% [markdown]
# `ffill`, "forward fill", puts the last known value into a gap. It is crude, and it is
# all that you would have had at that hour. (When the wind is light and turns, the
# station reports no direction; those hours get the last arrow too.) The scale is
# measured on the training part only, as always.
#
# One example of the task is 48 hours of ten numbers, and three temperatures to
# forecast. Inputs are filled. What we *judge by* is not: where one of the three
# temperatures was never measured, the example is dropped.

# %%
HOURS = np.array([1, 6, 24])


def examples(table, part):
    """Inputs (N, 48, 10), temperatures 1, 6, 24 h later and their rows, both (N, 3)."""
    row_numbers = np.arange(len(table))
    known, rows = windows(scale(table), 48, 24, part=part, target=row_numbers)
    rows = rows[:, HOURS - 1].astype(int)
    later = weather["temperature"].to_numpy()[rows]
    measured = ~np.isnan(later).any(axis=1)
    return known[measured], later[measured], rows[measured]


# %% [markdown]
# Two helpers for everything that follows: what persistence says, in °C, and the score.
# The score is the **mean absolute error**, MAE: by how many degrees a forecast is off,
# on average, for each of the three horizons. Every model from here on, simple or not,
# is scored by `errors` on the same hours.


# %%
def last_known(known):
    """The last known temperature in °C, once for each horizon: (N, 3)."""
    return persistence(scale.undo(known)[:, :, 0], horizon=len(HOURS))


def errors(forecast, later):
    return np.array([mae(ours, real) for ours, real in zip(forecast.T, later.T)])


sets = {name: examples(table, part) for name, part in parts.items()}
for name, (known, later, _) in sets.items():
    print(f"{name:10} inputs {known.shape}  targets {later.shape}")

# %% [markdown]
# ## 4 · What a network has to beat
#
# **Persistence** says that nothing changes. At 24 hours that is "as warm as at this
# hour yesterday", which is not silly.
#
# **Ridge regression** is a straight line in 481 dimensions: a weighted sum of all 48
# × 10 numbers and a constant. With $X$ the inputs as rows and $y$ the targets, its
# weights are
#
# $$w = (X^\top X + \alpha\, 1)^{-1} X^\top y,$$
#
# with $1$ the matrix that has ones on its diagonal. It is least squares with a brake:
# the larger $\alpha$, the smaller the weights. Like the network below, it forecasts
# the *change* from the last known temperature.


# %%
def flat(known):
    """One row for each example, with a 1 at its end for the constant."""
    return np.column_stack([known.reshape(len(known), -1), np.ones(len(known))])


def ridge(known, change, alpha):
    X = flat(known)
    brake = alpha * np.eye(X.shape[1])
    return np.linalg.solve(X.T @ X + brake, X.T @ change)


def ridge_forecasts(sets, columns=slice(None)):
    """Forecasts (N, 3) for each part, with the alphas that are best on validation."""
    known, later, _ = sets["train"]
    tried, score = [], []
    for alpha in 10.0 ** np.arange(5):
        w = ridge(known[..., columns], later - last_known(known), alpha)
        made = {}
        for name, (x, _, _) in sets.items():
            made[name] = last_known(x) + flat(x[..., columns]) @ w
        tried.append(made)
        score.append(errors(made["validation"], sets["validation"][1]))
    best = np.argmin(score, axis=0)  # one alpha for each horizon

    def chosen(name):
        return np.stack([tried[b][name][:, i] for i, b in enumerate(best)], axis=1)

    return {name: chosen(name) for name in sets}


# %% [markdown]
# **Predict before you run.** How much do wind, pressure and the rest help beyond the
# temperature itself: at 1 hour, and at 24?

# %%
actual = sets["test"][1]
same = {name: last_known(known) for name, (known, _, _) in sets.items()}
alone = ridge_forecasts(sets, columns=[0])  # temperature only
linear = ridge_forecasts(sets)
scores = {
    "persistence": errors(same["test"], actual),
    "ridge, temperature": errors(alone["test"], actual),
    "ridge, all": errors(linear["test"], actual),
}
print(pd.DataFrame(scores, index=[f"{h} h" for h in HOURS]).T.round(2).to_string())
gain = 1 - scores["ridge, all"] / scores["ridge, temperature"]

# %% tags=["claims"]
assert gain.min() > 0, f"the other variables help at every horizon: {gain}"
assert gain[0] < 0.05, f"at 1 hour they hardly matter, not by {gain[0]:.1%}"
assert gain[1:].min() > 0.1, f"from 6 hours on they take off over a tenth: {gain[1:]}"
_calmer = [errors(same[part], sets[part][1])[2] for part in ("validation", "train")]
assert _calmer[0] < _calmer[1], f"validation weeks are calmer than training: {_calmer}"

# %% [markdown]
# For the next hour the other variables hardly matter. From six hours on they take off
# more than a tenth of the error. Which of them help most is another question, which
# this table does not answer. The simple forecast is a strong one, as so often.
#
# Before the network, a trap. Most recipes fill gaps by *interpolation*, a straight
# line from the value before the gap to the value after it.
#
# **Predict before you run.** Does it give a better score? Would it in real life?

# %%
smooth = features(weather, fill=pd.DataFrame.interpolate)
leaky_sets = {name: examples(smooth, part) for name, part in parts.items()}
leaky = errors(ridge_forecasts(leaky_sets)["test"], actual)
print("interpolated:", leaky.round(3), " forward fill:", scores["ridge, all"].round(3))

# %% tags=["claims"]
_leak = 1 - leaky[0] / scores["ridge, all"][0]
assert _leak > 0.01, f"the leak is worth over a hundredth at 1 hour, not {_leak:.2%}"

# %% [markdown]
# One hour ahead it is better by more than one percent, and worthless. To draw the line
# through a gap you need the value at its far end, and at forecast time that is the
# *future*. No test for leaks in your split would notice: the split is clean, the
# filling is not. We stay with the last known value.
#
# ### Exercise 4.1 · Fill a gap without looking ahead
#
# Write `fill_forward(values)`, if you can without the help of pandas: `values`, (T,),
# is an array of measurements in which NaN ("not a number") stands for a missing one.
# Return an array of the same length in which each gap, short or long, holds the last
# value known before it. The first value is never missing.


# %%
def fill_forward(values):
    """The series with each gap (NaN) filled by the last known value."""
    ...  # your code


# %%
checks.fill_forward(fill_forward)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def fill_forward(values):
#     filled = []
#     for value in values:
#         filled.append(filled[-1] if np.isnan(value) else value)
#     return filled
# ```
#
# Each hour asks only for the one before it, which has been filled already, so a long
# gap is no special case. And nothing is read that was not known at that hour: if the
# last value of the series changes, nothing before it does.
#
# </details>
#
# ## 5 · The GRU against the straight line
#
# The network reads the 48 hours, and a last linear layer turns the final state into a
# change of temperature. That layer starts at zero, so training starts *at*
# persistence and has to earn every step away from it.


# %%
class Forecaster(nn.Module):
    def __init__(self, cell, units):
        super().__init__()
        self.rnn = cell(input_size=10, hidden_size=units, batch_first=True)
        self.change = nn.Linear(units, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, x):
        states, _ = self.rnn(x)  # (B, 48, 10) -> (B, 48, H)
        return self.change(states[:, -1]).squeeze(-1)  # (B,)


# %% [markdown]
# `train_network` trains one for the horizon number `i`. The network learns to correct a
# first forecast, `base`; for now that is persistence. The loss is the mean absolute
# error, the same that judges. `fit` keeps the weights of the epoch that was best on the
# *validation* part, and stops after four epochs without a better one.


# %%
def train_network(i, base, cell=nn.GRU, units=32, lr=0.003, seed=0):
    """(forecasts for each part, history in °C, model) of a network correcting base."""
    torch.manual_seed(seed)
    model, data = Forecaster(cell, units), {}
    unit = (sets["train"][1] - base["train"])[:, i].std()  # targets of size 1
    for name, (known, later, _) in sets.items():
        change = (later - base[name])[:, i] / unit
        data[name] = torch.tensor(known).float(), torch.tensor(change).float()
    options = {"epochs": 15, "batch_size": 128, "patience": 4, "seed": seed, "lr": lr}
    loss = nn.functional.l1_loss
    history = fit(model, data["train"], data["validation"], loss=loss, **options)
    for losses in (history.train, history.validation):
        losses[:] = [unit * value for value in losses]
    change = {name: unit * predict(model, x).numpy() for name, (x, _) in data.items()}
    return {name: base[name][:, i] + change[name] for name in sets}, history, model


# %% [markdown]
# **Predict before you run.** Three GRUs with 32 units each. At which horizon will the
# gain over ridge regression be largest, and will there be one at every horizon?

# %%
forecasts, histories, models = zip(*(train_network(i, same) for i in range(3)))
gru = np.stack([forecast["test"] for forecast in forecasts], axis=1)
scores["GRU, seed 0"] = errors(gru, actual)
print(pd.DataFrame(scores, index=[f"{h} h" for h in HOURS]).T.round(2).to_string())

# %% [markdown]
# At 1 hour it beats the straight line, at 24 hours it does not. The training curves
# show what happens.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
for i, ax in ((0, axes[0]), (2, axes[1])):
    plot_training(histories[i], ax, unit="mean absolute error (°C)")
    level = mae(linear["validation"][:, i], sets["validation"][1][:, i])
    ax.axhline(level, color=GREY, linestyle="--", label="ridge, validation")
    ax.legend()
axes[0].set(title="1 h ahead: learning pays for long")
axes[1].set(title="24 h ahead: soon it learns by heart")
show(
    fig,
    "Training curves of two GRUs in °C, the validation error of ridge regression as a "
    "dashed line. Left, 1 hour: training and validation error fall together, below "
    "the line. Right, 24 hours: the training error keeps falling, the validation error "
    "just reaches the line in the second epoch and then rises.",
)

# %% tags=["claims"]
_best = [history.best_epoch for history in histories]
assert _best[0] > _best[2], f"1 hour learns for longer than 24 hours: epochs {_best}"

# %% [markdown]
# Left, both errors go down together. Right, the training error falls on while the
# validation error turns up: the network begins to learn *these* days by heart. There
# are thousands of windows, but windows one hour apart are nearly the same. For a
# forecast of tomorrow there are only about 250 different days to learn from. (Do not
# compare the two heights: the validation weeks are calmer than the training months.)
#
# One seed is an anecdote. The script `tools/measure.py` has trained five of each
# and written their scores to a file. Your network has to lie among them.

# %%
import json

file = json.loads((root / HERE / "results" / "gru.json").read_text(encoding="utf-8"))
nets = {k: np.array(net["test"]).T for k, net in file["scores"].items()}  # (3, 5)
five, live = nets["GRU"], scores["GRU, seed 0"]
print("lowest of the five: ", five.min(axis=1).round(2))
print("your networks:      ", live.round(2))
print("highest of the five:", five.max(axis=1).round(2))
rows = {k: scores[k] for k in ("persistence", "ridge, temperature", "ridge, all")}
rows |= {"GRU": five, "ridge + GRU": nets["ridge + GRU"]}

# %% tags=["claims"]
_above, _below = live / five.min(axis=1), live / five.max(axis=1)
assert _above.min() > 0.97, f"yours lie among the five, not below: {_above}"
assert _below.max() < 1.03, f"yours lie among the five, not above: {_below}"

# %%
TITLE = {"fontweight": "bold", "fontsize": 11.5, "x": 0.01, "ha": "left"}


def draw_scores(rows, axes):
    """A panel for each horizon, a row for each model, a point for each seed."""
    for i, ax in enumerate(axes):
        for y, score in enumerate(rows.values()):
            points = np.atleast_1d(score[i])
            colour = GREY if len(points) == 1 else ORANGE
            ax.plot([points.mean()] * 2, [y - 0.3, y + 0.3], color=colour)
            ax.plot(points, [y] * len(points), "o", color=colour, alpha=0.6)
        ax.axvline(rows["ridge, all"][i], color=GREY, linestyle="--", linewidth=1)
        ax.set(title=f"{HOURS[i]} h ahead", xlabel="MAE on the test part (°C)")
        ax.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))


# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True)
draw_scores(rows, axes)
for i, ax in enumerate(axes):
    ax.plot(live[i], 3, "o", color=BLUE, markersize=11, fillstyle="none")
fig.suptitle("The GRU wins at 1 hour, draws at 6, loses at 24", **TITLE)
show(
    fig,
    "Three panels of test errors for 1, 6 and 24 hours. Rows: persistence, ridge with "
    "temperature only, ridge with all variables, GRU, and GRU correcting ridge; five "
    "points for each network, a blue ring around the one trained here. At 1 hour all "
    "GRUs lie left of the dashed line of ridge, at 6 hours on both sides of it, at 24 "
    "hours right of it; the GRUs that correct ridge lie close to the line.",
)
mean = {name: score.mean(axis=1) for name, score in nets.items()}

# %% tags=["claims"]
_line, _five = scores["ridge, all"], nets["GRU"]
assert _five[0].max() < _line[0], f"at 1 hour all five beat ridge: {_five[0]}"
_gain = 1 - mean["GRU"][0] / _line[0]
assert 0.055 < _gain < 0.07, f"they beat it by some 6 % on average, not {_gain:.1%}"
assert _five[1].min() < _line[1] < _five[1].max(), f"at 6 h on both sides: {_five[1]}"
assert _five[2].min() > _line[2], f"at 24 hours ridge beats all five: {_five[2]}"
assert abs(mean["GRU"][1] / _line[1] - 1) < 0.02, "at 6 hours GRU and ridge are level"
_lost = mean["GRU"][2] / _line[2] - 1
assert 0.04 < _lost < 0.06, f"at 24 hours the GRU loses about 5 %, not {_lost:.1%}"
_both = mean["ridge + GRU"][2]
assert _both > _line[2], f"correcting ridge does not beat ridge at 24 h: {_both:.3f}"
_back = (mean["GRU"][2] - _both) / (mean["GRU"][2] - _line[2])
assert _back > 0.5, f"but it takes back most of the loss, not {_back:.0%}"

# %% [markdown]
# Each point is a seed, the short line their mean, the ring your network, and the dashed
# line is ridge regression with all variables.
#
# - **1 hour:** every one of the five GRUs beats the straight line, by some 6 % on
#   average. Perhaps because a weighted sum gives the wind the same weight at noon and
#   at night, while a network can let hour, wind and humidity work *together*. (Products
#   of hour and wind would let the line do it too; they are not tried here.)
# - **6 hours:** undecided. Some seeds are better than the line, some worse. That is no
#   victory.
# - **24 hours:** ridge regression wins. The GRU alone is worse by about 5 %.
#
# The row below the GRU is an attempt to have both. There the network corrects the
# *ridge* forecast instead of persistence (`train_network(2, linear)`), so it starts
# from the straight line and adds only what the line cannot say. At 24 hours that takes
# back most of the loss. It still does not beat the line on its own. On this test part
# the simple model was better; section 7 shows that the validation part alone would have
# chosen a network.
#
# This is what the forecasts look like, in a week chosen before we saw any: the first of
# December.

# %%
fig, axes = plt.subplots(2, 1, figsize=(9, 5.6), sharex=True)
rows_of = sets["test"][2]
for ax, i, name, simple in zip(axes, (1, 2), ("persistence", "ridge"), (same, linear)):
    hours = weather.index[rows_of[:, i]]
    week = (hours >= "2013-12-01") & (hours < "2013-12-08")
    lines = {"GRU": gru[week, i], name: simple["test"][week, i]}
    plot_forecast(hours[week], actual[week, i], lines, ax, "temperature (°C)")
axes[0].set(title="6 hours ahead the GRU bends in time, persistence runs late")
axes[1].set(title="24 hours ahead, GRU and ridge miss the same sudden turns")
show(
    fig,
    "Two panels of temperature over the first week of December 2013, the actual values "
    "as a wide grey line. Above, 6 hours ahead: the GRU follows closely, persistence "
    "is the same curve shifted to the right. Below, 24 hours ahead: GRU and ridge stay "
    "close to each other and are several degrees off when it turns warm or cold within "
    "a day.",
)

# %% tags=["claims"]
_miss = [forecast[:, 2] - actual[:, 2] for forecast in (gru, linear["test"])]
_alike = np.corrcoef(*_miss)[0, 1]
assert _alike > 0.8, f"24 hours ahead both go astray together, correlation {_alike:.2f}"

# %% [markdown]
# Persistence is always right, six hours late. The GRU has learned the daily swing and
# some of the fronts. A day ahead, both forecasts go astray on the same days: what will
# arrive tomorrow is still far away, and one station cannot see it.
#
# And the mix-up of section 2? We run the weights of the three trained networks through
# our own layer, once with each formula.
#
# **Predict before you run.** What does the wrong formula do to the error: nothing you
# would notice, a little, or a lot?

# %%
x = torch.tensor(sets["test"][0]).float().transpose(0, 1)  # (T, B, I)
start = torch.zeros(x.shape[1], 32)
unit = (sets["train"][1] - same["train"]).std(axis=0)  # as in train_network
for reset in ("after", "before"):
    changes = []
    for model in models:
        with torch.no_grad():
            states = gru_layer(x, start, *model.rnn.parameters(), reset)
            changes.append(model.change(states[-1])[:, 0].numpy())
    scores[reset] = errors(same["test"] + unit * np.stack(changes, axis=1), actual)
    print(f"reset {reset:6}", scores[reset].round(2))

# %% tags=["claims"]
_apart = np.abs(scores["after"] - live).max()
assert _apart < 1e-3, f"reset after gives the scores of nn.GRU, not {_apart:.4f} °C off"
assert (scores["before"] > live).all(), "reset before is worse at every horizon"
_lost = (scores["before"] - live)[0] / (scores["ridge, all"] - live)[0]
assert _lost > 0.5, f"most of the gain at 1 hour is gone, not {_lost:.0%} of it"

# %% [markdown]
# Our layer with the right formula gives the scores of `nn.GRU`. With the other one
# nothing crashes and nothing warns, because all shapes fit, and most of what the
# network had gained at 1 hour is gone. Such mistakes are found by comparing numbers,
# never by reading shapes.
#
# ## 6 · RNN, LSTM and GRU at equal size
#
# A fair race needs equal sizes. A layer with $G$ blocks of weights, $I$ inputs and $H$
# units has $G\,H\,(I + H + 2)$ parameters: one block in an RNN, three in a GRU, four in
# an LSTM. With equal *units* the LSTM would be four times as large as the RNN, so we
# choose units that make the *parameters* equal.

# %%
show_slide(HERE, 16)
counts = []
for cell, units in {nn.RNN: 59, nn.LSTM: 27, nn.GRU: 32}.items():
    count = sum(p.numel() for p in Forecaster(cell, units).parameters())
    print(f"nn.{cell.__name__:4} {units} units  {count:,} parameters")
    counts.append(count)

# %% tags=["claims"]
assert max(counts) < 1.01 * min(counts), f"sizes are equal within 1 %, not {counts}"

# %% [markdown]
# Each kind was trained for each horizon with five seeds, and each could choose between
# two learning rates, on the *validation* part. The table gives the mean MAE and the
# half-width of its 95 % interval, from Student's t distribution for five values. The
# interval tells where the mean of very many seeds would lie.
#
# **Predict before you run.** Which kind comes first, and is its lead larger than the
# intervals?

# %%
race = {name: nets[name] for name in ("RNN", "LSTM", "GRU")}
half = {k: 2.776 * net.std(axis=1, ddof=1) / np.sqrt(5) for k, net in race.items()}
result = pd.DataFrame(index=[f"{h} h" for h in HOURS])
for name in race:
    cells = zip(mean[name], half[name])
    result[name] = [f"{middle:.2f} ± {width:.2f}" for middle, width in cells]
result["ridge, all"] = scores["ridge, all"].round(2)
print(result.to_string())

# %% tags=["claims"]
_low = {name: mean[name] - half[name] for name in race}
_high = {name: mean[name] + half[name] for name in race}
_ends = max(low[0] for low in _low.values()), min(high[0] for high in _high.values())
assert _ends[0] < _ends[1], f"at 1 hour the three intervals overlap, not {_ends}"
_others = max(mean["GRU"][1], mean["LSTM"][1])
assert _low["RNN"][1] > _others, f"at 6 hours the RNN is behind: {_low['RNN'][1]:.3f}"
_others = min(_low["RNN"][2], _low["LSTM"][2])
assert _high["GRU"][2] < _others, "at 24 hours the GRU's interval is the lowest, alone"

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True)
draw_scores({"ridge, all": scores["ridge, all"], **race}, axes)
fig.suptitle("Level at 1 hour, RNN behind at 6, all behind ridge at 24", **TITLE)
show(
    fig,
    "Three panels of test errors for 1, 6 and 24 hours. Rows: ridge regression, RNN, "
    "LSTM and GRU, five seeds each. At 1 hour the three networks lie together, left "
    "of ridge. At 6 hours LSTM and GRU lie around ridge and the RNN to the right of "
    "it. At 24 hours all three lie right of ridge, the GRU nearest to it.",
)

# %% tags=["claims"]
_worst = max(net[0].max() for net in race.values())
assert _worst < scores["ridge, all"][0], f"at 1 h all beat the line, not {_worst:.3f}"

# %% [markdown]
# At 1 hour the three are undecided: their intervals overlap, and all beat the line. At
# 6 hours the plain RNN falls behind. At 24 hours the GRU is the best of the networks,
# its interval touches no other, and the straight line is better still. "Which cell is
# best?" has no answer without a task, a size and a horizon beside it.
#
# ### Exercise 6.1 · An interval from five seeds
#
# Write `interval_of_five(scores)`: the two ends of the 95 % interval that the table
# above is made of, lower end first, as a pair of numbers. `scores`, (5,), are the
# errors of five seeds. It is $m \pm 2.776\,s/\sqrt5$ with the mean $m$ and the standard
# deviation $s$ that divides by 4, one less than the number of scores. (NumPy calls
# this one less `ddof=1`: the mean was taken from the same five values, so they lie
# closer to it than to the true one.)


# %%
def interval_of_five(scores):
    """Lower and upper end of the 95 % interval of the mean."""
    ...  # your code


# %%
checks.interval_of_five(interval_of_five)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def interval_of_five(scores):
#     scores = np.asarray(scores)
#     half_width = 2.776 * scores.std(ddof=1) / np.sqrt(5)
#     return scores.mean() - half_width, scores.mean() + half_width
# ```
#
# Four of its parts matter. The spread divides by 4, because the mean was taken from the
# same five values (NumPy divides by 5 if you do not say `ddof=1`; PyTorch's `std`
# divides by 4). 2.776 pays for not knowing the spread well. The root of 5 is there
# because a mean of five varies less than one. And the interval lies around the mean.
#
# </details>
#
# And the cost? The same file holds the CPU-time of one forward and backward pass
# through layers of 32 units over 48 steps, as a multiple of the time of `nn.LSTM`. $B$
# is the number of sequences in a batch.

# %%
layers = file["times"]["layers"]
cost = {f"B = {run['batch']}": run["time_relative_to_lstm"] for run in layers["times"]}
cost["graph nodes"] = layers["nodes"]
print(pd.DataFrame(cost).to_string(na_rep="", float_format="{:g}".format))

# %% tags=["claims"]
_times = [cost[column] for column in cost if column.startswith("B")]
for _time in _times:
    assert 2 <= _time["nn.GRU"] <= 4, f"nn.GRU takes 2 to 4 times as long: {_time}"
    _fast = _time["fast_gru_layer"] / _time["nn.GRU"]
    assert _fast < 1.2, f"the fast layer keeps up with nn.GRU, not {_fast:.2f} times"

# %% [markdown]
# `nn.GRU` has three quarters of the weights of an `nn.LSTM`, and took two to four times
# as long. The last column tells why. It counts the operations that PyTorch records
# for the way back. For the LSTM there are a handful, because on this CPU the whole
# layer is *one* routine of the library oneDNN. For the GRU there is no such route: it
# runs as hundreds of small operations, and at this size starting one costs more than
# its arithmetic. So the table says something about a library, not about the cell. On a
# GPU, cuDNN has fast routines for both. Measure on *your* machine before you choose by
# speed. (`gru_layer` and `fast_gru_layer` are ours. The fast one keeps up with
# `nn.GRU`.)
#
# ## 7 · What these numbers do not show
#
# The intervals above answer one question: what if the *random start* had been another?
# They say nothing about another *autumn*. To get an idea, we keep the models and draw
# the test weather anew: its 73 days are cut into blocks of three, and blocks are drawn
# at random, with repetition, five thousand times (the **bootstrap**; Efron, 1979). How
# much does the difference between GRU and ridge move?

# %%
difference = np.abs(gru - actual) - np.abs(linear["test"] - actual)  # (N, 3), in °C
blocks = pd.DataFrame(difference).groupby(rows_of[:, 0] // 72)
sums, counts = blocks.sum().to_numpy(), blocks.size().to_numpy()
draws = np.random.default_rng(0).integers(len(sums), size=(5000, len(sums)))
means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)[:, None]  # (5000, 3)
low, high = np.percentile(means, [2.5, 97.5], axis=0)
print("MAE of the GRU minus MAE of ridge, 95 % interval in °C")
for i, hour in enumerate(HOURS):
    print(f"{hour:2} h: from {low[i]:+.2f} to {high[i]:+.2f}")

# %% tags=["claims"]
assert high[0] < 0, f"at 1 hour the GRU's lead survives other weather: {high[0]:+.3f}"
assert low[1] < 0 < high[1], f"at 6 hours zero lies inside, not {low[1]}, {high[1]}"
_middle = np.median(means[:, 2])
assert _middle > 0, f"at 24 hours ridge stays ahead, not {_middle:+.3f}"
_wide = (high - low)[2]
assert _wide > 2 * half["GRU"][2], f"weather is wider than seeds, not {_wide:.2f} °C"

# %% [markdown]
# At 1 hour the lead of the GRU survives other weather. At 6 hours anything is possible.
# At 24 hours ridge stays ahead of our network, but by how much is quite uncertain, more
# so than the random starts alone made it look.
#
# Second, the choice. Everything was selected on the validation part, as it must be. Was
# that a good guide for 24 hours?

# %%
level = errors(linear["validation"], sets["validation"][1])[2]
print("MAE at 24 h  validation  test")
for name in ("ridge + GRU", *race):
    chosen_by = np.mean(file["scores"][name]["validation_mae"], axis=0)[2]
    print(f"{name:12} {chosen_by:10.2f} {mean[name][2]:5.2f}")
print(f"{'ridge, all':12} {level:10.2f} {scores['ridge, all'][2]:5.2f}\n")
line = mean["straight line"]
print("straight line trained like the GRU, on the test:", line.round(2))

# %% tags=["claims"]
_four = ("ridge + GRU", *race)
_chosen = [np.mean(file["scores"][k]["validation_mae"], axis=0)[2] for k in _four]
_real = [mean[name][2] for name in _four]
assert max(_chosen) < level, f"on validation every network beats ridge: {_chosen}"
_bar = scores["ridge, all"]
assert min(_real) > _bar[2], f"on the test every network loses to ridge: {_real}"
_ends = (min(_chosen), max(_chosen), level, min(_real), max(_real), _bar[2])
_quoted = " ".join(f"{end:.2f}" for end in _ends)
assert _quoted == "2.05 2.07 2.08 2.96 3.26 2.92", f"question 3 quotes not {_quoted}"
assert (line > 0.99 * _bar).all(), f"the trained line is no better than ridge: {line}"

# %% [markdown]
# Hardly. On the validation weeks every network beats ridge, and on the test every one
# loses to it. Those weeks are mild September and October, the test has the storms of
# November and December. We must not use the second column to choose, or it would no
# longer be a test. What we can do is say so.
#
# More that this lesson did not show:
#
# - **Other years.** One year of one station. The test is a single autumn with the first
#   weeks of winter; July may look different.
# - **That the loss is no advantage.** The networks minimise the absolute error that
#   judges them, ridge the squared one. The script also trains a straight line exactly
#   as it trains the GRU, and the last line above shows that it is no better than
#   ridge: the gain at 1 hour comes from the network.
# - **How good a forecast can be.** Weather services compute the air over half a planet.
#   They are the baseline that counts, and we did not compare with them.
# - **The best GRU.** The file compares two learning rates, at one size and with one
#   length of history. Other settings, or more years, could turn the 24-hour result
#   around.
#
# ### Questions
#
# 1. What would happen if you loaded weights from a library that writes
# $(1 - z_t) \odot h_{t-1} + z_t \odot n_t$ into `nn.GRU`, without changing them?
#
# <details><summary>Answer</summary>
#
# Nothing would crash, and every update gate would do the opposite of what it was
# trained for. The first cell of section 1 shows by how much: where the bias of that
# gate is 10, the library would overwrite the state, as `nn.GRU` does with bias −10
# (there it moved by 1.10). In `nn.GRU` with bias 10 it moved by 0.00.
#
# </details>
#
# 2. What would happen if you left the wind direction in degrees and took the mean of
# 350° and 10° for the hour between them?
#
# <details><summary>Answer</summary>
#
# You would get 180°, a wind from the south between two from the north: the mean of the
# numbers in section 3. The mean of the arrows, in the same cell, is 0°.
#
# </details>
#
# 3. What would happen if you picked, among ridge and the networks, the model for 24
# hours by its validation error?
#
# <details><summary>Answer</summary>
#
# You would pick a network, and be worse off with it on the test. In the last table of
# section 7 all four networks lie below ridge on the validation part (2.05 to 2.07
# against 2.08 °C) and above it on the test (2.96 to 3.26 against 2.92 °C).
#
# </details>
#
# ## Summary
#
# - A GRU has one state and two gates: $z_t$ near 1 keeps the old state (in PyTorch),
#   and $r_t$ says how much of it enters the candidate.
# - Two formulas were published. `nn.GRU` resets after the product; weights trained with
#   one are wrong in the other, without any error message.
# - Turn angles into arrows before you fill gaps, and fill them only from the past.
#   Interpolation looks into the future.
# - Against ridge regression the GRU wins at 1 hour, draws at 6 and loses at 24. At
#   equal size, RNN, LSTM and GRU are undecided at 1 hour; the GRU leads them at 24.
# - Intervals over seeds measure the luck of the start. They do not measure the luck of
#   the weather.
#
# **Next:** [lesson 02.4](4_Stacked_RNN.ipynb) puts layers on layers, lets them invent
# surnames, and asks whether depth pays.


# %% tags=["measure"]
class NoLayer(nn.Module):
    """Stands where a recurrent layer would be, and passes all 48 x 10 inputs on. What
    is left of the network is a straight line, trained as the networks are.
    """

    def __init__(self, input_size, hidden_size, batch_first):
        super().__init__()

    def forward(self, x):
        return x.flatten(1)[:, None], None


def measure(seed, cell, units, lr, base="persistence"):
    """MAE in °C for the three horizons. What chooses is the mean over them of the MAE
    on the validation part, relative to that of ridge regression.
    """
    layer = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU, "none": NoLayer}[cell]
    first = {"persistence": same, "ridge": linear}[base]
    found = {"validation_mae": [], "test": [], "kept_epoch": []}
    relative = []
    for i in range(3):
        made, history, model = train_network(i, first, layer, units, lr, seed)
        error = {name: mae(made[name], sets[name][1][:, i]) for name in made}
        level = mae(linear["validation"][:, i], sets["validation"][1][:, i])
        relative.append(error["validation"] / level)
        found["validation_mae"].append(round(error["validation"], 4))
        found["test"].append(round(error["test"], 4))
        found["kept_epoch"].append(history.best_epoch)
    size = sum(weight.numel() for weight in model.parameters())
    return {"validation": round(np.mean(relative), 6), "parameters": size, **found}


RATES = [0.001, 0.003]
MEASURE = {  # the units make the parameters of the cells equal
    "GRU": {"cell": "GRU", "units": 32, "lr": RATES},
    "RNN": {"cell": "RNN", "units": 59, "lr": RATES},
    "LSTM": {"cell": "LSTM", "units": 27, "lr": RATES},
    "ridge + GRU": {"cell": "GRU", "units": 32, "base": "ridge", "lr": RATES},
    "straight line": {"cell": "none", "units": 480, "lr": RATES},
}


def baselines():
    """MAE in °C for the three horizons."""
    simple = ("persistence", "ridge, temperature", "ridge, all")
    return {name: scores[name].round(3).tolist() for name in simple}


def nodes(output):
    """The nodes that autograd has recorded behind a tensor."""
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [parent for parent, _ in node.next_functions]
    return seen


def layer_times(batch, steps=48, inputs=10, units=32, rounds=40):
    """CPU-time of one forward and backward pass, the layers taken in turn."""
    import time

    x, h = torch.randn(steps, batch, inputs), torch.zeros(batch, units)
    built_in = {f"nn.{k.__name__}": k(inputs, units) for k in (nn.RNN, nn.GRU, nn.LSTM)}
    weights = list(built_in["nn.GRU"].parameters())
    layers = {name: lambda layer=layer: layer(x)[0] for name, layer in built_in.items()}
    layers["gru_layer"] = lambda: gru_layer(x, h, *weights, reset="after")
    layers["fast_gru_layer"] = lambda: fast_gru_layer(x, h, *weights)
    taken = {name: [] for name in layers}
    for _ in range(rounds + 3):  # the first three rounds warm up
        for name, layer in layers.items():
            started = time.process_time()
            layer().sum().backward()
            taken[name].append(time.process_time() - started)
    median = {name: np.median(values[3:]) for name, values in taken.items()}
    to_lstm = {name: round(m / median["nn.LSTM"], 1) for name, m in median.items()}
    return {"batch": batch, "time_relative_to_lstm": to_lstm}


def times():
    """What a layer of 32 units costs, 48 steps of 10 inputs."""
    x, count, kernels = torch.randn(48, 64, 10), {}, []
    for cell in (nn.RNN, nn.GRU, nn.LSTM):
        recorded = nodes(cell(10, 32)(x)[0])
        count[f"nn.{cell.__name__}"] = len(recorded)
        kernels += [node.name() for node in recorded if "Mkldnn" in node.name()]
    measured = [layer_times(32), layer_times(128)]
    return {"layers": {"nodes": count, "one_dnn": kernels, "times": measured}}


def overview(results):
    ridge = " / ".join(f"{error:.2f}" for error in results["baselines"]["ridge, all"])
    means = np.mean(results["scores"]["GRU"]["test"], axis=0)
    return [
        [
            "temperature, 1 h / 6 h / 24 h ahead, MAE in °C",
            f"ridge {ridge}",
            "GRU " + " / ".join(f"{error:.2f}" for error in means),
            3,
        ]
    ]
