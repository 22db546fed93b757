# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Going deeper 01 · Gradients through time
#
# The lesson computed the gradient of one unit with a pencil and showed *that* it
# vanishes. Here you do it for a whole network, and find out *how fast* and *why*.
#
# **You will be able to**
#
# - write backpropagation through time for vectors and check it in two ways;
# - say what truncated backpropagation leaves out, and measure how much that is;
# - predict from the weights and the states how fast a gradient vanishes;
# - explain why an orthogonal matrix does not save it, and how clipping can make a NaN.
#
# You need [the lesson](../RNN_Introduction.ipynb) and the product of a matrix and a
# vector. Take an hour or more; every section can be read by itself.

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

from utils import data, set_up
from utils.plotting import BLUE, GREEN, ORANGE, PURPLE
from utils.plotting import explore, plot_band, show, show_slide

set_up(seed=0)
HERE = "01_Introduction_to_RNN"

# %% [markdown]
# ## 1 · Backpropagation through time, in vectors
#
# For one unit, one step back multiplied the gradient by $(1 - h^2)\,w$. A network has
# many units, so $h_t$ becomes a list of numbers, $w$ becomes the matrix $W_h$, and
# every step may have an output and an error of its own.

# %%
show_slide(HERE, 6)

# %% [markdown]
# (The slide has a loss at the last step only. Our code has one at every step.) Let the
# output be $y_t = W_y h_t + b_y$, the target $d_t$, and the loss $L = \frac12 \sum_t
# (y_t - d_t)^2$. We write $\partial L/\partial h_t$ for the list of slopes of $L$, one
# for each number of $h_t$. We start at the last step and walk back:
#
# 1. **The error enters.** The slope at the output is $y_t - d_t$. It reaches the state
#    through $W_y$ and joins what comes back from step $t + 1$. Their sum is $\partial
#    L/\partial h_t$.
# 2. **Back through tanh.** Its slope is $1 - h_t^2$, so we get $\delta_t = (1 -
#    h_t^2)\,\partial L/\partial h_t$, number by number.
# 3. **The weights take their share.** They are used at every step, so their slopes are
#    *sums* over the steps.
# 4. **One step back.** $W_h^\top \delta_t$ goes on to step $t - 1$. ($W_h^\top$ is
#    $W_h$ with rows and columns swapped. On the way forward, old unit $j$ adds to new
#    unit $i$ through the number in row $i$, column $j$; on the way back, the slope of
#    $i$ returns to $j$ through the same number.)
#
# First the way forward. The weights are in a dictionary `p`, by name. Python counts
# from 0: `h[0]` is $h_0$, so `h[t + 1]` is the state that has just read `x[t]`.


# %%
def forward(p, x, tanh=np.tanh):
    """States h_0 ... h_T and outputs y_1 ... y_T of the network with weights p."""
    h, y = [p["h_0"]], []
    for x_t in x:
        h.append(tanh(p["W_x"] @ x_t + p["W_h"] @ h[-1] + p["b"]))
        y.append(p["W_y"] @ h[-1] + p["b_y"])
    return h, y


def total_loss(p, x, d, tanh=np.tanh):
    """Half the sum of squared errors. (tanh is np.tanh or, for tensors, torch.tanh.)"""
    _, y = forward(p, x, tanh)
    loss = 0
    for y_t, d_t in zip(y, d):  # output and target of the same step
        loss = loss + ((y_t - d_t) ** 2).sum() / 2
    return loss


# %% [markdown]
# Now the way back. The comments carry the numbers of the list above. `np.outer(a, b)`
# is the table of all products: in row $i$, column $j$ it has $a_i b_j$. It appears
# because the slope of the weight from $j$ to $i$ is the slope at $i$ times the number
# that came in from $j$.


