"""3x3 convolutions with a third of the multiplications, by Winograd's minimal filtering.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). A tile of 2 bins by 4
frames of output depends on 4 by 6 values of input. Both are seen as polynomials, whose product is
known from its values at as many points as it has coefficients: so the tile, transformed
(`forward`), is multiplied with the transformed weights point by point, 24 products instead of 72,
and transformed back (`inverse`). Over all tiles and channels, each point's products are one product
of matrices.

Values are float32. The points decide how much precision is lost: with these, about as much as in
the direct sum (two bins) or 1.4 times that (four frames); four by four would lose four times that.

Spectrograms are ``[bins + 2, frames + 2, channels]`` here, with a border of zeros, so that no tile
is a special case and a vector holds neighbouring channels, for which all arithmetic is the same.
"""

from typing import Any

import numpy as np

from my_submission.networks.jit import compiled, inlined, relu
from my_submission.stems import Audio

BINS, FRAMES = 2, 4
"""Output of a tile."""
NUM_POINTS = (BINS + 2) * (FRAMES + 2)

BIN_POINTS = (0.0, 1.0, -1.0)
FRAME_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""The last point of either is infinity, where a polynomial's value is its highest coefficient."""

A, B = np.float32(FRAME_POINTS[1]), np.float32(FRAME_POINTS[3])
A2, A3 = np.float32(A**2), np.float32(A**3)
B2, B3 = np.float32(B**2), np.float32(B**3)
SUM2, PRODUCT2 = np.float32(A**2 + B**2), np.float32(A**2 * B**2)


def transformed_weights(weight: Audio) -> Audio:
    """Transform a convolution's weights, once.

    Args:
        weight: ``[out, in, 3 frames, 3 bins]``.

    Returns:
        ``[24, in, out]``: for each point a matrix, from a tile's input there to its output there.
    """
    in_frames, in_bins = evaluation(FRAME_POINTS), evaluation(BIN_POINTS)
    points = np.einsum("oitb,pb,qt->pqio", weight.astype(np.float64), in_bins, in_frames)
    return np.ascontiguousarray(points.reshape(NUM_POINTS, *points.shape[2:]), np.float32)


def evaluation(points: tuple[float, ...]) -> Audio:
    """Give the matrix that evaluates a filter of 3 at points and infinity.

    Returns:
        ``[points + 1, 3]``, each row divided by the product of its point's distances to the others,
        which belongs to the interpolation afterwards.
    """
    rows = [
        [
            point**power / np.prod([point - other for other in points if other != point])
            for power in range(3)
        ]
        for point in points
    ]
    return np.array([*rows, [0, 0, 1]], np.float64)


@inlined
def six_points(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Any:
    """Transform six frames of input."""
    even_a, odd_a = d4 - B2 * d2, A * (d3 - B2 * d1)
    even_b, odd_b = d4 - A2 * d2, B * (d3 - A2 * d1)
    return (
        d4 - SUM2 * d2 + PRODUCT2 * d0,
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d5 - SUM2 * d3 + PRODUCT2 * d1,
    )


@inlined
def four_frames(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Transform six points back into four frames of output."""
    sum_a, difference_a = m1 + m2, m1 - m2
    sum_b, difference_b = m3 + m4, m3 - m4
    return (
        m0 + sum_a + sum_b,
        A * difference_a + B * difference_b,
        A2 * sum_a + B2 * sum_b,
        A3 * difference_a + B3 * difference_b + m5,
    )


@compiled("void(f4[:,:,::1], i8, i8, f4[:,:,::1])")
def forward(x: Any, first: int, count: int, points: Any) -> None:
    """Transform the input of some rows of tiles.

    Args:
        x: ``[bins + 2, frames + 2, channels]``.
        first: The first row of tiles; each is two bins.
        count: How many of them.
        points: ``[24, count * frames / 4, channels]``, to be written.
    """
    columns, channels = (x.shape[1] - 2) // FRAMES, x.shape[2]
    rows = np.empty((4, 6, channels), np.float32)
    for row in range(count):
        top = BINS * (first + row)
        for column in range(columns):
            left, tile = FRAMES * column, row * columns + column
            for i in range(4):
                d, p = x[top + i, left : left + 6], rows[i]
                for c in range(channels):
                    p[0, c], p[1, c], p[2, c], p[3, c], p[4, c], p[5, c] = six_points(
                        d[0, c], d[1, c], d[2, c], d[3, c], d[4, c], d[5, c]
                    )
            for k in range(6):
                d0, d1, d2, d3 = rows[0, k], rows[1, k], rows[2, k], rows[3, k]
                p0, p1 = points[k, tile], points[6 + k, tile]
                p2, p3 = points[12 + k, tile], points[18 + k, tile]
                for c in range(channels):
                    p0[c] = d2[c] - d0[c]
                    p1[c] = d1[c] + d2[c]
                    p2[c] = d2[c] - d1[c]
                    p3[c] = d3[c] - d1[c]


@compiled("void(f4[:,:,::1], f4[::1], i8, i8, f4[:,:,::1])")
def inverse(points: Any, bias: Any, first: int, count: int, y: Any) -> None:
    """Transform some rows of tiles back, add the bias and apply ReLU.

    Args:
        points: ``[24, count * frames / 4, channels]``.
        bias: ``[channels]``.
        first: The first row of tiles.
        count: How many of them.
        y: ``[bins + 2, frames + 2, channels]``, of which the tiles are written.
    """
    columns, channels = (y.shape[1] - 2) // FRAMES, y.shape[2]
    rows = np.empty((2, 6, channels), np.float32)
    for row in range(count):
        top = BINS * (first + row) + 1
        for column in range(columns):
            left, tile = FRAMES * column + 1, row * columns + column
            for k in range(6):
                p0, p1 = points[k, tile], points[6 + k, tile]
                p2, p3 = points[12 + k, tile], points[18 + k, tile]
                m0, m1 = rows[0, k], rows[1, k]
                for c in range(channels):
                    m0[c] = p0[c] + p1[c] + p2[c]
                    m1[c] = p1[c] - p2[c] + p3[c]
            for i in range(2):
                m, out = rows[i], y[top + i, left : left + 4]
                for c in range(channels):
                    y0, y1, y2, y3 = four_frames(
                        m[0, c], m[1, c], m[2, c], m[3, c], m[4, c], m[5, c]
                    )
                    out[0, c] = relu(y0 + bias[c])
                    out[1, c] = relu(y1 + bias[c])
                    out[2, c] = relu(y2 + bias[c])
                    out[3, c] = relu(y3 + bias[c])
