"""What may come of a file: sound, or one line that says why not."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from my_submission.errors import DemixError

MEMORY_MB = 1000
"""What a file of some kilobytes may take beyond what was taken before."""


class BrokenPromiseError(Exception):
    """Something else came than sound or a `DemixError` of one line."""


def outcome(check: Callable[[Path], None], path: Path) -> str | None:
    """Look what comes of a file.

    Args:
        check: Reads or runs it.
        path: The file.

    Returns:
        The line by which it was refused; None if it was taken.

    Raises:
        BrokenPromiseError: Another exception came, or more lines, or files stayed open, or far too
            much memory was taken.
    """
    descriptors, peak_mb = open_descriptors(), peak_memory_mb()
    line = None
    try:
        check(path)
    except DemixError as error:
        line = str(error)
        if not line.isprintable() or not line:
            raise BrokenPromiseError(f"not one line: {line!r}") from error
    except Exception as error:
        raise BrokenPromiseError(f"{type(error).__name__}: {error}") from error
    if (left := open_descriptors()) > descriptors:
        raise BrokenPromiseError(f"{left - descriptors} files stayed open; {line}")
    if (taken_mb := peak_memory_mb() - peak_mb) > MEMORY_MB:
        raise BrokenPromiseError(f"it took {taken_mb:.0f} MB of memory; {line}")
    return line


def open_descriptors() -> int:
    """Count the open files of this process; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0  # noqa: PTH208


def peak_memory_mb() -> float:
    """Give the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