# %%
def bptt(p, x, d):
    """The slope of the loss for every weight and for h_0, as a dictionary."""
    h, y = forward(p, x)
    slope = {name: np.zeros_like(weight) for name, weight in p.items()}
    from_later = np.zeros_like(p["h_0"])  # nothing comes back to the last step
    for t in reversed(range(len(x))):
        error = y[t] - d[t]
        at_state = p["W_y"].T @ error + from_later  # 1
        delta = (1 - h[t + 1] ** 2) * at_state  # 2
        slope["W_y"] += np.outer(error, h[t + 1])  # 3
        slope["b_y"] += error
        slope["W_x"] += np.outer(delta, x[t])
        slope["W_h"] += np.outer(delta, h[t])
        slope["b"] += delta
        from_later = p["W_h"].T @ delta  # 4
    slope["h_0"] = from_later
    return slope


# %% [markdown]
# Is it right? We check it in two ways. **Finite differences** need no calculus: move
# one weight a little up and a little down, and see how much the loss changes.


# %%
def finite_differences(p, x, d, eps=1e-5):
    """The same slopes, by trying: slow, but there is little to get wrong."""
    slope = {name: np.zeros_like(weight) for name, weight in p.items()}
    for name, weight in p.items():
        for i in np.ndindex(weight.shape):  # i is the place of one number
            middle = weight[i]
            weight[i] = middle + eps
            above = total_loss(p, x, d)
            weight[i] = middle - eps
            below = total_loss(p, x, d)
            slope[name][i] = (above - below) / (2 * eps)
            weight[i] = middle
    return slope


# %% [markdown]
# The second check is **autograd**: the same forward pass with tensors, then
# `backward()`. The data are 25 months of sunspots, scaled to mean 0 and standard
# deviation 1. At each of 24 months the network forecasts the next. Four units, random
# weights.

# %%
months = data.load_sunspots().to_numpy()[:25]
z = ((months - months.mean()) / months.std())[:, None]  # (25, 1): one number per step
x, d = z[:24], z[1:]
shapes = {"W_x": (4, 1), "W_h": (4, 4), "b": 4, "W_y": (1, 4), "b_y": 1, "h_0": 4}


def random_weights(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}


p = random_weights(seed=0)
by_hand, by_trying = bptt(p, x, d), finite_differences(p, x, d)
tensors = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
total_loss(tensors, torch.tensor(x), torch.tensor(d), torch.tanh).backward()


# %%
def digits(a, b, most):
    """In how many leading digits two arrays agree, relative to the largest number."""
    gap = np.abs(a - b).max() / np.abs(b).max()
    return min(most, int(-np.log10(gap + 1e-99)))


print("slopes of            agree with autograd    with finite differences")
for name in p:
    to_autograd = digits(by_hand[name], tensors[name].grad.numpy(), most=10)
    to_trying = digits(by_hand[name], by_trying[name], most=7)
    print(f"{name:4} {p[name].size:3} numbers {to_autograd:14} digits {to_trying:14}")

# %% tags=["claims"]
for _name in p:
    _auto = digits(by_hand[_name], tensors[_name].grad.numpy(), most=10)
    _try = digits(by_hand[_name], by_trying[_name], most=7)
    assert _auto == 10, f"{_name}: ten digits of autograd, but only {_auto} agree"
    assert _try == 7, f"{_name}: seven digits of finite differences, but {_try} agree"

# %% [markdown]
# They agree in at least ten and seven digits (we count no further). So `backward()`
# computes what these few lines compute. The finite differences lose some digits because
# they divide the small difference of two nearly equal losses.
#
# ## 2 · Truncated backpropagation
#
# On long sequences people cut the way back, to save memory and time. In **truncated
# BPTT** the sequence is read in pieces of `cut` steps. The state crosses from piece to
# piece, so the forward pass and the loss stay the same. No gradient crosses.

# %%
show_slide(HERE, 7)


