"""The submissions of a repository, read from its tags."""

from dataclasses import dataclass

from submitting.challenges import TAG_PREFIX
from submitting.git import Repository
from submitting.tag_message import TagMessage, read_message


@dataclass(frozen=True)
class Submitted:
    """A tag.

    Attributes:
        tag: Its name.
        commit: That it is on.
        date: When it was made, in ISO 8601.
        message: What it carries.
    """

    tag: str
    commit: str
    date: str
    message: TagMessage


def submissions_of(repository: Repository) -> list[Submitted]:
    """List the submissions that a repository knows, the first one first.

    Raises:
        GitError: git failed.
    """
    fields = ("refname:strip=2", "objectname", "*objectname", "creatordate:iso-strict", "contents")
    listed = repository.text(
        "for-each-ref",
        "--sort=creatordate",
        "--format=" + "%00".join(f"%({field})" for field in fields) + "%00%00",
        f"refs/tags/{TAG_PREFIX}*",
    )
    found = []
    for row in listed.split("\0\0\n"):
        if row:
            name, own, commit, date, text = row.split("\0")
            found.append(Submitted(name, commit or own, date, read_message(text)))
    return found
