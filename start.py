#!/usr/bin/env python3
"""Open the course in JupyterLab, or test it. Needs Python 3.11 to 3.13, nothing else.

    python3 start.py lab       install what the lessons need into .venv, open JupyterLab
    python3 start.py test      the same, then run every test and every notebook
    python3 start.py report    the same, then measure the figures of RESULTS.md again

Options after the command go to JupyterLab, pytest or the report; `--help` after a
command tells more. The first run downloads the packages of requirements.txt, later
runs start at once. A newer Python is not refused; the course is not tested with it.
"""

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STATE = VENV / ".course-state"  # "installing", or the fingerprint of a finished install
REQUIREMENTS = ROOT / "requirements.txt"
OLDEST = (3, 11)

LAB_HELP = """usage: python3 start.py lab [options]

Install the packages of requirements.txt into .venv if that is still to be done, then
open JupyterLab at the course folder on the first lesson. Stop it with Ctrl-C, twice.

All options go to JupyterLab. Often used:
  --no-browser     print the address instead of opening a browser
  --port NUMBER    use this port; without it the first free one from 8888 on
"""
TEST_HELP = """usage: python3 start.py test [options]

Install the packages of requirements.txt into .venv if that is still to be done, then
run every test and every notebook with pytest, from the course folder.

All options go to pytest. Often used:
  -k NAME          only tests whose name contains NAME
  tests/FILE.py    only this file
  -n 0             one process (easier to read while debugging)
"""
REPORT_HELP = """usage: python3 start.py report [options]

Install the packages of requirements.txt into .venv if that is still to be done, then
train the networks of the lessons anew over five seeds and write RESULTS.md. Half an
hour of computing; interrupted, it goes on where it stopped. Ends with an error if a
claim of the lessons is not supported.

Options:
  --only SECTION   only this section, for instance weather
  --fresh          forget what earlier runs have measured
  --render         only write RESULTS.md from RESULTS.json
"""
HELP = {"lab": LAB_HELP, "test": TEST_HELP, "report": REPORT_HELP}
# 1.7 GB was measured with the CPU build of PyTorch; the build with CUDA is far larger.
DISK_FULL = (
    "the disk is full. The packages need 1.7 GB, on Linux several more for PyTorch's "
    "GPU libraries. Free some space and run this again."
)
NO_NETWORK = (
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Read timed out",
    "Connection refused",
    "Network is unreachable",
    "Name or service not known",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname provided",
)


class Problem(Exception):
    """Something the reader can mend; the text says what and how."""


def main(arguments):
    command = arguments[0] if arguments else None
    rest = arguments[1:]
    if command in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if command not in HELP:
        told = f"'{command}' is not a command. " if command else ""
        raise Problem(f"{told}Say what to do:\n\n{__doc__.strip()}")
    if "-h" in rest or "--help" in rest:
        print(HELP[command].strip())
        return 0
    check_python()
    if command == "lab":
        check_port(rest)
    install()
    run = {"lab": run_lab, "test": run_tests, "report": run_report}[command]
    return run(rest)


def check_python():
    here = "{}.{}".format(*sys.version_info)
    if sys.version_info < OLDEST:
        raise Problem(
            f"This is Python {here}; the course needs Python 3.11, 3.12 or 3.13. Take "
            "one from python.org (or your system's packages) and start this file with "
            "it."
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
    for position, option in enumerate(options):
        if option == "--port" and position + 1 < len(options):
            port = options[position + 1]
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
            if error.errno in (errno.EACCES, errno.EPERM):
                why = "may not be used by you"
            else:
                why = "is taken by another program"
            raise Problem(
                f"Port {port} {why}. Choose another with --port, or leave --port out "
                "and JupyterLab takes a free one."
            ) from None


def venv_python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint():
    """What an install depends on: the pins, and the Python that it was made with."""
    text = REQUIREMENTS.read_bytes() + sys.version.encode()
    return hashlib.sha256(text).hexdigest()


def is_installed():
    if not STATE.is_file() or STATE.read_text(encoding="utf-8") != fingerprint():
        return False
    try:  # fails when the Python below it was removed or upgraded away
        subprocess.run([venv_python(), "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def install():
    """Make .venv and fill it, unless it is complete. Safe to interrupt at any moment.

    STATE says "installing" from before the first file until after the last one.
    Whatever does not carry the right fingerprint is emptied and made anew.
    """
    if not REQUIREMENTS.is_file():
        raise Problem(f"{REQUIREMENTS.name} is missing from {ROOT}: copy it back.")
    if is_installed():
        return
    with only_one():
        if is_installed():  # another start.py did it while this one waited
            return
        if VENV.exists() and not STATE.is_file() and any(VENV.iterdir()):
            raise Problem(
                f"{VENV} is there already, but start.py did not make it. Rename it or "
                "delete it, then run this again."
            )
        VENV.mkdir(exist_ok=True)
        if STATE.is_file():
            print("The installation is out of date or incomplete: making it anew.")
        STATE.write_text("installing", encoding="utf-8")
        for old in VENV.iterdir():
            if old != STATE:
                remove(old)
        print("Installing the packages of requirements.txt into .venv (once) ...")
        run_pip()
        STATE.write_text(fingerprint(), encoding="utf-8")


@contextlib.contextmanager
def only_one():
    """Hold a lock that the system drops when this process ends, however it ends."""
    name = "rnn-course-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    with open(pathlib.Path(tempfile.gettempdir(), name + ".lock"), "a") as file:
        told = False
        while not try_lock(file):
            if not told:
                print("Another start.py is installing; waiting for it ...", flush=True)
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


def run_pip():
    made = subprocess.run(
        [sys.executable, "-m", "venv", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if made.returncode:
        explain(made.stdout, "Python could not make the virtual environment")
    # Not in VENV: a full disk there must not hide the reason.
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "pip.log")
        command = [venv_python(), "-m", "pip", "install", "--log", log]
        command += ["--disable-pip-version-check", "-r", REQUIREMENTS]
        if subprocess.run(command, cwd=ROOT).returncode:
            text = log.read_text(encoding="utf-8", errors="replace")
            explain(text, "pip could not install the packages")


def explain(output, what):
    """Raise the sentence that fits what a failed program said."""
    if "No space left on device" in output or "Errno 28" in output:
        raise Problem(f"{what}: {DISK_FULL}")
    if any(sign in output for sign in NO_NETWORK):
        raise Problem(
            f"{what}: no connection to the package index. Connect to the internet (or "
            "set pip's proxy) and run this again; nothing has to be cleaned up."
        )
    last = "\n".join("  " + line for line in output.strip().splitlines()[-12:])
    raise Problem(f"{what}. Its last lines:\n{last}\nMend that and run this again.")


def run(command, **environment):
    """Run a program in the course folder and return its exit status."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the program got it too, and decides what to do
            continue


def run_lab(options, python=None):
    # JupyterLab does not look for settings in the folder it is started in.
    settings = [str(ROOT / ".jupyter"), os.environ.get("JUPYTER_CONFIG_PATH")]
    command = [python or venv_python(), "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={ROOT}", *options]
    return run(command, JUPYTER_CONFIG_PATH=os.pathsep.join(filter(None, settings)))


def run_tests(options):
    return run([venv_python(), "-m", "pytest", *options])


def run_report(options):
    return run([venv_python(), str(ROOT / "tools" / "report.py"), *options])


if __name__ == "__main__":
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
