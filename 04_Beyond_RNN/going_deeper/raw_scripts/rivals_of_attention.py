# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04.2, going deeper · The rivals of attention
#
# How the other networks of lesson 04.2 are built: additive attention, CTC with two
# answers for each letter, and a small Transformer. Read the lesson first. It takes
# about a minute to run.

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

import numpy as np
import torch
from torch import nn
from utils import set_up
from utils.spelling import END, START, Words, train

set_up(seed=0)
HERE = "04_Beyond_RNN"
file = json.loads((root / HERE / "results/attention.json").read_text("utf-8"))
words = Words()
x, given, wanted = words.tensors(words.batches(words.validation, size=4)[0])


def weights_in(model):
    return sum(p.numel() for p in model.parameters())


# %% [markdown]
# ## 1 · Additive attention
#
# The network of the lesson, with products of query and key:


# %%
def attend(q, k, v, mask=None):
    """Queries (B, S, D), keys (B, T, D), values (B, T, E) -> (B, S, E), (B, S, T)."""
    scores = q @ k.transpose(1, 2) / k.shape[2] ** 0.5  # (B, S, T)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)  # where it is False: never
    weights = scores.softmax(dim=2)
    return weights @ v, weights


class Looking(nn.Module):
    def __init__(self, units=47, decoder=93, size=48):
        super().__init__()
        self.read = nn.Embedding(27, 32)
        self.encoder = nn.LSTM(32, units, batch_first=True, bidirectional=True)
        self.begin, self.embed = nn.Linear(2 * units, 2 * decoder), nn.Embedding(42, 32)
        self.lstm = nn.LSTM(32, decoder, batch_first=True)
        self.query, self.key = nn.Linear(decoder, size), nn.Linear(2 * units, size)
        self.mix = nn.Linear(decoder + 2 * units, decoder)
        self.out = nn.Linear(decoder, 42)

    # Letters (B, T) -> the states at all letters (B, T, 2H); the decoder's first state.
    def encode(self, x):
        memory, (h_n, _) = self.encoder(self.read(x))
        h, c = self.begin(torch.cat([h_n[0], h_n[1]], 1)).tanh().chunk(2, dim=1)
        return memory, (h[None].contiguous(), c[None].contiguous())

    # Symbols (B, S) -> scores for the next one (B, S, symbols), and the state.
    def decode(self, given, memory, state):
        steps, state = self.lstm(self.embed(given), state)  # (B, S, decoder)
        seen, self.weights = attend(self.query(steps), self.key(memory), memory)
        return self.out(self.mix(torch.cat([steps, seen], 2)).tanh()), state

    def forward(self, x, given):
        return self.decode(given, *self.encode(x))[0]


# %% [markdown]
# The older form (Bahdanau and others, 2015) adds query and key instead, and asks a
# small network how well they fit. The rest is as before.


# %%
class Additive(Looking):
    """The score is a small network of query and key."""

    def __init__(self):
        super().__init__()
        self.v = nn.Linear(48, 1, bias=False)

    def decode(self, given, memory, state):
        steps, state = self.lstm(self.embed(given), state)
        both = self.query(steps)[:, :, None] + self.key(memory)[:, None]  # (B, S, T, D)
        self.weights = self.v(both.tanh())[..., 0].softmax(dim=2)
        seen = self.weights @ memory
        return self.out(self.mix(torch.cat([steps, seen], 2)).tanh()), state


# %%
model, memory = Additive(), torch.randn(2, 5, 94)
given_two = torch.tensor([[1, 2, 3], [4, 5, 6]])
model.decode(given_two, memory, None)
steps, _ = model.lstm(model.embed(given_two))
q, k = model.query(steps[1, 2]), model.key(memory[1])  # the last step of the second
by_hand = torch.stack([model.v((q + one).tanh())[0] for one in k]).softmax(dim=0)
off = (by_hand - model.weights[1, 2]).abs().max()
print(f"largest difference from a loop: {off:.5f}")
print("weights: products", weights_in(Looking()), "additive", weights_in(Additive()))

# %% tags=["claims"]
assert torch.allclose(by_hand, model.weights[1, 2], atol=1e-5), (
    "the same as a loop over letters"
)
assert weights_in(Additive()) - weights_in(Looking()) == 48, "one small layer more"

# %% [markdown]
# ## 2 · CTC: two answers for each letter
#
# CTC (lesson 03.3) writes at most one symbol for each of its inputs, and there are
# words with more sounds than letters. So each letter gets two answers, each of them a
# sound or a blank. No decoder, no teacher forcing, no search: the whole word is
# answered at once.


# %%
class Labels(nn.Module):
    """CTC: two answers for each letter, of 39 sounds or blank (0)."""

    def __init__(self, units=56):
        super().__init__()
        self.read = nn.Embedding(27, 32)
        options = {"batch_first": True, "bidirectional": True}
        self.lstm = nn.LSTM(32, units, num_layers=2, **options)
        self.out = nn.Linear(2 * units, 2 * START)

    def forward(self, x):
        scores = self.out(self.lstm(self.read(x))[0])  # (B, T, 80)
        return scores.unflatten(2, (2, START)).flatten(1, 2).log_softmax(dim=2)


