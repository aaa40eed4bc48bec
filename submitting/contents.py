"""What a commit holds, and what pushing it would send."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from submitting.git import Repository

SYMBOLIC_LINK, SUBMODULE = "120000", "160000"
"""Modes of what has a name in a commit and no contents of its own."""

LARGEST_POINTER = 1024
"""Bytes below which a file may be a pointer of Git LFS."""

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d+)"
)
_BATCH_BYTES = 32_000_000
"""Of contents that are read by one call."""


@dataclass(frozen=True)
class Pointer:
    """What Git LFS has in the place of a file: the file's SHA-256 and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class TrackedFile:
    """A name in a commit.

    Attributes:
        path: From the top folder, with slashes.
        mode: git's.
        digest: Of its blob.
        blob_size: Bytes in git itself; 0 for a submodule.
        pointer: Where the contents are in Git LFS.
    """

    path: str
    mode: str
    digest: str
    blob_size: int
    pointer: Pointer | None

    @property
    def size(self) -> int:
        """Bytes of the file as it is checked out."""
        return self.blob_size if self.pointer is None else self.pointer.size


@dataclass(frozen=True)
class Blob:
    """Contents that a push would send; one name is known."""

    digest: str
    path: str
    size: int


def tracked_files(repository: Repository) -> list[TrackedFile]:
    """List the files of the commit that is checked out.

    Raises:
        GitError: git failed.
    """
    rows: list[tuple[str, str, str, int]] = []
    for entry in repository.text("ls-tree", "-r", "-l", "-z", "--full-tree", "HEAD").split("\0"):
        if entry:
            about, _, path = entry.partition("\t")
            mode, _, digest, size = about.split()
            rows.append((path, mode, digest, 0 if size == "-" else int(size)))
    small = {
        digest: size
        for _, mode, digest, size in rows
        if mode != SUBMODULE and size < LARGEST_POINTER
    }
    pointers = {
        digest: pointer
        for digest, contents in _contents(repository, small.items())
        if (pointer := read_pointer(contents))
    }
    return [
        TrackedFile(path, mode, digest, size, pointers.get(digest))
        for path, mode, digest, size in rows
    ]


def read_pointer(contents: bytes) -> Pointer | None:
    """Read a pointer of Git LFS; None where it is none."""
    found = _POINTER.match(contents)
    return Pointer(found[1].decode(), int(found[2])) if found else None


def outgoing_blobs(repository: Repository, remote: str) -> list[Blob]:
    """List what a push of the commit that is checked out would send, history included.

    What the remote had when it was last asked counts as sent. Contents that lie under several
    names come once.

    Raises:
        GitError: git failed.
    """
    listed = repository.text("rev-list", "--objects", "HEAD", "--not", f"--remotes={remote}")
    if not listed:
        return []
    rows = repository.text(
        "cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)", given=listed
    )
    blobs = []
    for row in rows.splitlines():
        kind, digest, size, *path = row.split(" ", 3)
        if kind == "blob":
            blobs.append(Blob(digest, path[0] if path else digest, int(size)))
    return blobs


def contents_of(repository: Repository, blobs: Iterable[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """Read blobs, a few at a time.

    Raises:
        GitError: git failed.
    """
    by_digest = {blob.digest: blob for blob in blobs}
    sizes = [(blob.digest, blob.size) for blob in by_digest.values()]
    for digest, contents in _contents(repository, sizes):
        yield by_digest[digest], contents


def _contents(
    repository: Repository, sizes: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, bytes]]:
    batch: list[str] = []
    total = 0
    for digest, size in sizes:
        batch.append(digest)
        total += size
        if total > _BATCH_BYTES:
            yield from _read(repository, batch)
            batch, total = [], 0
    yield from _read(repository, batch)


def _read(repository: Repository, digests: list[str]) -> Iterator[tuple[str, bytes]]:
    if not digests:
        return
    given = "".join(f"{digest}\n" for digest in digests).encode()
    out = repository.bytes_of("cat-file", "--batch", given=given)
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        digest, _, size = out[at:end].decode().split()
        begin = end + 1
        yield digest, out[begin : begin + int(size)]
        at = begin + int(size) + 1


def lfs_object(repository: Repository, pointer: Pointer) -> Path:
    """Give where Git LFS keeps the contents of a file on this machine, if it has them.

    Raises:
        GitError: git failed.
    """
    folder = Path(repository.line("rev-parse", "--path-format=absolute", "--git-common-dir"))
    digest = pointer.sha256
    return folder / "lfs" / "objects" / digest[:2] / digest[2:4] / digest
