# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Going deeper 01 · Why gates
#
# The lesson said that the gates of LSTM and GRU open a path for the gradient. Here you
# measure that path, and see what it is worth in training.
#
# **You will be able to**
#
# - say what one step back keeps along a gate, for every start of the gate;
# - tell the path through the gate from the side paths around it, by an experiment;
# - set the adding problem, and say what an error of 1/6 means in it;
# - explain why the *start* of a network can matter more than its kind.
#
# You need [the lesson](../RNN_Introduction.ipynb) up to its section on gates. Take
# three quarters of an hour. (Training takes about half a minute.)

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
from tqdm.auto import tqdm

from utils import set_up
from utils.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE
from utils.plotting import plot_band, show, show_slide

set_up(seed=0)
HERE = "01_Introduction_to_RNN"

# %% [markdown]
# ## 1 · A path that is multiplied by a gate
#
# In the LSTM (Hochreiter and Schmidhuber 1997; with the forget gate of Gers,
# Schmidhuber and Cummins 2000) the memory is the cell state $c_t$:
#
# $$c_t = f_t \, c_{t-1} + i_t \, g_t$$
#
# The **forget gate** $f_t$ is a number between 0 and 1 for each unit, computed from the
# input and the old state $h_{t-1}$. On the way back from $c_t$ to $c_{t-1}$ there is no
# tanh and no matrix. The slope is simply $f_t$.

# %%
show_slide(HERE, 12)

# %% [markdown]
# So how large is $f_t$ before training? A gate is $\sigma(\ldots + b_f)$. If everything
# else in the bracket is about 0, the **forget bias** $b_f$ decides:

# %%
for bias in (0, 1, 3):
    gate = 1 / (1 + np.exp(-bias))  # the sigmoid
    print(f"bias {bias}: one step keeps {gate:.2f}, fifty steps {gate**50:.0e}")

# %% tags=["claims"]
assert gate**50 > 0.05, f"bias 3 keeps nearly a tenth in 50 steps: {gate**50}"

# %% [markdown]
# With the common advice to start at bias 1, a six-millionth is left after fifty steps.
# With bias 3 it is nearly a tenth. The **GRU** (Cho et al. 2014) has a single state and
# does the same with its **update gate** $z_t$, where $n_t$ is the new candidate:
#
# $$h_t = (1 - z_t) \, n_t + z_t \, h_{t-1}$$

# %%
show_slide(HERE, 13)

# %% [markdown]
# ## 2 · Measured, with the side paths
#
# That was the path along $c$ alone. But the gates themselves are computed from
# $h_{t-1}$, and so is the candidate. These are **side paths**: they carry gradient as
# well.
#
# **Predict before you run.** An LSTM with forget bias 1: does one step back keep more
# than the 0.73 of the gate alone, or less?
#
# We take untrained cells with 64 units, let them read 100 steps of random numbers, and
# measure the gradient of a loss at the last step. All biases are 0 but one. PyTorch
# keeps the weights of the gates one below the other: rows $i, f, g, o$ in the LSTM,
# rows $r, z, n$ in the GRU. So the second 64 numbers of the bias are those of the
# forget gate, or of the update gate.

# %%
STEPS, BATCH, INPUTS, UNITS = 100, 32, 16, 64


def lstm_cell(forget_bias):
    cell = nn.LSTMCell(INPUTS, UNITS)
    with torch.no_grad():  # set numbers; nothing to learn here
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.bias_ih[UNITS : 2 * UNITS] = forget_bias  # the rows are i, f, g, o
    return cell


def gru_cell(update_bias):
    cell = nn.GRUCell(INPUTS, UNITS)
    with torch.no_grad():
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.bias_ih[UNITS : 2 * UNITS] = update_bias  # the rows are r, z, n
    return cell


def without_side_paths(cell):
    """The same cell, whose gates and candidate do not see the old state h."""
    with torch.no_grad():
        cell.weight_hh.zero_()
    return cell


# %% [markdown]
# A plain RNN stands beside them. Its matrix $W_h$ is scaled to **spectral radius** 1:
# by itself it would neither grow nor shrink a vector in the long run.


