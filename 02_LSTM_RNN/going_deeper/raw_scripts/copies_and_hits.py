# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02.4, going deeper · Copies and hits
#
# What stands behind lesson 02.4: the proof that two layers by hand are `nn.LSTM`, with
# gradients and with dropout; why one simple model gets better with longer contexts and
# the other worse; what a state that is carried changes; and whether a model that
# invents names has learned them by heart.
#
# Read the lesson first. There is nothing to train here.

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

from utils import comparing, data, plotting, set_up

set_up(seed=0)
HERE, LETTERS = "02_LSTM_RNN", ".abcdefghijklmnopqrstuvwxyz"
text = (root / HERE / "results/stacked_rnn.json").read_text(encoding="utf-8")
file = json.loads(text)

# %% [markdown]
# ## 1 · Two layers by hand, with gradients
#
# `lstm_layer` is the layer of lesson 02.2. `stacked` runs several of them, each on the
# states of the one below. It can drop numbers on the way up, which section 2 needs.


# %%
def lstm_layer(x, h, c, W_x, W_h, b_x, b_h):
    """x (T, B, I), first h and c (B, H) -> all states (T, B, H), last h and c."""
    states = []
    for from_x in x @ W_x.T + b_x + b_h:
        i, f, g, o = (from_x + h @ W_h.T).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states), h, c


def stacked(x, h_0, c_0, weights, p=0.0):
    """h_0 and c_0 (layers, B, H) -> states of the top layer, h_n, c_n."""
    last_h, last_c = [], []
    for k in range(len(weights)):
        if k > 0:
            x = nn.functional.dropout(x, p)
        x, h, c = lstm_layer(x, h_0[k], c_0[k], *weights[k])
        last_h.append(h)
        last_c.append(c)
    return x, torch.stack(last_h), torch.stack(last_c)


# %% [markdown]
# To compare gradients as well, we need a loss. It gives each output a different weight,
# so that errors cannot cancel. We compute with 64 bits, so that rounding stays far
# below $10^{-10}$. `all_weights` holds the four arrays of each layer.


# %%
def with_gradients(outputs, inputs):
    """The outputs, and the gradients of a loss of them for all the inputs."""
    loss = 0
    for y in outputs:
        loss = loss + (y * torch.linspace(-1, 2, y.numel()).view_as(y)).sum()
    return [*outputs, *torch.autograd.grad(loss, inputs, retain_graph=True)]


lstm = nn.LSTM(input_size=3, hidden_size=5, num_layers=2).double()
x = torch.randn(7, 4, 3).double().requires_grad_()
start = torch.randn(2, 2, 4, 5).double().requires_grad_()  # (h and c, layers, B, H)
inputs = [*lstm.parameters(), x, start]
out, (h_n, c_n) = lstm(x, tuple(start))
ours = with_gradients(stacked(x, *start, lstm.all_weights), inputs)
theirs = with_gradients((out, h_n, c_n), inputs)
gaps = [(a - b).abs().max().item() for a, b in zip(ours, theirs)]
print(f"{len(gaps)} arrays, largest difference {max(gaps):.8f}")
print("weights of the second layer for what it reads:", tuple(lstm.weight_ih_l1.shape))

# %% tags=["claims"]
assert max(gaps) < 1e-10, f"all arrays are those of nn.LSTM, not {max(gaps):.1e} off"
assert len(gaps) == 13, f"thirteen arrays, not {len(gaps)}"

# %% [markdown]
# Thirteen arrays agree: three outputs, the gradients of eight arrays of weights, of the
# inputs and of the first states. The second layer reads five states instead of three
# inputs, so its matrix is (20, 5).
#
# `batch_first=True` turns `out` to $(B, T, H)$ and leaves `h_n` alone: it stays
# (layers, $B$, $H$).

# %%
swapped = nn.LSTM(3, 5, num_layers=2, batch_first=True).double()
swapped.load_state_dict(lstm.state_dict())
out_2, (h_2, c_2) = swapped(x.transpose(0, 1), tuple(start))
print("out", *out.shape, "or", *out_2.shape, "  h_n", *h_n.shape, "or", *h_2.shape)
away = (out - h_n[0]).abs().amax(dim=(1, 2)).min().item()
print(f"h_n[0] differs from every step of out, by {away:.1f} or more")

# %% tags=["claims"]
assert torch.equal(h_n[1], out[-1]), "the last entry of h_n is the last step of out"
assert torch.equal(h_2[1], out_2[:, -1]), "and with batch_first=True as well"
assert away > 0.01, f"h_n[0] appears nowhere in out, yet {away:.1e} is near"

