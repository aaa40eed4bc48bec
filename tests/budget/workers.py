"""The worker's process, found and hindered as a busy machine would."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import soundfile

from my_submission.stems import STEMS

PERIOD = 0.02
"""Seconds of a duty cycle."""


def workers(parent: int | None = None) -> list[psutil.Process]:
    """List the workers of a process, by default of this one."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if any("my_submission.budget.worker" in word for word in child.cmdline()):
                found.append(child)
    return found


def worker() -> psutil.Process:
    """Give the only worker of this process."""
    (only,) = workers()
    return only


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that has to happen."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


@contextmanager
def slowed(times: float, after: float = 0.0) -> Iterator[None]:
    """Let this process's worker run for a share of the time only.

    Args:
        times: How many times slower it becomes.
        after: Seconds from now until then.
    """
    is_over = threading.Event()

    def hinder() -> None:
        is_over.wait(after)
        pids: list[int] = []
        while not is_over.is_set():
            try:
                for number, share in ((signal.SIGSTOP, 1 - 1 / times), (signal.SIGCONT, 1 / times)):
                    for pid in pids:
                        os.kill(pid, number)
                    time.sleep(PERIOD * share)
            except ProcessLookupError:
                pids.clear()
            pids = pids or [process.pid for process in workers()]  # which takes a while

    thread = threading.Thread(target=hinder)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def stems_in(folder: Path, suffix: str = "wav") -> dict[str, Path]:
    """Give the files of all stems in a folder."""
    return {stem: folder / f"{stem}.{suffix}" for stem in STEMS}


def require_stems(song: Path, folder: Path) -> None:
    """Require four whole stems, as long as the song, and nothing half-written beside them."""
    info = soundfile.info(song)
    for path in stems_in(folder).values():
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert (rate, samples.shape) == (info.samplerate, (info.frames, 2))
        assert np.isfinite(samples).all()
    record = f"{song.stem}.budget.json"
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*(f"{stem}.wav" for stem in STEMS), record]
    )
