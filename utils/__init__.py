"""Small helpers that every lesson may use: nothing in here is the idea of a lesson."""


def set_up(seed=0):
    """Make a lesson repeatable: seed Python, NumPy and torch; one thread, one style.

    One thread, because the cells of small networks take microseconds: handing them to
    a second thread costs more than it saves, on a busy machine many times more.
    """
    import os
    import random
    import sys

    import numpy as np
    import torch

    from utils.exercises import progress
    from utils.plotting import use_style

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    use_style()
    if os.environ.get("TQDM_DISABLE"):
        _hide_progress_bars()
    for stream in (sys.stdout, sys.stderr):  # a terminal may not know every sign
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    progress.greet(sys._getframe(1).f_globals.get("checks"))


def _hide_progress_bars():
    """Make tqdm's bars in notebooks obey TQDM_DISABLE, as its bars in a terminal do:
    a stored notebook would keep each of them as a dead line.
    """
    from functools import partialmethod

    from tqdm.auto import tqdm

    if not isinstance(vars(tqdm).get("__init__"), partialmethod):
        tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)
