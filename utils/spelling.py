"""From spelling to sound: the words of lessons 04.1 and 04.2 as numbers, and scores.

30,000 English words of CMUdict (see data/README.md). Letters: a to z are 1 to 26.
Symbols: 1 to 39 are the phonemes, 40 START, 41 END. 0 is padding.
"""

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from utils.data import load_stress
from utils.inputs import demand
from utils.text import edit_distance

START, END = 40, 41


class Words:
    """All words, as lists and as tensors.

    spelling, spoken  lists of N texts and of N lists of phonemes
    symbols           the 39 phonemes; symbols[k - 1] has the number k
    letters, lengths  (N, 20) numbers of the letters; (N,) how many
    given, wanted     (N, 18) START and the phonemes; the phonemes and END
    train, validation, test   numbers of words (rows), at random; with by_stem=True all
                      words of a family, as award and awarded, stay together
    """

    def __init__(self, by_stem=False):
        table = load_stress()
        self.spelling, self.spoken = table["word"].tolist(), table["phonemes"].tolist()
        self.symbols = sorted({sound for word in self.spoken for sound in word})
        number = {sound: k for k, sound in enumerate(self.symbols, start=1)}
        coded = [[number[sound] for sound in word] for word in self.spoken]
        self.letters = _padded([_letters(word) for word in self.spelling])
        self.lengths = (self.letters > 0).sum(dim=1)
        self.given = _padded([[START, *word] for word in coded])
        self.wanted = _padded([[*word, END] for word in coded])
        groups = [stem(word) for word in self.spoken] if by_stem else self.spelling
        _, group = np.unique(groups, return_inverse=True)  # (N,) number of its group
        order = np.random.default_rng(0).permutation(group.max() + 1)
        share = np.argsort(order)[group] / len(order)  # from 0 to 1
        cuts = (0, 0.8), (0.8, 0.9), (0.9, 1)
        self.train, self.validation, self.test = (
            torch.tensor(np.flatnonzero((low <= share) & (share < high)))
            for low, high in cuts
        )

    def to_letters(self, word):
        """The letters of any word as numbers, (1, T). Raises ValueError."""
        fine = isinstance(word, str) and word.isascii() and word.isalpha()
        demand(fine, f"word must be made of the letters a to z, not {word!r}")
        return _letters(word.lower())[None]

    def to_sounds(self, said):
        """Numbers up to END -> the names of the phonemes, a list."""
        said = said.tolist() if isinstance(said, torch.Tensor) else list(said)
        said = said[: said.index(END)] if END in said else said
        return [self.symbols[k - 1] if 0 < k < START else "?" for k in said]

    def batches(self, rows, size=128):
        """Rows of words with equally many letters, in random order: a list of (B,)."""
        found = []
        for length in self.lengths[rows].unique():
            same = rows[self.lengths[rows] == length]
            found += same[torch.randperm(len(same))].split(size)
        return [found[k] for k in torch.randperm(len(found))]

    def tensors(self, rows):
        """letters (B, T), of words with equally many; given and wanted (B, S), as long
        as the longest of these words needs.
        """
        wanted = self.wanted[rows]
        S = int((wanted > 0).sum(dim=1).max())
        x = self.letters[rows, : self.lengths[rows[0]]]
        return x, self.given[rows, :S], wanted[:, :S]

    def write(self, speak, rows):
        """What speak(letters (B, T)) makes of these words: a list of lists of phonemes.

        speak returns for each word the numbers of its sounds, up to END or its end.
        """
        found = {}
        for length in self.lengths[rows].unique():
            same = rows[self.lengths[rows] == length]
            said = speak(self.letters[same, :length])
            found |= zip(same.tolist(), map(self.to_sounds, said), strict=True)
        return [found[row] for row in rows.tolist()]

    def wrong(self, said, rows):
        """(N,) how many phonemes to change, add or leave out in each word."""
        true = [self.spoken[row] for row in rows.tolist()]
        return np.array([edit_distance(a, b) for a, b in zip(said, true, strict=True)])

    def rates(self, wrong, rows):
        """Percent of phonemes and of whole words wrong, from what `wrong` returns."""
        many = sum(len(self.spoken[row]) for row in rows.tolist())
        return 100 * wrong.sum() / many, 100 * (wrong > 0).mean()


def truth_loss(model, words, rows):
    """The loss of a decoder that is told the true sounds, as in lesson 04.1."""
    x, given, wanted = words.tensors(rows)
    scores = model(x, given).transpose(1, 2)  # (B, symbols, S)
    return nn.functional.cross_entropy(scores, wanted, ignore_index=0)


def train(model, words, rows, epochs, lr, size=64, warm=0.3, loss=truth_loss):
    """The training of lesson 04.1: Adam, one cycle of the learning rate.

    warm  in which share of the training the learning rate rises; then it falls
    loss  loss(model, words, rows) is the mean over one batch of `size` words
    """
    adam = torch.optim.Adam(model.parameters())
    steps = epochs * len(words.batches(rows, size))
    plan = torch.optim.lr_scheduler.OneCycleLR(
        adam, lr, total_steps=steps, pct_start=warm
    )
    model.train()
    for _ in tqdm(range(epochs), desc="training", unit="epoch", leave=False):
        for some in words.batches(rows, size):
            value = loss(model, words, some)
            adam.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            plan.step()
    return model.eval()


@torch.no_grad()
def speak(model, x):
    """Letters (B, T) -> the most probable symbol at each step (B, 20), as in 04.1.

    model.encode(x) returns (memory, state), model.decode(symbols (B, S), memory, state)
    returns scores (B, S, symbols) and the state.
    """
    memory, state = model.encode(x)
    symbol, said = torch.full((len(x), 1), START), []
    for _ in range(20):
        scores, state = model.decode(symbol, memory, state)
        symbol = scores[:, -1:].argmax(dim=2)  # (B, 1)
        said.append(symbol)
    return torch.cat(said, dim=1)


# abandons, abandoned, baked; the same with a vowel before; and -ing, -er, -ly
ENDINGS = "L IY", "IH NG", "AH Z", "AH D", "IH Z", "IH D", "ER", "Z", "S", "D", "T"
ENDINGS = [ending.split() for ending in ENDINGS]


def stem(word):
    """The phonemes of a word without its endings, as text; at least three remain."""
    for ending in ENDINGS:
        if len(word) >= len(ending) + 3 and word[-len(ending) :] == ending:
            return stem(word[: -len(ending)])
    return " ".join(word)


def _letters(word):
    return torch.tensor([ord(letter) - 96 for letter in word])


def _padded(rows):
    return nn.utils.rnn.pad_sequence([*map(torch.as_tensor, rows)], True)
