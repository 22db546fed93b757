"""Measure every number that the slides show; writes measurements.json.

    python 03_RNN_in_Use/concepts/measure.py

takes a minute: it trains a network that hears. Values are rounded to what the slides
need.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # tools/ and utils/ lie at the root

from tools import build_data  # noqa: E402
from utils import data  # noqa: E402
from utils import text as texts  # noqa: E402

# What training gave: another processor may round differently on the way there.
TRAINED = ("spikes",)
CONTEXT = "the built in"


def results(lesson):
    path = HERE.parent / "results" / f"{lesson}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def language_model():
    """What followed three words of the reference: how often, and the commonest."""
    train, _, _ = texts.load_text()
    words, followed = [word for document in train for word in document], {}
    context = CONTEXT.split()
    for t in range(len(words) - len(context)):
        if words[t : t + len(context)] == context:
            after = words[t + len(context)]
            followed[after] = followed.get(after, 0) + 1
    many = sum(followed.values())
    best = sorted(followed.items(), key=lambda pair: -pair[1])[:4]
    return {"context": context, "many": many, "kinds": len(followed), "best": best}


def perplexity():
    p = [1 / 2, 1 / 8, 1 / 4]
    return {"of": np.exp(-np.log(p).mean()).round(6), "choices": [2, 8, 4]}


def lessons():
    """What the lessons of this topic measured."""
    words = results("next_word")
    simple, test = words["baselines"], words["scores"]["GRU"]["test"]
    return {
        "counts": simple["Kneser-Ney"]["test"],
        "counts_cache": simple["Kneser-Ney + cache"]["test"],
        "decay": simple["Kneser-Ney + cache"]["decay"],
        "gru": round(float(np.mean(test["GRU"])), 1),
        "gru_cache": round(float(np.mean(test["GRU + cache"])), 1),
        "all": round(float(np.mean(test["all three"])), 1),
    }


def recording():
    """The first recording of the first speaker, frame by frame."""
    recordings, speakers = data.load_vowels("train")
    rows = np.array(recordings[0]).T.round(2).tolist()
    return {"rows": rows, "frames": len(recordings[0]), "speaker": int(speakers[0])}


def speakers():
    """Right answers in percent after so many frames, and for whole recordings."""
    voices = results("who_speaks")
    simple, nets = voices["baselines"], voices["scores"]
    network = np.mean(nets["beginnings"]["by_frames"], axis=0).round(1).tolist()
    return {
        "frames": simple["frames"],
        "network": network,
        "summary": np.round(simple["mean, first, last"]["by_frames"], 1).tolist(),
        "one_sure": np.round(simple["one for all"]["when_sure"]["0.9"], 1).tolist(),
        "sure": {
            limit: np.mean(runs, axis=0).round(1).tolist()
            for limit, runs in nets["beginnings"]["when_sure"].items()
        },
        "whole": round(float(np.mean(nets["mean"]["test"])), 1),
        "shuffled": round(float(np.mean(nets["shuffled"]["test"])), 1),
    }


def frames():
    """Lesson 03.3's sound, "ah" that becomes "ee": its spectrum up to 4,000 Hz, mel
    bands and MFCC, high ones first, each scaled to 1; every second frame.
    """
    t = np.arange(16000) / 16000
    low, high, wave = 800 - 500 * t, 1200 + 1100 * t, np.zeros(16000)
    for tone in 120 * np.arange(1, 30):
        loud = np.exp(-(((tone - low) / 150) ** 2))
        loud += np.exp(-(((tone - high) / 200) ** 2))
        wave += loud * np.sin(2 * np.pi * tone * t)
    cut = np.lib.stride_tricks.sliding_window_view(wave, 400)[::320]
    power = np.abs(np.fft.rfft(cut * np.hanning(400), 512)) ** 2
    mels = np.log(power @ build_data.mel_bands().T + 0.001)
    spectrum = np.log(power[:, :128].reshape(len(power), 64, 2).max(axis=2) + 0.001)
    mfcc = mels @ build_data.cosines().T
    scaled = {"mfcc": mfcc / np.abs(mfcc).max(axis=0)}
    for name, image in (("spectrum", spectrum), ("mels", mels)):
        scaled[name] = (image - image.min()) / np.ptp(image)
    rows = {name: image.T[::-1].round(2).tolist() for name, image in scaled.items()}
    return {"count": len(power), **rows, "wave": wave[:400:4].round(2).tolist()}


def chorale(name="bwv66.6"):
    """The first eight quarter notes of a piece."""
    frames = data.load_chorales()[name][::4][:8]
    return {"name": name.upper().replace("BWV", "BWV "), "frames": frames.tolist()}


PENCIL = np.array([[0.2, 0.6, 0.2], [0.3, 0.3, 0.4], [0.2, 0.1, 0.7]])  # (T, K)


def paths():
    """Lesson 03.3 with a pencil: the places -, a, -, b, - after each frame."""
    places, alpha, rows = [0, 1, 0, 2, 0], np.array([1.0, 0, 0, 0, 0]), []
    for p in PENCIL:
        new = alpha.copy()
        new[1:] += alpha[:-1]
        new[3] += alpha[1]  # over the blank between different sounds
        if not rows:
            new[3] = 0  # before the first frame nothing can be jumped over
        alpha = new * p[places]
        rows.append(alpha.round(4).tolist())
    return {"p": PENCIL.tolist(), "alpha": rows, "together": round(alpha[-2:].sum(), 4)}


class Listener(nn.Module):
    """The network of lesson 03.3."""

    def __init__(self, sounds):
        super().__init__()
        self.lstm, self.drop = nn.LSTM(20, 128, bidirectional=True), nn.Dropout(0.3)
        self.out = nn.Linear(256, 1 + sounds)

    def forward(self, x):
        return self.out(self.drop(self.lstm(x)[0])).log_softmax(dim=1)


def spikes(epochs=6, start=0.3, stop=1.5):
    """A piece of the first validation recording: the probability of the blank and of
    each sound there, and the sounds with their ends; nobody told the network these.
    """
    torch.manual_seed(0)
    recordings, said, _ = data.load_speech("train")
    labels = sorted({sound for row in said for sound in row})
    every = np.concatenate(recordings)
    mean, std = every.mean(axis=0), every.std(axis=0)
    x = [torch.tensor((one - mean) / std) for one in recordings]
    y = [torch.tensor([1 + labels.index(sound) for sound in row]) for row in said]
    model = Listener(len(labels))
    adam = torch.optim.Adam(model.parameters())
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 0.005, total_steps=epochs * len(x))
    for _ in range(epochs):
        for i in torch.randperm(len(x)):
            T, L = torch.tensor(len(x[i])), torch.tensor(len(y[i]))
            loss = nn.functional.ctc_loss(model.train()(x[i]), y[i], T, L)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            plan.step()
    recordings, said, ends = (part[0] for part in data.load_speech("validation"))
    with torch.no_grad():
        p = model.eval()(torch.tensor((recordings - mean) / std)).exp().numpy()
    first, last = round(start * 25), round(stop * 25)
    p = p[first:last]
    seen = [k for k in range(1, p.shape[1]) if p[:, k].max() > 0.1]
    heard = [(sound, end) for sound, end in zip(said, ends, strict=True) if end > start]
    return {
        "start": start,
        "stop": stop,
        "blank": p[:, 0].round(3).tolist(),
        "sounds": {labels[k - 1]: p[:, k].round(3).tolist() for k in seen},
        "ends": [(sound, round(float(end), 2)) for sound, end in heard if end < stop],
        "share": round(float((p.argmax(axis=1) == 0).mean()), 2),
    }


def measure(trained=True):
    """Everything, as the dictionary that measurements.json holds."""
    torch.set_num_threads(1)
    trained_too = {"spikes": spikes()} if trained else {}
    return {
        "language_model": language_model(),
        "perplexity": perplexity(),
        "lessons": lessons(),
        "recording": recording(),
        "speakers": speakers(),
        "frames": frames(),
        "paths": paths(),
        "chorale": chorale(),
        **trained_too,
    }


def check(result):
    """What the words of the slides say about the numbers; slides.typ has both."""
    assert result["perplexity"]["of"] == 4  # the pencil's
    best = result["language_model"]["best"]
    assert best[0][1] > best[1][1] > best[2][1] >= best[3][1] > 1
    lessons = result["lessons"]
    assert lessons["counts_cache"] < 0.9 * lessons["counts"]  # the cache helps both
    assert lessons["gru_cache"] < 0.95 * lessons["gru"]
    assert lessons["all"] < min(lessons["gru_cache"], lessons["counts_cache"])
    voices = result["speakers"]
    frames, right = voices["sure"]["0.9"]
    after = dict(zip(voices["frames"], voices["network"], strict=True))
    assert frames < 5 and right > after[5]  # stopping when sure is better at equal time
    assert abs(voices["one_sure"][1] - right) < 0.5  # the rule makes the gain
    assert voices["whole"] - voices["shuffled"] < 0.5  # order hardly matters


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
