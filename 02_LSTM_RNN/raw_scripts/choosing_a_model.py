# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02.6 · Choosing a model
#
# **You will be able to**
#
# - compare models fairly: equal parameters, equal data, a learning rate of its own for
#   each, several seeds;
# - compare them *in pairs*, and read from an interval what it allows you to say;
# - see at once where a model does not apply, and prove it;
# - put costs beside scores: parameters, training, the time of one answer;
# - choose, with a table in which every line is a number you have seen.
#
# This is the last lesson of the chapter. You need 02.1 (forecasting), 02.4 (a character
# model, stacked layers) and 02.5 (tagging, two directions). Reading and running takes
# about 45 minutes. Where it says **Predict before you run**, decide on an answer first.

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
import json, math
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from utils import set_up
from utils.data import Standardiser, chronological_split, load_stress
from utils.data import load_sunspots, load_surnames, windows
from utils.exercises import choosing_a_model as checks
from utils.forecasting import autoregression, persistence, rmse
from utils.plotting import GREY, INK, ORANGE, plot_forecast, plot_training
from utils.plotting import show, show_slide
from utils.training import History, fit, predict

set_up(seed=0)
HERE = "02_LSTM_RNN"

# %% [markdown]
# ## 1 · Five models of one size
#
# You have met five ways to read a sequence. The **RNN**, the **LSTM** and the **GRU**
# are three kinds of cell. A **stacked** network has two layers, and one that reads
# **both ways** has a second layer that starts at the end. The last two can be built
# from any cell. Here they are LSTMs, so that each differs from the plain LSTM in that
# one thing (and in its units, which make the sizes equal).
#
# Which one should you take? We let them race on three tasks of this course: a forecast,
# a character model, and tagging. A fair race has rules:
#
# - **Equal size.** All five get the same number of parameters, within 2 %.
# - **Equal data**, in the same order for the same seed, and equally many epochs.
# - **A learning rate of its own** for each, chosen on the validation part. A rate that
#   suits the LSTM need not suit the RNN.
# - **A baseline** beside every task: a simple model, scored on the same answers.
#
# One class is enough for everything. A task is three numbers: how many numbers enter
# the layer at each step ($I$), how many come out of the head, and, if the input is a
# symbol, how many symbols there are. Symbols pass an embedding first. $B$ is the
# size of the batch, $T$ the number of steps, $H$ the number of units.


# %%
SIZES = {"forecast": (12, 12, 0), "names": (16, 27, 27), "stress": (16, 3, 39)}
MODELS = {  # cell, options, units for each of the tasks
    "RNN": (nn.RNN, {}, (47, 146, 147)),
    "LSTM": (nn.LSTM, {}, (22, 72, 70)),
    "GRU": (nn.GRU, {}, (26, 84, 82)),
    "stacked": (nn.LSTM, {"num_layers": 2}, (14, 44, 42)),
    "both ways": (nn.LSTM, {"bidirectional": True}, (14, 48, 47)),
}