# %%
class TanhCell(nn.Module):
    """A plain RNN cell with random weights; radius is the spectral radius of W_h."""

    def __init__(self, radius, squash=torch.tanh):
        super().__init__()
        W_h = torch.randn(UNITS, UNITS)
        self.W_h = W_h * (radius / torch.linalg.eigvals(W_h).abs().max())
        self.W_x = torch.randn(INPUTS, UNITS) / INPUTS**0.5
        self.squash = squash

    def forward(self, x_t, h):  # (B, INPUTS), (B, UNITS); one row per sequence
        return self.squash(x_t @ self.W_x + h @ self.W_h)


# %% [markdown]
# The next function reads the sequence with any of these cells. An LSTM has two states,
# $h$ and $c$. The loss looks at $h$ at the last step, and we measure the gradient along
# $c$. The other cells have $h$ only.


# %%
def gradient_sizes(make_cell, seed=0, input_scale=1.0):
    """Size of the gradient at each state, last step first, relative to the last."""
    torch.manual_seed(seed)
    x, look = torch.randn(STEPS, BATCH, INPUTS), torch.randn(UNITS)
    cell, states = make_cell(), []
    h = c = torch.zeros(BATCH, UNITS, requires_grad=True)  # autograd follows it
    for x_t in input_scale * x:
        if isinstance(cell, nn.LSTMCell):
            h, c = cell(x_t, (h, c))
            states.append(c)
        else:
            h = cell(x_t, h)
            states.append(h)
    loss = (h @ look).square().mean()  # looks at h in a random direction
    sizes = torch.stack([g.norm() for g in torch.autograd.grad(loss, states)])
    return (sizes / sizes[-1]).flip(0)


def five_seeds(make_cell, input_scale=1.0):
    runs = [gradient_sizes(make_cell, seed, input_scale) for seed in range(5)]
    return torch.stack(runs)  # (seeds, steps back)


def factor(runs):
    """What one step back keeps, from 10 to 60 steps before the loss: mean of the seeds.

    The first ten steps depend on the loss. After them the curves are straight.
    """
    return ((runs[:, 60] / runs[:, 10]) ** (1 / 50)).mean().item()


# %%
torch.set_default_dtype(torch.float64)  # 64 bits: gradients get very small
fig, ax = plt.subplots(figsize=(8, 3.8))
back, kept = range(STEPS), {}
for bias, colour in ((0, BLUE), (1, ORANGE), (3, GREEN)):
    runs = five_seeds(lambda: lstm_cell(bias))
    plot_band(back, runs, ax, f"LSTM, bias {bias}", colour)
    kept["LSTM", bias] = factor(runs)
    kept["GRU", bias] = factor(five_seeds(lambda: gru_cell(bias)))
plain = five_seeds(lambda: TanhCell(radius=1.0))
plot_band(back, plain, ax, "\nplain RNN", GREY)
ax.set(xlabel="steps back from the loss", ylabel="gradient, relative to the last step")
ax.set(title="A gate that starts open lets the gradient through", xlim=(0, 120))
ax.set_yscale("log")
show(fig, "why_gates_decay")

# %% tags=["claims"]
assert factor(plain) < 0.65 and factor(plain) < kept["LSTM", 0] < 0.66, "no better"
_lstm, _gru = ([kept[name, b] for b in (0, 1, 3)] for name in ("LSTM", "GRU"))
assert _lstm[0] < 0.75 < _lstm[1] < 0.92 < _lstm[2] < 1.05, (
    f"the more open the forget gate starts, the more is kept, with 3 all: {_lstm}"
)
assert _gru[0] < 0.75 < _gru[1] < 0.9 < _gru[2] < 1.05, (
    f"the more open the update gate starts, the more is kept: {_gru}"
)
assert 0.84 < _lstm[1] < 0.86, f"bias 1 loses about 15 % per step: {_lstm}"
assert _lstm[1] ** 50 < 1e-3, f"less than a thousandth is left: {_lstm[1] ** 50}"
assert 0.08 < _gru[2] ** 50 < 0.15, f"with bias 3 a GRU keeps a tenth in 50: {_gru}"

# %% [markdown]
# **Predict:** now the same cells without their side paths. We set the weights from the
# old $h$ to zero, so that gates and candidate see the input only. What is left?

