"""The keys of a song's player, which `assets/player.js` acts on, as its page tells them."""

from evaluator.report_page.html import facts

KEYS = (
    ("Space", "play, pause"),
    ("← →", "5 seconds back, on"),
    ("Home, End", "to the start, the end"),
)
"""Where the focus is in the player."""

LETTERS = (
    ("K", "play, pause"),
    ("1 2 3 4", "solo bass, drums, other, vocals"),
    ("0", "solo the mixture"),
    ("Shift + 1 … 4", "mute"),
    ("Q W E R", "estimate or reference of bass, drums, other, vocals"),
    ("A", "all estimates, all references"),
    ("N, P", "next, previous song"),
)
"""Anywhere on the page, unless they are switched off."""


def keys() -> str:
    """Give the list of keys in HTML, which can be opened, with the switch for letters."""
    return f"""<details class="keys"><summary>Keys</summary>
<p>With the focus in the player:</p>
{facts(KEYS)}
<p><label><input type="checkbox" id="letters" checked> Letters and digits, anywhere on the page:
</label></p>
{facts(LETTERS)}</details>"""
