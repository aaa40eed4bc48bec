"""The worker: a process of its own that runs the networks for a time budget.

A pass of a network cannot be interrupted, and it may take longer than a song has left, crash, or
want more memory than there is. Here, none of that keeps the other process from writing its stems.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import TYPE_CHECKING

from my_submission.audio import Signal
from my_submission.budget.messages import (
    Ended,
    Failed,
    Passed,
    Ready,
    Run,
    Said,
    Stop,
    Task,
    Written,
)
from my_submission.budget.shared import Excerpt, SharedSound
from my_submission.costs import Costs, PassCost, ignore, measure
from my_submission.errors import DemixError
from my_submission.parts import Part

if TYPE_CHECKING:
    from my_submission.separator import Separator

FIRST_TO_GO = "1000"
"""What makes Linux end this process before others where memory is short."""


PR_SET_PDEATHSIG = 1
"""What names the signal that a process gets when its parent ends (linux/prctl.h)."""


class StoppedError(Exception):
    """Ends a run that is no longer wanted."""


def main(talk: int, lifeline: int) -> None:
    """Serve until the other process has gone.

    Args:
        talk: Descriptor of the connection to it.
        lifeline: Descriptor of a pipe that ends when it does.
    """
    _wake_for_the_end()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _go_first()
    connection = Connection(talk)
    try:
        _Worker(connection).serve()
    except DemixError as error:
        connection.send(Failed(str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class _Worker:
    """Loads what the first message says, and makes the runs that the others ask for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        task = connection.recv()
        assert isinstance(task, Task)
        began = time.perf_counter()
        from my_submission.separator import Separator

        separator = Separator(
            task.system,
            models=task.models,
            device=task.device,
            precision=task.precision,
            backend=task.backend,
            say=lambda line: connection.send(Said(line)),
        )
        self._separator = separator
        parts = separator.parts
        self._parts: dict[str, Part] = {
            name: part
            for name, part in (("tfc_tdf", parts.tfc_tdf), ("demucs", parts.demucs))
            if part is not None
        }
        ready = task.known or _measured(separator, began)
        self._costs = {"tfc_tdf": ready.costs.tfc_tdf, "demucs": ready.costs.demucs}
        connection.send(ready)

    def serve(self) -> None:
        while True:
            message = self._connection.recv()
            if isinstance(message, Run):
                song = SharedSound(recv_handle(self._connection), 2)
                num_channels = 8 if message.stem is None else 2
                estimate = SharedSound(recv_handle(self._connection), num_channels)
                with song, estimate, suppress(StoppedError):
                    self._run(message, Excerpt(song, message.start, message.stop), estimate)
                self._connection.send(Ended())
            # A Stop that comes when its run has ended asks for nothing.

    def _run(self, run: Run, song: Signal, estimate: SharedSound) -> None:
        position = 0
        with self._watched(run):
            part = self._parts[run.part]
            stream = part.stream if run.stem is None else part.alone[run.stem].stream
            for block in self._separator.checked(stream(song)):
                estimate.write(position, block.reshape(estimate.num_channels, -1))
                position += block.shape[-1]
                self._connection.send(Written(position))
                self._obey()

    @contextmanager
    def _watched(self, run: Run) -> Iterator[None]:
        """Report every pass, and look after it whether the run is still wanted."""
        spent = 0.0

        def passed(cost: PassCost, sizes: Sequence[float]) -> None:
            nonlocal spent
            spent += cost.seconds_together(sizes)
            self._connection.send(Passed(spent))
            self._obey()

        separators = self._parts[run.part].separators
        for separator, cost in zip(separators, self._costs[run.part], strict=True):
            separator.passed = partial(passed, cost)
            separator.max_overlap = run.max_overlap
        try:
            yield
        finally:
            for separator in separators:
                separator.passed, separator.max_overlap = ignore, 1.0

    def _obey(self) -> None:
        while self._connection.poll():
            message = self._connection.recv()
            if not isinstance(message, Stop):
                raise TypeError(f"{message} while another run is under way")
            raise StoppedError


def _measured(separator: "Separator", began: float) -> Ready:
    """Measure what a separator's parts cost; its loading began then."""
    parts = separator.parts
    tfc_tdf, demucs = (
        () if part is None else measure(part.separators) for part in (parts.tfc_tdf, parts.demucs)
    )
    alone = {}
    if parts.tfc_tdf is not None:
        measured = list(zip(parts.tfc_tdf.separators, tfc_tdf, strict=True))
        for stem, network in parts.tfc_tdf.alone.items():
            alone[stem] = next(cost for other, cost in measured if other is network)
    return Ready(
        Costs(tfc_tdf, demucs, time.perf_counter() - began),
        alone,
        parts.tfc_tdf_share,
        separator.compute.could_be_faster,
    )


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns when the other end is closed, by whatever ended that process
    os._exit(1)


def _wake_for_the_end() -> None:
    """Have Linux continue this process when the other one ends: paused, it could not end, too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)


def _go_first() -> None:
    with suppress(OSError):  # there is no such file beside Linux, or it is not ours to write
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
