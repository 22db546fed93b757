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
# About 60 minutes. **You will be able to**
#
# - run a fair race: models of equal size, tuned equally well, beside a simple model;
# - tell two kinds of luck apart, and say "better" or "undecided" by one rule;
# - choose a model for a task of your own.
#
# You can write a class; the tasks come from lessons 02.1, 02.4 and 02.5.
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
import json, torch, matplotlib.pyplot as plt, numpy as np
from torch import nn
from utils import data, forecasting, plotting, set_up, training
from utils.comparing import judge, seed_interval
from utils.exercises import choosing_a_model as checks
from utils.exercises.choosing_a_model import load_words, right, simple_score, train

set_up(seed=0)  # the same random numbers in every run
HERE = "02_LSTM_RNN"

# %% [markdown]
# ## 1 · Who wins?
#
# RNN, LSTM and GRU are three kinds of cell. A **stacked** network has two layers, here
# of LSTM. One that reads **both ways** has a second LSTM that starts at the end. Here
# it may: the answer lies after the input.
#
# Let them forecast a year of sunspots. The score is the RMSE: lower is better. A file
# keeps the scores of five seeds.
#
# **Predict before you run.** With seed 0 the GRU wins. With how many of the other four
# seeds does it win again?

# %%
file = json.loads((root / HERE / "results/choosing_a_model.json").read_text("utf-8"))


def scores(task, model):
    """Test scores of five seeds (5,)."""
    return np.array(file["scores"][f"{task}, {model}"]["test"])


models = ["RNN", "LSTM", "GRU", "stacked", "both ways"]
runs = np.array([scores("forecast", model) for model in models])  # (5 models, 5 seeds)
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.plot(runs.T, "o", label=models)  # .T: a column for each model
ax.set(title="Who wins?", xlabel="seed", xticks=range(5), ylabel="RMSE in sunspots")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside the plot
plotting.show(fig, "choosing_five_seeds")
print("the best of each seed:", [models[k] for k in runs.argmin(axis=0)])

# %% tags=["claims"]
_wins = [models[k] for k in runs.argmin(axis=0)]
assert _wins == ["GRU", "RNN", "LSTM", "GRU", "GRU"], f"who wins: {_wins}"
_means = runs.mean(axis=1)
assert np.ptp(_means) < 1.2 < np.ptp(runs, axis=1).max(), f"means: {_means}"
assert 20 < runs.min() < runs.max() < 23, f"between 20 and 23: {runs}"

# %% [markdown]
# With two. One training is not enough.
#
# ## 2 · A fair race
#
# - **Equal size, data and epochs:** the numbers of parameters agree within 2 %.
# - **Equal tuning:** a **hyperparameter** is a setting that training does not learn.
#   Each model chooses its own learning rate on the validation part.
# - **A baseline:** a simple model that sees the same data and is tuned on the
#   validation part too.
#
# **Predict before you run.** An RNN has 100 units. How many may an LSTM of the same
# size have: about 25, 50 or 75?

# %%
for H in (25, 50, 75):  # with 16 inputs, as the RNN
    print(f"LSTM, {H} units: {4 * H * (16 + H + 2) / (100 * 118):.2f} times the RNN")

# %% tags=["claims"]
_rnn = 100 * (16 + 100 + 2)
_lstm = [4 * H * (16 + H + 2) for H in range(100)]
assert 43 < np.searchsorted(_lstm, _rnn) < 53, "about 50 units"
_with_head = [47 * 61 + 12 * (47 + 1), 4 * 22 * 36 + 12 * (22 + 1)]
assert _with_head == [3443, 3444], f"with a head of 12 outputs: {_with_head}"

# %% [markdown]
# About 50 ([slide 18](concepts/18.PNG)). With $I$ inputs and $H$ units a layer has
# $G \cdot H \cdot (I + H + 2)$ parameters. $G$ counts its blocks of weights: 1 in an
# RNN, 3 in a GRU, 4 in an LSTM. By pencil, with 12 inputs: an RNN of 47 units has
# $47 \cdot 61 = 2867$, an LSTM of 22 units $4 \cdot 22 \cdot 36 = 3168$. With a head of
# 12 outputs, 3443 and 3444.
#
# ### Exercise 2.1 · How many units fit?
#
# Write `units_for(budget, inputs, blocks)`: the largest whole number of units with
# which a layer has at most `budget` parameters. `blocks` is $G$. At least one fits.


# %%
def units_for(budget, inputs, blocks):
    """The largest number of units within the budget."""
    ...  # your code


