# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03.1, going deeper · Discounts and mixes
#
# What stands behind lesson 03.1: where the discount of Kneser-Ney comes from and why
# there are three of it; how long the contexts should be; how the weights of a mix are
# found; and what each part of the network is worth.
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
import itertools
import json
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from utils import plotting, set_up, text

set_up(seed=0)
HERE = "03_RNN_in_Use"
file = json.loads((root / HERE / "results/next_word.json").read_text("utf-8"))
train, validation, _ = text.load_text()
known = text.vocabulary(train)
V, END = len(known), known.index("<end>")
train_ids, validation_ids = text.encode(train, known), text.encode(validation, known)

# %% [markdown]
# ## 1 · Why a discount at all?
#
# A pair of words that came $r$ times in the training part: how often does it come in
# *another* text of the same length? Good (1953) asked this first. Count it: take all
# pairs that came $r$ times, count them in the validation part, and scale up to the
# length of the training part.


# %% tags=["nbval-ignore-output"]
def pairs(ids):
    return Counter(itertools.pairwise(ids))


seen, new = pairs(train_ids), pairs(validation_ids)
scale = len(train_ids) / len(validation_ids)
again = {}  # r -> how often such a pair comes in another text of that length
for r in (1, 2, 3, 4):
    group = [pair for pair in seen if seen[pair] == r]
    again[r] = scale * np.mean([new[pair] for pair in group])
    print(f"came {r} times: comes {again[r]:.2f} times, so {r - again[r]:.2f} too many")

# %% tags=["claims"]
assert 0.2 < again[1] < 0.6, f"what came once comes less than half as often: {again[1]}"
assert all(again[r] < r for r in again), f"the counts are too high: {again}"
_off = {r: r - again[r] for r in again}
assert _off[1] < 0.8 < _off[2], f"less for what came once: {_off}"
assert all(0.8 < _off[r] < 1.7 for r in (2, 3, 4)), f"1 to 1.5 for the others: {_off}"

# %% [markdown]
# The counts are too high: what came by luck was counted, what did not come by luck was
# not. And from two times on they are too high by *about the same amount*, not by the
# same share. That is what a discount says. It is smaller for what came once: hence a
# discount of its own for counts of 1, of 2, and of 3 or more.
#
# ## 2 · Modified Kneser-Ney
#
# Chen and Goodman (1999) take the three from the counts of counts, without any tuning.
# With $c_r$ the number of entries that came $r$ times and $Y = c_1 / (c_1 + 2 c_2)$,
#
# $$D_r = r - (r + 1)\, Y\, \frac{c_{r+1}}{c_r} .$$


# %%
def perplexity(p):
    return np.exp(-np.log(p).mean())


def count(ids, order):
    # Tables {context: {next word: count}} for contexts of 0 to order - 1 words.
    tables = [{} for _ in range(order)]
    for t in range(order - 1, len(ids)):  # the longest contexts: how often
        n = tables[-1].setdefault(tuple(ids[t - order + 1 : t]), {})
        n[ids[t]] = n.get(ids[t], 0) + 1
    for k in range(order - 1, 0, -1):  # the shorter ones: after how many kinds
        for context in tables[k]:
            n = tables[k - 1].setdefault(context[1:], {})
            for word in tables[k][context]:
                n[word] = n.get(word, 0) + 1
    return tables


# %%
def discounts(table):
    """For counts of 1, 2, and 3 or more (Chen and Goodman, 1999)."""
    c = Counter(n for counts in table.values() for n in counts.values())
    Y = c[1] / (c[1] + 2 * c[2])
    return [n - (n + 1) * Y * c[n + 1] / c[n] for n in (1, 2, 3)]


def modified_p(tables, D, ids):
    """What modified Kneser-Ney gave to each word, (N,); discounts D (order, 3)."""
    read, found = [END, *ids], []
    for t in range(1, len(read)):
        p = 1 / V
        for k, table in enumerate(tables[: t + 1]):
            n = table.get(tuple(read[t - k : t]))
            if n is None:
                break
            taken = sum(D[k][min(c, 3) - 1] for c in n.values())
            own = n.get(read[t], 0)
            kept = own - D[k][min(own, 3) - 1] if own else 0
            p = (kept + taken * p) / sum(n.values())
        found.append(p)
    return np.array(found)


