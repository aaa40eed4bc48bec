"""Pieces of HTML that both kinds of page are made of. What comes from outside is escaped here."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from evaluator.errors import one_line

LONG, WIDE = 36, ' class="wide"'
"""Facts with more characters than these take the whole width."""

DASH = "–"
"""Stands for a value that is not known."""


def text(value: object) -> str:
    """Escape text for an element's content or a quoted attribute.

    What cannot be printed, as bytes in a path that are not Unicode, is shown by its code.
    """
    return escape(one_line(str(value)), quote=True)


def title(name: str) -> str:
    """Escape a song's name, with places where a narrow column may break it."""
    return text(name).replace("_", "_<wbr>")


def decibels(value: float | None, *, sign: bool = False) -> str:
    """Show a score with two decimals and a true minus; a dash where it is not known."""
    if value is None:
        return DASH
    return f"{value:{'+' if sign else ''}.2f}".replace("-", "−")


def clock(seconds: float) -> str:
    """Show a time as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def data(identity: str, document: Mapping[str, Any]) -> str:
    """Give a page's script its data; `<` is escaped, so that no name can end the element."""
    content = json.dumps(document).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identity}">{content}</script>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Lay out names and values; those without a value are left out."""
    rows = "\n".join(
        f"<div{WIDE if len(str(value)) > LONG else ''}><dt>{text(name)}</dt>"
        f"<dd>{text(value)}</dd></div>"
        for name, value in pairs
        if value not in (None, "")
    )
    return f'<dl class="facts">\n{rows}\n</dl>' if rows else ""


def page(*, name: str, body: str, assets: str, scripts: Sequence[str]) -> str:
    """Make a whole page.

    Args:
        name: of the page, not escaped yet.
        body: HTML.
        assets: relative address of the assets' folder.
        scripts: files in that folder.
    """
    loaded = "\n".join(f'<script src="{assets}/{name}" defer></script>' for name in scripts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="demix report">
<title>{text(name)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{assets}/report.css">
{loaded}
</head>
<body>
{body}
</body>
</html>
"""
