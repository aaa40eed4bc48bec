"""A slow machine: processes that are stopped most of the time, in slices of tenths of a second.

A container's share of a processor is handed out in slices like these.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from my_submission.audio.output import FLOAT_WAV, OutputFormat
from my_submission.budget.messages import Task
from my_submission.budget.record import Record
from my_submission.budget.timed_separator import TimedSeparator
from my_submission.stems import STEMS

PERIOD = 0.1
"""Seconds of a slice of work and the rest after it."""


@contextmanager
def throttled(
    pids: Callable[[], Sequence[int]], slowness: float, after: float = 0.0
) -> Iterator[None]:
    """Let processes have one `slowness`-th of the time for as long as the ``with`` block lasts.

    Args:
        pids: Gives their numbers; asked every time, because they may be replaced.
        slowness: 1 leaves them alone.
        after: Seconds from now until it begins.
    """
    over = threading.Event()

    def alternate() -> None:
        over.wait(after)
        while not over.wait(PERIOD / slowness):
            began = time.monotonic()
            # What another process has stopped stays so.
            found = [pid for pid in pids() if not _is_stopped(pid)]
            _signal(found, signal.SIGSTOP)
            over.wait(PERIOD * (1 - 1 / slowness) - (time.monotonic() - began))
            _signal(found, signal.SIGCONT)

    thread = threading.Thread(target=alternate)
    if slowness > 1:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if slowness > 1:
            thread.join()


def family(pid: int) -> list[int]:
    """Give a process's number and those of the ones that it and they have started."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [pid, *(child.pid for child in children)]


@dataclass(frozen=True)
class Separated:
    """A song that a `SlowMachine` has separated.

    Attributes:
        record: What it says of it.
        seconds: That it took, by this process's clock.
    """

    record: Record
    seconds: float


class SlowMachine:
    """A context manager: a `TimedSeparator` in a process of its own, slowed down as a whole.

    It is set up at full speed, so that it does not know.

    Args:
        task: What it loads.
        formats: That stems will be written in.
    """

    def __init__(self, task: Task, formats: Sequence[OutputFormat] = (FLOAT_WAV,)) -> None:
        self._task, self._formats = task, formats

    def separate(
        self,
        song: Path,
        folder: Path,
        limit: float,
        slowness: float,
        after: float = 0.0,
        fmt: OutputFormat = FLOAT_WAV,
    ) -> Separated:
        """Separate a song into `folder`, so many times slower after so many seconds.

        Raises:
            RuntimeError: It could not be separated.
        """
        with throttled(lambda: family(self._pid), slowness, after):
            began = time.monotonic()
            self._connection.send((song, folder, limit, fmt))
            answer = self._connection.recv()
            seconds = time.monotonic() - began
        if not isinstance(answer, Record):
            raise RuntimeError(answer)
        return Separated(answer, seconds)

    def __enter__(self) -> Self:
        # Forked processes would share locks that other threads hold.
        context = multiprocessing.get_context("spawn")
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self._task, self._formats))
        self._process.start()
        there.close()
        assert self._process.pid is not None
        self._pid = self._process.pid
        self._connection.recv()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, task: Task, formats: Sequence[OutputFormat]) -> None:
    with TimedSeparator(task, say=_quiet) as separator:
        for fmt in formats:
            separator.file_costs(fmt)
        separator.set_up(formats[0])
        connection.send(None)
        with contextlib.suppress(EOFError):
            while True:
                song, folder, limit, fmt = connection.recv()
                paths: dict[str, Path] = {stem: folder / f"{stem}{fmt.suffix}" for stem in STEMS}
                try:
                    connection.send(separator.separate_to_files(song, paths, limit, fmt=fmt))
                except Exception as error:  # whatever it is, the other process is told
                    connection.send(repr(error))


def _quiet(_line: str) -> None:
    """Say nothing."""


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return True


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
