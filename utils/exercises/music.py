"""The exercises of 03.4, Music."""

from functools import cache

import numpy as np

from utils.data import load_chorales
from utils.exercises import ARRAYS_FIRST, Challenge, Exercise, Miss, Mistake

# --- Exercise 2.1: nats a frame -------------------------------------------------------


def _draw_p(rng):
    return {"p": rng.uniform(0.05, 0.9, size=(rng.integers(2, 6), 4)).round(2)}


nats_of = Exercise(
    draw=_draw_p,
    right=lambda p: -np.log(p).sum(axis=1).mean(),
    verified="Two to five frames of four voices.",
    inputs=ARRAYS_FIRST,
    mistakes=[
        Mistake(
            "That is the mean of a note. A frame has four: add them up first.",
            lambda p: -np.log(p).mean(),
            """
            def nats_of(p):
                return -np.log(p).mean()
            """,
        ),
        Mistake(
            "That is the sum over all frames: a longer piece would look harder. Take "
            "the mean over the frames.",
            lambda p: -np.log(p).sum(),
            """
            def nats_of(p):
                return -np.log(p).sum()
            """,
        ),
        Mistake(
            "That is in bits. For nats take the natural logarithm, np.log.",
            lambda p: -np.log2(p).sum(axis=1).mean(),
            """
            def nats_of(p):
                return -np.log2(p).sum(axis=1).mean()
            """,
        ),
        Mistake(
            "The sign: ln p is negative. A cost is positive.",
            lambda p: np.log(p).sum(axis=1).mean(),
            """
            def nats_of(p):
                return np.log(p).sum(axis=1).mean()
            """,
        ),
        Mistake(
            "The probabilities of a chord multiply. So add their logarithms, not the "
            "probabilities.",
            lambda p: -np.log(p.sum(axis=1)).mean(),
            """
            def nats_of(p):
                return -np.log(p.sum(axis=1)).mean()
            """,
        ),
        Mistake(
            "The axes got mixed up: axis 0 are the frames, axis 1 the voices.",
            lambda p: -np.log(p).sum(axis=0).mean(),
            """
            def nats_of(p):
                return -np.log(p).sum(axis=0).mean()
            """,
        ),
    ],
)

# --- Exercise 2.2: another key --------------------------------------------------------


def _draw_frames(rng):
    frames = rng.integers(40, 80, size=(rng.integers(2, 5), 4))
    frames[rng.random(size=frames.shape) < 0.3] = 0
    frames[0, rng.integers(4)] = 0
    return {"frames": frames, "k": int(rng.choice([-5, -2, 3, 6]))}


transposed = Exercise(
    draw=_draw_frames,
    right=lambda frames, k: np.where(frames > 0, frames + k, 0),
    verified="Frames with rests, up and down.",
    inputs=ARRAYS_FIRST,
    mistakes=[
        Mistake(
            "A rest is not a pitch: 0 must stay 0.",
            lambda frames, k: frames + k,
            """
            def transposed(frames, k):
                return frames + k
            """,
        ),
        Mistake(
            "That is the wrong way: k semitones up means plus k.",
            lambda frames, k: np.where(frames > 0, frames - k, 0),
            """
            def transposed(frames, k):
                return np.where(frames > 0, frames - k, 0)
            """,
        ),
        Mistake(
            "You multiply: a semitone is one more, whatever the pitch.",
            lambda frames, k: np.where(frames > 0, frames * k, 0),
            """
            def transposed(frames, k):
                return np.where(frames > 0, frames * k, 0)
            """,
        ),
        Mistake(
            "Only the soprano moved. All four voices do.",
            lambda frames, k: np.where(
                (frames > 0) & (np.arange(4) == 0), frames + k, frames
            ),
            """
            def transposed(frames, k):
                frames = frames.copy()
                frames[:, 0] = np.where(frames[:, 0] > 0, frames[:, 0] + k, 0)
                return frames
            """,
        ),
        Mistake(
            "You moved the frames in time, not in pitch.",
            lambda frames, k: np.roll(frames, k, axis=0),
            """
            def transposed(frames, k):
                return np.roll(frames, k, axis=0)
            """,
        ),
    ],
)

# --- Exercise 3.1: a melody -----------------------------------------------------------


@cache
def _sopranos():
    """The symbols of the sopranos (0 a rest, 1 pitch 30): those of the training part in
    a row, those of the validation part a list each.
    """
    seen, held = (
        [
            np.where(grid[::4, 0] > 0, grid[::4, 0] - 29, 0).tolist()
            for grid in load_chorales(part).values()
        ]
        for part in ("train", "validation")
    )
    return np.concatenate(seen), held


def _nats_of_a_note(answer):
    seen, held = _sopranos()
    cost, notes = 0.0, 0
    for tune in held:
        for t in range(1, len(tune)):
            p = np.asarray(answer(tune[:t], seen.copy()), dtype=float)
            if p.shape != (60,):
                raise ValueError(f"the answer must have the shape (60,), not {p.shape}")
            if not np.isfinite(p).all() or p.min() < 0 or abs(p.sum() - 1) > 1e-4:
                raise ValueError(
                    "the answer must be probabilities: none below 0, the sum 1"
                )
            cost -= np.log(max(p[tune[t]], 1e-12))
            notes += 1
    found["zero"] = answer(held[0][:1], seen).min() == 0
    return cost / notes


found = {}  # of the last answer: whether a note got no probability at all

next_note = Challenge(
    score=_nats_of_a_note,
    goal=1.93,
    told="costs {score:.2f} nats a note in tunes that it has not seen, the goal is "
    "{goal}.",
    misses=[
        Miss(
            "A note that never followed gets the probability 0, and costs without "
            "bound when it comes. Add a little to every count.",
            lambda score: found["zero"],
            """
            def next_note(heard, seen):
                follows = seen[1:][seen[:-1] == heard[-1]]
                n = np.bincount(follows, minlength=60)
                return n / n.sum() if n.sum() else np.full(60, 1 / 60)
            """,
        ),
        Miss(
            "It does not look at what was heard: a tune mostly moves by small steps.",
            lambda score: not found["zero"] and score > 2.3,
            """
            def next_note(heard, seen):
                n = np.bincount(seen, minlength=60) + 0.1
                return n / n.sum()
            """,
        ),
        Miss(
            "One note is not enough, and runs of three are seldom seen before. Look at "
            "two, and let the last one alone have a say where two were seldom seen.",
            lambda score: not found["zero"] and 1.93 < score <= 2.3,
            """
            def next_note(heard, seen):
                follows = seen[1:][seen[:-1] == heard[-1]]
                n = np.bincount(follows, minlength=60) + 0.1
                return n / n.sum()
            """,
        ),
    ],
)
