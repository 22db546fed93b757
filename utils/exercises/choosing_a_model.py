"""The exercises of 02.6, Choosing a model, and its two tasks with symbols."""

import math
from collections import defaultdict
from functools import partial

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from utils.data import load_stress, load_surnames
from utils.exercises import Challenge, Exercise, Miss, Mistake
from utils.training import History

# --- Two tasks with symbols: names (02.4) and the stress of words (02.5) --------------


def split(examples):
    """Training, validation and test part (80, 10, 10 %), drawn at random."""
    order = np.random.default_rng(0).permutation(len(examples))
    ends = len(order) * 8 // 10, len(order) * 9 // 10
    return [[examples[k] for k in rows] for rows in np.split(order, ends)]


def by_length(examples):
    """Pairs (inputs, targets) in groups of equal length: two tensors (N, T) each."""
    groups = defaultdict(list)
    for inputs, targets in examples:
        groups[len(inputs)].append((inputs, targets))
    return [
        tuple(map(torch.tensor, zip(*groups[T], strict=True))) for T in sorted(groups)
    ]


def load_names():
    """Three parts of the surnames, each in groups of equal length: letters and next
    letters (N, T), 0 for the marker at both ends, 1 to 26 for a to z.
    """
    codes = [[0, *(ord(letter) - 96 for letter in name), 0] for name in load_surnames()]
    return [by_length(part) for part in split([(c[:-1], c[1:]) for c in codes])]


def load_words():
    """Three parts of the words, each in groups of equal length: sounds (N, T), numbers
    from 0 to 38, and stress (N, T), 0, 1 or 2, and -1 for a consonant.
    """
    table = load_stress()
    sounds = sorted(set(table["phonemes"].explode()))
    spoken = [[sounds.index(sound) for sound in word] for word in table["phonemes"]]
    pairs = zip(spoken, table["stress"], strict=True)
    return [by_length(part) for part in split([*pairs])]


def _answers(net, x, y):
    answers = net(x)
    if answers.shape[:-1] != y.shape:
        raise ValueError(
            f"the network must give an answer at every step: for inputs "
            f"{tuple(x.shape)} it gives {tuple(answers.shape)}"
        )
    return answers


def nats(net, x, y, reduction="mean"):
    """Cross-entropy of the answers; a target of -1 asks for none."""
    options = {"ignore_index": -1, "reduction": reduction}
    guess = _answers(net, x, y).flatten(0, 1)
    return nn.functional.cross_entropy(guess, y.flatten(), **options)


def bits(net, groups):
    """Mean cross-entropy over all answers that are asked for, in bits."""
    with torch.no_grad():
        total = sum(nats(net, x, y, "sum").item() for x, y in groups)
    return total / sum((y >= 0).sum().item() for _, y in groups) / math.log(2)


def right(net, groups):
    """Percent of vowels, and of whole words, with the right stress."""
    with torch.no_grad():
        hits = [(_answers(net, x, y).argmax(2) == y) | (y < 0) for x, y in groups]
    vowels = [hit[y >= 0] for hit, (_, y) in zip(hits, groups, strict=True)]
    whole = [hit.all(dim=1) for hit in hits]
    return [100 * torch.cat(kind).float().mean().item() for kind in (vowels, whole)]


def train(net, groups, validation, lr, epochs, seed=0):
    """Train on batches of 128 sequences of one length. Returns a History in bits.

    Three things differ from the loop of lesson 02.1. A batch is drawn from one group.
    The learning rate follows a plan: it rises to its value, then falls almost to zero
    (`OneCycleLR`, which moves Adam's momentum the other way round). And the network of
    the last epoch is kept.
    """
    order, history = torch.Generator().manual_seed(seed), History()
    optimizer = torch.optim.Adam(net.parameters(), lr)
    total = epochs * sum(math.ceil(len(x) / 128) for x, _ in groups)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total)
    for _ in tqdm(range(epochs), desc="training", unit="epoch", leave=False):
        batches, losses = [], []
        for x, y in groups:
            for rows in torch.randperm(len(x), generator=order).split(128):
                batches.append((x[rows], y[rows]))
        for k in torch.randperm(len(batches), generator=order):
            loss = nats(net, *batches[k])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            plan.step()
            losses.append(loss.item() / math.log(2))
        history.train.append(np.mean(losses))
        history.validation.append(bits(net, validation))
    return history


