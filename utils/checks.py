"""Checks that answer a learner's exercise in words: not attempted yet, a hint, or ✔.

Each exercise of a lesson has one public function here. It calls the learner's function
with small random inputs and compares the results with the right ones. A usual mistake
is written down as a function as well: an answer that behaves like it gets its hint.
"""

import copy
import ctypes
import dis
import inspect
import re
import threading
import time
import warnings
from functools import partial

import numpy as np
import torch

SEEDS = (11, 12, 13, 14, 15, 16)  # each draws one input; sizes differ between them
CPU_LIMIT, WALL_LIMIT = 1.5, 20.0  # seconds for one exercise


class _TooLong(BaseException):
    """Not an Exception, so that an `except Exception` of the learner lets it pass."""


def _check(function, draw, right, mistakes, verified, arrays_first=False):
    """Print what there is to say about `function`.

    draw      draw(rng) gives the arguments of one call, a dict from name to value;
              NumPy arrays are handed over as float32 tensors, or as arrays to a
              function that wants those
    right     a function of the same arguments (as NumPy arrays), or of everything else
              in `draw` unchanged, that gives the right result
    mistakes  a dict from hint to a wrong function, for each usual mistake
    verified  what a right answer has been shown to do
    arrays_first  hand over NumPy arrays, and tensors only to a function that cannot
              work with those: where std() or isnan() mean something else in torch
    """
    name = getattr(function, "__name__", "your answer")
    if function is ... or _is_stub(function):
        print(f"{name}: not attempted yet. Replace the dots, then run both cells.")
        return
    if not callable(function):
        kind = type(function).__name__
        print(f"✘ {kind} is no function: pass your function itself, not called.")
        return
    with torch.random.fork_rng(devices=[]):  # lessons go on with their own numbers
        cases = [draw(np.random.default_rng(seed)) for seed in SEEDS]
        expected = [_run(right, case) for case in cases]
        deadline = time.process_time() + CPU_LIMIT, time.monotonic() + WALL_LIMIT
        kinds = ("numpy", "torch") if arrays_first else ("torch", "numpy")
        tries = [_try(function, cases, kind, deadline) for kind in kinds]
        if arrays_first and not any(isinstance(g, BaseException) for g in tries[0]):
            del tries[1]
    if any(_all_same(expected, got) for got in tries):
        print(f"✔ {name} is right. {verified}")
    else:  # speak about the kind of input that the function can work with
        tries.sort(key=lambda got: sum(isinstance(g, BaseException) for g in got))
        wrong = {h: [_run(m, case) for case in cases] for h, m in mistakes.items()}
        found = ((got, h) for got in tries for h, w in wrong.items() if _alike(w, got))
        got, hint = next(found, (tries[0], None))
        _explain(function, cases, expected, got)
        if hint:
            print(f"Hint: {hint}")


def _try(function, cases, kind, deadline):
    """The results of all calls, up to the first one that does not end."""
    got = []
    with warnings.catch_warnings():  # about tensors in NumPy functions: no mistake here
        warnings.simplefilter("ignore", DeprecationWarning)
        for case in cases:
            got.append(_run(function, case, kind, deadline))
            if isinstance(got[-1], _TooLong):
                break
    return got


def _explain(function, cases, expected, got):
    name = getattr(function, "__name__", "your answer")
    pairs = zip(cases, expected, got, strict=False)
    case, wanted, found = next(p for p in pairs if not _same(*p[1:]))
    print(f"✘ {name} is not right yet. The first input on which it differs:")
    for argument, value in case.items():
        print(f"    {argument} = {_show(value, indent=len(argument) + 7)}")
    print(f"  expected {_show(wanted)}")
    if isinstance(found, _TooLong):
        print("  got      no answer in time. Does a loop in it never end?")
    elif isinstance(found, Exception):
        kind, line = type(found).__name__, _where(found, function)
        print(f"  got      an error: {kind}: {found}{line}")
        if _about_shapes(found):
            print("  Two shapes do not fit: print both, just before that line.")
    elif found is None:
        print("  got      None. Is a `return` missing?")
    else:
        print(f"  got      {_show(found)}")


def _about_shapes(error):
    """Whether two shapes do not fit. Wrong names or arguments hold such words, too."""
    if not isinstance(error, ValueError | RuntimeError | IndexError):
        return False
    said = str(error)
    return bool(re.search(r"shape|size|dimension|mismatch", said)) and (
        "out of bounds" not in said and "out of range" not in said
    )


def _run(function, case, kind="numpy", deadline=None):
    """The result of one call, or the exception that it raised."""
    arguments = [_hand_over(value, kind) for value in case.values()]
    end_watch = _watch(*deadline) if deadline else lambda: None
    try:
        try:
            result = function(*arguments)
        except (Exception, SystemExit) as error:
            result = error
        end_watch()
    except _TooLong as late:
        end_watch()
        result = late
    return result


