"""Measure every number that the slides show; writes measurements.json.

    python 04_Beyond_RNN/concepts/measure.py

takes a minute: it trains a network that looks. Values are rounded to what the slides
need.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # utils/ lies at the root

from utils.spelling import START, Words, speak, train  # noqa: E402

# What training gave: another processor may round differently on the way there.
TRAINED = ("map",)
WORD = "thoroughly"


def results(lesson):
    path = HERE.parent / "results" / f"{lesson}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def mean(entry, key):
    return np.mean(entry[key], axis=0).round(1).tolist()


def lengths():
    """Percent of sounds wrong for each group of lengths."""
    first, second = results("encoder_decoder"), results("attention")["scores"]
    joint = first["baselines"]["joint n-gram"]["by length"]
    return {
        "one": mean(first["scores"]["one vector"], "by length"),
        "attention": mean(second["attention"], "by length"),
        "joint": np.round(joint, 1).tolist(),
    }


def lie():
    """Percent wrong at steps 4 to 7, told the truth, and a random sound before 4."""
    nets = results("attention")["scores"]
    names = {"one": "one vector", "attention": "attention"}
    return {
        key: {told: mean(nets[name], told) for told in ("truth", "lie")}
        for key, name in names.items()
    }


def winners():
    """Percent of sounds and of words wrong on the test part."""
    first, nets = results("encoder_decoder"), results("attention")["scores"]
    names = "one vector", "Transformer", "additive attention", "attention", "CTC"
    found = {name: mean(nets[name], "test") for name in names}
    joint = first["baselines"]["joint n-gram"]["test"]
    return found | {"joint n-gram": np.round(joint, 1).tolist()}


def families():
    """Percent of words wrong if whole families are in one part."""
    first, nets = results("encoder_decoder"), results("attention")["scores"]
    return {
        "joint n-gram": round(first["luck"]["joint n-gram, by stem"][1], 1),
        "CTC": mean(nets["CTC, by stem"], "test")[1],
        "attention": mean(nets["attention, by stem"], "test")[1],
    }


def pencil():
    """Lesson 04.2 with a pencil: a query that fits the first and the third key."""
    keys, values = np.array([[1, 0], [0, 1], [1, 1]]), np.array([10, 20, 30])
    scores = keys @ np.array([2, 0])
    weights = np.exp(scores) / np.exp(scores).sum()
    return {
        "scores": scores.tolist(),
        "weights": weights.round(2).tolist(),
        "answer": round(float(weights @ values), 1),
    }


class Looking(nn.Module):
    """The network of lesson 04.2."""

    def __init__(self, units=47, decoder=93, size=48):
        super().__init__()
        self.read = nn.Embedding(27, 32)
        self.encoder = nn.LSTM(32, units, batch_first=True, bidirectional=True)
        self.begin = nn.Linear(2 * units, 2 * decoder)
        self.embed = nn.Embedding(42, 32)
        self.lstm = nn.LSTM(32, decoder, batch_first=True)
        self.query, self.key = nn.Linear(decoder, size), nn.Linear(2 * units, size)
        self.mix = nn.Linear(decoder + 2 * units, decoder)
        self.out = nn.Linear(decoder, 42)

    def encode(self, x):
        memory, (h_n, _) = self.encoder(self.read(x))
        begin = self.begin(torch.cat([h_n[0], h_n[1]], dim=1)).tanh()
        return memory, tuple(part[None].contiguous() for part in begin.chunk(2, dim=1))

    def decode(self, given, memory, state):
        steps, state = self.lstm(self.embed(given), state)
        q, k = self.query(steps), self.key(memory)
        self.weights = (q @ k.transpose(1, 2) / k.shape[2] ** 0.5).softmax(dim=2)
        seen = torch.cat([steps, self.weights @ memory], dim=2)
        return self.out(self.mix(seen).tanh()), state

    def forward(self, x, given):
        return self.decode(given, *self.encode(x))[0]


@torch.no_grad()
def look():
    """Where the network of lesson 04.2, seed 0, looks when it says a word."""
    words = Words()
    torch.manual_seed(0)
    model = Looking()
    with torch.enable_grad():
        options = {"epochs": 12, "lr": 0.013, "size": 128, "warm": 0.1}
        train(model, words, words.train, **options)
    x = words.to_letters(WORD)
    symbols = speak(model, x)
    said = words.to_sounds(symbols[0])
    given = torch.cat([torch.tensor([[START]]), symbols[:, : len(said)]], dim=1)
    model.decode(given, *model.encode(x))
    return {
        "word": WORD,
        "said": [*said, "END"],
        "weights": model.weights[0].double().numpy().round(2).tolist(),
    }


def measure(trained=True):
    """Everything, as the dictionary that measurements.json holds."""
    torch.set_num_threads(1)
    trained_too = {"map": look()} if trained else {}
    return {
        "lengths": lengths(),
        "lie": lie(),
        "winners": winners(),
        "families": families(),
        "pencil": pencil(),
        **trained_too,
    }


def check(result):
    """What the words of the slides say about the numbers; slides.typ has both."""
    lengths = result["lengths"]
    assert lengths["one"][-1] > 2 * lengths["one"][2]  # it rises with the length
    assert lengths["joint"][-1] < lengths["joint"][2]  # counting falls
    assert max(lengths["attention"][4:]) < 13  # attention stays level
    lie = result["lie"]
    for told in lie.values():
        assert min(told["lie"]) > max(0, min(told["truth"]))
    assert lie["one"]["lie"][3] > 2 * lie["attention"]["lie"][3]  # it finds its place
    winners = result["winners"]
    assert min(winners, key=lambda name: winners[name][1]) == "joint n-gram"
    families = [*result["families"].values()]
    assert families == sorted(families) and families[-1] - families[0] < 2  # close
    assert result["pencil"]["answer"] == 20


def text(result):
    """One line for each inner entry: short, and a change is easy to see."""
    parts = []
    for name, entries in result.items():
        inner = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}"
            for key, value in entries.items()
        )
        parts.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    measured = measure()
    check(measured)
    (HERE / "measurements.json").write_text(text(measured), encoding="utf-8")
