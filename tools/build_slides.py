"""Build the concept slides: pictures, PDF, alt texts and gallery, from slides.typ.

For each TOPIC/concepts/slides.typ this writes, beside it:

    1.PNG, 2.PNG, ...   one picture of 1920 x 1080 pixels for each slide
    slides.pdf          all slides; passes PDF/UA-1, so a screen reader can read it
    alt.json            file, section, title, alt and description of each slide
    README.md           the gallery: pictures with their descriptions

A picture whose pixels have not changed is left alone; pictures of slides that are gone
are removed. On a tree that is up to date no file changes.

    python tools/build_slides.py                       every deck
    python tools/build_slides.py 01_Introduction_to_RNN
    python tools/build_slides.py --check               build nothing, say what is stale
"""

import argparse
import io
import json
import pathlib
import re
import sys
import time

import numpy as np
import typst
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
FONTS = pathlib.Path(__file__).resolve().parent / "slides" / "fonts"
SIZE = (1920, 1080)
MOST_BYTES = 250_000
# Levels of 255 for each colour. Typst promises the same picture on each processor, not
# the same last bit of every floating-point number.
TOLERANCE = 2


class SlideError(Exception):
    """Something in a deck that its author has to put right; the text says what."""


class Deck:
    """A compiled slides.typ: `slides` (their texts), `pages` (PNG bytes) and `pdf`."""

    def __init__(self, source, root=ROOT):
        self.source = pathlib.Path(source)
        if not self.source.is_file():
            raise SlideError(f"{self.source} does not exist.")
        # A Fonts object brings its own answer about system fonts; `ignore_system_fonts`
        # would be ignored beside it.
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[FONTS],
        )
        self._compiler = typst.Compiler(
            str(self.source), root=str(root), font_paths=fonts
        )
        pages = self._compile(format="png", ppi=144)
        self.pages = [
            _small_enough(page, f"Slide {number} of {self.source}")
            for number, page in enumerate(
                pages if isinstance(pages, list) else [pages], 1
            )
        ]
        self.slides = self.query("<slide>")
        if len(self.pages) != len(self.slides):
            raise SlideError(
                f"{self.source} has {len(self.slides)} slides but fills "
                f"{len(self.pages)} pages: something stands outside of a slide, or "
                "flows over its end."
            )
        # The PDF is what finds a missing glyph: a PNG just shows an empty box.
        self.pdf = self._compile(format="pdf", pdf_standards="ua-1")

    def query(self, selector):
        """The values of all metadata with this label, such as `<slide>`."""
        return json.loads(self._compiler.query(selector, field="value"))

    def _compile(self, **options):
        try:
            result, warnings = self._compiler.compile_with_warnings(**options)
        except typst.TypstError as error:
            raise SlideError(
                f"{self.source} does not compile.\n{_plain(error)}"
            ) from None
        if warnings:
            text = "\n".join(_plain(warning) for warning in warnings)
            raise SlideError(f"{self.source} compiles with warnings.\n{text}")
        return result

    @property
    def title(self):
        return self.source.parents[1].name.replace("_", " ")

    def alt(self):
        """The slides as alt.json has them."""
        return [
            {"file": f"{number}.PNG", **slide}
            for number, slide in enumerate(self.slides, 1)
        ]

    def files(self):
        """Every file of the deck but its pictures: a dictionary of names and bytes."""
        alt = json.dumps(self.alt(), indent=1, ensure_ascii=False) + "\n"
        return {
            "slides.pdf": self.pdf,
            "alt.json": alt.encode(),
            "README.md": gallery(self.title, self.alt()).encode(),
        }


def _plain(error):
    """Typst's message without the leading 'assertion failed' of our own checks."""
    return getattr(error, "diagnostic", str(error)).replace("assertion failed: ", "")


def _small_enough(png, what):
    """Check the size of a picture; where it is too heavy, write it with 256 colours."""
    image = Image.open(io.BytesIO(png))
    if image.size != SIZE:
        raise SlideError(f"{what} has {image.size} pixels, not {SIZE}.")
    if len(png) > MOST_BYTES:
        buffer = io.BytesIO()
        # Of Pillow's ways this one changes colours least: by 7 levels at most.
        small = image.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        small.save(buffer, format="png", optimize=True)
        png = buffer.getvalue()
    if len(png) > MOST_BYTES:
        raise SlideError(f"{what} takes {len(png)} bytes; {MOST_BYTES} is the most.")
    return png