# %%
def truncated_bptt(p, x, d, cut):
    """The slopes when the sequence is read in pieces of `cut` steps."""
    total = {name: np.zeros_like(weight) for name, weight in p.items()}
    start = p["h_0"]
    for first in range(0, len(x), cut):
        piece = slice(first, first + cut)
        carried = p | {
            "h_0": start
        }  # the same weights; the state that was carried here
        slope = bptt(carried, x[piece], d[piece])
        if first > 0:
            slope["h_0"][:] = 0  # no gradient crosses to the piece before
        for name in total:
            total[name] += slope[name]
        states, _ = forward(carried, x[piece])
        start = states[-1]
    return total


# %% [markdown]
# In PyTorch it takes a single word between the pieces, `detach()`: the same numbers,
# but `backward()` does not go beyond them.

# %%
tensors = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
start = tensors["h_0"]
for first in range(0, 24, 8):
    x_piece = torch.tensor(x[first : first + 8])
    d_piece = torch.tensor(d[first : first + 8])
    carried = tensors | {"h_0": start}
    total_loss(carried, x_piece, d_piece, torch.tanh).backward()  # adds up in .grad
    states, _ = forward(carried, x_piece, torch.tanh)
    start = states[-1].detach()
pieces = truncated_bptt(p, x, d, cut=8)
for name in ("W_x", "W_h", "b"):
    agree = digits(pieces[name], tensors[name].grad.numpy(), most=10)
    print(f"{name}: {agree} digits agree")

# %% tags=["claims"]
for _name in p:
    _agree = digits(pieces[_name], tensors[_name].grad.numpy(), most=10)
    assert _agree == 10, f"{_name}: pieces by hand are detach(), {_agree} digits"

# %% [markdown]
# How far is the truncated gradient from the whole one? We measure the length of their
# difference, as a share of the length of the whole gradient. **Predict before you
# run.** Longer pieces leave out less. So will the error fall with every longer piece?


# %%
def left_out(seed, cut):
    """Length of what is missing in dL/dW_h, as a share of its whole length."""
    p = random_weights(seed)
    whole = bptt(p, x, d)["W_h"]
    missing = truncated_bptt(p, x, d, cut)["W_h"] - whole
    return np.linalg.norm(missing) / np.linalg.norm(whole)


shares = {}
print("steps in a piece   network 0   network 1   network 2   median of 200")
for n in (1, 2, 4, 8, 24):
    shares[n] = [left_out(seed, n) for seed in range(200)]
    first, second, third = shares[n][:3]
    print(f"{n:16} {first:11.0%} {second:11.0%} {third:11.0%}", end="")
    print(f" {np.median(shares[n]):15.0%}")

# %% tags=["claims"]
_medians = [np.median(share) for share in shares.values()]
assert _medians == sorted(_medians, reverse=True), f"the median falls: {_medians}"
assert 0.5 < _medians[0] < 0.65 and 0.1 < _medians[3] < 0.25, f"medians {_medians}"
_rise = [left_out(0, 2) > left_out(0, 1), left_out(1, 8) > left_out(1, 4)]
assert all(_rise), "in a single network a longer piece can be worse"
assert left_out(0, 2) > 1.05, "more is missing than there is"
assert np.median(shares[24]) < 1e-12, "one piece of 24 steps leaves nothing out"