# %%
checks.units_for(units_for)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def units_for(budget, inputs, blocks):
#     units = 1
#     while blocks * (units + 1) * (inputs + units + 3) <= budget:
#         units = units + 1
#     return units
# ```
#
# The loop asks whether *one more* unit would still fit. With $H + 1$ units the bracket
# is $I + H + 3$.
#
# </details>
#
# Now the five models. Symbols (letters, sounds) pass an embedding first. The head
# starts at 0: a forecast of no change, or equal scores.

# %%
UNITS = {  # so that all have the same number of parameters
    # No "both ways" in the race on names: section 4.
    "forecast": {"RNN": 47, "LSTM": 22, "GRU": 26, "stacked": 14, "both ways": 14},
    "names": {"RNN": 146, "LSTM": 72, "GRU": 84, "stacked": 44, "both ways": 48},
    "stress": {"RNN": 147, "LSTM": 70, "GRU": 82, "stacked": 42, "both ways": 47},
}
SYMBOLS = {"forecast": 0, "names": 27, "stress": 39}  # kinds of letters or sounds
INPUTS = {"forecast": 12, "names": 16, "stress": 16}  # numbers per step
OUTPUTS = {"forecast": 12, "names": 27, "stress": 3}
CELLS = {"RNN": nn.RNN, "GRU": nn.GRU}  # all others are LSTMs


def last_states(states, rnn):
    """The states that have read everything: (B, H), or (B, 2H) both ways."""
    if not rnn.bidirectional:
        return states[:, -1]
    H = rnn.hidden_size  # the backward half ends at the first step
    return torch.cat([states[:, -1, :H], states[:, 0, H:]], dim=1)


# %%
class Network(nn.Module):
    def __init__(self, model, task, seed=0):
        super().__init__()
        torch.manual_seed(seed)  # fixes the first weights
        symbols = SYMBOLS[task]  # Identity passes numbers on as they are
        self.embed = nn.Embedding(symbols, INPUTS[task]) if symbols else nn.Identity()
        cell, units = CELLS.get(model, nn.LSTM), UNITS[task][model]
        options = {"num_layers": 2 if model == "stacked" else 1}
        options["bidirectional"] = model == "both ways"
        self.rnn = cell(INPUTS[task], units, batch_first=True, **options)
        self.head = nn.Linear(units * (1 + self.rnn.bidirectional), OUTPUTS[task])
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        states, _ = self.rnn(self.embed(x))  # (B, T, H), or (B, T, 2H) both ways
        if isinstance(self.embed, nn.Embedding):
            return self.head(states)  # symbols: an answer at every step
        return self.head(last_states(states, self.rnn))  # numbers: one at the end


# %%
for task in UNITS:
    networks = [Network(model, task) for model in UNITS[task]]
    print(task, [sum(w.numel() for w in net.parameters()) for net in networks])

# %% tags=["claims"]
_sizes = []
with torch.random.fork_rng():  # a Network seeds and draws
    for _task in UNITS:
        _nets = [Network(model, _task) for model in UNITS[_task]]
        _sizes.append([sum(w.numel() for w in net.parameters()) for net in _nets])
for _row in _sizes:
    assert max(_row) < 1.02 * min(_row), f"sizes are equal within 2 %, not {_row}"
_ends = min(map(min, _sizes)), max(map(max, _sizes))
assert 3400 <= _ends[0] < _ends[1] < 28_500, f"3,400 to 28,000 parameters: {_ends}"
assert _sizes[0][:2] == [3443, 3444] == [2867 + 12 * 48, 3168 + 12 * 23], f"{_sizes[0]}"
assert _sizes[2][4] == 25_349, f"exercise 4.1: both ways has 25,349, {_sizes[2]}"

# %% [markdown]
# ## 3 · A forecast
#
# As in 02.1, read 144 months as twelve steps of a year, and forecast the next twelve as
# changes from the last known month.

# %%
sunspots = data.load_sunspots()
parts = data.chronological_split(len(sunspots), validation=0.1, test=0.2)
scale = data.Standardiser.fit(sunspots[parts[0]])  # of the training part
cuts = [data.windows(sunspots, 144, 12, part=part) for part in parts]


def changes(known, future):
    """Windows as twelve steps of a year (N, 12, 12), and changes (N, 12)."""
    known, future = scale(known), scale(future)
    steps = torch.tensor(known).float().reshape(-1, 12, 12)
    return steps, torch.tensor(future - known[:, -1:]).float()


pairs = [changes(known, future) for known, future in cuts]


# %%
def forecast(net, part):
    """Sunspot numbers (N, 12) for all windows of a part: 0, 1 or 2."""
    change = training.predict(net, pairs[part][0]).numpy()
    return cuts[part][0][:, -1:] + scale.std * change


