"""The slides are what their sources draw, and can be read by everybody.

The first part looks at the committed decks. The second breaks one thing at a time in a
tiny deck of its own and expects the error: a check that cannot fail is no check.
"""

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

from tools import build_slides
from tools.build_slides import ROOT, Deck, SlideError

SOURCES = build_slides.sources()
LIBRARY = ROOT / "tools" / "slides"


def topic(source):
    return source.parents[1].name


@functools.cache
def built(source):
    """A deck, built once; one that is broken fails only its own tests."""
    return Deck(source)


each_deck = pytest.mark.parametrize("source", SOURCES, ids=topic)


# ------------------------------------------------------------------ the committed decks
def test_there_are_decks():
    assert len(SOURCES) == 2, "no */concepts/slides.typ was found"


@each_deck
def test_folder_is_up_to_date(source):
    problems = build_slides.stale(built(source))
    assert not problems, f"{problems}: run python tools/build_slides.py {topic(source)}"


@each_deck
def test_pictures_have_their_size_and_stay_off_the_margins(source):
    assert len(built(source).pages) >= 12
    for path in build_slides.pictures(source.parent):
        assert path.stat().st_size <= build_slides.MOST_BYTES, path.name
        image = build_slides.pixels(path.read_bytes())
        assert image.shape == (1080, 1920, 3), path.name
        assert not touched_margins(image), f"{path.name} runs into its margin"


def touched_margins(image):
    """The sides on which something other than white stands in the margin."""
    width = 80  # the page margin: 44 pt at 2 px, less the edge of a note
    sides = {
        "top": image[:60],
        "bottom": image[-30:],
        "left": image[:, :width],
        "right": image[:, -width:],
    }
    return [name for name, strip in sides.items() if (strip < 253).any()]


@each_deck
def test_each_slide_has_its_texts_where_readers_find_them(source):
    slides = json.loads((source.parent / "alt.json").read_text(encoding="utf-8"))
    text = (source.parent / "README.md").read_text(encoding="utf-8")
    for number, slide in enumerate(slides, 1):
        assert slide["file"] == f"{number}.PNG"
        assert 30 <= len(slide["alt"]) <= 140
        assert len(slide["description"]) >= 150
        assert slide["description"].rstrip().endswith(".")
        assert f"![{build_slides.escape(slide['alt'])}]({number}.PNG)" in text
        assert build_slides.escape(slide["description"]) in text
    assert len({slide["alt"] for slide in slides}) == len(slides), "two alts are equal"
    assert len({slide["title"] for slide in slides}) == len(slides)
    links = set(re.findall(r"\]\(#(slide-\d+)\)", text))
    assert links == set(re.findall(r'<a id="(slide-\d+)">', text))
    assert (source.parents[1] / "README.md").is_file() or "](../README.md)" in text


@each_deck
def test_nothing_collides_in_a_drawing(source):
    problems = [
        f"drawing {number}: {problem}"
        for number, canvas in enumerate(built(source).query("<canvas>"), 1)
        for problem in collisions(canvas["items"])
    ]
    assert not problems, "\n".join(problems)


