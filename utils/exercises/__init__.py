"""The exercises of the course, one module a lesson.

To add one, write `name = Exercise(...)` in the module of its lesson, and in the script
of the lesson the task, a stub, `checks.name(name)` and the folded solution. The tests
find it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from utils.checks import check

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
        check(answer, self)


def draw_arrays(rng, shapes):
    """Normal random numbers with one decimal, for each name an array of its shape."""
    # Adding 0 turns −0 into 0.
    return {name: rng.normal(size=shape).round(1) + 0 for name, shape in shapes.items()}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))