def mean_rmse(forecasts, part):
    """The RMSE of each month ahead, averaged over the twelve."""
    errors = forecasts - cuts[part][1]  # (N, 12)
    return np.sqrt((errors**2).mean(axis=0)).mean()


# %% [markdown]
# The baseline is the tuned line of 02.1: nine years of past, and square roots, the best
# of [24 tries](going_deeper/Choosing_Further.ipynb) on the validation part. Training
# takes about half a minute.

# %%
known, actual = cuts[2]  # the test part
line = forecasting.autoregression(*cuts[0], order=108, roots=True)(known)
same = forecasting.persistence(known, horizon=12)
print(f"persistence {mean_rmse(same, 2):.0f}, tuned line {mean_rmse(line, 2):.0f}")

# %%
net = Network("LSTM", "forecast", seed=3)
history = training.fit(net, *pairs[:2], epochs=60, batch_size=128, lr=0.003, seed=3)
print(f"your LSTM {mean_rmse(forecast(net, 2), 2):.0f}")
fig, axes = plt.subplots(1, 2, figsize=(11, 3.4), width_ratios=[1, 2])
plotting.plot_training(history, axes[0], unit="squared error of the changes")
months = sunspots[parts[2]].index[11:].to_timestamp()
lines = {"LSTM": forecast(net, 2)[:, 11], "tuned line": line[:, 11]}
plotting.plot_forecast(months, actual[:, 11], lines, axes[1], "sunspots")
axes[1].set(title="Made 12 months before")
plotting.show(fig, "choosing_forecast")

# %% tags=["claims"]
_stored = file["baselines"]["forecast"]["tuned line"]
assert (_stored["order"], _stored["roots"]) == (108, True), f"nine years: {_stored}"
assert abs(mean_rmse(line, 2) - _stored["test"]) < 0.01, "the line is that of the file"
_lr = file["scores"]["forecast, LSTM"]["chosen"]["lr"]
assert _lr == 0.003, f"the rate that it chose, {_lr}"
_off = mean_rmse(forecast(net, 2), 2) / scores("forecast", "LSTM")[3] - 1
assert abs(_off) < 0.06, f"your LSTM is within 6 % of the file, not {_off:+.1%}"
with torch.random.fork_rng():  # a Network seeds and draws
    _untrained = mean_rmse(forecast(Network("GRU", "forecast"), 2), 2)
_same = mean_rmse(same, 2)
assert np.isclose(_untrained, _same), f"untrained is persistence, not {_untrained:.2f}"
_last = actual[:, 11]  # twelve months ahead
_top = _last > np.quantile(_last, 0.9)
_low = {"LSTM": forecast(net, 2)[:, 11], "tuned line": line[:, 11]}
_low = {name: (made - _last)[_top].mean() for name, made in _low.items()}
assert round(len(actual) / 12) == 51, f"51 years: {len(actual)}"
_after = np.array(history.validation[15:])
assert np.ptp(_after) < 0.1 < 0.25 < _after.min(), f"high after 15 epochs: {_after}"
assert _low["LSTM"] < _low["tuned line"] - 5 < -20, f"too low at the peaks: {_low}"

# %% [markdown]
# A score does not tell *how* a model fails: in the highest tenth of the months both are
# too low on average, the LSTM more.
#
# ## 4 · Names and stress
#
# **Names** is the task of 02.4: how probable is each next letter of a surname? Lower is
# better, in bits per character. The baseline is Kneser-Ney. The network that reads both
# ways takes no part: it would see the letter that it is asked for.
#
# **Stress** is the task of 02.5: which stress, 0, 1 or 2, does each vowel of a word
# carry? The score is the percentage of vowels that are right, so *higher* is better.
# The baseline counts: for one direction the sounds so far, *the same view* (80 of 100
# vowels), and from the vowel to the end of the word for both (85.5), a little less than
# the network sees.
#
# `train` is the loop of 02.1, with batches of sequences of equal length (no padding)
# and a learning rate that falls almost to 0.

# %%
words = load_words()  # training, validation and test part
net = Network("LSTM", "stress", seed=0)
train(net, words[0], words[1], lr=0.02, epochs=5)
vowels, whole = right(net, words[2])  # percent of vowels, and of whole words
print(f"your LSTM gets {vowels:.0f} of 100 vowels")

# %% tags=["claims"]
_gap = vowels - scores("stress", "LSTM")[0]
assert abs(_gap) < 0.6, f"yours gets what the file says, not {_gap:+.2f} % of vowels"
assert file["scores"]["stress, LSTM"]["chosen"]["lr"] == 0.02, "the rate it chose"
_counted = file["baselines"]["stress"]
assert round(_counted["sounds so far"][0]) == 80, f"counting gets 80: {_counted}"
assert round(_counted["vowel to the end"][0], 1) == 85.5, f"to the end 85.5: {_counted}"

