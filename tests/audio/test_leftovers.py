"""Temporary files of killed runs go, and those of living runs stay."""

import contextlib
import errno
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from my_submission.audio import leftovers
from my_submission.audio.leftovers import TemporaryFile, remove_leftovers
from my_submission.audio.output import OutputFormat
from tests.audio.sound_files import open_descriptors
from tests.audio.test_output_faults import ENDLESS, write_all

SOUND = np.zeros((2, 100), np.float32)


@contextmanager
def writing(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program that writes two endless stems into ``folder / "out"``."""
    command = [sys.executable, "-c", ENDLESS, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*"))


def test_a_killed_runs_files_go_with_the_next_run(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        process.kill()
        process.wait()
    out = tmp_path / "out"
    assert len(hidden(out)) == 2
    write_all(out, SOUND, OutputFormat())
    assert hidden(out) == []


def test_a_living_runs_files_stay(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        theirs = hidden(tmp_path / "out")
        assert len(theirs) == 2
        write_all(tmp_path / "out", SOUND, OutputFormat())
        assert hidden(tmp_path / "out") == theirs
        process.send_signal(signal.SIGTERM)


def test_own_files_stay_where_locks_belong_to_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_lock", lambda descriptor, *, wait: True)
    own = TemporaryFile(tmp_path)
    own.create()
    remove_leftovers(tmp_path)
    assert hidden(tmp_path) == [own.path.name]
    own.release()
    remove_leftovers(tmp_path)
    assert hidden(tmp_path) == []


def test_without_locks_all_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    (tmp_path / ".demix-0.part").touch()
    write_all(tmp_path, SOUND, OutputFormat())
    assert hidden(tmp_path) == [".demix-0.part"]


def test_a_file_that_is_taken_for_a_leftover_before_its_lock_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = leftovers._lock
    taken: list[Path] = []

    def late(descriptor: int, *, wait: bool) -> bool:
        if wait and not taken:
            taken.extend(tmp_path.iterdir())
            leftovers._own.clear()  # another process's does not hold this file
            remove_leftovers(tmp_path)
        return lock(descriptor, wait=wait)

    monkeypatch.setattr(leftovers, "_lock", late)
    monkeypatch.setattr(leftovers, "_own", set())
    file = TemporaryFile(tmp_path)
    file.create()
    assert taken == [file.path]
    assert file.path.exists()
    file.release()


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / ".demix-notes").touch()
    (tmp_path / "song.part").touch()
    (tmp_path / "precious").touch()
    (tmp_path / ".demix-1.part").symlink_to(tmp_path / "precious")
    before = open_descriptors()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "none")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".demix-1.part", ".demix-notes", "precious", "song.part"]
    assert open_descriptors() <= before


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = open_descriptors()
    write_all(tmp_path / "a", SOUND, OutputFormat())
    with contextlib.suppress(KeyboardInterrupt):
        file = TemporaryFile(tmp_path)
        try:
            file.create()
            raise KeyboardInterrupt
        finally:
            file.release()
    assert open_descriptors() <= before