# %% tags=["nbval-ignore-output"]
by_order = {}
for order in (2, 3, 4, 5, 6):
    tables = count(train_ids, order)
    D = [discounts(table) for table in tables]
    equal = perplexity(modified_p(tables, [[0.9] * 3] * order, validation_ids))
    by_order[order - 1] = perplexity(modified_p(tables, D, validation_ids)), equal
    print(f"{order - 1} words of context: three discounts {by_order[order - 1][0]:.1f}")
    print(f"    one discount of 0.9: {equal:.1f};  the three: {np.round(D[-1], 2)}")

# %% tags=["claims"]
_three = [by_order[k][0] for k in range(1, 6)]
assert _three == sorted(_three)[::-1], f"longer contexts never hurt: {_three}"
assert all(three < equal for three, equal in by_order.values()), f"{by_order}"
assert _three[2] < 1.02 * _three[4], f"from three words on little is won: {_three}"

# %% [markdown]
# With three discounts longer contexts never hurt, and three words already give nearly
# all. (Witten-Bell, the smoothing that lesson 02.4 began with, gets *worse* with longer
# contexts.)
#
# ## 3 · The weights of a mix
#
# A mix of models gives $p = w_1 p_1 + w_2 p_2 + \dots$ Which weights explain a text
# best? With a pencil: two models with equal weights gave the word that came 0.2 and
# 0.6. The mix gave 0.4, and the second model owns $0.3/0.4 = 0.75$ of it, three
# quarters. Its new weight is the mean of such shares over all words. Do that again
# and again: **expectation maximisation** (Dempster, Laird and Rubin, 1977). No step can
# make the text less probable.


# %%
def cache_p(ids, decay=0.99):
    # The probability that the cache gave to each word, (N,).
    weight, p = np.full(V, 1 / V), []
    for word in ids:
        p.append(weight[word] / weight.sum())
        weight = decay * weight
        weight[word] += 1
    return np.array(p)


def mix(p, rounds=50):
    """Weights (models,) for the probabilities (models, N) that came, by expectation
    maximisation (Dempster, Laird and Rubin, 1977).
    """
    weights = np.full(len(p), 1 / len(p))
    for _ in range(rounds):
        parts = weights[:, None] * p  # (models, N): what each word owes to each model
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    return weights


# %% tags=["nbval-ignore-output"]
models = np.array([modified_p(tables, D, validation_ids), cache_p(validation_ids)])
rounds = range(21)
scores = [perplexity(mix(models, k) @ models) for k in rounds]
fig, ax = plt.subplots()
ax.plot(rounds, scores, color=plotting.ORANGE)
ax.set(xlabel="rounds", ylabel="perplexity", title="Kneser-Ney and a cache, mixed")
plotting.show(fig, "words_further_mix")
print("weights:", mix(models).round(3), " perplexity:", round(scores[-1], 1))

# %% tags=["claims"]
assert np.all(np.diff(scores) < 1e-9), f"no step makes it worse: {scores}"
assert scores[-1] < 0.85 * perplexity(models[0]), f"the cache is worth it: {scores}"

# %% [markdown]
# Ten rounds are enough. The weights are chosen on the validation part, like every other
# setting.
#
# ## 4 · What is each part of the network worth?
#
# The same training, five seeds, with one part taken away.

# %%
for name in ("GRU", "not tied", "no dropout"):
    net = file["scores"][name]
    alone, mixed = (np.mean(net["test"][who]) for who in ("GRU", "all three"))
    print(f"{name:11} {net['parameters'][0]:,} weights: {alone:.1f}, mixed {mixed:.1f}")

# %% tags=["claims"]
_parts = {name: np.mean(net["test"]["GRU"]) for name, net in file["scores"].items()}
assert _parts["GRU"] < 0.9 * _parts["not tied"], f"tying pays: {_parts}"
assert _parts["no dropout"] > 10 * _parts["GRU"], f"so does dropout: {_parts}"
_two = file["baselines"]["Kneser-Ney + cache"]["test"]
assert abs(_two - 70.3) < 0.06 and mixed < _two, f"it helps in the mix: {_two}, {mixed}"

# %% [markdown]
# Tying takes a quarter of the weights away and makes the network better. Without
# dropout it knows its text by heart, and is so sure of itself that a wrong guess costs
# a fortune. Even then it helps in the mix: without it the other two stand at 70.3.
