"""How fast a device multiplies matrices: what decides whether low precision is worth it.

A CPU is measured on one core. Where other programs are busy, products on all cores take as long as
their threads wait for each other, whatever the precision.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch

SIZES = (256, 512, 1024, 2048, 4096)
"""Rows and columns of the matrices, until their products take long enough to be timed."""

LONG_ENOUGH = 1e-3
"""Seconds of a float32 product that tell; smaller ones tell how fast work is handed out."""

ROUNDS = 4
"""Each takes every precision once, so that what else the machine does slows down all alike."""

WORTH_IT = 1.5
"""Times the float32 speed from which low precision counts as fast."""


@dataclass(frozen=True)
class Speed:
    """What products of large square matrices reach, on a GPU or on one core.

    Attributes:
        float32: Operations per second, an addition counted as one.
        low_precision: Likewise, in `dtype`.
        dtype: The device's low precision: bfloat16 on a CPU, float16 on a GPU.
    """

    float32: float
    low_precision: float
    dtype: torch.dtype

    @property
    def fast_dtype(self) -> torch.dtype:
        """The low precision where it is fast, else float32."""
        return self.dtype if self.low_precision >= WORTH_IT * self.float32 else torch.float32


@cache
def measured_speed(device: str) -> Speed:
    """Measure a device, once per process; takes some hundredths of a second.

    Args:
        device: ``cpu`` or ``cuda:N``.
    """
    dtype = torch.bfloat16 if device == "cpu" else torch.float16
    with _one_core():
        for size in SIZES:
            exact, low = seconds_of_products(size, (torch.float32, dtype), device)
            # Without arithmetic of its own for it, a processor takes long in low precision.
            if exact >= LONG_ENOUGH or low > 4 * exact:
                break
    operations = 2 * size**3
    return Speed(operations / exact, operations / low, dtype)


def seconds_of_products(size: int, dtypes: tuple[torch.dtype, ...], device: str) -> list[float]:
    """Time a product of square matrices in each type, the best of a few."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(size, size, generator=generator).to(device)
    matrices = [matrix.to(dtype) for dtype in dtypes]
    best = [math.inf] * len(dtypes)
    for _ in range(ROUNDS):
        for index, factor in enumerate(matrices):
            _finish(device)
            started = time.perf_counter()
            factor @ factor
            _finish(device)
            best[index] = min(best[index], time.perf_counter() - started)
    return best


def _finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


@contextmanager
def _one_core() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
