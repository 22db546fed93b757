"""The exercises of 04.2, Attention."""

import numpy as np
import torch
from torch import nn

from utils.exercises import Challenge, Exercise, Miss, Mistake, draw_arrays

# --- Exercise 1.1: one query ----------------------------------------------------------


def _draw_query(rng):
    T, D, E = rng.integers(2, 5, size=3)
    return draw_arrays(rng, {"q": D, "K": (T, D), "V": (T, E + 3)})


def _softmax(a, axis=None):
    e = np.exp(a - a.max())
    return e / e.sum(axis=axis, keepdims=True)


look_up = Exercise(
    draw=_draw_query,
    right=lambda q, K, V: _softmax(K @ q) @ V,
    verified="Two to four keys, of two to four numbers.",
    mistakes=[
        Mistake(
            "The scores are no weights yet: the softmax makes them positive, with the "
            "sum 1.",
            lambda q, K, V: (K @ q) @ V,
            """
            def look_up(q, K, V):
                return (K @ q) @ V
            """,
        ),
        Mistake(
            "That is the value of the best key alone. Mix all values by the softmax.",
            lambda q, K, V: V[(K @ q).argmax()],
            """
            def look_up(q, K, V):
                return V[(K @ q).argmax()]
            """,
        ),
        Mistake(
            "Those are the weights. Now add up the values, each times its weight.",
            lambda q, K, V: _softmax(K @ q),
            """
            def look_up(q, K, V):
                return (K @ q).softmax(dim=0)
            """,
        ),
        Mistake(
            "That is the plain mean of the values: the query has no say.",
            lambda q, K, V: V.mean(axis=0),
            """
            def look_up(q, K, V):
                return V.mean(dim=0)
            """,
        ),
        Mistake(
            "You mix the keys. They only say where to look: mix the values.",
            lambda q, K, V: _softmax(K @ q) @ K,
            """
            def look_up(q, K, V):
                return (K @ q).softmax(dim=0) @ K
            """,
        ),
        Mistake(
            "You divide the scores by the root of D. That comes below, not here.",
            lambda q, K, V: _softmax(K @ q / len(q) ** 0.5) @ V,
            """
            def look_up(q, K, V):
                return (K @ q / len(q) ** 0.5).softmax(dim=0) @ V
            """,
        ),
    ],
)

# --- Exercise 2.1: a mask -------------------------------------------------------------


def _draw_lengths(rng):
    return {"lengths": rng.permutation([5, 3, int(rng.integers(1, 5))])}


def _table(lengths, allowed):
    """allowed(s, t, length) for each sequence, step and step that is looked at."""
    T = lengths.max()
    s, t = np.arange(T)[:, None], np.arange(T)
    return np.stack([allowed(s, t, n) & (s >= 0) & (t >= 0) for n in lengths])


may_look = Exercise(
    draw=_draw_lengths,
    right=lambda lengths: _table(lengths, lambda s, t, n: (t <= s) & (t < n)),
    verified="Three sequences of one to five steps.",
    mistakes=[
        Mistake(
            "That is one table (T, T) for all sequences. They have different lengths: "
            "make one for each, and leave out their padding.",
            lambda lengths: np.tril(np.ones((lengths.max(), lengths.max()), bool)),
            """
            def may_look(lengths):
                T = int(lengths.max())
                return torch.ones(T, T, dtype=torch.bool).tril()
            """,
        ),
        Mistake(
            "It looks at later steps, which are the answer. Only t up to s.",
            lambda lengths: _table(lengths, lambda s, t, n: t < n),
            """
            def may_look(lengths):
                T = int(lengths.max())
                real = torch.arange(T) < lengths[:, None]
                return real[:, None].expand(-1, T, -1)
            """,
        ),
        Mistake(
            "It looks at padding: t must be less than the length.",
            lambda lengths: _table(lengths, lambda s, t, n: t <= s),
            """
            def may_look(lengths):
                T = int(lengths.max())
                return torch.ones(len(lengths), T, T, dtype=torch.bool).tril()
            """,
        ),
        Mistake(
            "A step may look at itself: t up to s, not only before it.",
            lambda lengths: _table(lengths, lambda s, t, n: (t < s) & (t < n)),
            """
            def may_look(lengths):
                t = torch.arange(int(lengths.max()))
                return (t < t[:, None]) & (t < lengths[:, None])[:, None]
            """,
        ),
        Mistake(
            "It looks at what comes later, and not at what came before: s and t are "
            "exchanged.",
            lambda lengths: _table(lengths, lambda s, t, n: (t >= s) & (t < n)),
            """
            def may_look(lengths):
                t = torch.arange(int(lengths.max()))
                return (t >= t[:, None]) & (t < lengths[:, None])[:, None]
            """,
        ),
        Mistake(
            "True and False are exchanged: here True means may look.",
            lambda lengths: ~_table(lengths, lambda s, t, n: (t <= s) & (t < n)),
            """
            def may_look(lengths):
                t = torch.arange(int(lengths.max()))
                return ~((t <= t[:, None]) & (t < lengths[:, None])[:, None])
            """,
        ),
        Mistake(
            "You leave out the rows of padding, where s is too large. What may not be "
            "looked at are its columns: t.",
            lambda lengths: _table(lengths, lambda s, t, n: (t <= s) & (s < n)),
            """
            def may_look(lengths):
                t = torch.arange(int(lengths.max()))
                return (t <= t[:, None]) & (t < lengths[:, None])[:, :, None]
            """,
        ),
    ],
)

