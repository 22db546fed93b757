"""start.py: clear sentences, no half-made environment taken for a good one, the lab."""

import contextlib
import errno
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

import start

ROOT = start.ROOT


@pytest.fixture
def course(tmp_path, monkeypatch):
    """start.py in an empty course folder, with a pip that only says it ran."""
    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "STATE", tmp_path / ".venv" / ".course-state")
    monkeypatch.setattr(start, "REQUIREMENTS", tmp_path / "requirements.txt")
    start.REQUIREMENTS.write_text("torch==2.13.0\n")
    runs = []

    def run_pip():
        runs.append(sorted(p.name for p in start.VENV.iterdir()))
        start.venv_python().parent.mkdir()
        start.venv_python().symlink_to(sys.executable)

    monkeypatch.setattr(start, "run_pip", run_pip)
    return runs


def test_installs_once(course):
    start.install()
    start.install()
    assert len(course) == 1


def test_installs_again_when_the_pins_change(course):
    start.install()
    start.REQUIREMENTS.write_text("torch==2.14.0\n")
    start.install()
    assert len(course) == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, start.Problem])
def test_an_interrupted_install_is_made_anew(course, monkeypatch, stop):
    good = start.run_pip

    def interrupted():
        (start.VENV / "half-made").write_text("")
        raise stop

    monkeypatch.setattr(start, "run_pip", interrupted)
    with pytest.raises(stop):
        start.install()
    assert not start.is_installed()
    monkeypatch.setattr(start, "run_pip", good)
    start.install()
    assert start.is_installed() and course == [[".course-state"]]


def test_an_interrupted_clean_up_is_still_known_as_unfinished(course, monkeypatch):
    start.install()
    start.REQUIREMENTS.write_text("torch==2.14.0\n")

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.install()
    assert start.STATE.read_text() == "installing"


def test_a_removed_python_is_noticed(course):
    start.install()
    start.venv_python().unlink()
    assert not start.is_installed()
    start.install()
    assert start.is_installed() and len(course) == 2


def test_a_folder_of_yours_is_left_alone(course):
    start.VENV.mkdir()
    (start.VENV / "mine").write_text("kept")
    with pytest.raises(start.Problem, match="did not make it"):
        start.install()
    assert (start.VENV / "mine").read_text() == "kept" and not course


def test_two_at_once_wait_for_each_other(course):
    with start.only_one():
        waits = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import start, pathlib, sys; start.ROOT = pathlib.Path(sys.argv[1])\n"
                "with start.only_one(): print('in', flush=True)",
                start.ROOT,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "waiting" in waits.stdout.readline()
    assert waits.stdout.readline() == "in\n"
    waits.wait(10)
    waits.stdout.close()


@pytest.mark.parametrize(
    "said, told",
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError('...: Network is unreachable')", "no connection"),
        ("getaddrinfo failed", "no connection"),
        ("ERROR: No matching distribution found for torch==9", "torch==9"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said, told):
    with pytest.raises(start.Problem, match=told):
        start.explain("Collecting torch\n" + said, "pip could not install")


def test_an_old_python_is_told_so(monkeypatch):
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 1))
    with pytest.raises(start.Problem, match=r"Python 3\.9.*needs Python 3\.11"):
        start.check_python()


def test_a_missing_venv_module_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(start.Problem, match=r"apt install python3\.\d+-venv"):
        start.check_python()


@pytest.mark.parametrize("form", [["--port", "{}"], ["--port={}"]])
def test_a_taken_port_is_named(form):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(start.Problem, match=f"Port {port} is taken"):
            start.check_port([part.format(port) for part in form])
    start.check_port([part.format(port) for part in form])


@pytest.mark.parametrize("port", ["many", "70000", "-1"])
def test_a_port_that_is_none_is_named(port):
    with pytest.raises(start.Problem, match="needs a number"):
        start.check_port([f"--port={port}"])


def say(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "start.py", *arguments], capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--help"], "start.py lab"),
        (["lab", "--help"], "--no-browser"),
        (["test", "-h"], "pytest"),
        (["report", "-h"], "RESULTS.md"),
    ],
)
def test_help(arguments, told):
    answer = say(*arguments)
    assert answer.returncode == 0 and told in answer.stdout and not answer.stderr


@pytest.mark.parametrize("arguments", [[], ["tset"]])
def test_a_wrong_command_shows_the_right_ones(arguments):
    answer = say(*arguments)
    assert answer.returncode and "start.py test" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_full_disk_outside_pip_is_a_sentence(tmp_path):
    code = (
        "import runpy, sys, pathlib\n"
        "def full(*a, **k): raise OSError(28, 'No space left on device')\n"
        "pathlib.Path.is_file = full\n"
        "sys.argv = ['start.py', 'lab']\n"
        f"runpy.run_path({str(ROOT / 'start.py')!r}, run_name='__main__')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert errno.ENOSPC == 28 and "the disk is full" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "error, told",
    [
        ("PermissionError(13, 'Permission denied', str(path))", "no permission to wr"),
        ("OSError(5, 'Input/output error', str(path))", "Traceback"),  # not hidden
    ],
)
def test_a_folder_of_another_user_is_a_sentence(tmp_path, error, told):
    folder = tmp_path / "a course"
    folder.mkdir()
    for name in ("start.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    code = (
        "import runpy, sys, pathlib\n"
        f"def refuse(path, *a, **k): raise {error}\n"
        "pathlib.Path.mkdir = refuse\n"
        "sys.argv = ['start.py', 'lab']\n"
        f"runpy.run_path({str(folder / 'start.py')!r}, run_name='__main__')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert answer.returncode == 1 and told in answer.stderr
    assert str(folder / ".venv") in answer.stderr  # what could not be written
    if told != "Traceback":
        assert "Traceback" not in answer.stderr
        assert "Copy the course to a folder of your own" in answer.stderr


@pytest.mark.skipif(os.name == "nt", reason="stops the server with a signal")
def test_lab_serves_the_first_lesson_without_news(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    options = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={token}"]
    if os.geteuid() == 0:
        options.append("--allow-root")
    code = f"import start, sys; start.run_lab({options!r}, python=sys.executable)"
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    lab = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def get(path):
        address = f"http://127.0.0.1:{port}{path}?token={token}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.url, answer.read().decode()

    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                get("/api")
                break
            time.sleep(0.25)
        url, _ = get("/")
        assert "/lab/tree/01_Introduction_to_RNN/RNN_Introduction.ipynb" in url
        lesson = json.loads(get("/api/contents/01_Introduction_to_RNN")[1])
        assert "RNN_Introduction.ipynb" in [c["name"] for c in lesson["content"]]
        name = "@jupyterlab/apputils-extension:notification"
        settings = json.loads(get(f"/lab/api/settings/{name}")[1])
        assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(30)