def _watch(cpu, wall):
    """Raise _TooLong in this thread, once, when the process has used so much time.

    A second thread looks at the clocks. The kernel's own interrupt is left alone: it is
    the learner's. Returns a function that ends the watch.
    """
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread, over = ctypes.c_ulong(threading.get_ident()), threading.Event()
    lock = threading.Lock()

    def look():
        while not over.wait(0.05):
            if time.process_time() > cpu or time.monotonic() > wall:
                with lock:
                    if not over.is_set():
                        raise_in(thread, ctypes.py_object(_TooLong))
                return

    def end():
        over.set()
        with lock:
            raise_in(thread, None)  # it may have come too late to be raised

    threading.Thread(target=look, daemon=True).start()
    return end


def _hand_over(value, kind):
    """A copy, so that a function which changes its inputs harms nobody else."""
    value = copy.deepcopy(value)
    if kind == "torch" and isinstance(value, np.ndarray):
        short = value.astype(np.float32) if value.dtype.kind == "f" else value
        return torch.from_numpy(short)
    return value


def _is_stub(function):
    """Whether the body is still `...`, a docstring above it or not."""

    def stub(): ...

    def steps(code):
        return [(step.opname, step.argval) for step in dis.get_instructions(code)]

    code = getattr(function, "__code__", None)
    return code is not None and steps(code) == steps(stub.__code__)


def _numbers(result):
    """A result as one array, or as a list of them where the result is a tuple."""
    if isinstance(result, torch.Tensor):
        return result.detach().numpy()
    if isinstance(result, tuple):
        return [_numbers(part) for part in result]
    if isinstance(result, list):
        return np.array([_numbers(part) for part in result])
    return np.asarray(result)


def _same(wanted, found):
    """Whether two results are equal, up to rounding in 32 bits."""
    if isinstance(found, BaseException) or found is None:
        return False
    try:
        wanted, found = _numbers(wanted), _numbers(found)
        if isinstance(wanted, list) or isinstance(found, list):
            return len(wanted) == len(found) and all(map(_same, wanted, found))
        if wanted.shape != found.shape:
            return False
        if wanted.dtype.kind in "US":
            return bool((wanted == found).all())
        return np.allclose(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)
    except (TypeError, ValueError):
        return False


def _all_same(wanted, found):
    return len(wanted) == len(found) and all(map(_same, wanted, found))


def _alike(mistaken, got):
    """Whether a mistake explains all calls: it fails where they fail, and where it
    gives a result, which it must do at least once, they give the same.
    """
    worked = False
    for theirs, ours in zip(mistaken, got, strict=False):
        if isinstance(theirs, BaseException) or isinstance(ours, BaseException):
            if type(theirs) is not type(ours):
                return False
        elif not _same(theirs, ours):
            return False
        else:
            worked = True
    return worked


def _show(value, indent=11):
    """A value in a line or two: its numbers, and its shape if it has one."""
    if isinstance(value, tuple):
        parts = [_show(part, indent + 1) for part in value]
        many = any("\n" in part for part in parts)
        between = ",\n" + " " * (indent + 1) if many else ", "
        return "(" + between.join(parts) + ")"
    if isinstance(value, torch.nn.Module):
        weights = (f"{n} = {_show(w, indent)}" for n, w in value.named_parameters())
        return "\n    ".join([repr(value), *weights])
    try:
        numbers = np.asarray(_numbers(value))
    except (TypeError, ValueError):
        return repr(value)
    if numbers.dtype.kind not in "biuf":
        return repr(value)
    text = np.array2string(
        numbers, precision=3, suppress_small=True, threshold=24, prefix=" " * indent
    )
    return f"{text}  shape {numbers.shape}" if numbers.ndim else text


def _where(error, function):
    """The line of the learner's own code on which an error was raised."""
    here = getattr(getattr(function, "__code__", None), "co_filename", None)
    for frame in reversed(inspect.getinnerframes(error.__traceback__)):
        if frame.filename == here and frame.code_context:
            return f"\n           in the line: {frame.code_context[0].strip()}"
    return ""


def _random(rng, shapes):
    return {name: rng.normal(size=shape).round(1) + 0 for name, shape in shapes.items()}


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


# --- 01 · Introduction to recurrent neural networks ---


def number_of_weights(function):
    def count(inputs, units, outputs, state=None, biases=2, read=1, read_bias=1):
        rnn = units * (inputs + (state or units) + biases)
        return rnn + read * outputs * (units + read_bias)

    def draw(rng):
        sizes = map(int, rng.integers(1, 9, size=3))
        return dict(zip(("inputs", "units", "outputs"), sizes, strict=True))

    _check(
        function,
        draw,
        count,
        {
            "PyTorch keeps the bias of the cell in two parts; yours is one.": (
                partial(count, biases=1)
            ),
            "That is the RNN alone. What does the linear layer add?": (
                partial(count, read=0)
            ),
            "The linear layer has a bias as well, one number for each output.": (
                partial(count, read_bias=0)
            ),
            "W_h leads from the state to the state: how many rows and columns has "
            "it?": lambda i, h, o: count(i, h, o, state=i),
        },
        "Networks with 1 to 8 inputs, units and outputs.",
    )


