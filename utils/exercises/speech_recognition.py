"""The exercises of 03.3, Speech recognition."""

from functools import cache
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import nn

from utils.data import load_speech
from utils.exercises import ARRAYS_FIRST, Challenge, Exercise, Miss, Mistake
from utils.text import edit_distance

# --- Exercise 2.1: from frames to sounds ----------------------------------------------


def _window(frames):
    """Each frame with three on each side: (T, 20) -> (T, 140)."""
    padded = np.pad(frames, ((3, 3), (0, 0)), mode="edge")
    return np.concatenate([padded[k : k + len(frames)] for k in range(7)], axis=1)


@cache
def _held_out():
    """(probabilities (T, 51), numbers of the sounds) of each validation recording, from
    a softmax regression that learned from the frames of the training part.
    """
    recordings, sounds, ends = load_speech("train")
    frames = np.concatenate(recordings)
    mean, std = frames.mean(axis=0), frames.std(axis=0)
    labels = sorted({sound for said in sounds for sound in said})
    x = [torch.tensor(_window((one - mean) / std)) for one in recordings]
    y = []
    for one, said, end in zip(recordings, sounds, ends, strict=True):
        middles = (np.arange(len(one)) + 0.5) / 25  # in seconds
        places = np.searchsorted(end, middles, side="right").clip(max=len(said) - 1)
        y.append(torch.tensor([labels.index(said[k]) for k in places]))
    x, y = torch.cat(x), torch.cat(y)
    torch.manual_seed(0)
    model = nn.Linear(140, len(labels))
    adam = torch.optim.Adam(model.parameters())
    steps = 4 * len(torch.arange(len(x)).split(256))
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 2e-3, total_steps=steps)
    for _ in range(4):
        for rows in torch.randperm(len(x)).split(256):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
            plan.step()
    recordings, sounds, _ = load_speech("validation")
    with torch.no_grad():
        p = [
            model(torch.tensor(_window((one - mean) / std))).softmax(dim=1).numpy()
            for one in recordings
        ]
    said = [[labels.index(sound) for sound in row] for row in sounds]
    return list(zip(p, said, strict=True))


def _phone_error(answer):
    wrong = total = neighbours = many = 0
    for p, said in _held_out():
        heard = [int(sound) for sound in answer(p.copy())]
        if any(sound not in range(p.shape[1]) for sound in heard):
            raise ValueError(f"the numbers of the labels go from 0 to {p.shape[1] - 1}")
        wrong += edit_distance(heard, said)
        total += len(said)
        many += len(heard)
        neighbours += sum(a == b for a, b in pairwise(heard))
    seen["many"], seen["neighbours"] = many / total, neighbours / total
    return 100 * wrong / total


seen = {}  # of the last answer: sounds heard for each one said, equal neighbours


def _merged(best):
    return [k for k, _ in groupby(best)]


my_reading = Challenge(
    score=_phone_error,
    goal=47,
    told="makes {score:.1f} % errors in 60 recordings, the goal is {goal} %.",
    misses=[
        Miss(
            "One sound goes on for several frames: merge neighbours that are equal.",
            lambda score: seen["neighbours"] > 0.1,
            """
            def my_reading(p):
                return p.argmax(axis=1).tolist()
            """,
        ),
        Miss(
            "It still hears more sounds than were said. Most that last for one frame "
            "are flicker: let the neighbours of a frame have a say.",
            lambda score: seen["neighbours"] <= 0.1 and seen["many"] > 1.1,
            """
            def my_reading(p):
                best = p.argmax(axis=1).tolist()
                return [k for t, k in enumerate(best) if t == 0 or k != best[t - 1]]
            """,
        ),
        Miss(
            "Now it loses sounds: the shortest last for two frames. Average over fewer "
            "frames, or throw less away.",
            lambda score: seen["neighbours"] <= 0.1 and seen["many"] < 0.8,
            """
            def my_reading(p):
                p = p[: len(p) // 4 * 4].reshape(-1, 4, p.shape[1]).mean(axis=1)
                best = p.argmax(axis=1).tolist()
                return [k for t, k in enumerate(best) if t == 0 or k != best[t - 1]]
            """,
        ),
        Miss(
            "The number of sounds is about right, but not which. Average the "
            "probabilities of neighbouring frames, not their labels.",
            lambda score: seen["neighbours"] <= 0.1 and 0.8 <= seen["many"] <= 1.1,
            """
            def my_reading(p):
                p = p[: len(p) // 2 * 2].reshape(-1, 2, p.shape[1]).prod(axis=1)
                best = p.argmax(axis=1).tolist()
                return [k for t, k in enumerate(best) if t == 0 or k != best[t - 1]]
            """,
        ),
    ],
)

# --- Exercise 3.1: reading a path -----------------------------------------------------


def _draw_path(rng):
    return {"path": rng.choice(3, size=rng.integers(8, 13), p=[0.4, 0.3, 0.3]).tolist()}


