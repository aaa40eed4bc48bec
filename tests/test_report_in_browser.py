"""The report as a person meets it: opened from disk in Chromium, clicked, listened to.

What is heard is told by the meters, which measure what each stem gives to the loudspeakers.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.report_windows import (
    COLORS,
    DESKTOP,
    LONG,
    NASTY,
    RATE,
    SECONDS,
    Opened,
    Scheme,
    a_browser,
    a_page,
    a_report,
    a_song,
    button,
    column,
    levels,
    on_a_desktop,
    play,
    position,
    titles,
    wait_for_position,
    wait_for_sound,
)

__all__ = ["a_browser", "a_page", "a_report", "a_song"]


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


@on_a_desktop
def test_another_metric(page: Page, report: Path) -> None:
    page.goto((report / "index.html").as_uri())
    column(page, "vocals").click()
    vocals = page.locator("#songs tbody td[data-column=vocals]")
    assert vocals.all_text_contents() == ["12.00", "3.00", "−1.00"]
    page.get_by_label("Metric").select_option("SI-SDR")
    assert vocals.all_text_contents() == ["20.00", "11.50", "2.50"]
    assert titles(page)[0] == NASTY
    for row, told in (("floor", "−0.50"), ("ceiling", "8.50")):
        expect(page.locator(f"tr[data-row={row}] td[data-column=vocals]")).to_have_text(told)


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


@on_a_desktop
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


@on_a_desktop
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


@on_a_desktop
def test_ends_and_begins_anew(song: Page) -> None:
    play(song, SECONDS - 0.4)
    expect(song.locator("#player")).to_have_attribute("data-state", "paused")
    assert position(song) == SECONDS
    play(song)
    wait_for_position(song, 0.1)
    assert position(song) < 5


@on_a_desktop
def test_everything_that_is_pressed_has_a_name(song: Page) -> None:
    names = [
        element.evaluate("e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent").strip()
        for element in song.locator("button, a, input, summary").all()
    ]
    assert all(names)
    assert all(picture.get_attribute("alt") for picture in song.locator("img").all())


def test_every_page_fits(page: Page, report: Path) -> None:
    for path in sorted(report.rglob("*.html")):
        page.goto(path.as_uri())
        width = page.viewport_size["width"] if page.viewport_size else 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        for image in page.locator("img").all():
            image.scroll_into_view_if_needed()
            page.wait_for_function(
                "image => image.complete && image.naturalWidth", arg=image.element_handle()
            )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_can_be_read(browser: Browser, report: Path, scheme: Scheme) -> None:
    opened = Opened(browser, DESKTOP, scheme)
    for path in (report / "index.html", report / "songs" / "001.html"):
        opened.page.goto(path.as_uri())
        body = opened.page.locator("body")
        background, ink = (
            sum(map(int, re.findall(r"\d+", body.evaluate(script))[:3]))
            for script in (f"body => getComputedStyle(body).{name}" for name in COLORS)
        )
        assert (background > 600) == (scheme == "light")
        assert abs(background - ink) > 500
    opened.close()


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_file_that_is_of_no_use_is_told(
    browser: Browser, report: Path, tmp_path: Path, how: str
) -> None:
    shutil.copytree(report, tmp_path / "copy")
    for piece in tmp_path.rglob("piece-0.js"):
        if how == "missing":
            piece.unlink()
        else:
            piece.write_text(piece.read_text()[:1000])
    opened = Opened(browser, DESKTOP, "light")
    opened.page.goto((tmp_path / "copy" / "songs" / "001.html").as_uri())
    button(opened.page, "Play").click()
    expect(opened.page.get_by_role("status")).to_contain_text(f"001/piece-0.js is {how}")
    expect(opened.page.locator("#player")).to_have_attribute("data-state", "paused")
    opened.context.close()


@on_a_desktop
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
