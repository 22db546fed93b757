"""Every function of a lesson on the path has a test; here those that had none."""

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
RUN |= {"NoLayer", "luck", "baselines", "measure", "stored_in"}


def functions(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    made = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    stubs = [node.name for node in made if ast.unparse(node).endswith("...")]
    return [n.name for n in made if n.name not in stubs and n.name[0] != "_"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_function_has_a_test(script):
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")
    )
    lost = [n for n in functions(script) if not re.search(rf"\b{n}\b", tests)]
    assert not set(lost) - RUN


def test_one_step_of_training_by_hand():
    lesson = load_lesson(f"{FROM_01}/pytorch_in_ten_minutes.py")
    curve = lesson.Curve()
    assert [tuple(w.shape) for w in curve.parameters()] == [
        (16, 1),
        (16,),
        (1, 16),
        (1,),
    ]
    x = torch.randn(3, 1)
    W, b, V, c = curve.parameters()
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
    fig, _ = lesson.memory(0.5)
    h = fig.axes[0].lines[0].get_ydata()
    one = np.tanh(1)
    assert len(h) == 41 and np.allclose(h[:4], [0, one, np.tanh(one / 2), h[3]])
    lesson.inputs = [0.0] * 50  # the state stays 0, where the slope of tanh is 1
    fig, _ = lesson.vanishing(0.5)
    x, left = fig.axes[0].lines[0].get_data()
    assert list(x) == list(range(1, 51)) and np.allclose(left, 0.5 ** np.arange(1, 51))
    assert "9e-16" in fig.axes[0].get_title("left") + fig.axes[0].get_title()
    lesson.inputs = [1.0] + [0.0] * 49
    left = lesson.vanishing(0.9)[0].axes[0].lines[0].get_ydata()
    state = np.tanh(0.9 * np.tanh(1.0))
    assert not np.isclose(left[-1], 0.9**50) and state > 0


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


def test_the_last_states_have_read_everything():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    for both in (False, True):
        rnn, x = (
            nn.LSTM(2, 3, batch_first=True, bidirectional=both),
            torch.randn(4, 5, 2),
        )
        states, (h_n, _) = rnn(x)
        wanted = torch.cat([*h_n], dim=1)
        assert torch.allclose(lesson.last_states(states, rnn), wanted)


def test_sums_of_words_have_the_mean_of_answers():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    y = torch.tensor([[1, -1, 0], [1, 1, 1]])  # five answers in two words
    sums = np.array([1.0, 3.0])
    assert lesson.per_answer(sums, [(None, y)]).mean() == pytest.approx(4 / 5)
    lesson.words = [None, None, [(None, y)]]
    hits = lesson.by_word([torch.tensor([[1, 2, 2], [1, 1, 1]])])
    assert hits.mean() == pytest.approx(100 * 4 / 5)


def test_a_forecast_of_changes_starts_at_the_last_month():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    known = np.array([[1.0, 5], [2, 7]])
    lesson.cuts, lesson.pairs = [(known, None)], [(torch.tensor([[2.0], [3.0]]), None)]
    lesson.scale = lesson.data.Standardiser(0.0, 10.0)
    assert lesson.forecast(nn.Identity(), 0).tolist() == [[25.0], [37.0]]


def test_rules_see_what_their_names_say():
    lesson = load_lesson(f"{HERE}/bidirectional_rnn.py", ["RULES"])
    sounds, vowels = ["S", "T", "EY", "SH", "AH", "N"], [2, 4]
    heard = {name: str(rule(sounds, vowels, 0)) for name, rule in lesson.RULES.items()}
    for name, view in heard.items():
        assert "EY" in view and ("AH" in view) == (
            name in ("all vowels", "vowel to the end")
        )
        assert ("S'" in view or "'T'" in view) == (name == "sounds so far")
        assert ("SH" in view) == (name == "vowel to the end")
    assert lesson.vowel_to_the_end(sounds, vowels, 1)[-1] == (1, ["AH", "N"])
    views = lesson.sounds_so_far(sounds, vowels, 1)
    assert views[-1] == sounds[:5] and views[1] == (1, ["SH", "AH"])
    assert lesson.vowels_so_far(sounds, vowels, 1) == ["AH", ["EY", "AH"]]
    lesson.stress = torch.tensor([[1, -1, 0], [0, 1, -1]])
    guess = torch.tensor([[1, 7, 0], [1, 1, 7]])
    assert [float(x) for x in lesson.score(guess, [0, 1])] == pytest.approx([75, 50])
    shares = lesson.per_word(guess, [0, 1]).mean(axis=1)
    assert shares.tolist() == pytest.approx([75, 50], abs=1e-4)


@pytest.mark.parametrize("carry", [False, True])
def test_an_epoch_clips_and_hands_on_a_detached_state(carry):
    lesson = load_lesson(f"{HERE}/stacked_rnn.py")
    given = []

    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(3))

        def forward(self, x, state):
            given.append(state)
            return 1000 * self.w.expand(*x.shape, 3), (self.w * 1,)

    model = Steep()
    adam = torch.optim.SGD(model.parameters(), lr=1.0)
    plan = torch.optim.lr_scheduler.ConstantLR(adam, 1.0)
    x = torch.zeros(2, 4, dtype=torch.long)
    bits = lesson.train_epoch(model, [(x, x)], adam, plan, carry)
    assert bits == pytest.approx(np.log2(3))
    assert model.w.norm().item() == pytest.approx(
        1.0, abs=1e-4
    )  # the gradient was about 800
    lesson.train_epoch(model, [(x, x), (x, x)], adam, plan, carry)
    assert given[:2] == [None, None] and (given[2] is not None) == carry
    assert not carry or not given[2][0].requires_grad


def test_a_row_of_the_table_counts_the_comparisons():
    lesson = load_lesson(f"{HERE}/choosing_a_model.py")
    gaps = np.array([-0.5, -1.5, -0.5, -1.5, -1.0])
    for rows, word in ((1, "clear"), (11, "undecided")):
        names = {f"names, {k}": [-3.0, -1.0] for k in range(rows)}
        lesson.file = {"luck": {"to the LSTM": names}}
        row = lesson.compare("names, 0", gaps, "to the LSTM")
        assert row.split()[-2:] == ["-1.00", word]