collapse = Exercise(
    draw=_draw_path,
    right=lambda path: [k for k in _merged(path) if k > 0],
    verified="Paths of eight to twelve frames, with repeats and blanks.",
    mistakes=[
        Mistake(
            "The blanks went first, so equal sounds that they parted melted into one. "
            "Merge first.",
            lambda path: _merged([k for k in path if k > 0]),
            """
            def collapse(path):
                path = [k for k in path if k > 0]
                return [k for t, k in enumerate(path) if t == 0 or k != path[t - 1]]
            """,
        ),
        Mistake(
            "The blanks are still there. They stand for nothing: drop them.",
            _merged,
            """
            def collapse(path):
                return [k for t, k in enumerate(path) if t == 0 or k != path[t - 1]]
            """,
        ),
        Mistake(
            "A sound that goes on for several frames is one sound: merge equal "
            "neighbours before you drop the blanks.",
            lambda path: [k for k in path if k > 0],
            """
            def collapse(path):
                return [k for k in path if k > 0]
            """,
        ),
        Mistake(
            "A sound may come again later. Merge only neighbours.",
            lambda path: list(dict.fromkeys(k for k in path if k > 0)),
            """
            def collapse(path):
                found = []
                for k in path:
                    if k > 0 and k not in found:
                        found.append(k)
                return found
            """,
        ),
        Mistake(
            "The first frame counts as well: nothing stands before it.",
            lambda path: [b for a, b in pairwise(path) if b > 0 and b != a],
            """
            def collapse(path):
                return [
                    path[t] for t in range(1, len(path))
                    if path[t] > 0 and path[t] != path[t - 1]
                ]
            """,
        ),
    ],
)

# --- Exercise 3.2: one frame on -------------------------------------------------------

SAID = ([1, 2], [1, 1], [2, 1, 1], [1, 2, 1])  # what the places stand for


def _draw_places(rng):
    said = SAID[rng.integers(len(SAID))]
    places = np.zeros(2 * len(said) + 1, dtype=int)
    places[1::2] = said
    p = rng.uniform(0.1, 0.6, size=3).round(1)  # of the blank, of 1 and of 2
    alpha = rng.uniform(0.1, 0.9, size=len(places)).round(1)
    return {"alpha": alpha, "p": p[places], "places": places}


def _next(alpha, p, places, jumps):
    """One frame on, with jumps from two places before wherever `jumps(s)` says so."""
    new = alpha.copy()
    new[1:] += alpha[:-1]
    for s in range(2, len(alpha)):
        new[s] += alpha[s - 2] * jumps(s)
    return new * p


next_alpha = Exercise(
    draw=_draw_places,
    right=lambda alpha, p, places: _next(
        alpha, p, places, lambda s: places[s] > 0 and places[s] != places[s - 2]
    ),
    verified="Two and three sounds, some of them twice in a row.",
    inputs=ARRAYS_FIRST,
    mistakes=[
        Mistake(
            "Without jumps there would always have to be a blank between two sounds. "
            "Add the place two before, where it is allowed.",
            lambda alpha, p, places: _next(alpha, p, places, lambda s: False),
            """
            def next_alpha(alpha, p, places):
                new = alpha.copy()
                new[1:] += alpha[:-1]
                return new * p
            """,
        ),
        Mistake(
            "You jump over blanks between equal sounds. They would be merged into one.",
            lambda alpha, p, places: _next(alpha, p, places, lambda s: places[s] > 0),
            """
            def next_alpha(alpha, p, places):
                new = alpha.copy()
                for s in range(1, len(alpha)):
                    new[s] += alpha[s - 1]
                    if s > 1 and places[s] > 0:
                        new[s] += alpha[s - 2]
                return new * p
            """,
        ),
        Mistake(
            "You also jump from blank to blank: the sound between would be lost.",
            lambda alpha, p, places: _next(
                alpha, p, places, lambda s: places[s] == 0 or places[s] != places[s - 2]
            ),
            """
            def next_alpha(alpha, p, places):
                new = alpha.copy()
                for s in range(1, len(alpha)):
                    new[s] += alpha[s - 1]
                    if s > 1 and (places[s] == 0 or places[s] != places[s - 2]):
                        new[s] += alpha[s - 2]
                return new * p
            """,
        ),
        Mistake(
            "You jump everywhere: also from blank to blank and between equal sounds.",
            lambda alpha, p, places: _next(alpha, p, places, lambda s: True),
            """
            def next_alpha(alpha, p, places):
                new = alpha.copy()
                new[1:] += alpha[:-1]
                new[2:] += alpha[:-2]
                return new * p
            """,
        ),
        Mistake(
            "The probabilities of the new frame are missing: multiply by p at the end.",
            lambda alpha, p, places: _next(
                alpha, 1, places, lambda s: places[s] > 0 and places[s] != places[s - 2]
            ),
            """
            def next_alpha(alpha, p, places):
                new = alpha.copy()
                for s in range(1, len(alpha)):
                    new[s] += alpha[s - 1]
                    if s > 1 and places[s] > 0 and places[s] != places[s - 2]:
                        new[s] += alpha[s - 2]
                return new
            """,
        ),
        Mistake(
            "A path may also stay where it is: the label goes on.",
            lambda alpha, p, places: (
                (
                    _next(
                        alpha,
                        1,
                        places,
                        lambda s: places[s] > 0 and places[s] != places[s - 2],
                    )
                    - alpha
                )
                * p
            ),
            """
            def next_alpha(alpha, p, places):
                new = 0 * alpha
                for s in range(1, len(alpha)):
                    new[s] += alpha[s - 1]
                    if s > 1 and places[s] > 0 and places[s] != places[s - 2]:
                        new[s] += alpha[s - 2]
                return new * p
            """,
        ),
    ],
)
