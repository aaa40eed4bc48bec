"""Products of small matrices in compiled code against numpy's."""

from typing import Any

import numpy as np
import pytest

from my_submission.networks.jit import compiled
from my_submission.networks.small_products import ROWS, block_width, packed, product
from my_submission.networks.vectors import LANES


@compiled("void(f4[:,::1], f4[:,:,:,::1], i8, f4[:,::1])")
def multiply(x: Any, weights: Any, index: int, out: Any) -> None:
    """Multiply rows by one of several matrices."""
    flat = (x.reshape(x.size), weights.reshape(weights.size), out.reshape(out.size))
    depth = x.shape[1]
    sizes = (depth, weights.shape[1], weights.shape[3])
    product(flat[0], 0, flat[1], index * depth * out.shape[1], flat[2], 0, x.shape[0], sizes)


@pytest.mark.parametrize("rows", [1, 5, ROWS, ROWS + 1, 3 * ROWS - 1])
@pytest.mark.parametrize("depth", [1, 33])
@pytest.mark.parametrize("width", [1, LANES, LANES + 3, 2 * LANES, 3 * LANES, 4 * LANES - 1])
def test_a_product_is_numpys(rng: np.random.Generator, rows: int, depth: int, width: int) -> None:
    x = rng.standard_normal((rows, depth)).astype(np.float32)
    weights = rng.standard_normal((3, depth, width)).astype(np.float32)
    laid = packed(weights)
    out = np.full((rows + 1, laid.shape[1] * laid.shape[3]), 7, np.float32)
    for index in range(3):
        multiply(x, laid, index, out[:rows])
        expected = x.astype(np.float64) @ weights[index]
        np.testing.assert_allclose(out[:rows, :width], expected, atol=1e-4)
        assert (out[:rows, width:] == 0).all()
        assert (out[rows] == 7).all()


@pytest.mark.parametrize(
    "width, columns",
    [
        (1, LANES),
        (LANES, LANES),
        (LANES + 1, 2 * LANES),
        (3 * LANES, LANES),
        (6 * LANES, 2 * LANES),
    ],
)
def test_no_vector_of_columns_is_wasted(width: int, columns: int) -> None:
    assert block_width(width) == columns


def test_what_is_not_a_number_stays_in_its_row(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2 * ROWS, 4)).astype(np.float32)
    x[3, 1] = np.nan
    laid = packed(np.ones((1, 4, 5), np.float32))
    out = np.zeros((len(x), laid.shape[1] * laid.shape[3]), np.float32)
    multiply(x, laid, 0, out)
    assert np.isnan(out[3, :5]).all()
    assert np.isfinite(np.delete(out, 3, axis=0)).all()
