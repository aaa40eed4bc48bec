"""Folders that one process at a time works in."""

import fcntl
from pathlib import Path
from typing import IO

LOCK = ".lock"
"""The file in the folder; it stays, because another process may be about to lock it."""


def lock(folder: Path, *, wait: bool) -> IO[str]:
    """Keep other processes out of a folder that ask by this too; make it where it is missing.

    Args:
        folder: Which.
        wait: Whether to wait until another process lets go of it.

    Returns:
        An open file. Closing it lets go of the folder, as the kernel does when the process ends.

    Raises:
        BlockingIOError: Another process has it.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("a")
    try:
        # Not flock, which loaders' workers, forked, would hold on to when their parent is killed.
        fcntl.lockf(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file