def simple_score(file, name):
    """The test score of the simple model beside a network, of which `name` tells task
    and model: "stress, both ways". Its rule lacks the consonants before the vowel.
    """
    best = {"forecast": "tuned line", "names": "Kneser-Ney", "stress": "sounds so far"}
    task = name.split(", ")[0]
    if name == "stress, both ways":
        best["stress"] = "vowel to the end"
    found = file["baselines"][task][best[task]]
    return found[0] if task == "stress" else found["test"]


# --- Exercise 2.1: how many units fit? ------------------------------------------------


def _size(units, inputs, blocks, biases=2):
    return blocks * units * (inputs + units + biases)


def _largest(budget, inputs, blocks, biases=2):
    return math.floor(_units(budget, inputs, blocks, biases))


def _units(budget, inputs, blocks, biases=2):
    """The units, not whole, that use up the budget: the root of a quadratic."""
    half = (inputs + biases) / 2
    return math.sqrt(half**2 + budget / blocks) - half


def _draw_budget(rng):
    """Budgets of small layers and of large ones: met exactly, missed by one parameter,
    or so far on the way to the next unit."""
    _, kind = rng.integers(7, size=2)  # six different ones in the six cases of a check
    blocks = int(rng.choice([1, 3, 4]))
    inputs = 40 if kind == 5 else int(rng.integers(2, 20))
    units = int(rng.integers(400, 700) if kind in (1, 4) else rng.integers(4, 20))
    exact, next_one = (_size(units + more, inputs, blocks) for more in (0, 1))
    way = {0: 0, 4: 0.3, 5: 0.7, 6: 0.9}.get(int(kind))
    budget = exact - 1 if way is None else exact + int(way * (next_one - exact))
    return {"budget": budget, "inputs": inputs, "blocks": blocks}


units_for = Exercise(
    draw=_draw_budget,
    right=_largest,
    verified="Small and large layers; budgets met exactly, missed by one, between.",
    mistakes=[
        Mistake(
            "One unit too many: the layer must not be larger than the budget.",
            lambda budget, inputs, blocks: _largest(budget, inputs, blocks) + 1,
            """
            def units_for(budget, inputs, blocks):
                H = 1
                while blocks * H * (inputs + H + 2) <= budget:
                    H += 1
                return H
            """,
        ),
        Mistake(
            "You round up. The budget is a limit: the units must be rounded down.",
            lambda budget, inputs, blocks: math.ceil(_units(budget, inputs, blocks)),
            """
            def units_for(budget, inputs, blocks):
                H = 1
                while blocks * H * (inputs + H + 2) < budget:
                    H += 1
                return H
            """,
        ),
        Mistake(
            "A budget that is used up exactly is allowed: ask with <=, not with <.",
            lambda budget, inputs, blocks: _largest(budget - 1, inputs, blocks),
            """
            def units_for(budget, inputs, blocks):
                H = 1
                while blocks * (H + 1) * (inputs + H + 3) < budget:
                    H += 1
                return H
            """,
        ),
        *[
            Mistake(
                f"Your search ends at {most} units: some of these budgets allow "
                "several hundred.",
                lambda budget, inputs, blocks, most=most: min(
                    _largest(budget, inputs, blocks), most
                ),
                f"""
            def units_for(budget, inputs, blocks):
                fits = [H for H in range({most + 1}) if
                        blocks * H * (inputs + H + 2) <= budget]
                return fits[-1]
            """,
            )
            for most in (99, 100)
        ],
        Mistake(
            "Units are a whole number: round down before you return it.",
            _units,
            """
            def units_for(budget, inputs, blocks):
                half = (inputs + 2) / 2
                return (half**2 + budget / blocks) ** 0.5 - half
            """,
        ),
        Mistake(
            "You take the nearest number of units, which may lie above the budget.",
            lambda budget, inputs, blocks: round(_units(budget, inputs, blocks)),
            """
            def units_for(budget, inputs, blocks):
                half = (inputs + 2) / 2
                return round((half**2 + budget / blocks) ** 0.5 - half)
            """,
        ),
        Mistake(
            "PyTorch keeps two biases for each unit and block; you count one.",
            partial(_largest, biases=1),
            """
            def units_for(budget, inputs, blocks):
                def size(H):
                    return blocks * H * (inputs + H + 1)
                return max(H for H in range(2000) if size(H) <= budget)
            """,
        ),
        Mistake(
            "The blocks of weights are missing: 1 in an RNN, 3 in a GRU, 4 in an LSTM.",
            lambda budget, inputs, blocks: _largest(budget, inputs, 1),
            """
            def units_for(budget, inputs, blocks):
                fits = [H for H in range(2000) if H * (inputs + H + 2) <= budget]
                return fits[-1]
            """,
        ),
        Mistake(
            "A larger network is too large: you left out the weights from state to "
            "state, which grow with the square of H.",
            lambda budget, inputs, blocks: budget // (blocks * (inputs + 2)),
            """
            def units_for(budget, inputs, blocks):
                return budget // (blocks * (inputs + 2))
            """,
        ),
        Mistake(
            "You left out the weights of the inputs.",
            lambda budget, inputs, blocks: _largest(budget, 0, blocks),
            """
            def units_for(budget, inputs, blocks):
                fits = [H for H in range(2000) if blocks * H * (H + 2) <= budget]
                return max(fits)
            """,
        ),
        Mistake(
            "The budget divided by the blocks, and a root: inputs and biases need room "
            "as well.",
            lambda budget, inputs, blocks: int((budget / blocks) ** 0.5),
            """
            def units_for(budget, inputs, blocks):
                return int(np.sqrt(budget / blocks))
            """,
        ),
    ],
)