class Network(nn.Module):
    def __init__(self, model, task, seed=0):
        super().__init__()
        torch.manual_seed(seed)  # fixes the random start
        (cell, options, units), (inputs, outputs, symbols) = MODELS[model], SIZES[task]
        units = units[list(SIZES).index(task)]
        self.embed = nn.Embedding(symbols, inputs) if symbols else nn.Identity()
        self.rnn = cell(inputs, units, batch_first=True, **options)
        self.head = nn.Linear(units * (1 + self.rnn.bidirectional), outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        states, _ = self.rnn(self.embed(x))  # (B, T, H), or (B, T, 2H) both ways
        if isinstance(self.embed, nn.Embedding):  # symbols: an answer at every step
            return self.head(states)
        H = self.rnn.hidden_size  # numbers: one answer, where each direction ends
        return self.head(torch.cat([states[:, -1, :H], states[:, 0, H:]], dim=1))


# %% [markdown]
# The last line is the lesson of 02.5: the backward half ends at step 1, not at the last
# one. For a layer in one direction `states[:, 0, H:]` is empty.
#
# The head starts at zero in all tasks. Before training, a forecast is "no change", and
# all symbols are equally probable.
#
# **Predict before you run.** Slide 16 counts weights: with equal units, RNN, GRU and
# LSTM are as 1 : 3 : 4. If an RNN has 100 units, how many may an LSTM of the same size
# have: 25, 50 or 75?

# %%
show_slide(HERE, 16)
for task in SIZES:
    nets = [Network(model, task) for model in MODELS]
    sizes = [sum(weight.numel() for weight in net.parameters()) for net in nets]
    print(f"{task:9}", *(f"{model} {size:,} " for model, size in zip(MODELS, sizes)))

# %% tags=["claims"]
_sizes = []
with torch.random.fork_rng():  # a Network seeds and draws
    for _task in SIZES:
        _nets = [Network(model, _task) for model in MODELS]
        _sizes.append([sum(w.numel() for w in net.parameters()) for net in _nets])
for _row in _sizes:
    assert max(_row) < 1.02 * min(_row), f"sizes are equal within 2 %, not {_row}"
_ends = min(map(min, _sizes)), max(map(max, _sizes))
assert 3400 <= _ends[0] < _ends[1] < 28_500, f"3,400 to 28,000 parameters: {_ends}"

# %% [markdown]
# About 50: half and not a quarter. (In `MODELS`, the forecast has 47 and 22.) A layer
# has $G H (I + H + 2)$ parameters with $G$ = 1, 3 or 4, and most of them grow with the
# *square* of $H$. Halving the units quarters $H^2$.
#
# The numbers of units in `MODELS` were found by trying: take an LSTM, then for each of
# the others the $H$ that comes closest.
#
# ### Exercise 1.1 · How many units fit?
#
# Write `units_for(budget, inputs, gates)`: the largest whole number of units $H$ with
# which a recurrent layer has at most `budget` parameters, $G H (I + H + 2)$, where
# `inputs` is $I$ and `gates` is $G$. **Predict first:** a budget four times as large,
# how many times the units?


# %%
def units_for(budget, inputs, gates):
    """The largest number of units within the budget."""
    ...  # your code


# %%
checks.units_for(units_for)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def units_for(budget, inputs, gates):
#     units = 0
#     while gates * (units + 1) * (inputs + units + 3) <= budget:
#         units += 1
#     return units
# ```
#
# The loop asks whether *one more* unit would still fit: with $H + 1$ units the last
# bracket is $I + H + 3$. Weights grow with the square of $H$, so four times the budget
# gives about twice the units.
#
# </details>
#
# ## 2 · Forecast: twelve months of sunspots
#
# The first task is that of lesson 02.1, unchanged: from 144 months forecast the next
# 12, at once. Split by time into 70, 10 and 20 %. Numbers are standardised by the
# training part. A step is a year, twelve numbers, and the network forecasts the
# *change* from the last known month. The score is the RMSE, in sunspots, averaged over
# the twelve months ahead.
#
# May a bidirectional network take part? Yes. The window is complete before the forecast
# is made, and all of it is past. Reading it backwards looks at nothing that is not yet
# known. (Lesson 02.5 shows the other case: an answer at *every* step, where the
# backward half reads the answer.)
#
# The bar is that of 02.1, AR(132): a weighted sum of the last 132 months. (The end of
# that lesson found linear models that come a little closer to the network.)


# %%
sunspots = load_sunspots()
parts = chronological_split(len(sunspots), validation=0.1, test=0.2)
scale = Standardiser.fit(sunspots[parts[0]])
cuts = [windows(sunspots, 144, 12, part=part) for part in parts]


def changes(known, future):
    """Windows as twelve steps of a year (N, 12, 12), and changes to forecast."""
    known, future = scale(known), scale(future)
    steps = torch.tensor(known).float().reshape(-1, 12, 12)
    return steps, torch.tensor(future - known[:, -1:]).float()


def forecast(net, part):
    """Sunspot numbers (N, 12) for all windows of part 0, 1 or 2."""
    change = predict(net, pairs[part][0]).numpy()
    return cuts[part][0][:, -1:] + scale.std * change


def mean_rmse(forecasts, part):
    return np.mean([rmse(*month) for month in zip(forecasts.T, cuts[part][1].T)])


pairs = [changes(*cut) for cut in cuts]  # training, validation, test
linear = autoregression(*cuts[0], order=132)(cuts[2][0])
bar = mean_rmse(linear, 2)
same = mean_rmse(persistence(cuts[2][0], horizon=12), 2)
stored = root / HERE / "results/choosing_a_model.json"  # explained below
file = json.loads(stored.read_text(encoding="utf-8"))
tasks, made = {task: {} for task in SIZES}, {"AR(132)": linear}
for name, entry in file["scores"].items():  # "forecast, RNN" and so on
    task, model = name.split(", ")
    tasks[task][model] = entry
dates = sunspots.index[parts[2]][11:].to_timestamp()  # of the twelfth month ahead
print(f"persistence {same:.1f}, AR(132) {bar:.1f}")

# %% tags=["claims"]
with torch.random.fork_rng():  # a Network seeds and draws
    _untrained = mean_rmse(forecast(Network("GRU", "forecast"), 2), 2)
assert np.isclose(_untrained, same), f"untrained is persistence, not {_untrained:.2f}"

# %% [markdown]
# A test of this lesson checks the plumbing: an untrained network *is* persistence.
#
# Five networks with one seed train in seconds. Five seeds of all models on all tasks,
# and the choice of each model's learning rate, take a quarter of an hour. The script
# `tools/measure.py` has trained them, with the classes and functions
# of this lesson, and has written everything to a file. You train the first seed here,
# with the learning rates in the file, and a test of this lesson checks that you get
# what it says.
#
# **Predict before you run.** Which of the five will be best? And by how much will the
# best and the worst differ?

# %%
for model, entry in tasks["forecast"].items():
    net, lr = Network(model, "forecast", seed=0), entry["chosen"]["lr"]
    fit(net, pairs[0], pairs[1], epochs=60, batch_size=128, lr=lr, seed=0)
    made[model] = forecast(net, 2)
    print(f"{model:10} learning rate {lr:<5}  RMSE in the file {entry['test'][0]:.1f}")

# %% tags=["claims"]
for _model, _entry in tasks["forecast"].items():
    _off = mean_rmse(made[_model], 2) / _entry["test"][0] - 1
    assert abs(_off) < 0.06, f"your {_model} is within 6 % of the file, not {_off:+.1%}"

# %% [markdown]
# Yours are within 6 % of these, or a test of this lesson would fail. (Another
# processor rounds differently, and training amplifies it.) But do not read a ranking
# from this list. It is one seed, and in section 5 you see how far away the next one may
# lie.
#
# First a look at the forecasts, since a score never shows whether they make sense.

# %%
lines = {name: made[name][:, 11] for name in ("LSTM", "both ways", "AR(132)")}
fig, ax = plt.subplots(figsize=(9, 3.4))
plot_forecast(dates, cuts[2][1][:, 11], lines, ax, "sunspot number")
ax.set(title="Twelve months ahead: no forecast reaches the highest month")
show(fig, "Five cycles of sunspots; three forecasts follow, too low at the peaks.")

# %% tags=["claims"]
_high, _peak = max(line.max() for line in lines.values()), cuts[2][1][:, 11].max()
assert _high < _peak, f"no forecast reaches the highest month: {_high:.0f}, {_peak:.0f}"

# %% [markdown]
# All three follow the cycle, and none reaches the highest month. By eye you cannot tell
# which is best.
#
# ## 3 · Two tasks with symbols: where a model does not apply
#
# The second task is the character model of lesson 02.4. A network reads a surname
# letter by letter and says, at each place, how probable each next letter is. The score
# is the mean of $-\log_2 p$ over all letters that really came, in **bits a
# character**; lower is better. A mark (the number 0) stands at the start and, as a
# letter to be foreseen, at the end. 20,000 names, split at random into 80, 10 and 10 %.
#
# The third task is the tagging of lesson 02.5: for each vowel of a word, which stress
# does it carry, 0, 1 or 2? The inputs are the sounds of the word. Consonants have the
# target −1: nothing is asked.
#
# Both have sequences of unequal length. Lesson 02.5 pads and packs them. Here is
# another way, which is simpler and wastes nothing: put sequences of *equal* length into
# a batch. Then there is no padding that could do harm.


# %%
def split(examples):
    """Training, validation and test part (80, 10, 10 %), drawn at random."""
    order = np.random.default_rng(0).permutation(len(examples))
    ends = len(order) * 8 // 10, len(order) * 9 // 10
    return [[examples[k] for k in rows] for rows in np.split(order, ends)]


def by_length(examples):
    """Pairs (inputs, targets) in groups of equal length: two tensors (N, T) each."""
    groups = defaultdict(list)
    for inputs, targets in examples:
        groups[len(inputs)].append((inputs, targets))
    return [tuple(map(torch.tensor, zip(*groups[T]))) for T in sorted(groups)]


codes = [[0, *(ord(letter) - 96 for letter in name), 0] for name in load_surnames()]
names = [by_length(part) for part in split([(code[:-1], code[1:]) for code in codes])]
table = load_stress()
sounds = sorted(set(table["phonemes"].explode()))
spoken = [[sounds.index(sound) for sound in word] for word in table["phonemes"]]
words = [by_length(part) for part in split([*zip(spoken, table["stress"])])]
print(len(names[0]), "lengths of names,", len(words[0]), "lengths of words")

# %% tags=["claims"]
_longest = max(x.shape[1] for part in (*names, *words) for x, _ in part)
assert _longest <= 17, f"no sequence has more than 17 steps, not {_longest}"

# %% [markdown]
# Both tasks are scored by the **cross-entropy**: what the network pays for the
# probability it gave to the right answer. `nats` computes it for a batch, `bits`
# for a whole part, in bits, as a mean over all answers that were asked for. For the
# stress, `right` counts as well: the percentage of vowels that are right, and of words
# in which *all* vowels are.


# %%
def nats(net, x, y, reduction="mean"):
    """Cross-entropy of the answers; a target of -1 asks for none."""
    guess, options = net(x).flatten(0, 1), {"ignore_index": -1, "reduction": reduction}
    return nn.functional.cross_entropy(guess, y.flatten(), **options)


def bits(net, groups):
    """Mean cross-entropy over all answers, in bits."""
    with torch.no_grad():
        total = sum(nats(net, x, y, "sum").item() for x, y in groups)
    return total / sum((y >= 0).sum().item() for _, y in groups) / math.log(2)


def right(net, groups):
    """Percent of vowels, and of whole words, with the right stress."""
    with torch.no_grad():
        hits = [(net(x).argmax(dim=2) == y) | (y < 0) for x, y in groups]
    vowels = [hit[y >= 0] for hit, (_, y) in zip(hits, groups)]
    whole = [hit.all(dim=1) for hit in hits]
    return [100 * torch.cat(kind).float().mean().item() for kind in (vowels, whole)]


def prefixes(groups):
    """Each sequence cut after every step; only the last answer is asked for."""
    for x, y in groups:
        for t in range(1, x.shape[1] + 1):
            yield x[:, :t], torch.cat([0 * y[:, : t - 1] - 1, y[:, t - 1 : t]], dim=1)


# %% [markdown]
# The training loop is that of lesson 02.1, with two changes. A batch is drawn from one
# group. And the learning rate follows a plan: it rises to its value, then falls to
# zero (`OneCycleLR`). A few epochs are then enough.


# %%
def train(net, groups, validation, lr, epochs, seed=0):
    """Train on batches of 128 sequences of one length. Returns a History in bits."""
    order, history = torch.Generator().manual_seed(seed), History()
    optimizer = torch.optim.Adam(net.parameters(), lr)
    total = epochs * sum(math.ceil(len(x) / 128) for x, _ in groups)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total)
    for _ in tqdm(range(epochs), desc="training", unit="epoch", leave=False):
        batches, losses = [], []
        for x, y in groups:
            for rows in torch.randperm(len(x), generator=order).split(128):
                batches.append((x[rows], y[rows]))
        for k in torch.randperm(len(batches), generator=order):
            loss = nats(net, *batches[k])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            plan.step()
            losses.append(loss.item() / math.log(2))
        history.train.append(np.mean(losses))
        history.validation.append(bits(net, validation))
    return history