# %% [markdown]
# No more than counting the sounds so far.
#
# ### Exercise 4.1 · Beat the rule
#
# Write `stress_tagger()`: it builds a network of at most 13,000 parameters, trains it
# and returns it. Reach 87.5 of 100 vowels in unseen words.
#
# - The network above that reads both ways has 25,349 parameters, so count first: a
#   second direction doubles the layer, and embedding and head count too.
# - Yours takes sounds $(B, T)$, numbers from 0 to 38, and returns scores $(B, T, 3)$.
# - `train(net, words[0], words[1], lr, epochs)` trains it. Four epochs are enough. Try
#   rates from 0.005 to 0.05.
# - Choose by `right(net, words[1])`, on the validation part. Then run the check, once:
#   it scores the test part.


# %%
def stress_tagger():
    """Build a network, train it, and return it."""
    ...  # your code; write a class above, or change UNITS and use Network


# %%
checks.stress_tagger(stress_tagger)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# class Tagger(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.embed = nn.Embedding(39, 16)
#         self.rnn = nn.GRU(16, 36, batch_first=True, bidirectional=True)
#         self.head = nn.Linear(72, 3)
#
#     def forward(self, x):
#         states, _ = self.rnn(self.embed(x))  # (B, T, 72)
#         return self.head(states)  # (B, T, 3)
#
#
# def stress_tagger():
#     net = Tagger()
#     train(net, words[0], words[1], lr=0.02, epochs=4)
#     return net
# ```
#
# The end of a word tells much about its stress: a second direction is worth its units.
#
# </details>
#
# ## 5 · The luck of the seeds
#
# Is the GRU better than the LSTM on sunspots? Take the difference, GRU minus LSTM, for
# each seed: −1.8, −0.3, 0.6, −1.4, −0.3. By pencil: their mean is $m = -3.2 / 5 =
# -0.64$. Subtract it, square, add up: 3.7. Divide by 4 and take the root: the standard
# deviation is $s = 0.96$. Student's **confidence interval** (1908) for the mean over
# *all* seeds is
#
# $$m \pm 2.776 \cdot s / \sqrt 5 .$$
#
# 2.776 comes from Student's table for five values. If the differences are roughly
# normal, 95 of 100 such intervals hold the true mean.
#
# **Predict before you run.** Does this interval contain 0?

# %%
gaps = scores("forecast", "GRU") - scores("forecast", "LSTM")  # (5,)
half = 2.776 * gaps.std(ddof=1) / np.sqrt(5)  # ddof=1: divide by 4, not by 5
print(f"from {gaps.mean() - half:.2f} to {gaps.mean() + half:.2f}")

# %% tags=["claims"]
assert np.allclose(gaps, [-1.8, -0.3, 0.6, -1.4, -0.3], atol=0.06), f"by pencil: {gaps}"
_ends = [gaps.mean() - half, gaps.mean() + half]
assert np.allclose(seed_interval(gaps), _ends, 1e-3), f"Student's interval: {_ends}"
assert gaps.mean() - half < 0 < gaps.mean() + half, "it contains 0"
assert round(2.776 * 0.96 / 5**0.5 - 0.64, 2) == round(_ends[1], 2), f"pencil: {_ends}"
assert abs(gaps.std(ddof=1) - 0.96) < 0.01 and abs(gaps.mean() + 0.64) < 0.01, "m, s"

# %% [markdown]
# It does: **undecided**, which is not "equal".
#
# ## 6 · The luck of the test items
#
# Other words in the test part would change the scores too. We have no others, so the
# **bootstrap** (Efron, 1979) draws from ours, with repetition, a thousand times.
#
# Say that on five words model a minus model b is 2, −1, 0, 1, 3: a mean of 1. One draw
# by pencil: words 1, 1, 3, 4, 2 give 2, 2, 0, 1, −1, a mean of 0.8. The interval is the
# middle 95 % of a thousand such means. **Predict before you run.** Does it contain 0?

# %%
gaps = np.array([2, -1, 0, 1, 3])  # a minus b on five words
rng = np.random.default_rng(0)
means = [rng.choice(gaps, size=5).mean() for _ in range(1000)]
low, high = np.quantile(means, [0.025, 0.975])  # cuts off 2.5 % at each end
print(f"from {low:.1f} to {high:.1f}")

