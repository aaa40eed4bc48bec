"""What a check has found, as tests ask for it."""

from submitting.checks import Check
from submitting.environment import fresh_environment
from submitting.rehearsal import rehearse
from submitting.submission import Submission


def say(_line: str) -> None:
    """Say nothing."""


def refused(check: Check, *texts: str) -> None:
    """Have a submission be refused, for these reasons."""
    assert check.status == "to do", check
    _tells(check, texts)


def warned(check: Check, *texts: str) -> None:
    """Have a warning that says this."""
    assert check.status == "warning", check
    _tells(check, texts)


def fine(check: Check) -> None:
    """Have nothing to complain of."""
    assert check.status == "ok", check


def _tells(check: Check, texts: tuple[str, ...]) -> None:
    for text in texts:
        assert text in check.text


def perform(submission: Submission, lines: list[str]) -> Check:
    """Rehearse a submission."""
    requirements = submission.repository.root / "requirements.txt"
    return rehearse(submission, fresh_environment(requirements, lines.append), lines.append)
