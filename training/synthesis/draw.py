"""Short names for the random draws that all of the synthesis makes."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

T = TypeVar("T")


def chance(rng: Generator, probability: float) -> bool:
    """Say yes with this probability."""
    return bool(rng.random() < probability)


def pick(rng: Generator, items: Sequence[T]) -> T:
    """Take one of the items, all equally likely."""
    return items[int(rng.integers(len(items)))]


def weighted(rng: Generator, weights: Mapping[T, float]) -> T:
    """Take one of the keys, likely in proportion to its weight."""
    items = list(weights)
    mark = rng.random() * sum(weights.values())
    for item in items:
        mark -= weights[item]
        if mark < 0:
            return item
    return items[-1]


def uniform(rng: Generator, low: float, high: float) -> float:
    """Draw evenly between two bounds."""
    return float(rng.uniform(low, high))


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Draw evenly on a logarithmic scale, as for frequencies and times."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def slow_noise(rng: Generator, length: int, width: int) -> npt.NDArray[np.float64]:
    """Draw smoothed noise of unit variance; `width` in steps."""
    window = np.hanning(width)
    noise = rng.standard_normal(length + width - 1)
    return np.convolve(noise, window / math.sqrt((window**2).sum()), "valid")
