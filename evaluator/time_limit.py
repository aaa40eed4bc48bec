"""A time limit on a piece of code, as the grader sets it: by SIGALRM."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from evaluator.errors import EvaluatorError

SHORTEST_ALARM_SECONDS = 1e-3
"""Of an outer limit that ran out meanwhile: zero would switch it off."""


class TimeLimitError(EvaluatorError):
    """Prediction code ran longer than it may."""


@contextmanager
def time_limit(seconds: float, message: str) -> Iterator[None]:
    """Interrupt what runs inside after some time.

    The alarm is cleared on every way out, and the signal's previous handler and timer are put
    back, so limits nest. Python delivers a signal between two of its own instructions, so a
    call into compiled code ends first. Code that catches the error and goes on is found out
    when it ends.

    Args:
        seconds: wall-clock time, above zero.
        message: of the error.

    Raises:
        TimeLimitError: the time is over.
        EvaluatorError: not in the main thread, the only one that gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise EvaluatorError("the evaluator runs outside the main thread: SIGALRM needs it there")
    expired = False

    def expire(_signal: int, _frame: FrameType | None) -> None:
        nonlocal expired
        expired = True
        raise TimeLimitError(message)

    began = time.monotonic()
    previous_handler = signal.signal(signal.SIGALRM, expire)
    outer_seconds, outer_interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # Nested: the alarm may ring between these two lines.
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, previous_handler)
            if outer_seconds:
                left = outer_seconds - (time.monotonic() - began)
                signal.setitimer(
                    signal.ITIMER_REAL, max(left, SHORTEST_ALARM_SECONDS), outer_interval
                )
    if expired:
        raise TimeLimitError(message)