# %% tags=["claims"]
assert low < 0 < 2 < high, f"it contains 0: {low}, {high}"
assert np.ceil(len(actual) / 60) in (10, 11), "about ten pieces of 60 months"
_test = sum(len(x) for x, _ in words[2]), len(data.load_surnames()) // 10
assert _test == (3000, 2000) and len(actual) // 12 in (50, 51), f"items: {_test}"
assert gaps.mean() == 1 and np.mean([2, 2, 0, 1, -1]) == 0.8, "by hand"

# %% [markdown]
# It does: five words leave it open.
#
# The file has such an interval for every comparison (5,000 draws), from 2,000 names,
# 3,000 words or 50 years of sunspots (in about ten pieces), for the mean of five seeds.
# Our rule: a difference is **clear** if *both* intervals lie on the same side of 0,
# else **undecided**.
#
# ### Exercise 6.1 · Say what the intervals support
#
# Write `verdict(seeds, items)` for the two intervals of a minus b, each a pair
# `(low, high)`. A *lower* score is better. Return `"a"` or `"b"` if both support that
# this model is better, else `"undecided"`. An end that is exactly 0 is inside.


# %%
def verdict(seeds, items):
    """'a', 'b' or 'undecided'."""
    ...  # your code


# %%
checks.verdict(verdict)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def verdict(seeds, items):
#     if seeds[1] < 0 and items[1] < 0:
#         return "a"
#     if seeds[0] > 0 and items[0] > 0:
#         return "b"
#     return "undecided"
# ```
#
# Only two intervals that lie on the same side of 0, as a whole, support a winner.
#
# </details>
#
# ## 7 · The table
#
# One more trap: we make fourteen comparisons with a simple model, eleven with the LSTM,
# and each is a chance to be fooled. So all intervals are made wider (Bonferroni; [by
# how much?](going_deeper/Choosing_Further.ipynb)): those in the file already are, those
# over seeds become so here. Each difference is a mean over five seeds. Below 0 the
# network is better; on stress, above 0.


# %%
def compare(name, gaps, table):
    """A row: the mean of five differences, and 'clear' or 'undecided'."""
    items = file["luck"][table]  # the intervals over test items
    seeds = seed_interval(gaps, comparisons=len(items))
    return f"{name:20} {gaps.mean():+6.2f}  {judge(seeds, items[name]):9}"


# %% [markdown]
# **Predict before you run.** Of fourteen networks, how many are clearly better than
# their simple model?

# %%
for name in file["luck"]["to the simple model"]:
    task, model = name.split(", ")
    simple = simple_score(file, name)  # of its simple model
    gaps = scores(task, model) - simple  # (5,)
    print(compare(name, gaps, "to the simple model"), f"simple model: {simple:.2f}")

# %% tags=["claims"]
_to = {"to the simple model": {}, "to the LSTM": {}}
for _table, _rows in _to.items():
    for _name in file["luck"][_table]:
        _task, _model = _name.split(", ")
        _simple = simple_score(file, _name)
        _rival = scores(_task, "LSTM") if _table == "to the LSTM" else _simple
        _gaps = scores(_task, _model) - _rival
        _gap, _word = compare(_name, _gaps, _table).split()[-2:]
        _better = (float(_gap) > 0) == (_task == "stress")
        _rows[_name] = _word if _word != "clear" else "better" if _better else "worse"
_simple, _lstm = _to.values()
assert len(_simple) == 14 and len(_lstm) == 11, "fourteen networks, eleven comparisons"
_found = [name for name, word in _simple.items() if word == "better"]
assert _found == ["stress, both ways"], f"one is better, not {_found}"
_found = [name for name, word in _simple.items() if word == "worse"]
assert _found == ["names, RNN", "names, GRU", "names, stacked"], f"worse: {_found}"

# %% [markdown]
# One: the network that reads a word both ways (its rule sees a little less). Kneser-Ney
# is clearly better than three of four networks on the names. All others are undecided.
#
# And beside the LSTM?

# %%
for name in file["luck"]["to the LSTM"]:
    task, model = name.split(", ")
    gaps = scores(task, model) - scores(task, "LSTM")  # pairs of the same seed
    print(compare(name, gaps, "to the LSTM"))

