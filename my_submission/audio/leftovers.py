"""Temporary files, of which a killed run's can be told from a living run's.

A run that is killed by SIGKILL, or by the system for want of memory, cannot remove what it was
writing. So each temporary file is locked while it is written, and the kernel lets go of the lock
when the process ends, however it ends.
"""

import contextlib
import os
import secrets
import sys
from pathlib import Path

PREFIX, SUFFIX = ".demix-", ".part"

_own: set[Path] = set()
"""What this process writes; where locks are of processes (NFS), they do not keep their own out."""

if sys.platform == "win32":  # has no such locks, and renames no open file

    def _lock(_descriptor: int, *, wait: bool) -> bool:  # noqa: ARG001
        return False
else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool) -> bool:
        """Lock a file; tell whether it is, since another run may have it, or nobody can."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use, or of a file system without locks
            return False
        return True


class TemporaryFile:
    """A file under a name of its own, locked from `create` to `release`.

    Args:
        folder: where it will lie.

    Attributes:
        path: its name. Short, because a long destination has no room for a suffix.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        self._descriptor: int | None = None

    def create(self) -> None:
        """Make the file, empty.

        Raises:
            OSError: the folder is missing or cannot be written.
        """
        _own.add(self.path)
        # Before it is locked, another run may take it for a leftover: then once more.
        while self._descriptor is None:
            self.path.touch(exist_ok=False)
            with contextlib.suppress(FileNotFoundError):
                self._descriptor = os.open(self.path, os.O_RDWR)
                if not _lock(self._descriptor, wait=True):
                    self._close()
                    return
                if not self.path.exists():
                    self._close()

    def release(self) -> None:
        """Let go of the lock; the file has been renamed or removed."""
        _own.discard(self.path)
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of runs that were killed, from one folder.

    Those of living runs stay, and so do all where the file system has no locks to tell.

    Args:
        folder: where stems are to be written; it need not exist.
    """
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        if path in _own:
            continue
        # It may be renamed or removed at any moment, or be somebody else's.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor, wait=False):
                    path.unlink()
            finally:
                os.close(descriptor)
