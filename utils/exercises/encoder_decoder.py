"""The exercises of 04.1, Encoder and decoder."""

import torch
from torch import nn

from utils.exercises import ARRAYS_FIRST, Challenge, Exercise, Miss, Mistake
from utils.spelling import END, START

# --- Exercise 2.1: given and wanted ---------------------------------------------------


def _draw_sounds(rng):
    return {"sounds": rng.integers(1, START, size=rng.integers(2, 7)).tolist()}


given_and_wanted = Exercise(
    draw=_draw_sounds,
    right=lambda sounds: ([START, *sounds], [*sounds, END]),
    verified="Words of two to six sounds.",
    mistakes=[
        Mistake(
            "END is missing: without it, nothing teaches the decoder to stop.",
            lambda sounds: ([START, *sounds[:-1]], sounds),
            """
            def given_and_wanted(sounds):
                return [START] + sounds[:-1], sounds
            """,
        ),
        Mistake(
            "END is missing in wanted: it comes after the last sound, and both lists "
            "are then as long as each other.",
            lambda sounds: ([START, *sounds], sounds),
            """
            def given_and_wanted(sounds):
                return [START] + sounds, sounds
            """,
        ),
        Mistake(
            "Given and wanted are the same, so it would learn to repeat what it reads. "
            "Wanted is one step ahead.",
            lambda sounds: ([START, *sounds, END], [START, *sounds, END]),
            """
            def given_and_wanted(sounds):
                both = [START, *sounds, END]
                return both, both
            """,
        ),
        Mistake(
            "The two lists must be as long as each other: the last sound is given, "
            "too; END is wanted then.",
            lambda sounds: ([START, *sounds[:-1]], [*sounds, END]),
            """
            def given_and_wanted(sounds):
                return [START, *sounds[:-1]], [*sounds, END]
            """,
        ),
        Mistake(
            "The decoder is not given END: when END is said, all is said.",
            lambda sounds: ([START, *sounds, END], [*sounds, END]),
            """
            def given_and_wanted(sounds):
                return [START, *sounds, END], [*sounds, END]
            """,
        ),
        Mistake(
            "You return them the other way round: first given, then wanted.",
            lambda sounds: ([*sounds, END], [START, *sounds]),
            """
            def given_and_wanted(sounds):
                return [*sounds, END], [START, *sounds]
            """,
        ),
    ],
)

# --- Exercise 3.1: greedy -------------------------------------------------------------


class Scores:
    """Scores of the next symbol that depend on the last one, and on how many there are:
    a decoder to try things with.
    """

    def __init__(self, table, ends):
        self.table, self.ends = table, ends

    def __call__(self, said):
        if len(said) == 0 or said[0] != START:
            raise ValueError(f"said must begin with START ({START}), not {said!r:.60}")
        scores = torch.tensor(self.table[int(said[-1])])  # (42,)
        if len(said) > self.ends and END not in said:
            scores[END] = 99.0
        return scores

    def __repr__(self):
        return f"scores of a decoder that says END after {self.ends} sounds"


def _draw_scores(rng):
    table = rng.normal(size=(END + 1, END + 1))
    table[:, [0, START]] = -9.0  # never said
    table[:, END] = -9.0  # until it ends
    return {"next_scores": Scores(table, int(rng.choice([3, 5, 30])))}


def _greedy(next_scores, most=20, with_end=False):
    said = [START]
    while said[-1] != END and len(said) <= most:
        said.append(int(next_scores(said).argmax()))
    return said[1:] if with_end else [k for k in said if k < START]


def _stubborn(next_scores):
    return [int(next_scores([START]).argmax())] * 20


def _never_stops(next_scores):
    said = [START]
    for _ in range(20):
        said.append(int(next_scores(said).argmax()))
    return [k for k in said if k < START]


greedy = Exercise(
    draw=_draw_scores,
    right=_greedy,
    verified="Words of three and five sounds, and one that never ends.",
    inputs=ARRAYS_FIRST,
    mistakes=[
        Mistake(
            "END is no sound: leave it out of what you return.",
            lambda next_scores: _greedy(next_scores, with_end=True),
            """
            def greedy(next_scores):
                said = [START]
                while said[-1] != END and len(said) <= 20:
                    said.append(int(next_scores(said).argmax()))
                return said[1:]
            """,
        ),
        Mistake(
            "START is no sound: leave it out of what you return.",
            lambda next_scores: [START, *_greedy(next_scores)],
            """
            def greedy(next_scores):
                said = [START]
                while len(said) <= 20:
                    best = int(next_scores(said).argmax())
                    if best == END:
                        break
                    said.append(best)
                return said
            """,
        ),
        Mistake(
            "You stop after 19 sounds: count without START.",
            lambda next_scores: _greedy(next_scores, most=19),
            """
            def greedy(next_scores):
                said = [START]
                while said[-1] != END and len(said) < 20:
                    said.append(int(next_scores(said).argmax()))
                return [sound for sound in said if sound < START]
            """,
        ),
        Mistake(
            "It is given START alone each time. Give it what it has said so far.",
            _stubborn,
            """
            def greedy(next_scores):
                said = []
                for step in range(20):
                    said.append(int(next_scores([START]).argmax()))
                return said
            """,
        ),
        Mistake(
            "It goes on after END. Stop there.",
            _never_stops,
            """
            def greedy(next_scores):
                said = [START]
                for step in range(20):
                    said.append(int(next_scores(said).argmax()))
                return [sound for sound in said if sound < START]
            """,
        ),
    ],
)


