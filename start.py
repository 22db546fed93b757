#!/usr/bin/env python3
"""Open the course in JupyterLab, or test it. Needs Python 3.11 to 3.14, nothing else.

    python3 start.py lab       install what the lessons need into .venv, open JupyterLab
    python3 start.py test      the same, then run every lesson and the quick tests

and for those who change the course, with more packages in the same .venv:

    python3 start.py build     write the notebooks anew from their scripts
    python3 start.py measure   train what takes longer than a lesson, over some seeds

Options after the command go to JupyterLab, pytest or the tool; `--help` after a command
tells more. The first run downloads the packages, later runs start at once. With --cpu,
on Linux, it takes PyTorch's build without GPU libraries, which is smaller by gigabytes.
"""

import ast
import contextlib
import errno
import hashlib
import itertools
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # python -I leaves it out
from tools import own_copies  # noqa: E402

VENV = ROOT / ".venv"
STATE = VENV / ".course-state"  # one fingerprint for each set that is installed
LEARNER = "requirements.txt"
AUTHOR = "tools/requirements.txt"  # begins with the learner's
CONSTRAINTS = "tools/constraints.txt"
PYTHONS = "Python 3.11 to 3.14"
OLDEST, NEWEST = (3, 11), (3, 14)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FIRST_LESSON = "01_Introduction_to_RNN/RNN_Introduction.ipynb"

LAB_HELP = """usage: python3 start.py lab [options]

Install the packages of requirements.txt into .venv if that is still to be done, copy
the lessons into my_course/ without their outputs, and open JupyterLab there. What you
write in my_course/ stays yours: no update of the course touches a lesson that you have
changed. Stop JupyterLab with Ctrl-C, twice.

  --fresh LESSON   a new copy of a lesson; yours stays beside it under a dated name
  --cpu            on Linux: PyTorch's smaller build, without GPU libraries

All other options go to JupyterLab. Often used:
  --no-browser     print the address instead of opening a browser
  --port NUMBER    use this port; without it the first free one from 8888 on"""
TEST_HELP = """usage: python3 start.py test [options]

Install the packages of requirements.txt into .venv if that is still to be done, then
run every lesson and the quick tests with pytest, from the course folder. With the
variable CI set (CI=true): those of tools/requirements.txt too, and every test.

All options go to pytest. Often used:
  -k NAME          only tests whose name contains NAME
  tests/FILE.py    only this file
  -n 0             one process (easier to read while debugging)"""
COMMANDS = ("lab", "test", "build", "measure")
# Measured with the CPU build of PyTorch; the build with CUDA is far larger. Those of
# authors need 0.3 GB more.
DISK_FULL = (
    "the disk is full. The packages need 1.4 GB, on Linux several more for PyTorch's "
    "GPU libraries. Free some space and run this again."
)
NO_NETWORK = (
    "NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|Connection refused|"
    "Network is unreachable|Name or service not known|getaddrinfo failed|"
    "Temporary failure in name resolution|nodename nor servname provided"
)


class Problem(Exception):
    """Something the reader can mend; the text says what and how."""


class NoNetwork(Problem):
    """Nothing could be downloaded."""


def main(arguments):
    command = arguments[0] if arguments else None
    rest = arguments[1:]
    if command in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if command not in COMMANDS:
        told = f"'{command}' is not a command. " if command else ""
        raise Problem(f"{told}Say what to do:\n\n{__doc__.strip()}")
    tool = ROOT / "tools" / f"{command}.py"  # of build and measure
    if "-h" in rest or "--help" in rest:
        texts = {"lab": LAB_HELP, "test": TEST_HELP}
        print(texts.get(command) or ast.get_docstring(ast.parse(tool.read_bytes())))
        return 0
    check_python()
    cpu = "--cpu" in rest
    rest = [option for option in rest if option != "--cpu"]
    if command == "lab":
        rest, lesson = take_fresh(rest)
        check_port(rest)
        install(LEARNER, cpu)
        return run_lab(rest, first=own_copy(lesson))
    if command == "test":
        install(AUTHOR if wants_everything(rest) else LEARNER, cpu)
        return run([venv_python(), "-m", "pytest", *rest])
    install(AUTHOR, cpu)
    return run([venv_python(), tool, *rest])


def take_fresh(options):
    """The options without --fresh LESSON, and the lesson, if there is one."""
    rest, lesson = [], None
    options = iter(options)
    for option in options:
        if option == "--fresh":
            lesson = next(options, "")
        elif option.startswith("--fresh="):
            lesson = option.split("=", 1)[1]
        else:
            rest.append(option)
    return rest, lesson


