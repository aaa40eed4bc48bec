"""The report as a person meets it: opened from disk in Chromium, clicked, typed at, listened to.

What is heard is told by the meters, which measure what each stem gives to the loudspeakers.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.chromium import chromium
from tests.report_windows import (
    COLORS,
    DESKTOP,
    LONG,
    NASTY,
    PHONE,
    RATE,
    SECONDS,
    Opened,
    Scheme,
    button,
    column,
    levels,
    make_report,
    play,
    position,
    titles,
    wait_for_position,
    wait_for_sound,
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a window of a desktop; at the end it must have had nothing to complain of."""
    opened = Opened(browser, DESKTOP, "light")
    yield opened.page
    opened.close()


@pytest.fixture
def song(page: Page, report: Path) -> Page:
    """Give the page of the long song, reached as one reaches it."""
    page.goto((report / "index.html").as_uri())
    page.get_by_role("link", name=LONG).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG)
    return page


def test_sorts_by_clicking(page: Page, report: Path) -> None:
    page.goto((report / "index.html").as_uri())
    assert titles(page) == [NASTY, "b" * 60, LONG]
    column(page, "vocals").click()
    assert titles(page) == ["b" * 60, LONG, NASTY]
    expect(page.locator("th[data-column=vocals]")).to_have_attribute("aria-sort", "descending")
    column(page, "vocals").click()
    assert titles(page) == [NASTY, LONG, "b" * 60]
    expect(page.locator("th[data-column=vocals]")).to_have_attribute("aria-sort", "ascending")
    column(page, "song").click()
    assert titles(page) == [NASTY, "b" * 60, LONG]
    expect(page.locator("th[data-column=vocals]")).not_to_have_attribute("aria-sort", "ascending")


def test_sorts_by_keyboard(page: Page, report: Path) -> None:
    page.goto((report / "index.html").as_uri())
    column(page, "song").focus()
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("th[data-column=mean]")).to_have_attribute("aria-sort", "descending")
    assert titles(page) == ["b" * 60, LONG, NASTY]
    page.keyboard.press("Space")
    assert titles(page) == [NASTY, LONG, "b" * 60]


def test_another_metric(page: Page, report: Path) -> None:
    page.goto((report / "index.html").as_uri())
    column(page, "vocals").click()
    vocals = page.locator("#songs tbody td[data-column=vocals]")
    assert vocals.all_text_contents() == ["12.00", "3.00", "−1.00"]
    page.get_by_label("Metric").select_option("SI-SDR")
    assert vocals.all_text_contents() == ["20.00", "11.50", "2.50"]
    assert titles(page)[0] == NASTY
    floor = page.locator("tr[data-row=floor] td[data-column=vocals]")
    expect(floor).to_have_text("–")


def test_plays_and_pauses(song: Page) -> None:
    play(song)
    wait_for_position(song, 0.5)
    wait_for_sound(song, "bass", "other", "vocals")
    button(song, "Pause").click()
    expect(song.locator("#player")).to_have_attribute("data-state", "paused")
    stopped = position(song)
    song.wait_for_timeout(300)
    assert position(song) == stopped
    assert set(levels(song).values()) == {0}


def test_solo_and_mute(song: Page) -> None:
    play(song, 1)
    button(song, "Solo vocals").click()
    wait_for_sound(song, "vocals")
    button(song, "Solo bass").click()
    wait_for_sound(song, "bass", "vocals")
    for name in ("Solo vocals", "Solo bass", "Mute bass"):
        button(song, name).click()
    wait_for_sound(song, "other", "vocals")
    expect(button(song, "Mute bass")).to_have_attribute("aria-pressed", "true")
    button(song, "Solo mixture").click()
    wait_for_sound(song, "mixture")


def test_estimate_against_reference(song: Page) -> None:
    play(song, 1)
    wait_for_position(song, 1.6)  # meters look back a quarter of a second
    before, at = levels(song)["vocals"], position(song)
    song.locator("[data-track=vocals]").get_by_role("button", name="reference").click()
    # Estimates are half as loud: 6 of the meters' 60 dB.
    wait_for_position(song, at + 0.6)
    assert levels(song)["vocals"] == pytest.approx(before + 0.1, abs=0.015)
    assert levels(song)["bass"] == pytest.approx(before, abs=0.015)
    assert position(song) > at
    button(song, "All references").click()
    expect(song.locator("button[data-source=reference][aria-pressed=true]")).to_have_count(4)


def test_seeks_all_stems_together(song: Page) -> None:
    play(song)
    wait_for_sound(song, "bass", "other", "vocals")
    song.locator("#seek").fill("15")
    wait_for_position(song, 15.1)
    wait_for_sound(song, "bass", "drums", "vocals")
    # A click on a picture: a quarter of the song is 6 s.
    lane = song.locator("[data-track=vocals] .seekable").first
    box = lane.bounding_box()
    assert box
    lane.click(position={"x": box["width"] / 4, "y": 20})
    wait_for_sound(song, "bass", "other", "vocals")
    assert 6 <= position(song) < 12


