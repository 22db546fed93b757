"""The text of 03.1 and what the lesson makes of it, in tiny examples by hand."""

import pydoc_data.topics

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson

from utils import text

TOY = [["a", "b", "a"], ["b", "c", "<end>"]]


@pytest.fixture
def lesson():
    """The lesson's functions on a text of three words and an end."""
    here = load_lesson("03_RNN_in_Use/raw_scripts/next_word.py", ["MIXES"])
    here.known = ["<unk>", "a", "b", "c", "<end>"]
    here.V, here.END = 5, 4
    return here


# --- the text -------------------------------------------------------------------------


def test_words_marks_and_numbers():
    told = "It’s 42.5, don't (IT) re-read naïve_x!"
    words = "it's 0 . 0 , don't ( it ) re read naïve_x !"
    assert text.to_words(told) == words.split()
    assert text.vocabulary([["b", "a"], ["a", "c", "b", "a"]]) == ["<unk>", "a", "b"]
    assert text.encode([["b", "x"], ["a"]], ["<unk>", "a", "b"]) == [2, 0, 1]


def test_a_file_is_cut_by_place_and_each_paragraph_kept_once(tmp_path, monkeypatch):
    path = tmp_path / "own.txt"
    blocks = [f"Word{'x' * k} Here,\nand there." for k in range(30)]
    path.write_text("\n\n".join([*blocks, blocks[0], "\n"]), encoding="utf-8-sig")
    monkeypatch.setattr(text, "LEAST", 210)
    parts = text.load_text(path)
    words = [[word for document in part for word in document] for part in parts]
    assert list(map(len, words)) == [168, 21, 21]  # 30 paragraphs of 7 words
    assert " ".join(words[0][:8]) == "word here , and there . <end> wordx"
    assert [part[0].count("x") for part in words] == [0, 24, 27]  # in order
    assert sum(part.count("word") for part in words) == 1
    monkeypatch.setattr(text, "LEAST", 211)
    with pytest.raises(ValueError, match=r"210 words.*needs 211"):
        text.load_text(path)


def test_what_is_no_text_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.txt"):
        text.load_text(tmp_path / "none.txt")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        text.load_text(tmp_path)
    path = tmp_path / "latin.txt"
    path.write_bytes("Käse\n\n".encode("latin-1") * 9999)
    with pytest.raises(ValueError, match=r"latin\.txt is not text in UTF-8"):
        text.load_text(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="has 0 words"):
        text.load_text(path)


def test_of_topics_the_prose_is_kept_once_by_the_shortest(monkeypatch):
    shared = "This is a paragraph that stands in two of the topics."
    own = "A class is an object, and it can be called by the user of it."
    code = "if the value == 1, it is that of the list and this is not for you"
    heading = "The class"
    topics = {"comparisons": f"{own}\n\n{code}\n\n{shared}", "debugger": shared}
    topics["comparisons"] += f"\n\n{heading}"
    monkeypatch.setattr(pydoc_data.topics, "topics", topics)
    _, validation, test = text.load_text()
    assert validation == [[*text.to_words(own), "<end>"]]
    assert test == [[*text.to_words(shared), "<end>"]]


def test_the_reference_has_prose_in_parts_without_copies():
    parts = text.load_text()
    assert [len(part) for part in parts] == [64, 8, 7]
    paragraphs = [
        paragraph
        for part in parts
        for document in part
        for paragraph in " ".join(document).split(" <end>")
    ]
    long = [p for p in paragraphs if len(p.split()) > 12]
    assert len(long) > 500 and len(set(long)) == len(long)
    assert not [p for p in paragraphs if ">>>" in p or "::=" in p or p != p.lower()]
    assert all(
        document[-1] == "<end>" for part in parts for document in part if document
    )


# --- counts ---------------------------------------------------------------------------


def test_tables_count_sights_for_the_longest_context_and_kinds_below(lesson):
    tables = lesson.count([1, 2, 1, 2, 3, 2], order=2)
    assert tables[1] == {(1,): {2: 2}, (2,): {1: 1, 3: 1}, (3,): {2: 1}}
    assert tables[0] == {(): {2: 2, 1: 1, 3: 1}}  # 2 came after two kinds, 1 and 3
    assert lesson.count([1, 2, 1], order=1) == [{(): {1: 2, 2: 1}}]


def test_kneser_ney_by_hand(lesson):
    tables = lesson.count([1, 2, 1, 2, 3, 2], order=2)
    of_2 = (2 - 0.9) / 4 + 0.9 * 3 / 4 / 5  # the kinds, then equal shares
    assert lesson.kneser_ney(2, (), tables) == pytest.approx(of_2)
    after_1 = (2 - 0.9) / 2 + 0.9 * 1 / 2 * of_2
    assert lesson.kneser_ney(2, (1,), tables) == pytest.approx(after_1)
    assert lesson.kneser_ney(2, (4,), tables) == pytest.approx(of_2)  # never seen
    for context in [(), (1,), (2,), (4,)]:
        p = [lesson.kneser_ney(word, context, tables) for word in range(5)]
        assert sum(p) == pytest.approx(1) and min(p) > 0
    p = lesson.counting_p(tables, [1, 2, 3])
    wanted = [(1, (4,)), (2, (1,)), (3, (2,))]  # the first after an <end>
    assert p == pytest.approx([lesson.kneser_ney(*pair, tables) for pair in wanted])


