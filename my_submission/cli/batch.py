"""Many songs with one separator: several at a time, with progress, and none taking others down."""

import math
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from my_submission.display import shown
from my_submission.errors import DemixError

AWAKE_EVERY = 0.2
"""Seconds after which the main thread, which waits for songs, looks for signals."""

Report = Callable[[int, int], None]
Song = TypeVar("Song")


class CancelledError(BaseException):
    """Raised inside a song when the whole run ends, so that it cleans up; never seen outside."""


def run_songs(
    songs: Sequence[Song],
    separate: Callable[[Song, Report], None],
    *,
    jobs: int,
    console: Console,
    title: Callable[[Song], str],
    add_bar: Callable[[str], Report] | None = None,
) -> list[Song]:
    """Separate songs, `jobs` at a time, and report each failure in a line.

    An exception that is no `DemixError` is a fault of the program's: it is reported in full, and
    is one song's failure all the same, because the others of a long run are not to blame.

    The networks are shared by all jobs, so memory grows only by what a song's stream holds.

    Args:
        songs: What to separate.
        separate: Separates one song, calling back with the samples done and in all.
        jobs: Songs at a time.
        console: Where progress and errors go; progress only if it is a terminal.
        title: A song's name.
        add_bar: Of `progress_bars` that are already shown, which the songs' come below.

    Returns:
        The songs that failed.
    """
    failed = []
    stop = threading.Event()
    with progress_bars(console) if add_bar is None else nullcontext(add_bar) as new_bar:

        def run(song: Song) -> None:
            bar = new_bar(title(song))

            def report(done: int, total: int) -> None:
                if stop.is_set():
                    raise CancelledError
                bar(done, total)

            separate(song, report)

        for song, error in _outcomes(songs, run, jobs, stop):
            if error is not None:
                print_failure(console, title(song), error)
                failed.append(song)
    return failed


def print_failure(console: Console, title: str, error: Exception) -> None:
    """Report one song's failure: in a line, and in full where it is a fault of the program's."""
    line = f"error: {error}"
    if not isinstance(error, DemixError):
        told = "".join(traceback.format_exception(error))
        console.print(told, end="", markup=False, highlight=False)
        line = f"error: {shown(title)}: {type(error).__name__}: {shown(error)}"
    console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def _outcomes(
    songs: Iterable[Song], run: Callable[[Song], None], jobs: int, stop: threading.Event
) -> Iterator[tuple[Song, Exception | None]]:
    if jobs == 1:  # in this thread, so that a signal reaches the song at once
        for song in songs:
            yield song, _outcome(run, song)
        return
    with ThreadPoolExecutor(jobs) as pool:
        try:  # an interrupt may come while songs are still handed out
            futures = {pool.submit(_outcome, run, song): song for song in songs}
            pending = set(futures)
            while pending:
                # A signal may be taken by a song's thread; this one acts on it when it wakes up.
                done, pending = wait(pending, AWAKE_EVERY, FIRST_COMPLETED)
                for future in done:
                    yield futures[future], future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _outcome(run: Callable[[Song], None], song: Song) -> Exception | None:
    try:
        run(song)
    except Exception as error:  # nothing is hidden: `run_songs` prints it
        return error
    return None


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str], Report]]:
    """Show a bar with the time left for each song; nothing where `console` is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=math.inf,  # else bars of songs that take minutes have no time left
    ) as progress:

        def add_bar(title: str) -> Report:
            task: TaskID = progress.add_task(shown(title), total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield add_bar


def error_console() -> Console:
    """Give the console for progress, notes and errors: standard error, so that pipes stay clean."""
    return Console(file=sys.stderr, soft_wrap=True)
