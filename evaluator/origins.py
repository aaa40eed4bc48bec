"""How the stems of several songs were made, put together: they may be of several calls.

An origin is what `run_description` gives: each song's ``scores.json`` holds that of the call that
has separated it. It may have passed through other hands, so nothing is taken for granted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evaluator.aggregation import counted

Origin = Mapping[str, Any]

NOT_KNOWN = "not known"

HASH = "SHA-256 of "
"""Begins the label of a weights file's hash."""


def facts(origin: Origin) -> dict[str, str]:
    """Give what is known of an origin, by labels for people; the date is left out."""
    sections = (_section(origin, key) for key in ("machine", "packages", "weights"))
    machine, packages, weights = sections
    memory, limit = machine.get("memory_gb"), origin.get("deadline_seconds")
    found = {
        "System": origin.get("system"),
        "demix": origin.get("demix"),
        "Processor": machine.get("processor"),
        "Cores": machine.get("cores"),
        "Memory": None if memory is None else f"{memory} GB",
        "Operating system": machine.get("system"),
        "Device": origin.get("device"),
        "Precision": origin.get("precision"),
        "Networks run by": origin.get("compute"),
        "Time limit": None if limit is None else f"{limit} s per song",
        "Packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        **{f"{HASH}{file}": digest for file, digest in weights.items()},
    }
    return {label: str(value) for label, value in found.items() if value not in (None, "")}


def union(origins: Sequence[Origin | None]) -> dict[str, dict[str, int]]:
    """Give all that is known of songs' origins: by label, each value with its number of songs.

    Args:
        origins: of each song; None, where it is not known, is left out.
    """
    known = [facts(origin) for origin in origins if origin is not None]
    labels = dict.fromkeys(label for found in known for label in found)
    return {label: Counter(found.get(label, NOT_KNOWN) for found in known) for label in labels}


def told(values: Mapping[str, int]) -> str:
    """Say what one of the values of `union` is, or what they are and of how many songs."""
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(f"{value} ({counted(count, count)})" for value, count in values.items())


def remarks(origins: Sequence[Origin | None]) -> list[str]:
    """Say, in lines, what of the songs' origins is not known and what differs."""
    unknown = sum(origin is None for origin in origins)
    lines = []
    if unknown:
        songs = counted(unknown, len(origins))
        lines.append(f"How the stems of {songs} were made is not known: no file tells.")
    lines += [
        f"Not the same for all songs: {label}: {told(values)}."
        for label, values in union(origins).items()
        if len(values) > 1
    ]
    return lines


def dates(origins: Sequence[Origin | None]) -> str:
    """Give the day and time of the calls, first and last; empty where none is known."""
    found = [date.replace("T", " ") for date in values_of(origins, "date")]
    return " to ".join(dict.fromkeys((found[0], found[-1]))) if found else ""


def values_of(origins: Sequence[Origin | None], key: str) -> list[str]:
    """Give an entry of several origins, each value once, sorted; what is not known is left out."""
    return sorted({str(origin[key]) for origin in origins if origin and origin.get(key)})


def _section(origin: Origin, name: str) -> Mapping[str, Any]:
    found = origin.get(name)
    return found if isinstance(found, dict) else {}