# %% [markdown]
# Now let a bidirectional network loose on the names. Beside its bits we need a second
# number. In use, nobody shows a character model the letters to come. So we cut every
# name after each of its letters, and ask for the next one only. `prefixes` makes the
# cut pieces.
#
# **Predict before you run.** For the LSTM, will the second number be larger, smaller,
# or the same? And for the network that reads both ways?

# %%
paid = {}
for model in ("LSTM", "both ways"):
    net = Network(model, "names")
    train(net, names[0], names[1], lr=0.01, epochs=3)
    shown, hidden = bits(net, names[2]), bits(net, [*prefixes(names[2])])
    print(f"{model:10} rest shown {shown:.0f} bits, rest hidden {hidden:.0f}")
    paid[model] = shown, hidden

# %% tags=["claims"]
_gap = abs(np.subtract(*paid["LSTM"]))
assert _gap < 0.001, f"for the LSTM nothing changes, not {_gap:.4f} bits"
_shown, _hidden = paid["both ways"]
assert _shown < 0.2, f"both ways pays almost nothing, not {_shown:.2f} bits"
assert _hidden > 5, f"once the rest is hidden, more than a guess: {_hidden:.2f} bits"

# %% [markdown]
# For the LSTM nothing changes: it never looks ahead. The bidirectional network scores
# almost zero. Once the rest is hidden, it is worse than blind guessing, which costs
# $\log_2 27 = 4.75$ bits. At each place, its backward half has just read the very
# letter it is asked for. It has learned to copy.
#
# So there is no fifth model in this task. Its near-zero is not a score, and the tables
# below leave it out. The rule: **two directions only where the whole sequence is there
# before the first answer is given.**
#
# ## 4 · Stress: where reading both ways does apply
#
# Tagging a word is such a case, since the whole word is there. The bar is counting,
# with the two best rules of lesson 02.5. *Sounds so far* sees what a network sees that
# reads forwards, *vowel to the end* sees the whole word. For the names the bar is
# counting as well: the interpolated Witten-Bell model of lesson 02.4. The number of
# letters it looks back on was chosen on the validation part. All stand in the file,
# scored on our test parts. (Stronger ways of counting names exist, such as Kneser and
# Ney 1995. They are not tried here.)

