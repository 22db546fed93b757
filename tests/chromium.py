"""A real browser for tests: Chromium, Chrome or Edge, whichever is installed."""

import pathlib
import shutil

import pytest
from playwright.sync_api import sync_playwright

import start

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


@pytest.fixture(scope="module")
def chromium():
    """A running browser; without one the test is skipped, or fails in CI."""
    found = [shutil.which(name) for name in NAMES]
    found += [place for place in PLACES if pathlib.Path(place).is_file()]
    path = next(filter(None, found), None)
    if path is None:
        end = pytest.fail if start.wants_everything([]) else pytest.skip
        end("no browser to test with: install Chromium or Chrome to run this test")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield running
        running.close()
