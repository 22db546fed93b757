# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · PyTorch in ten minutes
#
# All that this course uses of PyTorch, in small cells of a few lines each. About 20
# minutes.
#
# You need some Python: lists, functions, `for` loops, and you have seen a class with
# `__init__`. Have you trained a network in PyTorch before? Then go straight to the
# [introduction to recurrent networks](RNN_Introduction.ipynb).
#
# Choose *Kernel → Restart Kernel and Clear Outputs of All Cells*. Then run each cell
# with Shift + Enter. Where it says **Predict before you run**, decide on an answer
# first. (The next cell only finds the files of the course.)

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
import torch
from torch import nn

from utils import set_up
from utils.plotting import ORANGE, show

set_up(seed=0)  # the same random numbers every time

# %% [markdown]
# ## 1 · Thirty points
#
# A **tensor** is PyTorch's array of numbers. Here are two: 30 places `x`, and 30 noisy
# values `y` of a wave. In section 9 a small network will draw a curve through them.

# %%
x = torch.linspace(-3, 3, 30)  # 30 numbers, evenly spaced from -3 to 3
y = torch.sin(x) + 0.2 * torch.randn(30)  # randn: random, around 0
fig, ax = plt.subplots(figsize=(6, 2.6))
ax.plot(x, y, "o")
ax.set(title="Which curve belongs to these points?", xlabel="x", ylabel="y")
show(fig, "pytorch_in_ten_minutes_points")

# %% [markdown]
# ## 2 · Shapes
#
# The **shape** of a tensor lists its sizes, one for each axis. Print it often: many
# mistakes are wrong shapes. You pick parts with square brackets, one position for each
# axis. Counting starts at 0, `-1` is the last, and `:` takes all.
#
# Later, an RNN will give you tensors like `states`: a *batch* of 2 sequences, each with
# 3 steps, and at each step 4 numbers.

# %%
states = torch.arange(24).reshape(2, 3, 4)  # (sequence, step, number)
print(states.shape)
print(states[0, 1])  # the first sequence, its second step
print(states[:, -1])  # every sequence, its last step, all its numbers

# %% tags=["claims"]
assert states[:, -1].shape == (2, 4), f"one axis less: {states[:, -1].shape}"
assert states[0, 1].tolist() == [4, 5, 6, 7], "the second step of the first sequence"

# %% [markdown]
# The last one has the shape (2, 4): taking a single step removes the axis of steps.
#
# ## 3 · One more axis, and broadcasting
#
# An RNN wants every step to be a list of numbers, even a list of one. `unsqueeze` adds
# the missing axis of size 1, and `[:, None]` is another way to write it.
#
# When you add tensors, an axis of size 1 is repeated until it fits. That is called
# **broadcasting**. **Predict before you run:** what are the numbers of
# `level[:, None] + steps`?

# %%
level = torch.tensor([10, 20])  # (2,)
steps = torch.tensor([1, 2, 3])  # (3,)
print(steps.unsqueeze(-1).shape, steps[:, None].shape)  # -1: the new axis is the last
print(level[:, None] + steps)  # (2, 1) + (3,) gives (2, 3)

# %% tags=["claims"]
assert (level[:, None] + steps).tolist() == [[11, 12, 13], [21, 22, 23]], "broadcast"

# %% [markdown]
# ## 4 · The slope, found by PyTorch
#
# Training asks how the error changes when a weight moves a little. Take one weight $w$
# and the error $(3w - 6)^2$. At $w = 1$ its slope is $2\,(3w - 6) \cdot 3 = -18$: a
# larger $w$ makes the error smaller. The slope is also called the **gradient**. PyTorch
# finds it by itself; that is called **autograd**.

# %%
w = torch.tensor(1.0, requires_grad=True)  # "remember what is done with w"
error = (3 * w - 6) ** 2
error.backward()  # goes back through the computation; puts the slope into w.grad
print("slope:", w.grad.item())  # item(): as a Python number

# %% tags=["claims"]
assert w.grad.item() == -18, f"the slope is -18, not {w.grad.item()}"

# %% [markdown]
# ## 5 · Once more
#
# **Predict before you run.** The same cell again, with the same $w$. What is in
# `w.grad` now?

# %%
((3 * w - 6) ** 2).backward()
print("after a second backward():", w.grad.item())
w.grad.zero_()  # _ at the end of a name: changes the tensor itself
print("after zero_():", w.grad.item())