def _last_state(x, W_x, W_h, b, squash=np.tanh):
    h = np.zeros((x.shape[1], len(b)))
    for x_t in x:
        h = squash(x_t @ W_x.T + h @ W_h.T + b)
    return h


def last_state(function):
    def draw(rng):
        T, B, inputs, H = rng.integers(2, 4, size=4)
        shapes = {"x": (T, B, inputs), "W_x": (H, inputs), "W_h": (H, H), "b": H}
        return _random(rng, shapes)

    _check(
        function,
        draw,
        _last_state,
        {
            "The last step knows nothing of the steps before it: where does the old "
            "state enter?": lambda x, W, U, b: _last_state(x, W, 0 * U, b),
            "Nothing squashes your states.": partial(_last_state, squash=lambda a: a),
            "The constant for each unit is missing.": (
                lambda x, W, U, b: _last_state(x, W, U, 0 * b)
            ),
            "Your loop runs over the sequences. Which axis of x holds the steps?": (
                lambda x, W, U, b: _last_state(x.swapaxes(0, 1), W, U, b)
            ),
            "W_h has to be transposed: it is square, so no shape warns you.": (
                lambda x, W, U, b: _last_state(x, W, U.T, b)
            ),
            "Both matrices have to be transposed: the states stand in rows.": (
                lambda x, W, U, b: _last_state(x, W.T, U.T, b)
            ),
        },
        "2 or 3 steps, sequences, inputs and units.",
    )


def back_one_step(function):
    def draw(rng):
        H = rng.integers(2, 4)
        given = _random(rng, {"grad_h": H, "h": H, "W_h": (H, H)})
        given["h"] = rng.choice([-0.9, -0.7, 0.6, 0.8], size=H)  # where tanh is flat
        return given

    _check(
        function,
        draw,
        lambda g, h, W: W.T @ ((1 - h**2) * g),
        {
            "W_h leads forwards. Rows and columns change places on the way back.": (
                lambda g, h, W: W @ ((1 - h**2) * g)
            ),
            "The squashing is left out: where is the slope of tanh?": (
                lambda g, h, W: W.T @ g
            ),
            "h has been through tanh already; your slope sends it through again.": (
                lambda g, h, W: W.T @ ((1 - np.tanh(h) ** 2) * g)
            ),
            "Forwards, tanh comes last. So which of the two comes first on the way "
            "back?": lambda g, h, W: (1 - h**2) * (W.T @ g),
        },
        "States and slopes of 2 or 3 units.",
    )


def _length(values):
    return np.sqrt((values**2).sum())


def clip_gradient(function):
    def draw(rng):
        gradient = rng.normal(size=rng.integers(2, 5)).round(1)
        # Of the six seeds some give a gradient that is short enough, others do not.
        return {"gradient": gradient, "limit": round(rng.uniform(0.5, 3), 1)}

    _check(
        function,
        draw,
        lambda g, limit: g * min(1, limit / _length(g)),
        {
            "Each number was cut on its own: that turns the gradient. Its direction "
            "should stay.": lambda g, limit: np.clip(g, -limit, limit),
            "A gradient that is short enough must come back unchanged; yours was made "
            "longer.": lambda g, limit: g * limit / _length(g),
            "A long gradient comes back with length 1: where does the limit come "
            "in?": lambda g, limit: g if _length(g) <= limit else g / _length(g),
            "The length is the root of the sum of squares; yours has no root.": (
                lambda g, limit: g * min(1, limit / (g**2).sum())
            ),
        },
        "Short and long gradients of 2 to 4 numbers, and their directions.",
    )


# --- 02.1 · Simple RNN ---


def my_windows(function):
    def cut(series, length, horizon, less=0, shift=0, stride=1):
        starts = range(0, len(series) - length - horizon + 1 - less, stride)
        future = [series[s + length + shift :][:horizon] for s in starts]
        return np.array([series[s : s + length] for s in starts]), np.array(future)

    def draw(rng):
        series = rng.normal(size=rng.integers(8, 10)).round(1)
        length, horizon = map(int, rng.integers((2, 1), 4))
        return {"series": series, "length": length, "horizon": horizon}

    _check(
        function,
        draw,
        cut,
        {
            "The last pair is missing: its target ends with the last value. Count "
            "again.": partial(cut, less=1),
            "Too many pairs: the last targets reach beyond the end of the series.": (
                lambda s, length, horizon: cut(s, length, horizon, less=1 - horizon)
            ),
            "Your targets begin with the last value of the window, which is known.": (
                partial(cut, shift=-1)
            ),
            "Your windows lie end to end. Each should begin one step after the one "
            "before.": lambda s, n, horizon: cut(s, n, horizon, stride=n),
            "Each target is one value. All steps up to the horizon belong to it.": (
                lambda *given: (cut(*given)[0], cut(*given)[1][:, -1:])
            ),
        },
        "Windows of 2 or 3 values, 1 to 3 steps to forecast, and every pair.",
    )