def ctc_loss(model, words, rows):
    x, _, wanted = words.tensors(rows)
    sounds = wanted.where(wanted != END, 0)
    sizes = torch.full((len(x),), 2 * x.shape[1]), (sounds > 0).sum(dim=1)
    log_p = model(x).transpose(0, 1)  # (2T, B, 40)
    return nn.functional.ctc_loss(log_p, sounds, *sizes, zero_infinity=True)


@torch.no_grad()
def say_labels(model, x):
    """Greedy reading: merge equal neighbours, drop the blanks."""
    merged = [torch.unique_consecutive(one) for one in model(x).argmax(dim=2)]
    return [one[one > 0] for one in merged]


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
model = train(Labels(), words, words.train, epochs=3, lr=0.009, loss=ctc_loss)
answers = model(words.to_letters("xerox")).argmax(dim=2)[0].tolist()
shown = ["–" if k == 0 else words.symbols[k - 1] for k in answers]
print(
    *[f"{letter}: {a} {b} " for letter, a, b in zip("xerox", shown[::2], shown[1::2])]
)
said = words.write(lambda some: say_labels(model, some), words.validation)
short = words.rates(words.wrong(said, words.validation), words.validation)[0]
print(f"three epochs: {short:.1f} % of the validation sounds wrong")

# %% tags=["claims"]
_full = np.mean(file["scores"]["CTC"]["validation"])
assert _full < short < 15, f"after three of eleven epochs: {short:.1f}, {_full:.1f}"

# %% [markdown]
# Beside a decoder it has a handicap and an advantage. An answer cannot know what the
# others will be. But nothing is passed on from one answer to the next, mistakes
# included.
#
# ## 3 · A small Transformer
#
# PyTorch has the layers. The state of `decode` is what was given so far, because
# nothing else is carried along: every new sound reads all of it again.


# %%
class Transformer(nn.Module):
    """Attention in place of recurrence: two layers read, two write."""

    def __init__(self, width=48, heads=4, inner=162, layers=2):
        super().__init__()
        self.read, self.embed = nn.Embedding(27, width), nn.Embedding(42, width)
        self.place = nn.Parameter(0.02 * torch.randn(24, width))
        options = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        options["activation"] = "gelu"
        reader = nn.TransformerEncoderLayer(width, heads, inner, **options)
        writer = nn.TransformerDecoderLayer(width, heads, inner, **options)
        norms = nn.LayerNorm(width), nn.LayerNorm(width)
        self.encoder = nn.TransformerEncoder(
            reader, layers, norms[0], enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(writer, layers, norms[1])
        for part in self.encoder, self.decoder:  # else both layers begin alike
            for weight in part.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)
        self.out = nn.Linear(width, 42)

    def encode(self, x):
        return self.encoder(self.read(x) + self.place[: x.shape[1]]), None

    def decode(self, given, memory, state):
        """The state is what was given before."""
        given = given if state is None else torch.cat([state, given], dim=1)
        S = given.shape[1]
        later = torch.ones(S, S, dtype=torch.bool).triu(1)  # True: leave out
        x = self.embed(given) + self.place[:S]
        return self.out(self.decoder(x, memory, tgt_mask=later)), given

    def forward(self, x, given):
        return self.decode(given, *self.encode(x))[0]


# %% [markdown]
# **Why places?** Attention takes no notice of order. Take the places away, turn the
# word round, and each letter gets the same numbers as before, only in another order:

# %%
model = Transformer().eval()
with torch.no_grad():
    for name in ("with places", "without"):
        straight = model.encode(x)[0]
        turned = model.encode(x.flip(1))[0].flip(1)
        print(f"{name:12} moved by {(straight - turned).abs().max():.2f}")
        model.place.zero_()

# %% tags=["claims"]
assert (straight - turned).abs().max() < 1e-4, "without places order is nothing"

# %% [markdown]
# **The mask.** In training all sounds are computed at once; the mask keeps each from
# looking at later ones. Change the last sound, and only the last scores move:

# %%
model = Transformer().eval()
changed = given.clone()
changed[:, -1] = 1
moved = (model(x, given) - model(x, changed)).abs().amax(dim=(0, 2))
print("moved at each step:", *moved.detach().numpy().round(2))

# %% tags=["claims"]
assert (moved[:-1] < 1e-5).all() and moved[-1] > 1e-3, f"only the last: {moved}"

# %% [markdown]
# **More time.** With its 127,000 weights it gets through four epochs in the seconds in
# which the LSTM with attention makes twelve. Trained for three times as long:

# %%
for name in ("attention", "Transformer", "Transformer, three times as long"):
    sounds, whole = np.mean(file["scores"][name]["test"], axis=0)
    print(f"{sounds:5.1f} % of sounds, {whole:.1f} % of words wrong: {name}")

# %% tags=["claims"]
_tests = {n: np.mean(e["test"], axis=0) for n, e in file["scores"].items()}
_four, _twelve = (
    _tests[n] for n in ("Transformer", "Transformer, three times as long")
)
assert _twelve[0] < _four[0] - 0.5, "more time helps"
assert _tests["attention"][0] < _twelve[0] < _tests["attention"][0] + 1, (
    "and comes near"
)

# %% [markdown]
# So here, with 24,000 short words and one thread, the recurrent network is faster; with
# more time the Transformer comes near. Transformers are made for long sequences, much
# data, and machines that compute thousands of places at once.