# %%
print("one step back keeps     gate alone   measured   without side paths")
alone = {}
for name, make_cell in (("LSTM", lstm_cell), ("GRU", gru_cell)):
    for bias in (0, 1, 3):
        runs = five_seeds(lambda: without_side_paths(make_cell(bias)))
        alone[name, bias] = factor(runs)
        gate = 1 / (1 + np.exp(-bias))
        print(f"{name:4} bias {bias} {gate:22.2f}", end="")
        print(f" {kept[name, bias]:10.2f} {alone[name, bias]:12.2f}")

# %% tags=["claims"]
for (_name, _bias), _factor in alone.items():
    _gate = 1 / (1 + np.exp(-_bias))
    assert abs(_factor - _gate) < 0.01, f"{_name} {_bias}: the gate alone, {_factor}"
    assert kept[_name, _bias] > _factor, f"{_name} {_bias}: side paths add gradient"

# %% [markdown]
# Without the side paths one step keeps exactly what the gate lets through, to about a
# hundredth. So the rest does come through the side paths. They carry gradient past the
# gate, and that is why the LSTM with bias 1 keeps 0.85 and not 0.73. With bias 3 it
# even keeps a little more than all: a side path can add.
#
# What does this say about starts?
#
# - With bias 0 the LSTM is no better than a plain RNN.
# - With bias 1 it loses about 15 % per step. After 50 steps less than a thousandth is
#   left.
# - With bias 3 nothing is lost. The GRU loses a little: after 50 steps a tenth is left.
#
# All of this is *before* training. Training can open a gate that starts half closed,
# but that takes time. The structure makes a long memory possible; the start decides how
# soon training finds it.
#
# ## 3 · The adding problem
#
# Does it matter? Here is a task made for that question, a variant of the **adding
# problem** (Hochreiter and Schmidhuber 1997). The network reads 100 random numbers from
# 0 to 1. Two of them are marked. At the end it has to say the sum of the two.

# %%
torch.set_default_dtype(torch.float32)
LENGTH = 100


def adding_problem(n):
    """Inputs (LENGTH, n, 2): a number and a mark; targets (n,)."""
    values, marks = torch.rand(LENGTH, n), torch.zeros(LENGTH, n)
    first, rows = torch.randint(LENGTH, (n,)), torch.arange(n)
    second = (first + torch.randint(1, LENGTH, (n,))) % LENGTH  # never the same place
    marks[first, rows] = 1  # in every column one mark ...
    marks[second, rows] = 1  # ... and another
    return torch.stack([values, marks], dim=2), (values * marks).sum(dim=0)


torch.manual_seed(0)
x, target = adding_problem(1)
values, marked = x[:, 0, 0], x[:, 0, 1] == 1
fig, ax = plt.subplots(figsize=(8, 2.4))
ax.bar(range(LENGTH), values, color=GREY, alpha=0.5)
ax.bar(np.arange(LENGTH)[marked], values[marked], color=ORANGE, width=1.2)
ax.set(
    title=f"The orange bars are marked. Their sum: {target.item():.2f}", xlabel="step"
)
show(fig, "why_gates_adding")

# %% tags=["claims"]
_places = np.arange(LENGTH)[marked].tolist()
assert _places == [5, 81], f"two marks, far apart: {_places}"

# %% [markdown]
# What can a network reach that remembers little? If it remembers nothing, its best
# answer is 1, the mean of the sum. The mean squared error is then the variance of the
# sum of two such numbers: $2 \cdot 1/12 = 1/6$, about 0.167. Let us also judge an ideal
# short memory. It adds what was marked in the last $k$ steps, and counts one half for
# each mark that it cannot remember.

# %%
torch.manual_seed(0)
x, target = adding_problem(50_000)
values, marks = x[:, :, 0], x[:, :, 1]
for k in (0, 10, 20, 50, 100):
    recent = slice(LENGTH - k, LENGTH)
    seen = (values[recent] * marks[recent]).sum(dim=0)
    forgotten = 2 - marks[recent].sum(dim=0)
    error = (seen + forgotten / 2 - target).square().mean()
    print(f"remembers {k:3} steps: mean squared error {error:.2f}")

# %% tags=["claims"]
with torch.random.fork_rng():
    torch.manual_seed(1)
    _, _target = adding_problem(50_000)
    assert abs((_target - 1).square().mean() - 1 / 6) < 0.002, "guessing gives 1/6"
_sums = [1 / 6 * (1 - _k / 100) for _k in (10, 20)]
assert [round(_e, 2) for _e in _sums] == [0.15, 0.13], f"by algebra: {_sums}"
assert error < 1e-9, "who remembers all hundred adds exactly"