def measuring(source):
    """A deck's measure.py as a module, and what it wrote to measurements.json.

    Such a module has `measure()` and `text(result)`. It may have `check(result)`, which
    asserts what the words of the slides say about the numbers, and `TRAINED`: entries
    that training gave, which another processor may round differently. Then
    `measure(trained=False)` leaves these out.
    """
    script = source.with_name("measure.py")
    if not script.exists():
        pytest.skip("this deck measures nothing")
    spec = importlib.util.spec_from_file_location(f"measure_{topic(source)}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = source.with_name("measurements.json")
    return module, json.loads(path.read_text(encoding="utf-8"))


@each_deck
def test_measurements_can_be_measured_again(source):
    module, committed = measuring(source)
    trained = getattr(module, "TRAINED", ())
    measured = module.measure(trained=False) if trained else module.measure()
    again = json.loads(module.text(measured))
    assert again.keys() | set(trained) == committed.keys()
    for key in again.keys() - set(trained):
        problems = list(differences(committed[key], again[key], key))
        assert not problems, problems[:5]


@each_deck
def test_words_fit_the_measurements(source):
    module, committed = measuring(source)
    if not hasattr(module, "check"):
        pytest.skip("this deck's words are not checked")
    module.check(committed)


@pytest.mark.slow
@each_deck
def test_training_gives_what_the_slides_say(source):
    module, _ = measuring(source)
    if not (hasattr(module, "check") and getattr(module, "TRAINED", ())):
        pytest.skip("this deck trains nothing that is checked")
    module.check(json.loads(module.text(module.measure())))


def differences(old, new, where):
    """Where two JSON values differ by more than one unit of the last digit."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            yield f"{where}: other keys"
        else:
            for key in old:
                yield from differences(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where}: {len(new)} values, not {len(old)}"
        else:
            for i, (a, b) in enumerate(zip(old, new, strict=True)):
                yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(old, float) and isinstance(new, float):
        if abs(old - new) > 1.01 * max(last_digit(old), last_digit(new)):
            yield f"{where}: {new}, not {old}"
    elif old != new:
        yield f"{where}: {new!r}, not {old!r}"


def last_digit(value):
    digits, _, power = repr(value).partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(power or 0) - decimals)


# -------------------------------------------------------------------------- the library
def test_fonts_are_the_files_that_their_readme_names():
    folder = LIBRARY / "fonts"
    text = (folder / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `(.+?)` .*`([0-9a-f]{64})` \|$", text, re.M))
    present = {p.name for p in folder.iterdir() if p.suffix in (".otf", ".ttf")}
    assert present == named.keys()
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    for licence in re.findall(r"\]\((OFL.*?)\)", text):
        assert "SIL OPEN FONT LICENSE Version 1.1" in (folder / licence).read_text()


def theme_colours():
    """The roles of theme.typ by name, as hexadecimal colours."""
    text = (LIBRARY / "theme.typ").read_text(encoding="utf-8")
    return dict(re.findall(r'^#let (\w+) = role\("(#\w{6})"\)', text, re.M))


def test_figures_and_slides_have_the_same_colours():
    from utils import plotting

    colours = theme_colours()
    for name in ("blue", "green", "orange", "purple", "grey"):
        assert getattr(plotting, name.upper()) == colours[name]


# Machado, Oliveira and Fernandes, 2009: what is seen without one kind of cone. The
# matrices act on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def lab(colour, sight):
    """CIE Lab (D65) of a hexadecimal colour as someone with that sight sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHT[sight] @ linear, 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def too_close(colours, sight, least=20):
    return [
        (a, b, round(float(np.linalg.norm(lab(x, sight) - lab(y, sight))), 1))
        for (a, x), (b, y) in itertools.combinations(colours.items(), 2)
        if np.linalg.norm(lab(x, sight) - lab(y, sight)) < least
    ]


@pytest.mark.parametrize("sight", SIGHT)
def test_roles_are_told_apart(sight):
    colours = theme_colours()
    del colours["grey"]  # for what has no role; lightness tells it from dark
    assert len(colours) == 5
    assert not too_close(colours, sight)
    pair = {"red": "#B02020", "green": "#20701F"}
    assert bool(too_close(pair, sight, 25)) == (sight in ("protan", "deutan"))


# -------------------------------------------------------------- where things are drawn
def box(item):
    (x0, y0), (x1, y1) = item["points"][:2]
    return x0, y0, x1, y1


def ink_box(label):
    """A label's box less the room above and below its letters."""
    x0, y0, x1, y1 = box(label)
    slack = 0.22 * min(y1 - y0, 22)
    return x0 + 1, y0 + slack, x1 - 1, y1 - slack


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def contains(outer, inner):
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[2] >= inner[2]
        and outer[3] >= inner[3]
    )


def crosses(segment, area):
    """Whether a segment goes through the inside of a box (Liang and Barsky 1984)."""
    (x0, y0), (x1, y1) = segment
    enter, leave = 0.0, 1.0
    for start, delta, low, high in (
        (x0, x1 - x0, area[0], area[2]),
        (y0, y1 - y0, area[1], area[3]),
    ):
        if delta == 0:
            if not low < start < high:
                return False
            continue
        first, second = sorted(((low - start) / delta, (high - start) / delta))
        enter, leave = max(enter, first), min(leave, second)
    return leave - enter > 1e-6


def gap(point, node):
    """How far a point is from the edge of a node, inside or outside."""
    x0, y0, x1, y1 = box(node)
    a, b = (x1 - x0) / 2, (y1 - y0) / 2
    x, y = abs(point[0] - (x0 + x1) / 2), abs(point[1] - (y0 + y1) / 2)
    if node["round"]:
        return abs(math.hypot(x / a, y / b) - 1) * min(a, b)
    if x <= a and y <= b:
        return min(a - x, b - y)
    return math.hypot(max(x - a, 0), max(y - b, 0))