# --- Exercise 3.2: numbers in words ---------------------------------------------------

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen "
ONES += "fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES, TENS = ONES.split(), TENS.split()
SPOKEN = ["", "START", "END", *ONES[1:], *TENS, "hundred", "thousand"]  # 0 is padding
EMPTY, BEGIN, STOP = 0, 1, 2


def in_words(number):
    """The words of a number from 1 to 9999: 4072 -> four thousand seventy two."""
    thousands, hundreds, rest = number // 1000, number // 100 % 10, number % 100
    found = [ONES[thousands], "thousand"] if thousands else []
    found += [ONES[hundreds], "hundred"] if hundreds else []
    if rest < 20:
        return found + ([ONES[rest]] if rest else [])
    return found + [TENS[rest // 10 - 2]] + ([ONES[rest % 10]] if rest % 10 else [])


def _numbers(many):
    """Digits (N, 4), and given and wanted (N, 8), of N numbers of four digits."""
    drawn = torch.randperm(9000)[:many] + 1000
    x = torch.stack([drawn // 10**k % 10 for k in (3, 2, 1, 0)], dim=1)
    coded = [[SPOKEN.index(word) for word in in_words(int(n))] for n in drawn]
    given = [torch.tensor([BEGIN, *row]) for row in coded]
    wanted = [torch.tensor([*row, STOP]) for row in coded]
    return x, *(nn.utils.rnn.pad_sequence(rows, True) for rows in (given, wanted))


def _train_reader(model, x, given, wanted, epochs=30):
    adam = torch.optim.Adam(model.parameters())
    steps = epochs * len(torch.arange(len(x)).split(64))
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for some in torch.randperm(len(x)).split(64):
            scores = model(x[some], given[some])
            shape = len(some), given.shape[1], len(SPOKEN)
            if tuple(scores.shape) != shape:
                got = tuple(scores.shape)
                raise ValueError(f"the scores must have the shape {shape}, not {got}")
            loss = nn.functional.cross_entropy(
                scores.transpose(1, 2), wanted[some], ignore_index=EMPTY
            )
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            plan.step()
    return model.eval()


def _percent_wrong(answer):
    model = answer()
    x, given, wanted = _numbers(3500)
    _train_reader(model, x[:3000], given[:3000], wanted[:3000])
    x, given, wanted = x[3000:], given[3000:], wanted[3000:]
    said = torch.full((len(x), 1), BEGIN)
    with torch.no_grad():
        guided = model(x, given).argmax(dim=2)
        for _ in range(given.shape[1]):
            best = model(x, said)[:, -1].argmax(dim=1)
            said = torch.cat([said, best[:, None]], dim=1)
        turned = model(x.flip(0), given)
        seen["input"] = bool((turned - model(x, given)).abs().max() > 1e-4)
    fine = ((said[:, 1:] == wanted) | (wanted == EMPTY)).all(dim=1)
    easy = ((guided == wanted) | (wanted == EMPTY)).all(dim=1)
    seen["told"] = 100 * (1 - easy.float().mean().item())
    return 100 * (1 - fine.float().mean().item())


seen = {}  # of the last answer: does it use the digits, and its errors told the truth

Reader = Challenge(
    score=_percent_wrong,
    goal=5,
    told="reads {score:.1f} % of 500 unseen numbers wrong, the goal is {goal} %.",
    misses=[
        Miss(
            "The scores are the same for other digits: the decoder knows nothing of "
            "them. Give it the encoder's state.",
            lambda score: not seen["input"],
            """
            class Reader(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.words = nn.Embedding(32, 16)
                    self.decoder = nn.LSTM(16, 64, batch_first=True)
                    self.out = nn.Linear(64, 32)

                def forward(self, x, given):
                    steps, _ = self.decoder(self.words(given))
                    return self.out(steps)
            """,
        ),
        Miss(
            "Told the true words it is right, by itself it is not: it sees the answer. "
            "At each step it may know only the words so far.",
            lambda score: seen["input"] and seen["told"] < 5,
            """
            class Reader(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.digits = nn.Embedding(10, 16)
                    self.words = nn.Embedding(32, 16)
                    self.encoder = nn.LSTM(16, 64, batch_first=True)
                    self.decoder = nn.LSTM(
                        16, 64, batch_first=True, bidirectional=True
                    )
                    self.out = nn.Linear(128, 32)

                def forward(self, x, given):
                    _, (h, c) = self.encoder(self.digits(x))
                    h, c = h.repeat(2, 1, 1), c.repeat(2, 1, 1)
                    return self.out(self.decoder(self.words(given), (h, c))[0])
            """,
        ),
        Miss(
            "It uses the digits, but not well enough. Are they numbers of rows in an "
            "embedding, and do all four of them get through? 64 units are plenty.",
            lambda score: seen["input"] and seen["told"] >= 5,
            """
            class Reader(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.digits = nn.Embedding(10, 64)
                    self.words = nn.Embedding(32, 16)
                    self.decoder = nn.LSTM(16, 64, batch_first=True)
                    self.out = nn.Linear(64, 32)

                def forward(self, x, given):
                    state = self.digits(x).mean(dim=1)[None]
                    steps, _ = self.decoder(self.words(given), (state, state))
                    return self.out(steps)
            """,
        ),
    ],
)