# %% tags=["claims"]
_found = [word for name, word in _lstm.items() if name.startswith("forecast")]
assert set(_found) == {"undecided"}, f"forecast: {_found}"
_found = [name for name, word in _lstm.items() if word == "worse"]
_said = ["names, RNN", "names, GRU", "names, stacked", "stress, RNN"]
assert _found == _said, f"worse than the LSTM: {_found}"
_found = [name for name, word in _lstm.items() if word == "better"]
assert _found == ["stress, both ways"], f"better than the LSTM: {_found}"
_gaps = [
    scores("names", m) - scores("names", "LSTM") for m in ("RNN", "GRU", "stacked")
]
_gaps = [gap.mean() for gap in _gaps]
assert 0.02 < max(_gaps) < 0.04 and 0.01 < _gaps[1] < 0.02, f"0.03, 0.015: {_gaps}"
_gap = (scores("stress", "both ways") - scores("stress", "LSTM")).mean()
assert 9 < _gap < 10.2, f"almost ten vowels: {_gap:.2f}"
_gap = (scores("stress", "RNN") - scores("stress", "LSTM")).mean()
assert round(_gap, 2) == -0.44, f"the RNN: 0.44 vowels: {_gap:.2f}"
_ends = file["luck"]["to the LSTM"]["forecast, GRU"]
assert _ends[1] < 0 and round(_ends[1], 2) == -0.03, f"ends left of 0: {_ends}"
_gaps = scores("forecast", "GRU") - scores("forecast", "LSTM")
assert seed_interval(_gaps, comparisons=11)[1] > 0, "but the seeds do not"

# %% [markdown]
# Nothing is decided on the forecast. On the names the LSTM is the best, on average by
# at most 0.03 bits, a hundredth of the score: clear, but *small*. On stress the RNN is
# clearly worse by 0.44 vowels in a hundred, and a second direction gains almost ten:
# clear and large. A second layer shows no gain anywhere.
#
# Here are both intervals, without "both ways".

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 2.8))
three = ["RNN", "GRU", "stacked"]
for ax, task in zip(axes, UNITS):  # one panel for each task
    for y, model in enumerate(three):
        gaps = scores(task, model) - scores(task, "LSTM")
        items = file["luck"]["to the LSTM"][f"{task}, {model}"]
        ax.plot(seed_interval(gaps, comparisons=11), [y, y], plotting.GREEN)
        ax.plot(items, [y + 0.2, y + 0.2], plotting.PURPLE)
    ax.axvline(0, color=plotting.INK, linewidth=1)
    ax.set(title=f"{task}, minus LSTM", yticks=range(3), yticklabels=three)
fig.legend(["over seeds", "over test items"], loc="outside lower center", ncols=2)
plotting.show(fig, "choosing_intervals")

# %% [markdown]
# The GRU on the forecast: over test items the interval ends at −0.03, left of 0; over
# seeds it contains 0. So we ask for both.
#
# ## 8 · How to choose

# %%
plotting.show_slide(HERE, 19)

# %% tags=["claims"]
_longest = max(x.shape[1] for part in words for x, _ in part)
_longest = max(_longest, 1 + max(map(len, data.load_surnames())))
assert _longest <= 17, f"no sequence has more than 17 steps, not {_longest}"

# %% [markdown]
# 1. **A simple model first**, tuned on the validation part.
# 2. **What may the model look at?** If the whole sequence is there before the first
#    answer, you may read it both ways: on stress that gained most, on sunspots nothing
#    was decided.
# 3. **Then one layer of LSTM.** It is nowhere clearly worse than RNN or GRU. If single
#    steps must be [fast](going_deeper/Choosing_Further.ipynb), take a GRU: it costs
#    0.01 bits on the names.
# 4. **Then change one thing at a time**, with five seeds, *on the validation part*.
#    Where it is undecided, take the cheaper one. Open the test part once, at the end.
#
# The table knows nothing of larger networks, longer training or long memory: no
# sequence here has more than 17 steps.
#
# ### Questions
#
# 1. What if you trained a GRU and an LSTM once each?
#
# <details><summary>Answer</summary>
#
# One would win, and the next seed might turn it over.
#
# </details>
#
# 2. What if the stress had to be told *while* a word is being spoken?
#
# <details><summary>Answer</summary>
#
# Models that read one way could answer, and the rule that counts sounds so far. So
# could one that reads each beginning both ways, if it was trained to.
#
# </details>
#
# ## Summary
#
# - Compare at equal size, each model with its own learning rate, beside a tuned simple
#   model with the same view.
# - A difference is clear if both intervals, over seeds and over test items, lie on the
#   same side of 0.


# %% tags=["measure"]
import math
from collections import defaultdict

from utils.comparing import item_interval
from utils.exercises.choosing_a_model import bits, load_names, nats

names = load_names()


def line_of(settings, part):
    """Forecasts (N, 12) of the linear model with (order, roots)."""
    order, roots = settings
    fitted = forecasting.autoregression(*cuts[0], order=order, roots=roots)
    return fitted(cuts[part][0])


def on_validation(settings):
    return mean_rmse(line_of(settings, 1), 1)


tries = [(order, roots) for order in range(12, 145, 12) for roots in (False, True)]
chosen = min(tries, key=on_validation)
linear = line_of(chosen, 2)