# %% [markdown]
# ## 2 · Dropout, and where it is not
#
# There are three places where numbers could be dropped: between the layers, behind the
# last layer, and on the way from one step to the next. We write down the guess *between
# the layers and nowhere else*, and hand it the same random numbers. If anything were
# dropped elsewhere, the results could not agree.

# %%
lstm.dropout = 0.5  # as if made with nn.LSTM(..., dropout=0.5)
torch.manual_seed(1)
theirs, (h_3, _) = lstm(x, tuple(start))
torch.manual_seed(1)  # the same random numbers once more
ours, _, _ = stacked(x, *start, lstm.all_weights, p=0.5)
print(f"guess against nn.LSTM: {(ours - theirs).abs().max().item():.8f}")
top, first = (theirs - out).abs().max().item(), (h_3[0] - h_n[0]).abs().max().item()
print(f"dropout moved out by {top:.2f} and h_n[0] by {first:.2f}")
print("numbers of out that are 0:", (theirs == 0).sum().item())
rested, _ = lstm.eval()(x, tuple(start))
print(f"after eval(), out differs from section 1 by {(rested - out).abs().max():.1f}")

# %% tags=["claims"]
_gap = (ours - theirs).abs().max()
assert _gap < 1e-10, f"dropout acts between the layers only, not {_gap:.1e} off"
assert top > 0.01, f"dropout was on: out moved, not by {top:.1e} only"
assert first < 1e-10, f"none is dropped between steps, but h_n[0] moved by {first:.1e}"
assert (theirs != 0).all(), "none is dropped behind the last layer: no output is 0"
_gap = (rested - out).abs().max()
assert _gap < 1e-10, f"none is dropped after eval(), but out moved by {_gap:.1e}"

# %% [markdown]
# The guess is exact. `out` moved, so dropout was on. `h_n[0]` did not, so nothing is
# dropped between the steps of the first layer. No number of `out` is 0, so nothing is
# dropped behind the last layer. After `eval()` nothing is dropped at all.
#
# ## 3 · Why one gets better with longer contexts, and the other worse
#
# The measured scores of the simple models on the test names, for 1 to 7 letters of
# context. The middle one is the challenge's solution: Witten-Bell with $c \cdot d$
# instead of $d$. Length, $c$ (from 1 to 8) and the three discounts of Kneser-Ney (27
# combinations) were chosen on the validation names.

# %%
fig, ax = plt.subplots()
colours = [plotting.BLUE, plotting.GREEN, plotting.ORANGE]
for (name, model), colour in zip(file["baselines"].items(), colours):
    bits = model["by_context"]
    ax.plot(range(1, 8), bits[1:], "o-", color=colour, label=name)
    print(f"{name:14} chosen: {model['context']} letters, {model['test']:.2f} bits")
ax.set(xlabel="letters of context", ylabel="bits per character, test")
ax.legend()
plotting.show(fig, "copies_and_hits_contexts")

# %% tags=["claims"]
_wb, _c, _kn = (np.array(m["by_context"]) for m in file["baselines"].values())
_chosen = [m["context"] for m in file["baselines"].values()]
assert _chosen == [3, 5, 5], f"best lengths: 3, 5 and 5 letters, not {_chosen}"
assert _wb[7] - _wb[3] > 0.1, f"Witten-Bell gets worse: {_wb[3:]}"
assert _kn[3] - _kn[5] > 0.05, f"Kneser-Ney gets better up to five: {_kn[3:]}"
assert file["baselines"]["Witten-Bell, c"]["c"] == 5, "c = 5 is best"
assert 0 < _c[5] - _kn[5] < 0.03, f"with c = 5 it comes near: {_c[5]}, {_kn[5]}"

# %% [markdown]
# To see why, count once more, now with up to seven letters. `witten_bell` is the
# lesson's, with $c$. For Kneser-Ney the longest contexts keep their counts, and so do
# those that begin a name, for nothing can stand in front of their dot. All other
# contexts count kinds: `below += n > 0` adds one, for one more letter in front. From
# counts of 1, of 2, and of 3 or more a discount is taken, each its own. `D.sum()` is
# what was taken in all; the shorter context shares it out.


# %%
def count(names, longest):
    """Context -> how often each character followed it, (27,)."""
    counts = {}
    for name in names:
        text = f".{name}."
        for t in range(1, len(text)):
            for start in range(max(0, t - longest), t + 1):
                n = counts.setdefault(text[start:t], np.zeros(27))
                n[LETTERS.index(text[t])] += 1
    return counts


