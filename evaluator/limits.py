"""What a process may use of the machine: cores and memory, control groups included.

A container's limits are those of the control groups that it is in (``man 7 cgroups``), of version
1 or 2; what the machine itself has may be many times more.
"""

import os
from collections.abc import Iterator
from math import ceil, inf
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
OWN_STATUS = Path("/proc/self/status")


def available_cores() -> int:
    """Give how many cores this process may use, 1 at least: a share of one counts as one."""
    cores: float
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    for group in _groups("cpu"):
        if quota := _numbers(group / "cpu.max"):  # version 2: "max 100000", or the quota in µs
            cores = min(cores, quota[0] / quota[1])
        quota, period = (_numbers(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota and period and quota[0] > 0:
            cores = min(cores, quota[0] / period[0])
    return max(1, ceil(cores))


def available_memory() -> float:
    """Give how many bytes this process may still take."""
    free = float(psutil.virtual_memory().available)
    for group in _groups("memory"):
        for limit, usage, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            if (most := _numbers(group / limit)) and (used := _numbers(group / usage)):
                # What is kept of files goes when memory is short.
                kept = _entry(group / "memory.stat", cache)
                free = min(free, most[0] - used[0] + kept)
    return max(free, 0.0)


def memory_to_grow_back() -> float:
    """Give how many bytes this process has let go since it held most, and may take again."""
    now, most = (_entry(OWN_STATUS, name) for name in ("VmRSS:", "VmHWM:"))
    return max(most - now, 0.0) * 1024  # kB


def _groups(controller: str) -> Iterator[Path]:
    """Give the folders of the control groups that limit this process, from its own up."""
    for line in _text(OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        # In a container the path may be the one outside of it: then its own lies at the root.
        own = root / path.strip("/")
        yield from (own, *(parent for parent in own.parents if parent.is_relative_to(root)))


def _numbers(file: Path) -> list[float]:
    """Read a line of numbers, of which some may be ``max``; nothing where there is no file."""
    try:
        return [inf if word == "max" else float(word) for word in _text(file).split()]
    except ValueError:
        return []


def _entry(file: Path, name: str) -> float:
    """Read the number after a name in a file of such lines; 0 where there is none."""
    for line in _text(file).splitlines():
        words = line.split()
        if words[:1] == [name]:
            return float(words[1])
    return 0.0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