# %% tags=["claims"]
assert w.grad.item() == 0, "zeroed"
_w = torch.tensor(1.0, requires_grad=True)
for _ in range(2):
    ((3 * _w - 6) ** 2).backward()
assert _w.grad.item() == -36, f"two slopes of -18 add up: {_w.grad.item()}"

# %% [markdown]
# Not −18 but −36: `backward()` *adds* the new slope to what is there. So our training
# loops set the slopes to zero before they call `backward()`.
#
# ## 6 · A layer
#
# A network is made of layers, and a layer holds weights. `nn.Linear(1, 3)` turns 1
# number into 3. Each is a weight times the input plus a constant, the **bias**. It does
# so for a whole batch, one row for each example.

# %%
inputs, targets = x[:, None], y[:, None]  # (30,) -> (30, 1): one number in each row
layer = nn.Linear(1, 3)
print("weight:", layer.weight.shape, "  outputs:", layer(inputs).shape)

# %% tags=["claims"]
assert layer(inputs).shape == (30, 3), "30 rows of three numbers"

# %% [markdown]
# ## 7 · A network is a class
#
# In PyTorch you describe a network as a class. `__init__` makes the layers once;
# `forward` says how numbers go through them. Ours turns each `x` into 16 numbers,
# squashes them into the range from −1 to 1 with `tanh`, and mixes them into one answer.


# %%
class Curve(nn.Module):  # a Curve is a kind of nn.Module
    def __init__(self):
        super().__init__()  # first let nn.Module set itself up
        self.hidden = nn.Linear(1, 16)
        self.output = nn.Linear(16, 1)

    def forward(self, x):  # x: (N, 1)
        return self.output(torch.tanh(self.hidden(x)))  # (N, 1)


model = Curve()  # its weights are random numbers
answers = model(inputs)  # calling the model runs forward: (30, 1)

# %% [markdown]
# ## 8 · How wrong is it? And one step of training
#
# The **loss** is one number that says how wrong the answers are: here the mean squared
# error. An **optimizer** moves all weights a little downhill. How far it moves them is
# the **learning rate**, `lr`. We use Adam, a common first choice.

# %%
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)  # parameters: all weights


def train_step():
    loss = nn.functional.mse_loss(model(inputs), targets)  # how wrong now?
    optimizer.zero_grad()  # forget the old slopes
    loss.backward()  # a new slope for every weight
    optimizer.step()  # move every weight a little
    return loss.item()


print(f"loss before the first step {train_step():.2f}, after it {train_step():.2f}")

# %% [markdown]
# ## 9 · Fifty steps
#
# Training is that step, again and again. We start afresh, with a new network.

# %%
model = Curve()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
losses = []
for _ in range(50):  # _ is a usual name for what we do not need
    losses.append(train_step())

# %% tags=["claims"]
assert losses[-1] < 0.05, f"the loss has fallen to near the noise: {losses[-1]:.3f}"
assert losses[-1] < losses[0] / 2, f"it has fallen: {losses[0]:.2f}, {losses[-1]:.2f}"
_away = (model(inputs)[:, 0] - torch.sin(x)).square().mean().sqrt()
assert _away < 0.2, f"the curve is near the wave: {_away:.2f}"

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8))
left.plot(losses)
left.set(title="The loss falls", xlabel="training step", ylabel="mean squared error")
right.plot(x, y, "o")
right.plot(x, model(inputs).detach(), color=ORANGE)  # detach: only the numbers
right.set(title="The network (red line) draws a wave", xlabel="x", ylabel="y")
show(fig, "pytorch_in_ten_minutes_fit")

# %% [markdown]
# Nobody told the network about a wave. It only walked downhill on its loss. (The bumps
# are normal: a step can go a little too far.)
#
# ### Two questions
#
# 1. What would happen in section 9 without `optimizer.zero_grad()`?
#
# <details><summary>Answer</summary>
#
# Every `backward()` would add its slopes to those of all steps before, and the
# optimizer would follow that sum. No error would tell you.
#
# </details>
#
# 2. `states` has the shape (5, 7, 2). What is the shape of `states[:, -1]`, and what of
# `states[:, -1].unsqueeze(-1)`?
#
# <details><summary>Answer</summary>
#
# (5, 2): of each of the five sequences the last of its seven steps. Then (5, 2, 1),
# with one more axis at the end.
#
# </details>
#
# **Next:** [the introduction to recurrent networks](RNN_Introduction.ipynb), where such
# a network gets a memory.