def count_kinds(counts, longest):
    """The same for Kneser-Ney: shorter contexts count different letters in front."""
    kinds = {}
    for context, n in counts.items():
        if len(context) > longest:
            continue
        if len(context) == longest or context.startswith("."):
            kinds[context] = n
        if context != "":
            below = kinds.setdefault(context[1:], np.zeros(27))
            below += n > 0
    return kinds


# %%
def witten_bell(n, shorter, c=1):
    d = c * np.count_nonzero(n)
    return (n + d * shorter) / (n.sum() + d)


def kneser_ney(n, shorter, discounts=(0.85, 1.2, 1.5)):
    D = np.array([0, *discounts])[np.minimum(n, 3).astype(int)]  # (27,)
    return (n - D + D.sum() * shorter) / n.sum()


def forecast(context, mix, table, **settings):
    """Probabilities (27,) of what follows."""
    if context == "":
        shorter = np.full(27, 1 / 27)
    else:
        shorter = forecast(context[1:], mix, table, **settings)
    if context not in table:
        return shorter
    return mix(table[context], shorter, **settings)


def name_costs(mix, table, names, longest, **settings):
    """What each name costs in bits, its end included, (N,)."""
    costs = np.zeros(len(names))
    for row, name in enumerate(names):
        text = f".{name}."
        for t in range(1, len(text)):
            context = text[max(0, t - longest) : t]
            p = forecast(context, mix, table, **settings)
            costs[row] -= np.log2(p[LETTERS.index(text[t])])
    return costs


def per_character(costs, names):
    return costs.sum() / sum(len(name) + 1 for name in names)


# %% [markdown]
# Look at contexts that training has seen *once*. How much does each model give to the
# letter that came then, and how often does it come again in the validation names?

# %%
names = np.random.default_rng(0).permutation(data.load_surnames()).tolist()
train, validation, test = names[:16_000], names[16_000:18_000], names[18_000:]
counts, shares = count(train, longest=7), {}
for k in (3, 5, 7):
    kinds, seen = count_kinds(counts, k), []
    for name in validation:
        text = f".{name}."
        for t in range(k, len(text)):
            context = text[t - k : t]
            n = counts.get(context, np.zeros(27))
            if n.sum() == 1:
                letter = n.argmax()
                comes = LETTERS.index(text[t]) == letter
                trust = forecast(context, witten_bell, counts)[letter]
                seen.append(
                    [comes, trust, forecast(context, kneser_ney, kinds)[letter]]
                )
    shares[k] = np.mean(seen, axis=0)
    words = "{} letters: comes again {:.0%}, Witten-Bell {:.0%}, Kneser-Ney {:.0%}"
    print(words.format(k, *shares[k]))

# %% tags=["claims"]
for _k in (3, 5, 7):
    _comes, _given, _ = shares[_k]
    assert _given > _comes + 0.15, f"Witten-Bell is too sure at {_k}: {shares[_k]}"
_comes, _, _given = shares[5]
assert abs(_given - _comes) < 0.05, f"Kneser-Ney is right at five: {shares[5]}"
_comes, _, _given = shares[7]
assert _given > _comes + 0.1, f"and too sure at seven: {shares[7]}"
_first, _last = (shares[_k][1] - shares[_k][0] for _k in (3, 7))
assert _last > _first, f"Witten-Bell the more so the longer: {_first}, {_last}"

# %% [markdown]
# Witten-Bell is far too sure of what it has seen once, and the more so the longer the
# context: at each length the same single name is believed again. Kneser-Ney says about
# what is true at five letters, and is too sure itself at seven.
#
# Is this the cause? Take it away. With $c = 5$, Witten-Bell trusts a single sight with
# one sixth instead of one half, and then it, too, is best with five letters (the figure
# above). And what do the *kinds* do? Leave them out.

# %%
kinds = count_kinds(counts, 5)
for told, table in [("kinds", kinds), ("plain counts", counts)]:
    bits = per_character(name_costs(kneser_ney, table, test, 5), test)
    print(f"Kneser-Ney, shorter contexts with {told}: {bits:.2f} bits")

# %% tags=["claims"]
_a, _b = (
    per_character(name_costs(kneser_ney, table, test, 5), test)
    for table in (kinds, counts)
)
assert abs(_a - file["baselines"]["Kneser-Ney"]["test"]) < 1e-4, f"as measured: {_a}"
assert _b - _a > 0.08, f"without kinds it loses: {_a:.3f}, {_b:.3f}"
assert _b > _c[5] + 0.05, "and is then behind Witten-Bell with c = 5"

