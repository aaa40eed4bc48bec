"""Checks of the repository itself: what is committed, by whom, and where it goes."""

from submitting.challenges import TAG_PREFIX
from submitting.checks import Check, ok, some, to_do, warning
from submitting.git import GitError
from submitting.submission import Submission, slug


def working_tree(submission: Submission) -> Check:
    """Check that what is here is what is committed, on a branch."""
    name = "working tree"
    branch = submission.repository.branch()
    if branch is None:
        return to_do(
            name, "the head is detached: git switch -c BRANCH, so that there is a branch to push"
        )
    if submission.repository.line("rev-parse", "--is-shallow-repository") == "true":
        return to_do(
            name, "this is a shallow clone, of which the challenge needs all: git fetch --unshallow"
        )
    changes = submission.repository.changes()
    if changes:
        return to_do(
            name, f"not committed: {some(changes)}; git add and git commit, or git stash -u"
        )
    return ok(name, f"all committed, on {branch} at {submission.head[:7]}")


def author(submission: Submission) -> Check:
    """Check that git knows whose name a tag gets."""
    name = "git's author"
    try:
        identity = submission.repository.line("var", "GIT_COMMITTER_IDENT")
    except GitError:
        return to_do(
            name, "unknown: git config user.name 'Your Name'; git config user.email you@example.org"
        )
    return ok(name, identity.rsplit(" ", 2)[0])


def remote(submission: Submission) -> Check:
    """Check that the remote can be reached and will take the branch."""
    name, repository = "remote", submission.repository
    remotes = repository.remotes()
    if submission.remote not in remotes:
        have = f"there is {', '.join(remotes)}" if remotes else "there is none"
        return to_do(
            name,
            f"no remote {submission.remote} ({have}): git remote add {submission.remote} ADDRESS, "
            "that of your project on the challenge's GitLab, or give --remote",
        )
    try:
        refs = submission.remote_refs
    except GitError as error:
        return to_do(name, f"{submission.remote} cannot be reached ({error}): git remote -v")
    branch = repository.branch()
    there = refs.get(f"refs/heads/{branch}")
    if there is not None and not repository.is_ancestor(there, submission.head):
        return to_do(
            name,
            f"{submission.remote}'s {branch} has commits that yours lacks: "
            f"git pull --rebase {submission.remote} {branch}",
        )
    return ok(name, f"{submission.remote} answers, and {branch or 'a branch'} can be pushed there")


def tag(submission: Submission) -> Check:
    """Check that the tag's name is free, and the commit one that was not submitted before."""
    name, repository = "tag", submission.repository
    here = repository.tags(TAG_PREFIX)
    try:
        there = submitted_tags(submission)
    except GitError:
        there, note = {}, f", as far as is known here: {submission.remote} cannot be asked"
    else:
        note = ""
    if submission.tag in there or submission.tag in here:
        where = submission.remote if submission.tag in there else "this repository"
        free = free_description(submission, {*here, *there})
        return to_do(
            name,
            f"{submission.tag} is in {where} already, and a tag is never moved: describe this "
            f"submission otherwise, such as '{free}'",
        )
    same = [other for other, commit in there.items() if commit == submission.head]
    if same:
        return to_do(
            name,
            f"{submission.head[:7]} was submitted as {same[0]}: the challenge ignores another tag "
            "on it; commit what is to be evaluated",
        )
    text = f"{submission.tag} is free, and its commit new{note}"
    return warning(name, text) if note else ok(name, text)


def submitted_tags(submission: Submission) -> dict[str, str]:
    """Give the commits of the remote's submissions, by tag.

    Raises:
        GitError: The remote cannot be reached.
    """
    prefix = "refs/tags/"
    return {
        name.removeprefix(prefix): commit
        for name, commit in submission.remote_refs.items()
        if name.startswith(prefix + TAG_PREFIX)
    }


def free_description(submission: Submission, taken: set[str]) -> str:
    """Give a description like the submission's, of which the tag is free.

    Args:
        submission: Its tag is taken.
        taken: All tags.
    """
    number = 2
    while f"{TAG_PREFIX}{slug(f'{submission.description} {number}')}" in taken:
        number += 1
    return f"{submission.description} {number}"
