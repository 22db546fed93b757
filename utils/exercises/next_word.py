"""The exercises of 03.1, Next word."""

from functools import cache

import numpy as np

from utils.exercises import ARRAYS_FIRST, Challenge, Exercise, Miss, Mistake
from utils.text import encode, load_text, vocabulary

# --- Exercise 2.1: perplexity ---------------------------------------------------------


def _draw_probabilities(rng):
    words = 3000 if rng.random() < 0.3 else rng.integers(2, 7)
    return {"p": rng.uniform(0.02, 0.9, size=words).round(2)}


def _as_product(p):
    """The root of the product, which is 0 for a computer if there are many factors."""
    return np.exp(-np.log(p).mean()) if len(p) < 1000 else np.inf


perplexity_of = Exercise(
    draw=_draw_probabilities,
    right=lambda p: np.exp(-np.log(p).mean()),
    verified="Texts of two to six words, and of 3,000.",
    inputs=ARRAYS_FIRST,
    mistakes=[
        Mistake(
            "That is the plain mean of 1/p. One word with a tiny p would outweigh all "
            "others: take the mean of the logarithms first.",
            lambda p: (1 / p).mean(),
            """
            def perplexity_of(p):
                return (1 / p).mean()
            """,
        ),
        Mistake(
            "Right for short texts. But the product of 3,000 probabilities is 0 for a "
            "computer: take the mean of the logarithms.",
            _as_product,
            """
            def perplexity_of(p):
                return p.prod() ** (-1 / len(p))
            """,
        ),
        Mistake(
            "First the logarithm of each word, then the mean.",
            lambda p: 1 / p.mean(),
            """
            def perplexity_of(p):
                return np.exp(-np.log(p.mean()))
            """,
        ),
        Mistake(
            "That is the sum over all words: a longer text would look harder. Take the "
            "mean.",
            lambda p: np.exp(-np.log(p).sum()) if len(p) < 1000 else np.inf,
            """
            def perplexity_of(p):
                return 1 / p.prod()
            """,
        ),
        Mistake(
            "That is the mean cost in nats. One step is left: back from logarithms.",
            lambda p: -np.log(p).mean(),
            """
            def perplexity_of(p):
                return -np.log(p).mean()
            """,
        ),
        Mistake(
            "The sign: ln p is negative. A perplexity is 1 or more.",
            lambda p: np.exp(np.log(p).mean()),
            """
            def perplexity_of(p):
                return np.exp(np.log(p).mean())
            """,
        ),
        Mistake(
            "exp undoes ln. You took a logarithm to base 2, which 2** undoes.",
            lambda p: np.exp(-np.log2(p).mean()),
            """
            def perplexity_of(p):
                return np.exp(-np.log2(p).mean())
            """,
        ),
        Mistake(
            "2** undoes a logarithm to base 2. You took ln, which exp undoes.",
            lambda p: 2 ** -np.log(p).mean(),
            """
            def perplexity_of(p):
                return 2 ** (-np.log(p).mean())
            """,
        ),
    ],
)

# --- Exercise 3.1: a discount ---------------------------------------------------------


def _draw_counts(rng):
    n = np.zeros(rng.integers(5, 8))
    n[rng.permutation(len(n))[:3]] = rng.integers(1, 6, size=3)
    shorter = rng.integers(1, 9, size=len(n))
    return {
        "n": n,
        "shorter": shorter / shorter.sum(),
        "D": round(rng.uniform(0.5, 0.9), 1),
    }


def _discounted(n, shorter, D):
    return (n - D * (n > 0) + D * (n > 0).sum() * shorter) / n.sum()


discounted = Exercise(
    draw=_draw_counts,
    right=_discounted,
    verified="Vocabularies of five to seven words, three of them seen.",
    mistakes=[
        Mistake(
            "Words that were not seen fall below 0: take D only where n is above 0.",
            lambda n, shorter, D: (n - D + D * (n > 0).sum() * shorter) / n.sum(),
            """
            def discounted(n, shorter, D):
                different = (n > 0).sum()
                return (n - D + D * different * shorter) / n.sum()
            """,
        ),
        Mistake(
            "What you take off is not given back: the sum is below 1. Add the share of "
            "the shorter context.",
            lambda n, shorter, D: (n - D * (n > 0)) / n.sum(),
            """
            def discounted(n, shorter, D):
                return (n - D * (n > 0)) / n.sum()
            """,
        ),
        Mistake(
            "D was taken off once for each *different* word that was seen; you give it "
            "back once.",
            lambda n, shorter, D: (n - D * (n > 0) + D * shorter) / n.sum(),
            """
            def discounted(n, shorter, D):
                return ((n - D).clip(0) + D * shorter) / n.sum()
            """,
        ),
        Mistake(
            "d is the number of different words that were *seen*, not the size of the "
            "vocabulary.",
            lambda n, shorter, D: (n - D * (n > 0) + D * len(n) * shorter) / n.sum(),
            """
            def discounted(n, shorter, D):
                return ((n - D).clip(0) + D * len(n) * shorter) / n.sum()
            """,
        ),
        Mistake(
            "The shorter context says how to share out what is set aside: not equally.",
            lambda n, shorter, D: (n - D * (n > 0) + D * (n > 0).mean()) / n.sum(),
            """
            def discounted(n, shorter, D):
                kept, taken = (n - D).clip(0), D * (n > 0).sum()
                return (kept + taken / len(n)) / n.sum()
            """,
        ),
        Mistake(
            "The whole numerator is divided by N, also what the shorter context gets.",
            lambda n, shorter, D: (
                (n - D * (n > 0)) / n.sum() + D * (n > 0).sum() * shorter
            ),
            """
            def discounted(n, shorter, D):
                return (n - D).clip(0) / n.sum() + D * (n > 0).sum() * shorter
            """,
        ),
        Mistake(
            "That gives to the unseen words only. The share of the shorter context is "
            "added for *all* words.",
            lambda n, shorter, D: (
                np.where(n > 0, n - D, D * (n > 0).sum() * shorter) / n.sum()
            ),
            """
            def discounted(n, shorter, D):
                taken = D * (n > 0).sum()
                return torch.where(n > 0, n - D, taken * shorter) / n.sum()
            """,
        ),
    ],
)

