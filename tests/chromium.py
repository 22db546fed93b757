"""A real browser for tests: Chromium, Chrome or Edge, whichever is installed."""

import contextlib
import os
import pathlib
import shutil

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# A test must ask nothing of the internet, not even for an update.
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-sync"]
QUIET += ["--disable-component-update", "--no-first-run"]


def executable():
    """The path of an installed browser, or None."""
    found = [shutil.which(name) for name in NAMES]
    found += [place for place in PLACES if pathlib.Path(place).is_file()]
    return next(filter(None, found), None)


def skip_or_fail(why):
    """End the test: skipped for a reader, failed where all tests must run (CI)."""
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(why)
    pytest.fail(why)


@contextlib.contextmanager
def browser():
    """A running browser; without one the test is skipped, or fails in CI."""
    path = executable()
    if path is None:
        skip_or_fail(
            "no browser to test with: install Chromium or Chrome to run this test"
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        try:
            yield running
        finally:
            running.close()
