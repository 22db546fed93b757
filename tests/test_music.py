"""The functions of 03.4: families together, nothing seen too early, counts by hand."""

import itertools

import numpy as np
import pytest
import torch
from lesson_functions import load_lesson

SETTINGS = ["HERE", "RATE", "train", "validation", "test", "KEYS", "HELD", "COMPARED"]
SETTINGS += ["CONTEXTS", "DISCOUNTS"]


@pytest.fixture(scope="module")
def lesson():
    return load_lesson("03_RNN_in_Use/raw_scripts/music.py", SETTINGS)


def test_a_tone_has_its_frequency_and_an_octave_doubles_it(lesson):
    for pitch, hertz in ((69, 440), (81, 880), (60, 261.63)):
        wave = lesson.tone(pitch, seconds=1)
        assert len(wave) == lesson.RATE == 8000
        assert abs(np.abs(np.fft.rfft(wave)).argmax() - hertz) < 1
    assert abs(wave[0]) < 1e-9 and np.abs(wave[:800]).max() > np.abs(wave[-800:]).max()


def test_played_are_all_voices_that_do_not_rest(lesson, monkeypatch):
    heard = []
    monkeypatch.setattr(lesson, "Audio", lambda wave, rate: heard.append((wave, rate)))
    monkeypatch.setattr(lesson, "display", lambda sound: None)
    lesson.play(np.array([[69, 0, 0, 57], [0, 0, 0, 0]]))
    ((wave, rate),) = heard
    assert rate == 8000 and len(wave) == 8000 and not wave[4000:].any()
    assert np.allclose(wave[:4000], lesson.tone(69) + lesson.tone(57))


def test_symbols_leave_rests_and_fit_in_every_key(lesson):
    assert lesson.symbols(np.array([[0, 60, 36, 81]]), 1).tolist() == [[0, 32, 8, 53]]
    every = np.concatenate([*lesson.train, *lesson.validation, *lesson.test])
    for k in lesson.KEYS:
        moved = lesson.symbols(every, k)
        assert moved.max() < 60 and (moved > 0).tolist() == (every > 0).tolist()


def test_contexts_and_counts_by_hand(lesson):
    frames, make = [[9, 7, 5, 1], [9, 8, 5, 2]], lesson.CONTEXTS["last chord"]
    wanted = [(), (8,), ((8,), (9,)), ((8,), (9,)), ((9,), (9, 8, 5, 2))]
    assert lesson.looks(make, [*frames, [9, 8, 0, 0]], 2, 1) == wanted
    assert lesson.looks(make, frames, 0, 0) == [(), (), ((), ()), ((), ()), ((), ())]
    assert lesson.at(frames, -1) == () and lesson.at(frames, 1) == (9, 8, 5, 2)
    tables = lesson.count_all(make, [frames])
    assert tables[0][0] == {(): {9: 2}} and tables[0][1] == {(): {9: 1}, (9,): {9: 1}}
    assert tables[1][1][(7,)] == {8: 1}
    p = lesson.all_p(tables, make, [[9, 7, 5, 1]], D=0.5)
    by_hand = 1 / 60
    for n, kinds, many in ((2, 1, 2), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)):
        by_hand = (n - 0.5 + 0.5 * kinds * by_hand) / many
    assert p[0, 0] == pytest.approx(by_hand)


@pytest.mark.parametrize("name", ["last chord", "soprano's way"])
def test_counts_give_probabilities(lesson, name):
    grids = [lesson.symbols(frames).tolist() for frames in lesson.train[:3]]
    make = lesson.CONTEXTS[name]
    tables, frames = lesson.count_all(make, grids), grids[1][:5]
    for voice in range(4):
        every = [
            [*frames[:-1], [*frames[-1][:voice], note, *frames[-1][voice + 1 :]]]
            for note in range(60)
        ]
        total = sum(lesson.all_p(tables, make, one, 0.7)[-1, voice] for one in every)
        assert total == pytest.approx(1)


@pytest.fixture
def model(lesson):
    torch.manual_seed(0)
    return lesson.Choir(units=8, inputs=4).eval()


def test_a_voice_sees_frames_before_and_voices_above_only(lesson, model):
    x = torch.randint(60, (1, 5, 4))
    with torch.no_grad():
        before = model(x)
    for t, voice in itertools.product(range(5), range(4)):
        y = x.clone()
        y[0, t, voice] = (y[0, t, voice] + 7) % 60
        with torch.no_grad():
            changed = (model(y) != before).any(dim=3)[0]  # (T, 4)
        assert not changed[:t].any() and not changed[t, : voice + 1].any()
        assert changed[t, voice + 1 :].all() and changed[t + 1 :].all()


def test_the_probability_of_each_note_that_came(lesson, model):
    frames = lesson.train[0][:6]
    found = lesson.network_p(model, frames)
    x = torch.tensor(lesson.symbols(frames))
    with torch.no_grad():
        p = model(x[None])[0].softmax(dim=2)
    assert found.shape == (6, 4)
    assert found[3, 2] == pytest.approx(p[3, 2, x[3, 2]].item())


