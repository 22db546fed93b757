"""start.py, and the lists of packages that it installs."""

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from unittest import mock

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from running import jupyterlab, python

import conftest
import start
from start import AUTHOR, CONSTRAINTS, LEARNER, ROOT, NoNetwork, Problem

STOP = KeyboardInterrupt


@pytest.fixture
def course(tmp_path, monkeypatch):
    """start.py in an empty course folder, with a pip that only notes what it does."""
    runs = []
    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "STATE", tmp_path / ".venv" / ".course-state")
    (tmp_path / "tools").mkdir()
    for name in (LEARNER, AUTHOR, CONSTRAINTS):
        (tmp_path / name).write_text("torch==2.13.0\n")

    def make_venv():
        assert [path.name for path in start.VENV.iterdir()] == [".course-state"]
        runs.append("venv")
        start.venv_python().parent.mkdir(parents=True)
        start.venv_python().symlink_to(sys.executable)

    def run_pip(packages, cpu=False):
        assert "installing" in start.STATE.read_text()
        runs.append("cpu" if cpu else packages)

    monkeypatch.setattr(start, "make_venv", make_venv)
    monkeypatch.setattr(start, "run_pip", run_pip)
    return runs


def test_each_set_is_installed_once_and_the_authors_on_top(course):
    for packages in (LEARNER, LEARNER, AUTHOR, AUTHOR, LEARNER):
        start.install(packages)
    assert course == ["venv", LEARNER, AUTHOR]


@pytest.mark.parametrize("change", [LEARNER, CONSTRAINTS, "version", "no Python"])
def test_what_has_changed_is_installed_anew(course, monkeypatch, change):
    start.install(LEARNER)
    if change == "version":
        monkeypatch.setattr(start.sys, "version", "3.99")
    elif change == "no Python":
        start.venv_python().unlink()
    else:
        (start.ROOT / change).write_text("torch==2.14.0\n")
    start.install(LEARNER)
    assert course == ["venv", LEARNER] * 2


@pytest.mark.parametrize("stop, again", [(STOP, ["venv"]), (NoNetwork, [])])
def test_what_was_interrupted_is_not_taken_for_installed(course, stop, again):
    failing = mock.patch.object(start, "run_pip", side_effect=stop)
    with failing, pytest.raises(stop):
        start.install(LEARNER)
    start.install(LEARNER)
    assert course == ["venv", "venv", LEARNER]
    with failing, pytest.raises(stop):
        start.install(AUTHOR)
    start.install(LEARNER)  # is there still
    start.install(AUTHOR)
    assert course[3:] == [*again, AUTHOR]
    (start.ROOT / LEARNER).write_text("torch==2.14.0\n")
    with mock.patch.object(start, "remove", side_effect=stop), pytest.raises(stop):
        start.install(LEARNER)
    assert start.STATE.read_text() == "installing"


@pytest.mark.parametrize("kind", ["a folder", "a file", "a dangling link"])
def test_what_start_did_not_make_is_left_alone(course, kind):
    if kind == "a folder":
        shutil.copytree(ROOT / ".jupyter", start.VENV)
    elif kind == "a file":
        start.VENV.write_text("kept")
    else:
        start.VENV.symlink_to("nowhere")
    with pytest.raises(Problem, match="did not make it"):
        start.install(LEARNER)
    assert os.path.lexists(start.VENV) and not start.STATE.exists() and not course


def test_two_at_once_wait_for_each_other(course, capsys):
    second = threading.Thread(target=start.install, args=[LEARNER], daemon=True)
    with start.only_one():
        second.start()
        second.join(1.5)
        assert "waiting" in capsys.readouterr().out and not course
    second.join(30)
    assert course == ["venv", LEARNER]


def wheel(folder, name, version):
    """Write the smallest package that pip installs; it knows its version."""
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"version = '{version}'")
        for part, text in files.items():
            file.writestr(f"{name}-{version}.dist-info/{part}", text)