# --- Exercise 4.1: build a tagger -------------------------------------------------


def _percent_right(answer):
    net = answer()
    if not isinstance(net, nn.Module):
        raise TypeError(f"return the trained network, not {type(net).__name__}")
    size = sum(weight.numel() for weight in net.parameters())
    if size > 13_000:
        raise ValueError(f"the network has {size:,} parameters, more than 13,000")
    groups = load_words()[2]
    score = right(net.eval(), groups)[0]
    seen["what follows"] = _looks_ahead(net, groups[-1][0])
    return score


def _looks_ahead(net, x):
    """Whether another last sound changes the answers at the first step."""
    other = x.clone()
    other[:, -1] = (x[:, -1] + 1) % 39
    with torch.no_grad():
        return bool((net(x) - net(other))[:, 0].abs().max() > 1e-6)


seen = {}  # of the last network scored: whether it looks at what follows


_TAGGER = """
            class Tagger(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(39, 16)
                    self.rnn = nn.GRU(16, 36, bidirectional=True, batch_first=True)
                    self.head = nn.Linear(72, 3)

                def forward(self, x):
                    return self.head(self.rnn(self.embed(x))[0])


            def stress_tagger():
                net = Tagger()
                train(net, words[0], words[1], lr=0.02, epochs=4)
                return net
            """

stress_tagger = Challenge(
    score=_percent_right,
    goal=87.5,
    told="is right on {score:.1f} % of vowels in unseen words, the goal is {goal} %.",
    lower=False,
    needs=("words",),
    misses=[
        Miss(
            "That is no more than always giving the same answer. Is train called for "
            "the network that you return?",
            lambda score: score < 65,
            _TAGGER.replace("train(net", "net.train(); (lambda *a, **b: None)(net"),
        ),
        Miss(
            "Your network has not read what follows when it answers: its first answer "
            "does not change with the last sound. Let it read in both directions.",
            lambda score: score >= 65 and not seen["what follows"],
            _TAGGER.replace("36, bidirectional=True", "48").replace("72", "48"),
        ),
        Miss(
            "It reads the whole word, but not well yet. Choose learning rate and "
            "epochs on the validation part: right(net, words[1]). A rate of 0.001 is "
            "too low for four epochs.",
            lambda score: score >= 65 and seen["what follows"],
            _TAGGER.replace("lr=0.02, epochs=4", "lr=0.01, epochs=1"),
        ),
    ],
)

# --- Exercise 6.1: say what the intervals support -------------------------------------


# The two intervals. No limit for a middle, a width or their ratio decides.
INTERVALS = {
    0: ((-0.57, -0.03), (-0.45, -0.15)),
    1: ((1.5, 4.5), (0.3, 5.7)),
    2: ((-3.6, -0.6), (-4.5, 0.3)),
    3: ((0, 0.63), (0.09, 0.54)),
    4: ((-6.6, 0.3), (-5.4, 0.6)),
    5: ((-0.33, -0.27), (-0.6, 0)),
    6: ((2.7, 3.3), (-4.5, -0.3)),
}


def _draw_intervals(rng):
    _, kind = rng.integers(7, size=2)  # six different ones in the six cases of a check
    stretch = rng.uniform(0.8, 1.2)
    seeds, items = (np.multiply(ends, stretch).round(2) for ends in INTERVALS[kind])
    return {"seeds": tuple(seeds.tolist()), "items": tuple(items.tolist())}


def _verdict(seeds, items, below="a", above="b", neither="undecided"):
    if max(seeds[1], items[1]) < 0:
        return below
    return above if min(seeds[0], items[0]) > 0 else neither