def own_copy(lesson=None):
    """Bring my_course/ up to date, and say what there is to say. Return what to open.

    `lesson` gets a new copy. Where nothing can be written, the lessons of the course
    are opened themselves.
    """
    folder = ROOT / own_copies.FOLDER
    first = f"{own_copies.FOLDER}/{FIRST_LESSON}"
    if os.path.lexists(folder) and not folder.is_dir():
        raise Problem(f"{folder} is not a folder. Rename it, then run this again.")
    try:
        with only_one():
            changed, _ = own_copies.update(ROOT)
            if lesson is not None:
                path, kept = own_copies.fresh(ROOT, lesson)
                first = path.relative_to(ROOT).as_posix()
                changed = [name for name in changed if not first.endswith(name)]
                if kept:
                    print(f"Your {path.name} is kept as '{kept.name}'.")
    except own_copies.NotThere as error:
        raise Problem(str(error)) from None
    except ValueError:
        raise Problem(f"{lesson} is damaged in the course: fetch it anew.") from None
    except OSError as error:
        print(
            f"start.py: {own_copies.FOLDER} cannot be brought up to date "
            f"({error.strerror}: {error.filename or folder}). Nothing in it was lost."
        )
        if not (ROOT / first).is_file():
            return FIRST_LESSON
        return first
    for name in changed:
        stem = pathlib.Path(name).stem
        told = (
            f"{own_copies.FOLDER}/{name} has changed in the course since you copied it"
        )
        if name.endswith(".ipynb"):
            told += f": python3 start.py lab --fresh {stem}"
        print(told)
    return first


def wants_everything(options):
    """Do these options of pytest, or CI, reach the tests that need more packages?"""
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return ci or any("tests/full" in option.replace("\\", "/") for option in options)