TINY = {
    "requirements.txt": "one\n",
    "tools/requirements.txt": "-r ../requirements.txt\ntwo\n",
    "tools/constraints.txt": "one==1.0\ntwo==1.0\n",
    "tools/build.py": '"""Build ± it."""\nimport sys, two\n'
    "print(sys.argv[1:], two.version, '±')\nsys.exit(3)",
    "test_tiny.py": "import one, os\ndef test_one(): assert one.version == '1.0'\n"
    "def test_word(): assert os.environ['WORD'] == 'right'\n",
}


def test_a_tiny_course_installs_what_is_asked_and_returns_every_status(tmp_path):
    tiny = tmp_path / "cours é ρ"
    (tiny / "tools").mkdir(parents=True)
    for name in ("start.py", "tools/own_copies.py"):
        shutil.copy(ROOT / name, tiny / name)
    for name, text in TINY.items():
        (tiny / name).write_text(text, encoding="utf-8")
    for name, version in [("one", "1.0"), ("one", "2.0"), ("two", "1.0")]:
        wheel(tmp_path, name, version)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": tmp_path.as_uri()}
    settings |= {"PIP_NO_INDEX": "1", "PYTHONIOENCODING": "ascii", "CI": ""}
    settings["WORD"] = "right"
    settings["PYTHONPATH"] = str(pathlib.Path(pytest.__file__).parents[1])
    settings["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # saves half of the time

    def status(*arguments, told="", **variables):
        answer = python(tiny / "start.py", *arguments, **settings | variables)
        said = answer.stdout + answer.stderr
        assert told in said and "Traceback" not in said, said
        return answer.returncode

    test = ["test", "-q", "-p", "no:cacheprovider"]
    assert status(*test, told="2 passed") == 0
    assert not [*(tiny / ".venv").rglob("two.py")]
    assert status(*test, told="1 failed, 1 passed", WORD="wrong") == 1
    assert status(*test, "-k", "nothing", told="2 deselected") == 5
    assert status(*test, told="of tools/requirements.txt", CI="true") == 0
    assert status("build", "x", "--check", told="['x', '--check'] 1.0 \\xb1") == 3
    assert status("build", "--help", told="Build \\xb1 it.") == 0
    (tiny / CONSTRAINTS).unlink()
    assert status("lab", told="constraints.txt is missing from") == 1


def test_everything_is_tested_in_ci_and_when_named(monkeypatch):
    no = [("", []), ("0", ["tests/test_data.py"]), ("false", ["-k", "full"])]
    yes = [("true", []), ("1", []), ("", ["tests/full"]), ("", ["tests\\full\\a.py"])]
    for ci, options in no + yes:
        monkeypatch.setenv("CI", ci)
        assert start.wants_everything(options) is ((ci, options) in yes)
        asked = mock.Mock(args=[option.replace("\\", "/") for option in options])
        left_out = conftest.pytest_ignore_collect(ROOT / "tests/full/a.py", asked)
        assert (left_out is None) is ((ci, options) in yes)


def test_ctrl_c_is_left_to_the_program():
    program = mock.Mock(**{"wait.side_effect": [STOP, STOP, 7]})
    with mock.patch.object(subprocess, "Popen", return_value=program):
        assert start.run(["lab"]) == 7


RETRY = "WARNING: Retrying after connection broken by 'ReadTimeoutError'\n"
LOST = "Could not fetch URL x: connection error: Network is unreachable - skipping\n"
NONE = "ERROR: No matching distribution found for torch==9\n"


@pytest.mark.parametrize(
    "said, told",
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (RETRY + "ERROR: [Errno 28] No space left on device", "disk is full"),
        (RETRY + LOST + NONE, "no connection"),
        (RETRY + "ERROR: Exception:\nTraceback\nReadTimeoutError", "no connection"),
        ("getaddrinfo failed", "no connection"),
        (RETRY + NONE, "macOS 14 or newer.*torch==9"),
        (RETRY + "ERROR: one and two conflict\n" + "more\n" * 20, "two conflict"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said, told):
    with pytest.raises(Problem, match=f"(?s){told}"):
        start.explain("Collecting torch\n" + said, "pip could not install")


def test_a_python_that_will_not_do_is_told_so(monkeypatch):
    missing = mock.patch.dict(sys.modules, ensurepip=None)
    with missing, pytest.raises(Problem, match=r"apt install python3\.\d+-venv"):
        start.check_python()
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 1))
    with pytest.raises(Problem, match=r"Python 3\.9.*needs Python 3\.11"):
        start.check_python()