def measure(seed, task, model, lr):
    """Scores of one network. On the validation part lower is better."""
    net = Network(model, task, seed)
    if task == "forecast":
        training.fit(net, *pairs[:2], epochs=60, batch_size=128, lr=lr, seed=seed)
        found = {"validation": mean_rmse(forecast(net, 1), 1)}
        items = by_window(forecast(net, 2))
        found["test"] = items.mean()
    else:
        groups = {"names": names, "stress": words}[task]
        train(net, *groups[:2], lr, {"names": 10, "stress": 5}[task], seed)
        found = {"validation": bits(net, groups[1])}
        if task == "names":
            found["test"], items = bits(net, groups[2]), by_name(net)
        else:
            found["test"], found["words"] = right(net, groups[2])
            items = by_word([net(x).argmax(dim=2) for x, _ in groups[2]])
    found = {name: round(float(value), 4) for name, value in found.items()}
    found["parameters"] = sum(weight.numel() for weight in net.parameters())
    return {**found, "_items": items.tolist()}


# What single test items add to a score: one number for each, whose mean is the score.


def by_window(forecasts):
    """(N,) A root of a mean has no items: near it, a root is as good as its tangent."""
    squares = (forecasts - cuts[2][1]) ** 2  # (N, 12)
    score = np.sqrt(squares.mean(axis=0))
    return ((squares + score**2) / (2 * score)).mean(axis=1)


def by_name(net):
    with torch.no_grad():
        paid = [nats(net, x, y, "none").view(y.shape).sum(1) for x, y in names[2]]
    return per_answer(torch.cat(paid).numpy() / math.log(2), names[2])


def by_word(answers):
    """Percent of vowels; `answers` has a tensor (N, T) for each length of words."""
    hits = [(a == y).sum(1) for a, (_, y) in zip(answers, words[2])]  # y < 0: never
    return per_answer(100 * torch.cat(hits).numpy(), words[2])


def per_answer(sums, groups):
    """Sums over single names or words, so scaled that their mean is one per answer."""
    return sums * len(sums) / sum((y >= 0).sum().item() for _, y in groups)


RATES = {  # three neighbours for each model, moved until the best is not at the edge
    "forecast": {"RNN": 0, "LSTM": 0, "GRU": 1, "stacked": 2, "both ways": 2},
    "names": {"RNN": 0, "LSTM": 1, "GRU": 0, "stacked": 2},
    "stress": {"RNN": 0, "LSTM": 1, "GRU": 0, "stacked": 1, "both ways": 1},
}
ALL_RATES = {
    "forecast": [0.001, 0.003, 0.01, 0.03, 0.1],
    "names": [0.01, 0.017, 0.03, 0.05, 0.08, 0.13],
    "stress": [0.005, 0.01, 0.02, 0.04, 0.08, 0.16],
}
MEASURE = {}
for task, firsts in RATES.items():
    for model, first in firsts.items():  # both ways a name reads what it is asked for
        options = {"task": task, "model": model}
        options["lr"] = ALL_RATES[task][first : first + 3]
        if task != "forecast":  # forecasts scatter more, and take less time
            options["choose_seeds"] = 2
        MEASURE[f"{task}, {model}"] = options


# The simple models on single test items.


def rule(*keys):
    """Answers for the test words by counting: what was commonest in training for the
    last of these keys that was met there. A key is a function of the sounds of a word,
    the places of its vowels, and which of these is asked for. Lesson 02.5 explains it.
    """
    counts = defaultdict(lambda: np.zeros(3))
    for x, y in words[0]:
        for sounds, stress in zip(x.tolist(), y.tolist()):
            vowels = [t for t, answer in enumerate(stress) if answer >= 0]
            for k, t in enumerate(vowels):
                for n, key in enumerate(keys):
                    counts[n, key(sounds, vowels, k)][stress[t]] += 1
    answers = []
    for x, y in words[2]:
        guess = torch.full_like(y, -2)
        for row, (sounds, stress) in enumerate(zip(x.tolist(), y.tolist())):
            vowels = [t for t, answer in enumerate(stress) if answer >= 0]
            for k, t in enumerate(vowels):
                asked = [(n, key(sounds, vowels, k)) for n, key in enumerate(keys)]
                met = [key for key in asked if key in counts]
                guess[row, t] = counts[met[-1]].argmax()
        answers.append(guess)
    return answers


SO_FAR = [
    lambda p, v, k: p[v[k]],
    lambda p, v, k: (k, *p[: v[k] + 1][-2:]),
    lambda p, v, k: (k, *p[: v[k] + 1][-3:]),
    lambda p, v, k: tuple(p[: v[k] + 1]),
]
TO_THE_END = [
    lambda p, v, k: (len(v), k),
    lambda p, v, k: (p[v[k]], len(v), k),
    lambda p, v, k: (k, *[p[t] for t in v]),
    lambda p, v, k: (k, *p[v[k] :]),
]