# %% [markdown]
# In a single network, no. Network 0 is further off with pieces of two steps than with
# pieces of one, and network 1 with eight than with four. The shares of the steps have
# both signs: in network 0 the missing part can be *longer* than the whole gradient, so
# what is missing and what is kept must partly cancel. Over 200 networks the median
# falls, but slowly. With pieces of eight steps about a fifth is still missing. (The
# table on the slide is for larger networks and 100 steps, so its numbers differ.)
#
# What is left out is the influence of early steps on later errors. No gradient tells
# the network to keep what lies further back than its piece, although the state may
# carry it.
#
# ## 3 · A product of Jacobians
#
# Items 2 and 4 of section 1 together take the gradient one step back. As a matrix:
#
# $$J_t = \frac{\partial h_{t+1}}{\partial h_t} = \operatorname{diag}(1 - h_{t+1}^2)\,
# W_h$$
#
# It is called the **Jacobian**: in row $i$, column $j$ stands how much new unit $i$
# changes when old unit $j$ changes a little. $\operatorname{diag}$ writes a list on the
# diagonal of a matrix, so each *row* of $W_h$ is multiplied by the slope of its unit.
#
# By hand for two units: let $h_{t+1} = (0.6, 0)$ and $W_h$ as below. The slopes are $1
# - 0.36 = 0.64$ and $1$. What is the Jacobian?

# %%
W_small = np.array([[0.5, 1.0], [0.0, 0.8]])
slopes = 1 - np.array([0.6, 0.0]) ** 2
print(np.diag(slopes) @ W_small)

# %% tags=["claims"]
_jacobian = np.diag(slopes) @ W_small
assert np.allclose(_jacobian, [[0.32, 0.64], [0, 0.8]]), f"by hand: {_jacobian}"

# %% [markdown]
# Going back 50 steps multiplies fifty such matrices. Here is that product for eight
# units, beside autograd. (Each Jacobian is transposed, as in item 4, because we walk
# from new units to old ones.)

# %%
torch.set_default_dtype(torch.float64)  # 64 bits from here on: gradients get very small
W_h = torch.randn(8, 8) / 8**0.5  # so that a vector keeps its length on average
h, states = torch.zeros(8, requires_grad=True), []
for x_t in torch.randn(50, 8):
    h = torch.tanh(x_t + W_h @ h)
    states.append(h)
autograd = torch.autograd.grad(
    h.sum(), states
)  # the loss: all numbers of the last state

gradient, equal = torch.ones(8), 0  # the slope of that loss at the last state is 1
for t in reversed(range(49)):
    jacobian = torch.diag(1 - states[t + 1] ** 2) @ W_h
    gradient = jacobian.T @ gradient
    equal += torch.allclose(gradient, autograd[t], rtol=1e-8, atol=0)
print("steps at which the product of Jacobians is autograd's gradient:", equal)
print(
    f"first step: length {gradient.norm():.0e}, last step: {torch.ones(8).norm():.1f}"
)

# %% tags=["claims"]
assert equal == 49, f"only {equal} of 49 products of Jacobians are autograd's gradient"
assert gradient.norm() < 1e-6, f"almost nothing is left: {gradient.norm():.0e}"

# %% [markdown]
# At all 49 steps before the last. And of a gradient of length 2.8 hardly anything is
# left at the first step. If every Jacobian shrinks a vector a little, fifty erase it,
# and the network hardly learns from events 50 steps ago.
#
# ## 4 · How fast does it vanish?
#
# One number describes a recurrent matrix well enough for now: its **spectral radius**,
# the size of its largest eigenvalue. That is the factor by which $W_h$ alone, applied
# again and again, stretches a vector per step in the long run. Radius 1 means that it
# neither grows nor shrinks.
#
# We take random networks of 64 units without training, let them read 100 steps of
# random numbers, and ask for the gradient at every state, for a loss that looks at the
# last state only.

# %%
STEPS, BATCH, INPUTS, UNITS = 100, 32, 16, 64


def scaled(W_h, radius):
    """The matrix, multiplied so that it has this spectral radius."""
    return W_h * (radius / torch.linalg.eigvals(W_h).abs().max())


def orthogonal(W_h, radius):
    """An orthogonal matrix made of W_h, times the radius."""
    return radius * torch.linalg.qr(W_h)[0]


