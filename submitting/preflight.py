"""All checks before a submission, in the order in which they are shown: the quick ones first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from my_submission.errors import DemixError
from submitting import checks_files, checks_image, checks_repository, checks_settings
from submitting.checks import Check, to_do
from submitting.checks_secrets import secrets
from submitting.submission import Submission
from submitting.timing import NAME as TIMING
from submitting.timing import Timing, timing

QUICK: dict[str, Callable[[Submission], Check]] = {
    "working tree": checks_repository.working_tree,
    "git's author": checks_repository.author,
    "remote": checks_repository.remote,
    "tag": checks_repository.tag,
    "entry points": checks_settings.entry_points,
    "system": checks_settings.system,
    "aicrowd.json": checks_settings.settings,
    "weights": checks_files.system_weights,
    "Git LFS": checks_files.large_file_storage,
    "size": checks_files.size,
    "large files": checks_files.unrelated_files,
    "secrets": secrets,
    "apt.txt": checks_image.apt,
}
"""Checks that take seconds at most."""


@dataclass
class Preflight:
    """The checks, which change nothing in the repository.

    Args:
        submission: What is to be checked.
        say: Gets a line before what takes long.
    """

    submission: Submission
    say: Callable[[str], None]
    timing_summary: str = ""
    """What was measured; there after the checks."""

    def checks(self) -> Iterator[Check]:
        """Perform one check after the other; none is left out because another one failed."""
        for name, check in QUICK.items():
            yield _performed(name, partial(check, self.submission))
        yield _performed(
            checks_image.REQUIREMENTS, lambda: checks_image.requirements(self.submission, self.say)
        )
        yield self._timing()

    def _timing(self) -> Check:
        def measured() -> Check:
            found: Timing = timing(self.submission, self.say)
            self.timing_summary = found.summary
            return found.check

        if not _are_weights_good(self.submission):
            return to_do(TIMING, "not measured without weights")
        self.say("timing: loading and measuring the networks, as demix timing does")
        return _performed(TIMING, measured)


def _performed(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except DemixError as error:
        return to_do(name, str(error))


def _are_weights_good(submission: Submission) -> bool:
    """Tell whether the networks can be loaded, committed or not."""
    try:
        return all(status.state == "ok" for status in submission.weights)
    except DemixError:
        return False