def _one_of_two(seeds, items):
    words = {_verdict(seeds, seeds), _verdict(items, items)} - {"undecided"}
    return min(words, default="undecided")


def _any_side(seeds, items, side):
    outside = all(low > 0 or high < 0 for low, high in (seeds, items))
    return _verdict(side, side) if outside else "undecided"


_SIDES = (
    "Both intervals leave out 0, but on opposite sides: they contradict each other. "
)


verdict = Exercise(
    draw=_draw_intervals,
    right=_verdict,
    verified="Intervals below 0, above 0, around it, with an end at 0, on two sides.",
    mistakes=[
        Mistake(
            "Lower is better here: if a minus b is certainly negative, a wins.",
            partial(_verdict, below="b", above="a"),
            """
            def verdict(seeds, items):
                if seeds[1] < 0 and items[1] < 0:
                    return 'b'
                return 'a' if seeds[0] > 0 and items[0] > 0 else 'undecided'
            """,
        ),
        Mistake(
            "The middle alone decides nothing, and nor does one end: the whole "
            "interval must lie on one side of 0.",
            lambda seeds, items: "a" if sum(seeds) < 0 else "b",
            """
            def verdict(seeds, items):
                middle = (seeds[0] + seeds[1] + items[0] + items[1]) / 4
                return 'a' if middle < 0 else 'b'
            """,
        ),
        Mistake(
            "You look at the seeds alone: other test items may turn the result.",
            lambda seeds, items: _verdict(seeds, seeds),
            """
            def verdict(seeds, items):
                low, high = seeds
                return 'a' if high < 0 else 'b' if low > 0 else 'undecided'
            """,
        ),
        Mistake(
            "You look at the test items alone: other seeds may turn the result.",
            lambda seeds, items: _verdict(items, items),
            """
            def verdict(seeds, items):
                low, high = items
                return 'a' if high < 0 else 'b' if low > 0 else 'undecided'
            """,
        ),
        Mistake(
            "One of the two intervals is not enough: both must leave out 0.",
            _one_of_two,
            """
            def verdict(seeds, items):
                if seeds[1] < 0 or items[1] < 0:
                    return 'a'
                return 'b' if seeds[0] > 0 or items[0] > 0 else 'undecided'
            """,
        ),
        Mistake(
            _SIDES + "You then follow the seeds.",
            lambda seeds, items: _any_side(seeds, items, seeds),
            """
            def verdict(seeds, items):
                if seeds[0] <= 0 <= seeds[1] or items[0] <= 0 <= items[1]:
                    return 'undecided'
                return 'a' if seeds[1] < 0 else 'b'
            """,
        ),
        Mistake(
            _SIDES + "You then follow the test items.",
            lambda seeds, items: _any_side(seeds, items, items),
            """
            def verdict(seeds, items):
                if seeds[0] * seeds[1] > 0 and items[0] * items[1] > 0:
                    return 'a' if items[1] < 0 else 'b'
                return 'undecided'
            """,
        ),
        Mistake(
            "An end that is exactly 0 is not beyond 0.",
            lambda seeds, items: (
                "a"
                if max(seeds[1], items[1]) <= 0
                else "b"
                if min(seeds[0], items[0]) >= 0
                else "undecided"
            ),
            """
            def verdict(seeds, items):
                if seeds[1] <= 0 and items[1] <= 0:
                    return 'a'
                return 'b' if seeds[0] >= 0 and items[0] >= 0 else 'undecided'
            """,
        ),
        Mistake(
            "Where a does not win, b need not win either: there is a third answer.",
            partial(_verdict, neither="b"),
            """
            def verdict(seeds, items):
                return 'a' if max(seeds[1], items[1]) < 0 else 'b'
            """,
        ),
        Mistake(
            "You look at the lower ends alone. For a the upper ends must lie below 0.",
            lambda seeds, items: (
                "a"
                if max(seeds[0], items[0]) < 0
                else _verdict(seeds, items, below="undecided")
            ),
            """
            def verdict(seeds, items):
                if seeds[0] < 0 and items[0] < 0:
                    return 'a'
                return 'b' if seeds[0] > 0 and items[0] > 0 else 'undecided'
            """,
        ),
        Mistake(
            "For b the lower ends must lie above 0, not the upper ones.",
            lambda seeds, items: (
                "b"
                if min(seeds[1], items[1]) > 0
                else _verdict(seeds, items, above="undecided")
            ),
            """
            def verdict(seeds, items):
                if seeds[1] < 0 and items[1] < 0:
                    return 'a'
                return 'b' if seeds[1] > 0 and items[1] > 0 else 'undecided'
            """,
        ),
    ],
)