def pixels(png):
    """A picture as an array of shape (height, width, 3), values 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int16)


def same_picture(a, b):
    """Whether two PNGs show the same, to within `TOLERANCE` in each pixel."""
    if a == b:
        return True
    a, b = pixels(a), pixels(b)
    return a.shape == b.shape and int(np.abs(a - b).max()) <= TOLERANCE


def pictures(folder):
    """The slide pictures in a folder, whatever the case of their ending."""
    return [p for p in folder.iterdir() if re.fullmatch(r"\d+\.(?i:png)", p.name)]


def escape(text):
    """Text with Markdown's signs made harmless."""
    return re.sub(r"([\\`*_\[\]<>|~$#])", r"\\\1", text)


def gallery(title, slides):
    """The README of a concepts folder, as Markdown."""
    sections = []
    for number, slide in enumerate(slides, 1):
        if not sections or sections[-1][0] != slide["section"]:
            sections.append((slide["section"], []))
        sections[-1][1].append((number, slide))
    lines = [
        f"# {escape(title)}: concept slides",
        "",
        f"{len(slides)} slides, each followed by a full description in words. "
        "[Guide to this topic](../README.md) · [All slides as one PDF](slides.pdf)",
        "",
        "<!-- Built by tools/build_slides.py from slides.typ: edit that file. -->",
        "",
        "## Contents",
        "",
    ]
    for section, members in sections:
        links = " · ".join(
            f"[{number}. {escape(slide['title'])}](#slide-{number})"
            for number, slide in members
        )
        lines.append(f"- **{escape(section)}:** {links}")
    for section, members in sections:
        lines += ["", f"## {escape(section)}"]
        for number, slide in members:
            step = [
                f"[← Slide {number - 1}](#slide-{number - 1})" if number > 1 else "",
                f"[Slide {number + 1} →](#slide-{number + 1})"
                if number < len(slides)
                else "",
                "[Contents](#contents)",
                "[Guide](../README.md)",
            ]
            lines += [
                "",
                f'<a id="slide-{number}"></a>',
                "",
                f"### {number}. {escape(slide['title'])}",
                "",
                f"![{escape(slide['alt'])}]({slide['file']})",
                "",
                escape(slide["description"]),
                "",
                " · ".join(link for link in step if link),
            ]
    return "\n".join(lines) + "\n"


def stale(deck):
    """What differs between a deck and its folder: sentences, none when up to date."""
    folder, problems = deck.source.parent, []
    wanted = {f"{n}.PNG": page for n, page in enumerate(deck.pages, 1)}
    present = {p.name for p in pictures(folder)}
    for name in sorted(present - wanted.keys()):
        problems.append(f"{name} belongs to no slide")
    for name, page in wanted.items():
        if name not in present:
            problems.append(f"{name} is missing")
        elif not same_picture((folder / name).read_bytes(), page):
            problems.append(f"{name} is not what slides.typ draws")
    for name, content in deck.files().items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.read_bytes() != content:
            problems.append(f"{name} is not what slides.typ says")
    return problems


def write(deck):
    """Bring a deck's folder up to date; returns the names of the files that changed."""
    folder, changed = deck.source.parent, []
    wanted = {f"{n}.PNG": page for n, page in enumerate(deck.pages, 1)}
    for path in pictures(folder):
        if path.name not in wanted:
            path.unlink()
            changed.append(path.name)
    for name, page in wanted.items():
        path = folder / name
        if not path.is_file() or not same_picture(path.read_bytes(), page):
            path.write_bytes(page)
            changed.append(name)
    for name, content in deck.files().items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(name)
    return changed


def sources(topics=(), root=ROOT):
    """The slides.typ files of the given topic folders, or of all topics."""
    found = sorted(root.glob("*/concepts/slides.typ"))
    if not topics:
        return found
    by_topic = {source.parents[1].name: source for source in found}
    for topic in topics:
        if topic.rstrip("/") not in by_topic:
            raise SlideError(
                f"There is no deck {topic}/concepts/slides.typ. "
                f"Topics with a deck: {', '.join(by_topic) or 'none'}."
            )
    return [by_topic[topic.rstrip("/")] for topic in topics]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help="a topic folder; default: all"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file is stale"
    )
    options = parser.parse_args(arguments)
    try:
        decks = [Deck(source) for source in sources(options.topics)]
    except SlideError as error:
        print(error, file=sys.stderr)
        return 1
    failed = False
    for deck in decks:
        if options.check:
            changes = stale(deck)
            failed = failed or bool(changes)
        else:
            changes = write(deck)
        print(f"{deck.title}: {len(deck.slides)} slides, ", end="")
        print("; ".join(changes) if changes else "all up to date")
    print(f"{time.process_time():.1f} CPU-seconds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
