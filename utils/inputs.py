"""Take what people have (lists, tables, tensors); say in words what cannot be taken.

An error names the argument, what is wrong with it, and what to do.
"""

import numbers

import numpy as np


def demand(condition, message, kind=ValueError):
    """Raise the error unless the condition holds."""
    if not condition:
        raise kind(message)


def number(value, name, least=None):
    """A real number, at least `least`; returns it."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    demand(real and np.isfinite(value), f"{name} must be a number, not {value!r:.80}")
    low = least is not None and value < least
    demand(not low, f"{name} must be at least {least}, not {value}")
    return value


def amount(value, name, least=1):
    """A whole number, at least `least`, as an int: 3 and 3.0 are 3."""
    whole = isinstance(value, numbers.Real) and not isinstance(value, bool)
    whole = whole and np.isfinite(value) and int(value) == value
    demand(whole, f"{name} must be a whole number, not {value!r:.80}")
    return int(number(value, name, least))


def array(values, name, finite=True):
    """Numbers as a float64 array: from a list, a table, a tensor with its gradient.

    Raises ValueError for text, dates, complex numbers and rows of unequal length, for
    masked values, and, if they must be `finite`, for NaN and infinite ones.
    """
    if hasattr(values, "detach"):  # a tensor
        values = values.detach().cpu()
    demand(not np.ma.is_masked(values), f"{name} has masked values: fill or drop them")
    try:
        found = np.asarray(values)
        if found.dtype == object:  # of mixed kinds, or with gaps
            texts = [value for value in found.flat if isinstance(value, str | bytes)]
            found = np.asarray(texts or found, dtype=str if texts else float)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        said = f"{name} must hold numbers in rows of equal length: {error}"
        raise ValueError(said) from None
    text = f"'{found.flat[0]}'" if found.size and found.dtype.kind == "U" else None
    cure = "pandas.to_numeric, or read_csv(decimal=',') for decimal commas"
    demand(
        not text, f"{name} holds text, as {text}: make numbers of it first, with {cure}"
    )
    demand(found.dtype.kind in "biuf", f"{name} must hold numbers, not {found.dtype}")
    found = found.astype(float)
    bad = found.size - np.isfinite(found).sum() if finite else 0
    demand(not bad, f"{name} holds {bad} values that are NaN or infinite: fill or drop")
    return found
