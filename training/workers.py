"""Processes that do a part of another one's work."""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended; for pools' `initializer`.

    A pool's processes wait for work for ever where their parent is killed, because each holds the
    other end of the queue open too.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
