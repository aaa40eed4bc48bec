"""Work in pieces on all cores, each of which keeps to its own caches.

Torch's own work in a piece is single-threaded, or has a share of the threads: pieces side by side
keep all cores busy where threads inside small operations would wait for each other, which costs
most where other programs are busy as well.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import cache
from math import prod
from typing import Any

import numpy as np
import torch

STRIPS = 8
"""For each core, so that a core that is slowed down leaves the rest to others."""

LINE = 64
"""Bytes of a line of a cache."""

_STARTING = threading.Lock()

_OWN = threading.local()
"""What each thread keeps."""


def on_all_cores(starts: Iterable[int], work: Callable[[int], None]) -> None:
    """Call `work` with every start, on one thread per core that torch uses.

    Where one call fails or the waiting is interrupted, no more are begun, and those that run are
    waited for: nothing of it goes on behind the caller's back.
    """
    num_threads = torch.get_num_threads()
    remaining = iter(starts)
    stop = threading.Event()

    def some() -> None:
        for start in remaining:  # shared: whoever is free takes the next one
            if stop.is_set():
                return
            work(start)

    pool = workers(num_threads)
    running: list[Future[None]] = [pool.submit(some) for _ in range(num_threads)]
    try:
        wait(running, return_when=FIRST_EXCEPTION)
    finally:  # an alarm or Ctrl-C may end the waiting, too
        stop.set()
        wait(running)
    for future in running:
        future.result()


def in_strips(total: int, work: Callable[[int, int], None], multiple: int = 1) -> None:
    """Cut `total` things into strips and do them on all cores: what is done must not depend on it.

    Args:
        total: Their number.
        work: Called with the first of a strip and how many they are.
        multiple: Of how many a strip is, but for the last one.
    """
    count = -(-total // (STRIPS * torch.get_num_threads() * multiple)) * multiple
    on_all_cores(range(0, total, count), lambda first: work(first, min(count, total - first)))


def scratch(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    """Give an array to work in, this thread's own and in the same memory at every call.

    New memory costs time. What the array holds is of no meaning.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    kept = getattr(_OWN, name, None)
    if kept is None or len(kept) < size:
        kept = aligned(np.zeros(size, np.uint8))
        setattr(_OWN, name, kept)
    return kept[:size].view(dtype).reshape(shape)


def aligned(values: Any) -> Any:
    """Copy an array to where it begins with a line of the processor's cache.

    What reads a whole line of it at a time takes twice as long where every read meets two.
    """
    room = np.zeros(values.nbytes + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    copy = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def workers(count: int, threads_each: int = 1) -> ThreadPoolExecutor:
    """Give so many threads, started once and kept, in which torch uses `threads_each`."""
    with _STARTING:
        return _workers(count, threads_each)


@cache
def _workers(count: int, threads_each: int) -> ThreadPoolExecutor:
    ready = threading.Barrier(count + 1)
    usual = torch.get_num_threads()

    def start() -> None:
        # Torch gives a thread the usual number when it first works there, or is asked for it: later
        # it would undo this, and products by two threads differ in their last digits.
        torch.get_num_threads()
        # A thread's own number, and that of threads to come: for those it is set back below.
        torch.set_num_threads(threads_each)
        ready.wait()

    pool = ThreadPoolExecutor(count, "networks", initializer=start)
    for _ in range(count):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(usual)
    return pool
