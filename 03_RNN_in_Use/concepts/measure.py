"""Measure every number that the slides show; writes measurements.json.

    python 03_RNN_in_Use/concepts/measure.py

takes a few seconds. Values are rounded to what the slides need.
"""

import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # tools/ and utils/ lie at the root

from utils import data  # noqa: E402
from utils import text as texts  # noqa: E402

TRAINED = ()  # nothing is trained here
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


def measure(trained=True):
    """Everything, as the dictionary that measurements.json holds."""
    return {
        "language_model": language_model(),
        "perplexity": perplexity(),
        "lessons": lessons(),
        "recording": recording(),
        "speakers": speakers(),
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
