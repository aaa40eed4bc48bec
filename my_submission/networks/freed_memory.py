"""Memory that networks have freed: whether the process holds it."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""glibc's options of those names, `mallopt(3)`."""

KEPT = 1 << 30
"""Bytes up to which a block is kept, and so many as are kept free at the heap's end."""


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what comes next.

    As it comes, glibc gives most of it back. A network that needs the same blocks again and again
    would wait for new pages, which are slow to come by in a virtual machine. Other C libraries have
    no such options.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            set_option(option, KEPT)


def give_back_freed_memory() -> None:
    """Give the system what is freed, where the C library keeps it.

    glibc keeps blocks below 32 MB for what comes next, holes between others included. A network
    with other sizes does not fit into them, so that each one would add to what the process holds.
    Other C libraries have no such call.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