# %% [markdown]
# So the kinds matter. With plain counts and these discounts it is behind Witten-Bell
# with $c = 5$; with kinds it is a little ahead.
#
# ## 4 · Choosing the discounts
#
# All 27 combinations were tried when the results were measured. Here is the one for
# letters seen once, alone, on the first 500 validation names. (Choose on the validation
# part, and only then look at the test part.)

# %%
some, tried = validation[:500], {}
for once in (0.55, 0.7, 0.85, 1.0):
    costs = name_costs(kneser_ney, kinds, some, 5, discounts=(once, 1.2, 1.5))
    tried[once] = per_character(costs, some)
    print(f"discount {once} for a letter seen once: {tried[once]:.3f} bits")

# %% tags=["claims"]
assert min(tried, key=tried.get) == 0.85, f"0.85 is the best of these: {tried}"

# %% [markdown]
# The larger the discount, the less a single sight is believed. With 1.0 it would not be
# believed at all.
#
# ## 5 · Chunks with a carried state are one pass
#
# **Predict before you run.** A stacked network reads 50 letters at once, then in two
# chunks of 25, then letter by letter, always with the state carried. How much do its
# forecasts differ? And what if the second chunk starts with an empty state?


# %%
class Letters(nn.Module):
    def __init__(self, layers, units):
        super().__init__()
        self.embed = nn.Embedding(27, 32)
        self.lstm = nn.LSTM(32, units, layers, batch_first=True)
        self.out = nn.Linear(units, 27)

    def forward(self, letters, state=None):
        """Letters (B, T) -> logits (B, T, 27) and the state, to be carried on."""
        states, state = self.lstm(self.embed(letters), state)
        return self.out(states), state


def read_in_chunks(model, letters, length):
    """Logits for letters (B, T) that are read piece by piece, the state carried."""
    state, logits = None, []
    for chunk in letters.split(length, dim=1):
        scores, state = model(chunk, state)
        logits.append(scores)
    return torch.cat(logits, dim=1)


# %%
read = torch.randint(27, (64, 50))
model = Letters(layers=2, units=78).double()
at_once, (h_n, _) = model(read)
for length in (25, 1):
    gap = (read_in_chunks(model, read, length) - at_once).abs().max().item()
    print(f"chunks of {length}: logits differ by {gap:.8f}")
empty = (model(read[:, 25:])[0] - at_once[:, 25:]).abs().max().item()
print(f"second chunk from an empty state: by up to {empty:.1f}")
print(
    "has a way back:", h_n.requires_grad, " after detach:", h_n.detach().requires_grad
)

# %% tags=["claims"]
for _length in (1, 4, 25):
    _gap = (read_in_chunks(model, read, _length) - at_once).abs().max()
    assert _gap < 1e-10, f"chunks are one pass with the state carried: {_gap:.1e}"
assert empty > 0.01, f"an empty state gives other forecasts, not {empty:.1e} off only"
assert h_n.requires_grad, "a state remembers where it came from"
assert not h_n.detach().requires_grad, "detach cuts the way back"

# %% [markdown]
# With the state carried, chunks *are* one pass, down to chunks of one letter. That is
# why the network that draws names letter by letter is the one that was trained.
#
# In training, three changes to the lesson's loop carry the state: `state = None` at the
# start of each epoch, `logits, state = model(x, state)` for each chunk, and then `state
# = tuple(s.detach() for s in state)`, because the gradient must not run back into a
# chunk that is done.
#
# But names are independent: nothing in one tells you about the next. The carried state
# is useful *within* a name, and ballast at the end of it. The lesson scores every name
# from an empty state. Two networks of two layers, one trained carried and one not, also
# read the 2,000 test names as *one stream*, with the state carried from name to name.

# %%
for name in ("2 layers, carried", "2 layers"):
    net = file["scores"][name]
    change = np.array(net["as_stream"]) - net["test"]
    print(f"{name:17}  read as a stream: {change.mean():+.4f}", *change.round(4))
    print(
        "    95 % over seeds: {:+.4f} to {:+.4f}".format(
            *comparing.seed_interval(change)
        )
    )

# %% tags=["claims"]
for _name in ("2 layers, carried", "2 layers"):
    _net = file["scores"][_name]
    _change = np.array(_net["as_stream"]) - _net["test"]
    assert abs(_change).max() < 0.002, f"hardly any change: {_change}"