# %%
simple = file["baselines"]
letters = simple["names"]["context"]
print(f"names, {letters} letters of context: {simple['names']['test']:.2f} bits")
for rule in ("sounds so far", "vowel to the end"):
    vowels, whole = simple["stress"][rule]
    print(f"stress, {rule}: {vowels:.1f} % of vowels, {whole:.1f} % of words")

# %% [markdown]
# **Predict before you run.** You train the network that reads both ways. Will it get
# more of the whole words right than the rule, which also sees the whole word?

# %%
tagger = Network("both ways", "stress", seed=0)
entry = tasks["stress"]["both ways"]
history = train(tagger, words[0], words[1], entry["chosen"]["lr"], epochs=5, seed=0)
vowels, whole = right(tagger, words[2])
print("in the file:", *(f"{entry[key][0]:.1f} %" for key in ("test", "words")))

# %% tags=["claims"]
_gap = vowels - entry["test"][0]
assert abs(_gap) < 1, f"yours gets what the file says, not {_gap:+.2f} % of vowels"
_rule = simple["stress"]["vowel to the end"][1]
assert whole > _rule, f"it gets more whole words than the rule: {whole:.1f}, {_rule} %"

# %%
fig, ax = plt.subplots(figsize=(7, 3))
plot_training(history, ax, unit="bits a vowel")
ax.set(title="In the fifth epoch validation hardly moves", xticks=range(1, 6))
show(fig, "Training and validation loss over five epochs; the second becomes flat.")

# %% tags=["claims"]
_moved = abs(history.validation[-2] - history.validation[-1])
assert _moved < 0.02, f"in the fifth epoch validation hardly moves, not by {_moved:.3f}"
_first = history.validation[0], history.train[0]
assert _first[0] < _first[1], f"first epoch: validation lies below training: {_first}"

