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


def outgoing_blobs(repository: Repository, there: Iterable[str]) -> list[Blob]:
    """List what a push of the commit that is checked out would send, history included.

    Contents that lie under several names come once.

    Args:
        repository: Of the commit.
        there: Hashes of what the remote has; those that are unknown here do not matter.

    Raises:
        GitError: git failed.
    """
    named = "".join(f"{digest}\n" for digest in there)
    rows = repository.text("cat-file", "--batch-check=%(objectname)", given=named) if named else ""
    known = [row for row in rows.splitlines() if " " not in row]  # "HASH missing" else
    wanted = "".join(f"{digest}\n" for digest in ("HEAD", *(f"^{digest}" for digest in known)))
    listed = repository.text("rev-list", "--objects", "--stdin", given=wanted)
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


def pointers_of(repository: Repository, blobs: Iterable[Blob]) -> list[tuple[Blob, Pointer]]:
    """Give those blobs that are pointers of Git LFS.

    Raises:
        GitError: git failed.
    """
    small = [blob for blob in blobs if 0 < blob.size < LARGEST_POINTER]
    return [
        (blob, pointer)
        for blob, contents in contents_of(repository, small)
        if (pointer := read_pointer(contents))
    ]


def lfs_objects(repository: Repository) -> Path:
    """Give the folder in which Git LFS keeps the contents of files on this machine.

    Raises:
        GitError: Git LFS is not installed.
    """
    lines = repository.text("lfs", "env").splitlines()
    named = [line.partition("=")[2] for line in lines if line.startswith("LocalMediaDir=")]
    return repository.root / named[0] if named else repository.root / ".git" / "lfs" / "objects"


def is_in(folder: Path, pointer: Pointer) -> bool:
    """Tell whether Git LFS has the contents of a file in its folder here."""
    digest = pointer.sha256
    return (folder / digest[:2] / digest[2:4] / digest).is_file()
