"""Work in pieces on all cores, each of which keeps to its own caches.

Torch's own work in a piece is single-threaded, or has a share of the threads: pieces side by side
keep all cores busy where threads inside small operations would wait for each other, which costs
most where other programs are busy as well.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import cache

import torch

_STARTING = threading.Lock()


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
