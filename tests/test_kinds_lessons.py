"""Every function of a lesson on the path has a test; here those that had none. Deeper
notebooks show the same functions.
"""

import ast
import re

import numpy as np
import pytest
import torch
from lesson_functions import ROOT, load_lesson
from torch import nn

SCRIPTS = sorted(ROOT.glob("[0-9][0-9]_*/raw_scripts/*.py"))
HERE = "02_LSTM_RNN/raw_scripts"
FROM_01 = "01_Introduction_to_RNN/raw_scripts"
# Seen by running the lesson: a drawing, timings, sums of what is tested by itself.
RUN = {"draw_word", "layer_times", "inference", "simple_models", "chosen_ar"}
RUN |= {"score_counts", "found_among", "gates_of", "times", "overview"}
RUN |= {"NoLayer", "ngram_answers", "luck", "baselines", "measure", "stored_in"}
RUN |= {"in_other_voices", "classifier", "show_looks"}


def functions(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    made = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    stubs = [node.name for node in made if ast.unparse(node).endswith("...")]
    return [n.name for n in made if n.name not in stubs and n.name[0] != "_"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_function_has_a_test(script):
    tests = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")]
    named = set(re.findall(r"\w+", "\n".join(tests)))
    assert not set(functions(script)) - named - RUN


# Functions of a lesson that its deeper notebook shows again, and settings.
SHARED = {
    "simple_rnn, sunspots_further": "Forecaster ChangeForecaster by_month",
    "lstm, lstm_further": "lstm_layer NextMonth closed_loop choose_ar Direct",
    "gru, gru_further": "gru_layer fast_gru_layer features train_network",
    "bidirectional_rnn, a_clean_leak_test": "Tagger train_tagger by_rule stem",
    "next_word, words_further": "count discounts modified_p mix cache_p perplexity",
    "speech_recognition, speech_further": "Listener train listen beam_search prepare "
    "other_voice",
    "encoder_decoder, letters_and_sounds": "arcs expected learn_pairs align Joint",
    "attention, rivals_of_attention": "attend Looking Additive Transformer Labels "
    "ctc_loss say_labels",
}
SETTINGS = {"RULES", "ENDINGS", "stems", "related", "relatives", "size", "family"}
SETTINGS |= {"others", "order", "(train, validation, test)", "RATES"}


def definitions(script):
    found = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        name = getattr(node, "name", "")
        if isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or name in SETTINGS:
            found.setdefault(name, []).append(ast.unparse(node))
    return found


@pytest.mark.parametrize("pair", SHARED)
def test_a_deeper_notebook_has_the_functions_of_its_lesson(pair):
    lesson, deeper = pair.split(", ")
    (ours,) = ROOT.glob(f"[0-9]*/raw_scripts/{lesson}.py")
    (theirs,) = ROOT.glob(f"[0-9]*/going_deeper/raw_scripts/{deeper}.py")
    ours, theirs = definitions(ours), definitions(theirs)
    shared = ours.keys() & theirs.keys()
    assert set(SHARED[pair].split()) <= shared
    differ = {name for name in shared if ours[name] != theirs[name]}
    assert differ <= {"three_parts"}  # test_simple_rnn.py compares what it returns


def test_one_step_of_training_by_hand():
    lesson = load_lesson(f"{FROM_01}/pytorch_in_ten_minutes.py")
    curve, x = lesson.Curve(), torch.randn(3, 1)
    W, b, V, c = curve.parameters()
    assert W.shape == (16, 1)
    assert torch.allclose(curve(x), torch.tanh(x @ W.T + b) @ V.T + c)
    lesson.model = nn.Linear(1, 1)
    nn.init.constant_(lesson.model.weight, 2.0)
    nn.init.zeros_(lesson.model.bias)
    lesson.inputs, lesson.targets = torch.tensor([[1.0]]), torch.tensor([[5.0]])
    lesson.optimizer = torch.optim.SGD(lesson.model.parameters(), lr=0.1)
    # Off by 3: the loss is 9, both slopes -6, both weights grow by 0.6; then 1.8 ** 2.
    assert lesson.train_step() == pytest.approx(9)
    assert lesson.train_step() == pytest.approx(1.8**2)


def test_memory_and_vanishing_by_hand():
    lesson = load_lesson(f"{FROM_01}/rnn_intro.py")
    h = lesson.memory(0.5)[0].axes[0].lines[0].get_ydata()
    one = np.tanh(1)
    assert len(h) == 41 and np.allclose(h[:3], [0, one, np.tanh(one / 2)])
    lesson.inputs = [0.0] * 50  # the state stays 0, where the slope of tanh is 1
    axes = lesson.vanishing(0.5)[0].axes[0]
    x, left = axes.lines[0].get_data()
    assert list(x) == list(range(1, 51)) and np.allclose(left, 0.5 ** np.arange(1, 51))
    assert "9e-16" in axes.get_title("left") + axes.get_title()
    lesson.inputs = [1.0] + [0.0] * 49
    left = lesson.vanishing(0.9)[0].axes[0].lines[0].get_ydata()
    assert not np.isclose(left[-1], 0.9**50)


def test_names_are_invented_letter_by_letter():
    lesson = load_lesson(f"{FROM_01}/rnn_intro.py", ["LETTERS"])
    letters, seen = lesson.LETTERS, []

    def net(letter, memory):  # sure of what comes next: abc, then the end
        seen.append((letter.item(), memory))
        scores = torch.full((1, 1, 27), -1e9)
        scores[0, 0, letters.index("abc."[len(seen) - 1])] = 0.0
        return scores, len(seen)

    assert lesson.invent(net) == "abc"
    assert seen == [(0, None), *((letters.index("abc"[k]), k + 1) for k in range(3))]
    assert len(lesson.invent(lambda *_: (torch.eye(27)[1:2][None] * 1e9, None))) == 12
    out, memory = lesson.NameWriter()(torch.zeros(2, 5, dtype=torch.long))
    assert out.shape == (2, 5, 27) and memory.shape == (1, 2, 64)


def test_gates_are_those_of_the_cell():
    lesson = load_lesson(f"{HERE}/lstm.py")
    lstm, x = nn.LSTM(2, 3), torch.randn(4, 5, 2)
    i, f, c = lesson.look_inside(lstm, x)
    _, (_, last) = lstm(x)
    assert i.shape == f.shape == (4, 5, 3) and torch.allclose(c[-1], last[0], atol=1e-6)
    W, _, b, d = lstm.parameters()
    rows = (x[0] @ W.T + b + d).sigmoid()  # at the first step h is 0
    assert torch.allclose(i[0], rows[:, :3]) and torch.allclose(f[0], rows[:, 3:6])


def test_a_forecast_of_changes_starts_at_the_last_month():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    known = np.array([[1.0, 5], [2, 7]])
    lesson.cuts, lesson.pairs = [(known, None)], [(torch.tensor([[2.0], [3.0]]), None)]
    lesson.scale = lesson.data.Standardiser(0.0, 10.0)
    assert lesson.forecast(nn.Identity(), 0).tolist() == [[25.0], [37.0]]


def test_a_row_of_the_table_counts_the_comparisons():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    gaps = np.array([-0.5, -1.5, -0.5, -1.5, -1.0])
    for rows, word in ((1, "clear"), (11, "undecided")):
        names = {f"names, {k}": [-3.0, -1.0] for k in range(rows)}
        lesson.file = {"luck": {"to the LSTM": names}}
        row = lesson.compare("names, 0", gaps, "to the LSTM")
        assert row.split()[-2:] == ["-1.00", word]