# %%
def run(radius, input_scale=1.0, seed=0, squash=torch.tanh, make=scaled):
    """Sizes of the gradient, last step first; all states (T, B, H); and W_h."""
    torch.manual_seed(seed)
    x, look = torch.randn(STEPS, BATCH, INPUTS), torch.randn(UNITS)
    W_h = make(torch.randn(UNITS, UNITS), radius)
    W_x = torch.randn(INPUTS, UNITS) / INPUTS**0.5
    h, states = torch.zeros(BATCH, UNITS, requires_grad=True), []
    for x_t in input_scale * x:
        # Each row of h is one sequence, so here the matrices stand on the right.
        h = squash(x_t @ W_x + h @ W_h)  # (B, H)
        states.append(h)
    loss = (h @ look).square().mean()  # looks at the last state in a random direction
    gradients = torch.autograd.grad(loss, states)
    sizes = torch.stack([gradient.norm() for gradient in gradients])
    return (sizes / sizes[-1]).flip(0), torch.stack(states).detach(), W_h


# %% [markdown]
# One network could be a special case, so we take five random ones, five **seeds**. On a
# straight stretch, from 10 to 60 steps before the loss, we ask what one step back
# keeps: the 50th root of what 50 steps keep. (The first ten steps depend on the loss.)


# %%
def five_seeds(radius, input_scale=1.0, squash=torch.tanh, make=scaled):
    """Sizes of the gradient relative to the last step: (seeds, steps back)."""
    runs = [run(radius, input_scale, seed, squash, make)[0] for seed in range(5)]
    return torch.stack(runs)


def factor(runs):
    """What one step back keeps of the gradient: the mean of the seeds."""
    return ((runs[:, 60] / runs[:, 10]) ** (1 / 50)).mean().item()


# %% [markdown]
# **Predict before you run.** With spectral radius 1, $W_h$ alone neither grows nor
# shrinks a vector in the long run. What does one step back keep of the gradient?

# %%
kept = factor(five_seeds(radius=1.0))
print(f"one step back keeps {kept:.2f} of the gradient, 50 steps {kept**50:.0e}")

# %% tags=["claims"]
assert kept < 0.7, f"with radius 1 the gradient vanishes, but a step keeps {kept:.2f}"
assert 3e10 < kept**-50 < 7e10, f"a part in 50 billion is left, not in {kept**-50:.0e}"

# %% [markdown]
# After 50 steps a part in 50 billion is left. The radius describes only one factor of
# the Jacobian. The other, $1 - h^2$, takes its share at every step.
#
# ### A rule that predicts it
#
# Can we tell beforehand how much a step keeps? Two things shrink or stretch a vector:
#
# - $W_h$. It stretches different vectors by different factors. For a random matrix the
#   typical one is the root of the mean of their squares, $\lVert W_h \rVert / \sqrt H$.
#   ($\lVert W_h \rVert$ is the root of the sum of all its squared numbers, $H$ the
#   number of units.)
# - The slopes. They multiply each number of the vector by its own $1 - h^2$. The
#   typical factor is again the root of the mean square.
#
# If the two have nothing to do with one another, one step back keeps about
#
# $$\frac{\lVert W_h \rVert}{\sqrt H} \cdot \sqrt{\operatorname{mean}\,(1 - h^2)^2} .$$


# %%
def rule(states, W_h):
    """What one step back should keep."""
    slopes = 1 - states**2
    return W_h.norm() / UNITS**0.5 * slopes.square().mean().sqrt()


# %% [markdown]
# Large states have small slopes: a unit beyond ±0.9 is called **saturated**, since tanh
# is nearly flat there. To see what saturation does we let the rule ignore those units
# and take the mean over the others only. (The columns before *measured* describe the
# first of the five networks.)