def standardised(function):
    def scale(series, known, spread=np.std):
        return (series - known.mean()) / spread(known)

    def draw(rng):
        n = int(rng.integers(3, 6))
        series = rng.normal(5, 2, size=n + rng.integers(2, 4)).round(1)
        return {"series": series, "train_length": n}

    _check(
        function,
        draw,
        lambda s, n: scale(s, s[:n]),
        {
            "You measured on all values, the future included: that leaks.": (
                lambda s, n: scale(s, s)
            ),
            "Only the training part came back: the rest has to be scaled as well.": (
                lambda s, n: scale(s[:n], s[:n])
            ),
            "The rest was scaled by a mean and a spread of its own: there 1 means "
            "something else than in training.": (
                lambda s, n: np.concatenate([scale(p, p) for p in np.split(s, [n])])
            ),
            "That is the variance. The standard deviation is its root.": (
                lambda s, n: scale(s, s[:n], np.var)
            ),
            "Your standard deviation divides by one less than the number of values, as "
            "torch's does unless told otherwise.": (
                lambda s, n: scale(s, s[:n], partial(np.std, ddof=1))
            ),
        },
        "Measured on the first 3 to 5 values, applied to all.",
        arrays_first=True,
    )


def descend(function):
    def loop(zero="before", clip=True, optimizer=torch.optim.SGD, reduction="mean"):
        def run(layer, x, y, steps, lr, limit):
            x, y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
            move, weights = optimizer(layer.parameters(), lr=lr), layer.parameters
            for _ in range(steps):
                loss = torch.nn.functional.mse_loss(layer(x), y, reduction=reduction)
                if zero == "before":
                    move.zero_grad()
                loss.backward()
                if clip:
                    torch.nn.utils.clip_grad_norm_(weights(), limit)
                if zero == "after":
                    move.zero_grad()
                move.step()
            return layer.weight, layer.bias

        return run

    def draw(rng):
        B, inputs, outputs, steps = map(int, rng.integers(2, (4, 4, 4, 5)))
        torch.manual_seed(rng.integers(1000))
        layer = torch.nn.Linear(inputs, outputs)
        pair = _random(rng, {"x": (B, inputs), "y": (B, outputs)})
        lr, limit = rng.uniform((0.2, 0.5), (0.6, 3)).round(1).tolist()
        return {"layer": layer} | pair | {"steps": steps, "lr": lr, "limit": limit}

    _check(
        function,
        draw,
        loop(),
        {
            "From the second step on, old gradients are added to the new one.": (
                loop(zero="never")
            ),
            "The steps are too long: was the gradient clipped when it was there, and "
            "before it was used?": loop(clip=False),
            "No weight has moved: was the gradient still there at the step?": (
                loop(zero="after")
            ),
            "That is Adam's step. Here every weight moves by lr times its slope.": (
                loop(optimizer=torch.optim.Adam)
            ),
            "Your loss is a sum over the numbers, not their mean.": (
                loop(reduction="sum")
            ),
        },
        "Weight and bias after 2 to 4 steps, some of them clipped.",
    )


# --- 02.2 · LSTM ---


def half_life_bias(function):
    def gate(n):
        return 0.5 ** (1 / n)

    def bias(f):
        return np.log(f / (1 - f))

    _check(
        function,
        lambda rng: {"n": int(rng.integers(2, 150))},
        lambda n: bias(gate(n)),
        {
            "That is the bias for the time scale n, after which a little more than a "
            "third is left. Here half should be left.": lambda n: np.log(n - 1),
            "That is the gate itself, between 0 and 1. Which bias gives this gate?": (
                gate
            ),
            "The sigmoid leads from the bias to the gate. You need the way back.": (
                lambda n: _sigmoid(gate(n))
            ),
            "The log undoes an exponential. The gate is a sigmoid of its bias.": (
                lambda n: np.log(gate(n))
            ),
            "Each step takes away a share of what is still left, not the same amount. "
            "What is left after n steps?": lambda n: bias(1 - 0.5 / n),
        },
        "Biases for memories of 2 to 150 steps.",
    )


def _lstm_step(x_t, h, c, W_x, W_h, b, order="ifgo", squash=np.tanh, show=None):
    blocks = np.split(x_t @ W_x.T + h @ W_h.T + b, 4, axis=1)
    a = dict(zip(order, blocks, strict=True))
    i, f, o = (_sigmoid(a[gate]) for gate in "ifo")
    new = f * c + i * squash(a["g"])
    return o * (np.tanh(new) if show is None else show(c, new)), new


