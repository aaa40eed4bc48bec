"""The README's picture of a report, taken in Chromium.

``python -m tests.report_screenshot RUN/report docs/report.png`` puts a song's page on a desk, in
light colours, beside the same page on a phone, in dark ones.
"""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import chromium

DESK, PHONE = (1280, 1190), (375, 900)
GAP = 40
WIDTH = 1240
COLORS = 256
"""Of the picture, which is to stay below 300 kB: chosen so that thin lines keep theirs."""


def take(browser: Browser, page: Path, size: tuple[int, int], scheme: str) -> Image.Image:
    """Play a song's vocals for a while and take what is seen."""
    window = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2,
    )
    window.goto(page.as_uri())
    window.locator("#seek").fill("3.5")
    window.get_by_role("button", name="Play", exact=True).click()
    window.wait_for_function("document.getElementById('seek').value > 4.2")
    if scheme == "dark":
        window.locator("[data-track=vocals]").evaluate("track => track.scrollIntoView()")
    window.wait_for_function(
        "[...document.images].every((image) => image.complete || image.getBoundingClientRect().top"
        " > innerHeight)"
    )
    window.wait_for_timeout(300)
    picture = Image.open(BytesIO(window.screenshot()))
    window.close()
    return picture.convert("RGB")


def main() -> None:
    """Take the picture."""
    report, target = map(Path, sys.argv[1:])
    page = (report / "songs" / "001.html").resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        desk, phone = take(browser, page, DESK, "light"), take(browser, page, PHONE, "dark")
        browser.close()
    whole = Image.new("RGB", (desk.width + 2 * GAP + phone.width, desk.height), "#d9dce1")
    whole.paste(desk, (0, 0))
    whole.paste(phone, (desk.width + GAP, (desk.height - phone.height) // 2))
    small = whole.resize(
        (WIDTH, round(WIDTH * whole.height / whole.width)), Image.Resampling.LANCZOS
    )
    palette = Image.Quantize.MAXCOVERAGE
    small.quantize(COLORS, palette, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