# %%
print("inputs radius | beyond 0.9  mean slope | rule  without these | measured")
table = {}
for input_scale in (1.0, 0.1):
    for radius in (0.9, 1.0, 1.2, 1.5):
        _, states, W_h = run(radius, input_scale)
        beyond = (states.abs() > 0.9).double().mean()
        slope = (1 - states**2).mean()
        others = rule(states[states.abs() <= 0.9], W_h)
        measured = factor(five_seeds(radius, input_scale))
        table[input_scale, radius] = rule(states, W_h), others, measured
        print(f"{input_scale:6} {radius:6} | {beyond:10.0%} {slope:11.2f} |", end="")
        print(f" {rule(states, W_h):.2f} {others:14.2f} | {measured:8.2f}")
show_slide(HERE, 9)

# %% tags=["claims"]
for (_scale, _radius), (_rule, _others, _measured) in table.items():
    _said = f"radius {_radius}, inputs {_scale}: rule {_rule:.2f}, {_measured:.2f}"
    assert abs(_rule - _measured) < 0.06, f"the rule is right to hundredths. {_said}"
    assert _measured < 1.03, f"no tanh network explodes here. {_said}"
_one, _wide, _small = table[1.0, 1.0], table[1.0, 1.5], table[0.1, 1.0]
assert _one[1] < 0.75, f"without saturated units radius 1 still vanishes: {_one}"
assert 0.95 < _wide[1] < 1.1, f"without them radius 1.5 would not: {_wide}"
assert _wide[2] < 0.9, f"inputs of size 1: even radius 1.5 vanishes: {_wide}"
assert round(_small[2], 2) == 0.94, f"small inputs: radius 1 keeps 0.94: {_small}"
assert 0.04 < _small[2] ** 50 < 0.06, f"5 % are left after 50: {_small[2] ** 50}"
_one_step = round(table[1.0, 1.2][2], 2)
assert _one_step == 0.71, f"radius 1.2 keeps 0.71 per step, not {_one_step}"
assert 1e-9 < 0.7**50 < 1e-7, "0.70 to the 50th"

# %% [markdown]
# The rule is right to a few hundredths. Read the table from the top.
#
# - **Inputs of size 1.** Everything vanishes, even at radius 1.5. Is saturation to
#   blame? By the rule, at radius 1.5 it is: without the saturated units the rule gives
#   about 1. At radius 1 less so. A fifth of the units is saturated, but without them
#   a step would still keep only 0.70, and fifty steps a part in some fifty million. The
#   slope of an ordinary state, well inside ±0.9, is already too small.
# - **Inputs ten times smaller.** Now the states are small and their slopes near 1.
#   Radius 1 keeps 0.94 per step: after 50 steps some 5 % are left, not a part in 50
#   billion.
#
# So the weights alone do not decide. The inputs do as well, through the states. (The
# slide shows radius 1.5 for both sizes of input. It drew other random networks, so its
# mean slopes differ by a hundredth.)
#
# ## 5 · Orthogonal matrices
#
# A popular remedy is an **orthogonal** $W_h$. It turns vectors and keeps the length of
# every one of them, so its part of the rule is exactly 1. **Predict before you run.**
# What does one step back keep now?

# %%
for input_scale in (0.1, 1.0):
    _, states, W_h = run(1.0, input_scale, make=orthogonal)
    turned = five_seeds(1.0, input_scale, make=orthogonal)
    told = f"one step keeps {factor(turned):.2f}, the rule says {rule(states, W_h):.2f}"
    print(f"inputs of size {input_scale}: {told}")

# %% tags=["claims"]
assert kept < factor(turned) < 0.7, f"a little more than {kept}: {factor(turned)}"
assert torch.allclose(W_h.norm() / UNITS**0.5, torch.ones(())), "its part is 1"
assert abs(rule(states, W_h) - factor(turned)) < 0.06, "the rule holds here too"

# %% [markdown]
# With inputs of size 1 it is hardly more than with a random matrix (0.61). The length
# survives $W_h$, but the slopes of tanh are still there. Here are the whole curves.

