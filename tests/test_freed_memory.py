"""What was freed goes back to the system, or is kept where that is asked for."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

from my_submission.networks.freed_memory import give_back_freed_memory

BLOCK = 100_000
"""Bytes, few enough that glibc does not ask the system for each block."""


def resident_bytes() -> int:
    (kib,) = re.findall(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(kib) * 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc only")
def test_holes_between_blocks_are_given_back() -> None:
    blocks = [bytes([number % 256]) * BLOCK for number in range(1000)]
    del blocks[:-1]  # the last one keeps them from being the heap's end, which needs no help
    held = resident_bytes()
    give_back_freed_memory()
    assert held - resident_bytes() > 500 * BLOCK
    assert len(blocks) == 1


FAULTS = """
import resource, torch
from my_submission.networks.freed_memory import keep_freed_memory
{first}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    blocks = [torch.ones(20_000_000) for _ in range(3)]
for _ in range(8):  # until it has found the places
    work()
before = faults()
for _ in range(4):
    work()
print(faults() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc only")
def test_blocks_are_kept_for_what_comes_next() -> None:
    usual, kept = (
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(first=first)]))
        for first in ("", "keep_freed_memory()")
    )
    assert usual > 3 * kept
