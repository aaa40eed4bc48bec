"""The worker's process, found and hindered as a busy machine would."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil
import soundfile

from my_submission.budget.record import Record
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.budget.worker_process import WorkerProcess
from my_submission.stems import STEMS

PLENTY = 600.0


def workers(parent: int | None = None) -> list[psutil.Process]:
    """List the workers of a process, by default of this one."""
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):
            if any("my_submission.budget.worker" in word for word in _words(child)):
                found.append(child)
    return found


def _words(process: psutil.Process) -> list[str]:
    """Give a process's command line; for a moment after its start it has none."""
    while not (words := process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.001)
    return words


def worker(separator: TimedSeparator) -> psutil.Process:
    """Give a separator's worker."""
    (only,) = separator._networks.workers
    return psutil.Process(only.pid)


@contextmanager
def stuck(separator: TimedSeparator) -> Iterator[None]:
    """Keep a separator's worker from running, whatever the separator does."""
    with patch.object(WorkerProcess, "resume"):
        worker(separator).suspend()
        yield
    separator._networks.resume()


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that has to happen."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


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


def separate(
    separator: TimedSeparator,
    song: Path,
    folder: Path,
    limit: float,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Separate a song and require that it was in time, and says what it did."""
    began = time.monotonic()
    record = separator.separate_to_files(song, stems_in(folder), limit, progress=progress)
    assert time.monotonic() - began < limit
    assert record.used_seconds < limit
    require_stems(song, folder)
    assert json.loads((folder / f"{song.stem}.budget.json").read_text())["step"] == record.step
    return record


def require_full(separator: TimedSeparator, song: Path, folder: Path) -> None:
    record = separate(separator, song, folder, PLENTY)
    assert (record.step, record.degraded, record.incidents) == ("full", [], [])
