"""The engine of the exercises: it tells a learner in words what an answer is."""

import copy
import dis
import random
import re
import warnings
from traceback import extract_tb

import numpy as np
import torch

# What errors say when two shapes do not fit; those about one index say it as well.
SHAPES = re.compile("(?s)(?!.*(bounds|range|inhomog)).*(shape|size|dim|mismatch)")
OURS = re.compile(r"[/\\]utils[/\\]|-packages")  # files that are not the learner's


def check(answer, exercise, judge=None):
    """Print what there is to say about an answer, any callable; true if it is right."""
    # A loop in it that never ends is left to the stop button of the notebook.
    name = getattr(answer, "__name__", type(answer).__name__)
    dtype = torch.get_default_dtype()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        if answer is ... or _is_stub(answer):
            print(f"{name}: not attempted yet. Replace the dots, then run both cells.")
        elif not callable(answer):
            print(f"✘ {name} is no function: pass your function itself, not called.")
        else:
            return (judge or _judge)(name, answer, exercise)
    except KeyboardInterrupt:
        print(f"✘ {name} was stopped. Does a loop in it never end?")
    finally:  # the lesson goes on as if nothing had run in between
        torch.set_default_dtype(dtype)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _judge(name, answer, exercise):
    torch.set_default_dtype(torch.float32)
    cases = [exercise.draw(np.random.default_rng(seed)) for seed in range(11, 17)]
    expected = [_call(exercise.right, case) for case in cases]
    tries = []
    for dtype in exercise.inputs:
        # About tensors in NumPy functions, which are no mistake here.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            tries.append([_call(answer, case, dtype) for case in cases])
        if all(map(_same, expected, tries[-1])):
            print(f"✔ {name} is right. {exercise.verified}")
            return True
        if dtype is None and not _errors(tries[-1]):
            break  # it can work with arrays: that settles the matter
    got = min(tries, key=_errors)  # speak about inputs that the answer can work with
    first = list(map(_same, expected, got)).index(False)
    shown = {f"    {argument} = ": value for argument, value in cases[first].items()}
    shown |= {"  expected ": expected[first], "  got      ": got[first]}
    print(f"✘ {name} is not right yet. The first input on which it differs:")
    for label, value in shown.items():
        print(label + _show(value).replace("\n", "\n" + " " * len(label)))
    for mistake in exercise.mistakes:  # no two of them give the same results
        if all(map(_same, [_call(mistake.wrong, case) for case in cases], got)):
            print(f"Hint: {mistake.hint}")


def _call(function, case, dtype=None):
    """The result of a call with copies of the arguments, or the error it raised."""
    torch.set_default_dtype(dtype or torch.float32)
    try:
        return function(*[_hand_over(value, dtype) for value in case.values()])
    except (Exception, SystemExit) as error:
        return error


def _hand_over(value, dtype):
    # With a dtype, which is the default while the answer runs, arrays become tensors.
    tensor = dtype and isinstance(value, np.ndarray)
    return torch.tensor(value.tolist()) if tensor else copy.deepcopy(value)


def _errors(results):
    return sum(isinstance(result, BaseException) for result in results)


def _is_stub(answer):
    # Whether the body, of a class that of each method, is still `...`.
    if isinstance(answer, type):
        return all(_is_stub(part) for part in vars(answer).values() if callable(part))
    stubs = map(_steps, (lambda: None, lambda: ...))
    return hasattr(answer, "__code__") and _steps(answer) in stubs


def _steps(function):
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


def _same(wanted, found):
    """Whether results are equal, up to rounding in 32 bits. So are any two errors."""
    if isinstance(wanted, BaseException):
        return isinstance(found, BaseException)
    try:
        if isinstance(wanted, torch.nn.Module):  # only a mistake returns one
            wanted, found = tuple(wanted.parameters()), tuple(found.parameters())
        if isinstance(wanted, tuple):  # a list or an array will do
            return len(wanted) == len(found) and all(map(_same, wanted, found))
        wanted, found = _array(wanted), _array(found)
        if wanted.shape != found.shape or wanted.dtype.kind == "U":
            return np.array_equal(wanted, found)
        return np.allclose(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)
    except (AttributeError, TypeError, ValueError):  # None, a list of unequal parts
        return False


def _array(result):
    if isinstance(result, torch.Tensor):
        return result.detach().cpu().numpy()
    if isinstance(result, tuple | list):
        result = [_array(part) for part in result]
    return np.asarray(result)


def _show(value):
    """A value in a few lines: its numbers, and their shape if they have one."""
    if isinstance(value, BaseException):
        return tell(value)
    if isinstance(value, tuple):
        parts = [_show(part) for part in value]
        between = ",\n" if "\n" in "".join(parts) else ", "
        return f"({between.join(parts)})".replace("\n", "\n ")
    if isinstance(value, torch.nn.Module):
        return f"{value}\n{_show(tuple(value.parameters()))}"
    try:
        numbers = np.round(_array(value), 3)
    except (TypeError, ValueError):
        return "None. Is a `return` missing?" if value is None else repr(value)
    text = np.array2string(numbers, suppress_small=True, threshold=24)
    return f"{text}  shape {numbers.shape}" if numbers.ndim else text


def tell(error):
    """An error, and the line of the learner's own code in which it was raised."""
    frames = [f for f in extract_tb(error.__traceback__) if not OURS.search(f.filename)]
    lines = [f.line for f in frames if f.line and f.filename == frames[0].filename]
    if not lines:  # the check itself stumbled over what it was given
        return _show(None) if "NoneType" in str(error) else str(error) or repr(error)
    said = f"an error: {type(error).__name__}: {error}\nin the line: {lines[-1]}"
    kinds = ValueError | RuntimeError | IndexError  # others speak about names
    if isinstance(error, kinds) and SHAPES.match(str(error)):
        said += "\nTwo shapes do not fit: print both, just before that line."
    return said
