"""What was freed goes back to the system."""

import ctypes
import re
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
