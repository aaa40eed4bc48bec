"""Vectors in compiled code: what is read, computed and written, lane by lane."""

from typing import Any

import numpy as np
import pytest
import torch

from my_submission.networks.jit import compiled
from my_submission.networks.vectors import LANES, load, rectified, store, store_pairs, total


@compiled(
    "void(f4[::1], f4[::1], i8)",
    "void(u2[::1], u2[::1], i8)",
    "void(f4[::1], u2[::1], i8)",
    "void(u2[::1], f4[::1], i8)",
)
def rectify(x: Any, y: Any, count: int) -> None:
    """Write ReLU of ``2 * x - 1``."""
    for c in range(0, count, LANES):
        values = load(x, c, count - c)
        store(
            y,
            c,
            count - c,
            rectified(values * np.float32(2) - np.float32(1) + values * np.float32(0)),
        )


@compiled("void(f4[::1], f4[::1], u2[::1], f4[::1])")
def pair(x: Any, y: Any, pairs: Any, sums: Any) -> None:
    """Write a vector of each side by side, and the sums of both."""
    a, b = load(x, 0, LANES), load(y, 0, LANES)
    store_pairs(pairs, 0, a, b)
    sums[0], sums[1] = total(a), total(b)


def bits(values: Any) -> Any:
    """Give the bits of the nearest bfloat16."""
    return torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view(np.uint16)


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, 2 * LANES + 3])
def test_only_the_first_lanes_are_read_and_written(rng: np.random.Generator, count: int) -> None:
    x = rng.standard_normal(count).astype(np.float32)
    y = np.full(count + LANES, 7, np.float32)
    rectify(x, y, count)
    np.testing.assert_allclose(y[:count], np.maximum(2 * x - 1, 0), atol=1e-6)
    assert (y[count:] == 7).all()


@pytest.mark.parametrize("count", [LANES, 2 * LANES + 3])
def test_uint16_holds_the_nearest_bfloat16(rng: np.random.Generator, count: int) -> None:
    x = (2.0 ** rng.integers(-20, 20, count) * rng.standard_normal(count)).astype(np.float32)
    x[:2] = 1 + 2**-8, 1 + 3 * 2**-8  # halfway: to the even one
    expected = np.maximum(2 * x - 1, 0)
    y = np.full(count + LANES, 7, np.uint16)
    rectify(x, y, count)
    np.testing.assert_array_equal(y[:count], bits(expected))
    assert (y[count:] == 7).all()
    rounded = torch.from_numpy(x).bfloat16().float().numpy()
    found = np.zeros(count, np.float32)
    rectify(bits(x), found, count)
    np.testing.assert_allclose(found, np.maximum(2 * rounded - 1, 0), rtol=1e-6)


def test_what_is_not_a_number_stays_so() -> None:
    x = np.full(LANES, np.nan, np.float32)
    y, low = np.zeros(LANES, np.float32), np.zeros(LANES, np.uint16)
    rectify(x, y, LANES)
    rectify(x, low, LANES)
    assert np.isnan(y).all()
    assert torch.from_numpy(low.view(np.int16)).view(torch.bfloat16).isnan().all()


def test_pairs_lie_side_by_side(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, LANES)).astype(np.float32)
    pairs, sums = np.zeros(2 * LANES, np.uint16), np.zeros(2, np.float32)
    pair(x, y, pairs, sums)
    np.testing.assert_array_equal(pairs[::2], bits(x))
    np.testing.assert_array_equal(pairs[1::2], bits(y))
    np.testing.assert_allclose(sums, [x.sum(), y.sum()], rtol=1e-5)