# %% [markdown]
# It does. The first number is the share of vowels, the second that of words.
#
# Read the curves with care. In the first epoch validation lies *below* training. That
# is because the training loss is a mean over the epoch, with its poor first steps, and
# the validation loss is measured at its end. And that validation comes to rest is no
# proof that more epochs would not help. The learning rate is close to zero by then.
#
# ## 5 · Five seeds, in pairs
#
# Now the file. For five seeds with mean $m$ and standard deviation $s$ the 95 %
# interval for the mean of *all* seeds is $m \pm 2.776\, s / \sqrt 5$.
#
# To compare two models, do not compare their intervals. Compare *in pairs*. The same
# seed gives both models the same order of the data. Take the difference for each seed,
# then the interval of these five differences. If zero lies outside, the data support a
# difference. If zero lies inside, they do not, and the honest word is *undecided*. (Not
# "equal": perhaps five seeds are too few.)
#
# The reference is the plain LSTM. With eleven comparisons, one may well exclude zero by
# luck: at 95 %, one in twenty does when there is nothing to find. Trust what is far
# outside.
#
# **Predict before you run.** In which task will the differences be clear?


# %%
def interval(values):
    """Mean of five values, and half the width of its 95 % interval."""
    return np.mean(values), 2.776 * np.std(values, ddof=1) / 5**0.5


def against(reference, model, task, key="test"):  # model minus reference, in pairs
    run = tasks[task]
    return interval(np.subtract(run[model][key], run[reference][key]))


# %%
for task, entries in tasks.items():
    n = 3 if task == "names" else 2  # digits
    for model in entries:
        (m, h), (d, w) = interval(entries[model]["test"]), against("LSTM", model, task)
        line = f"{m:8.{n}f} ± {h:.{n}f}{d:+10.{n}f} ± {w:.{n}f}"
        print(f"{task:9}{model:10}{line}", "*" * int(abs(d) > w))

# %% tags=["claims"]
_apart = {(a, b): against(a, b, "forecast") for a in MODELS for b in MODELS if a < b}
assert len(_apart) == 10, f"five models make ten pairs, not {len(_apart)}"
_clear = [pair for pair, (d, w) in _apart.items() if abs(d) > w]
assert _clear == [("GRU", "both ways")], f"one pair leaves out zero, not {_clear}"
_gaps = {task: {m: against("LSTM", m, task) for m in tasks[task]} for task in tasks}
_means = [interval(run["test"])[0] for run in tasks["forecast"].values()]
assert max(_means) < min(_means) + 1, f"forecast: means within one sunspot: {_means}"
assert max(_means) < bar, f"forecast: on average all beat AR(132), {bar}: {_means}"
_wide = max(w for _, w in _gaps["forecast"].values())
assert f"{_wide:.1f}" == "1.5", f"forecast: up to 1.5 on either side, not {_wide:.2f}"
_others = [_gaps["names"][m] for m in ("RNN", "GRU", "stacked")]
assert all(abs(d) > w for d, w in _others), f"names: stars everywhere: {_others}"
_most = max(abs(d) for d, w in _others)
assert 0.025 < _most < 0.035, f"names: at most about 0.03 bits, not {_most:.3f}"
_gain = _gaps["stress"]["both ways"][0]
assert 9.3 < _gain < 10, f"stress: both ways wins almost ten vowels, not {_gain:.2f}"
_four = [abs(_gaps["stress"][m][0]) for m in ("RNN", "GRU", "stacked")]
assert max(_four) < 1, f"stress: one way differs by less than one vowel: {_four}"
for _task, _sign in (("forecast", -1), ("names", -1), ("stress", 1)):
    _d, _w = _gaps[_task]["stacked"]
    assert _sign * _d < _w, f"{_task}: two layers are not better: {_d:.3f} ± {_w:.3f}"

# %% [markdown]
# The columns: the mean of five seeds with its interval, and the difference to the LSTM
# with its own. A star means that zero lies outside. The figure shows the same scores,
# with a point for each seed. The dashed line is the baseline.

# %%
bars = {"forecast": bar, "names": simple["names"]["test"]}
bars["stress"] = simple["stress"]["sounds so far"][0]
TITLES = ("forecast: undecided", "names: clear, but small", "stress: both ways wins")
UNITS = ("RMSE in sunspots (dashed: AR(132))", "bits a character (dashed: counting)")
UNITS += ("% of vowels right (dashed: sounds so far)",)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True)
for ax, task, title, unit in zip(axes, tasks, TITLES, UNITS):
    ax.axvline(bars[task], color=GREY, linestyle="--")
    for y, entry in enumerate(tasks[task].values()):
        mean, half = interval(entry["test"])
        ax.plot(entry["test"], [y] * 5, "o", color=ORANGE, alpha=0.4)
        ax.errorbar(mean, y, xerr=half, color=INK, capsize=4, fmt="|", markersize=12)
    ax.set(title=title, xlabel=unit, yticks=range(5), yticklabels=MODELS)
axes[0].set_ylim(4.6, -0.6)
axes[1].text(3.06, 4, "does not apply", ha="center", va="center")
show(
    fig,
    "Three panels, a row for each model. Forecast: all intervals overlap, left of the "
    "baseline or reaching it. Names: LSTM leftmost, all left of the baseline; two ways "
    "does not apply. Stress: four models at the baseline, both ways far right.",
)

