"""04.2: attention is PyTorch's, with gradients; the rivals see what they may see."""

import json

import numpy as np
import pytest
import torch
from lesson_functions import ROOT, load_lesson
from torch import nn

from utils.spelling import END, START

FLOAT = {"dtype": torch.float64}
HERE = "04_Beyond_RNN/raw_scripts"


@pytest.fixture(scope="module")
def lesson():
    settings = ["HERE", "words", "COMPARED", "KINDS", "LOOKING", "CTC", "MEASURE"]
    return load_lesson(f"{HERE}/attention.py", settings)


def random_case(seed):
    draw = torch.Generator().manual_seed(seed)
    sizes = (2, 3, 8), (2, 5, 8), (2, 5, 4)
    q, k, v = (torch.randn(n, generator=draw, **FLOAT) for n in sizes)
    mask = torch.rand(2, 3, 5, generator=draw) < 0.6
    mask[:, :, seed % 5] = True  # something to look at
    return [x.requires_grad_() for x in (q, k, v)], mask


@pytest.mark.parametrize("kind", ["none", "padding", "any"])
@pytest.mark.parametrize("seed", range(5))
def test_attention_and_its_gradients_are_those_of_torch(lesson, seed, kind):
    parts, mask = random_case(seed)
    if kind == "padding":
        mask = (torch.arange(5) < torch.tensor([5, 1 + seed])[:, None])[:, None]
    mask = None if kind == "none" else mask
    ours, weights = lesson.attend(*parts, mask)
    theirs = nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask)
    assert torch.allclose(ours, theirs, atol=1e-10)
    assert torch.allclose(weights.sum(dim=2), torch.ones(2, 3, **FLOAT))
    if mask is not None:
        assert (weights[~mask.expand(weights.shape)] == 0).all()
    toward = torch.randn(ours.shape, **FLOAT)
    gradients = [torch.autograd.grad((x * toward).sum(), parts) for x in (ours, theirs)]
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_heads_are_those_of_multihead_attention(lesson, seed):
    """With biases, padding and the causal mask; True means leave out there."""
    torch.manual_seed(seed)
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **FLOAT)
    for bias in (layer.in_proj_bias, layer.out_proj.bias):
        nn.init.normal_(bias)  # they start at 0, which would prove nothing
    x = torch.randn(3, 5, 8, **FLOAT)
    real = torch.arange(5) < torch.tensor([5, 3, 4])[:, None]  # (B, T)
    earlier = torch.ones(5, 5, dtype=torch.bool).tril()
    mask = earlier & real[:, None]
    q, k, v = (x @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=2)
    cut = slice(0, 4), slice(4, 8)
    heads = [lesson.attend(*(part[:, :, c] for part in (q, k, v)), mask) for c in cut]
    joined = torch.cat([answer for answer, _ in heads], dim=2)
    by_hand = joined @ layer.out_proj.weight.T + layer.out_proj.bias
    options = {"key_padding_mask": ~real, "attn_mask": ~earlier}
    theirs, weights = layer(x, x, x, average_attn_weights=False, **options)
    assert torch.allclose(by_hand, theirs, atol=1e-10)
    ours = torch.stack([weight for _, weight in heads], dim=1)
    assert torch.allclose(ours, weights, atol=1e-10)
    toward, weights = torch.randn(theirs.shape, **FLOAT), [*layer.parameters()]
    gradients = [
        torch.autograd.grad((out * toward).sum(), weights) for out in (by_hand, theirs)
    ]
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_with_the_mask_more_padding_makes_no_difference(lesson):
    (q, k, v), _ = random_case(0)
    more = [torch.cat([part, 9 + 0 * part[:, :2]], dim=1) for part in (k, v)]
    real = (torch.arange(7) < 5).expand(2, 1, 7)
    masked, _ = lesson.attend(q, *more, real)
    assert torch.allclose(masked, lesson.attend(q, k, v)[0], atol=1e-12)
    assert not torch.allclose(lesson.attend(q, *more)[0], masked, atol=1e-2)


def inputs():
    torch.manual_seed(0)
    return torch.randint(1, 27, (2, 6)), torch.randint(1, START, (2, 5))


@pytest.mark.parametrize("name", ["Looking", "Additive", "Transformer", "Speaker"])
def test_a_decoder_does_not_see_what_comes_later_and_sees_all_letters(lesson, name):
    (x, given), model = inputs(), lesson.KINDS[name]().eval()
    later, other = given.clone(), x.clone()
    later[:, 3:] = 7
    other[:, -1] = 3
    scores = model(x, given)
    assert scores.shape == (2, 5, 42)
    assert torch.allclose(model(x, later)[:, :3], scores[:, :3], atol=1e-6)
    assert not torch.allclose(model(x, later)[:, 3:], scores[:, 3:], atol=1e-4)
    assert not torch.allclose(model(other, given)[:, 0], scores[:, 0], atol=1e-5)
    memory, state = model.encode(x)
    steps = []
    for t in range(5):  # one step at a time is the same
        one, state = model.decode(given[:, t : t + 1], memory, state)
        steps.append(one[:, -1:])
    assert torch.allclose(torch.cat(steps, dim=1), scores, atol=1e-5)


