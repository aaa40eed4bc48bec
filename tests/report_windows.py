"""A report to be looked at in Chromium, and how a test clicks, waits and listens there."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect, sync_playwright

from evaluator.report_page.build import write_report
from evaluator.sound import STEMS, Block
from tests.chromium import chromium
from tests.run_folders import RECORD, RUN, noise, write_json, write_scores, write_sounds

RATE = 8000
SECONDS = 24
HALF = 12
LONG = "c long song"
NASTY = "a <b>&\"quoted\"</b> 'Größe' 曲"
NAMES = (LONG, NASTY, "b" * 60)

TRACKS = ("mixture", *STEMS)

COLORS = ("backgroundColor", "color")
WAIT_MS = 30_000
"""Other programs may leave little of the machine."""

expect.set_options(timeout=WAIT_MS)

DESKTOP, PHONE = (1280, 800), (375, 812)
Scheme = Literal["light", "dark"]


def make_report(root: Path) -> Path:
    """Write a report of a long song and two short ones with difficult names.

    In the long one drums play in the second half only and other in the first. Estimates are half as
    loud as references.
    """
    generator = np.random.default_rng(0)
    for name, sdr in zip(NAMES, (3.0, -1.0, 12.0), strict=True):
        stems = long_song() if name == LONG else noise(generator, RATE // 2)
        write_sounds(root / "run", root / "data", name, stems, RATE)
        reference = str(root / "data" / name)
        write_scores(root / "run", name, sdr, reference=reference, warning="heard <them>")
    # The best in one metric is not the best in the other.
    scores = json.loads((root / "run" / NASTY / "scores.json").read_text())
    scores["scores"]["vocals"]["si_sdr"] = 20.0
    write_json(root / "run" / NASTY / "scores.json", scores)
    write_json(root / "run" / LONG / "mixture.budget.json", RECORD)
    write_json(root / "run" / "run.json", RUN)
    return write_report(root / "run", root / "report").parent


def long_song() -> dict[str, Block]:
    time = np.arange(SECONDS * RATE)[:, None] / RATE
    tones = {
        stem: 0.2 * np.sin(2 * np.pi * hertz * time)
        for stem, hertz in zip(STEMS, (100, 300, 700, 1500), strict=True)
    }
    tones["drums"] *= time >= HALF
    tones["other"] *= time < HALF
    return tones


class Opened:
    """A window whose complaints and requests are kept."""

    def __init__(self, browser: Browser, size: tuple[int, int], scheme: Scheme) -> None:
        width, height = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", self._note_failure)

    def _note_failure(self, request: Request) -> None:
        # Leaving a page ends what it was still loading.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
        assert not [url for url in self.requests if not url.startswith(("file:", "data:"))]


@pytest.fixture(name="report", scope="module")
def a_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _only_report(tmp_path_factory.getbasetemp() / "report")


@cache
def _only_report(root: Path) -> Path:
    """Make the report once for all modules that ask for it; none of them changes it."""
    return make_report(root)


@pytest.fixture(name="browser", scope="module")
def a_browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        # A key pressed while the page still glides from the last one can be lost.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--disable-smooth-scrolling"]
        )
        yield browser
        browser.close()


@pytest.fixture(name="page", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def a_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Give a window of either width; at the end it must have had nothing to complain of."""
    opened = Opened(browser, request.param, "light")
    yield opened.page
    opened.close()


on_a_desktop = pytest.mark.parametrize("page", [DESKTOP], ids=["desktop"], indirect=True)
"""For what does not depend on the width."""


@pytest.fixture(name="song")
def a_song(page: Page, report: Path) -> Page:
    """Give the page of the long song, reached as one reaches it."""
    page.goto((report / "index.html").as_uri())
    page.get_by_role("link", name=LONG).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG)
    return page


def titles(page: Page) -> list[str]:
    return page.locator("#songs tbody a").all_text_contents()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def column(page: Page, name: str) -> Locator:
    return page.locator("#songs thead").get_by_role("button", name=name)


def position(page: Page) -> float:
    return float(page.locator("#seek").input_value())


def levels(page: Page) -> dict[str, float]:
    script = "track => Number(track.querySelector('.meter').style.getPropertyValue('--level'))"
    return {track: page.locator(f"[data-track={track}]").evaluate(script) for track in TRACKS}


def wait_for_sound(page: Page, *heard: str) -> None:
    """Wait until these tracks, and no others, are heard."""
    page.wait_for_function(
        """heard => [...document.querySelectorAll("[data-track]")].every((track) =>
            (track.querySelector(".meter").style.getPropertyValue("--level") > 0.3)
            === heard.includes(track.dataset.track))""",
        arg=list(heard),
    )


def wait_for_position(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "seconds => document.getElementById('seek').value > seconds", arg=seconds
    )


def play(page: Page, seconds: float = 0.0) -> None:
    """Play from somewhere."""
    if seconds:
        page.locator("#seek").fill(str(seconds))
    button(page, "Play").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