# %% tags=["claims"]
_runs = tasks["forecast"].items()
_across = [model for model, run in _runs if sum(interval(run["test"])) > bar]
assert _across == ["stacked"], f"only stacked reaches across AR(132), not {_across}"
_file = json.loads(
    (root / HERE / "results/simple_rnn.json").read_text(encoding="utf-8")
)
_line = _file["baselines"]["tuned line"]["test"]
_five = [np.mean(run["test"]) for _, run in _runs]
assert round(_line, 1) == 21.7, f"the tuned line of 02.1 has 21.7, not {_line}"
assert min(_five) < _line < max(_five), f"it lies amid the five, {_line}: {_five}"
_worst = max(max(run["test"]) for run in tasks["names"].values())
assert _worst < bars["names"], f"all networks beat counting on names, not {_worst:.3f}"

# %% [markdown]
# Three tasks, three answers.
#
# - **Forecast:** no star. The means differ by less than one sunspot, and the intervals
#   of the differences from the LSTM are up to 1.5 wide on either side. Five seeds
#   cannot say which of these models is best. (The table compares with the LSTM only. Of
#   all ten pairs one leaves out zero, the GRU against both ways. In ten comparisons one
#   may do so by luck.) Against AR(132) they say something: for four models the whole
#   interval lies below the line. That of the stacked network reaches across. But
#   AR(132) is not the strongest line: the one that lesson 02.1 tunes on its validation
#   part has 21.7, amid the means of these five.
# - **Names:** stars everywhere, but look at the size. The largest difference is about
#   0.03 bits, a hundredth of the score. It is clear because the seeds scatter even
#   less. *Clear* is not the same as *large*. And all networks beat this way of
#   counting.
# - **Stress:** one difference is clear and large. Reading both ways wins almost ten
#   vowels in a hundred. Among the four that read one way, the differences are below one
#   vowel in a hundred.
#
# Look at the dashed line of the last panel. **Counting is as good as every network that
# reads one way**, to half a vowel in a hundred: *sounds so far* sees what they see. And
# *vowel to the end*, which sees the whole word, is ahead of all four. What a model may
# look at mattered more than what kind of cell it has.
#
# Two layers do not help at this size: in no task is the stacked network better than the
# plain LSTM beyond the interval. And a second direction is not better as such. In the
# forecast, where there is no future to look at, it is undecided.
#
# ### Exercise 5.1 · An interval from pairs
#
# Write `interval_of_difference(a, b)`: the lower and the upper end, in this order, of
# the 95 % interval for the mean of $a - b$. `a` and `b`, each $(5,)$, are the scores of
# two models with the same five seeds. Use 2.776, and the standard deviation that
# divides by 4, one less than the number of seeds (`ddof=1` in NumPy).


# %%
def interval_of_difference(a, b):
    """Both ends (low, high) of the 95 % interval for the mean of a - b."""
    ...  # your code


# %%
checks.interval_of_difference(interval_of_difference)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def interval_of_difference(a, b):
#     gaps = a - b
#     spread = (((gaps - gaps.mean()) ** 2).sum() / 4) ** 0.5
#     half = 2.776 * spread / 5**0.5
#     return gaps.mean() - half, gaps.mean() + half
# ```
#
# The difference comes first, seed by seed. What is hard for both models in one seed
# then cancels, and the interval gets narrower than from the two spreads: see the RNN on
# stress in the table. If a seed does not affect both alike, nothing cancels, and it can
# even be wider: see the RNN in the forecast.
#
# </details>
#
# ### Exercise 5.2 · Say what it supports
#
# Write `verdict(low, high)` for such an interval of $a - b$, where a *lower* score is
# better: return `"a"` or `"b"` if the interval supports that this model is better, and
# `"undecided"` if it does not.


# %%
def verdict(low, high):
    """'a', 'b' or 'undecided'."""
    ...  # your code


# %%
checks.verdict(verdict)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def verdict(low, high):
#     if high < 0:
#         return "a"
#     if low > 0:
#         return "b"
#     return "undecided"
# ```
#
# Only an interval that lies on one side of 0 as a whole supports a winner. The mean
# alone is always on some side.
#
# </details>
#
# ## 6 · What an answer costs
#
# A score is half of a choice. The other half is the cost. The table shows the
# CPU-seconds of one training and two times for one example alone, in millionths of a
# second: first for a whole sequence, then for *one step*, when the next input comes in
# and the state is carried on. The network that reads both ways has no such step. Its
# backward half starts at the end, so each new input means reading everything again.
#
# All were measured on one thread of a server processor that was busy with other work.
# On yours they will differ, perhaps in their order too. Measure there before you decide
# by speed.

# %%
for task, timing in file["times"]["inference"].items():
    for model, us in timing["models"].items():
        cpu = np.mean(file["times"]["cpu_seconds"][f"{task}, {model}"])
        print(f"{task:9}{model:10}{cpu:5.1f} s", *(f"{t:5} µs" for t in us.values()))