def test_all_rivals_are_as_large(lesson):
    sizes = [sum(p.numel() for p in m().parameters()) for m in lesson.KINDS.values()]
    assert len(sizes) == 5 and max(sizes) / min(sizes) < 1.02
    stored = json.loads((ROOT / "04_Beyond_RNN/results/attention.json").read_text())
    for name, options in lesson.MEASURE.items():
        model = lesson.KINDS[options["kind"]]()
        size = sum(p.numel() for p in model.parameters())
        assert stored["scores"][name]["parameters"] == [size] * 5


def test_additive_scores_are_a_small_network(lesson):
    torch.manual_seed(0)
    model, memory = lesson.Additive(), torch.randn(2, 4, 94)
    given, state = torch.tensor([[1, 2, 3], [4, 5, 6]]), None
    steps, _ = model.lstm(model.embed(given))
    scores = torch.zeros(2, 3, 4)
    for b, s, t in np.ndindex(2, 3, 4):
        fit = model.query(steps[b, s]) + model.key(memory[b, t])
        scores[b, s, t] = model.v(fit.tanh())
    by_hand = model.mix(torch.cat([steps, scores.softmax(dim=2) @ memory], dim=2))
    answer, _ = model.decode(given, memory, state)
    assert torch.allclose(model.weights, scores.softmax(dim=2), atol=1e-6)
    assert torch.allclose(answer, model.out(by_hand.tanh()), atol=1e-6)


def test_what_the_decoder_sees_enters_its_answer(lesson):
    (x, given), model = inputs(), lesson.Looking()
    memory, state = model.encode(x)
    steps, _ = model.lstm(model.embed(given), state)
    seen, weights = lesson.attend(model.query(steps), model.key(memory), memory)
    by_hand = model.out(model.mix(torch.cat([steps, seen], dim=2)).tanh())
    assert torch.allclose(model.decode(given, memory, state)[0], by_hand, atol=1e-6)
    assert torch.equal(model.weights, weights) and weights.shape == (2, 5, 6)


def test_ctc_has_two_answers_for_each_letter(lesson):
    words, model = lesson.words, lesson.Labels()
    rows = words.batches(words.validation, size=6)[0]
    x, _, wanted = words.tensors(rows)
    log_p = model(x)
    assert log_p.shape == (len(x), 2 * x.shape[1], 40)
    assert torch.allclose(log_p.exp().sum(dim=2), torch.ones(log_p.shape[:2]))
    losses = []
    for one, sounds in zip(log_p, wanted, strict=True):
        own = sounds[(sounds > 0) & (sounds < START)]
        sizes = torch.tensor(len(one)), torch.tensor(len(own))
        loss = nn.functional.ctc_loss(one, own, *sizes, zero_infinity=True)
        losses.append(loss)
    assert lesson.ctc_loss(model, words, rows).item() == pytest.approx(
        torch.stack(losses).mean().item(), rel=1e-4
    )


def test_labels_are_read_as_ctc_reads(lesson):
    path = torch.tensor([[0, 4, 4, 0, 4, 9], [0, 0, 0, 0, 0, 0]])
    said = lesson.say_labels(lambda x: nn.functional.one_hot(path, 40).float(), None)
    assert [one.tolist() for one in said] == [[4, 4, 9], []]


def test_the_beam_is_that_of_lesson_04_1(lesson):
    first = load_lesson(f"{HERE}/encoder_decoder.py", ["words"])
    torch.manual_seed(0)
    for model in (first.Speaker(units=4, decoder=6), lesson.Looking(units=4)):
        for one in first.words.letters[first.words.validation[:3], :3]:
            found = first.beam_search(model, one[None], width=3)
            assert lesson.beam_search(model, one[None], width=3) == found[0][1]


def test_the_speaker_is_that_of_lesson_04_1(lesson):
    first = load_lesson(f"{HERE}/encoder_decoder.py", ["words"])
    (x, given), theirs, ours = inputs(), first.Speaker(), lesson.Speaker()
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(x, given), theirs(x, given))


def test_truth_and_lie_by_hand(lesson, monkeypatch):
    words, seen = lesson.words, []
    many = (words.wanted > 0).sum(dim=1)
    rows = words.validation[many[words.validation] > 7][:40]

    def keep(some):
        seen[:] = type(words).tensors(words, some)
        return [part.clone() for part in seen]

    def right_if_told_the_truth(x, given):
        said = seen[2].where(given == seen[1], torch.tensor(0))
        return nn.functional.one_hot(said, 42).float()

    monkeypatch.setattr(words, "tensors", keep)
    found = lesson.after_a_lie(right_if_told_the_truth, rows)
    assert found["truth"] == [0, 0, 0, 0]
    assert found["lie"][0] > 80 and found["lie"][1:] == [0, 0, 0]


def test_counted_is_what_lesson_04_1_stored(lesson, monkeypatch):
    path = ROOT / "04_Beyond_RNN/results/encoder_decoder.json"
    joint = json.loads(path.read_text("utf-8"))["baselines"]["joint n-gram"]
    monkeypatch.setattr(lesson, "root", ROOT, raising=False)
    found = lesson.counted()
    assert found.shape == (2, 3000)
    assert np.allclose(found.mean(axis=1), joint["test"], atol=0.01)


def test_groups_of_length(lesson):
    words = lesson.words
    by_size = [torch.nonzero(words.lengths == n)[0, 0] for n in (1, 4, 5, 10, 11, 13)]
    assert lesson.group_of(torch.stack(by_size)).tolist() == [0, 0, 1, 6, 7, 8]
    assert (END, START) == (41, 40)
