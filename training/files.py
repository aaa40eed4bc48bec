"""Files that appear whole under their names, or not at all, and are on the disk when they do."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from my_submission.audio.atomic import OutputFiles, file_error
from my_submission.errors import DemixError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written, which replaces an older one of its name when that is done.

    It is brought to the disk before: a machine that loses its power leaves the older or the newer
    one. That takes a moment, and what is trained has taken hours.

    Raises:
        DemixError: It cannot be written; the older one is still there.
    """
    files = OutputFiles({"file": path})
    try:
        temporary = files.create()["file"]
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise file_error(path, error) from error
        files.commit()
    finally:
        files.discard()
    _sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as `whole_file` does.

    Raises:
        DemixError: It cannot be written.
    """
    with whole_file(path) as file:
        file.write(content)


def require_writable(path: Path) -> None:
    """Refuse a destination that cannot be one, before what is to be written there is computed.

    Raises:
        DemixError: Its folder is missing, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise DemixError(f"{path}: there is no folder {path.parent}: make it, or choose another")
    if path.is_dir():
        raise DemixError(f"{path}: is a folder; name a file in it")


def _sync_folder(folder: Path) -> None:
    """Bring a new name to the disk."""
    if sys.platform == "win32":  # opens no folders
        return
    with contextlib.suppress(OSError):  # some network file systems cannot; the file is there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
