"""How much memory scoring may take, and who may have it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evaluator.limits import available_memory, memory_to_grow_back

SHARE_OF_MEMORY = 0.7
"""Of what is free; the rest is for all else that goes on."""


def memory_for_scoring() -> float:
    """Give the bytes that scoring may take, beside what the separation in this process takes.

    A song is scored after it has been separated, so the most that this process has held tells
    what the next song's separation will take again.
    """
    return SHARE_OF_MEMORY * max(available_memory() - memory_to_grow_back(), 0.0)


class Memory:
    """Lets jobs begin while what they need together fits; for several threads.

    Args:
        measure: gives the bytes that there are; asked whenever no job runs.
    """

    def __init__(self, measure: Callable[[], float]) -> None:
        self._measure = measure
        self._total = 0.0
        self._used = 0.0
        self._running = 0
        self._alone_waiting = 0
        self._is_alone = False
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, num_bytes: float) -> Iterator[None]:
        """Wait for memory, and have it.

        Args:
            num_bytes: that are needed; whoever is the only one gets them whatever there is.
        """

        def fits() -> bool:
            if self._is_alone or self._alone_waiting:
                return False
            return not self._running or self._used + num_bytes <= self._total

        with self._changed:
            self._changed.wait_for(fits)
            if not self._running:
                self._total = self._measure()
            self._used += num_bytes
            self._running += 1
        try:
            yield
        finally:
            self._give_back(num_bytes)

    @contextmanager
    def taken_alone(self) -> Iterator[None]:
        """Wait until nothing runs, and keep it so."""
        with self._changed:
            self._alone_waiting += 1
            self._changed.wait_for(lambda: not self._running)
            self._alone_waiting -= 1
            self._running += 1
            self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False
            self._give_back(0)

    def _give_back(self, num_bytes: float) -> None:
        with self._changed:
            self._used -= num_bytes
            self._running -= 1
            self._changed.notify_all()
