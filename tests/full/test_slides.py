"""The slides are what their sources draw. Then a tiny deck is broken in many ways."""

import collections
import decimal
import functools
import hashlib
import importlib.util
import itertools
import json
import math
import re
import shutil

import numpy as np
import pytest
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from PIL import Image

from tools.build_slides import ROOT, Deck, SlideError, escape, main, pixels, stale
from utils import plotting

SOURCES = sorted(ROOT.glob("*/concepts/slides.typ"))
LIBRARY = ROOT / "tools" / "slides"
each_deck = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parts[-3])
built = functools.cache(Deck)  # one that is broken fails only its own tests


# ------------------------------------------------------------------ the committed decks
@each_deck
def test_folder_is_up_to_date(source):
    problems = stale(built(source))
    assert not problems, "run: python tools/build_slides.py"


@each_deck
def test_pictures_stay_off_the_margins_and_gallery_and_lessons_find_them(source):
    slides = json.loads((source.parent / "alt.json").read_text(encoding="utf-8"))
    text = (source.parent / "README.md").read_text(encoding="utf-8")
    assert len(SOURCES) == 4 and len(slides) == len(built(source).pages) >= 6
    for number, slide in enumerate(slides, 1):
        picture = (source.parent / f"{number}.PNG").read_bytes()
        assert len(picture) <= 250_000 and slide["file"] == f"{number}.PNG"
        assert pixels(picture).shape == (1080, 1920, 3)
        assert not touched_margins(pixels(picture)), f"{number}.PNG"
        assert f"![{escape(slide['alt'])}]({number}.PNG)" in text
        assert escape(slide["description"]) in text
        assert slide["description"].rstrip().endswith(".")
    for key in ("alt", "title"):
        assert len({slide[key] for slide in slides}) == len(slides), "two are equal"


def touched_margins(image):
    """The sides on which something other than white stands in the margin."""
    width = 80  # the page margin: 44 pt at 2 px, less the edge of a note
    sides = {"top": image[:60], "bottom": image[-30:]}
    sides |= {"left": image[:, :width], "right": image[:, -width:]}
    return [name for name, strip in sides.items() if (strip < 253).any()]


@each_deck
def test_nothing_collides_in_a_drawing(source):
    drawings = [canvas["items"] for canvas in built(source).query("<canvas>")]
    assert not [sentence for items in drawings for sentence in collisions(items)]