# %% [markdown]
# Even twenty of the hundred steps bring the error down to 0.13 only. To do well, a
# network has to remember for a long time.
#
# ## 4 · A race
#
# Three models with 32 units each: a plain RNN, an LSTM as PyTorch makes it, and an LSTM
# whose forget gates start open.


# %%
class LastState(nn.Module):
    """Reads the sequence with the given layer; answers from its last state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer(2, 32)
        self.answer = nn.Linear(32, 1)

    def forward(self, x):  # (T, B, 2)
        states, _ = self.layer(x)  # (T, B, 32)
        return self.answer(states[-1]).squeeze(-1)  # (B,): without the axis of size 1


# %% [markdown]
# How open? A gate of $f = u/(1+u)$ loses a share of $1/(1+u)$ per step, so it remembers
# for about $u$ steps. That is the gate with bias $\log u$. We draw $u$ between 1 and
# 99, a new one for each unit: some units remember a few steps, some all hundred. The
# input gates get the negative bias: what is kept long is written to seldom (Tallec and
# Ollivier 2018; lesson 02.2 comes back to it).


# %%
def open_gates(lstm):
    remember = torch.empty(32).uniform_(1, LENGTH - 1).log()  # a bias for each unit
    with torch.no_grad():
        lstm.bias_hh_l0.zero_()
        lstm.bias_ih_l0.zero_()
        lstm.bias_ih_l0[:32] = -remember  # input gates
        lstm.bias_ih_l0[32:64] = remember  # forget gates


def learning_curve(layer, seed, start=None, steps=500, lr=0.01):
    """Error on new sequences, every 25 steps of training on fresh batches."""
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
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return errors


# %% [markdown]
# **Predict before you run.** After 500 steps of training, which of the three have an
# error clearly below 1/6?

# %%
models = {  # name: layer, start, colour
    "plain RNN": (nn.RNN, None, BLUE),
    "LSTM": (nn.LSTM, None, PURPLE),
    "LSTM, open gates": (nn.LSTM, open_gates, GREEN),
}
curves = {}
for name, (layer, start, _) in tqdm(models.items(), desc="adding", leave=False):
    curves[name] = np.array(learning_curve(layer, 0, start))  # steps 0, 25, ... 500
    print(f"{name:17} error as a share of 1/6: {6 * curves[name][-1]:.1f}")

# %% tags=["claims"]
for _name in ("plain RNN", "LSTM"):
    _best = curves[_name].min()
    assert _best > 0.1, (
        f"{_name}: after 500 steps it still guesses, but has {_best:.3f}"
    )
_last = curves["LSTM, open gates"]
assert _last[-1] < 0.01, f"open gates learn to add in 500 steps: {_last[-1]:.3f}"
assert _last[4] > 0.1, f"not before step 100: {_last}"

# %%
fig, ax = plt.subplots()
for name, (_, _, colour) in models.items():
    ax.plot(range(0, 501, 25), curves[name], color=colour, label=name)
ax.axhline(1 / 6, color=GREY, linewidth=1, linestyle="--", label="guessing")
ax.set(xlabel="training step", ylabel="mean squared error", yscale="log")
ax.legend(loc="lower left")
ax.set(title="In 500 steps only the LSTM with open gates learns to add")
show(fig, "why_gates_race")

# %% [markdown]
# After 500 steps the plain RNN and the LSTM with its usual start still guess. The LSTM
# whose gates start open adds. (This was one random start; the table below has five.)
#
# Is that a victory of the LSTM over the RNN? No: it compares *starts* as much as cells.
# The usual LSTM guesses, too. And a plain RNN can do it as well, if it starts by
# keeping what it has: with the identity matrix as $W_h$ and ReLU in place of tanh (Le,
# Jaitly and Hinton 2015). It took 1,500 steps (lr 0.001), so we do not train it here.
# The course has trained all four from five seeds and stored the errors at the end:

# %%
stored = root / HERE / "going_deeper/results/why_gates.json"
scores = json.loads(stored.read_text(encoding="utf-8"))["scores"]
for name in ("plain RNN", "LSTM", "LSTM, open gates", "RNN, identity start"):
    print(f"{name:20}", *(f"{error:7.3f}" for error in scores[name]["test"]))

# %% tags=["claims"]
_errors = scores["plain RNN"]["test"] + scores["LSTM"]["test"]
assert min(_errors) > 0.1, f"with five seeds too, both still guess: {_errors}"
_errors = scores["LSTM, open gates"]["test"]
assert max(_errors) < 0.01, f"with five seeds too, open gates learn: {_errors}"
_errors = scores["RNN, identity start"]["test"]
_said = f"an RNN with the identity start gets to 0.01, the mean of {_errors}"
assert 0.005 < np.mean(_errors) < 0.015, _said
for _name, _errors in curves.items():
    _old = scores[_name]["test"][0]
    assert abs(_errors[-1] - _old) < 0.01, f"{_name}: as stored, {_errors}, {_old}"

# %% [markdown]
# All five networks with the identity start learn to add, with a mean error of 0.01. And
# lesson 02.2 trains other LSTM starts for longer; most of them get there as well. What
# they all need is a gradient that reaches back to the marked numbers.
#
# ### Questions
#
# 1. Somebody sets the forget bias to 1 and says that now the LSTM remembers. For how
# long, before any training?
#
# <details><summary>Answer</summary>
#
# One step back keeps 0.85 of the gradient in section 2, so half of it is gone after
# four or five steps, and after 50 less than a thousandth is left. Training can change
# that. As a start it reaches some ten steps back, where a fifth is left, and not a
# hundred.
#
# </details>
#
# 2. A network reaches a mean squared error of 0.15 on the adding problem. Has it
# learned to add?
#
# <details><summary>Answer</summary>
#
# Hardly. A memory of the last ten steps would reach that, by the table of section 3. It
# says nothing about marks further back.
#
# </details>
#
# 3. Why did we set the weights from $h$ to zero, instead of just saying that side paths
# explain the difference between 0.73 and 0.85?
#
# <details><summary>Answer</summary>
#
# Because a plausible cause is not yet a cause. Take it away: if the effect goes away
# with it, as it does here, the explanation has passed a test that it could have failed.
#
# </details>
#
# ## Summary
#
# - Along $c$, one step back multiplies by the forget gate. Along $h$ in a GRU it is the
#   update gate.
# - Side paths through $h$ add to that: with bias 1 a step keeps 0.85 and not 0.73.
# - Whether a network learns a long memory soon depends on where its gates start. A
#   plain RNN with a good start can learn it, too.
#
# **Next:** back to [the lesson](../RNN_Introduction.ipynb), or on to [Gradients through
# time](Gradients_Through_Time.ipynb).


# %% tags=["measure"]
from utils.training import fit, predict


def rising_or_falling(n):
    """n series of 8 noisy steps, and 1 for each that rises, 0 for each that falls."""
    rises = torch.randint(2, (n,))
    sign, level = 2 * rises[:, None] - 1, torch.randn(n, 1)
    return level + sign * torch.linspace(-1, 1, 8) + 0.5 * torch.randn(n, 8), rises


class Reader(nn.Module):
    """The network of the lesson's section 1: reads a series into 4 numbers."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=4, batch_first=True)
        self.answer = nn.Linear(4, 2)

    def forward(self, x):
        states, _ = self.rnn(x.unsqueeze(-1))
        return self.answer(states[:, -1])


def share_right(model, look):
    """Train on new series, of which the model sees only `look(series)`, and test it."""
    parts = [rising_or_falling(n) for n in (2000, 500, 4000)]
    train, validation, test = [(look(x), y) for x, y in parts]
    loss = nn.functional.cross_entropy
    fit(model, train, validation, epochs=8, lr=0.02, loss=loss)
    return (predict(model, test[0]).argmax(dim=1) == test[1]).double().mean().item()


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
            runs[f"tanh {radius} inputs {size}"] = five_seeds(
                lambda: TanhCell(radius), size
            )
    runs["linear 1.2"] = five_seeds(lambda: TanhCell(1.2, squash=lambda a: a))
    for bias in (0, 1, 3):
        runs[f"lstm {bias}"] = five_seeds(lambda: lstm_cell(bias))
        runs[f"gru {bias}"] = five_seeds(lambda: gru_cell(bias))
    torch.set_default_dtype(torch.float32)
    return {
        "one step keeps": {name: round(factor(run), 4) for name, run in runs.items()}
    }