def kneser_ney(discounts, longest):
    """Bits of each test name by the model of lesson 02.4, which explains it."""
    raw = [defaultdict(lambda: np.zeros(27)) for _ in range(longest + 1)]
    for x, y in names[0]:
        for name, letters in zip(x.tolist(), y.tolist()):
            for t, letter in enumerate(letters, 1):
                for k in range(min(longest, t) + 1):
                    raw[k][tuple(name[t - k : t])][letter] += 1
    kinds = [defaultdict(lambda: np.zeros(27)) for _ in raw]
    for table, shorter in zip(raw[1:], kinds):
        for context, n in table.items():
            shorter[context[1:]] += n > 0
    for k, table in enumerate(raw):  # nothing stands before a start
        kinds[k] |= {c: n for c, n in table.items() if c[:1] == (0,) or k == longest}
    paid = []
    for x, y in names[2]:
        for name, letters in zip(x.tolist(), y.tolist()):
            paid.append(0)
            for t, letter in enumerate(letters, 1):
                p = np.full(27, 1 / 27)
                for k, table in enumerate(kinds):
                    n = table.get(tuple(name[t - k : t])) if k <= t else None
                    if n is not None:
                        off = np.array([0, *discounts])[np.minimum(n, 3).astype(int)]
                        p = (n - off + off.sum() * p) / n.sum()
                paid[-1] -= np.log2(p[letter])
    return per_answer(np.array(paid), names[2])


def luck(items):
    """Intervals over test items, of networks against the LSTM and the simple models;
    and how far the items of two networks go together.
    """
    letters = stored_in("stacked_rnn")["Kneser-Ney"]
    simple = {
        "forecast": by_window(linear),
        "names": kneser_ney(letters["discounts"], letters["context"]),
        "stress, one way": by_word(rule(*SO_FAR)),
        "stress, both ways": by_word(rule(*TO_THE_END)),
    }
    lstm, bar, alike = {}, {}, {}
    for name, ours in items.items():
        task, model = name.split(", ")
        view = "both ways" if model == "both ways" else "one way"
        other = simple[f"{task}, {view}" if task == "stress" else task]
        bar[name] = ours - other
        if model != "LSTM":
            theirs = items[f"{task}, LSTM"]
            lstm[name] = ours - theirs
            alike[name] = round(float(np.corrcoef(ours, theirs)[0, 1]), 3)
    found = {"to the LSTM": lstm, "to the simple model": bar}
    for gaps in found.values():
        for name, gap in gaps.items():
            block = BLOCK if name.startswith("forecast") else 1
            ends = item_interval(gap, block=block, comparisons=len(gaps))
            gaps[name] = [round(end, 4) for end in ends]
    return {**found, "correlation with the LSTM": alike}


BLOCK = 60  # months: the windows of five years stay together


def stored_in(lesson):
    text = (root / HERE / f"results/{lesson}.json").read_text(encoding="utf-8")
    return json.loads(text)["baselines"]


def baselines():
    """Simple models on the same test parts: of this lesson, of 02.4 and of 02.5."""
    counts, rules = stored_in("stacked_rnn"), stored_in("bidirectional_rnn")
    test = round(float(mean_rmse(linear, 2)), 3)
    tuned = {"order": chosen[0], "roots": chosen[1], "test": test}
    same = float(mean_rmse(forecasting.persistence(cuts[2][0], 12), 2))
    return {
        "forecast": {"persistence": round(same, 2), "tuned line": tuned},
        "names": {name: counts[name] for name in ("Witten-Bell", "Kneser-Ney")},
        "stress": {name: rules[name] for name in ("sounds so far", "vowel to the end")},
    }


def times():
    """Microseconds for one example alone, the models taken in turn: a whole sequence,
    and one step from a carried state. Medians.
    """
    return {"inference": {task: inference(task) for task in UNITS}}


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
    line, letters = simple["forecast"]["tuned line"], simple["names"]["Kneser-Ney"]
    so_far, whole = (found[0] for found in simple["stress"].values())
    return [
        [
            "five models of one size: sunspots, mean RMSE",
            f"tuned line {line['test']:.1f}",
            five["forecast"],
            6,
        ],
        [
            "the same: surnames, bits per character",
            f"Kneser-Ney {letters['test']:.2f}",
            five["names"],
            6,
        ],
        [
            "the same: stress, % of vowels",
            f"counting: sounds so far {so_far:.0f}, vowel to the end {whole:.0f}",
            five["stress"],
            6,
        ],
    ]
