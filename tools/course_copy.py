"""Copies of the course for tests and checks that must not write into the course."""

import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


def copy_course(target):
    """Copy the working tree, less what git ignores, to `target`; return that path.

    Not a clone: what is being edited is what must be tested, and a course that was
    unpacked from a zip has no git folder.
    """
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = shutil.ignore_patterns(".git", *(line.strip("/") for line in lines))
    return pathlib.Path(shutil.copytree(ROOT, target, ignore=ignored))


def git(*arguments, cwd=None):
    """Run git, without the settings of whoever runs it; return what it prints."""
    name = ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    quiet = ["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"]
    command = ["git", *name, *quiet, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def bare_repository(folder):
    """A bare repository in `folder` with the course in one commit: its address."""
    work = copy_course(pathlib.Path(folder, "work"))
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message", "The course", cwd=work)
    bare = pathlib.Path(folder, "course.git")
    git("clone", "--quiet", "--bare", work, bare)
    shutil.rmtree(work, ignore_errors=True)  # Windows keeps git's objects read-only
    return bare.as_uri()