@pytest.mark.parametrize(
    "system, machine, version, macos, told",
    [
        ("Linux", "x86_64", (3, 11), "", None),
        ("Linux", "x86_64", (3, 15), "", "this Python is too new"),
        ("Darwin", "arm64", (3, 14), "15.2", None),
        ("Darwin", "arm64", (3, 14), "13.6", "needs macOS 14 or newer, this is 13"),
        ("Darwin", "x86_64", (3, 12), "15.2", "needs an Apple chip"),
        ("Windows", "AMD64", (3, 13), "", None),
        ("Windows", "ARM64", (3, 13), "", "needs an x64 processor"),
    ],
)
def test_where_a_package_has_no_build_it_is_said_before(
    course, monkeypatch, system, machine, version, macos, told
):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.mac_ver", lambda: (macos, (), machine))
    monkeypatch.setattr(start.sys, "version_info", (*version, 0, "final", 0))
    if told is None:
        start.check_wheels()
        return
    with pytest.raises(Problem, match=told):
        start.install(LEARNER)
    assert not course and not start.VENV.exists()


def test_cpu_takes_pytorch_from_its_own_index_first(course, monkeypatch, capsys):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    start.install(LEARNER, cpu=True)
    assert course == ["venv", "cpu", LEARNER]
    assert "add --cpu" not in capsys.readouterr().out
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(Problem, match="--cpu is for Linux"):
        start.install(AUTHOR, cpu=True)
    start.install(AUTHOR)


def test_the_command_that_pip_gets():
    with mock.patch.object(subprocess, "run") as run:
        run.return_value.returncode = 0
        start.run_pip(LEARNER)
        start.run_pip(LEARNER, cpu=True)
    usual, cpu = (" ".join(map(str, call.args[0])) for call in run.call_args_list)
    index = "https://download.pytorch.org/whl/cpu"
    assert usual.endswith(f"-c {CONSTRAINTS} -r {LEARNER}")
    assert cpu.endswith(f"-c {CONSTRAINTS} torch --no-deps --index-url {index}")


def test_a_port_that_cannot_be_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options in (["--port", f"{port}"], ["-y", f"--port={port}"]):
            with pytest.raises(Problem, match=f"Port {port} is taken"):
                start.check_port(options)
    for options in (["--port", f"{port}"], ["--port"], []):
        start.check_port(options)
    for port in ("many", "70000", "-1"):
        with pytest.raises(Problem, match="needs a number"):
            start.check_port([f"--port={port}"])


@pytest.mark.parametrize(
    "arguments, status, told",
    [
        (["--help"], 0, "start.py lab"),
        (["lab", "--help"], 0, "--no-browser"),
        (["test", "-h"], 0, "pytest"),
        (["build", "-h"], 0, "--check"),
        (["measure", "-h"], 0, "LESSON"),
        ([], 1, "start.py test"),
        (["tset"], 1, "start.py test"),
    ],
)
def test_help(arguments, status, told):
    answer = python(ROOT / "start.py", *arguments)
    assert answer.returncode == status
    assert told in (answer.stderr if status else answer.stdout)
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "error, told",
    [
        ("OSError(28, 'No space left on device')", "the disk is full"),
        ("PermissionError(13, 'Permission denied', 'X')", "no permission to write X"),
        ("OSError(5, 'Input/output error')", "Traceback"),  # not hidden
    ],
)
def test_a_full_disk_or_a_folder_of_another_user_is_a_sentence(error, told):
    code = (
        "import runpy, sys, pathlib\n"
        f"def fail(path, *a, **k): raise {error}\n"
        "pathlib.Path.is_file = fail\n"
        "sys.argv = ['start.py', 'lab']\n"
        f"runpy.run_path({str(ROOT / 'start.py')!r}, run_name='__main__')\n"
    )
    answer = python("-c", code)
    assert answer.returncode == 1 and told in answer.stderr
    assert ("Traceback" in answer.stderr) is (told == "Traceback")