def test_modified_kneser_ney_is_the_plain_one_with_equal_discounts(lesson):
    rng = np.random.default_rng(0)
    ids, new = rng.integers(1, 5, 200).tolist(), rng.integers(0, 5, 50).tolist()
    tables = lesson.count(ids, order=3)
    plain = lesson.counting_p(tables, new)
    assert lesson.modified_p(tables, [[0.9] * 3] * 3, new) == pytest.approx(plain)
    D = [[0.5, 1.2, 1.4]] * 3
    total = sum(lesson.modified_p(tables, D, [*new[:9], word])[9] for word in range(5))
    assert total == pytest.approx(1)


def test_discounts_from_the_counts_of_counts(lesson):
    # Three counts of 1, two of 2, one of 3 and of 4: Y = 3 / (3 + 4).
    table = {(): {0: 1, 1: 1, 2: 1, 3: 2, 4: 2}, (1,): {0: 3, 1: 4}}
    Y = 3 / 7
    wanted = [1 - 2 * Y * 2 / 3, 2 - 3 * Y * 1 / 2, 3 - 4 * Y * 1 / 1]
    assert lesson.discounts(table) == pytest.approx(wanted)


def test_a_cache_by_hand_and_perplexity(lesson):
    p = lesson.cache_p([1, 1, 2], decay=0.5)
    # First equal shares; then 0.1 each and 1 for the word 1; then 0.05 and 1.5.
    assert p == pytest.approx([0.2, 1.1 / 1.5, 0.05 / 1.75])
    assert lesson.perplexity(np.array([1 / 2, 1 / 8, 1 / 4])) == pytest.approx(4)


def test_a_mix_finds_the_weights_that_explain_most(lesson):
    rng = np.random.default_rng(0)
    models = rng.dirichlet(np.ones(6), size=3)  # three models of six words
    words = rng.choice(6, p=np.array([0.6, 0.3, 0.1]) @ models, size=4000)
    p = models[:, words]
    weights = lesson.mix(p, rounds=200)
    assert weights.sum() == pytest.approx(1)
    best = np.log(weights @ p).mean()
    for other in rng.dirichlet(np.ones(3), size=200):
        assert np.log(other @ p).mean() <= best + 1e-6


def test_settings_of_the_counts_do_not_see_the_test_part(lesson, monkeypatch):
    rng = np.random.default_rng(0)
    lesson.train_ids = rng.integers(1, 5, 400).tolist()
    lesson.validation_ids = rng.integers(1, 5, 100).tolist()
    lesson.discounts = lambda table: [0.5, 0.9, 1.1]  # too few counts for the formula
    found = []
    for spoiled in ([1] * 50, [2] * 50):
        lesson.test_ids = spoiled
        tables, D = lesson.tune_counts()
        own = lesson.counting_p(tables, lesson.validation_ids)
        found.append((len(tables), D, lesson.tune_cache(own)))
    assert found[0] == found[1]


# --- the network ----------------------------------------------------------------------


def test_the_network_is_tied_and_reads_on_from_its_state(lesson):
    torch.manual_seed(0)
    model = lesson.Words(inputs=8, units=6).eval()
    assert model.out.weight is model.embed.weight
    words = torch.randint(5, (2, 7))
    whole, last = model(words)
    first, state = model(words[:, :3])
    second, end = model(words[:, 3:], state)
    assert whole.shape == (2, 7, 5) and torch.allclose(last, end, atol=1e-6)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-6)
    states, _ = model.gru(model.embed(words))
    by_hand = model.down(states) @ model.embed.weight.T + model.out.bias
    assert torch.allclose(whole, by_hand, atol=1e-6)
    torch.manual_seed(1)
    assert not torch.equal(model.train()(words)[0], whole)  # dropout


def test_a_word_is_forecast_from_the_words_before_it(lesson):
    torch.manual_seed(0)
    model, ids = lesson.Words(8, 6).eval(), [1, 2, 3, 2]
    p = lesson.network_p(model, ids)
    for t in range(4):
        with torch.no_grad():
            logits, _ = model(torch.tensor([[4, *ids][: t + 1]]))
        assert p[t] == pytest.approx(
            logits[0, -1].softmax(dim=0)[ids[t]].item(), rel=1e-5
        )


def test_streams_hold_all_documents_and_the_word_that_follows(lesson):
    documents = [["a", "b", "<end>"], ["c", "c", "a", "<end>"], ["b", "<end>"]]
    read, follows = lesson.streams(documents, np.random.default_rng(0), rows=2)
    assert read.shape == follows.shape == (2, 4)
    flat, after = read.flatten(), follows.flatten()
    assert torch.equal(flat[1:], after[:-1])
    whole = [*flat.tolist(), after[-1].item()]
    joined = "".join(lesson.known[i][0] for i in whole)
    assert sorted(joined.split("<")) == sorted(["ab", "cca", "b", ""])


def test_words_read_are_counted_from_an_empty_state(lesson):
    torch.manual_seed(0)
    lesson.validation_ids = torch.randint(1, 5, (300,)).tolist()
    model = lesson.Words(8, 6).eval()
    found = lesson.by_words_read(model)
    costs = []
    for start in range(0, 300 - 64, 2):
        piece = torch.tensor(lesson.validation_ids[start : start + 65])
        with torch.no_grad():
            logits, _ = model(piece[None, :-1])
        log_p = logits[0].log_softmax(dim=1)[range(64), piece[1:]]
        costs.append(-log_p)
    cost = torch.stack(costs).mean(dim=0)
    assert found[0] == pytest.approx(cost[:2].mean().exp().item(), rel=1e-4)
    assert found[-1] == pytest.approx(cost[32:].mean().exp().item(), rel=1e-4)
    assert len(found) == 6
