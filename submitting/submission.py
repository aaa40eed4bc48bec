"""What is to be submitted, and what the checks have in common."""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from my_submission.errors import DemixError
from my_submission.weights import FileStatus, verify
from submitting.challenges import TAG_PREFIX, Challenge
from submitting.contents import (
    Blob,
    Pointer,
    TrackedFile,
    outgoing_blobs,
    pointers_of,
    tracked_files,
)
from submitting.git import GitError, Repository

SETTINGS = "aicrowd.json"


@dataclass(frozen=True)
class Submission:
    """A submission, before and while it is checked; nothing of it changes meanwhile.

    Attributes:
        repository: What is pushed.
        challenge: To which it goes.
        system: What is to be evaluated.
        remote: The name of the project on the challenge's GitLab.
        description: What the participant calls it.
    """

    repository: Repository
    challenge: Challenge
    system: str
    remote: str
    description: str

    @property
    def tag(self) -> str:
        """The name of the tag."""
        return f"{TAG_PREFIX}{slug(self.description)}"

    @property
    def models(self) -> Path:
        """The folder of weights that is pushed."""
        return self.repository.root / "models"

    @property
    def manifest(self) -> Path:
        """The list of weights that is pushed."""
        return self.models / "manifest.toml"

    @cached_property
    def head(self) -> str:
        """The commit."""
        return self.repository.head()

    @cached_property
    def files(self) -> list[TrackedFile]:
        """The commit's files."""
        return tracked_files(self.repository)

    @cached_property
    def paths(self) -> dict[str, TrackedFile]:
        """The commit's files by path."""
        return {file.path: file for file in self.files}

    @cached_property
    def outgoing(self) -> list[Blob]:
        """What a push sends; everything where the remote cannot be asked what it has."""
        try:
            there = self.remote_refs
        except GitError:
            there = {}
        return outgoing_blobs(self.repository, there.values())

    @cached_property
    def outgoing_pointers(self) -> list[tuple[Blob, Pointer]]:
        """What a push sends of Git LFS, earlier commits included."""
        return pointers_of(self.repository, self.outgoing)

    @cached_property
    def weights(self) -> list[FileStatus]:
        """How the system's files in the folder of weights compare with the list."""
        return verify(self.system, self.models, manifest=self.manifest)

    @cached_property
    def remote_refs(self) -> dict[str, str]:
        """The remote's branches and tags, by full name."""
        return self.repository.refs_of(self.remote)

    @cached_property
    def settings(self) -> dict[str, object]:
        """The contents of ``aicrowd.json``."""
        return read_settings(self.repository)

    @property
    def wants_gpu(self) -> bool:
        """Whether it asks the challenge for a GPU."""
        return self.settings.get("gpu") is True


def slug(description: str) -> str:
    """Give the part of the tag's name that stands for a description.

    It is of ASCII's small letters and digits, with single hyphens between.

    Raises:
        DemixError: Nothing of it can be part of a name.
    """
    ascii_only = unicodedata.normalize("NFKD", description).encode("ascii", "ignore").decode()
    name = re.sub("[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
    if not name:
        raise DemixError(
            f"the description {description!r} has no letters or digits of ASCII to make a tag of: "
            "give one such as 'first try'"
        )
    return name[:100].strip("-")


def read_settings(repository: Repository) -> dict[str, object]:
    """Read ``aicrowd.json``.

    Raises:
        DemixError: It is missing, or holds no JSON object.
    """
    path = repository.root / SETTINGS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DemixError(f"there is no {SETTINGS}: docs/submitting.md shows one") from error
    except (OSError, ValueError) as error:
        raise DemixError(f"{SETTINGS} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise DemixError(f"{SETTINGS} holds no object: docs/submitting.md shows one")
    return document
