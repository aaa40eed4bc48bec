"""The report by keyboard, in Chromium."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.report_windows import (
    LONG,
    NASTY,
    SECONDS,
    a_browser,
    a_page,
    a_report,
    a_song,
    button,
    column,
    on_a_desktop,
    position,
    titles,
    wait_for_sound,
)

__all__ = ["a_browser", "a_page", "a_report", "a_song"]

pytestmark = on_a_desktop


def test_keyboard(song: Page) -> None:
    player = song.locator("#player")
    song.keyboard.press("k")
    expect(player).to_have_attribute("data-state", "playing")
    song.keyboard.press("4")
    wait_for_sound(song, "vocals")
    song.keyboard.press("4")
    song.keyboard.press("Shift+1")
    wait_for_sound(song, "other", "vocals")
    song.keyboard.press("k")
    expect(player).to_have_attribute("data-state", "paused")
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


def test_keys_of_all_stems_of_the_mixture_and_of_other_songs(song: Page) -> None:
    references = song.locator("button[data-source=reference][aria-pressed=true]")
    estimates = song.locator("button[data-source=estimate][aria-pressed=true]")
    for at_references, at_estimates in ((4, 0), (0, 4)):
        song.keyboard.press("a")
        expect(references).to_have_count(at_references)
        expect(estimates).to_have_count(at_estimates)
    for pressed in ("true", "false"):
        song.keyboard.press("0")
        expect(button(song, "Solo mixture")).to_have_attribute("aria-pressed", pressed)
    heading = song.get_by_role("heading", level=1)
    # The first and the last song lead nowhere else.
    for key, name in (
        ("n", LONG),
        ("p", "b" * 60),
        ("p", NASTY),
        ("p", NASTY),
        ("n", "b" * 60),
        ("n", LONG),
    ):
        song.keyboard.press(key)
        expect(heading).to_have_text(name)


def test_keys_of_any_page_are_the_players_only_within_it(song: Page) -> None:
    player = song.locator("#player")
    assert song.evaluate("scrollY") == 0
    for key in ("End", "ArrowRight", "Space"):
        song.keyboard.press(key)
    bottom = "scrollY + innerHeight > document.documentElement.scrollHeight - 1"
    song.wait_for_function(f"scrollY > 0 && {bottom}")
    assert position(song) == 0
    expect(player).to_have_attribute("data-state", "paused")
    song.keyboard.press("Home")
    song.wait_for_function("scrollY === 0")

    # A click leaves the focus in the player, wherever it was.
    song.locator("[data-track=vocals] .seekable").first.click(position={"x": 1, "y": 20})
    for key, expected in (
        ("Home", 0),
        ("ArrowRight", 5),
        ("ArrowRight", 10),
        ("ArrowLeft", 5),
        ("End", SECONDS),
    ):
        song.keyboard.press(key)
        assert position(song) == expected
    button(song, "Solo drums").click()
    song.keyboard.press("Space")
    expect(button(song, "Solo drums")).to_have_attribute("aria-pressed", "true")
    expect(player).not_to_have_attribute("data-state", "paused")
    song.keyboard.press("Space")
    expect(player).to_have_attribute("data-state", "paused")


def test_a_key_that_is_held_down_switches_once(song: Page) -> None:
    for _ in range(4):
        song.keyboard.down("1")
    expect(button(song, "Solo bass")).to_have_attribute("aria-pressed", "true")
    song.keyboard.up("1")
    song.locator("#player").focus()
    for _ in range(2):
        song.keyboard.down("Space")
    expect(song.locator("#player")).not_to_have_attribute("data-state", "paused")
    song.keyboard.up("Space")
    song.keyboard.press("Space")
    for _ in range(2):  # but one may run along the song
        song.keyboard.down("ArrowRight")
    assert position(song) >= 10


def test_letters_can_be_switched_off_for_good(song: Page) -> None:
    song.get_by_text("Keys", exact=True).click()
    song.get_by_label("Letters and digits").uncheck()
    for key in ("k", "1", "0", "Shift+1", "r", "a", "n", "p"):
        song.keyboard.press(key)
    for _ in range(2):
        expect(song.get_by_role("heading", level=1)).to_have_text(LONG)
        expect(song.locator("#player")).to_have_attribute("data-state", "paused")
        for pressed in ("Solo bass", "Solo mixture", "Mute bass"):
            expect(button(song, pressed)).to_have_attribute("aria-pressed", "false")
        expect(song.locator("button[data-source=reference][aria-pressed=true]")).to_have_count(0)
        song.reload()
    song.keyboard.press("1")
    expect(button(song, "Solo bass")).to_have_attribute("aria-pressed", "false")
    expect(song.locator("#player")).to_have_attribute("data-state", "paused")
    song.get_by_text("Keys", exact=True).click()
    song.get_by_label("Letters and digits").check()
    song.keyboard.press("1")
    expect(button(song, "Solo bass")).to_have_attribute("aria-pressed", "true")


def test_the_focus_is_seen_wherever_it_is(song: Page) -> None:
    reached = []
    for _ in range(12):
        song.keyboard.press("Tab")
        reached.append(song.evaluate("document.activeElement.id"))
        focus = song.locator(":focus-visible")
        expect(focus).to_have_css("outline-style", re.compile("solid|auto"))
    assert {"play", "seek"} <= set(reached)


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