# %%
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 3.6))
back = range(STEPS)
for ax, size in ((axes[0], 1.0), (axes[1], 0.1)):
    for radius, colour in ((0.9, BLUE), (1.0, GREEN), (1.5, ORANGE)):
        runs = five_seeds(radius, size)
        plot_band(back, runs, ax, f"radius {radius}", colour)
    ax.set(title=f"inputs of size {size}", xlabel="steps back", xlim=(0, 132))
plot_band(back, turned, axes[0], "orthogonal\n", PURPLE)
axes[0].set(ylabel="gradient, relative to the last step", yscale="log")
show(fig, "gradients_through_time_decay")

# %% tags=["claims"]
_ends = runs[:, -1]  # radius 1.5, inputs of size 0.1
assert (_ends > 1).sum() == 4, f"four gradients grow, one shrinks: {_ends}"
assert 1e3 < _ends.max() < 1e4, f"one of them grows a few thousandfold: {_ends}"
assert factor(turned) < 0.75, f"orthogonal vanishes too: {factor(turned):.2f}"
assert 1e-27 < five_seeds(0.9)[:, -1].median() < 1e-23, "radius 0.9 falls to 1e-25"
assert 1e-10 < five_seeds(1.5)[:, -1].median() < 1e-7, "radius 1.5 to 1e-8"

# %% [markdown]
# Lines are medians of five random networks, bands their range. A straight line on a
# logarithmic axis means a constant factor per step. On the left everything vanishes. On
# the right, at radius 1.5, the networks disagree: over 99 steps four gradients grow,
# one of them a few thousandfold, and one shrinks.
#
# **Try it.** With inputs of size 0.3, find a radius at which one step back keeps
# between 0.98 and 1.02. Then look how much the five networks differ after 99 steps.


# %%
def decay_figure(radius, input_scale):
    runs = five_seeds(radius, input_scale)
    fig, ax = plt.subplots(figsize=(7, 2.8))
    plot_band(range(STEPS), runs, ax, "", GREEN)
    ax.set(title=f"One step back keeps {factor(runs):.2f}", xlabel="steps back")
    ax.set(ylabel="relative gradient", yscale="log", ylim=(1e-30, 1e6))
    return fig, "gradients_through_time_slider"


radius = widgets.FloatSlider(1.0, min=0.5, max=2.0, step=0.1, description="radius")
size = widgets.FloatSlider(0.3, min=0.1, max=2.0, step=0.1, description="input size")
explore(decay_figure, radius=radius, input_scale=size)

# %% tags=["claims"]
_factors = [factor(five_seeds(_radius, 0.3)) for _radius in (1.4, 1.5, 1.6)]
assert min(_factors) > 0.98 and max(_factors) < 1.02, f"1.4 to 1.6 do: {_factors}"
_ends = five_seeds(1.5, 0.3)[:, -1]
assert _ends.max() / _ends.min() > 10, f"the networks differ: {_ends}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# 1.4, 1.5 or 1.6. But even there the five networks end more than a factor of ten apart.
# Remembering by luck of the draw is no plan, and this is one reason for gates; see [Why
# gates](Why_Gates.ipynb).
#
# </details>
#
# The vanishing gradient was found by Sepp Hochreiter in his diploma thesis (1991), and
# by Bengio, Simard and Frasconi (1994).
#
# ## 6 · Without tanh it explodes
#
# Take the tanh away. Nothing is squashed, every slope is 1, and $W_h$ is all that is
# left.

# %%
growth = five_seeds(radius=1.2, squash=lambda a: a)  # a function that changes nothing
_, _, W_h = run(radius=1.2)
print(f"one step back multiplies by {factor(growth):.2f}")
print(f"the rule, with slopes of 1:  {rule(torch.zeros(1), W_h):.2f}")
print(f"99 steps back: {growth[:, -1].median() / 1e6:.0f} million times as large")
show_slide(HERE, 10)

