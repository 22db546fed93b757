"""The text of lesson 03.1: Python's own language reference, or a file of yours."""

import pathlib
import re
import zlib
from collections import Counter

from utils.inputs import demand

COMMON = "a an and are as at be by can for from if in is it may not of on or that the "
COMMON = {*COMMON.split(), "this", "to", "when", "which", "with"}
CODE = re.compile(r"::=|>>>|\+--|==|^\s*\.\. ", re.MULTILINE)
LEAST = 20_000  # how many words a file must have


def load_text(path=None):
    """Training, validation and test part (about 80, 10, 10 %): lists of documents, each
    a list of words; lower case, numbers as 0, "<end>" after each paragraph.

    path  a text in UTF-8, empty lines between paragraphs, cut by place; if left out,
          the prose of Python's reference (PSF License; versions differ), whole topics

    A paragraph is kept once, so that no part holds copies of another. Raises
    FileNotFoundError, or ValueError for a file that is not text in UTF-8 or too short.
    """
    if path is None:
        from pydoc_data.topics import topics

        # The shortest first: of two topics with the same paragraph, it keeps it.
        names = sorted(topics, key=lambda name: (len(topics[name]), name))
        documents = _once([filter(_is_prose, _blocks(topics[name])) for name in names])
        parts = [], [], []
        for name, document in sorted(zip(names, documents, strict=True)):
            # The same topics in all versions of Python, eight of ten to train on.
            tenth = zlib.crc32(b"85" + name.encode()) % 10
            parts[max(tenth - 7, 0)].append(document)
        return parts
    there = pathlib.Path(path).is_file()
    demand(there, f"path: there is no file {path}", FileNotFoundError)
    try:
        content = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"path: {path} is not text in UTF-8: {error}") from error
    (words,) = _once([_blocks(content)])
    many = f"path: {path} has {len(words)} words, repeated paragraphs left out"
    demand(len(words) >= LEAST, f"{many}; it needs {LEAST}")
    first, last = len(words) * 8 // 10, len(words) * 9 // 10
    parts = words[:first], words[first:last], words[last:]
    return [[part[k : k + 1000] for k in range(0, len(part), 1000)] for part in parts]


def vocabulary(documents):
    """The words that came twice or more, the commonest first, after "<unk>"."""
    often = Counter(word for document in documents for word in document)
    return ["<unk>", *(word for word, n in often.most_common() if n > 1)]


def encode(documents, known):
    """The words of all documents, one after the other, as positions in `known`."""
    position = {word: i for i, word in enumerate(known)}
    return [position.get(word, 0) for document in documents for word in document]


def to_words(text):
    """Lower-case words and marks, numbers as 0: "It's 42." -> ["it's", "0", "."]."""
    plain = re.sub(r"\d+", "0", text.lower().replace("’", "'"))
    return re.findall(r"\w+(?:'\w+)?|[.,;:!?()]", plain)


def _blocks(text):
    return [block for block in re.split(r"\n\s*\n", text) if to_words(block)]


def _is_prose(block):
    """Whether it is a paragraph of English: no code, grammar, table or heading."""
    letters = re.findall(r"[a-z_]+", block.lower())
    english = 4 * sum(word in COMMON for word in letters) >= len(letters) >= 5
    few_marks = len(re.findall(r"[^\w\s]", block)) < 0.6 * len(letters)
    return english and few_marks and not CODE.search(block)


def _once(documents):
    """Lists of paragraphs -> lists of words; each paragraph only once."""
    seen, found = set(), []
    for blocks in documents:
        found.append([])
        for words in map(to_words, blocks):
            key = tuple(word for word in words if word.isalpha())
            found[-1] += [] if key in seen else [*words, "<end>"]
            seen.add(key)
    return found


def edit_distance(one, other):
    """The fewest items to change, add or leave out that turn a list into another one
    (Levenshtein, 1966).
    """
    row = list(range(len(other) + 1))  # from nothing: add them all
    for i, item in enumerate(one):
        new = [i + 1]
        for j, wanted in enumerate(other):
            new.append(min(row[j] + (item != wanted), row[j + 1] + 1, new[j] + 1))
        row = new
    return row[-1]
