"""A submission from the first check to the pushed tag."""

from collections.abc import Callable
from pathlib import Path

from my_submission.errors import DemixError
from my_submission.weights import sha256_of, weight_files
from submitting.checks import Check
from submitting.checks_image import REQUIREMENTS
from submitting.checks_settings import configured_system
from submitting.environment import fresh_environment, installed_versions
from submitting.preflight import Preflight
from submitting.push import fetch_tag, is_submitted, push
from submitting.rehearsal import rehearse
from submitting.scores import local_score, run_folders
from submitting.submission import Submission
from submitting.tag_message import TagMessage, write_message

Show = Callable[[Check], None]
Say = Callable[[str], None]


def was_submitted(submission: Submission, *, dry_run: bool) -> bool:
    """Tell whether an earlier run has submitted just what is here, by this very tag.

    What a stop had kept that run from doing is done: the tag gets its name here too.

    Raises:
        GitError: The tag cannot be fetched.
    """
    try:
        found = is_submitted(submission) and not submission.repository.changes()
        found = found and configured_system(submission) == submission.system
    except DemixError:
        return False  # the checks say what is wrong
    if found and not dry_run:
        fetch_tag(submission)
    return found


def submit(submission: Submission, *, dry_run: bool, run: Path | None, show: Show, say: Say) -> str:
    """Check, rehearse and push a submission.

    Args:
        submission: What to submit.
        dry_run: Push nothing.
        run: A run of `demix evaluate` that tells the score; by default where it would lie.
        show: Gets each check's outcome.
        say: Gets a line before what takes long.

    Returns:
        The tag's message.

    Raises:
        DemixError: A check found something to do, or the remote did not take the push.
    """
    preflight = Preflight(submission, say)
    checks = []
    for check in preflight.checks():
        show(check)
        checks.append(check)
    _refuse(checks)
    requirements = submission.repository.root / REQUIREMENTS
    python = fresh_environment(requirements, say)
    rehearsal = rehearse(submission, python, say)
    show(rehearsal)
    _refuse([rehearsal])
    hashes = weight_hashes(submission)
    folders = run_folders(submission.repository.root, submission.system) if run is None else [run]
    message = write_message(
        TagMessage(
            description=submission.description,
            system=submission.system,
            challenge=submission.challenge.name,
            weights=hashes,
            versions=installed_versions(python, requirements.read_text(encoding="utf-8")),
            timing=preflight.timing_summary,
            rehearsal=rehearsal.text,
            score=local_score(folders, submission.system, hashes),
        )
    )
    branch = submission.repository.branch()
    if not dry_run and branch is not None:
        say(f"pushing {branch} and {submission.tag} to {submission.remote}")
        push(submission, branch, message)
    return message


def weight_hashes(submission: Submission) -> dict[str, str]:
    """Give the SHA-256 of each of the system's files, as they are listed in what is pushed.

    Raises:
        DemixError: One cannot be read.
    """
    folder = submission.models / submission.system
    listed = weight_files(submission.system, submission.manifest)
    return {weight.file: sha256_of(folder / weight.file) for weight in listed}


def _refuse(checks: list[Check]) -> None:
    failed = [check.name for check in checks if check.status == "to do"]
    if failed:
        raise DemixError(
            f"not submitted, and nothing changed: see to {', '.join(failed)}, and run the same "
            "command again"
        )
