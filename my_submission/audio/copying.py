"""Copies of files that have holes."""

import os
import shutil
from pathlib import Path

BLOCK_BYTES = 1 << 20


def copy_with_holes(source: Path, destination: Path) -> None:
    """Copy a file's content; what it skips takes no time, and no space in the copy either.

    Args:
        source: The file.
        destination: Is there already, and empty.

    Raises:
        OSError: One of them cannot be read or written.
    """
    if not hasattr(os, "SEEK_DATA"):  # the system knows no holes
        shutil.copyfile(source, destination)
        return
    with source.open("rb", buffering=0) as read, destination.open("r+b", buffering=0) as written:
        size = os.fstat(read.fileno()).st_size
        stop = 0
        while stop < size:
            try:
                start = os.lseek(read.fileno(), stop, os.SEEK_DATA)
            except OSError:  # nothing but a hole follows
                break
            stop = os.lseek(read.fileno(), start, os.SEEK_HOLE)
            while start < stop:
                block = os.pread(read.fileno(), min(BLOCK_BYTES, stop - start), start)
                start += os.pwrite(written.fileno(), block, start)
        written.truncate(size)