# %% tags=["claims"]
for _task, _timing in file["times"]["inference"].items():
    _step = {model: us.get("step_us") for model, us in _timing["models"].items()}
    _fast = max(_step["RNN"], _step["GRU"])
    assert _fast < 0.8 * _step["LSTM"], f"{_task}: RNN and GRU are faster: {_step}"
    assert _step["LSTM"] < _step["stacked"], f"{_task}: two layers cost more: {_step}"

# %% [markdown]
# Do not rank by the first column: work beside it can cost some ten percent. The times
# of one example were taken in turns, model after model, so they compare better.
#
# One step is the time that counts when data arrive one by one. Here the RNN and the GRU
# need clearly less than the LSTM, and two layers cost more than one. But all steps are
# short. What reading both ways costs is not so much time as *waiting*: there is no
# answer before the last input.
#
# ## 7 · How to choose
#
# Slide 17 has questions to begin with, and numbers from lessons 02.1, 02.5 and 02.6 and
# from slides 14 and 16. Below it stand the questions that this lesson can answer, each
# with a number computed from what you have seen above. A difference is paired, and
# comes with its 95 % interval; a *point* is one vowel in a hundred.

# %%
show_slide(HERE, 17)


def gap(model, task, unit, digits=2):
    mean, half = against("LSTM", model, task)
    return f"{task}: {model} - LSTM = {mean:+.{digits}f} ± {half:.{digits}f} {unit}"


one_way = max(np.mean(tasks["stress"][model]["test"]) for model in list(MODELS)[:4])
us = file["times"]["inference"]["names"]["models"]
speed = ", ".join(f"{model} {us[model]['step_us']}" for model in us) + " µs"
for question, start, number in (
    ("counting enough?", "try it", f"{bars['stress']:.1f} %, one way {one_way:.1f} %"),
    ("whole sequence first?", "both ways", gap("both ways", "stress", "points")),
    ("answers on the way?", "one way", f"names: both ways, hidden: {hidden:.0f} bits"),
    ("one answer at the end?", "undecided", gap("both ways", "forecast", "sunspots")),
    ("which cell?", "LSTM", gap("GRU", "names", "bits", 3)),
    ("", "LSTM, GRU", gap("RNN", "stress", "points")),
    ("two layers?", "one first", gap("stacked", "names", "bits", 3)),
    ("one fast step?", "RNN, GRU", speed),
):
    print(f"{question:23}{start:11}{number}")
show_slide(HERE, 18)

# %% tags=["claims"]
_gap = bars["stress"] - one_way
assert abs(_gap) < 0.5, f"counting and the networks that read one way: {_gap:.1f} %"
_whole = simple["stress"]["vowel to the end"][0]
assert _whole > one_way + 3, f"the whole-word rule is ahead of all four: {_whole:.1f} %"
_runs = [run for entries in tasks.values() for run in entries.values()]
_largest = sum(run["chosen"]["lr"] == max(run["options"]["lr"]) for run in _runs)
_said = _largest, len(_runs)
assert _said == (5, 14), f"section 8: 5 of 14 choices fell on the largest, not {_said}"

# %% [markdown]
# Read it from the top. First a simple model: it may be all you need, and it is the bar
# for what follows. Then the question that matters most, *what may the model look at?*
# Then one layer of LSTM. Change one thing at a time, with five seeds, in pairs, and
# keep the change if the interval says so. Where it says *undecided*, take the cheaper.
# Slide 18 has the shapes, for when you build it.
#
# ## 8 · What the numbers do not show
#
# - **Larger networks and longer training.** These have 3,400 to 28,000 parameters, and
#   sequence tasks got five or ten epochs. Lesson 02.4 trains longer. The order may
#   change with size.
# - **Long memory.** No sequence here has more than 17 steps. Where something must be
#   kept for hundreds, the cells do differ: see the adding problem in lessons 01 and
#   02.2.
# - **Other settings.** Each model chose among three or four learning rates, and nothing
#   else. Five of the fourteen choices fell on the largest, so a still larger one might
#   suit them. Dropout, other batches, or a GRU that reads both ways were not tried.
# - **Other data.** The five seeds vary the random start and the order of the data. The
#   test part is the same for all. Other years, names or words would move all scores,
#   and in the stress task related words lie on both sides of the split (lesson 02.5).
# - **Your task.** A table like this is a place to start. It does not replace your own.
#
# ### Questions
#
# 1. What would happen if all five models had equal *units* instead of equal parameters?
#
# <details><summary>Answer</summary>
#
# The larger ones would start with an advantage, and you could not tell what won: the
# kind of cell, or the size. Slide 16 in section 1 shows that the LSTM would be about
# four times as large as the RNN.
#
# </details>
#
# 2. What would happen if you had run the forecast with one seed only?
#
# <details><summary>Answer</summary>
#
# You would have believed a ranking. The list of section 2 has differences of more than
# one sunspot between models; the table of section 5 says that none of the differences
# from the LSTM is clear.
#
# </details>
#
# 3. What would happen if the stress had to be told *while* a word is being spoken? Who
#    of section 5 could still take part?
#
# <details><summary>Answer</summary>
#
# The four networks that read one way. The one that reads both ways could not answer
# yet, and nor could the rule *vowel to the end*: both wait for the end of
# the word, and section 6 has no time of one step for it. Section 3 shows what becomes
# of such a network when the rest is hidden from it.
#
# </details>
#
# ## Summary
#
# - Compare at equal parameters, not at equal units, with a learning rate of its own for
#   each model, chosen on the validation part.
# - Compare in pairs: the interval of the differences, seed by seed. Zero inside means
#   *undecided*.
# - A clear difference can be small. A difference of one seed may be no difference.
# - A bidirectional model needs the whole sequence before its first answer. A character
#   model that reads both ways copies the answer: its score means nothing.
# - What a model may look at made the largest difference here: almost ten vowels in a
#   hundred. The kind of cell made less than one.
# - Put a simple model beside every network, one that sees what the network sees. On the
#   stress task four of five were no better.
#
# **Next:** [the overview](../README.md) of the course shows all lessons and where to go
# from here. What the lessons of this chapter measured stands in [its own
# overview](README.md).