def check_python():
    here = "{}.{}".format(*sys.version_info)
    if sys.version_info < OLDEST:
        raise Problem(
            f"This is Python {here}; the course needs {PYTHONS}. Take one from "
            "python.org (or your system's packages) and start this file with it."
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Problem(
            "This Python cannot make virtual environments: its module 'venv' is "
            f"missing. On Debian or Ubuntu run: sudo apt install python{here}-venv"
        ) from None


def check_port(options):
    """JupyterLab would quietly take another port than the one that was asked for."""
    port = None
    for option, following in itertools.zip_longest(options, options[1:]):
        if option == "--port":
            port = following
        elif option.startswith(("--port=", "--ServerApp.port=")):
            port = option.split("=", 1)[1]
    if port is None:
        return
    if not port.isdigit() or not 0 <= int(port) < 65536:
        raise Problem(f"--port needs a number from 0 to 65535, not '{port}'.")
    with socket.socket() as probe:
        if os.name != "nt":  # as servers do; on Windows it would hide a taken port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            refused = error.errno in (errno.EACCES, errno.EPERM)
            why = "may not be used by you" if refused else "is taken by another program"
            raise Problem(
                f"Port {port} {why}. Choose another with --port, or leave --port out "
                "and JupyterLab takes a free one."
            ) from None


def venv_python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(packages):
    """What an install depends on: the pins, and the Python that it was made with."""
    names = dict.fromkeys([LEARNER, packages, CONSTRAINTS])
    for name in names:
        if not (ROOT / name).is_file():
            raise Problem(f"{name} is missing from {ROOT}: copy it back.")
    text = b"".join((ROOT / name).read_bytes() for name in names)
    return hashlib.sha256(text + f"{packages} {sys.version}".encode()).hexdigest()


def installed():
    """The words of STATE: none when .venv cannot be used."""
    try:  # fails when the Python below .venv was removed or upgraded away
        words = STATE.read_text(encoding="utf-8").split()
        subprocess.run([venv_python(), "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return words


def check_wheels():
    """Say so before an hour of downloads where a package has no build."""
    system, machine = platform.system(), platform.machine().lower()
    macos = platform.mac_ver()[0].split(".")[0]
    told = None
    if sys.version_info[:2] > NEWEST:
        told = "this Python is too new. Take an older one from python.org"
    elif sys.maxsize < 2**32:
        told = "this Python is a 32-bit one. Take a 64-bit one from python.org"
    elif system == "Darwin" and machine != "arm64":
        told = (
            "on Macs PyTorch needs an Apple chip, and a Python made for it (python.org "
            "has one). Without the chip, run the lessons in Colab"
        )
    elif system == "Darwin" and macos.isdigit() and int(macos) < 14:
        told = f"PyTorch needs macOS 14 or newer, this is {macos}. Update macOS"
    elif system == "Windows" and machine not in ("amd64", "x86_64"):
        told = "on Windows PyTorch needs an x64 processor. Run the lessons in Colab"
    if told:
        raise Problem(f"The packages are made for {PYTHONS}; {told}.")


def install(packages, cpu=False):
    """Make .venv and fill it, unless it is complete. Safe to interrupt at any moment.

    STATE says "installing" from before the first file until after the last one, and a
    .venv without the learner's fingerprint is emptied and made anew. The authors'
    packages are put on top: if that is interrupted, learners can go on, and the next
    author command makes all anew.
    """
    learner, wanted = fingerprint(LEARNER), fingerprint(packages)
    if wanted in installed():
        if cpu:
            print("The packages are there. To exchange PyTorch, delete .venv first.")
        return
    check_wheels()
    if cpu and platform.system() != "Linux":
        raise Problem("--cpu is for Linux: elsewhere PyTorch has no GPU libraries.")
    with only_one():
        before = installed()
        if wanted in before:  # another start.py did it while this one waited
            return
        empty = VENV.is_dir() and not any(VENV.iterdir())
        if os.path.lexists(VENV) and not (empty or STATE.is_file()):
            raise Problem(
                f"{VENV} is there already, but start.py did not make it. Rename it or "
                "delete it, then run this again."
            )
        VENV.mkdir(exist_ok=True)
        on_top = learner in before and "installing" not in before
        if on_top:
            STATE.write_text(f"{learner} installing", encoding="utf-8")
        else:
            if STATE.is_file():
                print("The installation is out of date or incomplete: making it anew.")
            STATE.write_text("installing", encoding="utf-8")
            for old in VENV.iterdir():
                if old != STATE:
                    remove(old)
            make_venv()
        print(
            f"Installing the packages of {packages} into .venv (once) ...", flush=True
        )
        if platform.system() == "Linux" and not (cpu or shutil.which("nvidia-smi")):
            print(
                "No NVIDIA card? Ctrl-C, then add --cpu, saves gigabytes.", flush=True
            )
        try:
            if cpu:
                run_pip(packages, cpu=True)
            run_pip(packages)
        except NoNetwork:  # pip asks for everything before it installs anything
            if on_top:
                STATE.write_text(learner, encoding="utf-8")
            raise
        STATE.write_text("\n".join({learner, wanted}), encoding="utf-8")


@contextlib.contextmanager
def only_one():
    """Hold a lock that the system drops when this process ends, however it ends."""
    name = "rnn-course-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    with open(pathlib.Path(tempfile.gettempdir(), name + ".lock"), "a") as file:
        told = False
        while not try_lock(file):
            if not told:
                print("Another start.py is at work; waiting for it ...", flush=True)
                told = True
            time.sleep(1)
        yield


def try_lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def make_venv():
    made = subprocess.run(
        [sys.executable, "-m", "venv", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if made.returncode:
        explain(made.stdout, "Python could not make the virtual environment")


def run_pip(packages, cpu=False):
    """Install these packages; with `cpu` only PyTorch, from its index of CPU builds."""
    # Not in VENV: a full disk there must not hide the reason.
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "pip.log")
        command = [venv_python(), "-m", "pip", "install", "--log", log]
        command += ["--disable-pip-version-check", "-c", CONSTRAINTS]
        alone = ["torch", "--no-deps", "--index-url", CPU_INDEX]
        command += alone if cpu else ["-r", packages]
        if subprocess.run(command, cwd=ROOT).returncode:
            text = log.read_text(encoding="utf-8", errors="replace")
            explain(text, "pip could not install the packages")


def explain(output, what):
    """Raise the sentence that fits what a failed program said.

    In pip's log the cause stands from the first error on, and where pip gave an index
    up. Before that, it may have met a lost connection and got over it.
    """
    lines = output.strip().splitlines()
    errors = [line for line in lines if "ERROR: " in line]
    first = lines.index(errors[0]) if errors else 0
    gave_up = [line for line in lines[:first] if "Could not fetch URL" in line]
    cause = "\n".join(gave_up + lines[first:])
    if "No space left on device" in cause or "Errno 28" in cause:
        raise Problem(f"{what}: {DISK_FULL}")
    if re.search(NO_NETWORK, cause):
        raise NoNetwork(
            f"{what}: no connection to the package index. Connect to the internet (or "
            "set pip's proxy) and run this again; nothing has to be cleaned up."
        )
    if "No matching distribution found" in cause:
        what += (
            f". They are made for {PYTHONS} on Linux, Windows (x64) and Macs with an "
            "Apple chip and macOS 14 or newer. It said"
        )
    said = "\n  ".join((errors or lines)[-12:])
    raise Problem(f"{what}:\n  {said}\nMend that and run this again.")


def run(command, **environment):
    """Run a program in the course folder and return its exit status."""
    # Under an encoding without, say, "±" it writes an escape and does not fail.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    environment["PYTHONIOENCODING"] = f"{encoding}:backslashreplace"
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the program got it too, and decides what to do
            continue


def run_lab(options, python=None, first=FIRST_LESSON):
    """Serve the course folder and open `first`, a path in it."""
    # JupyterLab does not look for settings in the folder it is started in.
    settings = [str(ROOT / ".jupyter"), os.environ.get("JUPYTER_CONFIG_PATH")]
    command = [python or venv_python(), "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={ROOT}", *options]
    if os.name != "nt" and os.geteuid() == 0:  # as in most containers
        command.append("--allow-root")
    settings = os.pathsep.join(filter(None, settings))
    return run(command, JUPYTER_CONFIG_PATH=settings, COURSE_FIRST_LESSON=first)


if __name__ == "__main__":
    for stream in filter(None, [sys.stdout, sys.stderr]):
        stream.reconfigure(errors="backslashreplace")  # paths may hold any letter
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        sys.exit(f"start.py: {problem}")
    except KeyboardInterrupt:
        sys.exit("start.py: stopped. Run it again to go on.")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.exit(f"start.py: {DISK_FULL}")
        if isinstance(error, PermissionError):
            sys.exit(
                f"start.py: no permission to write {error.filename}. Copy the course "
                "to a folder of your own and run it there."
            )
        raise
