"""The exercises of 03.2, Who speaks."""

from functools import cache

import numpy as np
import torch
from torch import nn

from utils.data import load_vowels
from utils.exercises import Challenge, Exercise, Miss, Mistake, draw_arrays

# --- Exercise 2.1: the last step of each recording ------------------------------------


def _draw_recordings(rng):
    B, T, H = 3, int(rng.integers(5, 8)), int(rng.integers(2, 4))
    lengths = rng.permutation(np.arange(2, T))[:B]  # all shorter than T
    return {**draw_arrays(rng, {"x": (B, T, H)}), "n": lengths}


last_step = Exercise(
    draw=_draw_recordings,
    right=lambda x, n: x[np.arange(len(x)), n - 1],
    verified="Three recordings of two to six steps in batches of five to seven.",
    mistakes=[
        Mistake(
            "Position n is the first step of the padding: positions count from 0.",
            lambda x, n: x[np.arange(len(x)), n],
            """
            def last_step(x, n):
                return x[range(len(x)), n]
            """,
        ),
        Mistake(
            "x[:, -1] is the last step of the *batch*, padding for shorter recordings.",
            lambda x, n: x[:, -1],
            """
            def last_step(x, n):
                return x[:, -1]
            """,
        ),
        Mistake(
            "x[:, n - 1] takes *all* these steps of *every* recording. Give the rows "
            "as well: one row and one step for each recording.",
            lambda x, n: x[:, n - 1],
            """
            def last_step(x, n):
                return x[:, n - 1]
            """,
        ),
        Mistake(
            "That is the mean over the recording, not its last step.",
            lambda x, n: np.stack([r[:k].mean(axis=0) for r, k in zip(x, n, strict=1)]),
            """
            def last_step(x, n):
                return torch.stack([r[:k].mean(dim=0) for r, k in zip(x, n)])
            """,
        ),
    ],
)

# --- Exercise 4.1: recall from a confusion matrix -------------------------------------


def _draw_confusion(rng):
    K = int(rng.integers(3, 5))
    counts = rng.integers(0, 5, size=(K, K)) + np.diag(rng.integers(4, 20, size=K))
    return {"confusion": counts}


recall_of = Exercise(
    draw=_draw_confusion,
    right=lambda c: c.diagonal() / c.sum(axis=1),
    verified="Matrices of three and four classes.",
    mistakes=[
        Mistake(
            "You divide by the columns: of all *answers* that name this speaker, the "
            "right ones. That is the precision.",
            lambda c: c.diagonal() / c.sum(axis=0),
            """
            def recall_of(confusion):
                return confusion.diagonal() / confusion.sum(axis=0)
            """,
        ),
        Mistake(
            "That is one number for all speakers, the accuracy. Give one for each row.",
            lambda c: c.trace() / c.sum(),
            """
            def recall_of(confusion):
                return confusion.diagonal().sum() / confusion.sum()
            """,
        ),
        Mistake(
            "You divide by all recordings, not by those of this speaker.",
            lambda c: c.diagonal() / c.sum(),
            """
            def recall_of(confusion):
                return confusion.diagonal() / confusion.sum()
            """,
        ),
        Mistake(
            "You divide each column by the sum of its row: numbers of rows and columns "
            "get mixed up. Take the diagonal first.",
            lambda c: c / c.sum(axis=1),
            """
            def recall_of(confusion):
                return confusion / confusion.sum(axis=1)
            """,
        ),
        Mistake(
            "Those are the shares of the mistakes. What is right?",
            lambda c: 1 - c.diagonal() / c.sum(axis=1),
            """
            def recall_of(confusion):
                return 1 - confusion.diagonal() / confusion.sum(axis=1)
            """,
        ),
    ],
)

# --- Exercise 5.1: when to stop -------------------------------------------------------

BUDGET = 4  # frames, on average


class _Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(12, 64, batch_first=True, bidirectional=True)
        self.drop, self.out = nn.Dropout(0.2), nn.Linear(128, 9)

    def forward(self, x, n):
        if self.training:
            x = x + 0.4 * torch.randn(len(x), 1, 12)
        packed = nn.utils.rnn.pack_padded_sequence(self.drop(x), n, True, False)
        out, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], True)
        heard = torch.arange(out.shape[1]) < n[:, None]
        return self.out(self.drop((out * heard[..., None]).sum(1) / n[:, None]))


@cache
def _held_out():
    """(probabilities (t, 9) after each frame, speaker) of ten recordings of each, from
    a network that learned from the beginnings of the other twenty.
    """
    recordings, speakers = load_vowels("train")
    held = np.arange(len(speakers)) % 30 >= 20
    frames = np.concatenate([r for r, h in zip(recordings, held, strict=True) if not h])
    scaled = [torch.tensor((r - frames.mean(0)) / frames.std(0)) for r in recordings]
    x, y = nn.utils.rnn.pad_sequence(scaled, True), torch.tensor(speakers)
    n, seen = (
        torch.tensor([len(r) for r in scaled]),
        torch.tensor(~held).nonzero()[:, 0],
    )
    torch.manual_seed(0)
    model = _Listener()
    adam = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 0.02, total_steps=40 * 7)
    for _ in range(40):
        for some in torch.randperm(len(seen)).split(27):
            rows = seen[some]
            heard = (n[rows] * torch.rand(len(rows))).ceil().long()
            loss = nn.functional.cross_entropy(model.train()(x[rows], heard), y[rows])
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            plan.step()
    x, n, y = x[held], n[held], y[held].tolist()
    with torch.no_grad():
        after = [model.eval()(x, n.clamp(max=k)) for k in range(1, int(n.max()) + 1)]
    p = torch.stack(after, dim=1).softmax(dim=2).numpy()
    return [(own[:length], who) for own, length, who in zip(p, n, y, strict=True)]


def _share_right(enough):
    """The share of right answers, if the rule hears few enough frames on average."""
    frames, answers = [], []
    for p, who in _held_out():
        stops = (t for t in range(1, len(p)) if enough(p[:t].copy()))
        frames.append(next(stops, len(p)))
        answers.append(p[frames[-1] - 1].argmax() == who)
    seen["fixed"] = len(set(frames)) < 3
    if np.mean(frames) > BUDGET:
        raise ValueError(
            f"the rule hears {np.mean(frames):.1f} frames on average; at most {BUDGET} "
            "are allowed. Stop earlier where the voice is clear"
        )
    seen["frames"] = np.mean(frames)
    return 100 * np.mean(answers)


seen = {}  # of the last rule scored: frames on average, whether it always stops alike

enough = Challenge(
    score=_share_right,
    goal=93,
    lower=False,
    told="is right for {score:.1f} % of the held-out recordings, the goal is {goal} %.",
    misses=[
        Miss(
            "It stops at the same frame whatever the network says. Look at p[-1], the "
            "probabilities after the latest frame: how large is the largest?",
            lambda score: seen["fixed"],
            """
            def enough(p):
                return len(p) >= 4
            """,
        ),
        Miss(
            "It stops too early: there are frames left in the budget. Ask for more.",
            lambda score: not seen["fixed"] and seen["frames"] < 2.5,
            """
            def enough(p):
                return p[-1].max() > 0.5
            """,
        ),
        Miss(
            "The budget is used up, but not where it helps. How sure the network is "
            "now says more than whether its answer stayed the same.",
            lambda score: not seen["fixed"] and seen["frames"] >= 2.5,
            """
            def enough(p):
                best = p.argmax(axis=1)
                return len(p) >= 3 and len(set(best[-3:])) == 1
            """,
        ),
    ],
)
