"""git and git-lfs as programs: thin, typed, and one line where they fail."""

import os
import re
import subprocess
from pathlib import Path

from my_submission.errors import DemixError

_UNWANTED = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    "GIT_LFS_SKIP_SMUDGE",
)
"""What would turn our calls to another repository, and what would leave out Git LFS's files."""

_HINTS = ("hint:", "Done", "To ", "warning:")
"""Lines of git that do not say what went wrong."""


class GitError(DemixError):
    """A call of git that failed.

    Args:
        command: What was called, without options.
        output: All that it printed.
    """

    def __init__(self, command: str, output: str) -> None:
        self.output = output
        super().__init__(f"git {command}: {_reason(output)}")


def _reason(output: str) -> str:
    """Give the line that tells most: git's own complaint, else the last one."""
    without_passwords = re.sub(r"://[^/@\s]+@", "://", output)
    lines = [line.strip() for line in without_passwords.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_HINTS)]
    for beginning in ("fatal:", "error:"):
        for line in telling:
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
    return (telling or lines or ["it failed and did not say why"])[-1]


def git_environment() -> dict[str, str]:
    """Give the environment for git: English messages, and no lock to refresh the index."""
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    return {**environment, "LC_ALL": "C.UTF-8", "LANGUAGE": "", "GIT_OPTIONAL_LOCKS": "0"}


class Repository:
    """A git repository with a working tree.

    Args:
        root: Its top folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def containing(cls, folder: Path) -> "Repository":
        """Give the repository that a folder belongs to.

        Raises:
            DemixError: It belongs to none, or git is not installed.
        """
        try:
            root = cls(folder).line("rev-parse", "--show-toplevel")
        except GitError as error:
            raise DemixError(
                f"{folder} is in no git repository: go to the folder of your submission"
            ) from error
        return cls(Path(root))

    def bytes_of(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Run git and give its standard output.

        Args:
            arguments: Of git.
            given: For its standard input.

        Raises:
            GitError: It failed.
            DemixError: It is not installed.
        """
        try:
            done = subprocess.run(
                ["git", "-C", str(self.root), *arguments],
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                env=git_environment(),
                check=False,
            )
        except FileNotFoundError as error:
            raise DemixError("git is not installed: install git and git-lfs") from error
        if done.returncode:
            output = (done.stderr + b"\n" + done.stdout).decode(errors="replace")
            words = [word for word in arguments[:2] if re.fullmatch("[a-z][a-z-]*", word)]
            raise GitError(" ".join(words), output)
        return done.stdout

    def text(self, *arguments: str, given: str | None = None) -> str:
        """Run git and give its standard output as text; raises as `bytes_of` does."""
        data = None if given is None else given.encode(errors="surrogateescape")
        return self.bytes_of(*arguments, given=data).decode(errors="surrogateescape")

    def line(self, *arguments: str) -> str:
        """Run git and give its standard output without the line's end; raises as `bytes_of`."""
        return self.text(*arguments).strip()

    def head(self) -> str:
        """Give the hash of the commit that is checked out.

        Raises:
            DemixError: There is none yet.
        """
        try:
            return self.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except GitError as error:
            raise DemixError("nothing is committed yet: git add and git commit first") from error

    def branch(self) -> str | None:
        """Give the branch that is checked out; None where the head is detached."""
        try:
            return self.line("symbolic-ref", "--quiet", "--short", "HEAD")
        except GitError:
            return None

    def changes(self) -> list[str]:
        """Give the files that are not as they are committed, and those that are not ignored."""
        parts = iter(self.text("status", "--porcelain", "-z").split("\0"))
        files = []
        for part in parts:
            if part:
                files.append(part[3:])
                if "R" in part[:2]:
                    next(parts)  # the name before
        return files

    def remotes(self) -> list[str]:
        """Give the names of the remotes."""
        return self.text("remote").split()

    def tags(self, beginning: str) -> dict[str, str]:
        """Give the commits of this repository's tags, by name.

        Args:
            beginning: Of the names.
        """
        listed = self.text(
            "for-each-ref",
            "--format=%(refname:strip=2) %(objectname) %(*objectname)",
            f"refs/tags/{beginning}*",
        )
        rows = [line.split() for line in listed.splitlines()]
        return {row[0]: row[-1] for row in rows}

    def refs_of(self, remote: str) -> dict[str, str]:
        """Ask a remote, by the address to push to, for its branches and tags.

        Returns:
            Hash by full name; that of a tag is its commit's.

        Raises:
            GitError: It cannot be reached.
        """
        refs: dict[str, str] = {}
        address = self.push_address(remote)
        for line in self.text("ls-remote", "--heads", "--tags", "--", address).splitlines():
            digest, name = line.split("\t")
            refs[name.removesuffix("^{}")] = digest  # git lists a tag's commit after the tag
        return refs

    def push_address(self, remote: str) -> str:
        """Give where a push to a remote goes; a fetch may come from elsewhere."""
        return self.line("remote", "get-url", "--push", remote)

    def is_ancestor(self, earlier: str, later: str) -> bool:
        """Tell whether a commit, which may be missing here, is in the history of another."""
        try:
            self.text("merge-base", "--is-ancestor", earlier, later)
        except GitError:
            return False
        return True
