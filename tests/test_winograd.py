"""Convolutions by minimal filtering against the plain ones."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from my_submission.networks import winograd
from my_submission.stems import Audio


def convolved(x: Audio, weight: Audio, bias: Audio, rows_at_a_time: int, tiles: int = 30) -> Audio:
    """Convolve ``[in, frames, bins]`` by tiles, some rows and some tiles of them at a time."""
    channels, frames, bins = x.shape
    plane = np.zeros((bins + 2, frames + 2, channels), np.float32)
    plane[1:-1, 1:-1] = x.transpose(2, 1, 0)
    out = np.full((bins + 2, frames + 2, len(bias)), 7, np.float32)
    weights = winograd.transformed_weights(weight)
    points = np.empty((winograd.NUM_POINTS, tiles, channels), np.float32)
    products = np.empty((winograd.NUM_POINTS, tiles, weights.shape[1] * weights.shape[3]), "f")
    rows = bins // winograd.BINS
    for first in range(0, rows, rows_at_a_time):
        count = min(rows_at_a_time, rows - first)
        winograd.convolve(plane, weights, bias, first, count, points, products, out)
    border = np.ones_like(out, bool)
    border[1:-1, 1:-1] = False
    assert (out[border] == 7).all()
    return out[1:-1, 1:-1].transpose(2, 1, 0)


@pytest.mark.parametrize("frames, bins", [(4, 2), (4, 10), (12, 2), (16, 14)])
@pytest.mark.parametrize("channels", [1, 5, 32])
def test_tiles_make_the_plain_convolution(
    rng: np.random.Generator, frames: int, bins: int, channels: int
) -> None:
    x = rng.standard_normal((channels, frames, bins)).astype(np.float32)
    weight = rng.standard_normal((channels + 1, channels, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(channels + 1).astype(np.float32)
    inputs, filters, biases = (torch.from_numpy(value).double() for value in (x, weight, bias))
    expected = torch.relu(functional.conv2d(inputs, filters, biases, padding=1)).numpy()
    for rows_at_a_time, tiles in ((1, 30), (3, 2), (3, 5)):
        found = convolved(x, weight, bias, rows_at_a_time, tiles)
        assert np.abs(found - expected).max() < 2e-6 * np.abs(expected).max()


def test_nothing_that_is_not_a_number_gets_lost(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 8, 6)).astype(np.float32)
    x[1, 3, 3] = np.nan
    weight = np.ones((4, 4, 3, 3), np.float32)
    found = convolved(x, weight, np.zeros(4, np.float32), 1)
    assert np.isnan(found[:, 2:5, 2:5]).all()


def test_points_and_weights_of_an_impulse_are_exact() -> None:
    # A filter that only passes its middle gives the input back.
    weight = np.zeros((2, 2, 3, 3), np.float32)
    weight[0, 0, 1, 1] = weight[1, 1, 1, 1] = 1
    x = np.arange(2 * 8 * 4, dtype=np.float32).reshape(2, 8, 4)
    found = convolved(x, weight, np.zeros(2, np.float32), 2)
    np.testing.assert_allclose(found, x, atol=1e-5)