# %% [markdown]
# Hardly any difference, for either: less than 0.002 bits on every seed. Perhaps both
# have learned that a dot wipes the slate clean. (The intervals are over seeds alone;
# the names stayed the same.)
#
# ## 6 · Copies and hits
#
# Are invented names new, or memorised? Counting copies is not enough: the training part
# holds four times as many names as validation and test together, so chance alone would
# bring more copies of it. Compare *per name*. Of all training names, which share is
# found in 10,000 draws? And of all held-out names? A model that has learned rules finds
# both equally often: the ratio is 1. A model that recites finds training names more
# often.
#
# For the counts you need not draw. A name that costs $b$ bits has the probability
# $2^{-b}$ (that is what bits mean), so 10,000 draws miss it with probability
# $(1-2^{-b})^{10\,000}$. `hits` takes the mean, here of 2,000 training names and of
# the validation names. For the networks, names were drawn.
#
# **Predict before you run.** Which of them recite?


# %%
def hits(bits, draws=10_000):
    """The share of names to be found in so many draws, from what each name costs."""
    return np.mean(1 - (1 - 2.0**-bits) ** draws)


shown, hidden, rows = train[:2000], validation, {}
for name, mix, table, k, settings in [
    ("Witten-Bell, 3 letters", witten_bell, counts, 3, {}),
    ("Witten-Bell, 5 letters", witten_bell, counts, 5, {}),
    ("the same, c = 5", witten_bell, counts, 5, {"c": 5}),
    ("Kneser-Ney, 5 letters", kneser_ney, kinds, 5, {}),
]:
    costs = [name_costs(mix, table, part, k, **settings) for part in (shown, hidden)]
    rows[name] = [hits(cost) for cost in costs]
for name in ("1 layer", "2 layers", "3 layers"):
    net = file["scores"][name]
    rows[name] = [np.mean(net["drawn_of_training"]), np.mean(net["drawn_of_held_out"])]
for name, (a, b) in rows.items():
    print(f"{name:22}  training {a:5.1%}  held out {b:.1%}  ratio {a / b:.1f}")

# %% tags=["claims"]
_ratio = {name: a / b for name, (a, b) in rows.items()}
_wb_3, _wb_5, _c_5, _kn_5, *_nets = _ratio.values()
assert _wb_5 > 5, f"Witten-Bell with five letters recites: {_ratio}"
assert _wb_5 > 2 * max(_c_5, _kn_5) and min(_c_5, _kn_5) > 2, f"others less: {_ratio}"
assert max(_nets) < _wb_3 < min(_c_5, _kn_5), f"the networks least: {_ratio}"
assert min(_nets) > 1.1, f"but they find training names more often: {_ratio}"
_found = {name: b for name, (_, b) in rows.items()}
assert max(_found, key=_found.get) == "1 layer", f"most held-out names: {_found}"

# %% [markdown]
# Witten-Bell with five letters recites: it finds a training name more than five times
# as easily as a new one. The better mixes recite less, Witten-Bell with three letters
# less still. The networks recite least, and one layer finds the most names that nobody
# has shown it. But none is at 1: each knows its training names a little better than
# others.
#
# ## 7 · The knob, once more
#
# The lesson divides the logits by a temperature. Two things to try there:
#
# - Write `at_temperature(scores, temperature)`, the probabilities for one row of
#   logits. What happens if you divide *after* the exponential instead? (Nothing: once
#   the sum is 1 again, it cancels. The division has to change the distances between the
#   logits.)
# - Sort drawn names into three kinds: copied from training, real (in validation or
#   test, so the network has found them by itself), and invented. How does the share of
#   real ones change with temperature?
#
# ## 8 · What the numbers of the lesson do not show
#
# - **That depth never pays.** One size, one task of short words, few epochs. With more
#   parameters, longer texts or more training the order could be another. The same holds
#   for another dropout: it was set on one layer. What the table shows is that a second
#   layer is no free gain.
# - **That the network knows names without relatives.** The list was split at random,
#   and spellings of one name fall on both sides: *pendergrass* and *pendergrast*. A
#   harder test would keep relatives together.
# - **That it knows people.** Every name counts once, smith as much as the rarest. The
#   bits are about spelling.
# - **That invented names do not exist.** Invented means: not among the 20,000 commonest
#   of one census. The full list of that census is more than four times as long.
# - **How other lists would turn out.** The intervals cover the random start and the
#   choice of test names. The list, and its split, stay the same.
#
# **Back:** [lesson 02.4](../4_Stacked_RNN.ipynb).
