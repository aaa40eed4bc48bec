"""Slows processes down: they are stopped most of the time, in slices of hundredths of a second."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

PERIOD = 0.05
"""Seconds of a slice of work and the rest after it."""


@contextmanager
def throttled(pids: Callable[[], Sequence[int]], slowness: float) -> Iterator[None]:
    """Let processes have one `slowness`-th of the time for as long as the ``with`` block lasts.

    Args:
        pids: Gives their numbers; asked every time, because they may be replaced.
        slowness: 1 leaves them alone.
    """
    over = threading.Event()

    def alternate() -> None:
        while not over.is_set():
            _signal(pids(), signal.SIGCONT)
            if over.wait(PERIOD / slowness):
                return
            _signal(pids(), signal.SIGSTOP)
            over.wait(PERIOD * (1 - 1 / slowness))

    thread = threading.Thread(target=alternate)
    if slowness > 1:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if slowness > 1:
            thread.join()
            _signal(pids(), signal.SIGCONT)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
