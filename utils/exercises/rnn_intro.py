"""The exercises of 01, Introduction to recurrent neural networks."""

from functools import partial

import numpy as np

from utils.exercises import Exercise, Mistake, draw_arrays

# --- Exercise 2.1: count the weights --------------------------------------------------


def _draw_sizes(rng):
    inputs, units, outputs = map(int, rng.integers(1, 9, size=3))
    return {"inputs": inputs, "units": units, "outputs": outputs}


def _weights(inputs, units, outputs, state=None, biases=2, read=1, read_bias=1):
    rnn = units * (inputs + (state or units) + biases)
    return rnn + read * outputs * (units + read_bias)


number_of_weights = Exercise(
    draw=_draw_sizes,
    right=_weights,
    verified="Networks with 1 to 8 inputs, units and outputs.",
    mistakes=[
        Mistake(
            "PyTorch keeps the bias of the cell in two parts; yours is one.",
            partial(_weights, biases=1),
            """
            def number_of_weights(inputs, units, outputs):
                return units * (inputs + units + 1) + outputs * (units + 1)
            """,
        ),
        Mistake(
            "That is the RNN alone. What does the linear layer add?",
            partial(_weights, read=0),
            """
            def number_of_weights(inputs, units, outputs):
                rnn = nn.RNN(inputs, units)
                return sum(w.numel() for w in rnn.parameters())
            """,
        ),
        Mistake(
            "The linear layer has a bias as well, one number for each output.",
            partial(_weights, read_bias=0),
            """
            def number_of_weights(inputs, units, outputs):
                W_x, W_h, b, W_y = inputs * units, units**2, units, units * outputs
                return W_x + W_h + 2 * b + W_y
            """,
        ),
        Mistake(
            "W_h leads from the state to the state: how many rows and columns has it?",
            lambda i, h, o: _weights(i, h, o, state=i),
            """
            def number_of_weights(inputs, units, outputs):
                cell = 2 * (inputs * units + units)
                return cell + units * outputs + outputs
            """,
        ),
        Mistake(
            "No bias is counted: the cell has two for each unit, the linear layer one "
            "for each output.",
            partial(_weights, biases=0, read_bias=0),
            """
            def number_of_weights(inputs, units, outputs):
                return inputs * units + units * units + units * outputs
            """,
        ),
    ],
)

# --- Exercise 3.1: write the loop for a batch -----------------------------------------


def _draw_network(rng):
    T, B, inputs, H = rng.integers(2, 4, size=4)
    shapes = {"x": (T, B, inputs), "W_x": (H, inputs), "W_h": (H, H), "b": H}
    return draw_arrays(rng, shapes)


def _last_state(x, W_x, W_h, b, squash=np.tanh):
    h = np.zeros((x.shape[1], len(b)))
    for x_t in x:
        h = squash(x_t @ W_x.T + h @ W_h.T + b)
    return h


def _all_states(x, W_x, W_h, b):
    return np.array(
        [_last_state(x[: t + 1], W_x, W_h, b) for t in range(len(x))],
    )


last_state = Exercise(
    draw=_draw_network,
    right=_last_state,
    verified="2 or 3 steps, sequences, inputs and units.",
    mistakes=[
        Mistake(
            "The last step knows nothing of the steps before it: where does the old "
            "state enter?",
            lambda x, W, U, b: _last_state(x, W, 0 * U, b),
            """
            def last_state(x, W_x, W_h, b):
                for x_t in x:
                    h = torch.zeros(x.shape[1], len(b))
                    h = torch.tanh(x_t @ W_x.T + h @ W_h.T + b)
                return h
            """,
        ),
        Mistake(
            "Nothing squashes your states.",
            partial(_last_state, squash=lambda a: a),
            """
            def last_state(x, W_x, W_h, b):
                h = 0 * b
                for t in range(len(x)):
                    h = x[t] @ W_x.T + h @ W_h.T + b
                return h
            """,
        ),
        Mistake(
            "The constant for each unit is missing.",
            lambda x, W, U, b: _last_state(x, W, U, 0 * b),
            """
            def last_state(x, W_x, W_h, b):
                h = np.zeros((x.shape[1], W_h.shape[0]))
                for x_t in x:
                    h = np.tanh(x_t @ W_x.T + h @ W_h.T)
                return h
            """,
        ),
        Mistake(
            "Your loop runs over the sequences. Which axis of x holds the steps?",
            lambda x, W, U, b: _last_state(x.swapaxes(0, 1), W, U, b),
            """
            def last_state(x, W_x, W_h, b):
                h = torch.zeros(len(x), len(b))
                for t in range(x.shape[1]):
                    h = torch.tanh(x[:, t] @ W_x.T + h @ W_h.T + b)
                return h
            """,
        ),
        Mistake(
            "W_h has to be transposed: it is square, so no shape warns you.",
            lambda x, W, U, b: _last_state(x, W, U.T, b),
            """
            def last_state(x, W_x, W_h, b):
                h = torch.zeros(x.shape[1], len(b))
                for x_t in x:
                    h = torch.tanh(x_t @ W_x.T + torch.matmul(h, W_h) + b)
                return h
            """,
        ),
        Mistake(
            "Both matrices have to be transposed: the states stand in rows.",
            lambda x, W, U, b: _last_state(x, W.T, U.T, b),
            """
            def last_state(x, W_x, W_h, b):
                h = 0
                for x_t in x:
                    a = x_t @ W_x + b
                    h = np.tanh(a + h @ W_h if np.ndim(h) else a)
                return h
            """,
        ),
        Mistake(
            "You return the states of all steps; asked is the last one.",
            _all_states,
            """
            def last_state(x, W_x, W_h, b):
                h, states = torch.zeros(x.shape[1], len(b)), []
                for x_t in x:
                    h = torch.tanh(x_t @ W_x.T + h @ W_h.T + b)
                    states.append(h)
                return torch.stack(states)
            """,
        ),
        Mistake(
            "You return the state after the first step; the loop has to go on.",
            lambda x, W, U, b: _last_state(x[:1], W, U, b),
            """
            def last_state(x, W_x, W_h, b):
                h = torch.zeros(x.shape[1], len(b))
                for x_t in x:
                    h = torch.tanh(x_t @ W_x.T + h @ W_h.T + b)
                    return h
            """,
        ),
    ],
)