def one_lstm_step(function):
    def draw(rng):
        B, inputs, H = rng.integers(1, 4, size=3)
        states = {"x_t": (B, inputs), "h": (B, H), "c": (B, H)}
        weights = {"W_x": (4 * H, inputs), "W_h": (4 * H, H), "b": 4 * H}
        return _random(rng, states | weights)

    _check(
        function,
        draw,
        _lstm_step,
        {
            "The last two blocks of rows are exchanged: which stands third in PyTorch, "
            "which fourth?": partial(_lstm_step, order="ifog"),
            "The first two blocks of rows are exchanged: which comes first in PyTorch, "
            "input gate or forget gate?": partial(_lstm_step, order="figo"),
            "The two blocks in the middle are exchanged: which stands second in "
            "PyTorch, which third?": partial(_lstm_step, order="igfo"),
            "The candidate may be negative as well: it is no gate and has another "
            "function than the gates.": partial(_lstm_step, squash=_sigmoid),
            "c is right, h is not: what squashes the memory before it is shown?": (
                partial(_lstm_step, show=lambda old, new: new)
            ),
            "c is right, h is not: it shows the old memory, not the new one.": (
                partial(_lstm_step, show=lambda old, new: np.tanh(old))
            ),
            "Both states are right, but they come back in the wrong order.": (
                lambda *inputs: _lstm_step(*inputs)[::-1]
            ),
        },
        "Both states, in batches of 1 to 3 with 1 to 3 inputs and units.",
    )


def _feed_back(weights, known, steps, move=lambda window, y: [*window[1:], y]):
    window, forecasts = known[-len(weights) :], []
    for _ in range(steps):
        forecasts.append(weights @ window)
        window = move(window, forecasts[-1])
    return np.array(forecasts)


def feed_back(function):
    def draw(rng):
        order = rng.integers(2, 4)
        weights, known = rng.normal(size=order), rng.normal(size=order + 2)
        steps = int(rng.integers(3, 6))
        return {"weights": weights.round(1), "known": known.round(1), "steps": steps}

    def from_the_start(weights, known, steps):
        values = list(known)
        for t in range(steps):
            values.append(weights @ values[t : t + len(weights)])
        return np.array(values[len(known) :])

    _check(
        function,
        draw,
        _feed_back,
        {
            "All your forecasts are the same: none of them ever reads the one before "
            "it.": partial(_feed_back, move=lambda window, y: window),
            "Each forecast takes the place of the newest value. The window should move "
            "on: which value has to leave it?": (
                partial(_feed_back, move=lambda window, y: [*window[:-1], y])
            ),
            "The weights meet the values in the wrong order: the last weight belongs "
            "to the newest value.": lambda w, k, n: _feed_back(w[::-1], k, n),
            "Your window begins with the oldest values. The first forecast should read "
            "the newest.": from_the_start,
            "Return the forecasts alone, without the known values.": (
                lambda w, k, n: np.concatenate([k, _feed_back(w, k, n)])
            ),
        },
        "3 to 5 forecasts, from 2 or 3 weights.",
    )


# --- 02.3 · GRU ---


def _gru_step(x_t, h, W_x, W_h, b_x, b_h, order="rzn", reset="after", swap=False):
    W, U, b, d = (
        dict(zip(order, np.split(stack, 3), strict=True))
        for stack in (W_x, W_h, b_x, b_h)
    )
    r, z = (_sigmoid(x_t @ W[k].T + b[k] + h @ U[k].T + d[k]) for k in "rz")
    from_h = {
        "after": r * (h @ U["n"].T + d["n"]),
        "before": (r * h) @ U["n"].T + d["n"],
        "after, not the bias": r * (h @ U["n"].T) + d["n"],
        "never": h @ U["n"].T + d["n"],
    }
    n = np.tanh(x_t @ W["n"].T + b["n"] + from_h[reset])
    return (1 - z) * h + z * n if swap else (1 - z) * n + z * h


def one_gru_step(function):
    def draw(rng):
        B, inputs = rng.integers(1, 4, size=2)
        H = rng.integers(2, 4)  # one unit would hide a transposition
        weights = {
            "W_x": (3 * H, inputs),
            "W_h": (3 * H, H),
            "b_x": 3 * H,
            "b_h": 3 * H,
        }
        return _random(rng, {"x_t": (B, inputs), "h": (B, H)} | weights)

    def transposed(x_t, h, W_x, W_h, b_x, b_h):
        W_h = np.concatenate([block.T for block in np.split(W_h, 3)])
        return _gru_step(x_t, h, W_x, W_h, b_x, b_h)

    _check(
        function,
        draw,
        _gru_step,
        {
            "Your reset gate acts before the matrix product. That is the other of the "
            "two formulas.": partial(_gru_step, reset="before"),
            "The bias b_hn stands in the wrong place: what does r multiply?": (
                partial(_gru_step, reset="after, not the bias")
            ),
            "The two shares are exchanged: with z near 1, what does PyTorch keep?": (
                partial(_gru_step, swap=True)
            ),
            "r and z are exchanged: which gate has the first rows in PyTorch?": (
                partial(_gru_step, order="zrn")
            ),
            "W_h acts transposed. It is square in each block, so no shape warns you.": (
                transposed
            ),
            "The reset gate has no effect: where does it enter the candidate?": (
                partial(_gru_step, reset="never")
            ),
        },
        "The new state, in batches of 1 to 3 with 1 to 3 inputs and 2 or 3 units.",
    )