def collisions(items):
    """Sentences about what touches and should not, or misses what it should touch."""
    labels = [i for i in items if i["kind"] == "label"]
    solid = [i for i in items if i["kind"] in ("node", "bar", "dot")]
    nodes = [i for i in items if i["kind"] == "node"]
    strokes = [i for i in items if i["kind"] in ("arrow", "line", "curve")]
    for a, b in itertools.combinations(labels, 2):
        if overlap(ink_box(a), ink_box(b)):
            yield f"the labels {a['name']} and {b['name']} overlap"
    for label in labels:
        area = ink_box(label)
        for node in solid:
            if overlap(area, box(node)) and not contains(box(node), box(label)):
                yield f"the label {label['name']} touches a {node['kind']}"
        for stroke in strokes:
            for segment in itertools.pairwise(stroke["points"]):
                if crosses(segment, area):
                    yield f"a {stroke['kind']} runs through the label {label['name']}"
                    break
    for stroke in strokes:
        if stroke["kind"] == "curve":
            continue
        for node in nodes:
            x0, y0, x1, y1 = box(node)
            inner = (x0 + 3, y0 + 3, x1 - 3, y1 - 3)
            if node["round"]:  # the square inside of the circle
                dx, dy = 0.15 * (x1 - x0), 0.15 * (y1 - y0)
                inner = (x0 + dx, y0 + dy, x1 - dx, y1 - dy)
            for segment in itertools.pairwise(stroke["points"]):
                if crosses(segment, inner):
                    yield f"a {stroke['kind']} runs through the node {node['name']}"
    for arrow in (s for s in strokes if s["kind"] == "arrow"):
        for end in (arrow["points"][0], arrow["points"][-1]):
            for node in nodes:
                if 0.8 < gap(end, node) < 4:
                    yield f"an arrow at {end} just misses the node {node['name']}"


# ------------------------------------------------------- each check was seen to fail
def test_a_changed_measurement_is_found():
    old = {"a": [0.25, 3, "x"], "b": 1e-08}
    assert not list(differences(old, {"a": [0.26, 3, "x"], "b": 1e-08}, ""))
    for new in ([0.27, 3, "x"], [0.25, 4, "x"], [0.25, 3, "y"], [0.25, 3]):
        assert list(differences(old, {"a": new, "b": 1e-08}, ""))
    assert list(differences(old, {"a": old["a"], "b": 3e-08}, ""))
    assert list(differences(old, {"a": old["a"]}, ""))


HEAD = """#import "/tools/slides/draw.typ": *
#import "/tools/slides/notation.typ": *
#show: deck.with(topic: "99  Test")
"""
ALT = "A box with an arrow that leads into it from the left."
DESCRIPTION = "A single box in the middle of the slide with the letter h in it. " * 3


def slide(body, alt=ALT, description=DESCRIPTION, title="One box"):
    texts = f'section: "S", title: "{title}"'
    if alt is not None:
        texts += f', alt: "{alt}"'
    if description is not None:
        texts += f', description: "{description}"'
    return f"#slide({texts})[\n{body}\n]\n"


BOX = """#let box-h = node((200, 80), $h$, role: green)
#canvas(400, 160, arrow((20, 80), box-h.w), box-h, label((90, 60), [into]))"""


@pytest.fixture
def build(tmp_path):
    """Build a deck from slide sources in an empty course; returns the Deck."""
    folder = tmp_path / "99_Test" / "concepts"
    folder.mkdir(parents=True)
    (tmp_path / "tools" / "slides").mkdir(parents=True)
    for path in LIBRARY.glob("*.typ"):
        shutil.copy(path, tmp_path / "tools" / "slides")

    def deck(*slides):
        source = folder / "slides.typ"
        source.write_text(HEAD + "".join(slides), encoding="utf-8")
        return Deck(source, root=tmp_path)

    return deck


def test_a_good_deck_passes_and_a_second_build_changes_nothing(build):
    deck = build(slide(BOX), slide("Text.", title="Two", alt=ALT + " Twice."))
    wanted = {"1.PNG", "2.PNG", "slides.pdf", "alt.json", "README.md"}
    assert set(build_slides.write(deck)) == wanted
    again = build(slide(BOX), slide("Text.", title="Two", alt=ALT + " Twice."))
    assert build_slides.stale(again) == []
    assert build_slides.write(again) == []
    assert not list(collisions(deck.query("<canvas>")[0]["items"]))
    assert not touched_margins(build_slides.pixels(deck.pages[0]))


def test_a_changed_label_makes_the_picture_stale(build):
    build_slides.write(build(slide(BOX)))
    problems = build_slides.stale(build(slide(BOX.replace("[into]", "[onto]"))))
    assert "1.PNG is not what slides.typ draws" in problems


def test_a_tampered_block_of_pixels_is_found(build):
    import io

    from PIL import Image

    deck = build(slide(BOX))
    build_slides.write(deck)
    path = deck.source.with_name("1.PNG")
    image = Image.open(path).convert("RGB")
    for shift, found in ((2, False), (3, True)):
        changed = np.asarray(image).copy()
        changed[700:708, 900:908] -= np.uint8(shift)  # white there
        buffer = io.BytesIO()
        Image.fromarray(changed).save(buffer, format="png")
        path.write_bytes(buffer.getvalue())
        assert bool(build_slides.stale(deck)) == found