def test_padding_does_not_count_and_pieces_move_through_keys(lesson, monkeypatch):
    seen, costs = [], []
    real = torch.nn.functional.cross_entropy

    def loss(logits, y, ignore_index):
        seen.append(y.view(-1, 4))
        costs.append(real(logits, y, ignore_index=ignore_index))
        return costs[-1]

    monkeypatch.setattr(lesson.nn.functional, "cross_entropy", loss)
    grids = [np.full((n, 4), 60) for n in (3, 6)]
    torch.manual_seed(0)
    trained = lesson.fit(lesson.Choir(units=4, inputs=4), grids, epochs=30)
    assert not trained.training and costs[-1] < costs[0]
    keys = {int(y.max()) - 31 for y in seen}
    assert keys <= set(lesson.KEYS) and len(keys) > 4
    assert all((y == -1).sum() == 12 for y in seen)  # three frames of padding
    seen.clear()
    lesson.fit(lesson.Choir(units=4, inputs=4), grids, epochs=3, keys=[0])
    assert {int(y.max()) for y in seen} == {31}


def test_composing_draws_what_the_network_says(lesson, model):
    with torch.no_grad():
        for out in model.out:
            out.weight.zero_()
            out.bias.copy_(torch.full((60,), -50.0))
            out.bias[31] = 0.0
        model.out[3].bias[0] = 50.0  # the bass rests
    assert lesson.compose(model, 3).tolist() == [[60, 60, 60, 0]] * 3


def test_composing_is_the_forward_pass_frame_by_frame(lesson, model, monkeypatch):
    given = []
    real = torch.multinomial

    def draw(p, many):
        given.append(p)
        return real(p, many)

    monkeypatch.setattr(lesson.torch, "multinomial", draw)
    frames = lesson.compose(model, 4, temperature=0.5, seed=3)
    with torch.no_grad():
        x = torch.tensor(lesson.symbols(frames))[None]
        p = (model(x) / 0.5).softmax(dim=3).view(16, 60)
    assert torch.allclose(torch.stack(given), p, atol=1e-5)
    assert np.array_equal(frames, lesson.compose(model, 4, temperature=0.5, seed=3))


def test_prints_do_not_know_the_key(lesson):
    frames = np.array([[60, 55, 52, 48], [62, 55, 53, 47], [64, 60, 55, 48]])
    assert lesson.prints(frames, many=2) == lesson.prints(frames + 3, many=2)
    assert len(lesson.prints(frames, many=2)) == 2
    held = np.array([[60, 55, 52, 48]] * 2 + [[62, 55, 53, 47]])
    assert len(lesson.prints(held, many=2)) == 1  # one chord held is no run
    assert lesson.prints(frames, many=2)[1] == (0, -7, -9, -15, 2, -2, -7, -14)


def test_copies_are_counted_in_any_key(lesson, monkeypatch):
    frames = np.arange(20).reshape(5, 4) + 50
    monkeypatch.setattr(lesson, "known", {*lesson.prints(frames + 5)}, raising=False)
    other = frames.copy()
    other[4, 2] += 1
    assert lesson.copies([frames]) == 1 and lesson.copies([frames, other]) == 0.75


def test_no_table_looks_at_later_notes(lesson):
    frames = np.arange(1, 13).reshape(3, 4).tolist()
    for name, make in lesson.CONTEXTS.items():
        for voice in range(4):
            spoiled = [row[:] for row in frames]
            spoiled[2][voice:] = [50] * (4 - voice)
            a, b = (lesson.looks(make, f, 2, voice) for f in (frames, spoiled))
            assert a == b, name
            assert len(a) <= 6, name


def test_mixing_and_scores_by_hand(lesson, monkeypatch):
    assert lesson.nats([np.full((2, 4), 0.5), np.full((1, 4), 0.5)]) == pytest.approx(
        4 * np.log(2)
    )
    good, bad = np.full(50, 0.9), np.full(50, 0.1)
    assert lesson.mix(np.array([good, bad]))[0] > 0.99
    held = {part: [np.full((2, 4), 60)] * 2 for part in ("validation", "test")}
    monkeypatch.setattr(lesson, "HELD", held)
    models = [{part: [np.full((2, 4), q)] * 2 for part in held} for q in (0.8, 0.2)]
    together, weights = lesson.mixed(models)
    assert np.allclose(together["test"][1], 0.8, atol=1e-6) and weights[0] == [1, 0]
    own = lesson.of_pieces([np.full((1, 4), 0.5), np.full((3, 4), 0.5)])
    assert own.mean() == pytest.approx(4 * np.log(2)) and own[1] == 3 * own[0]
    p = lesson.repeated(0.5)["test"][0]
    assert np.allclose(p, [[0.5 / 59] * 4, [0.5] * 4])


def test_settings_of_the_simple_models_do_not_see_the_test_part(lesson, monkeypatch):
    few = {"validation": lesson.validation[:2], "test": lesson.test[:2]}
    monkeypatch.setattr(lesson, "HELD", few)
    monkeypatch.setattr(lesson, "train", lesson.train[:4])
    monkeypatch.setattr(lesson, "KEYS", [0])
    models = dict(itertools.islice(lesson.CONTEXTS.items(), 2))
    monkeypatch.setattr(lesson, "CONTEXTS", models)
    first = lesson.simple_models.__wrapped__()
    few["test"] = [np.full((30, 4), 60)] * 2
    again = lesson.simple_models.__wrapped__()
    for name, (p, settings) in first.items():
        assert settings == again[name][1], name
        assert lesson.nats(p["test"]) != lesson.nats(again[name][0]["test"])
