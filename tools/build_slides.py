"""Build the concept slides: pictures, PDF, alt texts and gallery, from slides.typ.

For each TOPIC/concepts/slides.typ this writes, beside it:

    1.PNG, 2.PNG, ...   one picture of 1920 x 1080 pixels for each slide
    slides.pdf          all slides; passes PDF/UA-1, so a screen reader can read it
    alt.json            file, section, title, alt and description of each slide
    README.md           the gallery: pictures with their descriptions

On a tree that is up to date no file changes.

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

import numpy as np
import typst
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
FONTS = ROOT / "tools" / "slides" / "fonts"
SIZE = (1920, 1080)
MOST_BYTES = 250_000
# Levels of 255 for each colour. Typst promises the same picture on each processor, not
# the same last bit of every floating-point number.
TOLERANCE = 2


GALLERY = """# {title}: concept slides

{count} slides, each followed by a full description in words. \
[Guide to this topic](../README.md) · [All slides as one PDF](slides.pdf)

<!-- Built by tools/build_slides.py from slides.typ: edit that file. -->

## Contents
"""


class SlideError(Exception):
    """Something in a deck that its author has to put right; the text says what."""


class Deck:
    """A compiled slides.typ: `slides` (their texts), `pages` (PNG bytes) and `pdf`."""

    def __init__(self, source, root=ROOT):
        self.source = source
        # A Fonts object brings its own answer about system fonts.
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[FONTS],
        )
        self._compiler = typst.Compiler(str(source), root=str(root), font_paths=fonts)
        pages = self._compile(format="png", ppi=144)
        pages = pages if isinstance(pages, list) else [pages]
        self.pages = [light(page, f"Slide {k}") for k, page in enumerate(pages, 1)]
        self.slides = self.query("<slide>")
        if len(self.pages) != len(self.slides):
            raise SlideError(
                f"{source} has {len(self.slides)} slides but fills {len(self.pages)} "
                "pages: something stands outside of a slide, or flows over its end."
            )
        # The PDF is what finds a missing glyph: a PNG just shows an empty box.
        self.pdf = self._compile(format="pdf", pdf_standards="ua-1")

    def query(self, selector):
        """The values of all metadata with this label, such as `<slide>`."""
        return json.loads(self._compiler.query(selector, field="value"))

    def _compile(self, **options):
        try:
            result, problems = self._compiler.compile_with_warnings(**options)
        except typst.TypstError as error:
            result, problems = None, [error]
        if problems:
            texts = [getattr(each, "diagnostic", str(each)) for each in problems]
            text = "\n".join(texts).replace("assertion failed: ", "")
            raise SlideError(f"{self.source} does not compile.\n{text}")
        return result

    def files(self):
        """Every file of the deck: a dictionary of names and bytes."""
        alt = [{"file": f"{k}.PNG", **slide} for k, slide in enumerate(self.slides, 1)]
        title = self.source.parents[1].name.replace("_", " ")
        text = json.dumps(alt, indent=1, ensure_ascii=False) + "\n"
        return {
            **{f"{k}.PNG": page for k, page in enumerate(self.pages, 1)},
            "slides.pdf": self.pdf,
            "alt.json": text.encode(),
            "README.md": gallery(title, alt).encode(),
        }


def light(png, what):
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


def same(name, old, new):
    """Whether two files say the same; pictures to within `TOLERANCE` in each pixel."""
    if old == new or not name.endswith(".PNG"):
        return old == new
    a, b = pixels(old), pixels(new)
    return a.shape == b.shape and int(np.abs(a - b).max()) <= TOLERANCE


def escape(text):
    """Text with Markdown's signs made harmless."""
    return re.sub(r"([\\`*_\[\]<>|~$#])", r"\\\1", text)


def gallery(title, slides):
    """The README of a concepts folder, as Markdown."""
    sections = {}
    for number, slide in enumerate(slides, 1):
        sections.setdefault(slide["section"], []).append((number, slide))
    lines = [GALLERY.format(title=escape(title), count=len(slides))]
    for section, members in sections.items():
        links = [f"[{k}. {escape(slide['title'])}](#slide-{k})" for k, slide in members]
        lines.append(f"- **{escape(section)}:** {' · '.join(links)}")
    for section, members in sections.items():
        lines += ["", f"## {escape(section)}"]
        for k, slide in members:
            links = [f"[← Slide {k - 1}](#slide-{k - 1})"] * (k > 1)
            links += [f"[Slide {k + 1} →](#slide-{k + 1})"] * (k < len(slides))
            links += ["[Contents](#contents)", "[Guide](../README.md)"]
            lines += ["", f'<a id="slide-{k}"></a>']
            lines += ["", f"### {k}. {escape(slide['title'])}"]
            lines += ["", f"![{escape(slide['alt'])}]({slide['file']})"]
            lines += ["", escape(slide["description"]), "", " · ".join(links)]
    return "\n".join(lines) + "\n"


def stale(deck, write=False):
    """Sentences about what differs between a deck and its folder; `write` mends it."""
    folder, wanted, problems = deck.source.parent, deck.files(), []
    present = {path.name for path in folder.iterdir()}
    for name in sorted(present - wanted.keys()):
        if re.fullmatch(r"\d+\.(?i:png)", name):
            problems.append(f"{name} belongs to no slide")
            if write:
                (folder / name).unlink()
    for name, content in wanted.items():
        path = folder / name
        if name in present and same(name, path.read_bytes(), content):
            continue
        what = "is not what slides.typ draws" if name in present else "is missing"
        problems.append(f"{name} {what}")
        if write:
            path.write_bytes(content)
    return problems


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="default: all")
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    options = parser.parse_args(arguments)
    sources = {path.parts[-3]: path for path in ROOT.glob("*/concepts/slides.typ")}
    topics = [topic.rstrip("/") for topic in options.topics] or sorted(sources)
    if unknown := set(topics) - set(sources):
        parser.error(f"no deck in {', '.join(unknown)}. Known: {', '.join(sources)}")
    failed = False
    for topic in topics:
        changes = stale(Deck(sources[topic]), write=not options.check)
        failed = failed or (options.check and bool(changes))
        print(f"{topic}: {'; '.join(changes) or 'all up to date'}")
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SlideError as error:
        sys.exit(str(error))