@each_deck
def test_measurements_can_be_measured_again_and_fit_the_words(source):
    # `check` asserts what slides say in words; what training gave (TRAINED) may be
    # rounded differently on another processor.
    spec = importlib.util.spec_from_file_location("m", source.with_name("measure.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = source.with_name("measurements.json").read_text(encoding="utf-8")
    again, committed = json.loads(module.text(module.measure())), json.loads(text)
    for result in (again, committed):
        module.check(result)
        for name in module.TRAINED:
            del result[name]
    assert same_numbers(module.text(committed), module.text(again))


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def same_numbers(old, new):
    """Whether two texts differ at most in the last digit of numbers with a point."""
    if NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(
        abs(float(a) - float(b)) <= 1.01 * max(last_digit(a), last_digit(b))
        for a, b in pairs
    )


def last_digit(number):
    """What 1 in the last digit is worth; 0 for a whole number."""
    exponent = decimal.Decimal(number).as_tuple().exponent
    return 10.0**exponent if exponent < 0 else 0


# -------------------------------------------------------------------------- the library
def test_fonts_are_the_files_that_their_readme_names():
    folder = LIBRARY / "fonts"
    text = (folder / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `(.+?)` .*`([0-9a-f]{64})` \|$", text, re.M))
    fonts = [path for path in folder.iterdir() if path.suffix in (".otf", ".ttf")]
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in fonts}
    assert found == named
    for licence in re.findall(r"\]\((OFL.*?)\)", text):
        assert "SIL OPEN FONT LICENSE Version 1.1" in (folder / licence).read_text()


def test_figures_and_slides_have_colours_that_everybody_tells_apart():
    # Any two but grey are at least 20 apart (CIE Lab, D65) for normal, protan, deutan
    # and tritan sight as simulated by Machado, Oliveira and Fernandes (2009). Whoever
    # changes a colour has to compute that again.
    judged = {"blue": "#0433C9", "green": "#127456", "orange": "#A2310A"}
    judged |= {"purple": "#8E2083", "dark": "#17202B", "grey": "#4A5563"}
    text = (LIBRARY / "theme.typ").read_text(encoding="utf-8")
    assert dict(re.findall(r'^#let (\w+) = role\("(#\w{6})"\)', text, re.M)) == judged
    judged["ink"] = judged.pop("dark")
    assert {name: getattr(plotting, name.upper()) for name in judged} == judged


# -------------------------------------------------------------- where things are drawn
def box(item):
    return Bbox(item["points"][:2])


def ink_box(label):
    """A label's box less the room above and below its letters."""
    return box(label).padded(-1, -0.22 * min(box(label).height, 22))


def crosses(stroke, area):
    """Whether a stroke goes through a box."""
    return Path(stroke["points"]).intersects_bbox(area, filled=False)


def gap(point, node):
    """How far a point is from the edge of a node, inside or outside."""
    area = box(node)
    a, b = area.width / 2, area.height / 2
    x, y = np.abs(np.subtract(point, (area.min + area.max) / 2))
    if node["round"]:
        return abs(math.hypot(x / a, y / b) - 1) * min(a, b)
    if x <= a and y <= b:
        return min(a - x, b - y)
    return math.hypot(max(x - a, 0), max(y - b, 0))


def collisions(items):
    """Sentences about what touches and should not, or misses what it should touch."""
    kinds = collections.defaultdict(list)
    for item in items:
        kinds[item["kind"]].append(item)
    labels, nodes, arrows = (kinds[kind] for kind in ("label", "node", "arrow"))
    straight = arrows + kinds["line"]
    for a, b in itertools.combinations(labels, 2):
        if ink_box(a).overlaps(ink_box(b)):
            yield f"the labels {a['name']} and {b['name']} overlap"
    for label in labels:
        for solid in nodes + kinds["bar"] + kinds["dot"]:
            inside = all(box(solid).contains(*c) for c in box(label).corners())
            if ink_box(label).overlaps(box(solid)) and not inside:
                yield f"the label {label['name']} touches a {solid['kind']}"
        for stroke in straight + kinds["curve"]:
            if crosses(stroke, ink_box(label)):
                yield f"a {stroke['kind']} runs through the label {label['name']}"
    for node in nodes:
        # Inside of a circle: its square.
        inside = box(node).expanded(0.7, 0.7) if node["round"] else box(node).padded(-3)
        for stroke in straight:
            if crosses(stroke, inside):
                yield f"a {stroke['kind']} runs through the node {node['name']}"
        for end in (arrow["points"][k] for arrow in arrows for k in (0, -1)):
            if 0.8 < gap(end, node) < 4:
                yield f"an arrow at {end} just misses the node {node['name']}"


# --------------------------------------------------------- each check was seen to fail
def test_a_changed_measurement_is_found():
    old = '{"a": [0.25, 3, "x"], "b": 1e-08}'
    for new in ("0.26, 3", "0.25, 3"):
        assert same_numbers(old, old.replace("0.25, 3", new))
    for new in ('0.27, 3, "x"', '0.25, 4, "x"', '0.25, 3, "y"', "0.25, 3"):
        assert not same_numbers(old, old.replace('0.25, 3, "x"', new))
    assert not same_numbers(old, old.replace("1e-08", "3e-08"))


HEAD = """#import "/tools/slides/draw.typ": *
#show: deck.with(topic: "99  Test")
"""
ALT = "A box with an arrow that leads into it from the left."
DESCRIPTION = "A single box in the middle of the slide with the letter h in it. " * 3


def slide(body, alt=ALT, description=DESCRIPTION, title="One box"):
    texts = f'section: "S", title: "{title}", alt: "{alt}"'
    return f'#slide({texts}, description: "{description}")[\n{body}\n]\n'


def canvas(items, w=200, h=100):
    return slide(f"#canvas({w}, {h}, {items})")


BOX = """#let box-h = node((200, 80), $h$, role: green)
#canvas(400, 160, arrow((20, 80), box-h.w), box-h, label((90, 60), [into]))"""
AXES = "axes(x: (0, 1), y: (0, 1))"


@pytest.fixture
def build(tmp_path):
    """Build a deck from slide sources in an empty course; returns the Deck."""
    folder = tmp_path / "99_Test" / "concepts"
    folder.mkdir(parents=True)
    (tmp_path / "tools" / "slides").mkdir(parents=True)
    for path in LIBRARY.glob("*.typ"):
        shutil.copy(path, tmp_path / "tools" / "slides")

    def deck(*slides):
        (folder / "slides.typ").write_text(HEAD + "".join(slides), encoding="utf-8")
        return Deck(folder / "slides.typ", root=tmp_path)

    return deck


def test_a_good_deck_passes_and_what_is_stale_is_found_and_mended(build):
    two = slide("Text.", title="Two", alt=ALT + " Twice.")
    deck = build(slide(BOX), two)
    assert len(stale(deck, write=True)) == 5  # two pictures, PDF, texts, gallery
    assert not stale(build(slide(BOX), two))
    assert not list(collisions(deck.query("<canvas>")[0]["items"]))
    assert not touched_margins(pixels(deck.pages[0]))
    draws = "is not what slides.typ draws"
    other = stale(build(slide(BOX.replace("[into]", "[onto]")), two))
    assert other == [f"1.PNG {draws}", f"slides.pdf {draws}"]
    other = stale(build(slide(BOX, description=DESCRIPTION + "And more."), two))
    assert f"alt.json {draws}" in other and f"README.md {draws}" in other
    one = build(slide(BOX))
    assert "2.PNG belongs to no slide" in stale(one, write=True)
    picture = one.source.with_name("1.PNG")
    picture.rename(picture.with_name("1.png"))
    assert "1.PNG is missing" in stale(one, write=True)
    assert not stale(one) and not picture.with_name("2.PNG").exists()
    changed = pixels(one.pages[0]).astype(np.uint8)
    for shift, found in ((2, []), (1, [f"1.PNG {draws}"])):  # together 3 of 255
        changed[700:708, 900:908] -= np.uint8(shift)  # white there
        Image.fromarray(changed).save(picture)
        assert stale(one) == found


@pytest.mark.parametrize(
    "source, message",
    [
        (slide(BOX, alt=""), "needs an alt of at least 30"),
        (slide(BOX, alt="long " * 40), "140 is the most"),
        (slide(BOX, description=""), "needs a description"),
        (slide(BOX, title=""), "needs a title"),
        (slide("A glyph \u6f22 that the fonts do not have."), "could not be displayed"),
        (slide("$ a \u6f22 b $"), "could not be displayed"),
        (canvas("arrow((0, 20), (201, 20))"), "Outside of the canvas"),
        (canvas("label((190, 20), [wide])"), "Outside of the canvas"),
        (canvas("node((45, 20), [too long], w: 40)"), "than its node"),
        (canvas(f"series({AXES}, ((0, 0), (1, 1.2)))", 600, 400), "leaves its axes"),
        (slide("Line. \\\n" * 30), "too full by"),
        (slide("#block(height: 500pt)[]"), "too full by"),
        (slide("#text(size: 13pt)[small]"), "too small"),
        (canvas("label((45, 20), [no], size: 9pt)"), "too small"),
        (slide('#text(fill: rgb("#8899AA"))[pale]'), "too pale"),
        (canvas('label((45, 20), [no], color: rgb("#999999"))'), "too pale"),
        (slide('#on(role("#AAAAAA"), [white])'), "assertion failed"),
        ("Text outside of a slide.\n" + slide(BOX), "stands outside of a slide"),
        ("#nonsense\n", "unknown variable"),
    ],
)
def test_a_mistake_in_a_deck_is_an_error(build, source, message):
    with pytest.raises(SlideError, match=re.escape(message)):
        build(source)


def test_a_pale_role_stops_the_build(build, tmp_path):
    path = tmp_path / "tools" / "slides" / "theme.typ"
    path.write_text(path.read_text().replace('role("#127456")', 'role("#52B496")'))
    with pytest.raises(SlideError, match="The role green is too pale"):
        build(slide(BOX))


def test_a_slide_that_runs_into_its_margin_is_seen(build):
    for side, dx in (("right", 800), ("left", -40)):
        body = f"#place(dx: {dx}pt, rect(width: 110pt, height: 40pt, fill: black))"
        assert touched_margins(pixels(build(slide(body)).pages[0])) == [side]


@pytest.mark.parametrize(
    "items, problem",
    [
        ("label((60, 50), [one]), label((75, 50), [two])", "overlap"),
        ("label((100, 50), [on a line]), line((20, 50), (180, 50))", "runs through"),
        ("label((60, 50), [edge]), node((100, 50), [], w: 60, h: 40)", "touches a nod"),
        ("arrow((20, 50), (68, 50)), node((100, 50), [], w: 60, h: 40)", "just misses"),
        ("arrow((20, 50), (73, 50)), node((100, 50), [], w: 60, h: 40)", "just misses"),
        ("line((20, 50), (180, 50)), node((100, 50), [], w: 60, h: 40)", "through the"),
        ("arrow((20, 50), (73, 50)), disc((100, 50), [], d: 50)", "just misses"),
    ],
)
def test_collisions_are_seen(build, items, problem):
    found = list(collisions(build(canvas(items)).query("<canvas>")[0]["items"]))
    assert any(problem in sentence for sentence in found), found


def test_check_fails_where_something_is_stale(monkeypatch, capsys):
    monkeypatch.setattr("tools.build_slides.Deck", lambda source: None)
    monkeypatch.setattr("tools.build_slides.stale", lambda deck, write: ["1.PNG"])
    assert main(["--check"]) == 1 and "1.PNG" in capsys.readouterr().out
