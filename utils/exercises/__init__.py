"""The exercises of the course, one module a lesson.

To add one, write `name = Exercise(...)` in the module of its lesson, and in the script
of the lesson the task, a stub, `checks.name(name)` and the folded solution. The tests
find it. `Challenge` instead of `Exercise` is for what is trained or built and has a
score to reach.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from utils.exercises import progress
from utils.exercises.engine import check, tell

# What arrays are handed over as: tensors of a dtype, or NumPy arrays (None). An answer
# is right if it is right for one of them. Arrays come first where std() or isnan() mean
# something else in torch: what an answer does with arrays then settles the matter.
TENSORS_FIRST = (torch.float32, None, torch.float64)
ARRAYS_FIRST = (None, torch.float32, torch.float64)


@dataclass
class Mistake:
    """A usual mistake in an exercise, and what is said about it."""

    hint: str
    wrong: Callable  # a function that makes this mistake, of the same arguments
    wording: str  # the mistake as a learner would write it, for the tests


@dataclass
class Exercise:
    """All that it takes to check an answer to an exercise. Call it with the answer."""

    draw: Callable  # draw(rng) gives the arguments of one call, a dict name -> value
    right: Callable  # the right function of these arguments, with NumPy arrays
    verified: str  # what a right answer has been shown to do
    mistakes: list[Mistake]  # at least three, no two of them with the same results
    inputs: tuple = TENSORS_FIRST

    def __call__(self, answer):
        if check(answer, self):
            progress.note(self)


@dataclass
class Miss:
    """A usual way not to reach the goal of a challenge, and what is said about it."""

    hint: str
    applies: Callable  # applies(score) tells whether to show the hint
    wording: str  # an answer that misses so, as a learner would write it, for the tests


@dataclass
class Challenge:
    """An exercise that builds or trains something. Call it with the answer.

    Its score, on data that the answer has not seen, must reach a goal. A check may take
    20 CPU-seconds.
    """

    score: Callable  # score(answer) calls the answer and returns a number
    goal: float
    told: str  # "has {score:.2f} ..., the goal is {goal}"
    misses: list[Miss]  # at least two
    lower: bool = True  # whether a lower score is better
    needs: tuple = ()  # what the solution uses of the lesson's assignments

    def __call__(self, answer):
        if check(answer, self, _reach):
            progress.note(self)


def _reach(name, answer, challenge):
    torch.manual_seed(0)
    try:
        score = float(challenge.score(answer))
    except (Exception, SystemExit) as error:
        print(f"✘ {name} cannot be scored yet: {tell(error)}")
        return
    goal = challenge.goal
    done = score <= goal if challenge.lower else score >= goal
    print("✔" if done else "✘", name, challenge.told.format(score=score, goal=goal))
    for miss in challenge.misses:
        if not done and miss.applies(score):
            print(f"Hint: {miss.hint}")
    return done


def draw_arrays(rng, shapes):
    """Normal random numbers with one decimal, for each name an array of its shape."""
    # Adding 0 turns −0 into 0.
    return {name: rng.normal(size=shape).round(1) + 0 for name, shape in shapes.items()}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))