# %% tags=["measure"]
def measure(seed, task, model, lr):
    """Scores of one network. On the validation part lower is better."""
    net = Network(model, task, seed)
    if task == "forecast":
        fit(net, *pairs[:2], epochs=60, batch_size=128, lr=lr, seed=seed)
        scores = [mean_rmse(forecast(net, part), part) for part in (1, 2)]
        found = {"validation": scores[0], "test": scores[1]}
    else:
        groups = {"names": names, "stress": words}[task]
        train(net, *groups[:2], lr, {"names": 10, "stress": 5}[task], seed)
        found = {"validation": bits(net, groups[1])}
        if task == "names":
            found["test"] = bits(net, groups[2])
        else:
            found["test"], found["words"] = right(net, groups[2])
    found = {name: round(float(value), 4) for name, value in found.items()}
    return {**found, "parameters": sum(weight.numel() for weight in net.parameters())}


RATES = {
    "forecast": [0.001, 0.003, 0.01],
    "names": [0.01, 0.017, 0.03, 0.05],
    "stress": [0.005, 0.01, 0.02, 0.04],
}
MEASURE = {}
for task in SIZES:
    for model in MODELS:
        if (task, model) == ("names", "both ways"):  # it reads what it is asked for
            continue
        options = {"task": task, "model": model, "lr": RATES[task]}
        if task != "forecast":  # forecasts scatter more, and take less time
            options["choose_seeds"] = 2
        MEASURE[f"{task}, {model}"] = options


def baselines():
    """Simple models on the same test parts: of this lesson, of 02.4 and of 02.5."""
    found = {"forecast": {"persistence": round(same, 2), "AR(132)": round(bar, 2)}}
    for task, lesson in (("names", "stacked_rnn"), ("stress", "bidirectional_rnn")):
        text = (root / HERE / f"results/{lesson}.json").read_text(encoding="utf-8")
        found[task] = json.loads(text)["baselines"]
    return found


def times():
    """Microseconds for one example alone, the models taken in turn: a whole sequence,
    and one step from a carried state. Medians.
    """
    return {"inference": {task: inference(task) for task in SIZES}}


def inference(task, rounds=300):
    import time

    steps = {"forecast": 12, "names": 8, "stress": 7}[task]
    shape = (1, steps, 12) if task == "forecast" else (1, steps)
    x = torch.randn(shape) if task == "forecast" else torch.randint(0, 27, shape)
    models = [
        options["model"] for options in MEASURE.values() if options["task"] == task
    ]
    nets = {model: Network(model, task).eval() for model in models}
    states = {model: net.rnn(net.embed(x))[1] for model, net in nets.items()}

    def one_step(model):
        net = nets[model]
        return net.head(net.rnn(net.embed(x[:, :1]), states[model])[0])

    jobs = {(model, "sequence_us"): lambda m=model: nets[m](x) for model in models}
    for model in models:
        if not nets[model].rnn.bidirectional:
            jobs[model, "step_us"] = lambda m=model: one_step(m)
    taken = {key: [] for key in jobs}
    with torch.inference_mode():
        for _ in range(rounds + 20):  # the first twenty warm up
            for key, job in jobs.items():
                started = time.process_time_ns()
                job()
                taken[key].append(time.process_time_ns() - started)
    found = {model: {} for model in models}
    for (model, what), times in taken.items():
        found[model][what] = round(np.median(times[20:]) / 1000)
    return {"steps": steps, "models": found}


def overview(results):
    simple = results["baselines"]
    five = {}
    for task, digits in (("forecast", 1), ("names", 2), ("stress", 0)):
        five[task] = ", ".join(
            f"{entry['options']['model']} {np.mean(entry['test']):.{digits}f}"
            for entry in results["scores"].values()
            if entry["options"]["task"] == task
        )
    return [
        [
            "five models of one size: sunspots, mean RMSE",
            f"AR(132) {simple['forecast']['AR(132)']:.1f}",
            five["forecast"],
            6,
        ],
        [
            "the same: surnames, bits",
            f"Witten-Bell {simple['names']['test']:.2f}",
            five["names"],
            6,
        ],
        [
            "the same: stress, % of vowels",
            f"counting: sounds so far {simple['stress']['sounds so far'][0]:.0f}, "
            f"whole word {simple['stress']['vowel to the end'][0]:.0f}",
            five["stress"],
            6,
        ],
    ]
