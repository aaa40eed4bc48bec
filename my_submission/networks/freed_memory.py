"""Memory that networks have freed, and that the process holds nevertheless."""

import ctypes


def give_back_freed_memory() -> None:
    """Give the system what is freed, where the C library keeps it.

    glibc keeps blocks below 32 MB for what comes next, holes between others included. A network
    with other sizes does not fit into them, so that each one would add to what the process holds.
    Other C libraries have no such call.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
