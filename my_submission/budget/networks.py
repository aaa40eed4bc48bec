"""A system's networks, in the process that there is for them at present."""

import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from my_submission.budget.messages import Ready, Task
from my_submission.budget.pace import probe
from my_submission.budget.worker_process import WorkerDiedError, WorkerProcess
from my_submission.costs import Costs

GUESSED_GAIN = 2.0
"""How much faster low precision is taken to be until it has been measured."""


class Networks:
    """Starts a worker, replaces it, and keeps what is known of those that there have been.

    Args:
        task: What to run, and how.
        say: Gets a line for everything that the user should know.

    Attributes:
        workers: One at most.
        known: What a worker said that was ready, by whether it was one in low precision.
        is_fast: Whether the present one is.
        can_be_fast: False once one in low precision has died before it was ready.
    """

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self.workers: list[WorkerProcess] = []
        self.known: dict[bool, Ready] = {}
        self.is_fast, self.can_be_fast = False, True
        self._task, self._say = task, say
        weakref.finalize(self, _end_all, self.workers)

    @property
    def present(self) -> Ready | None:
        """What is known of networks as the worker has them; None before they are measured."""
        return self.known.get(self.is_fast)

    def start(self, is_fast: bool) -> None:
        """Start a worker in place of the present one, if there is one.

        Raises:
            WorkerDiedError: It cannot be started.
        """
        self.end()
        self.is_fast = is_fast
        task = replace(self._task, known=self.known.get(is_fast))
        if is_fast:
            task = replace(task, precision="fast")
        self.workers[:] = [WorkerProcess(task, self._say)]

    def ready(self, until: float) -> Ready | None:
        """Wait until the worker has loaded and ended what it still runs; None if that is late.

        Raises:
            WorkerDiedError: It has ended.
            DemixError: It cannot load the networks.
        """
        worker = self.workers[0]
        while worker.ready is None or worker.is_running:
            if worker.event(until - time.monotonic()) is None:
                return None
        return self.known.setdefault(self.is_fast, worker.ready)

    def end(self) -> str:
        """End the worker; say how it had ended if it had."""
        return _end_all(self.workers)

    def replace(self) -> None:
        """Have a worker that has nothing to do with the one before."""
        with suppress(WorkerDiedError):  # else the next song tries again
            self.start(is_fast=False)

    def make_ready(self) -> None:
        """Have a worker for the next song, which waits until this one is written."""
        if not self.workers:
            self.replace()
        for worker in self.workers:
            try:
                if worker.is_running:
                    costs = self.known[self.is_fast].costs
                    longest = max(cost.together for cost in (*costs.tfc_tdf, *costs.demucs))
                    if longest > costs.set_up:
                        raise WorkerDiedError
                    worker.stop()
            except WorkerDiedError:
                self.replace()
        for worker in self.workers:
            worker.pause()

    def resume(self) -> None:
        """Let the worker go on."""
        for worker in self.workers:
            worker.resume()

    def probe(self) -> float:
        """Measure this process's pace without the networks, which do not run at the end either."""
        for worker in self.workers:
            worker.pause()
        try:
            return probe()
        finally:
            self.resume()

    def fast_costs(self, ready: Ready) -> Costs | None:
        """Give what low precision costs where it is an option that is not taken yet."""
        if not ready.could_be_faster or self.is_fast or not self.can_be_fast:
            return None
        if True in self.known:
            return self.known[True].costs
        return replace(ready.costs.scaled(1 / GUESSED_GAIN), set_up=ready.costs.set_up)


def _end_all(workers: list[WorkerProcess]) -> str:
    how = "ended"
    while workers:
        how = workers.pop().end()
    return how