def fill_forward(function):
    def draw(rng):
        values = (10 * rng.normal(size=rng.integers(6, 9))).round(1)
        gaps = rng.random(len(values)) < 0.2
        gaps[0], gaps[2:4] = False, True
        values[gaps] = np.nan
        return {"values": values}

    def right(values):
        known = np.where(np.isnan(values), 0, np.arange(len(values)))
        return values[np.maximum.accumulate(known)]

    def fill(values, by):
        return np.where(np.isnan(values), by, values)

    def interpolate(values):
        at, known = np.arange(len(values)), ~np.isnan(values)
        return np.interp(at, at[known], values[known])

    _check(
        function,
        draw,
        right,
        {
            "That is the line from the value before a gap to the one after it. At that "
            "hour, was the far end known?": interpolate,
            "You fill a gap with the value that comes after it. That one was measured "
            "later.": lambda values: right(values[::-1])[::-1],
            "A mean of all values is made of later ones too, and it is not the last "
            "one known.": lambda values: fill(values, np.nanmean(values)),
            "A gap of two hours stays half open: the value before its second hour is "
            "missing as well.": lambda v: fill(v, np.concatenate([v[:1], v[:-1]])),
            "Nothing was filled. NaN is equal to nothing, not even to itself: how do "
            "you find it?": lambda values: values,
        },
        "Series of 6 to 8 hours with gaps of one hour and longer.",
        arrays_first=True,
    )


def interval_of_five(function):
    def interval(scores, factor=2.776, ddof=1, n=5):
        half = factor * scores.std(ddof=ddof) / np.sqrt(n)
        return scores.mean() - half, scores.mean() + half

    _check(
        function,
        lambda rng: {"scores": rng.uniform(1, 3, size=5).round(1)},
        interval,
        {
            "Asked are both ends, not the mean and half the width.": (
                lambda scores: (scores.mean(), np.ptp(interval(scores)) / 2)
            ),
            "Your spread is too small: it forgets that the mean was taken from the "
            "same five values. Look for ddof in the cell of the table.": (
                partial(interval, ddof=0)
            ),
            "1.96 belongs to very many values. With five, the spread is uncertain "
            "too.": partial(interval, factor=1.96),
            "Dividing by 5 is too much: how does the luck of a mean shrink with the "
            "number of values?": (partial(interval, n=25)),
            "So wide is the range of single seeds. The mean of five varies less.": (
                partial(interval, n=1)
            ),
            "Mean plus and minus the spread is no 95 % interval: the number from "
            "Student's t and the size of the sample are missing.": (
                partial(interval, factor=1, n=1)
            ),
        },
        "Both ends, for six sets of five scores.",
        arrays_first=True,
    )


# --- 02.4 · Stacked RNN ---


def weights_of_stack(function):
    def count(inputs, units, layers, above=None, biases=2, blocks=4):
        first = units * (inputs + units + biases)
        return blocks * (first + (layers - 1) * units * ((above or units) + units + 2))

    def draw(rng):
        inputs, units = map(int, rng.choice(range(2, 9), size=2, replace=False))
        return {"inputs": inputs, "units": units, "layers": int(rng.integers(2, 5))}

    _check(
        function,
        draw,
        count,
        {
            "Every layer but the first reads the layer below it: how many numbers does "
            "that give at a step?": lambda i, h, n: n * count(i, h, 1),
            "An LSTM has four blocks of weights, one for each gate and one for the "
            "candidate.": partial(count, blocks=1),
            "PyTorch keeps two biases for each gate; you count one.": (
                lambda i, h, n: count(i, h, n) - 4 * h * n
            ),
            "That is the first layer alone.": lambda i, h, n: count(i, h, 1),
        },
        "Stacks of two to four layers with 2 to 8 inputs and units.",
    )


