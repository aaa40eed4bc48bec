"""Where scratch files lie, and whether there is room for them."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from my_submission.display import shown
from my_submission.errors import DemixError

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems whose files take up memory, which scratch files are to spare."""

DISK_FOR_TEMPORARY_FILES = "/var/tmp"
"""Where Unix systems keep large temporary files (Filesystem Hierarchy Standard, section 5.15)."""


def scratch_folder() -> Path:
    """Give the folder for scratch files.

    It is the one that ``TMPDIR`` names, else the system's for temporary files; where that is kept
    in memory, as ``/tmp`` often is, ``/var/tmp``, unless that is not better.

    Raises:
        DemixError: There is no folder for temporary files, or ``TMPDIR`` names none.
    """
    named = os.environ.get("TMPDIR")
    if named:
        if not is_writable(named):
            raise DemixError(f"TMPDIR is {shown(named)}: name a folder that can be written")
        return Path(named)
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        raise DemixError(
            "no folder for scratch files can be written; set TMPDIR to one that can"
        ) from error
    other = DISK_FOR_TEMPORARY_FILES
    if lies_in_memory(folder) and is_writable(other) and not lies_in_memory(other):
        return Path(other)
    return Path(folder)


def is_writable(folder: str) -> bool:
    """Tell whether files can be made in a folder."""
    return Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


def lies_in_memory(folder: str) -> bool:
    """Tell whether a folder's files take up memory instead of disk."""
    path = Path(folder).resolve()
    mounts = [(Path(mount.mountpoint), mount.fstype) for mount in psutil.disk_partitions(all=True)]
    around = [(len(point.parts), kind) for point, kind in mounts if path.is_relative_to(point)]
    # Of mounts on top of one another, the last one listed is the one that is seen.
    _, kind = max(reversed(around), key=lambda mount: mount[0], default=(0, ""))
    return kind in IN_MEMORY


def require_scratch_space(num_bytes: int) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        num_bytes: What all scratch files of a song will take up.

    Raises:
        DemixError: The folder for scratch files has less space, or there is no such folder.
    """
    folder = scratch_folder()
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DemixError(
            f"{shown(folder)}: no folder for scratch files ({error.strerror}); "
            "set TMPDIR to one that can be written"
        ) from error
    if free < num_bytes:
        raise DemixError(
            f"{shown(folder)}: {num_bytes / 1e9:.1f} GB are needed for this song's scratch files "
            f"and {free / 1e9:.1f} GB are free; free some, or set TMPDIR to a folder with more"
        )
