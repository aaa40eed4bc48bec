"""The `demix` commands `submit` and `submissions`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from my_submission.cli.batch import error_console
from my_submission.cli.options import NameOption
from my_submission.display import shown
from my_submission.errors import DemixError
from submitting.challenges import CHALLENGES, ChallengeName, challenge_of
from submitting.checks import Check
from submitting.git import Repository
from submitting.submission import Submission, read_settings, slug
from submitting.submissions import Submitted, submissions_of

COLOURS = {"ok": "green", "warning": "yellow", "to do": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(submit)
    app.command()(submissions)


def submit(
    description: Annotated[
        str,
        typer.Argument(
            metavar="DESCRIPTION", help="What this submission is; the tag is named after it."
        ),
    ],
    name: NameOption,
    remote: Annotated[
        str,
        typer.Option(
            metavar="REMOTE", help="git's name of your project on the challenge's GitLab."
        ),
    ] = "aicrowd",
    challenge: Annotated[
        ChallengeName | None,
        typer.Option(
            help="Of 2021 or of 2023.", show_default="what aicrowd.json names, else mdx21"
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Folder that demix evaluate has written; the tag tells its score.",
            show_default="separated/SYSTEM, or data/results/SYSTEM",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do all but the push; nothing is changed.")
    ] = False,
) -> None:
    """Check, rehearse and push the submission that is checked out here, as a tag to evaluate.

    All checks come first and change nothing. Then a fresh clone of what would be pushed separates
    a short song, in a fresh environment and without a network. Only then Git LFS's files, the
    branch and the tag are pushed. Run it again after whatever went wrong.
    """
    # Late: networks' libraries take seconds to import.
    from my_submission.systems import find_system
    from submitting.submit import submit as submit_it
    from submitting.submit import was_submitted

    find_system(name)
    slug(description)
    repository = Repository.containing(Path.cwd())
    repository.head()
    kind = challenge or _named_challenge(repository)
    submission = Submission(repository, CHALLENGES[kind], name, remote, description)
    out, errors = Console(soft_wrap=True, highlight=False), error_console()

    def show(check: Check) -> None:
        text = f"{check.status:7}  {shown(check.name)}: {shown(check.text)}"
        out.print(text, style=COLOURS[check.status], markup=False)

    def say(line: str) -> None:
        errors.print(shown(line), markup=False, highlight=False)

    if was_submitted(submission, dry_run=dry_run):
        typer.echo(f"{submission.tag} is on {remote} at this commit already: nothing to do")
        return
    message = submit_it(submission, dry_run=dry_run, run=run, show=show, say=say)
    if dry_run:
        typer.echo(f"\n{submission.tag} would be:\n\n{message}\nnothing was pushed: --dry-run")
    else:
        typer.echo(f"submitted: {submission.tag} is on {remote}, and is evaluated there")


def _named_challenge(repository: Repository) -> ChallengeName:
    try:
        return challenge_of(read_settings(repository)) or "mdx21"
    except DemixError:
        return "mdx21"  # one of the checks says what is wrong with the file


def submissions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the submissions that this repository knows by their tags, and what they carry.

    `git fetch REMOTE --tags` makes known what was submitted from elsewhere.
    """
    found = submissions_of(Repository.containing(Path.cwd()))
    if as_json:
        typer.echo(json.dumps([asdict(submitted) for submitted in found], indent=2))
        return
    if not found:
        typer.echo("no submissions: demix submit DESCRIPTION -n SYSTEM makes one")
    for submitted in found:
        _print(submitted)


def _print(submitted: Submitted) -> None:
    message = submitted.message
    typer.echo(f"{submitted.tag}  {submitted.date[:16].replace('T', ' ')}  {submitted.commit[:7]}")
    typer.echo(f"  {shown(message.description)}")
    by = " for ".join(filter(None, (message.system, message.challenge)))
    weights = ", ".join(f"{file} {digest[:12]}" for file, digest in message.weights.items())
    versions = ", ".join(f"{name} {version}" for name, version in message.versions.items())
    for key, value in (
        ("system", by),
        ("score", message.score),
        ("timing", message.timing),
        ("rehearsal", message.rehearsal),
        ("weights", weights),
        ("versions", versions),
    ):
        if value:
            typer.echo(f"  {key}: {shown(value)}")
