"""Programs that tests start: Python, and JupyterLab as `start.py lab` starts it."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]


def python(*arguments, cwd=ROOT, program=sys.executable, **variables):
    """Run Python to its end: its exit status, and what it printed."""
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def stop(process):
    """End the server with its kernels, as Ctrl-C twice would."""
    if os.name == "nt":
        process.terminate()
    else:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)


@contextlib.contextmanager
def jupyterlab(course, log, options=(), **variables):
    """JupyterLab in a course; yields a function from paths to addresses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def address(path, token="?token=secret"):
        return f"http://127.0.0.1:{port}{path}{token}"

    options = ["--no-browser", f"--port={port}", *options]
    code = f"import start, sys; start.run_lab({options!r}, python=sys.executable)"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=course,
            env={**os.environ, "JUPYTER_TOKEN": "secret", **variables},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=os.name != "nt",
        )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address("/api"), timeout=10).close()
                break
            assert process.poll() is None, log.read_text("utf-8")  # it did not start
            time.sleep(0.5)
        yield address
    finally:
        stop(process)