# --- Exercise 4.1: one step back ------------------------------------------------------


def _draw_step_back(rng):
    H = rng.integers(2, 4)
    given = draw_arrays(rng, {"grad_h": H, "h": H, "W_h": (H, H)})
    given["h"] = rng.choice([-0.9, -0.7, 0.6, 0.8], size=H)  # where tanh is flat
    return given


back_one_step = Exercise(
    draw=_draw_step_back,
    right=lambda g, h, W: W.T @ ((1 - h**2) * g),
    verified="States and slopes of 2 or 3 units.",
    mistakes=[
        Mistake(
            "W_h leads forwards. Rows and columns change places on the way back.",
            lambda g, h, W: W @ ((1 - h**2) * g),
            """
            def back_one_step(grad_h, h, W_h):
                return W_h @ (grad_h - h * h * grad_h)
            """,
        ),
        Mistake(
            "The squashing is left out: where is the slope of tanh?",
            lambda g, h, W: W.T @ g,
            """
            def back_one_step(grad_h, h, W_h):
                return grad_h @ W_h
            """,
        ),
        Mistake(
            "h has been through tanh already; your slope sends it through again.",
            lambda g, h, W: W.T @ ((1 - np.tanh(h) ** 2) * g),
            """
            def back_one_step(grad_h, h, W_h):
                slope = 1 - torch.tanh(h).square()
                return W_h.T @ (slope * grad_h)
            """,
        ),
        Mistake(
            "Forwards, tanh comes last. So which of the two comes first on the way "
            "back?",
            lambda g, h, W: (1 - h**2) * (W.T @ g),
            """
            def back_one_step(grad_h, h, W_h):
                back = np.zeros(len(h))
                for i in range(len(h)):
                    for j in range(len(h)):
                        back[i] += (1 - h[i] ** 2) * W_h[j, i] * grad_h[j]
                return back
            """,
        ),
        Mistake(
            "W_h has to be transposed, and on the way back tanh comes first.",
            lambda g, h, W: (1 - h**2) * (W @ g),
            """
            def back_one_step(grad_h, h, W_h):
                return (1 - h**2) * (W_h @ grad_h)
            """,
        ),
    ],
)

# --- Exercise 6.1: clip a gradient ----------------------------------------------------


def _draw_gradient(rng):
    gradient = rng.normal(size=rng.integers(2, 5)).round(1)
    # Of the six seeds some give a gradient that is short enough, others do not, and one
    # gives a gradient of zeros, which has no direction.
    gradient = gradient * (rng.random() < 0.8) + 0  # adding 0 turns −0 into 0
    return {"gradient": gradient, "limit": round(rng.uniform(0.5, 3), 1)}


def _length(values):
    return np.sqrt((values**2).sum())


def _clip(gradient, limit, length=_length):
    too_long = length(gradient) > limit
    return gradient * (limit / length(gradient)) if too_long else gradient


def _always_scale(gradient, limit):
    with np.errstate(invalid="ignore"):  # zeros have no direction: 0 / 0
        return gradient * limit / _length(gradient)


def _shrink_all(gradient, limit):
    with np.errstate(invalid="ignore"):
        return gradient / _length(gradient) * min(_length(gradient), limit)


clip_gradient = Exercise(
    draw=_draw_gradient,
    right=_clip,
    verified="Short and long gradients of 2 to 4 numbers, and their directions.",
    mistakes=[
        Mistake(
            "Each number was cut on its own: that turns the gradient. Its direction "
            "should stay.",
            lambda g, limit: np.clip(g, -limit, limit),
            """
            def clip_gradient(gradient, limit):
                return gradient.clamp(-limit, limit)
            """,
        ),
        Mistake(
            "A gradient that is short enough must come back unchanged; yours was made "
            "longer.",
            _always_scale,
            """
            def clip_gradient(gradient, limit):
                return gradient / gradient.norm() * limit
            """,
        ),
        Mistake(
            "A long gradient comes back with length 1: where does the limit come in?",
            lambda g, limit: g if _length(g) <= limit else g / _length(g),
            """
            def clip_gradient(gradient, limit):
                n = np.linalg.norm(gradient)
                if n > limit:
                    gradient = gradient / n
                return gradient
            """,
        ),
        Mistake(
            "The length is the root of the sum of squares; yours has no root.",
            partial(_clip, length=lambda g: (g**2).sum()),
            """
            def clip_gradient(gradient, limit):
                length = (gradient**2).sum()
                return gradient if length <= limit else gradient * limit / length
            """,
        ),
        Mistake(
            "A gradient of zeros has no direction: dividing by its length gives NaN. "
            "It is short enough, and must come back unchanged.",
            _shrink_all,
            """
            def clip_gradient(gradient, limit):
                length = (gradient**2).sum() ** 0.5
                return gradient / length * min(length, limit)
            """,
        ),
        Mistake(
            "The length is the root of the sum of squares; yours adds up the absolute "
            "values.",
            partial(_clip, length=lambda g: abs(g).sum()),
            """
            def clip_gradient(gradient, limit):
                length = abs(gradient).sum()
                return gradient if length <= limit else gradient * limit / length
            """,
        ),
    ],
)