# --- Exercise 7.1: a cache ------------------------------------------------------------


@cache
def _validation():
    """The validation part as numbers (N,), what Kneser-Ney gave to each (N,), V."""
    train, validation, _ = load_text()
    known = vocabulary(train)
    end = known.index("<end>")
    ids, text = ([end, *encode(part, known)] for part in (train, validation))
    tables = [{} for _ in range(4)]
    for t in range(3, len(ids)):
        n = tables[3].setdefault(tuple(ids[t - 3 : t]), {})
        n[ids[t]] = n.get(ids[t], 0) + 1
    for k in (3, 2, 1):
        for context, followers in tables[k].items():
            n = tables[k - 1].setdefault(context[1:], {})
            for word in followers:
                n[word] = n.get(word, 0) + 1
    found = []
    for t in range(1, len(text)):
        p = 1 / len(known)
        for k, table in enumerate(tables[: t + 1]):
            n = table.get(tuple(text[t - k : t]))
            if n is None:
                break
            kept = max(n.get(text[t], 0) - 0.9, 0)
            p = (kept + 0.9 * len(n) * p) / sum(n.values())
        found.append(p)
    return text[1:], np.array(found), len(known)


def _ask(answer, heard, V):
    p = np.asarray(answer(list(heard), V), dtype=float)
    if p.shape != (V,):
        raise ValueError(
            f"return {V} probabilities, shape ({V},), not the shape {p.shape}"
        )
    if not p.min() >= 0:
        raise ValueError(f"no probability may be below 0 or NaN, as {p.min():.3g}")
    if abs(p.sum() - 1) > 1e-6:
        raise ValueError(f"the probabilities must sum to 1, not to {p.sum():.7g}")
    return p


def _share(answer):
    """Perplexity of Kneser-Ney mixed with this cache, as a share of its own."""
    text, counts, V = _validation()
    seen["misses by"] = _why(answer, V)
    p = np.array([counts, counts])
    for t in range(1, len(text)):
        p[1, t] = _ask(answer, text[max(0, t - 1000) : t], V)[text[t]]
    weights = np.full(2, 0.5)
    for _ in range(50):
        parts = weights[:, None] * p
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    return np.exp(np.log(counts).mean() - np.log(weights @ p).mean())


seen = {}  # of the last cache scored: why it misses, if it does


def _why(answer, V):
    """Which hint a cache needs, from what it makes of 1,000 words."""
    p = _ask(answer, range(1000), V)  # the word 999 came last
    if p[1000:].sum() > 0.2:
        return "unheard"
    if p[0] > p[999]:
        return "backwards"
    if p[880] <= 0.02 * p[999]:
        return "short"
    if p[0] > 0.9 * p[999]:
        return "no fading"
    twice = _ask(answer, [*range(1, 996), 0, 1, 0, 2], V)
    return "once" if twice[0] < 1.3 * twice[2] else "speed"


my_cache = Challenge(
    score=_share,
    goal=0.8,
    told="with Kneser-Ney has {score:.3f} of its perplexity, the goal is {goal}.",
    misses=[
        Miss(
            "A word 1,000 words ago counts as much as the last one. Let words fade.",
            lambda score: seen["misses by"] == "no fading",
            """
            def my_cache(heard, V):
                return np.bincount(heard, minlength=V) / len(heard)
            """,
        ),
        Miss(
            "The *latest* word is the last of the list; yours trusts the oldest most.",
            lambda score: seen["misses by"] == "backwards",
            """
            def my_cache(heard, V):
                weight = np.zeros(V)
                for age, word in enumerate(heard):
                    weight[word] += 0.99**age
                return weight / weight.sum()
            """,
        ),
        Miss(
            "It has forgotten a word after a hundred others: a topic lasts longer.",
            lambda score: seen["misses by"] == "short",
            """
            def my_cache(heard, V):
                recent = heard[-20:]
                return np.bincount(recent, minlength=V) / len(recent)
            """,
        ),
        Miss(
            "A word that came twice should get more than one that came once.",
            lambda score: seen["misses by"] == "once",
            """
            def my_cache(heard, V):
                weight = np.zeros(V)
                for age, word in enumerate(reversed(heard)):
                    weight[word] = max(weight[word], 0.99**age)
                return weight / weight.sum()
            """,
        ),
        Miss(
            "It fades, as it should. Try other speeds: faster or slower.",
            lambda score: seen["misses by"] == "speed",
            """
            def my_cache(heard, V):
                weight = np.zeros(V)
                for age, word in enumerate(reversed(heard)):
                    weight[word] += 0.998**age
                return weight / weight.sum()
            """,
        ),
        Miss(
            "Much of its belief lies on words that did not come lately.",
            lambda score: seen["misses by"] == "unheard",
            """
            def my_cache(heard, V):
                return np.full(V, 1 / V)
            """,
        ),
    ],
)
