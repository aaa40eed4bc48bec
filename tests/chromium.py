"""Where Chromium is."""

import os
import shutil

import pytest


def chromium() -> str:
    """Give the program; the test is skipped without one, and fails on the CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/packages.txt names it")
        pytest.skip("no Chromium: apt-get install chromium")
    return found
