"""Work in pieces on all cores, each of which keeps to its own caches."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


def on_all_cores(starts: Iterable[int], work: Callable[[int], None]) -> None:
    """Call `work` with every start, on one thread per core that torch uses.

    Torch's own work in them is single-threaded: pieces side by side keep all cores busy where
    threads inside small operations would wait for each other.
    """
    num_threads = torch.get_num_threads()
    remaining = iter(starts)

    def some(_thread: int) -> None:
        for start in remaining:  # shared: whoever is free takes the next one
            work(start)

    for _ in threads(num_threads).map(some, range(num_threads)):
        pass


@cache
def threads(num_threads: int) -> ThreadPoolExecutor:
    """Give the threads, started once and kept."""
    ready = threading.Barrier(num_threads + 1)

    def start() -> None:
        # For torch's work in this thread; what threads elsewhere begin with is set again below.
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(num_threads, "tfc-tdf", initializer=start)
    for _ in range(num_threads):
        pool.submit(int)
    ready.wait()
    torch.set_num_threads(num_threads)
    return pool