@pytest.mark.skipif(os.name == "nt", reason="stops the server with a signal")
def test_lab_serves_the_first_lesson_without_news_and_only_to_you(tmp_path):
    def get(path, **token):
        with urllib.request.urlopen(address(path, **token), timeout=10) as answer:
            return answer.url, answer.read().decode()

    variables = {"JUPYTER_RUNTIME_DIR": str(tmp_path)}
    with jupyterlab(ROOT, tmp_path / "log", **variables) as address:
        first = "/lab/tree/01_Introduction_to_RNN/RNN_Introduction.ipynb"
        assert first in get("/")[0]
        assert "RNN_Intro" in get("/api/contents/01_Introduction_to_RNN")[1]
        name = "@jupyterlab/apputils-extension:notification"
        news = json.loads(get(f"/lab/api/settings/{name}")[1])["schema"]["properties"]
        assert news["fetchNews"]["default"] == "false"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get("/api/contents", token="")
        port = urllib.parse.urlsplit(address("/")).port
        with pytest.raises(OSError):  # another address of this computer
            socket.create_connection(("127.0.0.2", port), 5)


def pins(name):
    """The requirements in a file, without comments and options."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def test_what_is_asked_for_is_pinned():
    pinned = {(pin.name, str(pin.specifier)) for pin in pins(CONSTRAINTS)}
    asked = {(one.name, str(one.specifier)) for one in pins(LEARNER) + pins(AUTHOR)}
    assert len(asked) > 15 and not asked - pinned
    assert all(re.fullmatch(r"==[\w.]+", version) for _, version in pinned)


def test_what_is_installed_is_pinned():
    """Another version never; a package of your own is let pass outside CI."""
    here = [p for p in pins(CONSTRAINTS) if p.marker is None or p.marker.evaluate()]
    pinned = {canonicalize_name(pin.name): pin.specifier for pin in here}
    for package in importlib.metadata.distributions():
        name, version = canonicalize_name(package.name), package.version
        if name in pinned:
            assert version in pinned[name], f"{name} {version}, not {pinned[name]}"
        elif start.wants_everything([]):
            assert name == "pip", f"{name} {version} is not in {CONSTRAINTS}"


def test_all_name_the_same_pythons_and_size():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert start.PYTHONS in readme and start.PYTHONS in start.__doc__
    assert "CI=true python3 start.py test" in readme
    assert re.search(r"need ([\d.]+ GB)", start.DISK_FULL)[1] in readme
    first, last = re.findall(r"3\.(\d+)", start.PYTHONS)
    names = ", ".join(f'"3.{minor}"' for minor in range(int(first), int(last) + 1))
    workflow = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    assert f"python: [{names}]" in workflow and (3, int(first)) == start.OLDEST
    assert re.findall("run: (python .*)", workflow) == ["python start.py test"]
    for path, name in re.findall(r"--deselect (\S+)::(\w+)", workflow):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert {"export CI=true", "set -euo pipefail"} < {*ci}
    assert ci[-1] == "exec python3 start.py test"


def test_what_learners_run_is_asked_for():
    asked = {pin.name for pin in pins(LEARNER)}
    used = {"jupyterlab", "nbval", "pytest-xdist", "pytest"}
    scripts = [*ROOT.glob("[0-9]*/**/raw_scripts/*.py"), *ROOT.glob("utils/**/*.py")]
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"^ *(?:from|import) ([a-zA-Z]\w*)", text, re.MULTILINE))
    used -= {*sys.stdlib_module_names, "utils", "IPython", "PIL"}  # brought along
    assert used <= asked and "torch" in used
    assert "\n-r ../requirements.txt\n" in (ROOT / AUTHOR).read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project["tool"]["pytest"]["ini_options"]
    topics = sorted(path.name for path in ROOT.glob("[0-9][0-9]_*"))
    assert settings["testpaths"] == ["tests", *topics]
    assert settings["addopts"].startswith("--nbval -n")