# --- Exercise 5.1: a copier that looks ------------------------------------------------

START, UPDATES = 11, 2000


def _strings(length, many):
    """Strings with gaps (B, T), what is given, and what is wanted, both (B, S)."""
    wanted = torch.randint(1, START, (many, length))
    T = length + length // 2
    places = torch.rand(many, T).argsort(dim=1)[:, :length].sort(dim=1).values
    x = torch.zeros(many, T, dtype=torch.long).scatter(1, places, wanted)
    start = torch.full((many, 1), START)
    return x, torch.cat([start, wanted[:, :-1]], dim=1), wanted


def _percent_wrong(answer):
    model = answer()
    adam = torch.optim.Adam(model.parameters())
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=UPDATES)
    model.train()
    for _ in range(UPDATES):
        x, given, wanted = _strings(int(torch.randint(5, 21, ())), 24)
        scores = model(x, given)
        shape = (*wanted.shape, START + 1)
        if tuple(scores.shape) != shape:
            got = tuple(scores.shape)
            raise ValueError(f"the scores must have the shape {shape}, not {got}")
        loss = nn.functional.cross_entropy(scores.transpose(1, 2), wanted)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        plan.step()
    model.eval()
    x, given, wanted = _strings(20, 500)
    with torch.no_grad():
        scores = model(x, given)
        other = given.clone()
        other[:, 10:] = 1
        seen["later"] = bool((scores - model(x, other))[:, :10].abs().max() > 1e-4)
        seen["input"] = bool((scores - model(x.flip(0), given)).abs().max() > 1e-4)
    if seen["later"] or not seen["input"]:
        return 100.0
    return 100 * (scores.argmax(dim=2) != wanted).float().mean().item()


seen = {}  # of the last answer: does it see later symbols; and what it is to copy

Copier = Challenge(
    score=_percent_wrong,
    goal=12,
    told="copies {score:.1f} % of the symbols wrong, the goal is {goal} %.",
    misses=[
        Miss(
            "It knows what it is to copy, but not well enough. Keep the encoder's "
            "states at all symbols, and let each step of the decoder look there with "
            "attend; 64 units are plenty. What it sees must reach the output.",
            lambda score: seen["input"] and not seen["later"],
            """
            class Copier(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(12, 16)
                    self.encoder = nn.LSTM(16, 64, batch_first=True)
                    self.decoder = nn.LSTM(16, 64, batch_first=True)
                    self.out = nn.Linear(64, 12)

                def forward(self, x, given):
                    _, state = self.encoder(self.embed(x))
                    return self.out(self.decoder(self.embed(given), state)[0])
            """,
        ),
        Miss(
            "The scores are the same whatever is to be copied. Does what the decoder "
            "sees reach the output, beside its own state?",
            lambda score: not seen["input"] and not seen["later"],
            """
            class Copier(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(12, 16)
                    self.encoder = nn.LSTM(16, 64, batch_first=True)
                    self.decoder = nn.LSTM(16, 64, batch_first=True)
                    self.out = nn.Linear(64, 12)

                def forward(self, x, given):
                    memory, _ = self.encoder(self.embed(x))
                    steps, _ = self.decoder(self.embed(given))
                    return self.out(steps)
            """,
        ),
        Miss(
            "The first scores change when later symbols are given: the decoder reads "
            "ahead. Later, when it copies by itself, these are not there yet.",
            lambda score: seen["later"],
            """
            class Copier(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(12, 4)
                    self.decoder = nn.LSTM(
                        4, 4, batch_first=True, bidirectional=True
                    )
                    self.out = nn.Linear(8, 12)

                def forward(self, x, given):
                    return self.out(self.decoder(self.embed(given))[0])
            """,
        ),
    ],
)