def _softmax(scores):
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def bits_of(function):
    def draw(rng):
        T, letters = rng.integers(3, 6), rng.integers(2, 4)
        return {
            "scores": _random(rng, {"s": (T, letters)})["s"],
            "came": rng.integers(0, letters, size=T),
        }

    def chance(scores, came):
        return _softmax(scores)[np.arange(len(came)), came]

    _check(
        function,
        draw,
        lambda s, came: -np.log2(chance(s, came)).mean(),
        {
            "The unit is nats: a natural logarithm. One bit is log(2) nats.": (
                lambda s, came: -np.log(chance(s, came)).mean()
            ),
            "That is the sum over all letters; asked is the mean.": (
                lambda s, came: -np.log2(chance(s, came)).sum()
            ),
            "First the mean, then the logarithm: it must be the other way round, each "
            "letter pays for itself.": (
                lambda s, came: -np.log2(chance(s, came).mean())
            ),
            "The sign: a probability is below 1, so its logarithm is negative.": (
                lambda s, came: np.log2(chance(s, came)).mean()
            ),
            "Scores are no probabilities yet. What makes them positive, with sum "
            "1?": lambda s, came: -s[np.arange(len(came)), came].mean(),
        },
        "Three to five letters of alphabets of two or three.",
    )


def at_temperature(function):
    def draw(rng):
        scores = _random(rng, {"scores": rng.integers(3, 6)})
        return scores | {"temperature": float(rng.choice([0.3, 0.5, 2.0, 3.0]))}

    _check(
        function,
        draw,
        lambda s, temperature: _softmax(s / temperature),
        {
            "You multiply by the temperature: then a *high* one makes the choice "
            "sharper.": lambda s, t: _softmax(s * t),
            "The temperature has no effect on your answer. (If you divided all "
            "probabilities by it and made their sum 1 again: that cancels.)": (
                lambda s, t: _softmax(s)
            ),
            "These do not sum to 1. In which step must the temperature come in?": (
                lambda s, t: _softmax(s) / t
            ),
            "The exponentials still have to be divided by their sum.": (
                lambda s, t: np.exp(s / t)
            ),
        },
        "Low and high temperatures; the probabilities sum to 1.",
    )


# --- 02.5 · Bidirectional RNN ---