@pytest.mark.parametrize("name", ["1.png", "one.PNG", "01.PNG"])
def test_a_renamed_picture_is_found(build, name):
    deck = build(slide(BOX))
    build_slides.write(deck)
    path = deck.source.with_name("1.PNG")
    path.rename(path.with_name(name))
    assert "1.PNG is missing" in build_slides.stale(deck)
    build_slides.write(deck)
    assert not build_slides.stale(deck)


def test_a_picture_of_no_slide_is_found_and_removed(build):
    build_slides.write(build(slide(BOX), slide(BOX, title="Two")))
    deck = build(slide(BOX))
    assert "2.PNG belongs to no slide" in build_slides.stale(deck)
    assert "2.PNG" in build_slides.write(deck)
    assert not deck.source.with_name("2.PNG").exists()


def test_a_changed_description_makes_gallery_and_alt_stale(build):
    build_slides.write(build(slide(BOX)))
    changed = build(slide(BOX, description=DESCRIPTION + "And more."))
    problems = " ".join(build_slides.stale(changed))
    assert "README.md" in problems and "alt.json" in problems


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (slide(BOX, alt=None), "needs an alt"),
        (slide(BOX, alt="Too short."), "needs an alt of at least 30"),
        (slide(BOX, alt="long " * 40), "140 is the most"),
        (slide(BOX, description=None), "needs a description"),
        (slide(BOX, title=""), "needs a title"),
        (slide("A glyph \u6f22 that the fonts do not have."), "could not be displayed"),
        (slide("$ a \u6f22 b $"), "could not be displayed"),
        (slide("#canvas(100, 50, arrow((0, 20), (101, 20)))"), "Outside of the canvas"),
        (slide("#canvas(100, 50, label((90, 20), [wide]))"), "Outside of the canvas"),
        (slide("#canvas(90, 50, node((45, 20), [too long], w: 40))"), "than its node"),
        (
            slide(
                "#let ax = axes(x: (0, 1), y: (0, 1))\n"
                "#canvas(600, 400, series(ax, ((0, 0), (1, 1.2))))"
            ),
            "leaves its axes",
        ),
        (slide("Line. \\\n" * 30), "too full by"),
        (slide("#block(height: 500pt)[]"), "too full by"),
        (slide("#text(size: 13pt)[small]"), "too small"),
        (slide("#text(size: 0.8em)[small]"), "too small"),
        (slide("#canvas(90, 50, label((45, 20), [no], size: 9pt))"), "too small"),
        (slide('#text(fill: rgb("#8899AA"))[pale]'), "too pale"),
        (
            slide('#canvas(90, 50, label((45, 20), [no], color: rgb("#999999")))'),
            "too pale",
        ),
        (slide('#on(role("#AAAAAA"), [white])'), "assertion failed"),
        ("Text outside of a slide.\n" + slide(BOX), "stands outside of a slide"),
        ("#nonsense\n", "unknown variable"),
    ],
    ids=lambda value: value if len(value) < 40 and "#" not in value else "",
)
def test_a_mistake_in_a_deck_is_an_error(build, source, message):
    with pytest.raises(SlideError, match=re.escape(message)):
        deck = build(source)
        raise AssertionError(f"built {len(deck.pages)} pages")


def test_a_pale_role_stops_the_build(build, tmp_path):
    path = tmp_path / "tools" / "slides" / "theme.typ"
    path.write_text(path.read_text().replace('role("#127456")', 'role("#52B496")'))
    with pytest.raises(SlideError, match="The role green is too pale"):
        build(slide(BOX))


def test_a_slide_that_runs_into_its_margin_is_seen(build):
    for side, dx in (("right", 800), ("left", -40)):
        body = f"#place(dx: {dx}pt, rect(width: 110pt, height: 40pt, fill: black))"
        page = build(slide(body)).pages[0]
        assert touched_margins(build_slides.pixels(page)) == [side]


@pytest.mark.parametrize(
    ("items", "problem"),
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
    deck = build(slide(f"#canvas(200, 100, {items})"))
    found = list(collisions(deck.query("<canvas>")[0]["items"]))
    assert any(problem in sentence for sentence in found), found


def test_command_line(capsys):
    assert build_slides.main(["No_Such_Topic"]) == 1
    assert "There is no deck No_Such_Topic" in capsys.readouterr().err
    name = topic(SOURCES[0])
    assert build_slides.main(["--check", name + "/"]) == 0
    assert "all up to date" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        build_slides.main(["--help"])
    assert stopped.value.code == 0
