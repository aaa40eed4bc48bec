"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file, which takes the file's place on a clean exit.

    Args:
        path: the file; its folder must exist.

    Yields:
        The name to write. On any exception the file stays as it was and nothing else is left.
    """
    # Not `with_name`, which refuses "." with an error of its own.
    temporary = path.parent / f".{path.stem}.{os.getpid()}.partial{path.suffix}"
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside a folder, which takes its place on a clean exit.

    Args:
        path: the folder, which may be there; its parent must be.

    Yields:
        The folder to write into. On any exception the other one stays as it was and nothing else
        is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    former = path.with_name(f".{path.name}.{os.getpid()}.former")
    temporary.mkdir()
    try:
        yield temporary
        # No name can be taken over by a folder in one step: for a moment there is none.
        if path.exists():
            path.replace(former)
        try:
            temporary.replace(path)
        except OSError:
            if former.exists():
                former.replace(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():  # or the former one is all that there is
            shutil.rmtree(former, ignore_errors=True)