def sum_up(function):
    def draw(rng):
        return _random(rng, {"out": (2, rng.integers(3, 5), 2 * rng.choice([1, 2, 6]))})

    def halves(out, forward, backward):
        H = out.shape[2] // 2
        return np.concatenate([out[:, forward, :H], out[:, backward, H:]], axis=1)

    _check(
        function,
        draw,
        lambda out: halves(out, -1, 0),
        {
            "The usual bug: at the last step the backward half has read one input "
            "only. Where does it end?": lambda out: out[:, -1],
            "At the first step the forward half has read one input only.": (
                lambda out: out[:, 0]
            ),
            "Each half is taken where its direction begins, not where it ends.": (
                lambda out: halves(out, 0, -1)
            ),
            "The forward half belongs in front, as in h_n: first 0, then 1.": (
                lambda out: np.roll(halves(out, -1, 0), out.shape[2] // 2, axis=1)
            ),
            "A mean over the steps is a summary too, but not the one asked for.": (
                lambda out: out.mean(axis=1)
            ),
        },
        "Both ends, for 1 to 6 units and three or four steps.",
    )


def mean_loss(function):
    def draw(rng):
        T = int(rng.integers(3, 5))
        lengths = np.array([T, *rng.integers(1, T, size=2)])
        real = np.arange(T) < lengths[:, None]
        # Padding has a loss too: the network answers there as well.
        losses = rng.uniform(0.1, 2, size=(3, T)).round(1)
        return {"losses": np.where(real, losses, 9.9), "lengths": lengths}

    def kept(losses, lengths, more=0):
        return losses[np.arange(losses.shape[1]) < lengths[:, None] + more]

    def by_sequence(losses, lengths):
        pairs = zip(losses, lengths, strict=True)
        return np.mean([row[:n].mean() for row, n in pairs])

    _check(
        function,
        draw,
        lambda losses, lengths: kept(losses, lengths).mean(),
        {
            "That is the mean over all places, padded steps included.": (
                lambda losses, lengths: losses.mean()
            ),
            "The padding is left out of the sum, but you still divide by all "
            "places.": lambda losses, lengths: (
                kept(losses, lengths).sum() / losses.size
            ),
            "A mean of means: a step of a short sequence counts more than one of a "
            "long sequence.": by_sequence,
            "One padded step of each sequence slips in: a sequence of length 2 has the "
            "steps 0 and 1.": lambda losses, lengths: kept(losses, lengths, 1).mean(),
            "That is the sum.": lambda losses, lengths: kept(losses, lengths).sum(),
        },
        "Three sequences of unequal length; padding counts nowhere.",
    )


def read_back(function):
    def draw(rng):
        T = int(rng.integers(4, 6))
        lengths = np.array([T, *rng.integers(2, T, size=2)])
        x = rng.permutation(np.arange(1, 3 * T + 1)).reshape(3, T)
        return {
            "x": np.where(np.arange(T) < lengths[:, None], x, 0),
            "lengths": lengths,
        }

    def right(x, lengths):
        places = lengths[:, None] - 1 - np.arange(x.shape[1])
        back = np.take_along_axis(x, np.maximum(places, 0), axis=1)
        return np.where(places >= 0, back, 0)

    _check(
        function,
        draw,
        right,
        {
            "Now the padding stands in front, and the backward layer would read it "
            "first. Turn round only the real steps.": lambda x, lengths: x[:, ::-1],
            "The sequences of the batch have changed places; the steps of each must.": (
                lambda x, lengths: x[::-1]
            ),
            "Nothing was turned round.": lambda x, lengths: x,
            "The first step of each sequence got lost: a slice that counts down stops "
            "before its end.": lambda x, lengths: np.where(
                np.arange(x.shape[1]) < lengths[:, None] - 1, right(x, lengths), 0
            ),
        },
        "Batches of three sequences with 2 to 5 steps; the padding stays behind.",
    )


# --- 02.6 · Choosing a model ---


def units_for(function):
    def size(units, inputs, gates, biases=2):
        return gates * units * (inputs + units + biases)

    def largest(budget, inputs, gates, **options):
        units = 0
        while size(units + 1, inputs, gates, **options) <= budget:
            units += 1
        return units

    def draw(rng):
        gates, inputs = int(rng.choice([1, 3, 4])), int(rng.integers(2, 9))
        exact = size(int(rng.integers(2, 20)), inputs, gates)
        budget = exact - int(rng.integers(2))
        return {"budget": budget, "inputs": inputs, "gates": gates}

    _check(
        function,
        draw,
        largest,
        {
            "One unit too many: the layer must not be larger than the budget.": (
                lambda *case: largest(*case) + 1
            ),
            "PyTorch keeps two biases for each unit and block; you count one.": (
                partial(largest, biases=1)
            ),
            "The blocks of weights are missing: 1 in an RNN, 3 in a GRU, 4 in an "
            "LSTM.": lambda budget, inputs, gates: largest(budget, inputs, 1),
            "A larger network is too large: you left out the weights from state to "
            "state, which grow with the square of H.": (
                lambda budget, inputs, gates: budget // (gates * (inputs + 2))
            ),
            "You left out the weights of the inputs.": (
                lambda budget, inputs, gates: largest(budget, 0, gates)
            ),
            "The budget divided by the gates, and a root: inputs and biases need room "
            "as well.": lambda budget, inputs, gates: int((budget / gates) ** 0.5),
        },
        "RNN, GRU and LSTM layers; budgets met exactly, or missed by one.",
    )


def interval_of_difference(function):
    def draw(rng):
        hard = rng.normal(size=5)  # what is hard for one model is hard for the other
        a, b = (3 + hard + rng.normal(scale=0.3, size=5) for _ in range(2))
        return {"a": a.round(1), "b": b.round(1)}

    def ends(mean, half):
        return mean - half, mean + half

    def paired(a, b, factor=2.776, ddof=1, n=5):
        return ends((a - b).mean(), factor * (a - b).std(ddof=ddof) / n**0.5)

    def unpaired(a, b):
        spread = np.sqrt(a.var(ddof=1) + b.var(ddof=1))
        return ends((a - b).mean(), 2.776 * spread / 5**0.5)

    _check(
        function,
        draw,
        paired,
        {
            "Asked are both ends, not the mean and half the width.": (
                lambda a, b: (np.mean(paired(a, b)), np.ptp(paired(a, b)) / 2)
            ),
            "You add up the spreads of the two models. Seeds that are hard for both "
            "make them wide: take the difference for each seed first.": unpaired,
            "The sign: asked is a minus b.": lambda a, b: paired(b, a),
            "The spread forgets that the mean was taken from the same five values "
            "(ddof).": partial(paired, ddof=0),
            "That is the range of single differences; their mean varies less, by the "
            "root of 5.": partial(paired, n=1),
            "1.96 belongs to very many seeds.": partial(paired, factor=1.96),
        },
        "Both ends, for six pairs of models with five seeds each.",
        arrays_first=True,
    )


def verdict(function):
    def draw(rng):
        middle = rng.choice([-1.5, -0.2, 0.2, 1.5])
        half = rng.uniform(0.4, 1.0)
        return {"low": round(middle - half, 1), "high": round(middle + half, 1)}

    def right(low, high):
        return "a" if high < 0 else "b" if low > 0 else "undecided"

    swapped = {"a": "b", "b": "a", "undecided": "undecided"}
    _check(
        function,
        draw,
        right,
        {
            "Lower is better here: if a minus b is certainly negative, a wins.": (
                lambda low, high: swapped[right(low, high)]
            ),
            "The middle of the interval alone decides nothing: how far does it "
            "reach?": lambda low, high: "a" if low + high < 0 else "b",
            "One end below 0 is not enough for a: the whole interval must be.": (
                lambda low, high: "a" if low < 0 else "b"
            ),
        },
        "Intervals below 0, above 0, and around it.",
    )