def test_goes_on_from_piece_to_piece(song: Page) -> None:
    play(song, 9.0)
    button(song, "Solo bass").click()
    wait_for_position(song, 9.5)
    wait_for_sound(song, "bass")
    song.evaluate("""() => {
        window.lowest = 1;
        const meter = document.querySelector("[data-track=bass] .meter");
        (function look() {
            window.lowest = Math.min(window.lowest, meter.style.getPropertyValue("--level"));
            requestAnimationFrame(look);
        })();
    }""")
    wait_for_position(song, 10.6)
    assert song.evaluate("window.lowest") > 0.6


def test_ends_and_begins_anew(song: Page) -> None:
    play(song, SECONDS - 0.4)
    expect(song.locator("#player")).to_have_attribute("data-state", "paused")
    assert position(song) == SECONDS
    play(song)
    wait_for_position(song, 0.1)
    assert position(song) < 5


def test_keyboard(song: Page) -> None:
    player = song.locator("#player")
    song.keyboard.press("Space")
    expect(player).to_have_attribute("data-state", "playing")
    song.keyboard.press("4")
    wait_for_sound(song, "vocals")
    song.keyboard.press("4")
    song.keyboard.press("Shift+1")
    wait_for_sound(song, "other", "vocals")
    song.keyboard.press("k")
    expect(player).to_have_attribute("data-state", "paused")
    song.keyboard.press("Home")
    assert position(song) == 0
    song.keyboard.press("ArrowRight")
    song.keyboard.press("ArrowRight")
    song.keyboard.press("ArrowLeft")
    assert position(song) == 5
    song.keyboard.press("End")
    assert position(song) == SECONDS
    song.keyboard.press("r")
    reference = song.locator("[data-track=vocals]").get_by_role("button", name="reference")
    expect(reference).to_have_attribute("aria-pressed", "true")
    # On a button Space is the button's.
    button(song, "Solo drums").focus()
    song.keyboard.press("Space")
    expect(button(song, "Solo drums")).to_have_attribute("aria-pressed", "true")
    expect(player).to_have_attribute("data-state", "paused")
    song.keyboard.press("p")
    expect(song.get_by_role("heading", level=1)).to_have_text("b" * 60)


def test_the_focus_is_seen_wherever_it_is(song: Page) -> None:
    reached = []
    for _ in range(12):
        song.keyboard.press("Tab")
        reached.append(song.evaluate("document.activeElement.id"))
        focus = song.locator(":focus-visible")
        expect(focus).to_have_css("outline-style", re.compile("solid|auto"))
    assert {"play", "seek"} <= set(reached)


def test_everything_that_is_pressed_has_a_name(song: Page) -> None:
    names = [
        element.get_attribute("aria-label") or element.inner_text()
        for element in song.locator("button, a, input, summary").all()
    ]
    assert all(names)
    assert all(picture.get_attribute("alt") for picture in song.locator("img").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_fits_in_either_scheme(
    browser: Browser, report: Path, size: tuple[int, int], scheme: Scheme
) -> None:
    opened = Opened(browser, size, scheme)
    page = opened.page
    for path in sorted(report.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        for image in page.locator("img").all():
            image.scroll_into_view_if_needed()
            page.wait_for_function(
                "image => image.complete && image.naturalWidth", arg=image.element_handle()
            )
        background, ink = (
            sum(map(int, re.findall(r"\d+", page.locator("body").evaluate(script))[:3]))
            for script in (f"body => getComputedStyle(body).{name}" for name in COLORS)
        )
        assert (background > 600) == (scheme == "light")
        assert abs(background - ink) > 500
    opened.close()


def test_a_missing_file_is_told(browser: Browser, report: Path, tmp_path: Path) -> None:
    shutil.copytree(report, tmp_path / "copy")
    for piece in tmp_path.rglob("piece-0.js"):
        piece.unlink()
    opened = Opened(browser, DESKTOP, "light")
    opened.page.goto((tmp_path / "copy" / "songs" / "001.html").as_uri())
    button(opened.page, "Play").click()
    expect(opened.page.get_by_role("status")).to_contain_text("001/piece-0.js is missing")
    expect(opened.page.locator("#player")).to_have_attribute("data-state", "paused")
    opened.context.close()


def test_sound_is_decoded_to_the_sample(page: Page, report: Path) -> None:
    """Drums begin at 12 s; the second piece at 9.9 s, its pad before 10."""
    page.goto((report / "songs" / "003.html").as_uri())
    text = (report / "songs" / "003" / "piece-1.js").read_text()
    encoded = json.loads(text[text.index("{") : text.rindex("}") + 1])["drums.reference"]
    starts = page.evaluate(
        """async (encoded) => {
            const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
            const context = new OfflineAudioContext(1, 1, 8000);
            const samples = (await context.decodeAudioData(bytes.buffer)).getChannelData(0);
            return [samples.length, samples.findIndex((sample) => Math.abs(sample) > 0.05)];
        }""",
        encoded,
    )
    assert starts[0] == round(10.2 * RATE)
    assert starts[1] == pytest.approx(2.1 * RATE, abs=10)
