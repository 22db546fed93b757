"""A lesson runs to its end in a course that cannot be written, and writes nothing."""

import contextlib
import stat
import sys

from course_texts import contents
from running import python

from tools.course_copy import copy_course

LESSON = "02_LSTM_RNN/raw_scripts/gru.py"  # a short one
# Root may write anywhere. What these lines start may not, on Linux: it is the same user
# (another might not be allowed to read the virtual environment) without the rights
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which pass permissions by. Where permissions
# bind nobody, the test still shows that nothing is written.
BOUND = """
import ctypes, os, subprocess, sys
if sys.platform == "linux" and os.geteuid() == 0:
    for right in (1, 2):
        ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@contextlib.contextmanager
def read_only(root):
    """Take the right to write away from everything in a folder, for a while."""
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        yield
    finally:
        for path in paths:
            path.chmod(stat.S_IRWXU)


def test_a_lesson_runs_as_a_script_in_a_read_only_course(tmp_path):
    root = copy_course(tmp_path / "Kürs 二 (1)")
    before = contents(root)
    usual = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
    with read_only(root):
        answer = python("-c", BOUND, sys.executable, LESSON, cwd=root, **usual)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) > 20
    changed = {path for path, _ in contents(root).items() ^ before.items()}
    assert not {path for path in changed if "__pycache__" not in path.parts}
