"""What a check says, in one line."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "to do"]


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: What was looked at.
        status: ``to do`` is what a submission is refused for.
        text: What was found; where it is not ok, what to do.
    """

    name: str
    status: Status
    text: str


def ok(name: str, text: str) -> Check:
    """Say that all is well."""
    return Check(name, "ok", text)


def warning(name: str, text: str) -> Check:
    """Say what may not be meant."""
    return Check(name, "warning", text)


def to_do(name: str, text: str) -> Check:
    """Say what stands in the way of a submission."""
    return Check(name, "to do", text)


def worst(name: str, problems: list[Check], fine: str) -> Check:
    """Make one check of several findings about one thing.

    Args:
        name: What was looked at.
        problems: All that is not ok.
        fine: What to say where there are none.
    """
    if not problems:
        return ok(name, fine)
    texts = "; ".join(problem.text for problem in problems)
    is_refused = any(problem.status == "to do" for problem in problems)
    return Check(name, "to do" if is_refused else "warning", texts)


def number(count: int, what: str) -> str:
    """Say how many there are of what is counted, such as ``1 file`` or ``2 files``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def some(names: list[str], most: int = 3) -> str:
    """Give the first of some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