# %% tags=["claims"]
assert round(factor(growth), 2) == 1.19, (
    f"without tanh, 1.19 per step: {factor(growth)}"
)
assert growth[:, -1].median() > 1e6, f"it explodes: {growth[:, -1]} times in 99 steps"
assert rule(torch.zeros(1), W_h) < factor(growth) < 1.2, "between the rule and 1.2"

# %% [markdown]
# The factor is nearer to the radius, 1.2, than with tanh, and a little above the rule.
# (Perhaps because nothing turns the gradient away from the directions that $W_h$
# stretches most. The rule assumes that it points anywhere.)
#
# ## 7 · How clipping makes a NaN
#
# Against explosion one **clips**: if the length of the gradient is above a limit, scale
# it down to the limit (Pascanu, Mikolov and Bengio 2013). PyTorch multiplies the
# gradient by the limit divided by its length. What if the length is infinite?

# %%
clip = nn.utils.clip_grad_norm_
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
# The factor is 1 divided by infinity, which is 0. Infinity times 0 is **NaN**, *not a
# number*. After the step the weight is NaN, too, and with it all that is computed from
# it.
#
# **Predict before you run.** What becomes of the *other* numbers of such a gradient?
# And of a gradient of 32-bit numbers that is finite, but whose squared length is not?

# %%
for numbers in ([float("inf"), 1.0, 2.0], [1e30, 1.0, 2.0]):
    weights = torch.zeros(3, dtype=torch.float32, requires_grad=True)
    weights.grad = torch.tensor(numbers, dtype=torch.float32)
    clip([weights], 1.0)
    print(numbers, "becomes", weights.grad.tolist())

# %% tags=["claims"]
assert weights.grad.tolist() == [0, 0, 0], f"all zeros: {weights.grad}"

# %% [markdown]
# The other numbers become 0: only what was infinite turns into NaN. And $10^{30}$ is a
# number that 32 bits can hold, but its square is not. So the length is infinite, the
# factor 0, and the whole gradient disappears without a word: that step trains nothing.
# `clip_grad_norm_` has an option for both cases, `error_if_nonfinite=True`, which stops
# with an error.
#
# ### Questions
#
# 1. Read the 24 steps of section 1 in pieces of one step, with the state carried on.
# What happens to the loss? And to the gradient?
#
# <details><summary>Answer</summary>
#
# The loss is the same, because the state still crosses from piece to piece. The
# gradient is not. In the table of section 2 the missing part of $\partial L/\partial
# W_h$ is more than half as long as the whole, in the median. What is missing is all
# that one step does to the errors of later ones.
#
# </details>
#
# 2. A tanh network with spectral radius 1.2 reads inputs of size 1. What happens to its
# gradient if you take the tanh away?
#
# <details><summary>Answer</summary>
#
# It explodes instead of vanishing. With tanh one step back keeps 0.71 (the table of
# section 4); without it, one step multiplies by 1.19 (section 6). The squashing that
# makes gradients vanish also protects them from exploding.
#
# </details>
#
# 3. In the table of section 4 the mean slope is 0.54 for radius 1 and inputs of size 1.
# Why does one step keep 0.61, which is more?
#
# <details><summary>Answer</summary>
#
# The rule takes the root of the mean *square* of the slopes, which is larger than their
# mean whenever they differ. A mean of squares gives units with a steep slope more
# weight.
#
# </details>
#
# ## Summary
#
# - Backpropagation through time is a few lines per step, and equal to `backward()`.
# - Truncated backpropagation leaves out the influence of early steps on later errors.
#   The loss does not show it.
# - One step back keeps about $\lVert W_h \rVert / \sqrt H$ times the root mean square
#   of the slopes. An orthogonal matrix makes the first factor 1 and leaves the second.
# - By the rule, saturated units matter at radius 1.5, less at 1.
# - Clipping turns an infinite gradient into NaN and zeros, and a huge one into zeros.
#
# **Next:** [Why gates](Why_Gates.ipynb), or back to [the
# lesson](../RNN_Introduction.ipynb).
